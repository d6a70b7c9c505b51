"""The simulations on offer: one TOML file each, with a description, a number of parties and a flat run config.

One of the user's own can name the parties' files instead, in a table [data] (``simulations.own_files``).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulations.own_data import KEYS, OWN_DATA, is_data_file
from wire.parsing import ParseError, read_toml

__all__ = ["Scenario", "ScenarioError", "load_scenario", "scenario_names"]

if TYPE_CHECKING:
    from simulations.own_files import OwnFiles

FOLDER = Path(__file__).parent
TABLES = ("scenario", "config", "data")


class ScenarioError(ValueError):
    """There is no such scenario, or its file is not one; the message names the offer or the mistake."""


@dataclass(frozen=True)
class Scenario:
    """A named simulation.

    Attributes
    ----------
    name : what its run directories are called after
    description : one line for the list
    parties : how many take part unless the command line says otherwise
    config : overrides of the run config, checked when the run is prepared
    data : the parties' own files, in the place of a data set that is divided
    """

    name: str
    description: str
    parties: int
    config: Mapping[str, Any]
    data: OwnFiles | None = None


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with Guerdon."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_scenario(name: str) -> Scenario:
    """A scenario on offer, or one of the user's own where ``name`` is the path of a TOML file."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if is_data_file(name) or (name not in scenario_names() and path.suffix != ".toml" and Path(name).is_file()):
        raise ScenarioError(f"{name!r} is a file, not a scenario. {OWN_DATA}")
    if not name.endswith(".toml") and name not in scenario_names():
        near = difflib.get_close_matches(name, scenario_names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ScenarioError(
            f"there is no scenario {name!r}.{hint} On offer: {', '.join(scenario_names())}; "
            "or give the path of a .toml file of your own (docs/scenarios.md)."
        )
    try:
        content = read_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path} can't be read: {error.strerror}") from error
    except (ParseError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path} is not a TOML file: {error}") from error
    return _check(path, content)


def _check(path: Path, content: Mapping[str, Any]) -> Scenario:
    expected = "expected the tables [scenario] (description, parties) and [config] (run config keys), or [data] (files)"
    about, config, data = content.get("scenario"), content.get("config"), content.get("data")
    places = [content, *(table for table in (about, config) if isinstance(table, dict))]
    named = [key for place in places for key in KEYS if key in place and not isinstance(place[key], dict)]
    if named:
        raise ScenarioError(f"{path}: a scenario has no {named[0]!r}. {OWN_DATA}")
    own = data if isinstance(data, dict) else None
    about, config = (about or {}, config or {}) if own is not None else (about, config)
    needed = {"data"} if own is not None else {"scenario", "config"}
    if not isinstance(about, dict) or not isinstance(config, dict) or not needed <= set(content) <= {*needed, *TABLES}:
        raise ScenarioError(f"{path}: {expected}, got {', '.join(content) or 'nothing'}")
    if own is None and "data" in content:
        raise ScenarioError(f"{path}: data is a table, [data] with files = [...], got {content['data']!r}")
    description, parties = about.get("description"), about.get("parties")
    if own is not None:
        description, parties = description or "", 1 if parties is None else parties
    if not isinstance(description, str) or not set(about) <= {"description", "parties"}:
        raise ScenarioError(f"{path}: {expected}, got [scenario] with {', '.join(about) or 'nothing'}")
    if not isinstance(parties, int) or isinstance(parties, bool) or parties < 1:
        raise ScenarioError(f"{path}: parties is a whole number of at least 1, got {parties!r}")
    if own is not None and "parties" in about:
        raise ScenarioError(f"{path}: the files of [data] are the parties: leave parties out")
    files = None
    if own is not None:
        from simulations.own_files import OwnFiles, OwnFilesError

        try:
            files = OwnFiles.from_table(own, path.parent)
        except OwnFilesError as error:
            raise ScenarioError(f"{path}: {error}") from error
    return Scenario(path.stem, description, parties, config, files)

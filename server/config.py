"""The run config, checked before anything starts: every problem said at once, with what came and how to mend it."""

from __future__ import annotations

import difflib
import math
import traceback
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from guerdon.features import ImageFeatures
from guerdon.generators import (
    AdversarialForest,
    EmbeddedMixture,
    GaussianMixture,
    KernelDensity,
    MmdGan,
    ResumableGenerator,
)
from guerdon.models import BayesianLinear, BayesianLogistic, GaussianProcess, SparseGaussianProcess
from guerdon.plugins import Offer, PluginError, build
from guerdon.privacy import LARGEST
from guerdon.realization import LikelihoodTempering, NoiseInjection, WeightedSampling
from guerdon.rewards import RectifiedRhoShapley, RhoShapley
from guerdon.shapley import Auto, ExactShapley, MonteCarloShapley, PermutationShapley, RowShapley, StratifiedShapley
from guerdon.valuation import InformationGain, MaximumMeanDiscrepancy, PredictiveInformation
from strategies import (
    ClassificationRewards,
    Conversation,
    CosineGradientRewards,
    ModelRewards,
    Settings,
    SyntheticDataRewards,
    TrainingTimeRewards,
)
from wire.messages import MessageError, check_party_name
from wire.schema import Schema, SchemaError
from wire.signing import KeyFileError, MediatorSeal, read_party_keys, read_private_key
from wire.text import is_line

__all__ = ["OFFERS", "PART_KEYS", "ConfigError", "Parts", "RunConfig", "parts_taken"]

OFFERS: Mapping[str, Offer] = {
    "strategy": {
        "ModelRewards": ModelRewards,
        "ClassificationRewards": ClassificationRewards,
        "SyntheticDataRewards": SyntheticDataRewards,
        "CosineGradientRewards": CosineGradientRewards,
        "TrainingTimeRewards": TrainingTimeRewards,
    },
    "generator": {
        "AdversarialForest": AdversarialForest,
        "EmbeddedMixture": EmbeddedMixture,
        "GaussianMixture": GaussianMixture,
        "KernelDensity": KernelDensity,
        "MmdGan": MmdGan,
    },
    "features": {"ImageFeatures": ImageFeatures},
    "valuation": {
        "InformationGain": InformationGain,
        "MaximumMeanDiscrepancy": MaximumMeanDiscrepancy,
        "PredictiveInformation": PredictiveInformation,
    },
    "model": {
        "GaussianProcess": GaussianProcess,
        "BayesianLinear": BayesianLinear,
        "BayesianLogistic": BayesianLogistic,
        "SparseGaussianProcess": SparseGaussianProcess,
    },
    "shapley": {
        "Auto": Auto,
        "ExactShapley": ExactShapley,
        "MonteCarloShapley": MonteCarloShapley,
        "PermutationShapley": PermutationShapley,
        "RowShapley": RowShapley,
        "StratifiedShapley": StratifiedShapley,
    },
    "scheme": {"RhoShapley": RhoShapley, "RectifiedRhoShapley": RectifiedRhoShapley},
    "realization": {
        "NoiseInjection": NoiseInjection,
        "LikelihoodTempering": LikelihoodTempering,
        "WeightedSampling": WeightedSampling,
    },
}
"""The parts that go by their bare name, by the run-config key that takes them."""

PART_KEYS: tuple[str, ...] = tuple(OFFERS)


class Parts(NamedTuple):
    """The strategy, the parts it composes by key, and the text of each (the strategy's among them)."""

    strategy: Any
    parts: dict[str, Any]
    texts: dict[str, str]


class ConfigError(ValueError):
    """The run config can't be used; the text lists every problem, one a line."""


NEEDS = {
    "model": "fit",
    "generator": "fit",
    "features": "fit",
    "valuation": "game",
    "shapley": "__call__",
    "scheme": "__call__",
    "realization": "__call__",
}
"""The method that a part must have to be one, by the key that takes it."""


def parts_taken(strategy: str) -> tuple[str, ...] | None:
    """The keys of the parts that a strategy takes, by its text; None where there is no such strategy."""
    try:
        return tuple(getattr(build(strategy, OFFERS["strategy"]), "parts", {}))
    except Exception:  # a user's own module can raise anything; whoever builds it to use it says what
        return None


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class RunConfig(BaseModel):
    """The flat run config of ``[tool.flwr.app.config]`` in pyproject.toml; attributes have underscores for dashes."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", alias_generator=_dashed, populate_by_name=False)

    strategy: str = "ModelRewards()"
    generator: str = ""
    features: str = ""
    valuation: str = ""
    model: str = ""
    shapley: str = ""
    scheme: str = ""
    realization: str = ""
    dataset: str = Field("", description="what a simulation's data was made from; the apps only record it")
    partition: str = Field("", description="how it was split; the apps only record it")
    data_dir: str = ""
    target: str = ""
    noise_column: str = ""
    synthetic_file: str = ""
    public_file: str = ""
    generator_file: str = ""
    holdout: float = Field(Settings.holdout, ge=0.0, le=0.9)
    standardize: Literal[True, False, "robust"] = Settings.standardize
    contribute: Literal["rows", "statistics"] = Field(
        Settings.contribute, description="what each party sends: its rows, or sums over them from which no row is read"
    )
    private: str = Field(
        "", description="epsilon of a simulation's parties, one or one a party; real ones choose theirs by themselves"
    )
    discloses_rows: bool = Field(Settings.discloses_rows, description="rewards may hold rows of other parties")
    reward_precision: float = Field(
        Settings.reward_precision,
        ge=0.0,
        description="rewards are as exact as if so many of a party's rows were unknown",
    )
    min_noise: float = Field(
        Settings.min_noise,
        ge=0.0,
        lt=1.0,
        description="the least noise to declare, as a share of the target's variance",
    )
    fit: Literal["pool", "leave-one-out median", "party median", "public"] = Field(
        Settings.fit, description="what a model's hyperparameters are learned on"
    )
    references: Literal["held-out", "public"] | int = Field(
        Settings.references,
        description="where predictions are valued: at inputs of held-out rows, at most 200 a party or this number, or "
        "at the run's public rows",
    )
    deduplicate: bool | Literal["near"] = Field(
        Settings.deduplicate,
        description='whether of a party\'s equal rows, and with "near" of its near-copies too, one is taken',
    )
    on_finding: Literal["note", "refuse"] = Settings.on_finding
    evidence: bool = Field(Settings.evidence, description="what speaks for and against each party's data, told too")
    audit: Literal[True, False, "tables"] = Field(
        Settings.audit,
        description="what rewards give away of single rows is found out before they are delivered; of images with true",
    )
    max_disclosure: float = Field(
        Settings.max_disclosure,
        gt=0.5,
        le=1.0,
        description="a reward of which the audit can't exclude a larger AUC of telling who was in is held back",
    )
    uncertainty: bool = Field(Settings.uncertainty, description="how far hyperparameters leave values open, told too")
    parties: str = ""
    min_parties: int = Field(Settings.min_parties, ge=1)
    min_rows: int = Field(Settings.min_rows, ge=1)
    max_contribution_mb: float = Field(Settings.max_contribution_mb, gt=0.0)
    join_timeout: float = Field(Settings.join_timeout, gt=0.0)
    timeout: float = Field(Settings.timeout, gt=0.0)
    seed: int = Field(Settings.seed, ge=0)
    output_dir: str = ""
    run_dir: str = ""
    resume: bool = False
    stop_after: Literal["", "valuation"] = ""
    dry_run: bool = Field(False, description="ask who is there and what they would bring, and for no data")
    schema_file: str = Field("", description="what every party's file must hold, in TOML: wire/schema.py")
    keys_dir: str = Field("", description="NAME.pub of every party; nobody else has its name")
    signing_key: str = Field("", description="the mediator's own private key, whose public half the parties have")
    retain_until: str = Field("", description="the day on which the pooled data are to be deleted, such as 2027-03-31")

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """The typed config.

        Raises
        ------
        ConfigError
            Unknown keys, wrong types, numbers out of range, names that can't be names; all of them, one a line.
        """
        try:
            return cls.model_validate(dict(mapping))
        except ValidationError as error:
            raise ConfigError("\n".join(_sentence(problem) for problem in error.errors())) from None

    @field_validator("parties")
    @classmethod
    def _names_can_be_names(cls, value: str) -> str:
        try:
            names = [check_party_name(name.strip()) for name in value.split(",") if name.strip()]
        except MessageError as error:
            raise ValueError(str(error)) from error
        if len({name.casefold() for name in names}) < len(names):
            raise ValueError(
                f"each party is listed once, and upper and lower case don't tell names apart; got {value!r}"
            )
        return value

    @field_validator(
        *("data_dir", "synthetic_file", "public_file", "generator_file", "output_dir", "run_dir"),
        *("schema_file", "keys_dir", "signing_key"),
    )
    @classmethod
    def _paths_are_absolute(cls, value: str) -> str:
        if value and not Path(value).expanduser().is_absolute():
            raise ValueError(f"write an absolute path, since the apps don't run in your directory; got {value!r}")
        return value

    @field_validator("run_dir")
    @classmethod
    def _run_can_be_named(cls, value: str) -> str:
        try:
            check_party_name(Path(value).name) if value else ""
        except MessageError:
            raise ValueError(
                "its last folder is the run's name, which every party's store has a folder of: 1 to 64 letters, "
                f"digits, dots, dashes and underscores, a letter or digit first; got {Path(value).name!r}"
            ) from None
        return value

    @field_validator("references")
    @classmethod
    def _is_some(cls, value: str | int) -> str | int:
        if isinstance(value, int) and (isinstance(value, bool) or value < 1):
            raise ValueError(f"write held-out, public or how many inputs of each party, at least 1; got {value!r}")
        return value

    @field_validator("target", "noise_column", "dataset", "partition")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        if value and not is_line(value):
            raise ValueError(f"write one line that can be printed; got {value!r}")
        return value

    @model_validator(mode="after")
    def _enough_parties(self) -> Self:
        names = self.party_names
        if names and len(names) < self.min_parties:
            raise ValueError(
                f"min-parties = {self.min_parties} can't be met by the {len(names)} listed parties {', '.join(names)}"
            )
        return self

    @field_validator("retain_until")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        try:
            return str(date.fromisoformat(value)) if value else ""
        except ValueError:
            raise ValueError(f"write a day such as 2027-03-31, got {value!r}") from None

    @model_validator(mode="after")
    def _keys_come_together(self) -> Self:
        if bool(self.keys_dir) != bool(self.signing_key):
            raise ValueError(
                "keys-dir (the parties' public keys) and signing-key (the mediator's own) come together: who checks "
                "signatures signs too"
            )
        return self

    @model_validator(mode="after")
    def _sums_are_of_rows_as_they_are(self) -> Self:
        if self.contribute == "statistics":
            if self.deduplicate:
                raise ValueError(
                    "deduplicate: statistics are sums, in which equal rows can't be told; leave it out, or take rows"
                )
            if self.noise_column:
                raise ValueError(
                    "noise-column: statistics are sums over rows of one noise variance, which is learned; leave it "
                    "out, or take rows"
                )
        return self

    @field_validator("private", mode="before")
    @classmethod
    def _are_epsilons(cls, value: object) -> str:
        texts = [] if value == "" else [text.strip() for text in str(value).split(",")]
        try:
            good = all(0.0 < float(text) <= LARGEST or float(text) == math.inf for text in texts)
        except ValueError:
            good = False
        if not good:
            raise ValueError(
                f"write an epsilon above 0 and at most {LARGEST:g}, or one a party, inf for none, such as 1,3,inf; "
                f"got {value!r}"
            )
        return ",".join(texts)

    @model_validator(mode="after")
    def _noise_is_on_sums(self) -> Self:
        if self.private and self.contribute == "rows":
            raise ValueError('private: noise is put on sums over rows: contribute = "statistics"')
        names, epsilons = self.party_names, self.private.split(",")
        if len(epsilons) > 1 and names and len(names) != len(epsilons):
            raise ValueError(
                f"private: give one epsilon, or one for each of {len(names)} parties; got {self.private!r}"
            )
        return self

    @model_validator(mode="after")
    def _one_source_of_synthetic_rows(self) -> Self:
        if self.synthetic_file and self.generator_file:
            raise ValueError("synthetic-file and generator-file both say where synthetic rows come from: give one")
        return self

    @model_validator(mode="after")
    def _what_is_limited_is_audited(self) -> Self:
        if self.max_disclosure < 1.0 and self.audit is False:
            raise ValueError(
                f"max-disclosure = {self.max_disclosure:g} is held against what the audit finds: leave out "
                "audit = false"
            )
        return self

    @property
    def party_names(self) -> tuple[str, ...]:
        return tuple(sorted(name.strip() for name in self.parties.split(",") if name.strip()))

    def build_parts(self) -> Parts:
        """The strategy and the parts it takes, each as the config names it or as the strategy has it by itself.

        Raises
        ------
        ConfigError
            A part can't be read, is not on offer, refuses its arguments, or is none of the strategy's; all of them,
            one a line.
        """
        problems: list[str] = []

        strategy: Any = None

        def make(key: str, text: str) -> Any:
            try:
                part = build(text, OFFERS[key])
            except PluginError as error:
                problems.append(f"{key}: {error}")
                return None
            except Exception as error:  # a user's own module can raise anything
                place = traceback.extract_tb(error.__traceback__)[-1]
                problems.append(
                    f"{key}: {text!r} raised {type(error).__name__}: {error} ({place.filename}, line {place.lineno})"
                )
                return None
            if key in NEEDS and not callable(getattr(part, NEEDS[key], None)):
                problems.append(f"{key}: {text!r} is a {type(part).__name__}, which has no {NEEDS[key]}()")
            return part

        strategy = make("strategy", self.strategy)
        if self.contribute == "statistics" and isinstance(strategy, Conversation):
            try:
                strategy = strategy.from_statistics()
            except ValueError as error:
                problems.append(f"contribute: {error}")
        takes: Mapping[str, str] = getattr(strategy, "parts", {})
        given = {key: getattr(self, key) for key in PART_KEYS if key != "strategy" and getattr(self, key)}
        problems += [
            f"{key}: {self.strategy} takes no {key}, got {text!r}; it takes {', '.join(takes) or 'no parts'}"
            for key, text in given.items()
            if strategy is not None and key not in takes
        ]
        texts = {key: text for key, text in {**takes, **given}.items() if text}  # some a strategy can do without
        parts = {key: make(key, text) for key, text in texts.items()}
        if strategy is not None and not isinstance(strategy, Conversation):
            problems.append(
                f"strategy: {self.strategy!r} is not one: a strategy derives from strategies.Conversation, as does "
                "strategies.PoolingMediator"
            )
        if self.generator_file and not isinstance(parts.get("generator"), ResumableGenerator):
            problems.append(
                'generator-file: name the generator that it holds too, such as generator = "MmdGan(shape=(28, 28, 1))"'
            )
        if not problems:
            try:
                strategy.check(parts, {"strategy": self.strategy, **texts})
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ConfigError("\n".join(problems))
        return Parts(strategy, parts, {"strategy": self.strategy, **texts})

    def require_disclosure(self, built: Parts) -> None:
        """Make sure that rewards which hold parties' rows were chosen aloud.

        Raises
        ------
        ConfigError
        """
        reason = getattr(built.parts.get("model"), "discloses_rows", "")
        if reason and not self.discloses_rows:
            raise ConfigError(
                f"model: {built.texts['model']!r} puts parties' rows into each other's rewards: {reason}. If that is "
                "what the parties want, say it aloud: discloses-rows = true (on a command line --set "
                "discloses-rows=true; each party confirms it in its own node config, discloses-rows=true). If not, "
                "take a model whose rewards hold weights only: BayesianLinear(features='Affine()') or "
                "SparseGaussianProcess(kernel='rbf')"
            )

    def read_schema(self) -> Schema | None:
        """The schema in the schema-file, where there is one.

        Raises
        ------
        ConfigError
        """
        if not self.schema_file:
            return None
        try:
            schema = Schema.from_toml(Path(self.schema_file).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, SchemaError) as error:
            raise ConfigError(f"schema-file: {self.schema_file}: {error}") from error
        if self.target not in ("", schema.target):
            raise ConfigError(
                f"target: the schema's target is {schema.target!r}, got {self.target!r}; leave it out here"
            )
        return schema

    def make_seal(self, run: str) -> MediatorSeal | None:
        """The keys with which the mediator signs and verifies, where it has some.

        Raises
        ------
        ConfigError
            A key can't be used, or a listed party has none.
        """
        if not self.keys_dir:
            return None
        try:
            keys = read_party_keys(Path(self.keys_dir).expanduser())
            own = read_private_key(Path(self.signing_key).expanduser())
        except KeyFileError as error:
            raise ConfigError(f"keys-dir, signing-key: {error}") from error
        missing = [name for name in self.party_names if name not in keys]
        if missing:
            raise ConfigError(f"keys-dir: {self.keys_dir} has no key of {', '.join(missing)}: NAME.pub is expected")
        return MediatorSeal(own, {name: keys[name] for name in self.party_names or keys}, run)

    def settings(self, run: str) -> Settings:
        """The protocol's part of the config."""
        own = {
            field.name: getattr(self, field.name) for field in fields(Settings) if field.name in type(self).model_fields
        }
        return Settings(**{**own, "run": run, "parties": self.party_names, "schema": self.read_schema()})

    def to_toml_dict(self) -> dict[str, Any]:
        """The flat mapping with dashed keys that ``parse`` reads."""
        return self.model_dump(by_alias=True)


def _sentence(problem: Any) -> str:
    """One pydantic problem as a line: key, what was expected, what came, how to mend it."""
    key = ".".join(str(place) for place in problem["loc"]) or "run config"
    came = problem.get("input")
    if problem["type"] == "extra_forbidden":
        known = [_dashed(name) for name in RunConfig.model_fields]
        near = difflib.get_close_matches(key, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{key}: there is no such key.{hint} The keys are: {', '.join(known)}."
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    expected = problem["msg"].removeprefix("Input should be ")
    return f"{key}: expected {expected}, got {came!r}"

"""What a small simulation costs over all its processes, against Flower's own with clients that do nothing.

Run it with ``pytest benchmarks/test_simulation_start.py -s``: minutes; processor seconds and memory, not the time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes import cost_of

ROOT = Path(__file__).parents[1]

MOST = 1.5
"""Times Flower's own, both."""

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "bare"
version = "0.1.0"
[tool.flwr.app]
publisher = "nobody"
fab-include = ["*.py"]
[tool.flwr.app.components]
serverapp = "bare_server:app"
clientapp = "bare_client:app"
[tool.flwr.app.config]
parties = 0
done = ""
"""

CLIENT = """
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()

@app.query()
def nothing(message, context):
    return Message(RecordDict(), reply_to=message)
"""

SERVER = """
import pathlib, time
from flwr.app import Message, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()

@app.main()
def main(grid, context):
    while len(nodes := list(grid.get_node_ids())) < context.run_config["parties"]:
        time.sleep(0.2)
    for _ in range(5):  # as often as a party is asked in a run
        asked = [Message(content=RecordDict(), dst_node_id=node, message_type="query") for node in nodes]
        assert len(list(grid.send_and_receive(asked))) == len(nodes)
    pathlib.Path(context.run_config["done"]).touch()
"""

LAUNCH = """
import sys
from pathlib import Path
from simulations.processes import Signals
from simulations.superlink import SuperLink

app, parties = Path(sys.argv[1]), int(sys.argv[2])
with Signals() as signals, SuperLink(signals) as superlink:
    run = superlink.submit(app, app / "run.toml", parties)
    while not (app / "done").exists():
        signals.pause(0.1)
    superlink.log(run, whole=True)
    superlink.status(run)
"""


def bare(folder: Path, parties: int) -> list[str]:
    """The command of a simulation of clients that do nothing, started and ended as ours is."""
    app = folder / "bare"
    app.mkdir()
    for name, text in (("pyproject.toml", PROJECT), ("bare_client.py", CLIENT), ("bare_server.py", SERVER)):
        (app / name).write_text(text, encoding="utf-8")
    (app / "run.toml").write_text(f'parties = {parties}\ndone = "{app / "done"}"\n', encoding="utf-8")
    return [sys.executable, "-c", LAUNCH, str(app), str(parties)]


@pytest.mark.parametrize("parties", [3])
def test_against_flower_itself(parties: int, tmp_path: Path) -> None:
    ours = [sys.executable, "-m", "simulations", "run", "diabetes", "--parties", str(parties)]
    subprocess.run([sys.executable, "-m", "compileall", "-q", "guerdon", "wire", "server"], cwd=ROOT, check=True)
    theirs = cost_of(bare(tmp_path, parties), ROOT)
    own = cost_of([*ours, "--output-dir", str(tmp_path)], ROOT)
    print(
        f"\n{parties} parties: {own.seconds:.1f} CPU s and {own.megabytes:.0f} MB; Flower with clients that do nothing "
        f"{theirs.seconds:.1f} CPU s and {theirs.megabytes:.0f} MB: {own.seconds / theirs.seconds:.2f} times, "
        f"{own.megabytes / theirs.megabytes:.2f} times"
    )
    assert own.seconds < MOST * theirs.seconds
    assert own.megabytes < MOST * theirs.megabytes

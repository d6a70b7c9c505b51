"""The command line: ``python -m simulations --help``."""

from __future__ import annotations

import sys
from pathlib import Path

# The caller's directory stands first on the search path of `python -m`: a folder `server/` or `clients/` of theirs
# would be taken for ours. Their own parts are found by name (see staging.py).
_CHECKOUT = str(Path(__file__).resolve().parents[1])
sys.path[:] = [_CHECKOUT, *(entry for entry in sys.path if Path(entry or ".").resolve() != Path.cwd())]

from simulations.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())

"""What Flower's processes are told by their environment, at a party, at the mediator and in a simulation alike."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["AS_SHELL", "LOCAL", "NO_PROXIES", "QUIET", "past_proxies"]

QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
"""Flower's programs would report to https://telemetry.flower.ai, and ask https://api.flower.ai for a newer version."""

LOCAL = ("127.0.0.1", "localhost", "::1")
"""This machine, which a proxy on another can't reach."""

NO_PROXIES = ("no_proxy", "NO_PROXY", "no_grpc_proxy")
"""Variables that list the hosts to be reached without a proxy; where both cases are set, the lower counts."""

_HERE = ",".join(LOCAL)

AS_SHELL = (
    f"export {' '.join(f'{name}={value}' for name, value in QUIET.items())} "
    f'no_proxy="{_HERE},${{no_proxy-${{NO_PROXY-}}}}"; '
    f'export NO_PROXY="{_HERE},${{NO_PROXY-$no_proxy}}" no_grpc_proxy="${{no_grpc_proxy-$no_proxy}}"'
)
"""The same as a line for a shell: what is to be reached without a proxy is kept, and this machine added."""


def past_proxies(environment: Mapping[str, str] = os.environ, *hosts: str) -> dict[str, str]:
    """The variables by which this machine itself, and ``hosts``, are reached without a proxy.

    Whatever else is to be reached without one stays as it is, and so do the proxies, through which all others are.
    """
    both = environment.get("no_proxy", environment.get("NO_PROXY", ""))
    found = {}
    for name in NO_PROXIES:
        listed = [host.strip() for host in environment.get(name, both).split(",")]
        found[name] = ",".join(dict.fromkeys([*filter(None, listed), *LOCAL, *hosts]))
    return found

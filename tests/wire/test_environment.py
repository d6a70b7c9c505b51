"""This machine is reached past every proxy, and whatever else was to be stays so."""

from __future__ import annotations

import os
import subprocess

import httpx
import pytest

from wire.environment import AS_SHELL, LOCAL, NO_PROXIES, QUIET, past_proxies

HERE = ",".join(LOCAL)


@pytest.mark.parametrize(
    ("had", "lower", "upper"),
    [
        ({}, HERE, HERE),
        ({"NO_PROXY": "a.example, b.example"}, f"a.example,b.example,{HERE}", f"a.example,b.example,{HERE}"),
        ({"no_proxy": "a.example"}, f"a.example,{HERE}", f"a.example,{HERE}"),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example"}, f"a.example,{HERE}", f"b.example,{HERE}"),
        ({"no_proxy": "", "NO_PROXY": "b.example"}, HERE, f"b.example,{HERE}"),
        ({"NO_PROXY": "*"}, f"*,{HERE}", f"*,{HERE}"),
        ({"NO_PROXY": "127.0.0.1"}, "127.0.0.1,localhost,::1", "127.0.0.1,localhost,::1"),
    ],
)
def test_what_was_listed_stays_and_this_machine_comes_in(had: dict[str, str], lower: str, upper: str) -> None:
    found = past_proxies(had)
    assert set(found) == set(NO_PROXIES)
    assert (found["no_proxy"], found["NO_PROXY"], found["no_grpc_proxy"]) == (lower, upper, lower)


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
)
def test_flowers_client_goes_to_this_machine_itself_whichever_proxy_is_set(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(variable.upper() if variable[0].isupper() else variable, "http://127.0.0.1:1")
    for name, value in past_proxies(os.environ, "127.0.0.2").items():
        monkeypatch.setenv(name, value)
    with httpx.Client() as client:
        for host in ("127.0.0.1", "127.0.0.2", "localhost", "[::1]"):
            for scheme in ("http", "https"):
                url = httpx.URL(f"{scheme}://{host}:9400/")
                assert client._transport_for_url(url) is client._transport
        through = [client._transport_for_url(httpx.URL(f"{s}://mediator.example:9443/")) for s in ("http", "https")]
        assert any(transport is not client._transport for transport in through)


@pytest.mark.parametrize("had", [{}, {"NO_PROXY": "a.example"}, {"no_proxy": "a.example", "NO_PROXY": "b.example"}])
def test_the_line_for_a_shell_does_the_same(had: dict[str, str]) -> None:
    script = f"{AS_SHELL}\nfor name in no_proxy NO_PROXY no_grpc_proxy FLWR_TELEMETRY_ENABLED; do printenv $name; done"
    environment = {"PATH": os.environ["PATH"], **had}
    done = subprocess.run(["sh", "-ec", script], env=environment, capture_output=True, text=True, check=True)
    lower, upper, grpc, telemetry = (set(filter(None, line.split(","))) for line in done.stdout.splitlines())
    wanted = past_proxies(had)
    assert (lower, upper) == (set(wanted["no_proxy"].split(",")), set(wanted["NO_PROXY"].split(",")) | (upper & lower))
    assert lower == grpc
    assert telemetry == {QUIET["FLWR_TELEMETRY_ENABLED"]}

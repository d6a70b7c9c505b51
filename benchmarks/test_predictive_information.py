"""Predictive information at 200 references against the information gain of the same coalitions, in one run.

Run it with ``pytest benchmarks --benchmark-only``, or plain ``pytest benchmarks``.
"""

from __future__ import annotations

from time import process_time

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from guerdon.models import GaussianProcess
from guerdon.types import Contribution
from guerdon.valuation import InformationGain, PredictiveInformation

PARTIES, ROWS, REFERENCES = 10, 2000, 200
AT_MOST = 2.0


def test_predictive_information(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 8))
    parties = [Contribution(str(k), part) for k, part in enumerate(np.array_split(X, PARTIES))]
    at = np.array_split(rng.normal(size=(REFERENCES, 8)), PARTIES)
    model = GaussianProcess("rbf(lengthscale=2.0, outputscale=1.0)", noise=0.1)
    times: dict[str, list[float]] = {"gain": [], "prediction": []}

    def both() -> None:
        for name, valuation in (("gain", InformationGain(model)), ("prediction", PredictiveInformation(model, at))):
            start = process_time()  # one thread each; what else the machine does is left out
            valuation.game(parties).table()  # type: ignore[attr-defined]
            times[name].append(process_time() - start)

    benchmark.pedantic(both, rounds=2)
    ratio = min(times["prediction"]) / min(times["gain"])
    benchmark.extra_info["times the cost of the information gain"] = round(ratio, 2)
    print(f"\n{PARTIES} parties, {ROWS} rows, {REFERENCES} references: {ratio:.2f} times the information gain")
    assert ratio <= AT_MOST

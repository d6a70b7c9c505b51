"""What the mediator takes for a party's embedding, and what a party takes to be asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.mean_embedding import KernelFeatures, noise_of
from guerdon.privacy import noise_multiplier
from guerdon.scaling import Scaling
from wire.kinds.embeddings import AskedEmbedding, PartyEmbedding, checked, kept_arrays
from wire.messages import MessageError

DELTA = 1e-5


def asked(frequencies: int, classes: tuple[float, ...] = ()) -> AskedEmbedding:
    return AskedEmbedding(("a", "b", "c"), Scaling.identity(3), KernelFeatures(1.0, frequencies, 1), classes)


def exact(wanted: AskedEmbedding, rows: int = 500, spread: float = 1.0) -> PartyEmbedding:
    X = spread * np.random.default_rng(0).normal(size=(rows, 3))
    y = np.resize(np.array(wanted.classes), rows) if wanted.classes else None
    found = PartyEmbedding.of("east", X, wanted.features, y, wanted.classes)
    return replace(found, feature_names=wanted.columns)


def noisy(wanted: AskedEmbedding, epsilon: float, added: float = 1.0, seed: int = 0, **of: float) -> PartyEmbedding:
    """What says that it keeps (epsilon, DELTA), with so many times the noise that it takes."""
    normal, promised = np.random.default_rng(seed).standard_normal, noise_multiplier(epsilon, DELTA)
    found = wanted.noisy(replace(exact(wanted, **of), epsilon=epsilon, delta=DELTA), added * promised, normal)  # type: ignore[arg-type]
    sigma, of_counts = noise_of(promised)
    return replace(found, noise=sigma, count_noise=of_counts)


class TestNoiseThatIsDeclared:
    def test_and_was_added_is_taken(self) -> None:
        for epsilon in (0.1, 1.0, 3.0, 10.0, 50.0):
            for frequencies in (16, 512, 4096):
                for classes in ((), (0.0, 1.0)):
                    for rows in (0, 20, 500):
                        wanted = asked(frequencies, classes)
                        sent = noisy(wanted, epsilon, rows=rows)
                        assert checked("east", kept_arrays(sent), wanted).noise == sent.noise

    def test_is_never_taken_for_missing(self) -> None:
        wanted = asked(128)
        assert not any(noisy(wanted, 1.0, seed=seed, rows=0).lacks_noise(3) for seed in range(2000))

    @pytest.mark.parametrize("rows", [100, 500, 2000])
    @pytest.mark.parametrize("frequencies", [512, 4096])
    def test_and_was_not_added_is_refused_where_it_would_be_worth_anything(self, rows: int, frequencies: int) -> None:
        """More than .03 above all that noise costs, of values of about .2."""
        refused = 0
        for classes in ((), (0.0, 1.0)):
            wanted = asked(frequencies, classes)
            for epsilon in (0.1, 0.3, 1.0, 3.0, 10.0, 50.0):
                lie = noisy(wanted, epsilon, 0.0, rows=rows)
                a = np.sqrt(lie.variance) / rows
                if 2.0 * frequencies * a**2 - 3.0 * lie.value_error < 0.03:
                    continue
                refused += 1
                for added in (0.0, 0.1):
                    with pytest.raises(MessageError, match=r"less was added, or none"):
                        checked("east", kept_arrays(noisy(wanted, epsilon, added, rows=rows)), wanted)
        assert refused

    def test_half_of_it_is_refused_at_a_small_epsilon(self) -> None:
        wanted = asked(4096)
        with pytest.raises(MessageError, match=r"less was added, or none"):
            checked("east", kept_arrays(noisy(wanted, 1.0, 0.5)), wanted)

    @pytest.mark.parametrize("change", [{"noise": 5.0, "count_noise": 1e-9}, {"count_noise": 1e-9}, {"noise": 0.1}])
    def test_and_is_not_what_the_promise_takes_is_refused(self, change: dict[str, float]) -> None:
        wanted = asked(4096)
        lie = replace(noisy(wanted, 50.0), **change)  # type: ignore[arg-type]
        with pytest.raises(MessageError, match="take noise of standard deviations"):
            checked("east", kept_arrays(lie), wanted)

    @pytest.mark.parametrize(("epsilon", "delta"), [(1e6, DELTA), (1.0, 0.0), (1.0, 1.0), (-1.0, DELTA)])
    def test_for_no_promise_is_refused(self, epsilon: float, delta: float) -> None:
        wanted = asked(512)
        with pytest.raises(MessageError, match="its promise of privacy is none"):
            checked("east", kept_arrays(replace(noisy(wanted, 1.0), epsilon=epsilon, delta=delta)), wanted)

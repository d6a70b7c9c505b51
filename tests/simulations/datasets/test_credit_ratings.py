"""The paper's own data, bit for bit, and the numbers it printed for them (Tables 9 and 10)."""

import hashlib

import numpy as np
import pytest

from guerdon.rewards import RectifiedRhoShapley, certify
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy
from simulations.datasets.credit_ratings import credit_ratings
from simulations.partitions.class_shares import SHARES

DIGESTS = {
    "equal-disjoint": "f4d3d060f2f35ec785f3eaa4743a16a2addcf4e8bacafb52c7386e350640e5b3",
    "unequal": "d39a5c6fef892fd4f899e56db40b0315b5a0e0122424d65bfe0775ed416252b6",
}
SYNTHETIC_DIGEST = "eb4327cde07a4fc2ae05fd1d8c45a3e705b0a91f54f8765bde960285bb58c877"

PRINTED = {
    "equal-disjoint": {
        "lengthscale": 0.26462850,
        "alpha": [0.41662, 0.71042, 1.0, 0.32041, 0.88063],
        "maximum": (0.535833, 5e-7),
        "rho": (0.094268, 5e-7),
        "rewards": ([0.49338, 0.51884, 0.53583, 0.48132, 0.52945], 5e-6),
    },
    "unequal": {
        "lengthscale": 0.06721989,
        "alpha": [0.99645, 1.0, 0.23313, 0.64668, 0.32083],
        "maximum": (0.0897669, 6e-8),
        "rho": (0.0075084, 5e-8),
        "rewards": ([0.089764, 0.089767, 0.088791, 0.089474, 0.089004], 5e-7),
    },
}


@pytest.mark.parametrize("split", list(DIGESTS))
class TestTheData:
    def test_bits(self, split):
        data = credit_ratings(split)
        assert hashlib.sha256(data.parties.tobytes()).hexdigest() == DIGESTS[split]
        assert hashlib.sha256(data.synthetic.tobytes()).hexdigest() == SYNTHETIC_DIGEST

    def test_fewer_rows_of_the_pool_are_its_first(self, split):
        few, all_ = credit_ratings(split, 50), credit_ratings(split, 200)
        np.testing.assert_array_equal(few.parties, all_.parties)
        np.testing.assert_array_equal(few.synthetic, all_.synthetic[:50])
        np.testing.assert_array_equal(few.synthetic_labels, all_.synthetic_labels[:50])

    def test_labels(self, split):
        data = credit_ratings(split)
        counts = np.stack([np.bincount(labels, minlength=5) for labels in data.labels])
        np.testing.assert_array_equal(counts, np.round(1000 * SHARES[split, 5]))
        for points, labels in (
            (data.parties.reshape(-1, 2), data.labels.ravel()),
            (data.synthetic, data.synthetic_labels),
        ):
            for label in range(5):
                np.testing.assert_allclose(points[labels == label].mean(axis=0), data.means[label], atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["equal-disjoint", "unequal"])
def test_the_tables_at_full_size(split):
    """Length-scale, alpha, v*, rho and r of Table 9 or 10, at |G| = 100,000: about 10 s."""
    data, printed = credit_ratings(split), PRINTED[split]
    parties = [Contribution(f"party-{i + 1}", X) for i, X in enumerate(data.parties)]
    game = MaximumMeanDiscrepancy("paper").game(parties, data.synthetic)
    assert game.lengthscale == pytest.approx(printed["lengthscale"], abs=5e-9)
    shapley = Auto()(game, rng=np.random.default_rng(0))
    np.testing.assert_allclose(shapley.alpha, printed["alpha"], atol=5e-6)
    targets = RectifiedRhoShapley("stable")(shapley, game)
    assert targets.maximum == pytest.approx(printed["maximum"][0], abs=printed["maximum"][1])
    assert targets.rho == pytest.approx(printed["rho"][0], abs=printed["rho"][1])
    np.testing.assert_allclose(targets.values, printed["rewards"][0], atol=printed["rewards"][1])
    certificate = certify(game, shapley, targets)
    assert all(certificate[name] for name in ("R1", "R2", "R3", "R4", "R5"))


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="equal-disjoint"):
        credit_ratings("equal")

"""Repeated rows, counted and removed."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.duplicates import count_duplicates, near_copies, near_copies_between, without_near_copies, without_repeats
from guerdon.types import Contribution

X = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [-0.0, 0.0]])
Y = np.array([1.0, 1.0, 1.0, 9.0, 5.0, 5.0])


def test_counts_within_and_between() -> None:
    parties = [
        Contribution("ada", X, Y),
        Contribution("bob", X[:2], Y[:2]),
        Contribution("cyn", X[:2] + 1e-12, Y[:2]),
    ]
    report = count_duplicates(parties)
    assert report.within == {"ada": 2, "bob": 0, "cyn": 0}  # the inputs and the output together; -0.0 is 0.0
    assert report.between == {("ada", "bob"): 2, ("ada", "cyn"): 0, ("bob", "cyn"): 0}
    assert report.sentences() == ["ada holds 2 repeated rows", "ada and bob share 2 identical rows"]
    assert count_duplicates(parties[1:]).sentences() == []


def test_without_outputs_the_inputs_alone_count() -> None:
    assert count_duplicates([Contribution("ada", X)]).within == {"ada": 3}


def test_the_first_of_each_stays_in_place() -> None:
    noise = np.array([1.0, 2.0, 1.0, 4.0, 5.0, 5.0])
    unique = without_repeats(Contribution("ada", X, Y, ("a", "b"), noise))
    np.testing.assert_array_equal(unique.X, X[[0, 1, 3, 4]])
    np.testing.assert_array_equal(unique.y, Y[[0, 1, 3, 4]])
    np.testing.assert_array_equal(unique.noise, noise[[0, 1, 3, 4]])
    assert unique.feature_names == ("a", "b")
    assert count_duplicates([unique]).within == {"ada": 0}
    assert without_repeats(Contribution("ada", X, Y, noise=0.5)).noise == 0.5
    assert len(without_repeats(Contribution("ada", X[:0]))) == 0


def test_rows_measured_with_other_noise_are_other_rows() -> None:
    noise = np.array([0.1, 0.1, 0.2, 0.1, 0.3, 0.3])
    ada = Contribution("ada", X, Y, noise=noise)
    assert count_duplicates([ada]).within == {"ada": 1}  # the zeros; rows 0 and 2 differ in noise
    np.testing.assert_array_equal(without_repeats(ada).noise, noise[:5])
    one = Contribution("bob", X[:1], Y[:1], noise=0.1)
    assert count_duplicates([ada, one]).between == {("ada", "bob"): 1}  # one variance for all, or one a row
    assert count_duplicates([ada, Contribution("bob", X[:1], Y[:1])]).between == {("ada", "bob"): 0}


class TestNearCopies:
    @pytest.mark.parametrize("times", [2, 5])
    def test_jittered_copies_are_found(self, times):
        X = np.random.default_rng(0).normal(size=(120, 5))
        jitter = 1e-2 * np.random.default_rng(1).normal(size=(times - 1, 120, 5))
        found = near_copies(Contribution("A", np.concatenate([X, *(X + j for j in jitter)])))
        assert found.count == pytest.approx((times - 1) * 120, rel=0.03)

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("kind", ["clusters", "heavy tails", "whole numbers", "a line"])
    def test_honest_rows_are_no_copies(self, kind, seed):
        rng = np.random.default_rng(seed)
        X = {
            "clusters": rng.normal(size=(8, 4))[rng.integers(0, 8, 300)] + 0.01 * rng.normal(size=(300, 4)),
            "heavy tails": rng.standard_t(2, size=(200, 3)),
            "whole numbers": np.round(3.0 * rng.normal(size=(300, 3))),
            "a line": rng.random((200, 1)) * np.ones(3),
        }[kind]
        assert near_copies(Contribution("A", X)).count == 0

    def test_equal_rows_are_not_near_copies(self):
        X = np.random.default_rng(0).normal(size=(60, 3))
        assert near_copies(Contribution("A", np.tile(X, (2, 1)))).count == 0

    def test_first_of_each_set_stays(self):
        X = np.random.default_rng(0).normal(size=(60, 3))
        kept = without_near_copies(Contribution("A", np.concatenate([X, X + 1e-4]), noise=np.arange(1.0, 121.0)))
        assert np.array_equal(kept.X, X)
        assert np.array_equal(kept.noise, np.arange(1.0, 61.0))

    def test_a_few_rows_tell_nothing(self):
        assert near_copies(Contribution("A", np.zeros((3, 2)))).count == 0


class TestNearCopiesBetween:
    def parties(self, jitter):
        rng = np.random.default_rng(5)
        X = rng.normal(size=(3, 60, 4)) * [1.0, 10.0, 0.1, 3.0]
        taken = X[0, :25] + jitter * X[0].std(axis=0) * rng.normal(size=(25, 4))
        return [
            Contribution("ada", X[0]),
            Contribution("bob", np.concatenate([X[1], taken])),
            Contribution("eve", X[2]),
        ]

    def test_both_sides_are_counted_and_nobody_else(self):
        found = near_copies_between(self.parties(jitter=0.002))
        assert 23 <= found["ada"] <= 26
        assert 23 <= found["bob"] <= 26
        assert found["eve"] == 0

    def test_equal_rows_are_count_duplicates_matter(self):
        assert set(near_copies_between(self.parties(jitter=0.0)).values()) == {0}

    def test_copies_of_ones_own_are_not_of_others(self):
        ada, _, eve = self.parties(jitter=0.01)
        ada = Contribution("ada", np.concatenate([ada.X, ada.X + 1e-3 * ada.X.std(axis=0)]))
        assert near_copies_between([ada, eve]) == {"ada": 0, "eve": 0}

    def test_honest_parties_have_none(self):
        found = 0
        for seed in range(20):
            rng = np.random.default_rng(seed)
            d = int(rng.integers(1, 8))
            sizes = rng.integers(20, 150, size=3)
            pool = [Contribution(name, rng.normal(size=(m, d))) for name, m in zip("abc", sizes, strict=True)]
            found += sum(near_copies_between(pool).values())
        assert found == 0

    def test_few_rows_say_nothing(self):
        assert near_copies_between([Contribution("a", [[0.0]]), Contribution("b", [[1e-9]])]) == {"a": 0, "b": 0}

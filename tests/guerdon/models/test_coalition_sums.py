"""Coalitions' gains from Gram matrices: every coalition and every prefix directly."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.linalg import LossOfPrecisionError
from guerdon.models.coalition_sums import chains_of_gains, gain, table_of_gains
from guerdon.types import FloatArray, all_coalitions, coalition_members


def parts(sizes: list[int], M: int, scale: float = 1.0) -> list[FloatArray]:
    rng = np.random.default_rng(len(sizes) + M)
    return [scale * rng.normal(size=(m, M)) for m in sizes]


def direct(P: FloatArray) -> float:
    return float(np.sum(np.log1p(np.square(np.linalg.svd(P, compute_uv=False)))) / 2)


@pytest.mark.parametrize("sizes", [[5], [3, 3], [1, 6, 2], [4, 0, 3], [0, 0], [2, 7, 1, 4, 3]], ids=str)
@pytest.mark.parametrize("M", [1, 4, 40])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_every_coalition_directly(sizes: list[int], M: int, scale: float) -> None:
    each = parts(sizes, M, scale)
    n = len(sizes)
    expected = [
        direct(np.concatenate([np.empty((0, M)), *(each[i] for i in coalition_members(k, n))])) for k in range(1 << n)
    ]
    np.testing.assert_allclose(table_of_gains(each), expected, rtol=1e-10, atol=1e-14)
    orders = np.array([np.roll(np.arange(n), k)[:: 1 - 2 * (k % 2)] for k in range(n)])
    chains = chains_of_gains(each, orders)
    assert chains.shape == (n, n + 1)
    assert np.all(chains[:, 0] == 0.0)
    np.testing.assert_allclose(
        chains[:, 1:], np.array(expected)[np.cumsum(1 << orders, axis=1)], rtol=1e-10, atol=1e-14
    )


def test_no_orders_no_chains() -> None:
    assert chains_of_gains(parts([3, 3], 2), np.empty((0, 2), dtype=int)).shape == (0, 3)


def test_few_rows_with_little_noise_are_valued_by_their_rows() -> None:
    """I + G has lost the digits of the party with one row, whose own row still has them."""
    each = [1e6 * p for p in parts([1, 6, 6], 5)]
    expected = 0.5 * np.log1p(np.sum(np.square(each[0])))
    as_wide = np.concatenate([each[0], np.zeros((9, 5))])  # as many rows as features: I + G, which loses them
    assert gain(as_wide) == pytest.approx(expected, rel=1e-14)
    with pytest.raises(LossOfPrecisionError):
        gain(1e16 * np.repeat(parts([6], 5)[0], 2, axis=1))
    assert table_of_gains(each)[1] == pytest.approx(expected, rel=1e-14)
    assert chains_of_gains(each, np.array([[0, 1, 2]]))[0, 1] == pytest.approx(expected, rel=1e-14)


def test_the_order_of_parties_only_permutes() -> None:
    each, order = parts([4, 9, 6, 3], 5), [2, 0, 3, 1]
    table, turned = table_of_gains(each), table_of_gains([each[i] for i in order])
    masks = all_coalitions(4) @ (1 << np.array(order))
    np.testing.assert_allclose(turned, table[masks], rtol=1e-13)


@pytest.mark.parametrize("M", [3, 50])
def test_progress_ends_at_the_end(M: int) -> None:
    calls: list[tuple[str, int, int]] = []
    table_of_gains(parts([2] * 7, M), progress=lambda *call: calls.append(call))
    assert calls[-1] == ("value", 128, 128)
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)

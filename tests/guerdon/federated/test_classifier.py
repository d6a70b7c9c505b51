"""The classifier: same seed, same bits; gradients as by hand; labels checked at the door."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from guerdon.federated import Recipe, check_labels, initial_weights, predict, train


def rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 90).astype(float)
    X = 10.0 * np.stack([np.cos(2.1 * y), np.sin(2.1 * y)], axis=1) + rng.normal(size=(90, 2))
    X.setflags(write=False)  # as those of a contribution are
    return X, y


def test_one_step_by_hand() -> None:
    """One row, no hidden layer: the gradient of the logits is softmax - onehot."""
    weights = {"0.weight": np.zeros((2, 1)), "0.bias": np.zeros(2)}
    after = train(weights, np.array([[3.0]]), np.array([1.0]), Recipe(batch=1, learning_rate=0.1, scale=2.0), 0)
    np.testing.assert_allclose(after["0.bias"], [-0.05, 0.05], rtol=1e-15)
    np.testing.assert_allclose(after["0.weight"], [[-0.075], [0.075]], rtol=1e-15)
    assert weights["0.bias"].tolist() == [0.0, 0.0]  # what came is left alone


def test_it_learns_and_predicts() -> None:
    X, y = rows()
    weights = initial_weights(2, (8,), 3, seed=1)
    after = train(weights, X, y, Recipe(epochs=20, scale=10.0), 4)
    assert np.mean(predict(after, X, 10.0) == y) > 0.95


def test_same_seed_same_bits_whatever_the_threads() -> None:
    X, y = rows()
    weights = initial_weights(2, (8, 4), 3, seed=1)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(train(weights, X, y, Recipe(epochs=2), 4))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    other = train(weights, X, y, Recipe(epochs=2), 5)
    for name in weights:
        assert found[0][name].dtype == np.float64
        np.testing.assert_array_equal(found[0][name], found[1][name])
    assert not np.array_equal(other["0.weight"], found[0]["0.weight"])


@pytest.mark.parametrize("wrong", [[0.0, 3.0], [-1.0, 1.0], [0.5, 1.0]])
def test_labels_that_are_no_classes(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="whole numbers from 0 to 2"):
        check_labels(np.array(wrong), 3)

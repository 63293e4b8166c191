"""The Iris split: stratified, disjoint, complete, and centred without the test set."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

import raw_nn


def sorted_rows(X, labels):
    """Return the rows of X beside their labels in an order that X alone decides."""
    rows = np.column_stack([X, labels])
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_shapes_and_shares(seed):
    X_train, Y_train, X_test, Y_test = raw_nn.load_iris_split(seed)
    assert X_train.shape == (120, 4)
    assert Y_train.shape == (120, 3)
    assert X_test.shape == (30, 4)
    assert Y_test.shape == (30, 3)
    assert_array_equal(Y_train.sum(axis=0), 40)
    assert_array_equal(Y_test.sum(axis=0), 10)


def test_labels_are_one_hot_floats():
    _, Y_train, _, Y_test = raw_nn.load_iris_split()
    for Y in (Y_train, Y_test):
        assert Y.dtype == float
        assert set(np.unique(Y)) == {0, 1}
        assert_array_equal(Y.sum(axis=1), 1)


@pytest.mark.parametrize("seed", range(3))
def test_all_of_iris_is_there_once_with_its_label_and_in_cm(seed):
    X, labels = load_iris(return_X_y=True)
    X_train, Y_train, X_test, Y_test = raw_nn.load_iris_split(seed)
    ours = np.vstack([X_train, X_test])
    ours_labels = np.vstack([Y_train, Y_test]).argmax(axis=1)
    ours += X.mean(axis=0) - ours.mean(axis=0)  # one shift for all: neither scaled
    ours = np.round(ours, 9)
    assert_allclose(
        sorted_rows(ours, ours_labels), sorted_rows(X, labels), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_centred_by_the_training_samples_alone(seed):
    X_train, _, X_test, _ = raw_nn.load_iris_split(seed)
    assert_allclose(X_train.mean(axis=0), 0, atol=1e-14)
    assert np.all(np.abs(X_test.mean(axis=0)) > 1e-4)


def test_the_seed_decides_the_split():
    default, same, other = map(raw_nn.load_iris_split, (0, 0, 1))
    for a, b, c in zip(default, same, raw_nn.load_iris_split()):
        assert_array_equal(a, b)
        assert_array_equal(a, c)
    assert not np.array_equal(default[0], other[0])


def test_another_test_size():
    X_train, Y_train, X_test, Y_test = raw_nn.load_iris_split(test_size=0.5)
    assert len(X_train) == len(X_test) == 75
    assert_array_equal(Y_train.sum(axis=0), Y_test.sum(axis=0))


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, float("nan"), None])
def test_refuses_what_is_no_seed(seed):
    message = f"^seed must be a whole number from 0 to .*, not {seed}$"
    with pytest.raises(ValueError, match=message):
        raw_nn.load_iris_split(seed)

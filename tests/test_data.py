"""The Iris split: stratified, complete, and centred by a mean that is handed on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

import raw_nn


def in_order(X, labels):
    """Return the rows of X beside their labels in an order that does not vary."""
    rows = np.column_stack([np.round(X, 9), labels])
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize(
    ("given", "train_share", "test_share"),
    [({}, 40, 10), ({"seed": 2**32 - 1}, 40, 10), ({"test_size": 0.5}, 25, 25)],
)
def test_one_hot_floats_with_equal_shares_of_the_species(
    given, train_share, test_share
):
    _, Y_train, _, Y_test, _ = raw_nn.load_iris_split(**given)
    for Y, share in ((Y_train, train_share), (Y_test, test_share)):
        assert Y.shape == (3 * share, 3)
        assert Y.dtype == float
        assert set(np.unique(Y)) == {0, 1}
        assert_array_equal(Y.sum(axis=1), 1)
        assert_array_equal(Y.sum(axis=0), share)


def test_with_the_mean_added_it_is_iris_each_flower_once_with_its_label():
    X_train, Y_train, X_test, Y_test, mean = raw_nn.load_iris_split()
    assert mean.shape == (4,)
    X = np.vstack([X_train, X_test]) + mean
    labels = np.vstack([Y_train, Y_test]).argmax(axis=1)
    assert_allclose(in_order(X, labels), in_order(*load_iris(return_X_y=True)))


@pytest.mark.parametrize("seed", range(3))
def test_centred_by_the_training_samples_alone(seed):
    X_train, _, X_test, _, _ = raw_nn.load_iris_split(seed)
    assert_allclose(X_train.mean(axis=0), 0, atol=1e-14)
    assert np.all(np.abs(X_test.mean(axis=0)) > 1e-4)


def test_a_new_flower_is_classified_in_cm_less_the_mean():
    X, Y, _, _, mean = raw_nn.load_iris_split()
    rng = np.random.default_rng(1)
    params = raw_nn.init_params(rng, 4, 20, 3)
    raw_nn.train(params, X, Y, rng)
    setosa, virginica = [5.1, 3.5, 1.4, 0.2], [6.7, 3.1, 5.6, 2.3]
    assert_array_equal(raw_nn.predict([setosa, virginica] - mean, params), [0, 2])


def test_the_seed_decides_the_split_and_is_1_by_default():
    first, other, default = map(raw_nn.load_iris_split, (1, 0, 1))
    for a, b, c in zip(first, default, raw_nn.load_iris_split()):
        assert_array_equal(a, b)
        assert_array_equal(a, c)
    assert not np.array_equal(first[0], other[0])

"""Measure the figures that the README's sentences give: python tests/measure_claims.py [NAME ...]

Each function below its heading is one claim: its docstring says what is measured, and it
returns the figures. They are printed, one claim a line, and kept in measured.json, from
where the tests of the README take them. All take some minutes; measure_tables.py has to
be run first. With names, only these are measured.
"""

import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice

import measure_tables as tables
import numpy as np
from measure_tables import (
    MASK,
    N_TEST,
    N_TRAIN,
    STANDARDIZED,
    UPDATE,
    ZERO,
    column,
    load,
)
from scipy.stats import chi2
from sklearn.datasets import load_iris, load_wine
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

RELU = ("return np.maximum(h, 0.0)", "return h")
CENTRED = STANDARDIZED[0]
SPECIES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
nn = load()


def sig(number, digits=3):
    """Return a number rounded to some significant digits."""
    return float(f"{number:.{digits}g}")


def mean_error(values, digits=2):
    """Return the mean of values with its standard error, as a text."""
    error = tables.standard_error(np.asarray(values, float))
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"


def over_seeds(function, n_seeds=1000):
    """Return what a function gives for each of the seeds, as an array."""
    with ProcessPoolExecutor(initializer=threadpool_limits, initargs=(1,)) as pool:
        return np.array(list(pool.map(function, range(n_seeds), chunksize=10)))


def start(seed=1):
    """Return what the command has before its first step: X, Y, params, rng."""
    X, Y, _, _, _ = nn.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    return X, Y, nn.init_params(rng, 4, 20, 3), rng


def gradient(module, X, Y, params):
    """Return the gradient as one vector."""
    slopes = module.backward(X, Y, module.forward(X, params), params)
    return np.concatenate([slope.ravel() for slope in slopes])


def loss_of(X, Y, params):
    """Return the loss, a sum."""
    return nn.nll_loss(nn.forward(X, params).log_P, Y)


def copy(params):
    """Return a copy of params, since train changes them in place."""
    return nn.Params(*(theta.copy() for theta in params))


def test_accuracy(edits, flags, seed):
    """Return the test accuracy, in percent, of an edited script's run."""
    module = load(*edits)
    params, (_, _, X_test, Y_test) = tables.train(module, seed, flags)
    return 100 * module.accuracy(X_test, Y_test, params)


# ---- The runs as a whole ----


def start_losses(seed):
    X, Y, params, _ = start(seed)
    return loss_of(X, Y, params) / len(X)


def initial_loss():
    """The mean loss of the training flowers at the initial weights, over 1,000 runs."""
    losses = over_seeds(start_losses)
    low, high = np.quantile(losses, [0.05, 0.95])
    return {
        "mean": sig(losses.mean()),
        "5 %": sig(low),
        "95 %": sig(high),
        "ln 3": sig(np.log(3), 5),
    }


def default_run():
    """Where the run of seed 1 lies among the default runs of 1,000 seeds."""
    rows = tables.read()["rows"]
    right, loss = column("", "right", rows), column("", "loss", rows)
    return {
        "training loss of seed 1": loss[1],
        "share of seeds with a smaller loss, %": sig(100 * np.mean(loss < loss[1])),
        "mean training loss": sig(loss.mean()),
        "right of seed 1": right[1],
        "fewer right, %": sig(100 * np.mean(right < right[1])),
        "as many, %": sig(100 * np.mean(right == right[1])),
        "more, %": sig(100 * np.mean(right > right[1])),
        "mean right": sig(right.mean(), 4),
    }


def lda_lead():
    """LDA's accuracy minus raw_nn's, paired, in points, and two standard errors.

    The plain one takes the 1,000 splits as independent. They overlap, so the corrected
    one (Nadeau and Bengio 2003) is the root of variance * (1 / splits + 30 / 120).
    """
    rows = tables.read()["rows"]
    ours, theirs = (
        100 * column(trial, "right", rows) / N_TEST
        for trial in ("", "LinearDiscriminantAnalysis")
    )
    gain = theirs - ours
    corrected = gain.std(ddof=1) * np.sqrt(1 / len(gain) + N_TEST / N_TRAIN)
    return {
        "points": sig(gain.mean()),
        "plain error": sig(tables.standard_error(gain), 2),
        "corrected error": sig(corrected, 2),
        "flowers of 150": sig(1.5 * gain.mean()),
    }


def other_flowers():
    """The standard error of an accuracy p on 150 other flowers: sqrt(p (1 - p) / 150)."""
    p = column("", "right", tables.read()["rows"]).mean() / N_TEST
    return {"p": sig(p, 4), "points": sig(100 * np.sqrt(p * (1 - p) / 150))}


def box_m():
    """Box's M test: have the three species of Iris one common covariance matrix?"""
    X, labels = load_iris(return_X_y=True)
    groups = [X[labels == label] for label in range(3)]
    k, p, free = len(groups), X.shape[1], np.array([len(g) - 1 for g in groups])
    covariances = [np.cov(group.T) for group in groups]
    pooled = sum(f * S for f, S in zip(free, covariances)) / free.sum()
    M = free.sum() * np.log(np.linalg.det(pooled))
    M -= sum(f * np.log(np.linalg.det(S)) for f, S in zip(free, covariances))
    c = (1 / free).sum() - 1 / free.sum()
    c *= (2 * p**2 + 3 * p - 1) / (6 * (p + 1) * (k - 1))
    degrees = p * (p + 1) * (k - 1) // 2
    return {"chi2": sig(M * (1 - c)), "p": sig(chi2.sf(M * (1 - c), degrees), 2)}


def same_mlp(seed):
    X, Y, params, rng = start(seed)
    batches = list(islice(nn.minibatches(rng, X, Y, 8), 1000))
    warnings.simplefilter("ignore")
    mlp = tables.train_mlp(X, Y.argmax(axis=1), batches, seed, copy(params))
    for X_batch, Y_batch in batches:
        nn.sgd_step(params, X_batch, Y_batch, 0.003)
    theirs = (mlp.coefs_[0], mlp.intercepts_[0], mlp.coefs_[1], mlp.intercepts_[1])
    return max(np.abs(a - b).max() for a, b in zip(params, theirs))


def mlp_from_our_weights():
    """MLPClassifier from our initial weights, on our batches: largest gap after 1,000 steps.

    Over 20 seeds. (The table's row has its own weights.)
    """
    return {"largest difference of a parameter": sig(over_seeds(same_mlp, 20).max(), 2)}


# ---- Standardizing ----


def features():
    """Each feature's standard deviation in cm, and the F statistic of its species means."""
    X, labels = load_iris(return_X_y=True)
    F, _ = f_classif(X, labels)
    return {
        name: f"std {std:.2f} cm, F {f:.0f}"
        for name, std, f in zip(FEATURES, X.std(axis=0), F)
    }


def standardize(which):
    """Return the edit that divides only some features by their standard deviation."""
    std = f"std = np.where({which}, X_train.std(axis=0), 1.0)"
    return (CENTRED, f"{std}; {STANDARDIZED[1].split('; ')[1]}")


def standardizing_some():
    """Test accuracy with only some features standardized, minus that with none, paired.

    In points, over 1,000 seeds; the others are centred.
    """
    right = column("", "right", tables.read()["rows"])
    figures = {}
    for name, which in (
        ("only sepal length", [True, False, False, False]),
        ("only sepal width", [False, True, False, False]),
        ("only petal length", [False, False, True, False]),
        ("only petal width", [False, False, False, True]),
        ("all but sepal length", [False, True, True, True]),
        ("all but sepal width", [True, False, True, True]),
        ("all but petal length", [True, True, False, True]),
        ("all but petal width", [True, True, True, False]),
        ("all", [True] * 4),
    ):
        scores = over_seeds(partial(test_accuracy, (standardize(which),), ""))
        figures[name] = mean_error(scores - 100 * right / N_TEST)
    return figures


# ---- Few hidden units ----


def shut_flowers(seed):
    """Share of the training flowers of each species for which no unit is open; right."""
    return shut_after("--hidden 1", seed)


def shut_after(flags, seed):
    params, (X, Y, X_test, Y_test) = tables.train(nn, seed, flags)
    shut = ~(nn.forward(X, params).h1 > 0).any(axis=1)
    shares = [shut[Y[:, j] == 1].mean() for j in range(3)]
    return [*shares, shut.mean(), nn.accuracy(X_test, Y_test, params)]


def one_hidden_unit():
    """--hidden 1: the share of training flowers for which the unit is shut at the end.

    The mean over 1,000 runs, of each species and of all; and how often the unit is shut
    for nearly all flowers (95 %) of a species.
    """
    runs = over_seeds(shut_flowers)
    shut = runs[:, :3] > 0.95
    figures = {
        f"{name} shut, %": sig(100 * x)
        for name, x in zip((*SPECIES, "all"), runs.mean(axis=0))
    }
    figures["all shut, median run, %"] = sig(100 * np.median(runs[:, 3]))
    for n in range(4):
        here = shut.sum(axis=1) == n
        figures[f"runs shut for {n} species, %"] = sig(100 * here.mean())
        if here.any():
            accuracy = sig(100 * runs[here, 4].mean())
            figures[f"their test accuracy, {n} species, %"] = accuracy
    return figures


def one_linear_unit():
    """Test accuracy in percent of one hidden unit without ReLU, and of ReLU trained longer.

    The linear unit over 1,000 seeds; 20,000 steps over 200 seeds.
    """
    linear = (RELU, MASK)
    longer = "--hidden 1 --steps 20000"
    return {
        "linear, 1,000 steps": mean_error(
            over_seeds(partial(test_accuracy, linear, "--hidden 1"))
        ),
        "ReLU, 20,000 steps": mean_error(
            over_seeds(partial(test_accuracy, (), longer), 200)
        ),
        "linear, 20,000 steps": mean_error(
            over_seeds(partial(test_accuracy, linear, longer), 200)
        ),
    }


def one_unit_longer():
    """--hidden 1 after 20,000 steps, over 200 seeds: for how many species is it shut.

    Shut for a species means for more than 95 % of its training flowers.
    """
    runs = over_seeds(partial(shut_after, "--hidden 1 --steps 20000"), 200)
    shut = (runs[:, :3] > 0.95).sum(axis=1)
    figures = {"seeds": len(runs), "test accuracy": mean_error(100 * runs[:, 4])}
    for name, here in (("at most one", shut <= 1), ("two or three", shut > 1)):
        figures[f"{name} species, % of runs"] = sig(100 * here.mean())
        figures[f"{name} species, test accuracy, %"] = sig(100 * runs[here, 4].mean())
    return figures


def few_units():
    """--hidden 1 and --hidden 2: how many test flowers are right, in percent of the runs."""
    rows = tables.read()["rows"]
    return {
        f"--hidden {n}, {low} or more right, %": sig(
            100 * np.mean(column(f"--hidden {n}", "right", rows) >= low)
        )
        for n in (1, 2)
        for low in (20, 25, 27, 28, 29)
    }


# ---- Learning rate and batch size ----


def high_rate_run(seed):
    params, (X, Y, X_test, Y_test) = tables.train(nn, seed, "--learning-rate 0.3")
    right = nn.accuracy(X_test, Y_test, params)
    shut = ~(nn.forward(X, params).h1 > 0).any(axis=1)
    later = still = np.nan
    others = shut & (Y[:, 0] == 0)
    if others.any():
        slopes = gradient(nn, X[others], Y[others], params)[:100]  # those of W1 and b1
        later = np.abs(slopes).max()
        rng = np.random.default_rng(seed)
        nn.train(params, X, Y, rng, learning_rate=0.3, steps=4000)
        still = np.mean(~(nn.forward(X[others], params).h1 > 0).any(axis=1))
    shares = [shut[Y[:, j] == 1].mean() for j in range(3)]
    return [right, *shares, later, still]


def high_rate():
    """--learning-rate 0.3: which flowers have all 20 units shut at the end.

    In the runs with at most 70 % right, and in the others. Then the gradient of W1 and b1
    from the versicolor and virginica flowers that have all units shut, and the share of
    these that are shut still after 4,000 more steps. Over 1,000 seeds.
    """
    rows = tables.read()["rows"]
    loss = column("--learning-rate 0.3", "loss", rows)
    runs = over_seeds(high_rate_run)
    bad = runs[:, 0] <= 0.7
    figures = {
        "diverged, %": sig(100 * np.mean(np.isnan(loss))),
        "median loss": sig(np.nanmedian(loss)),
        "mean loss": sig(np.nanmean(loss)),
        "90 % quantile of loss": sig(np.nanquantile(loss, 0.9)),
        "runs with at most 70 % right, %": sig(100 * bad.mean()),
        "with at most 40 %, %": sig(100 * np.mean(runs[:, 0] <= 0.4)),
        "with at least 90 %, %": sig(100 * np.mean(runs[:, 0] >= 0.9)),
    }
    for name, which in (("bad runs", bad), ("others", ~bad)):
        for j, species in enumerate(SPECIES):
            share = sig(100 * runs[which, 1 + j].mean())
            figures[f"{name}: {species} shut, %"] = share
        both = (runs[which, 2:4] > 0.9).all(axis=1)
        figures[f"{name}: over 90 % of both shut, %"] = sig(100 * both.mean())
    figures["largest slope of W1, b1 from shut flowers"] = np.nanmax(runs[:, 4])
    figures["shut still after 4,000 more steps, %"] = sig(100 * np.nanmean(runs[:, 5]))
    figures["the same in bad runs, %"] = sig(100 * np.nanmean(runs[bad, 5]))
    return figures


def batch_norms(seed):
    X, Y, params, rng = start(seed)
    trained = copy(params)
    nn.train(trained, X, Y, rng)
    norms = []
    for theta in (params, trained):
        for size in (8, 16):
            batches = islice(
                nn.minibatches(rng, X[:112], Y[:112], size), 112 // size * 5
            )
            slopes = [np.linalg.norm(gradient(nn, *batch, theta)) for batch in batches]
            norms.append(np.mean(slopes))
    return norms


def batch_of_16():
    """The mean length of a step with 16 flowers, over that with 8, at the same weights.

    At the initial weights and after 1,000 steps, over 1,000 seeds.
    """
    norms = over_seeds(batch_norms).mean(axis=0)
    return {"start": sig(norms[1] / norms[0]), "end": sig(norms[3] / norms[2])}


def epoch_sum():
    """The gradients of an epoch's 15 batches at fixed weights, added up, seed 1.

    The largest difference from the gradient of all 120, relative to its largest entry.
    """
    X, Y, params, rng = start()
    batches = list(islice(nn.minibatches(rng, X, Y, 8), 15))
    added = sum(gradient(nn, *batch, params) for batch in batches)
    whole = gradient(nn, X, Y, params)
    return {"difference": sig(np.abs(added - whole).max() / np.abs(whole).max(), 2)}


def descent():
    """How far the loss falls in one step, over what the first order says: rate * |g|^2.

    At the initial weights of seed 1: a step for all 120 flowers, and for the first batch.
    """
    X, Y, params, rng = start()
    first = next(nn.minibatches(rng, X, Y, 8))
    figures = {}
    for name, (inputs, labels) in (("all 120", (X, Y)), ("first batch", first)):
        slopes = nn.backward(inputs, labels, nn.forward(inputs, params), params)
        square = sum((slope**2).sum() for slope in slopes)
        before = loss_of(inputs, labels, params)
        figures[f"{name}: loss"] = sig(before, 4)
        figures[f"{name}: |g|^2"] = sig(square, 4)
        for rate in (1e-6, 1e-5, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3):
            there = nn.Params(*(a - rate * b for a, b in zip(params, slopes)))
            fall = before - loss_of(inputs, labels, there)
            figures[f"{name}: {rate:g}"] = sig(fall / (rate * square))
    return figures


# ---- The gradient, and wrong ones ----


def angle(a, b):
    """Return the angle between two vectors in degrees."""
    return np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def angles(data, learner, checks, seed):
    """Train with the gradient of learner; compare both gradients at the steps checks.

    Returns for each: the angle between the whole gradients, that between their parts for
    W1 and b1, and the share of pairs of a sample and a unit that are open.
    """
    if data == "Iris":
        X, Y, params, rng = start(seed)
        batches = nn.minibatches(rng, X, Y, 8)
    else:
        X, Y, params, rng = spiral(seed)
        batches = nn.minibatches(rng, X, Y, 300)
    found, first = [], params.W1.size + params.b1.size
    for step in range(max(checks) + 1):
        if step in checks:
            right, wrong = (gradient(load(*e), X, Y, params) for e in ((), (MASK,)))
            is_open = nn.forward(X, params).h1 > 0
            found.append(angle(right, wrong))
            found.append(angle(right[:first], wrong[:first]))
            found.append(100 * is_open.mean())
        load(*learner).sgd_step(params, *next(batches), 0.003)
    return found


def mean_angles(data, learner, checks, n_seeds):
    """Return the means of what angles finds, by name."""
    means = over_seeds(partial(angles, data, learner, checks), n_seeds).mean(axis=0)
    names = (
        f"{what}, step {step:,}"
        for step in checks
        for what in ("degrees", "degrees of W1 and b1", "open in %")
    )
    return dict(zip(names, map(sig, means)))


def angle_without_mask():
    """The angle between the gradients with and without the mask, on all training flowers.

    Along the default training (with the mask), mean over 100 seeds; and the share of
    pairs of a flower and a unit that are open.
    """
    return mean_angles("Iris", (), (0, 100, 1000), 100)


def angle_in_training_without_mask():
    """The same along a training without the mask."""
    return mean_angles("Iris", (MASK,), (0, 100, 1000), 100)


def angle_on_the_spiral():
    """The same on the spiral, in a training with the mask, mean over 20 seeds."""
    return mean_angles("spiral", (), (0, 100, 1000, 2000), 20)


def angle_on_the_spiral_without_mask():
    """The same on the spiral, in a training without the mask, mean over 20 seeds."""
    return mean_angles("spiral", (MASK,), (0, 100, 1000, 2000), 20)


def kink():
    """Where every h1 is exactly 0: what the slope that is taken there decides.

    W1 is 0 at the start, W2 random. Test accuracy in percent and the largest |b1| after
    training, over 100 seeds, with the mask h1 > 0 (slope 0) and h1 >= 0 (slope 1). Then
    with all weights 0.
    """
    zero_W1 = ("W1 = xavier_uniform(rng, n_in, n_hidden)", "W1 = np.zeros((4, 20))")
    figures = {}
    for weights, name in ((zero_W1, "W1 of 0"), (ZERO, "all weights 0")):
        for mask in (">", ">="):
            edits = (weights, ("(h1 > 0.0)", f"(h1 {mask} 0.0)"))
            runs = over_seeds(partial(kink_run, edits), 100)
            accuracy, b1 = runs.mean(axis=0)
            figures[f"{name}, {mask}: right, %"] = sig(accuracy)
            figures[f"{name}, {mask}: largest |b1|"] = sig(b1)
    return figures


def kink_run(edits, seed):
    module = load(*edits)
    params, (_, _, X_test, Y_test) = tables.train(module, seed)
    return 100 * module.accuracy(X_test, Y_test, params), np.abs(params.b1).max()


def new_array():
    """`theta = theta - ...` at seed 1: what the check says, and what is right after it."""
    module = load(UPDATE)
    X, Y, params, _ = start()
    small = module.init_params(np.random.default_rng(1), 4, 10, 3)
    trained, (X, Y, X_test, Y_test) = tables.train(module, 1)
    return {
        "check": module.check_gradient(X[:8], Y[:8], small),
        "changed parameters": int(sum((a != b).sum() for a, b in zip(params, trained))),
        "training right, %": sig(100 * module.accuracy(X, Y, trained)),
        "test right, %": sig(100 * module.accuracy(X_test, Y_test, trained)),
        "training loss": sig(tables.mean_loss(module, X, Y, trained), 4),
    }


def worst_gap(n, n_hidden, epsilon, seed):
    """Return the largest error of numeric_gradient relative to its largest entry."""
    X, Y, _, _, _ = nn.load_iris_split(seed)
    X, Y = X[:n], Y[:n]
    params = nn.init_params(np.random.default_rng(seed), 4, n_hidden, 3)
    measured = nn.numeric_gradient(X, Y, params, epsilon)
    measured = np.concatenate([slope.ravel() for slope in measured])
    return np.abs(measured - gradient(nn, X, Y, params)).max() / np.abs(measured).max()


def epsilons():
    """The largest error of the numeric gradient for each epsilon, in seed 1's check.

    Relative to the largest entry: 8 flowers, 10 hidden units.
    """
    return {
        f"{epsilon:g}": sig(worst_gap(8, 10, epsilon, 1), 2)
        for epsilon in 10.0 ** np.arange(-1, -13, -1)
    }


def epsilons_over_seeds():
    """The same over 1,000 seeds: the worst, and how often the check would say WRONG.

    WRONG is an error above 1e-6: here for some one of the four parameters.
    """
    figures = {}
    for n, n_hidden, epsilon in (
        (8, 10, 1e-6),
        (8, 10, 1e-4),
        (120, 20, 1e-6),
        (120, 20, 1e-4),
    ):
        gaps = over_seeds(partial(worst_gap, n, n_hidden, epsilon))
        name = f"{n} flowers, {n_hidden} units, {epsilon:g}"
        figures[f"{name}: worst"] = sig(gaps.max(), 2)
        figures[f"{name}: WRONG, %"] = sig(100 * np.mean(gaps > 1e-6))
    return figures


# ---- Initial weights, softmax, and the mean ----


def signal_ratios(seed):
    X, Y, params, _ = start(seed)
    _, a1, _, P, _ = nn.forward(X, params)
    h1, h2 = X @ params.W1, a1 @ params.W2
    dL_dh2 = P - Y
    dL_da1 = dL_dh2 @ params.W2.T
    dL_dh1 = dL_da1 * (h1 > 0)
    dL_dX = dL_dh1 @ params.W1.T
    names = (X, h1, a1, h2, dL_dh2, dL_da1, dL_dh1, dL_dX)
    return [(values**2).mean() for values in names]


def xavier():
    """What Xavier's variance 2 / (in + out) makes of mean squares, expected and measured.

    In the 4-20-3 network at the initial weights, on all 120 flowers: a layer multiplies
    the mean square of its inputs by in * variance on the way forward, and that of the
    gradient by out * variance on the way back. Ratios of means over 1,000 seeds.
    """
    X, h1, a1, h2, d_h2, d_a1, d_h1, d_X = over_seeds(signal_ratios).mean(axis=0)
    v1, v2 = 2 / (4 + 20), 2 / (20 + 3)
    ratios = {
        "layer 1 forward": (4 * v1, h1 / X),
        "layer 2 forward": (20 * v2, h2 / a1),
        "layer 2 back": (3 * v2, d_a1 / d_h2),
        "layer 1 back": (20 * v1, d_X / d_h1),
        "ReLU forward": (0.5, a1 / h1),
        "ReLU back": (0.5, d_h1 / d_a1),
    }
    return {
        name: f"expected {expected:.3f}, measured {measured:.3f}"
        for name, (expected, measured) in ratios.items()
    }


def naive_softmax():
    """What the formulas taken literally give for the logits (0, 800, 0), and our lines.

    p = exp(h) / sum, loss = -sum(y log p), for a true class 1 (the network is right), and
    for a true class 0 (it is wrong). Then the limits.
    """
    h, figures = np.array([[0.0, 800.0, 0.0]]), {}
    with np.errstate(all="ignore"):
        naive = np.exp(h) / np.exp(h).sum()
        figures["naive p"] = str(naive[0].tolist())
        figures["our p"] = str(nn.softmax(h)[0][0].tolist())
        for true in (1, 0):
            Y = np.eye(3)[[true]]
            figures[f"true {true}: naive loss"] = str(-(Y * np.log(naive)).sum())
            exact = nn.softmax(h)[0]
            late = str(-(Y * np.log(exact)).sum())
            figures[f"true {true}: loss from the log of our p"] = late
            figures[f"true {true}: our loss"] = str(nn.nll_loss(nn.softmax(h)[1], Y))
        far = nn.softmax(np.array([[-1e308, 1e308]]))
        figures["logits 2e308 apart: log_P"] = str(far[1][0].tolist())
        sure = nn.softmax(np.array([[0.0, 36.0], [0.0, 37.0]]))[1]
        figures["loss of a class sure by 36 and by 37"] = str((-sure[:, 1]).tolist())
    figures["largest h with a finite exp"] = sig(np.log(np.finfo(float).max), 6)
    return figures


def uncentred(seed):
    params, _ = tables.train(nn, seed)
    X, labels = load_iris(return_X_y=True)
    return np.mean(nn.predict(X, params) == labels)


def without_mean():
    """Predictions for flowers from which mean is not subtracted.

    The share of Iris that is right, over 1,000 seeds; and the probabilities of seed 1 for
    a flower of 5.1, 3.5, 1.4, 0.2 cm (setosa) with and without.
    """
    shares = over_seeds(uncentred)
    params, _ = tables.train(nn, 1)
    mean = nn.load_iris_split(1)[4]
    flower = np.array([5.1, 3.5, 1.4, 0.2])
    return {
        "right, mean %": sig(100 * shares.mean()),
        "right, median %": sig(100 * np.median(shares)),
        "runs with exactly 1/3 right, %": sig(100 * np.mean(shares == 1 / 3)),
        "setosa minus mean": str(nn.forward(flower - mean, params).P.round(3).tolist()),
        "setosa as it is": str(nn.forward(flower, params).P.round(3).tolist()),
        "mean of seed 1": str(mean.round(3).tolist()),
    }


# ---- Other data ----


def spiral(seed):
    """Return X (300, 2), Y (300, 3), initial params and rng, as the README's block."""
    rng = np.random.default_rng(seed)
    arm = np.repeat([0, 1, 2], 100)
    t = np.tile(np.linspace(0, 1, 100), 3)
    turn = 4 * t + 2 * np.pi / 3 * arm + 0.2 * rng.standard_normal(300)
    X = np.column_stack([t * np.sin(turn), t * np.cos(turn)])
    return X, np.eye(3)[arm], nn.init_params(rng, 2, 100, 3), rng


def spiral_scores(seed):
    scores = []
    for edits in ((), (MASK,)):
        X, Y, params, rng = spiral(seed)
        load(*edits).train(params, X, Y, rng, batch_size=300, steps=2000)
        scores.append(100 * nn.accuracy(X, Y, params))
    labels = Y.argmax(axis=1)
    scores.append(100 * LogisticRegression(C=1e6).fit(X, labels).score(X, labels))
    scores.append(100 * LogisticRegression().fit(X, labels).score(X, labels))
    return scores


def on_the_spiral():
    """Training accuracy in percent on the spiral, over 20 seeds, and of seed 1.

    100 hidden units, batches of all 300 points, rate 0.003, 2,000 steps; with the mask,
    without it, and logistic regression (a linear model) with C = 1e6 and C = 1.
    """
    runs = over_seeds(spiral_scores, 20)
    names = ("with the mask", "without", "linear, C = 1e6", "linear, C = 1")
    return {
        name: f"mean {values.mean():.1f}, {values.min():.1f} to {values.max():.1f}; "
        f"seed 1 {values[1]:.1f}"
        for name, values in zip(names, runs.T)
    }


def wine_run(prepare, rate, seed):
    """Return the test accuracy on wine in percent, and the share of wines, all units shut."""
    X, labels = load_wine(return_X_y=True)
    X, X_test, labels, test_labels = train_test_split(
        X, labels, test_size=0.2, stratify=labels, random_state=seed
    )
    mean, std = X.mean(axis=0), X.std(axis=0)
    shift = 0 if prepare == "as it is" else mean
    scale = std if prepare == "standardized" else 1
    X, X_test = (X - shift) / scale, (X_test - shift) / scale
    rng = np.random.default_rng(seed)
    params = nn.init_params(rng, 13, 20, 3)
    try:
        nn.train(params, X, np.eye(3)[labels], rng, learning_rate=rate)
    except FloatingPointError:
        return np.nan, np.nan
    shut = ~(nn.forward(X, params).h1 > 0).any(axis=1)
    right = nn.accuracy(X_test, np.eye(3)[test_labels], params)
    return 100 * right, 100 * shut.mean()


def wine():
    """Test accuracy in percent on wine, 13 features of different units.

    Default settings but for the rate; seed 1, and over 100 seeds: mean of the runs that
    end, and how many diverge; then the share of training wines with all units shut.
    """
    figures = {}
    for prepare, rate in (
        ("as it is", 0.003),
        ("centred", 0.003),
        ("standardized", 0.003),
        ("as it is", 1e-6),
        ("centred", 1e-4),
        ("centred", 1e-5),
        ("centred", 1e-6),
        ("centred", 1e-7),
    ):
        scores, shut = over_seeds(partial(wine_run, prepare, rate), 100).T
        one = "diverges" if np.isnan(scores[1]) else f"{scores[1]:.1f}"
        lost = np.isnan(scores).sum()
        ended = f"mean {np.nanmean(scores):.1f}" if lost < 100 else "no mean"
        figures[f"{prepare}, rate {rate:g}"] = (
            f"seed 1 {one}; {ended}, {lost} of 100 diverge"
        )
        if lost < 100:
            share = sig(np.nanmean(shut))
            figures[f"{prepare}, rate {rate:g}: all units shut, %"] = share
    return figures


CLAIMS = (
    initial_loss,
    default_run,
    lda_lead,
    other_flowers,
    box_m,
    mlp_from_our_weights,
    features,
    standardizing_some,
    one_hidden_unit,
    one_linear_unit,
    one_unit_longer,
    few_units,
    high_rate,
    batch_of_16,
    epoch_sum,
    descent,
    angle_without_mask,
    angle_in_training_without_mask,
    angle_on_the_spiral,
    angle_on_the_spiral_without_mask,
    kink,
    new_array,
    epsilons,
    epsilons_over_seeds,
    xavier,
    naive_softmax,
    without_mean,
    on_the_spiral,
    wine,
)


def main():
    names = sys.argv[1:] or [claim.__name__ for claim in CLAIMS]
    for claim in CLAIMS:
        if claim.__name__ in names:
            figures = claim()
            kept = tables.read()["claims"] | {claim.__name__: figures}
            order = [c.__name__ for c in CLAIMS if c.__name__ in kept]
            tables.write("claims", {name: kept[name] for name in order})
            text = "; ".join(f"{name}: {value}" for name, value in figures.items())
            print(f"{claim.__name__}: {text}", flush=True)


if __name__ == "__main__":
    main()

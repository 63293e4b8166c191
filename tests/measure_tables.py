"""Measure the README's two tables: python tests/measure_tables.py [--check]

A row is measured over the seeds 0 to 999. A seed decides the split, the initial weights
and the batches, as --seed does. What each seed gave goes to measured.json, and the
tables are made from that file alone. With --check nothing is written: all is measured
again and compared with the file. Either takes some minutes. (On another processor the
runs of CHAOTIC come out differently: it is compared, but not failed.)
"""

import argparse
import json
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
import sklearn
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

TESTS = Path(__file__).parent
SCRIPT = TESTS.parent / "raw_nn.py"
MEASURED = TESTS / "measured.json"
SEEDS = range(1000)
N_TEST, N_TRAIN = 30, 120

# Edits of raw_nn.py: what stands there once, and what is to stand there.
MASK = ("dL_da1 * (h1 > 0.0)", "dL_da1")
ZERO = ("rng.uniform(-bound, bound, size=(n_in, n_out))", "np.zeros((n_in, n_out))")
UPDATE = ("theta -= ", "theta = theta - ")
AS_THEY_ARE = ("mean = X_train.mean(axis=0)", "mean = 0")
CENTRED = "return X_train - mean, Y_train, X_test - mean, Y_test, mean"
SCALED = "return (X_train - mean) / std, Y_train, (X_test - mean) / std, Y_test, mean"
STANDARDIZED = (CENTRED, f"std = X_train.std(axis=0); {SCALED}")

RESULTS = {  # the rows of the first table: what is measured, and what it is called
    "": "**raw_nn** (features centred)",
    AS_THEY_ARE: "raw_nn, features as they are",
    STANDARDIZED: "raw_nn, features standardized",
    "MLPClassifier": "`MLPClassifier`, same hyperparameters",
    "LogisticRegression": "`LogisticRegression`, C = 1",
    "LinearDiscriminantAnalysis": "`LinearDiscriminantAnalysis`",
}
EXPERIMENTS = {  # the rows of the second table
    "": "`python raw_nn.py`",
    MASK: "the mask left out: `{}` → `{}`".format(*MASK),
    UPDATE: "a new array for each step: `{}` → `{}`".format(*UPDATE),
    ZERO: "weights of zero: `{}` → `{}`".format(*ZERO),
    "--learning-rate 0.03": "`--learning-rate 0.03`",
    "--learning-rate 0.3": "`--learning-rate 0.3`",
    "--hidden 1": "`--hidden 1`",
    "--hidden 2": "`--hidden 2`",
    "--batch-size 1": "`--batch-size 1`",
    "--batch-size 120": "`--batch-size 120`",
    "--steps 5000": "`--steps 5000`",
    STANDARDIZED: "features standardized",
}
TRIALS = list(RESULTS | EXPERIMENTS)  # a row of both tables is measured once
CHAOTIC = "--learning-rate 0.3"  # after some steps, rounding decides such a run


# ---- One run ----


@cache
def load(*edits):
    """Return raw_nn as a module of its own, with each (old, new) text replaced."""
    source = SCRIPT.read_text()
    for old, new in edits:
        assert source.count(old) == 1, f"not exactly once in {SCRIPT.name}: {old}"
        source = source.replace(old, new)
    module = ModuleType("edited")
    exec(compile(source, SCRIPT.name, "exec"), module.__dict__)  # noqa: S102
    return module


@cache
def settings(flags):
    """Return the settings that `python raw_nn.py FLAGS` passes to run, as a dict."""
    module, passed = load.__wrapped__(), {}
    module.run = lambda **given: passed.update(given)
    module.main(flags.split())
    return passed


def train(module, seed, flags=""):
    """Do what the command does; return params and the split X, Y, X_test, Y_test.

    Raises FloatingPointError when the training diverges.
    """
    given = settings(flags)
    X, Y, X_test, Y_test, _ = module.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = module.init_params(rng, X.shape[1], given["hidden"], Y.shape[1])
    batch_size, rate, steps = (
        given[name] for name in ("batch_size", "learning_rate", "steps")
    )
    module.train(params, X, Y, rng, batch_size, rate, steps)
    return params, (X, Y, X_test, Y_test)


def mean_loss(module, X, Y, params):
    """Return the mean loss of all samples X."""
    return module.nll_loss(module.forward(X, params).log_P, Y) / len(X)


def mlp_classifier(**settings):
    """Return scikit-learn's network with the hyperparameters that raw_nn has on Iris.

    Its loss is the mean over the batch, so its rate is 8 times ours.
    """
    return MLPClassifier(
        (20,),
        solver="sgd",
        momentum=0,
        nesterovs_momentum=False,
        alpha=0,
        batch_size=8,
        shuffle=False,
        learning_rate_init=8 * 0.003,
        **settings,
    )


def train_mlp(X, labels, batches, seed=None, params=None):
    """Return scikit-learn's network after one step on each of batches.

    Its biases start at 0. Its weights are those of params, or its own Glorot-uniform
    ones, drawn with seed.
    """
    mlp = mlp_classifier(max_iter=1, warm_start=True, random_state=seed)
    rate = mlp.learning_rate_init
    mlp.set_params(learning_rate_init=1e-300)  # draws weights, but does not change them
    mlp.fit(X, labels)
    weights = (params.W1, params.W2) if params else [W.copy() for W in mlp.coefs_]
    mlp.set_params(learning_rate_init=rate)  # the next fit takes it up
    mlp.fit(X, labels)
    for own, W in zip(mlp.coefs_, weights):  # what that fit learned is overwritten
        own[:] = W
    for b in mlp.intercepts_:
        b[:] = 0
    mlp.set_params(warm_start=False)
    # Not shuffled, each 8 samples of these are one of our batches.
    X, Y = map(np.concatenate, zip(*batches))
    return mlp.partial_fit(X, Y.argmax(axis=1))


def run_sklearn(name, seed):
    """Fit a classifier of scikit-learn to the same split; return it and the split."""
    module = load()
    X, Y, X_test, Y_test, _ = module.load_iris_split(seed)
    labels = Y.argmax(axis=1)
    if name == "MLPClassifier":
        rng = np.random.default_rng(seed)
        module.init_params(rng, 4, 20, 3)  # so that the batches are the same
        batches = islice(module.minibatches(rng, X, Y, 8), 1000)
        classifier = train_mlp(X, labels, batches, seed)
    elif name == "LogisticRegression":
        classifier = LogisticRegression(max_iter=1000).fit(X, labels)
    else:
        classifier = LinearDiscriminantAnalysis().fit(X, labels)
    return classifier, (X, labels, X_test, Y_test.argmax(axis=1))


def run(trial, seed):
    """Return the number of right test flowers, and the training loss after the last step.

    trial is one of TRIALS: flags of the command, an edit of the script, or a classifier
    of scikit-learn. Both results are None for a training that diverges.
    """
    if trial in RESULTS and isinstance(trial, str) and trial:
        with warnings.catch_warnings(), sklearn.config_context(assume_finite=True):
            warnings.simplefilter("ignore")  # one epoch, it warns, does not suffice
            classifier, (X, labels, X_test, test_labels) = run_sklearn(trial, seed)
        right = (classifier.predict(X_test) == test_labels).sum()
        loss = log_loss(labels, classifier.predict_proba(X))
    else:
        module = load(trial) if isinstance(trial, tuple) else load()
        try:
            params, (X, Y, X_test, Y_test) = train(
                module, seed, trial if isinstance(trial, str) else ""
            )
        except FloatingPointError:
            return None, None
        right = round(module.accuracy(X_test, Y_test, params) * len(X_test))
        loss = mean_loss(module, X, Y, params)
    return int(right), float(f"{loss:.6g}")


# ---- The file ----


def key(trial):
    """Return the name of a trial in the file."""
    if isinstance(trial, tuple):
        return " -> ".join(trial)
    return trial or "default"


def read():
    """Return what the file has, or the empty form of it."""
    if not MEASURED.exists():
        return {"rows": {}, "claims": {}}
    return json.loads(MEASURED.read_text())


def write(part, entries):
    """Replace one part of the file, "rows" or "claims"; each entry is one line of it."""
    measured = read() | {part: entries}
    parts = (
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(
            f"{json.dumps(entry)}: {json.dumps(values, separators=(',', ':'))}"
            for entry, values in entries.items()
        )
        + "\n}"
        for name, entries in measured.items()
    )
    MEASURED.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def column(trial, name, rows):
    """Return the values of "right" or "loss" of one row; NaN for diverged runs."""
    return np.array(rows[key(trial)][name], float)


# ---- The tables ----


def signed(number, digits=2):
    """Return a number with its sign."""
    return f"{number:+.{digits}f}".replace("-", "−")


def standard_error(values):
    """Return the standard error of the mean of values."""
    return np.std(values, ddof=1) / np.sqrt(len(values))


def percent(values):
    """Return the mean of values with its standard error, in percent."""
    return f"{100 * np.mean(values):.2f} ± {100 * standard_error(values):.2f}"


def compared(trial, rows):
    """Return the test accuracy of a row, and its difference to the default run, paired.

    Diverged runs are left out.
    """
    ours, theirs = (column(which, "right", rows) / N_TEST for which in ("", trial))
    finite = np.isfinite(theirs)
    if trial == "":
        return ours, ""
    gain = (theirs - ours)[finite]
    text = f"{signed(100 * gain.mean())} ± {100 * standard_error(gain):.2f}"
    return theirs[finite], text


def results_table(rows):
    """Return the README's table of results, as Markdown."""
    lines = [
        "| | test accuracy in % | difference, paired | 5 % quantile | worst |",
        "|---|--:|--:|--:|--:|",
    ]
    for trial, name in RESULTS.items():
        accuracy, gain = compared(trial, rows)
        low, worst = 100 * np.quantile(accuracy, [0.05, 0])
        lines.append(
            f"| {name} | {percent(accuracy)} | {gain} | {low:.1f} | {worst:.1f} |"
        )
    return "\n".join(lines)


def experiments_table(rows):
    """Return the README's table of experiments, as Markdown."""
    lines = [
        "| try | test accuracy in % | difference, paired | training loss: mean | median |",
        "|---|--:|--:|--:|--:|",
    ]
    for trial, name in EXPERIMENTS.items():
        accuracy, gain = compared(trial, rows)
        loss = column(trial, "loss", rows)
        loss = loss[np.isfinite(loss)]
        lines.append(
            f"| {name} | {percent(accuracy)} | {gain} "
            f"| {loss.mean():.3f} | {np.median(loss):.3f} |"
        )
    return "\n".join(lines)


# ---- The program ----


def measure(trial, pool):
    """Return the row of a trial: what each seed gives."""
    runs = list(pool.map(partial(run, trial), SEEDS, chunksize=20))
    return dict(zip(("right", "loss"), map(list, zip(*runs))))


def differences(row, kept):
    """Return for which seeds a measured row is not what the file has.

    The last of the six digits of a loss depends on the processor.
    """
    here, there = (np.array(r["loss"], float) for r in (row, kept))
    changed = ~np.isclose(here, there, rtol=2e-6, atol=0, equal_nan=True)
    changed |= np.array(row["right"]) != np.array(kept["right"])
    return np.flatnonzero(changed).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    check = parser.parse_args().check
    kept, rows, wrong = read()["rows"], {}, 0
    # One thread a process: the matrices are small.
    with ProcessPoolExecutor(initializer=threadpool_limits, initargs=(1,)) as pool:
        for trial in TRIALS:
            rows[key(trial)] = measure(trial, pool)
            if check:
                seeds = differences(rows[key(trial)], kept[key(trial)])
                wrong += len(seeds) if trial != CHAOTIC else 0
                print(f"{key(trial)}: {len(seeds)} seeds differ {seeds}", flush=True)
            else:
                print(key(trial), "measured", file=sys.stderr, flush=True)
    if check:
        sys.exit(1 if wrong else 0)
    write("rows", rows)
    print(results_table(rows))
    print()
    print(experiments_table(rows))


if __name__ == "__main__":
    main()

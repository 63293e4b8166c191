"""Print the README's tables of results and experiments: python tests/tables.py [RUNS]

Each row is measured over RUNS seeds (1,000 unless given); a seed decides the split,
the first weights and the batches, as --seed does. It takes some minutes.
"""

import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from conftest import ROOT
from problems import mlp_classifier
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

CENTRED = "return X_train - mean, Y_train, X_test - mean, Y_test"
STANDARDIZED = (
    "s = X_train.std(axis=0); "
    "return (X_train - mean) / s, Y_train, (X_test - mean) / s, Y_test"
)
MEAN = "mean = X_train.mean(axis=0)"
MASK = "dL_da1 * (activations.h1 > 0.0)"
DRAW = "rng.uniform(-bound, bound, size=(n_in, n_out))"

EXPERIMENTS = [  # what to try: flags, or (old, new) in raw_nn.py; what happens and why
    ("", "the network as it is"),
    ((MASK, "dL_da1"), "wrong gradient, yet the score hardly tells"),
    ((DRAW, "np.zeros((n_in, n_out))"), "only `b2` can learn: chance"),
    ("--learning-rate 0.03", "ten times the step: less loss, no more hits"),
    ("--learning-rate 0.3", "steps overshoot, and shut units for good"),
    ("--hidden 1", "one direction, seen from one side of its kink"),
    ("--hidden 2", "two directions suffice in most runs"),
    ("--batch-size 1", "sees 1,000 samples, not 8,000: not done yet"),
    ("--batch-size 120", "less noise, and a sum over 120: longer steps"),
    ("--steps 5000", "less loss, hardly more hits"),
    ((CENTRED, STANDARDIZED), "scales up sepal width, which tells least of all"),
]


@cache
def edited(*edit):
    """Return raw_nn as a module, with one text in it replaced by another."""
    source = (ROOT / "raw_nn.py").read_text()
    if edit:
        old, new = edit
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "edited.py"
        path.write_text(source)
        spec = spec_from_file_location("edited", path)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def run(trial, seed):
    """Train once; return test accuracy, and training loss before and after."""
    module = edited(*trial) if isinstance(trial, tuple) else edited()
    flags = trial.split() if isinstance(trial, str) else []
    args = module.command_parser().parse_args([*flags, "--seed", str(seed)])
    X, Y, X_test, Y_test = module.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = module.init_params(rng, X.shape[1], args.hidden, Y.shape[1])

    def loss():
        return module.nll_loss(module.forward(X, params).log_P, Y) / len(X)

    before = loss()
    try:
        module.train(params, X, Y, rng, args.batch_size, args.learning_rate, args.steps)
    except FloatingPointError:
        return np.nan, before, np.nan
    return module.accuracy(params, X_test, Y_test), before, loss()


def run_sklearn(kind, seed):
    """Fit a classifier of scikit-learn; return its test accuracy, alone in a list."""
    X, Y, X_test, Y_test = edited().load_iris_split(seed)
    classifier = {
        "MLP": mlp_classifier(random_state=seed),
        "logistic": LogisticRegression(max_iter=1000),
        "LDA": LinearDiscriminantAnalysis(),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 67 epochs do not suffice to converge
        classifier.fit(X, Y.argmax(axis=1))
    return [classifier.score(X_test, Y_test.argmax(axis=1))]


def percent(values):
    """Return the mean of values with its standard error, in percent."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{100 * np.mean(values):.2f} ± {100 * error:.2f}"


def results(measure):
    print(
        "| test accuracy in % | mean ± standard error | median | 5 % quantile | worst |"
    )
    print("|---|--:|--:|--:|--:|")
    for name, function, what in (
        ("**raw_nn** (features centred)", run, ""),
        ("raw_nn, features standardized", run, (CENTRED, STANDARDIZED)),
        ("raw_nn, features as they are", run, (MEAN, "mean = 0")),
        ("`MLPClassifier`, same hyperparameters", run_sklearn, "MLP"),
        ("`LogisticRegression`", run_sklearn, "logistic"),
        ("`LinearDiscriminantAnalysis`", run_sklearn, "LDA"),
    ):
        scores = measure(function, what)[:, 0]
        median, low, worst = 100 * np.quantile(scores, [0.5, 0.05, 0])
        row = f"{percent(scores)} | {median:.1f} | {low:.1f} | {worst:.1f}"
        print(f"| {name} | {row} |", flush=True)
    losses = measure(run, "")[:, 1]
    low, high = np.quantile(losses, [0.05, 0.95])
    print(
        f"\nMean loss before the first step, over {len(losses):,} runs: "
        f"{losses.mean():.2f} nats (90 % of the runs: {low:.2f} to {high:.2f}); "
        f"chance is ln 3 = {np.log(3):.2f}."
    )


def name_of(trial):
    """Return what to type for a trial: an edit, or a command."""
    if isinstance(trial, tuple):
        return f"`{trial[0]}` → `{trial[1]}`"
    return f"`{('python raw_nn.py ' + trial).strip()}`"


def experiments(measure):
    print("\n| try | test accuracy in % | training loss | what happens, and why |")
    print("|---|--:|--:|---|")
    for trial, why in EXPERIMENTS:
        runs = measure(run, trial)
        finite = runs[~np.isnan(runs[:, 0])]
        lost = len(runs) - len(finite)
        note = f" ({lost} of {len(runs):,} runs end in an overflow)" if lost else ""
        numbers = f"{percent(finite[:, 0])} | {finite[:, 2].mean():.3f}"
        print(f"| {name_of(trial)} | {numbers} | {why}{note} |", flush=True)


def main():
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with ProcessPoolExecutor() as pool:

        @cache  # some rows are in both tables
        def measure(function, what):
            return np.array(
                list(pool.map(partial(function, what), range(n_runs), chunksize=20))
            )

        results(measure)
        experiments(measure)


if __name__ == "__main__":
    main()

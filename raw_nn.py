"""A neural network from scratch: one hidden layer, trained on Iris by plain SGD.

Read it beside the derivation in README.md: the same symbols in the same order, and
each line that ends with a number computes the equation that has this number there. A
comment such as "(n, hidden)" gives the shape of the result: n is the number of samples,
the other sizes are those of the layers. Losses are in nats (natural logarithms).
"""

import argparse
import io
import math
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

# ---- Data: 150 flowers of three species, four measures of each in cm ----


def load_iris_split(seed=0, test_size=0.2):
    """Return X_train (120, 4), Y_train (120, 3), X_test (30, 4), Y_test (30, 3).

    These are the shapes for the default test_size. X is in cm, less the mean of the
    training samples; Y is one-hot. Each species is split in the same proportion.
    Raises ValueError for a seed outside 0 to 2**32 - 1.
    """
    if not (isinstance(seed, Integral) and 0 <= seed < 2**32):
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, not {seed}")
    X, labels = load_iris(return_X_y=True)
    Y = np.eye(labels.max() + 1)[labels]  # class j becomes row j of the unit matrix
    X_train, X_test, Y_train, Y_test = train_test_split(
        X, Y, test_size=test_size, stratify=labels, random_state=seed
    )
    mean = X_train.mean(axis=0)  # without the test set, which has to stay unseen
    return X_train - mean, Y_train, X_test - mean, Y_test


# ---- Forward: from samples to probabilities ----


class Params(NamedTuple):
    """The parameters of the network, or the gradient of the loss for each of them."""

    W1: np.ndarray  # (in, hidden)
    b1: np.ndarray  # (hidden,)
    W2: np.ndarray  # (hidden, out)
    b2: np.ndarray  # (out,)


class Activations(NamedTuple):
    """What the forward pass computes, in its order."""

    h1: np.ndarray  # (n, hidden)
    a1: np.ndarray  # (n, hidden)
    h2: np.ndarray  # (n, out)
    log_P: np.ndarray  # (n, out)
    P: np.ndarray  # (n, out)


def relu(h):
    """Return h, of any shape, with 0 for its negative entries."""
    return np.maximum(h, 0.0)  # (1)


def softmax(h):
    """Return the probabilities (n, out) of logits h (n, out); each row sums to 1.

    The forward pass does the same in two steps, because it needs the logarithm too.
    """
    return np.exp(log_softmax(h))  # (2)


def log_softmax(h):
    """Return log(softmax(h)) (n, out), finite even where softmax(h) rounds to 0."""
    s = h - h.max(axis=1, keepdims=True)  # (n, out)  # (3)
    return s - np.log(np.exp(s).sum(axis=1, keepdims=True))  # (n, out)  # (4)


def forward(X, params):
    """Return the Activations for samples X (n, in)."""
    W1, b1, W2, b2 = params
    h1 = X @ W1 + b1  # (n, hidden)  # (5)
    a1 = relu(h1)  # (n, hidden)  # (6)
    h2 = a1 @ W2 + b2  # (n, out)  # (7)
    log_P = log_softmax(h2)  # (n, out)  # (8)
    P = np.exp(log_P)  # (n, out)  # (9)
    return Activations(h1, a1, h2, log_P, P)


# ---- First weights: random, of a size that keeps the variance of the signals ----


def xavier_uniform(rng, n_in, n_out):
    """Draw weights (n_in, n_out) with the Generator rng (Glorot & Bengio 2010)."""
    bound = np.sqrt(6 / (n_in + n_out))  # (10)
    return rng.uniform(-bound, bound, size=(n_in, n_out))  # (11)


def init_params(rng, n_in, n_hidden, n_out):
    """Return the first Params; raises ValueError unless the sizes are at least 1."""
    check_count("number of inputs", n_in)
    check_count("number of hidden units", n_hidden)
    check_count("number of classes", n_out)
    W1 = xavier_uniform(rng, n_in, n_hidden)
    W2 = xavier_uniform(rng, n_hidden, n_out)
    return Params(W1, np.zeros(n_hidden), W2, np.zeros(n_out))


# ---- Loss: how surprised the network is by the true classes ----


def nll_loss(log_P, Y):
    """Return the negative log-likelihood of labels Y (n, out): a sum over the batch."""
    return -np.vdot(Y, log_P)  # vdot: the sum of Y * log_P, element by element  # (12)


# ---- Backward: the gradient of the loss, from the last layer to the first ----


def backward(X, Y, activations, params):
    """Return the gradient of nll_loss, as Params, at activations = forward(X, params).

    Each row of Y (n, out) has to sum to 1, as one-hot rows do.
    """
    dL_dh2 = activations.P - Y  # (n, out)  # (13)
    dL_dW2 = activations.a1.T @ dL_dh2  # (hidden, out)  # (14)
    dL_db2 = dL_dh2.sum(axis=0)  # (out,)  # (15)
    dL_da1 = dL_dh2 @ params.W2.T  # (n, hidden)  # (16)
    dL_dh1 = dL_da1 * (activations.h1 > 0.0)  # (n, hidden)  # (17)
    dL_dW1 = X.T @ dL_dh1  # (in, hidden)  # (18)
    dL_db1 = dL_dh1.sum(axis=0)  # (hidden,)  # (19)
    return Params(dL_dW1, dL_db1, dL_dW2, dL_db2)


# ---- Training: many small steps down the gradient ----


def minibatches(rng, n, batch_size):
    """Yield index arrays into n samples for ever; each epoch is a new permutation.

    The last batch of an epoch is shorter if batch_size does not divide n.
    """
    while True:
        order = rng.permutation(n)
        for start in range(0, n, batch_size):
            yield order[start : start + batch_size]


@np.errstate(all="ignore")  # an overflow is found in the loss, not shown as a warning
def train(
    params, X, Y, rng, batch_size=8, learning_rate=0.003, steps=1000, report=None
):
    """Fit params, in place, to samples X (n, in) and labels Y (n, out) by SGD.

    Returns losses (steps,): of each mini-batch its mean loss before its update. If
    given, report(step, mean of the losses since the last report) is called after each
    tenth of the steps. Raises ValueError for arguments that cannot be used, and
    FloatingPointError when the loss or a parameter is no longer finite.
    """
    check_training(params, X, Y, batch_size, learning_rate, steps)
    rate = np.array(learning_rate, float)  # in a product faster than a Python float
    losses = np.empty(steps)
    reported = 0
    for step, batch in zip(range(steps), minibatches(rng, len(X), batch_size)):
        X_batch = X.take(batch, axis=0)  # the rows X[batch], taken faster
        Y_batch = Y.take(batch, axis=0)
        activations = forward(X_batch, params)
        loss = nll_loss(activations.log_P, Y_batch) / len(batch)  # (20)
        if not math.isfinite(loss):
            raise divergence(step + 1)
        losses[step] = loss
        gradient = backward(X_batch, Y_batch, activations, params)
        for theta, dL_dtheta in zip(params, gradient):
            theta -= rate * dL_dtheta  # (21)
        if report and (step + 1) * 10 // steps > step * 10 // steps:  # a tenth is done
            report(step + 1, losses[reported : step + 1].mean())
            reported = step + 1
    if not all_finite(params):
        raise divergence(steps)
    return losses


def check_count(name, value):
    """Raise ValueError unless value is a whole number of at least 1."""
    if not (isinstance(value, Integral) and value >= 1):
        raise ValueError(f"{name} must be a positive whole number, not {value}")


def all_finite(arrays):
    """Tell whether no array has an infinite or NaN entry."""
    return all(np.isfinite(array).all() for array in arrays)


def check_training(params, X, Y, batch_size, learning_rate, steps):
    """Raise ValueError for arguments that train cannot use."""
    check_count("batch size", batch_size)
    check_count("steps", steps)
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning rate must be finite and > 0, not {learning_rate}")
    if batch_size > len(X):
        raise ValueError(f"batch size {batch_size} exceeds the {len(X)} samples")
    X_shape, Y_shape = (len(X), len(params.W1)), (len(X), len(params.b2))
    if X.shape != X_shape or Y.shape != Y_shape:
        raise ValueError(f"X, Y must be {X_shape}, {Y_shape}, not {X.shape}, {Y.shape}")
    if not all_finite([X, *params]) or not np.allclose(Y.sum(axis=1), 1):
        raise ValueError("X and params must be finite, each row of Y must sum to 1")


def divergence(step):
    """Return the error of a training that overflows."""
    return FloatingPointError(
        f"loss or parameters are no longer finite at step {step}: "
        "lower the learning rate"
    )


# ---- Result: how often the network is right, and a picture of its training ----


def accuracy(params, X, Y):
    """Return the fraction of samples X (n, in) whose most probable class is right."""
    return np.mean(forward(X, params).P.argmax(axis=1) == Y.argmax(axis=1))


def check_plot_path(path):
    """Raise ValueError or OSError if plot_loss could not write path; change nothing."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"the picture must be a .png file, not {str(path)!r}")
    path = path.resolve()  # the file itself, where path is a link to it
    is_new = not path.exists()
    if not (is_new or path.is_file()):
        raise ValueError(f"the picture cannot replace {path}, which is not a file")
    path.open("ab").close()  # "a" keeps what is there
    if is_new:
        path.unlink()


def plot_loss(losses, path, n_classes=3, title="Training loss"):
    """Draw the losses (steps,) from train, and their running mean, as a .png file."""
    window = math.ceil(len(losses) / 20)
    some = slice(None, None, math.ceil(len(losses) / 10_000))  # thins out many steps
    steps = np.arange(1, len(losses) + 1)
    means = sliding_window_view(losses, window)[some].mean(axis=1)
    middles = sliding_window_view(steps, window)[some].mean(axis=1)
    chance = np.log(n_classes)
    dot = "." if window == 1 else ""  # a line through few points is hard to see

    figure = Figure(figsize=(9, 5))  # needs no display
    axes = figure.add_axes((0.07, 0.1, 0.9, 0.82))  # left, bottom, width, height
    axes.plot(
        steps[some], losses[some], c="0.75", marker=dot, lw=0.8, label="mini-batch"
    )
    axes.plot(middles, means, c="tab:blue", lw=2.5, label=f"running mean of {window}")
    axes.axhline(chance, c="k", ls="--", label=f"chance: ln {n_classes} = {chance:.4f}")
    axes.set(xlabel="step", ylabel="mean loss per sample (nats)")
    axes.set_title(title, fontsize="medium")
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    axes.legend()
    picture = io.BytesIO()  # so that an error in drawing leaves the old file alone
    figure.savefig(picture, format="png", dpi=120)
    Path(path).write_bytes(picture.getvalue())


# ---- Command: python raw_nn.py ----


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def command_parser():
    """Return the parser of the command line."""
    parser = CommandParser(
        prog="raw_nn.py",
        description="Train a network with one hidden layer on Iris and draw its loss.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for flag, kind, default, meaning in (
        ("--hidden", int, 20, "number of hidden units"),
        ("--batch-size", int, 8, "samples per step"),
        ("--learning-rate", float, 0.003, "step length per unit of gradient"),
        ("--steps", int, 1000, "number of updates"),
        ("--seed", int, 0, "of the split, the first weights and the batches"),
        ("--plot", Path, "loss_curve.png", "picture to write"),
    ):
        parser.add_argument(flag, type=kind, default=default, help=meaning)
    return parser


@np.errstate(all="ignore")  # as in train
def run(hidden, batch_size, learning_rate, steps, seed, plot):
    """Train on Iris, print the progress and the result, draw the loss."""
    check_plot_path(plot)
    X_train, Y_train, X_test, Y_test = load_iris_split(seed)
    n_in, n_out = X_train.shape[1], Y_train.shape[1]
    rng = np.random.default_rng(seed)
    params = init_params(rng, n_in, hidden, n_out)
    # train checks the same, but here nothing has been printed yet
    check_training(params, X_train, Y_train, batch_size, learning_rate, steps)

    settings = f"batch size {batch_size}, learning rate {learning_rate}, seed {seed}"
    print(f"Iris: {len(X_train)} training samples, {len(X_test)} test samples")
    print(f"network: {n_in} inputs -> {hidden} hidden units -> {n_out} classes")
    print(f"training: {steps} steps, {settings}")
    print(f"chance: a mean loss of ln {n_out} = {np.log(n_out):.4f} nats", flush=True)

    def report(step, loss):
        print(f"step {step:{len(str(steps))}}: mean loss {loss:.4f}", flush=True)

    losses = train(
        params, X_train, Y_train, rng, batch_size, learning_rate, steps, report
    )
    for name, X, Y in (("training", X_train, Y_train), ("test", X_test, Y_test)):
        loss = nll_loss(forward(X, params).log_P, Y) / len(X)
        if not math.isfinite(loss):
            raise divergence(steps)
        right = accuracy(params, X, Y)
        score = f"{100 * right:.1f} % ({round(right * len(X))}/{len(X)})"
        print(f"{name} set: mean loss {loss:.4f}, accuracy {score}")
    title = f"{hidden} hidden units, {settings}: test accuracy {score}"
    plot_loss(losses, plot, n_out, title)
    print(f"loss curve: {plot}")


def main(argv=None):
    """Run the command; whatever is wrong ends it with one line and a status."""
    parser = command_parser()
    args = parser.parse_args(argv)
    try:
        run(**vars(args))
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted, nothing drawn\n")
    except (ValueError, ArithmeticError, MemoryError, OSError) as error:
        parser.error(error)


if __name__ == "__main__":
    main()

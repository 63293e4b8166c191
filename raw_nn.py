"""A neural network from scratch: one hidden layer, trained on Iris by plain SGD.

Read it beside README.md: the same symbols in the same order. A number such as (7) at
the end of a line is that of its formula; (n, out) is the shape of the line's result.
"""

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split


# ---- Data: 150 flowers of three species, four measurements of each in cm ----
def load_iris_split(seed=1, test_size=0.2):
    """Return X_train (120, 4), X_test (30, 4), Y_train (120, 3), Y_test (30, 3), mean.

    X is in cm, minus the mean (4,) of the training samples; Y is one-hot.
    """
    X, labels = load_iris(return_X_y=True)  # (150, 4), (150,)
    Y = np.eye(3)[labels]  # (150, 3): row j of np.eye(3) for class j
    X_train, X_test, Y_train, Y_test = train_test_split(
        X, Y, test_size=test_size, stratify=labels, random_state=seed
    )
    mean = X_train.mean(axis=0)  # the test samples stay unseen
    return X_train - mean, X_test - mean, Y_train, Y_test, mean


class Params(NamedTuple):
    """The four arrays of parameters, which are learned, or those of their slopes."""

    W1: np.ndarray  # (in, hidden)
    b1: np.ndarray  # (hidden,)
    W2: np.ndarray  # (hidden, out)
    b2: np.ndarray  # (out,)


# ---- Forward: from samples to probabilities ----
class Activations(NamedTuple):
    """What the forward pass computes, in its order."""

    h1: np.ndarray  # (n, hidden)
    a1: np.ndarray  # (n, hidden)
    h2: np.ndarray  # (n, out)
    P: np.ndarray  # (n, out)
    log_P: np.ndarray  # (n, out)


def relu(h):
    """Return h, of any shape, with 0 for its negative entries."""
    return np.maximum(h, 0.0)  # (1)


def softmax(h):
    """Return P and log_P of logits h (n, out); exp cannot overflow, since s <= 0."""
    s = h - h.max(axis=-1, keepdims=True)  # (n, out) (2)
    e = np.exp(s)  # (n, out) (3)
    total = e.sum(axis=-1, keepdims=True)  # (n, 1) (4)
    P = e / total  # (n, out) (5)
    log_P = s - np.log(total)  # (n, out) (6)
    return P, log_P


def forward(X, params):
    """Return the Activations of samples X (n, in), or of one sample (in,)."""
    W1, b1, W2, b2 = params
    h1 = X @ W1 + b1  # (n, hidden) (7)
    a1 = relu(h1)  # (n, hidden) (8)
    h2 = a1 @ W2 + b2  # (n, out) (9)
    P, log_P = softmax(h2)  # (n, out) (10)
    return Activations(h1, a1, h2, P, log_P)


# ---- Loss: how surprised the network is, and what a nudge of each parameter does ----
def nll_loss(log_P, Y):
    """Return the negative log-likelihood of labels Y (n, out): a sum over the batch."""
    return -(Y * log_P).sum()  # (11)


def numeric_gradient(X, Y, params, epsilon=1e-6):
    """Return the gradient of nll_loss as Params, measured by nudges to both sides."""
    nudged = Params(*[np.array(theta, float) for theta in params])  # a copy
    gradient = Params(*map(np.zeros_like, nudged))
    for theta, dL_dtheta in zip(nudged, gradient):
        for i in np.ndindex(theta.shape):  # each place: (0, 0), (0, 1), ...
            kept = theta[i]
            theta[i] = kept + epsilon
            L_up = nll_loss(forward(X, nudged).log_P, Y)
            theta[i] = kept - epsilon
            L_down = nll_loss(forward(X, nudged).log_P, Y)
            theta[i] = kept
            dL_dtheta[i] = (L_up - L_down) / (2 * epsilon)  # (12)
    return gradient


# ---- Backward: the same gradient, derived, from the last layer to the first ----
def backward(X, Y, activations, params):
    """Return the gradient of nll_loss as Params; each row of Y (n, out) sums to 1."""
    h1, a1, P, W2 = activations.h1, activations.a1, activations.P, params.W2
    if np.ndim(X) != 2 or np.shape(Y) != P.shape:  # one sample: X[None], in forward too
        raise ValueError("X must be (n, in), and Y (n, out), of the shape of P")
    # The output layer: what it said minus what is true, then what led to it.
    dL_dh2 = P - Y  # (n, out) (13)
    dL_dW2 = a1.T @ dL_dh2  # (14)
    dL_db2 = dL_dh2.sum(axis=0)  # (15)
    # Back through its weights: each hidden unit hears from every class.
    dL_da1 = dL_dh2 @ W2.T  # (n, hidden) (16)
    # Through the units that were open: the others changed nothing.
    dL_dh1 = dL_da1 * (h1 > 0.0)  # (n, hidden) (17)
    # The hidden layer: like the output layer, with X for a1.
    dL_dW1 = X.T @ dL_dh1  # (18)
    dL_db1 = dL_dh1.sum(axis=0)  # (19)
    return Params(dL_dW1, dL_db1, dL_dW2, dL_db2)


# ---- Check: does the derived gradient agree with nudges? ----
def check_gradient(X, Y, params):
    """Return a text such as "W1 ok, b1 WRONG, ...": a verdict on each array."""
    X, Y = check_data(X, Y, params)
    # A nudge across a bend of ReLU, where h1 is 0, measures a mixture of two slopes.
    # So of ten points beside params take the one whose h1 stay farthest from 0.
    rng, points = np.random.default_rng(0), []
    for _ in range(10):
        points.append(Params(*[t + 0.1 * rng.standard_normal(t.shape) for t in params]))
    point = max(points, key=lambda p: np.abs(forward(X, p).h1).min())
    derived = backward(X, Y, forward(X, point), point)
    measured = numeric_gradient(X, Y, point)
    rounding = 1e-8 * (1 + nll_loss(forward(X, point).log_P, Y))
    verdicts = []
    for name, d, m in zip(Params._fields, derived, measured):
        allowed = 1e-6 * np.abs(m).max() + rounding
        ok = d.shape == m.shape and (np.abs(d - m) <= allowed).all()
        verdicts.append(f"{name} ok" if ok else f"{name} WRONG")
    return ", ".join(verdicts)


# ---- Initial weights: random, so that no unit is a copy of another ----
def xavier_uniform(rng, n_in, n_out):
    """Draw the weights (n_in, n_out) of Glorot & Bengio (2010) with the Generator rng."""
    bound = np.sqrt(6 / (n_in + n_out))  # (20)
    return rng.uniform(-bound, bound, size=(n_in, n_out))  # (21)


def init_params(rng, n_in, n_hidden, n_out):
    """Return the initial Params: Xavier-uniform weights, and biases of 0."""
    W1 = xavier_uniform(rng, n_in, n_hidden)
    W2 = xavier_uniform(rng, n_hidden, n_out)
    return Params(W1, np.zeros(n_hidden), W2, np.zeros(n_out))


# ---- Training: many small steps down the gradient ----
def minibatches(rng, X, Y, batch_size):
    """Yield (X_batch, Y_batch) for ever; each epoch takes all samples in a new order."""
    while True:
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]  # the last may be shorter
            yield X[batch], Y[batch]


def sgd_step(params, X, Y, learning_rate):
    """Update params, in place, for one batch; return its mean loss before that."""
    activations = forward(X, params)
    mean_loss = nll_loss(activations.log_P, Y) / len(X)  # (22)
    gradient = backward(X, Y, activations, params)
    for theta, dL_dtheta in zip(params, gradient):
        theta -= learning_rate * dL_dtheta  # (23)
    return mean_loss


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # a later loss shows it
def train(params, X, Y, rng, batch_size=8, learning_rate=0.003, steps=1000, show=False):
    """Take steps of SGD on params, in place; return the mean loss of each batch (steps,).

    ValueError for bad shapes or values, FloatingPointError for a batch's loss of 1e6.
    """
    X, Y = check_data(X, Y, params)
    if batch_size < 1 or steps < 1 or not 0 < learning_rate < math.inf:
        raise ValueError("batch_size, steps must be >= 1, learning_rate > 0 and finite")
    shown = {math.ceil(steps * i / 10) for i in range(1, 11)} if show else ()
    losses = np.empty(steps)
    for step, batch in zip(range(1, steps + 1), minibatches(rng, X, Y, batch_size)):
        losses[step - 1] = sgd_step(params, *batch, learning_rate)
        if not abs(losses[step - 1]) < 1e6:  # or nan, which is never below
            advice = "scale the features or lower the rate, and draw new params"
            raise FloatingPointError(f"step {step}: loss too large: {advice}")
        if step in shown:
            mean = losses[step - math.ceil(steps / 10) : step].mean()
            print(f"step {step:4}: mean loss {mean:.4f}", flush=True)
    return losses


# ---- Prediction: the trained network, used ----
def predict(X, params):
    """Return the most probable class of each sample in X (n, in), or of one (in,)."""
    X = np.asarray(X, float)
    if not all(np.isfinite(array).all() for array in (X, *params)):
        raise ValueError("X and params must be finite, with no NaN")
    return forward(X, params).P.argmax(axis=-1)  # (n,) (24)


def accuracy(X, Y, params):
    """Return the fraction of samples X (n, in) whose class in Y (n, out) is predicted."""
    X, Y = check_data(X, Y, params)
    return np.mean(predict(X, params) == Y.argmax(axis=-1))  # (25)


# ==== The network is complete. Below: the guard of data, the picture, the command. ====
def check_data(X, Y, params):
    """Return X and Y as floats, each row of Y with the sum 1; ValueError for mistakes."""
    if not all(isinstance(a, np.ndarray) and a.dtype == np.float64 for a in params):
        raise ValueError("params must be NumPy arrays of float64")
    if any(b.shape != W.shape[1:] for W, b in zip(params[::2], params[1::2])):
        raise ValueError("each bias array must be a row, with one for each column of W")
    X, Y = np.asarray(X, float), np.asarray(Y, float)
    n_in = len(params[0]) if X.ndim < 3 else math.prod(X.shape[1:])  # a picture's size
    if X.ndim != 2 or len(X) == 0 or X.shape[1] != n_in:
        raise ValueError(f"X {X.shape} must be (n, {n_in}): a row of {n_in} per sample")
    if not all(np.isfinite(array).all() for array in (X, Y, *params)):
        raise ValueError("X, Y and params must be finite, with no NaN")
    fit = (len(X), len(forward(X[0], params).P))
    if Y.shape != fit or not np.allclose(Y.sum(axis=1), 1) or (Y < 0).any():
        raise ValueError(f"Y {Y.shape} must be {fit} for X {X.shape}: rows >= 0, sum 1")
    return X, Y / Y.sum(axis=1, keepdims=True)


def plot_loss(losses, path, n_classes, title="Training loss"):
    """Draw the losses (steps,) from train, and their running mean, as a .png file."""
    steps = np.arange(1, len(losses) + 1)
    window = min(math.ceil(len(losses) / 20), 1000)
    means = np.convolve(losses, np.full(window, 1 / window), mode="valid")
    middles = steps[: len(means)] + (window - 1) / 2
    chance = np.log(n_classes)
    dot = "." if len(losses) <= 20 else ""  # a line through few points is hard to see
    figure = Figure(figsize=(9, 5))
    axes = figure.add_axes((0.07, 0.1, 0.9, 0.82), xmargin=0)
    axes.plot(steps, losses, c="0.75", marker=dot, lw=0.8, label="mini-batch")
    axes.plot(middles, means, c="tab:blue", lw=2.5, label=f"running mean of {window}")
    axes.axhline(chance, c="k", ls="--", label=f"chance: ln {n_classes} = {chance:.4f}")
    axes.set(xlabel="step", ylabel="mean loss per sample (nats)", ylim=(0, None))
    axes.set_title(title, fontsize="medium")
    axes.legend()
    figure.savefig(path, dpi=120)


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # the loss shows them
def main(argv=None):
    """Run the command: check the gradient, train on Iris, print the result, draw."""
    parser = argparse.ArgumentParser("raw_nn.py", description=__doc__)
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("--hidden", type=int, default=20, help="number of hidden units")
    parser.add_argument("--batch-size", type=int, default=8, help="samples per step")
    parser.add_argument("--learning-rate", type=float, default=0.003, help="step size")
    parser.add_argument("--steps", type=int, default=1000, help="number of updates")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    parser.add_argument("--plot", type=Path, default="loss_curve.png", help="picture")
    args = parser.parse_args(argv)
    if args.hidden < 1 or args.steps < 1 or not 0 < args.learning_rate < math.inf:
        parser.error("hidden and steps must be >= 1, learning rate positive and finite")
    if not 0 <= args.seed < 2**32:
        parser.error("the seed must be from 0 to 2**32 - 1")
    if args.plot.suffix.lower() != ".png" or not args.plot.parent.is_dir():
        parser.error("the picture must be a .png file in a folder that exists")
    X, X_test, Y, Y_test, _ = load_iris_split(args.seed)
    if not 1 <= args.batch_size <= len(X):
        parser.error(f"the batch size must be from 1 to {len(X)}")
    rng = np.random.default_rng(args.seed)
    params = init_params(rng, 4, args.hidden, 3)
    # The check is of this network; for a larger one, of another with 20 units.
    checked = init_params(np.random.default_rng(args.seed), 4, min(args.hidden, 20), 3)
    rate, size = args.learning_rate, args.batch_size
    settings = f"batch size {size}, learning rate {rate}, seed {args.seed}"
    print(f"Iris: {len(X)} training samples, {len(X_test)} test samples")
    print(f"network: 4 inputs -> {args.hidden} hidden units -> 3 classes")
    print(f"training: {args.steps} steps, {settings}")
    print(f"chance: a mean loss of ln 3 = {np.log(3):.4f} nats")
    print("gradient check:", check_gradient(X[:8], Y[:8], checked), flush=True)
    try:
        losses = train(params, X, Y, rng, size, rate, args.steps, show=True)
        scores = []
        for name, data, truth in (("training", X, Y), ("test", X_test, Y_test)):
            mean_loss = nll_loss(forward(data, params).log_P, truth) / len(data)
            if not mean_loss <= 1000:  # or nan, which is never below
                raise FloatingPointError("loss too large at the end: lower the rate")
            n, share = len(data), accuracy(data, truth, params)
            scores.append(f"accuracy {100 * share:.1f} % ({share * n:.0f}/{n})")
            print(f"{name} set: mean loss {mean_loss:.4f}, {scores[-1]}")
        title = f"{args.hidden} hidden units, {settings}: test {scores[-1]}"
        plot_loss(losses, args.plot, n_classes=3, title=title)
    except (FloatingPointError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    print(f"loss curve: {args.plot}")


if __name__ == "__main__":
    main()

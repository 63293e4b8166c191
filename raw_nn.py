"""A neural network from scratch: one hidden layer, trained on Iris by plain SGD.

Read it beside README.md: the same symbols in the same order. A number such as (7) at
the end of a line is that of its formula; (n, out) is the shape of the line's result.
"""

import argparse
import itertools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split


# ---- Data: 150 flowers of three species, four measurements of each in cm ----
def load_iris_split(seed=1, test_size=0.2):
    """Return X_train (120, 4), X_test (30, 4), Y_train (120, 3), Y_test (30, 3), mean."""
    X, labels = load_iris(return_X_y=True)  # (150, 4), (150,)
    Y = np.eye(3)[labels]  # (150, 3), one-hot: row j of np.eye(3) for class j
    X_train, X_test, Y_train, Y_test = train_test_split(
        X, Y, test_size=test_size, stratify=labels, random_state=seed
    )
    mean = X_train.mean(axis=0)  # (4,): the test samples stay unseen
    return X_train - mean, X_test - mean, Y_train, Y_test, mean


# ---- Parameters: the numbers that are learned ----
class Params(NamedTuple):
    """The four arrays of parameters, or the slope of the loss for each of them."""

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
    """Tell, ok or WRONG: near params, is backward the slope of the loss of forward?"""
    X, Y = check_data(X, Y, params)
    # Of ten points near params, the one whose h1 are farthest from 0, where ReLU bends.
    rng = np.random.default_rng(0)
    near = [[t + 0.1 * rng.standard_normal(t.shape) for t in params] for _ in range(10)]
    point = max(map(params._make, near), key=lambda p: np.abs(forward(X, p).h1).min())
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
    """Yield (X_batch, Y_batch) forever; each epoch takes all samples in a new order."""
    if batch_size < 1 or len(X) == 0:
        raise ValueError("batch_size must be >= 1, and X must have samples")
    while True:
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]  # the last may be shorter
            yield X[batch], Y[batch]


def sgd_step(X, Y, params, learning_rate):
    """Update params, in place, for one batch; return its mean loss before that."""
    activations = forward(X, params)
    mean_loss = nll_loss(activations.log_P, Y) / len(X)  # (22)
    gradient = backward(X, Y, activations, params)
    for theta, dL_dtheta in zip(params, gradient):
        theta -= learning_rate * dL_dtheta  # (23)
    return mean_loss


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # the losses show it
def train(X, Y, params, rng, batch_size=8, learning_rate=0.003, steps=1000, show=False):
    """Take steps of SGD on params, in place; return the mean loss of each batch (steps,).

    ValueError for bad shapes or values, FloatingPointError for losses too large.
    """
    X, Y = check_data(X, Y, params)
    if steps < 1 or not 0 < learning_rate < math.inf:
        raise ValueError("steps must be >= 1, learning_rate > 0 and finite")
    losses, tenth = np.empty(steps), math.ceil(steps / 10)
    advice = "loss too large: scale the features or lower the rate, and draw new params"
    batches = itertools.islice(minibatches(rng, X, Y, batch_size), steps)
    for step, (X_batch, Y_batch) in enumerate(batches, start=1):
        losses[step - 1] = loss = sgd_step(X_batch, Y_batch, params, learning_rate)
        if loss > 1e6 or not math.isfinite(loss):
            raise FloatingPointError(f"step {step}: {advice}")
        if show and 10 * step % steps < 10:  # at most ten times
            mean = losses[step - tenth : step].mean()
            print(f"step {step:4}: mean loss {mean:.4f}", flush=True)
    k = max(len(X) // 1000, 1)  # each k-th sample: all may need too much memory
    loss = nll_loss(forward(X[::k], params).log_P, Y[::k]) / len(X[::k])
    if loss > 1e3 or not math.isfinite(loss):
        raise FloatingPointError(f"after the last step: {advice}")
    return losses


# ---- Prediction: the trained network, used ----
def predict(X, params):
    """Return the most probable class of each sample in X (n, in), or of one (in,)."""
    X = np.asarray(X, float)
    check_finite(X, params)
    return forward(X, params).P.argmax(axis=-1)  # (n,) (24)


def accuracy(X, Y, params):
    """Return the fraction of samples X (n, in) whose class in Y (n, out) is predicted."""
    X, Y = check_data(X, Y, params)
    return np.mean(predict(X, params) == Y.argmax(axis=-1))  # (25)


# ==== The network is complete. Below: the guards, the picture, the command. ====
def check_data(X, Y, params):
    """Return X and Y as floats, each row of Y with the sum 1; ValueError for mistakes."""
    kinds = [getattr(getattr(params, k, None), "dtype", None) for k in Params._fields]
    if any(kind != np.float64 for kind in kinds):
        raise ValueError(f"params must be Params of float64 arrays, {Params._fields}")
    if any(b.shape != W.shape[1:] for W, b in zip(params[::2], params[1::2])):
        raise ValueError("each bias must have the shape (columns of its W,)")
    X, Y = np.asarray(X, float), np.asarray(Y, float)
    n_in = len(params[0]) if X.ndim < 3 else math.prod(X.shape[1:])  # a picture's size
    if X.shape[:1] == (0,):
        raise ValueError("X has no samples")
    if X.ndim != 2 or X.shape[1] != n_in:
        raise ValueError(f"X {X.shape} must be (n, {n_in}): a row of {n_in} per sample")
    check_finite(X, params, Y)
    n, c = len(X), len(forward(X[0], params).P)
    if Y.shape != (n, c):
        raise ValueError(f"Y {Y.shape} must be {n, c}, one-hot: np.eye({c})[labels]")
    if (Y < 0).any() or not np.allclose(Y.sum(axis=1), 1):
        why = "a column for each class, two for two"
        raise ValueError(f"each row of Y must be >= 0 and sum to 1: {why}")
    return X, Y / Y.sum(axis=1, keepdims=True)


def check_finite(X, params, Y=0.0):
    """ValueError for NaN, infinity, and numbers so large that the logits may overflow."""
    for key, a in zip(("X", "Y", *Params._fields), map(np.atleast_2d, (X, Y, *params))):
        bad = np.flatnonzero(~((-1e100 < a) & (a < 1e100)).all(axis=0))
        if bad.size:
            raise ValueError(f"{key} must be finite, within 1e100: columns {bad[:5]}")


def plot_loss(losses, path, n_classes, title="Training loss"):
    """Draw the losses (steps,) from train, and their running mean, as a .png file."""
    steps = np.arange(1, len(losses) + 1)
    window = min(math.ceil(len(losses) / 20), 1000)
    means = np.convolve(losses, np.full(window, 1 / window), mode="valid")
    middles = steps[: len(means)] + (window - 1) / 2
    chance = np.log(n_classes)
    dot = "." if len(losses) <= 20 else ""  # a line through few points is hard to see
    axes = Figure(figsize=(9, 5)).add_axes((0.07, 0.1, 0.9, 0.82), xmargin=0)
    axes.plot(steps, losses, c="0.75", marker=dot, lw=0.8, label="mini-batch")
    axes.plot(middles, means, c="tab:blue", lw=2.5, label=f"running mean of {window}")
    axes.axhline(chance, c="k", ls="--", label=f"chance: ln {n_classes} = {chance:.4f}")
    axes.set(xlabel="step", ylabel="mean loss per sample (nats)", ylim=(0, None))
    axes.set_title(title, fontsize="medium")
    axes.legend()
    axes.figure.savefig(path, dpi=120)


def main(argv=None):
    """Train a network of one hidden layer on Iris, after a check of its gradient."""
    parser = argparse.ArgumentParser("raw_nn.py", description=main.__doc__)
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
    rate, size = args.learning_rate, args.batch_size
    settings = f"batch size {size}, learning rate {rate}, seed {args.seed}"
    print(f"Iris: {len(X)} training samples, {len(X_test)} test samples")
    print(f"network: 4 inputs -> {args.hidden} hidden units -> 3 classes")
    print(f"training: {args.steps} steps, {settings}")
    print(f"chance: a mean loss of ln 3 = {np.log(3):.4f} nats")
    first = params._replace(W1=params.W1[:, :20], b1=params.b1[:20], W2=params.W2[:20])
    units = " (first 20 units)" if args.hidden > 20 else ""  # for nudges are slow
    print(f"gradient check: {check_gradient(X[:8], Y[:8], first)}{units}", flush=True)
    try:
        losses = train(X, Y, params, rng, size, rate, args.steps, show=True)
        for name, data, truth in (("training", X, Y), ("test", X_test, Y_test)):
            mean_loss = nll_loss(forward(data, params).log_P, truth) / len(data)
            n, share = len(data), accuracy(data, truth, params)
            score = f"accuracy {100 * share:.1f} % ({share * n:.0f}/{n})"
            print(f"{name} set: mean loss {mean_loss:.4f}, {score}")
        title = f"{args.hidden} hidden units, {settings}: test {score}"
        plot_loss(losses, args.plot, n_classes=3, title=title)
    except (FloatingPointError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    print(f"loss curve: {args.plot}")


if __name__ == "__main__":
    main()

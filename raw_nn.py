"""A neural network from scratch: one hidden layer, trained on Iris by plain SGD.

Read it beside README.md, which derives it: the same symbols in the same order. A line
that ends with a number computes the formula that has it there. A shape such as (n, out)
is that of the result: n samples; the layers have the sizes in, hidden and out.
"""

import argparse
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

# ---- Data: 150 flowers of three species, four measurements of each in cm ----


def load_iris_split(seed=1, test_size=0.2):
    """Return X_train (120, 4), Y_train (120, 3), X_test (30, 4), Y_test (30, 3), mean.

    X is in cm, minus mean (4,), that of the training samples; Y is one-hot; stratified.
    """
    X, labels = load_iris(return_X_y=True)  # (150, 4), (150,)
    Y = np.eye(3)[labels]  # (150, 3): for class j, row j of the unit matrix
    X_train, X_test, Y_train, Y_test = train_test_split(
        X, Y, test_size=test_size, stratify=labels, random_state=seed
    )
    mean = X_train.mean(axis=0)  # the test samples stay unseen
    return X_train - mean, Y_train, X_test - mean, Y_test, mean


# ---- Parameters: the numbers that are learned ----


class Params(NamedTuple):
    """The parameters of the network, or the gradient of the loss for each of them."""

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
    """Return the probabilities P and their logarithms log_P for logits h (n, out)."""
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


# ---- Loss: how surprised the network is by the true classes ----


def nll_loss(log_P, Y):
    """Return the negative log-likelihood of labels Y (n, out): a sum over the batch."""
    return -(Y * log_P).sum()  # (11)


# ---- Numeric gradient: how the loss changes when one parameter is nudged ----


def numeric_gradient(X, Y, params, epsilon=1e-6):
    """Return the gradient of nll_loss as Params, measured by central differences."""
    params = Params(*(np.array(theta, float) for theta in params))  # a copy to nudge
    gradient = Params(*(np.empty_like(theta) for theta in params))
    for theta, dL_dtheta in zip(params, gradient):
        for i in np.ndindex(theta.shape):
            kept = theta[i]
            theta[i] = kept + epsilon
            L_up = nll_loss(forward(X, params).log_P, Y)
            theta[i] = kept - epsilon
            L_down = nll_loss(forward(X, params).log_P, Y)
            theta[i] = kept
            dL_dtheta[i] = (L_up - L_down) / (2 * epsilon)  # (12)
    return gradient


# ---- Backward: the same gradient, derived, from the last layer to the first ----


def backward(X, Y, activations, params):
    """Return the gradient of nll_loss as Params, at activations = forward(X, params).

    Each row of Y (n, out) has to sum to 1, as one-hot rows do.
    """
    h1, a1, P = activations.h1, activations.a1, activations.P
    W2 = params.W2
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


# ---- Initial weights: random, and of a size that suits the layer ----


def xavier_uniform(rng, n_in, n_out):
    """Draw weights (n_in, n_out) with the Generator rng (Glorot & Bengio 2010)."""
    bound = np.sqrt(6 / (n_in + n_out))  # (20)
    return rng.uniform(-bound, bound, size=(n_in, n_out))  # (21)


def init_params(rng, n_in, n_hidden, n_out):
    """Return the initial Params: Xavier-uniform weights, and biases of 0."""
    W1 = xavier_uniform(rng, n_in, n_hidden)
    W2 = xavier_uniform(rng, n_hidden, n_out)
    return Params(W1, np.zeros(n_hidden), W2, np.zeros(n_out))


# ---- Training: many small steps down the gradient ----


def minibatches(rng, X, Y, batch_size):
    """Yield (X_batch, Y_batch) for ever; each epoch takes all samples in a new order.

    The last batch of an epoch is shorter if batch_size does not divide len(X).
    """
    while True:
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            batch = order[start : start + batch_size]
            yield X[batch], Y[batch]


def sgd_step(params, X, Y, learning_rate):
    """Update params, in place, for one batch; return its mean loss before that."""
    activations = forward(X, params)
    mean_loss = nll_loss(activations.log_P, Y) / len(X)  # (22)
    gradient = backward(X, Y, activations, params)
    for theta, dL_dtheta in zip(params, gradient):
        theta -= learning_rate * dL_dtheta  # (23)
    return mean_loss


# ---- Prediction: the trained network, used ----


def predict(X, params):
    """Return the most probable class of each sample in X (n, in), or of one (in,)."""
    return forward(X, params).P.argmax(axis=-1)  # (n,) (24)


def accuracy(X, Y, params):
    """Return the fraction of samples X (n, in) whose class in Y (n, out) is predicted."""
    return np.mean(predict(X, params) == np.argmax(Y, axis=1))  # (25)


# ======================================================================================
# All below is safe use, picture and command. Nobody needs it to understand the network.


@np.errstate(all="ignore")  # an overflow is found in the losses, not shown as a warning
def train(params, X, Y, rng, batch_size=8, learning_rate=0.003, steps=1000, show=False):
    """Fit params, in place, to samples X (n, in) and labels Y (n, out) by SGD.

    Returns losses (steps,), the mean loss of each batch before its step. With show it
    prints, after each tenth of the steps, the mean of the losses since the line before.
    Raises ValueError on bad input, FloatingPointError if loss or params are not finite.
    """
    X, Y = check_arrays(params, X, Y)
    check_settings(batch_size, learning_rate, steps, len(X))
    losses, shown = np.empty(steps), 0
    batches = minibatches(rng, X, Y, batch_size)
    for step, (X_batch, Y_batch) in zip(range(1, steps + 1), batches):
        loss = sgd_step(params, X_batch, Y_batch, learning_rate)
        if not math.isfinite(loss):
            raise divergence(step)
        losses[step - 1] = loss
        if show and step * 10 // steps > (step - 1) * 10 // steps:  # a tenth is done
            mean = losses[shown:step].mean()
            print(f"step {step:{len(str(steps))}}: mean loss {mean:.4f}", flush=True)
            shown = step
    if not all(np.isfinite(theta).all() for theta in params):
        raise divergence(steps)
    return losses


def divergence(step):
    """Return the error of a training that overflows."""
    advice = "lower the learning rate, or scale features of very different sizes"
    return FloatingPointError(f"loss or parameters not finite at step {step}: {advice}")


def check_arrays(params, X, Y):
    """Return X and Y as arrays; raise ValueError for arrays that train cannot use."""
    X, Y = np.asarray(X), np.asarray(Y)
    if X.dtype.kind not in "fiub" or Y.dtype.kind not in "fiub":
        raise ValueError(f"X and Y must be numbers, not {X.dtype} and {Y.dtype}")
    if not all(isinstance(a, np.ndarray) and a.dtype == float for a in params):
        raise ValueError("params must be arrays of floats, which train can update")
    n_in, n_out = len(params.W1), len(params.b2)
    if X.ndim != 2 or X.shape[1] != n_in or Y.shape != (len(X), n_out):
        wanted = f"X (n, {n_in}) and Y (n, {n_out}), a one-hot row for each sample"
        raise ValueError(f"shapes must be {wanted}, not {X.shape} and {Y.shape}")
    if not all(np.isfinite(array).all() for array in (X, Y, *params)):
        raise ValueError("X, Y and params must be finite")
    if (Y < 0).any() or not np.allclose(Y.sum(axis=1), 1):
        raise ValueError("each row of Y must sum to 1, with no entry below 0")
    return X, Y


class Refused(ValueError):
    """A setting that cannot be used."""


def check_settings(batch_size, learning_rate, steps, n_samples):
    """Raise Refused unless train can use these settings for n_samples."""
    check_whole("batch size", batch_size, 1, n_samples)
    check_whole("steps", steps, 1, 10**9)
    if not 0 < learning_rate < math.inf:
        raise Refused(f"learning rate must be finite and > 0, not {learning_rate}")


def check_whole(name, n, low, high):
    """Raise Refused unless n is a whole number from low to high."""
    if not (isinstance(n, (int, np.integer)) and low <= n <= high):
        raise Refused(f"{name} must be a whole number from {low} to {high}, not {n}")


def check_gradient(X, Y, params):
    """Say of each parameter, in one text, if backward agrees with numeric_gradient."""
    measured = numeric_gradient(X, Y, params)
    derived = backward(X, Y, forward(X, params), params)
    largest = max(np.abs(slope).max() for slope in measured)
    verdicts = []
    for name, ours, slope in zip(Params._fields, derived, measured):
        gap = np.abs(ours - slope).max() if np.shape(ours) == slope.shape else np.nan
        verdicts.append(f"{name} {'ok' if gap <= 1e-6 * largest else 'WRONG'}")
    return ", ".join(verdicts)


def plot_loss(losses, path, n_classes=3, title="Training loss"):
    """Draw the losses (steps,) from train, and their running mean, as a .png file."""
    steps = np.arange(1, len(losses) + 1)
    window = math.ceil(len(losses) / 20)
    some = slice(None, None, math.ceil(len(losses) / 10_000))  # thins out many steps
    means = sliding_window_view(losses, window)[some].mean(axis=1)
    middles = sliding_window_view(steps, window)[some].mean(axis=1)
    steps, losses = steps[some], losses[some]
    dot = "." if window == 1 else ""  # a line through few points is hard to see
    chance = np.log(n_classes)
    axes = Figure(figsize=(9, 5)).add_axes((0.07, 0.1, 0.9, 0.82))  # needs no display
    axes.plot(steps, losses, c="0.75", marker=dot, lw=0.8, label="mini-batch")
    axes.plot(middles, means, c="tab:blue", lw=2.5, label=f"running mean of {window}")
    axes.axhline(chance, c="k", ls="--", label=f"chance: ln {n_classes} = {chance:.4f}")
    axes.set(xlabel="step", xmargin=0, ylabel="mean loss per sample (nats)")
    axes.set_ylim(bottom=0)
    axes.set_title(title, fontsize="medium")
    axes.legend()
    axes.figure.savefig(path, format="png", dpi=120)


def run(hidden, batch_size, learning_rate, steps, seed, plot):
    """Check the gradient, train on Iris, print the result, draw the loss."""
    check_whole("hidden", hidden, 1, 10**9)
    check_whole("seed", seed, 0, 2**32 - 1)
    writable = os.access(plot if plot.exists() else plot.parent, os.W_OK)
    if plot.suffix.lower() != ".png" or plot.is_dir() or not writable:
        raise Refused(f"picture must be a .png file that can be written, not {plot}")
    X, Y, X_test, Y_test, _ = load_iris_split(seed)
    check_settings(batch_size, learning_rate, steps, len(X))
    n_in, n_out = X.shape[1], Y.shape[1]
    rng = np.random.default_rng(seed)
    params = init_params(rng, n_in, hidden, n_out)
    settings = f"batch size {batch_size}, learning rate {learning_rate}, seed {seed}"
    print(f"Iris: {len(X)} training samples, {len(X_test)} test samples")
    print(f"network: {n_in} inputs -> {hidden} hidden units -> {n_out} classes")
    print(f"training: {steps} steps, {settings}")
    print(f"chance: a mean loss of ln {n_out} = {np.log(n_out):.4f} nats")
    small = init_params(np.random.default_rng(seed), n_in, 10, n_out)
    print("gradient check:", check_gradient(X[:8], Y[:8], small), flush=True)
    losses = train(params, X, Y, rng, batch_size, learning_rate, steps, show=True)
    for name, inputs, labels in (("training", X, Y), ("test", X_test, Y_test)):
        with np.errstate(all="ignore"):  # as in train
            mean_loss = nll_loss(forward(inputs, params).log_P, labels) / len(inputs)
            share = accuracy(inputs, labels, params)
        if not math.isfinite(mean_loss):
            raise divergence(steps)
        score = f"{100 * share:.1f} % ({round(share * len(inputs))}/{len(inputs)})"
        print(f"{name} set: mean loss {mean_loss:.4f}, accuracy {score}")
    title = f"{hidden} hidden units, {settings}: test accuracy {score}"
    plot_loss(losses, plot, n_out, title)
    print(f"loss curve: {plot}")


def main(argv=None):
    """Run the command; what can be foreseen to go wrong ends in usage and one line."""
    parser = argparse.ArgumentParser("raw_nn.py", description=__doc__.splitlines()[0])
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    add = parser.add_argument
    add("--hidden", type=int, default=20, help="number of hidden units")
    add("--batch-size", type=int, default=8, help="samples per step")
    add("--learning-rate", type=float, default=0.003, help="step per unit of gradient")
    add("--steps", type=int, default=1000, help="number of updates")
    add("--seed", type=int, default=1, help="of split, initial weights and batches")
    add("--plot", type=Path, default="loss_curve.png", help="picture to write")
    try:
        run(**vars(parser.parse_args(argv)))
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: interrupted, nothing drawn\n")
    except (Refused, FloatingPointError, MemoryError, OSError) as error:
        parser.error(error)


if __name__ == "__main__":
    main()

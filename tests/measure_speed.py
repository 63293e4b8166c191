"""Measure raw_nn's speed, as ratios in a Markdown table: python tests/measure_speed.py

What is compared runs by turns in one process, so that both sides see the same
machine; each ratio is given for the minima and for the medians of the rounds.
"""

import os
import platform
import subprocess
import sys
import time
import tracemalloc
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from tempfile import TemporaryDirectory

import numpy as np
from measure_tables import SCRIPT, load, mlp_classifier

nn = load()
HAS_TORCH = find_spec("torch") is not None
IMPORTS = (
    "import numpy, matplotlib.figure, sklearn.datasets, sklearn.model_selection, "
    "numpy.lib.stride_tricks"
)


def race(rounds, **runners):
    """Time every runner once per round; return {name: seconds (rounds,)}."""
    seconds = {name: [] for name in runners}
    for name, run in runners.items():
        run()  # a first time, not counted
    for _ in range(rounds):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def row(what, ours, theirs, seconds, steps=None):
    """Print the ratios of the minima and of the medians, then our minimum."""
    a, b = seconds[ours], seconds[theirs]
    ratios = f"{a.min() / b.min():.2f} | {np.median(a) / np.median(b):.2f}"
    time = f"{1e6 * a.min() / steps:,.0f} µs a step" if steps else f"{a.min():.2f} s"
    print(f"| {what} | {ratios} | {time} |", flush=True)


def shares(seconds):
    """Return the parts' minima in percent of their sum, as a text."""
    total = sum(values.min() for values in seconds.values())
    parts = (f"{name} {values.min() / total:.0%}" for name, values in seconds.items())
    return ", ".join(parts)


def fresh(n_in, n_hidden, n_out):
    """Return new parameters."""
    return nn.init_params(np.random.default_rng(0), n_in, n_hidden, n_out)


# ---- What train is compared with ----


def bare_train(params, X, Y, rng, batch_size, learning_rate, steps):
    """The NumPy calls of a training, their outputs preallocated, and nothing else."""
    W1, b1, W2, b2 = (theta.copy() for theta in params)
    n, n_hidden, n_out = batch_size, *W2.shape
    h1, a1, da1, dh1 = (np.empty((n, n_hidden)) for _ in range(4))
    mask = np.empty((n, n_hidden), bool)
    h2, s, e, P, log_P, dh2 = (np.empty((n, n_out)) for _ in range(6))
    top, total = np.empty((n, 1)), np.empty((n, 1))
    dW1, db1, dW2, db2 = (np.empty_like(theta) for theta in params)
    losses = np.empty(steps)
    batches = islice(nn.minibatches(rng, X, Y, batch_size), steps)
    for step, (X_batch, Y_batch) in enumerate(batches):
        np.matmul(X_batch, W1, out=h1)
        np.add(h1, b1, out=h1)
        np.maximum(h1, 0.0, out=a1)
        np.matmul(a1, W2, out=h2)
        np.add(h2, b2, out=h2)
        h2.max(axis=1, keepdims=True, out=top)
        np.subtract(h2, top, out=s)
        np.exp(s, out=e)
        e.sum(axis=1, keepdims=True, out=total)
        np.divide(e, total, out=P)
        np.log(total, out=total)
        np.subtract(s, total, out=log_P)
        losses[step] = -np.vdot(Y_batch, log_P) / n
        np.subtract(P, Y_batch, out=dh2)
        np.matmul(a1.T, dh2, out=dW2)
        dh2.sum(axis=0, out=db2)
        np.matmul(dh2, W2.T, out=da1)
        np.greater(h1, 0, out=mask)
        np.multiply(da1, mask, out=dh1)
        np.matmul(X_batch.T, dh1, out=dW1)
        dh1.sum(axis=0, out=db1)
        for theta, slope in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2)):
            np.multiply(slope, learning_rate, out=slope)
            np.subtract(theta, slope, out=theta)
    return losses


def products(X, params, n, steps):
    """The five matrix products of a step alone, on batches of n samples."""
    X, (W1, _, W2, _) = X[:n], params
    d1, d2 = np.ones((n, W1.shape[1])), np.ones((n, W2.shape[1]))
    for _ in range(steps):
        X @ W1, d1 @ W2, d1.T @ d2, d2 @ W2.T, X.T @ d1


def torch_train(params, X, Y, rng, batch_size, learning_rate, steps):
    """The same training in PyTorch, in eager mode."""
    import torch

    torch.set_num_threads(os.cpu_count())
    thetas = [torch.tensor(theta, requires_grad=True) for theta in params]
    W1, b1, W2, b2 = thetas
    optimizer = torch.optim.SGD(thetas, lr=learning_rate)
    losses = []
    for X_batch, Y_batch in islice(nn.minibatches(rng, X, Y, batch_size), steps):
        X_batch, Y_batch = torch.from_numpy(X_batch), torch.from_numpy(Y_batch)
        logits = torch.relu(X_batch @ W1 + b1) @ W2 + b2
        loss = torch.nn.functional.cross_entropy(logits, Y_batch, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / batch_size)
    return losses


# ---- The table ----


def iris_rows():
    """Compare a training on Iris with others of as many steps: 67 epochs of 15."""
    X, Y, _, _, _ = nn.load_iris_split()
    labels = Y.argmax(axis=1)

    def timed(train):
        rng = np.random.default_rng
        return lambda: train(fresh(4, 20, 3), X, Y, rng(0), 8, 0.003, 1005)

    def sklearn():
        mlp = mlp_classifier(max_iter=67, tol=0, n_iter_no_change=1000)
        mlp.set_params(shuffle=True).fit(X, labels)

    runners = {"train": timed(nn.train), "sklearn": sklearn, "bare": timed(bare_train)}
    if HAS_TORCH:
        runners["torch"] = timed(torch_train)
    seconds = race(20, **runners)
    what = "Iris, 1,005 steps: `train` / "
    row(what + "`MLPClassifier.fit`", "train", "sklearn", seconds, 1005)
    row(what + "its NumPy calls, preallocated", "train", "bare", seconds, 1005)
    if HAS_TORCH:
        row(what + "PyTorch, eager", "train", "torch", seconds, 1005)


def size_row(n_in, n_hidden, n_out, batch_size):
    """Compare a training with its matrix products, for a network of another size."""
    rng = np.random.default_rng(0)
    n = 4 * max(batch_size, 128)
    X, Y = rng.standard_normal((n, n_in)), np.eye(n_out)[rng.integers(n_out, size=n)]
    params = fresh(n_in, n_hidden, n_out)
    work = batch_size * n_hidden * (n_in + n_out)
    steps = max(10, min(500, 200_000_000 // work))

    def train():
        nn.train(params, X, Y, rng, batch_size, 1e-9, steps)

    def alone():
        products(X, params, batch_size, steps)

    seconds = race(7, train=train, alone=alone)
    size = f"{n_in}-{n_hidden:,}-{n_out}, batch {batch_size:,}"
    what = f"{size}: `train` / its 5 matrix products"
    row(what, "train", "alone", seconds, steps)


def imports():
    """Start a Python that imports what raw_nn imports."""
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def command():
    """Start the command, in a folder of its own."""
    with TemporaryDirectory() as folder:
        call = [sys.executable, SCRIPT]
        subprocess.run(call, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def command_row():
    seconds = race(7, command=command, imports=imports)
    row("`python raw_nn.py` / import of its packages", "command", "imports", seconds)


# ---- The lines below it ----


def step_line():
    """Print which share of a step on Iris each of its parts takes."""
    X, Y, _, _, _ = nn.load_iris_split()
    params = fresh(4, 20, 3)
    batches = nn.minibatches(np.random.default_rng(0), X, Y, 8)
    X, Y = next(batches)
    activations = nn.forward(X, params)
    gradient = nn.backward(X, Y, activations, params)

    def repeat(part):
        return lambda: [part() for _ in range(1000)]

    def update():
        for theta, slope in zip(params, gradient):
            theta -= 1e-9 * slope

    seconds = race(
        20,
        batch=repeat(lambda: next(batches)),
        forward=repeat(lambda: nn.forward(X, params)),
        loss=repeat(lambda: nn.nll_loss(activations.log_P, Y) / 8),
        backward=repeat(lambda: nn.backward(X, Y, activations, params)),
        update=repeat(update),
    )
    print("\nOf a step on Iris:", shares(seconds))


def command_line():
    """Print which share of the command each of its parts takes."""
    X, Y, _, _, _ = nn.load_iris_split()

    def check():
        nn.check_gradient(X[:8], Y[:8], fresh(4, 10, 3))

    def train():
        nn.train(fresh(4, 20, 3), X, Y, np.random.default_rng(0))

    with TemporaryDirectory() as folder:

        def draw():
            nn.plot_loss(np.ones(1000), f"{folder}/loss.png")

        seconds = race(
            7,
            imports=imports,
            data=nn.load_iris_split,
            check=check,
            train=train,
            draw=draw,
        )
    times = (f"{name} {1000 * part.min():.0f} ms" for name, part in seconds.items())
    print("\nOf the command:", shares(seconds), f"({', '.join(times)})")


def memory_lines():
    """Print what train takes besides the array that it returns."""
    X, Y, _, _, _ = nn.load_iris_split()
    for steps in (1000, 10_000):
        tracemalloc.start()
        nn.train(fresh(4, 20, 3), X, Y, np.random.default_rng(0), steps=steps)
        peak = tracemalloc.get_traced_memory()[1] - 8 * steps
        tracemalloc.stop()
        print(f"- {steps:,} steps: {peak / 1024:.0f} KiB besides the array of losses")


def main():
    warnings.simplefilter("ignore")  # MLPClassifier warns that it has not converged
    packages = ["numpy", "scikit-learn", "matplotlib"]
    packages += ["torch"] if HAS_TORCH else []
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
    print("\n| measured | ratio of minima | of medians | our time |")
    print("|---|--:|--:|--:|")
    iris_rows()
    for n_hidden in (20, 256, 4096):
        size_row(4, n_hidden, 3, 8)
    for batch_size in (64, 1024):
        size_row(4, 20, 3, batch_size)
    size_row(784, 1024, 10, 512)
    command_row()
    if not HAS_TORCH:
        print("\nPyTorch is not installed: its row is left out.")
    step_line()
    command_line()
    print("\nPeak memory of `train` on Iris:\n")
    memory_lines()


if __name__ == "__main__":
    main()

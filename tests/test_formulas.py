r"""The mathematics of README.md is that of raw_nn.py: each formula is paired with code.

A pair holds a formula as it is on the page, and the same mathematics in loops or plain
NumPy. All values in a pair have to agree: the sides of the formula, what the script
computes and, for a derivative, what the complex step measures. So an edit of a formula
on the page has no pair any more, and a wrong pair does not agree.
"""

import math
import re
from itertools import product

import numpy as np
import pytest
from numpy import exp, log
from numpy.testing import assert_allclose
from page import PARTS, README, SOURCE, Console, blocks

import raw_nn

# ---- One random problem: a batch, all that the script computes for it, its first row ----

n, n_in, n_hidden, n_out = 5, 4, 6, 3
M, D, K, J = (range(size) for size in (n, n_in, n_hidden, n_out))
rng = np.random.default_rng(0)
X = rng.standard_normal((n, n_in))
Y = np.eye(n_out)[rng.integers(n_out, size=n)]
params = raw_nn.Params(*(rng.standard_normal(s) for s in ((4, 6), 6, (6, 3), 3)))
W1, b1, W2, b2 = params
activations = raw_nn.forward(X, params)
h1, a1, h2, P, log_P = activations
dW1, db1, dW2, db2 = raw_nn.backward(X, Y, activations, params)
L = raw_nn.nll_loss(log_P, Y)
h, y, p = h2[0], Y[0], P[0]
S = sum(exp(h[q]) for q in J)
ell = raw_nn.nll_loss(log_P[0], y)


def same(i, j):
    """Return [i = j]."""
    return 1 if i == j else 0


def slope(function, array):
    """Return the derivative of a function by each entry of array: the complex step."""
    result = np.empty((*array.shape, *np.shape(function(array))))
    for index in np.ndindex(array.shape):
        nudged = array.astype(complex)
        nudged[index] += 1e-30j
        result[index] = np.imag(function(nudged)) / 1e-30
    return result


def loss_of_h2(h2):
    return raw_nn.nll_loss(raw_nn.softmax(h2)[1], Y)


def loss_of_a1(a1):
    return loss_of_h2(a1 @ W2 + b2)


def loss_of_h1(h1):
    return loss_of_a1(raw_nn.relu(h1))


def loss_of(name):
    """Return the loss as a function of one array of parameters."""
    return lambda theta: raw_nn.nll_loss(
        raw_nn.forward(X, params._replace(**{name: theta})).log_P, Y
    )


dh2, da1, dh1 = (
    slope(function, array)
    for function, array in ((loss_of_h2, h2), (loss_of_a1, a1), (loss_of_h1, h1))
)


def source_value(line):
    """Return what an assignment of backward gives, with the true dL_d... before it."""
    expression = re.search(rf"^    {line} = (.*?)  #", SOURCE, re.MULTILINE)[1]
    names = {"X": X, "Y": Y, "P": P, "h1": h1, "a1": a1, "W2": W2}
    names |= {"dL_dh2": dh2, "dL_da1": da1, "dL_dh1": dh1}
    return eval(expression, names)


def matrix(rows, columns, entry):
    """Return the matrix with entry(row, column)."""
    return [[entry(i, j) for j in columns] for i in rows]


def largest(values):
    """Return the index of the largest value."""
    return max(range(len(values)), key=lambda j: values[j])


def drawn():
    """Return mean square and range of many weights, as the uniform distribution has."""
    W = raw_nn.xavier_uniform(np.random.default_rng(0), 400, 600)
    bound = math.sqrt(6 / 1000)
    wide = 2 * bound / W.size * 20  # twenty times the mean gap between draws
    assert -bound <= W.min() < -bound + wide and bound - wide < W.max() <= bound
    counts, _ = np.histogram(W, 8, (-bound, bound))
    assert np.all(np.abs(counts / W.size * 8 - 1) < 6 * np.sqrt(7 / W.size))
    return W.shape, (400, 600)


def numeric(name, i, epsilon=1e-3):
    """Return a central difference by the formula, for one parameter."""
    up, down = params._replace(), params._replace()
    up, down = (
        raw_nn.Params(*(theta.copy() for theta in which)) for which in (up, down)
    )
    getattr(up, name)[i] += epsilon
    getattr(down, name)[i] -= epsilon
    L_up, L_down = (
        raw_nn.nll_loss(raw_nn.forward(X, which).log_P, Y) for which in (up, down)
    )
    measured = raw_nn.numeric_gradient(X, Y, params, epsilon)
    return (L_up - L_down) / (2 * epsilon), getattr(measured, name)[i]


def stepped():
    """Return the parameters after one step, by the formula and by the script."""
    ours = raw_nn.Params(*(theta.copy() for theta in params))
    raw_nn.sgd_step(ours, X, Y, 0.3)
    slopes = [slope(loss_of(name), theta) for name, theta in params._asdict().items()]
    wanted = [theta - 0.3 * by for theta, by in zip(params, slopes)]
    return flat(wanted), flat(ours)


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


softmax_row = [exp(h[i]) / sum(exp(h[j]) for j in J) for i in J]
jacobian = slope(lambda h: raw_nn.softmax(h)[0], h).T  # entry [i, j]: of p_i by h_j
column_sums = [sum(dh2[m, j] for m in M) for j in J]
column_sums_1 = [sum(dh1[m, k] for m in M) for k in K]
total = sum(exp(h[j] - max(h)) for j in J)
hits = [same(largest(P[m]), largest(Y[m])) for m in M]

# ---- The numbered formulas: as displayed, as in the table of all formulas, as code ----

NUMBERED = [
    (
        r"\mathrm{ReLU}(h) = \max(h, 0)",
        r"\mathrm{ReLU}(h) = \max(h, 0)",
        lambda: ([max(value, 0) for value in h1.flat], raw_nn.relu(h1).ravel()),
    ),
    (
        r"s_i = h_i - \max_j h_j",
        r"s_i = h_i - \max_j h_j",
        lambda: (
            [h[i] - max(h[j] for j in J) for i in J],
            log(raw_nn.softmax(h)[0] * total),
        ),
    ),
    (
        r"e_i = \exp(s_i)",
        r"e_i = \exp(s_i)",
        lambda: ([exp(h[i] - max(h)) for i in J], raw_nn.softmax(h)[0] * total),
    ),
    (
        r"\mathrm{total} = \sum_j e_j",
        r"\mathrm{total} = \sum_j e_j",
        lambda: (total, exp(h[0] - max(h)) / raw_nn.softmax(h)[0][0]),
    ),
    (
        r"P_i = \frac{e_i}{\mathrm{total}}",
        r"P_i = e_i / \mathrm{total}",
        lambda: ([exp(h[i] - max(h)) / total for i in J], raw_nn.softmax(h)[0]),
    ),
    (
        r"\log P_i = s_i - \log \mathrm{total}",
        r"\log P_i = s_i - \log \mathrm{total}",
        lambda: ([h[i] - max(h) - log(total) for i in J], raw_nn.softmax(h)[1]),
    ),
    (r"h_1 = X W_1 + b_1", r"h_1 = X W_1 + b_1", lambda: (np.dot(X, W1) + b1, h1)),
    (
        r"a_1 = \mathrm{ReLU}(h_1)",
        r"a_1 = \mathrm{ReLU}(h_1)",
        lambda: (matrix(M, K, lambda m, k: max(h1[m, k], 0)), a1),
    ),
    (r"h_2 = a_1 W_2 + b_2", r"h_2 = a_1 W_2 + b_2", lambda: (np.dot(a1, W2) + b2, h2)),
    (
        r"P,\ \log P = \mathrm{softmax}(h_2),\ \log \mathrm{softmax}(h_2)",
        r"P,\ \log P = \mathrm{softmax}(h_2),\ \log \mathrm{softmax}(h_2)",
        lambda: ([softmax_row, log(softmax_row)], [P[0], log_P[0]]),
    ),
    (
        r"L = -\sum_m \sum_i Y[m,i]\, \log P[m,i]",
        r"L = -\sum_m \sum_i Y[m,i]\, \log P[m,i]",
        lambda: (-sum(Y[m, i] * log(P[m, i]) for m in M for i in J), L),
    ),
    (
        (
            r"\frac{\partial L}{\partial \theta_i} \approx"
            r" \frac{L_\mathrm{up} - L_\mathrm{down}}{2 \varepsilon} \qquad"
            r" L_\mathrm{up} = L(\theta_i + \varepsilon),\quad"
            r" L_\mathrm{down} = L(\theta_i - \varepsilon)"
        ),
        (
            r"\partial L/\partial \theta_i \approx"
            r" (L_\mathrm{up} - L_\mathrm{down}) / (2 \varepsilon)"
        ),
        lambda: numeric("W1", (1, 2)),
    ),
    (
        r"\frac{\partial L}{\partial h_2} = P - Y",
        r"\partial L/\partial h_2 = P - Y",
        lambda: (
            matrix(M, J, lambda m, j: P[m, j] - Y[m, j]),
            source_value("dL_dh2"),
            dh2,
        ),
    ),
    (
        r"\frac{\partial L}{\partial W_2} = a_1^\top\, \frac{\partial L}{\partial h_2}",
        r"\partial L/\partial W_2 = a_1^\top\, \partial L/\partial h_2",
        lambda: (np.dot(a1.T, dh2), dW2, slope(loss_of("W2"), W2)),
    ),
    (
        (
            r"\frac{\partial L}{\partial b_2[j]} ="
            r" \sum_m \frac{\partial L}{\partial h_2[m,j]}"
        ),
        r"\partial L/\partial b_2[j] = \sum_m \partial L/\partial h_2[m,j]",
        lambda: (column_sums, db2, slope(loss_of("b2"), b2)),
    ),
    (
        r"\frac{\partial L}{\partial a_1} = \frac{\partial L}{\partial h_2}\, W_2^\top",
        r"\partial L/\partial a_1 = \partial L/\partial h_2\, W_2^\top",
        lambda: (np.dot(dh2, W2.T), source_value("dL_da1"), da1),
    ),
    (
        (
            r"\frac{\partial L}{\partial h_1} ="
            r" \frac{\partial L}{\partial a_1} \odot \mathbf{1}_{h_1 > 0}"
        ),
        (
            r"\partial L/\partial h_1 ="
            r" \partial L/\partial a_1 \odot \mathbf{1}_{h_1 > 0}"
        ),
        lambda: (
            matrix(M, K, lambda m, k: da1[m, k] if h1[m, k] > 0 else 0),
            source_value("dL_dh1"),
            dh1,
        ),
    ),
    (
        r"\frac{\partial L}{\partial W_1} = X^\top\, \frac{\partial L}{\partial h_1}",
        r"\partial L/\partial W_1 = X^\top\, \partial L/\partial h_1",
        lambda: (np.dot(X.T, dh1), dW1, slope(loss_of("W1"), W1)),
    ),
    (
        (
            r"\frac{\partial L}{\partial b_1[k]} ="
            r" \sum_m \frac{\partial L}{\partial h_1[m,k]}"
        ),
        r"\partial L/\partial b_1[k] = \sum_m \partial L/\partial h_1[m,k]",
        lambda: (column_sums_1, db1, slope(loss_of("b1"), b1)),
    ),
    (
        r"\mathrm{bound} = \sqrt{\frac{6}{n_\mathrm{in} + n_\mathrm{out}}}",
        r"\mathrm{bound} = \sqrt{6 / (n_\mathrm{in} + n_\mathrm{out})}",
        drawn,
    ),
    (
        r"W \sim U(-\mathrm{bound},\ \mathrm{bound})",
        r"W \sim U(-\mathrm{bound},\ \mathrm{bound})",
        drawn,
    ),
    (
        r"\bar{L} = \frac{L}{n}",
        r"\bar{L} = L / n",
        lambda: (L / n, raw_nn.sgd_step(params, X, Y, 0.0)),
    ),
    (
        (
            r"\theta \leftarrow \theta - \eta\, \frac{\partial L}{\partial \theta} \qquad"
            r" \text{for } \theta = W_1,\ b_1,\ W_2,\ b_2"
        ),
        r"\theta \leftarrow \theta - \eta\, \partial L/\partial \theta",
        stepped,
    ),
    (
        r"\mathrm{predict}(x) = \arg\max_j P_j",
        r"\mathrm{predict}(x) = \arg\max_j P_j",
        lambda: ([largest(P[m]) for m in M], raw_nn.predict(X, params)),
    ),
    (
        (
            r"\mathrm{accuracy} = \frac{1}{n} \sum_m"
            r" [\mathrm{predict}(x_m) = \arg\max_j Y[m,j]]"
        ),
        (
            r"\mathrm{accuracy} = \frac{1}{n} \sum_m"
            r" [\mathrm{predict}(x_m) = \arg\max_j Y[m,j]]"
        ),
        lambda: (sum(hits) / n, raw_nn.accuracy(X, Y, params)),
    ),
]

# ---- The formulas without a number: steps of a derivation, formulas of one element ----

A, B2, C2 = np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]), np.array([10, 20])
PM1 = r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"
PM2 = r"\begin{pmatrix} 5 & 6 \\ 7 & 8 \end{pmatrix}"
x, weights = rng.standard_normal((2, 4))
diagonal = np.diag(jacobian)
outside = [(i, j) for i, j in product(J, J) if i != j]
e_h = exp(h)


def hand_example():
    """Return the network of the example by hand, as the page's own block sets it up."""
    console = Console()
    console.paste(blocks("python", PARTS["7"])[0].split("activations = ")[0])
    return [console.locals[name] for name in ("X", "Y", "params")]


def example_gradient():
    X, Y, params = hand_example()
    return raw_nn.backward(X, Y, raw_nn.forward(X, params), params)


def written_out(latex):
    """Return all numbers of the arrays that a formula writes out, row by row."""
    arrays = re.findall(r"begin{pmatrix} (.*?) \\end|= \((.*?)\)", latex)
    return [
        float(x) for pair in arrays for x in re.findall(r"-?[\d.]+", " ".join(pair))
    ]


def small_step(eta=1e-6):
    """Return the loss after a step against the gradient, by the formula and measured."""
    g = raw_nn.Params(dW1, db1, dW2, db2)
    moved = raw_nn.Params(*(theta - eta * by for theta, by in zip(params, g)))
    after = raw_nn.nll_loss(raw_nn.forward(X, moved).log_P, Y)
    return (after - L) / eta, -sum((by**2).sum() for by in g)


def xavier_variance():
    W = raw_nn.xavier_uniform(np.random.default_rng(0), 400, 600)
    assert_allclose(W.var(), 2 / (400 + 600), rtol=4 * np.sqrt(0.8 / W.size))
    return 0, 0


def signal_variance():
    """Return Var(z) over many draws of weights, and what the formula says, nearly."""
    W = np.random.default_rng(0).uniform(-1, 1, (200_000, 4)) * 0.7
    assert_allclose((W @ x).var(), 4 * 0.7**2 / 3 * np.mean(x**2), rtol=0.02)
    return 0, 0


def squared(h, i=None):
    """Return the squared error of one sample as a function of its logits."""
    return 0.5 * sum((raw_nn.softmax(h)[0] - y) ** 2)


EXAMPLE = (
    r"X = \begin{pmatrix} 1 & 2 \\ 2 & -1 \end{pmatrix} \quad"
    r" Y = \begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix} \quad"
    r" W_1 = \begin{pmatrix} 0.4 & -0.6 \\ -0.2 & 0.8 \end{pmatrix} \quad"
    r" b_1 = (2,\ 1) \quad"
    r" W_2 = \begin{pmatrix} 0.5 & -0.5 \\ 1 & 0.5 \end{pmatrix} \quad"
    r" b_2 = (-1,\ 2)"
)
flower = np.subtract([5.1, 3.5, 1.4, 0.2], [5.8, 3.1, 3.8, 1.2])

STEPS = {
    r"x = (-0.7,\ 0.4,\ {-2.4},\ {-1.0})": lambda: ([-0.7, 0.4, -2.4, -1.0], flower),
    r"\mathrm{softmax}(h)_i = \frac{e^{h_i}}{\sum_j e^{h_j}}": lambda: (
        softmax_row,
        raw_nn.softmax(h)[0],
    ),
    r"\frac{e^{h_i - c}}{\sum_j e^{h_j - c}} = \frac{e^{-c}\, e^{h_i}}"
    r"{e^{-c} \sum_j e^{h_j}} = \frac{e^{h_i}}{\sum_j e^{h_j}}": lambda: (
        [exp(h[i] - 2) / sum(exp(h[j] - 2) for j in J) for i in J],
        [exp(-2) * exp(h[i]) / (exp(-2) * sum(exp(h[j]) for j in J)) for i in J],
        softmax_row,
    ),
    r"h_1[m,k] = \sum_d X[m,d]\, W_1[d,k] + b_1[k]": lambda: (
        h1,
        matrix(M, K, lambda m, k: sum(X[m, d] * W1[d, k] for d in D) + b1[k]),
    ),
    r"\ell = -\sum_i y_i \log p_i": lambda: (ell, -sum(y[i] * log(p[i]) for i in J)),
    r"\frac{\partial p_i}{\partial h_i} = \frac{e^{h_i} S - e^{h_i} e^{h_i}}{S^2}"
    r" = \frac{e^{h_i}}{S} \left( 1 - \frac{e^{h_i}}{S} \right)"
    r" = p_i (1 - p_i)": lambda: (
        diagonal,
        [(e_h[i] * S - e_h[i] * e_h[i]) / S**2 for i in J],
        [e_h[i] / S * (1 - e_h[i] / S) for i in J],
        [p[i] * (1 - p[i]) for i in J],
    ),
    r"\frac{\partial p_i}{\partial h_j} = \frac{0 \cdot S - e^{h_i} e^{h_j}}{S^2}"
    r" = -p_i\, p_j": lambda: (
        [jacobian[i, j] for i, j in outside],
        [(0 * S - e_h[i] * e_h[j]) / S**2 for i, j in outside],
        [-p[i] * p[j] for i, j in outside],
    ),
    r"\frac{\partial p_i}{\partial h_j} = p_i\, ([i = j] - p_j)": lambda: (
        jacobian,
        matrix(J, J, lambda i, j: p[i] * (same(i, j) - p[j])),
    ),
    r"\frac{\partial \ell}{\partial h_j} = \sum_i \left( -\frac{y_i}{p_i} \right)"
    r" p_i\, ([i = j] - p_j) = \sum_i y_i\, (p_j - [i = j])"
    r" = p_j \sum_i y_i - y_j = p_j - y_j": lambda: (
        dh2[0],
        [sum((-y[i] / p[i]) * p[i] * (same(i, j) - p[j]) for i in J) for j in J],
        [sum(y[i] * (p[j] - same(i, j)) for i in J) for j in J],
        [p[j] * sum(y[i] for i in J) - y[j] for j in J],
        [p[j] - y[j] for j in J],
    ),
    r"\ell = -\sum_i y_i h_i + \log S": lambda: (
        ell,
        -sum(y[i] * h[i] for i in J) + log(S),
    ),
    r"H[m,j] = \sum_k A[m,k]\, W[k,j] + b[j]": lambda: (
        h2,
        matrix(M, J, lambda m, j: sum(a1[m, k] * W2[k, j] for k in K) + b2[j]),
    ),
    r"\frac{\partial L}{\partial W[k,j]} = \sum_m A[m,k]\, G[m,j]": lambda: (
        slope(loss_of("W2"), W2),
        matrix(K, J, lambda k, j: sum(a1[m, k] * dh2[m, j] for m in M)),
    ),
    r"\frac{\partial L}{\partial b[j]} = \sum_m G[m,j]": lambda: (
        slope(loss_of("b2"), b2),
        [sum(dh2[m, j] for m in M) for j in J],
    ),
    r"\frac{\partial L}{\partial A[m,k]} = \sum_j G[m,j]\, W[k,j]": lambda: (
        da1,
        matrix(M, K, lambda m, k: sum(dh2[m, j] * W2[k, j] for j in J)),
    ),
    EXAMPLE: lambda: (
        written_out(EXAMPLE),
        flat([*hand_example()[:2], *hand_example()[2]]),
    ),
    r"\mathrm{Var}(z) = n_\mathrm{in}\, v\, \mathrm{E}[x^2]": signal_variance,
    r"v = \frac{2}{n_\mathrm{in} + n_\mathrm{out}}": xavier_variance,
    r"\int_{-r}^{r} w^2\, \frac{1}{2r}\, dw = \frac{r^2}{3}": lambda: (
        np.mean((0.7 * np.linspace(-1, 1, 2_000_001)) ** 2).round(6),
        round(0.7**2 / 3, 6),
    ),
    r"L(\theta - \eta g) = L(\theta) - \eta \lVert g \rVert^2 + \ldots": lambda: (
        [1],
        np.divide(*small_step()).round(3),
    ),
    r"\frac{\partial \ell}{\partial h_j} = \sum_i (p_i - y_i)\, p_i\, ([i = j] - p_j)"
    r" = p_j \left( (p_j - y_j) - \sum_i (p_i - y_i)\, p_i \right)": lambda: (
        slope(squared, h),
        [sum((p[i] - y[i]) * p[i] * (same(i, j) - p[j]) for i in J) for j in J],
        [p[j] * ((p[j] - y[j]) - sum((p[i] - y[i]) * p[i] for i in J)) for j in J],
    ),
}

# ---- Formulas within the sentences: those that say more than a name ----

w = 2.0
INLINE = {
    r"e^1 = 2.718": lambda: (exp(1).round(3), 2.718),
    r"e^{0.5} = 1.649": lambda: (exp(0.5).round(3), 1.649),
    r"e^{-1} = 0.368": lambda: (exp(-1).round(3), 0.368),
    r"(X W_1) W_2 = X (W_1 W_2)": lambda: ((X @ W1) @ W2, X @ (W1 @ W2)),
    r"4 \cdot 20 + 20 + 20 \cdot 3 + 3 = 163": lambda: (
        4 * 20 + 20 + 20 * 3 + 3,
        163,
        sum(theta.size for theta in raw_nn.init_params(rng, 4, 20, 3)),
    ),
    r"-\log 0.5741 = 0.555": lambda: (round(-log(0.5741), 3), 0.555),
    r"-\log 1 = 0": lambda: (-log(1), 0),
    r"2 \cdot (0.574 - 1) = -0.852": lambda: (2 * (0.574 - 1), -0.852),
    r"1/p": lambda: (slope(log, np.array(0.3)), 1 / 0.3),
    r"\log 3 = 1.0986": lambda: (round(log(3), 4), 1.0986),
    r"0.5 - 0.1 \cdot (-0.851) = 0.5851": lambda: (0.5 - 0.1 * (-0.851), 0.5851),
    r"\partial L/\partial u = 2uv": lambda: (
        slope(lambda u: u**2 * 5, np.array(3.0)),
        2 * 3 * 5,
    ),
    r"\partial L/\partial v = u^2": lambda: (
        slope(lambda v: 3**2 * v, np.array(5.0)),
        3**2,
    ),
    r"\partial L/\partial w = 36": lambda: (
        slope(lambda w: (3 * w) * w**2, np.array(w)),
        36,
    ),
    r"L = 3w^3": lambda: (3 * w**3, (3 * w) * w**2),
    r"9w^2 = 36": lambda: (9 * w**2, 36),
    rf"{PM1} {PM2} = \begin{{pmatrix}} 19 & 22 \\ 43 & 50 \end{{pmatrix}}": lambda: (
        A @ B2,
        [[19, 22], [43, 50]],
    ),
    rf"{PM1}^{{\!\top}} = \begin{{pmatrix}} 1 & 3 \\ 2 & 4 \end{{pmatrix}}": lambda: (
        A.T,
        [[1, 3], [2, 4]],
    ),
    rf"{PM1} \odot {PM2} = \begin{{pmatrix}} 5 & 12 \\ 21 & 32 \end{{pmatrix}}": (
        lambda: (A * B2, [[5, 12], [21, 32]])
    ),
    rf"{PM1} + (10,\ 20) = \begin{{pmatrix}} 11 & 22 \\ 13 & 24 \end{{pmatrix}}": (
        lambda: (A + C2, [[11, 22], [13, 24]])
    ),
    r"(AB)[m,j] = \sum_k A[m,k]\, B[k,j]": lambda: (
        a1 @ W2,
        matrix(M, J, lambda m, j: sum(a1[m, k] * W2[k, j] for k in K)),
    ),
    r"A^\top[k,m] = A[m,k]": lambda: (a1.T, matrix(K, M, lambda k, m: a1[m, k])),
    r"A[m,k] = A^\top[k,m]": lambda: (a1, matrix(M, K, lambda m, k: a1.T[k, m])),
    r"p_i = e^{h_i}/S": lambda: (p, [e_h[i] / S for i in J]),
    r"e^{h_j}/S = p_j": lambda: (slope(lambda h: log(exp(h).sum()), h), p, e_h / S),
    r"\partial S/\partial h_j = e^{h_j}": lambda: (
        slope(lambda h: exp(h).sum(), h),
        e_h,
    ),
    r"\partial \ell/\partial p_i = -y_i/p_i": lambda: (
        slope(lambda p: -(y * log(p)).sum(), p),
        -y / p,
    ),
    r"\log p_i = h_i - \log S": lambda: (log_P[0], h - log(S)),
    r"\sum_i y_i\, [i = j]": lambda: (
        y,
        [sum(y[i] * same(i, j) for i in J) for j in J],
    ),
    r"\log P_i": lambda: (log_P[0], raw_nn.softmax(h)[1]),
    r"p_j - y_j": lambda: (dh2[0], p - y),
    r"p - y": lambda: (dh2[0], p - y),
    r"P - Y": lambda: (dh2, P - Y),
    r"H = A W + b": lambda: (h2, a1 @ W2 + b2),
    r"A^\top G": lambda: (slope(loss_of("W2"), W2), a1.T @ dh2),
    r"G W^\top": lambda: (da1, dh2 @ W2.T),
    r"G\, W^\top": lambda: (da1, dh2 @ W2.T),
    r"z = \sum_d x_d w_d": lambda: (sum(x[d] * weights[d] for d in D), x @ weights),
    r"\lVert g \rVert^2 = 5.375": lambda: (
        sum((by**2).sum() for by in example_gradient()),
        5.375,
    ),
    r"e^{709}": lambda: (np.isfinite(exp(709.0)), math.log(np.finfo(float).max) < 710),
    r"e^0 = 1": lambda: (exp(0), 1),
    r"1.8 \cdot 10^{308}": lambda: (float(f"{np.finfo(float).max:.1e}"), 1.8e308),
    r"1 - \tanh^2": lambda: (slope(np.tanh, np.array(w)), 1 - np.tanh(w) ** 2),
    r"1 - a_1^2": lambda: (slope(np.tanh, np.array(w)), 1 - np.tanh(w) ** 2),
    r"\lambda \theta": lambda: (
        slope(lambda t: 0.01 / 2 * (t**2).sum(), b1),
        0.01 * b1,
    ),
    r"\partial \ell/\partial p_i = p_i - y_i": lambda: (
        slope(lambda p: 0.5 * ((p - y) ** 2).sum(), p),
        p - y,
    ),
}

# Definitions, conditions and sizes: nothing in the script has to equal them.
NAMES_ONLY = {
    r"e^{-c}",
    r"v\, \mathrm{E}[x^2]",
    r"-\eta g_i",
    r"-\eta g_i^2",
    r"\theta_i",
    r"L = u^2 v",
    r"u = 3w",
    r"v = w^2",
    r"L = u v",
    r"S = \sum_q e^{h_q}",
    r"j = i",
    r"j \neq i",
    r"[i = j]",
    r"i = j",
    r"G = \partial L/\partial H",
    r"[k,j]",
    r"[m,k]",
    r"A = a_1",
    r"W = W_2",
    r"b = b_2",
    r"G = \partial L/\partial h_2",
    r"h_1 > 0",
    r"h_1 < 0",
    r"\mathbf{1}_{h_1 > 0}",
    r"A = X",
    r"W = W_1",
    r"b = b_1",
    r"G = \partial L/\partial h_1",
    r"10^{-6}",
    r"L_\mathrm{up} - L_\mathrm{down}",
    r"a_1 = 0",
    r"W_2 = 0",
    r"\mathrm{E}[x^2]",
    r"n_\mathrm{in}\, v = 1",
    r"n_\mathrm{out}\, v = 1",
    r"-r",
    r"v = 2/n_\mathrm{in}",
    r"\lVert g \rVert^2",
    r"\eta^2",
    r"e^{800}",
    r"\infty/\infty",
    r"10^{-16}",
    r"\lambda = 0.01",
    r"\frac{\lambda}{2} \sum \theta^2",
    r"L = \frac{1}{2} \sum_m \sum_i (P[m,i] - Y[m,i])^2",
}
NAME = (
    r"\\(bar\{L\}|log [PS]|mathrm\{\w+\}|[a-z]+)"
    r"|[A-Za-z](_\w|_\\mathrm\{\w+\})?(\[[a-z,]+\])?"
)
A_NAME = re.compile(rf"(\\partial L/\\partial )?({NAME})(,(\\ | )({NAME}))*")

# ---- The tests ----


def displayed():
    """Return the displayed formulas of the page, each on one line."""
    return [" ".join(block.split()) for block in blocks("math")]


def inline():
    """Return the formulas within sentences and tables, without the table of all."""
    text = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    text = text.replace(PARTS["12"], "")
    return re.findall(r"\$`(.*?)`\$", text)


def assert_all_equal(values):
    for value in values[1:]:
        assert_allclose(value, values[0], rtol=1e-12, atol=1e-12)


def test_each_displayed_formula_has_a_pair_and_the_numbers_count_up():
    numbered = [rf"{page} \tag{{{i}}}" for i, (page, _, _) in enumerate(NUMBERED, 1)]
    assert [f for f in displayed() if r"\tag" in f] == numbered
    assert [f for f in displayed() if r"\tag" not in f] == list(STEPS)


def test_the_table_of_all_formulas_has_each_of_them():
    rows = re.findall(r"^\| \((\d+)\) \| \$`(.*?)`\$", PARTS["12"], re.MULTILINE)
    assert rows == [(str(i), table) for i, (_, table, _) in enumerate(NUMBERED, 1)]


def test_each_formula_in_a_sentence_has_a_pair_or_is_only_a_name():
    found = set(inline())
    assert {f for f in found if not A_NAME.fullmatch(f)} - NAMES_ONLY == set(INLINE)
    assert NAMES_ONLY <= found


@pytest.mark.parametrize("number", range(1, len(NUMBERED) + 1))
def test_a_numbered_formula_equals_the_script(number):
    assert_all_equal(NUMBERED[number - 1][2]())


@pytest.mark.parametrize("latex", STEPS)
def test_a_step_of_a_derivation_holds(latex):
    assert_all_equal(STEPS[latex]())


@pytest.mark.parametrize("latex", INLINE)
def test_a_formula_in_a_sentence_holds(latex):
    assert_all_equal(INLINE[latex]())

"""Formulas of the page, made Python and computed: for tests.

Substitutions turn LaTeX into Python, in which each index letter is an axis, so that sums
and products line up. A name means what a line of the script gives it, a derivative what
the complex step gives; a number, what the line with that number computes.
"""

import re
from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose
from problems import NUMBERED, complex_step, loss_gradient, random_problem, run_line
from readme import FENCE, blocks

import raw_nn

ROW = 1  # the sample that formulas of a single sample are tried with
INDICES = "mdkrcjqi"  # the axes
SKIPPED = [r"W\simU", "a_1=0", "W_2=0"]  # that state nothing: a draw, a case
IN_BRACKETS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
SUM = rf"\\sum_(\w)((?:[^-+()=]|{IN_BRACKETS})*)", r" over('\1',\2)"
PYTHON = [  # LaTeX, and its Python, in which @ is a product without a sign
    (r"(?:&|\\\\)(?=[^p]*\\end\{pmatrix\})", ","),
    (r"\\begin\{pmatrix\}", "("),
    (r"\\end\{pmatrix\}", ")"),
    (r"\\(begin|end)\{align\}|\\tag\{\d+\}|&|\\(displaystyle|[, ])", " "),
    (r"\{(-[\d.]+)\}", r"\1"),
    (r"_\\mathrm\{(\w+)\}", r"_\1 "),
    (r"\\bar\{L\}", " mean_loss "),
    (r"\\mathrm\{(\w+)\}", r" \1"),
    (r"(?<=[Wbah])_(?=\d)", ""),
    (r"\\partial \\?(\w+)/\\partial \\?(\w+)", r" d\1_d\2 "),
    (r"\\frac\{\\partial \\?(\w+)\}\{\\partial \\?(\w+)(.*?)\}", r" d\1_d\2\3 "),
    (r"\\frac\{(.*?)\}\{(.*?)\}", r" ((\1)/(\2)) "),
    (r"\\mathbf\{1\}_\{([^{}]*)\}", lambda m: f" ({m[1].replace('=', '==')}) "),
    (r"\^\\top", ".T "),
    (r"\\(odot|cdot)", "*"),
    (r"\\(max\(|arg|exp)", r" \1"),
    (r"\\(log|sqrt)\s*(?=\{|\()", r" \1"),
    (r"\\log\s*((?:\\?\w|\.)+(?:\(.*?\)|\[.*?\])?)", r" log(\1)"),
    (r"\^", "**"),
    (r"\[([a-z,]+)\]", r"['\1']"),
    (r"\\max_(\w) ?(\w+\[.*?\])", r"max_('\1',\2)"),
    *[SUM, SUM],  # a sum within a sum
    (r"\\(\w+)", r" \1 "),
    (r"\{", "("),
    (r"\}", ")"),
    (r"(?<=[\w)\]])\s+(?=[\w(])|(?<=[)\]])(?=[\w(])|(?<=\d)(?=[a-z])", "@"),
    (r"(?<![\w)'\]])\(([^()]*,.*)\)", r"row(\1)"),
]
RELATION = re.compile(r"(=|\\approx|\\sim|\\leftarrow)(?![^{]*\})")


def formulas(text):
    """Return [(number or None, formula)] of a text: all that are relations or numbered."""
    displays = "\n\\\\\n".join(blocks("math", text)).replace("\\\\\n&=", "=")
    found = re.split(r"\\\\\n|\\q?quad", displays)
    found = [(re.search(r"\\tag\{(\d+)\}|$", formula)[1], formula) for formula in found]
    prose = FENCE.sub("", text)
    row = r"(?m)^\|\((\d+)\)\|`[^`|]+`\|\$`([^`]+)`\$\|$"  # of a table: number, line, formula
    found += re.findall(row, prose)
    inline = r"\$`([^`]+)`\$(?:(?:,? `[^`]+`)? \((\d+)\))?"  # with (n) right behind it
    found += [(n, formula) for formula, n in re.findall(inline, re.sub(row, "", prose))]
    says = lambda f: RELATION.search(f) and "".join(f.split()) not in SKIPPED
    return [(n and int(n) or None, f) for n, f in found if n or says(f)]


def python(latex):
    """Return the Python of one side of a formula."""
    for pattern, replacement in PYTHON:
        latex = re.sub(pattern, replacement, latex.strip())
    return latex.strip()


class Array(np.ndarray):
    """An array; a["m,j"] lays its axes along those of m and j in INDICES."""

    def __getitem__(self, names):
        if not isinstance(names, str):
            return super().__getitem__(names)
        names = names.replace(",", "")
        array = self[ROW] if len(names) < self.ndim else self  # of a single sample
        wide = array.reshape(array.shape + (1,) * (len(INDICES) - array.ndim))
        return np.moveaxis(wide, range(array.ndim), [INDICES.index(n) for n in names])

    def __matmul__(self, other):
        matrices = 0 < self.ndim < 3 and np.ndim(other) == 2
        return np.matmul(self, other) if matrices else self * other

    __rmatmul__ = np.ndarray.__mul__


def array(values):
    return np.array(values, float).view(Array)


def along(function):
    return lambda i, a: array(function(a, axis=INDICES.index(i), keepdims=True))


def meanings():
    """Return ({name: value} for formulas, {number: value that its line computes})."""
    X, Y, params = random_problem(5, 4, 6, 3)
    h1, a1, h2, P, _ = activations = raw_nn.forward(X, params)
    softmax = raw_nn.softmax
    loss = lambda h2: raw_nn.nll_loss(softmax(h2)[1], Y)
    loss_of_a1 = lambda a1: loss(a1 @ params.W2 + params.b2)
    loss_of_h1 = lambda h1: loss_of_a1(raw_nn.relu(h1))
    nudges = 1e-5 * np.eye(3)

    names = vars(raw_nn) | params._asdict() | {"params": params, "X": X, "Y": Y}
    names |= {"activations": activations, "h": h2, "theta": params.b2.copy(), "i": ...}
    names |= {"epsilon": 1e-5, "learning_rate": 0.003, "dL_dtheta": np.zeros(3)}
    names |= {"L_up": np.array([loss(h2 + nudge) for nudge in nudges])}
    names |= {"L_down": np.array([loss(h2 - nudge) for nudge in nudges])}
    names["rng"] = SimpleNamespace(uniform=lambda a, b, size: np.array([a, b]))
    names |= {"n_in": 4, "n_out": 3}
    computed = {number: names[run_line(number, names)] for number in NUMBERED}

    known = {k: v for k, v in names.items() if isinstance(v, (np.ndarray, float, int))}
    slopes = loss_gradient(X, Y, params)._asdict() | {"h2": complex_step(loss, h2)}
    slopes |= {"a1": complex_step(loss_of_a1, a1), "h1": complex_step(loss_of_h1, h1)}
    known |= {f"dL_d{name}": slope for name, slope in slopes.items()}
    meant = {"W": "W2", "b": "b2", "A": "a1", "H": "h2", "theta": "b2"}
    known |= {name: known[other] for name, other in meant.items()}
    known |= {f"dL_d{name}": slopes[other] for name, other in meant.items()}
    known |= {"B": params.W2, "G": slopes["h2"], "g": slopes["b2"], "L": loss(h2)}
    known |= {"L_after": loss(a1 @ params.W2 + computed[23])}
    x, y, h, p = X[ROW], Y[ROW], h2[ROW], P[ROW]  # of a single sample
    sample_loss = lambda h: -softmax(h)[1] @ y
    known |= {"dell_dh": complex_step(sample_loss, h), "ell": sample_loss(h)}
    known |= {"x": x, "y": y, "h": h, "p": p, "t": h.max(), "Z": np.exp(h).sum()}
    known |= {"n": 5, "eta": 0.003, "varepsilon": 1e-5, "total": names["total"][ROW, 0]}
    known |= {"w": 2, "u": 6, "v": 4, "f": 24, "delta": 0.3, "gamma": 0.2}
    known = {name: array(value) for name, value in known.items()}

    known |= {"row": lambda *a: array(a), "U": lambda *a: array(a), "max": np.maximum}
    known |= {"ReLU": raw_nn.relu, "softmax": lambda h: array(softmax(h)[0])}
    known |= {"over": along(np.sum), "max_": along(np.max), "argmax_": along(np.argmax)}
    for f in (np.exp, np.log, np.sqrt):
        known[f.__name__] = lambda x, f=f: array(f(x))
    return known, computed


def check(formula, known, line=None):
    """Fail unless all sides of a formula agree, and what the line computes, if given."""
    sides = RELATION.split(formula)
    relations, names = ["=", *sides[1::2]], [python(side) for side in sides[::2]]
    try:
        values = [eval(name, {}, known) for name in names]
    except Exception as error:
        advice = "mend it; a new name: meanings() of formulas.py"
        raise AssertionError(f"{formula}: {error}: {advice}") from error
    numbers = not re.search("[a-zA-Z]", re.sub("row|log|exp", "", "".join(names[1:])))
    if relations[-1] in (r"\sim", r"\leftarrow") or (numbers and len(values) > 2):
        del values[0], relations[0]  # a new value; or p - y, of another network
    for relation, value in zip(relations, values):
        limit = 6e-4 if relation == r"\approx" else 1e-9
        value, wanted = np.ravel(value), np.ravel(values[0])
        assert_allclose(value, wanted, rtol=1e-9, atol=limit, err_msg=formula)
    if line is not None:
        line = line if np.size(line) == value.size else np.ravel(line[ROW])
        assert_allclose(np.ravel(line), value, rtol=1e-9, atol=1e-9, err_msg=formula)

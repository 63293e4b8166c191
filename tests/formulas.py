"""Reads the displayed formulas of the page, and computes all sides of each.

Names and functions mean what the script computes, derivatives what the complex step
gives; the rest follows from the LaTeX. A sign or index wrong on the page is wrong here.
"""

import functools
import itertools
import re
from types import SimpleNamespace

import numpy as np
from make_page import NUMBERED
from networks import complex_step, loss_gradient, random_problem
from numpy.testing import assert_allclose

import raw_nn

ROW = 1  # the sample that formulas of a single sample are tried with
SIZES = {"m": 5, "d": 4, "k": 6, "j": 3, "q": 3, "r": 6, "c": 3, "i": 3}
SKIPPED = re.compile(r"\\left|\\right|\\[, ]|\s|\{(?=-[\d.]+\})|(?<=\d)\}(?=[,)])")
TOKEN = re.compile(
    r"\\frac\{\\partial(?P<above>[^{}]+)\}\{\\partial(?P<below>[^{}]+)\}"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>\\mathrm\{\w+\}|\\bar\{L\}|\\(?:ell|theta|eta|delta|gamma|varepsilon)"
    r"|[A-Za-z](?:_\d|_\\mathrm\{\w+\})?)"
    r"|\\(?:frac|sum|max|arg|exp|log|sqrt|mathbf|top|odot|cdot)|[-+*/^_{}()\[\],=<>]"
)
RELATION = re.compile(r"(=|\\approx|\\sim|\\leftarrow)(?![^{]*\})")
FUNCTIONS = {r"\exp": np.exp, r"\log": np.log, r"\sqrt": np.sqrt}


class Side:
    """One side of a formula; value(j=0, ...) computes it for these indices."""

    def __init__(self, latex, known):
        slope = r"\\partial (\w)/\\partial (\w(?:_\d)?)"  # in a line of text
        latex = re.sub(slope, r"\\frac{\\partial \1}{\\partial \2}", latex)
        text = SKIPPED.sub("", latex)
        self.tokens, self.known = list(TOKEN.finditer(text)), known
        assert "".join(token[0] for token in self.tokens) == text, f"unreadable: {text}"

    def value(self, **indices):
        self.at, self.indices = 0, indices
        value = self.expression()
        assert self.at == len(self.tokens), "not read to the end"
        return value

    def sees(self, *words):
        return self.at < len(self.tokens) and self.tokens[self.at][0] in words

    def take(self, *words):
        self.at += (seen := self.sees(*words))
        return seen

    def expression(self):
        value = -self.term() if self.take("-") else self.term()
        while self.sees("+", "-"):
            sign = 1 if self.take("+") else -self.take("-")
            value = value + sign * self.term()
        return value

    def term(self):
        value = self.factor()
        while self.at < len(self.tokens) and not self.sees(*"+-=<>,)]}"):
            if self.take("/"):
                value = value / self.factor()
            elif self.take(r"\odot", r"\cdot"):
                value = value * self.factor()
            else:
                right = self.factor()
                matrix = np.ndim(value) > 0 and np.ndim(right) == 2
                value = value @ right if matrix else value * right
        return value

    def factor(self):
        value = self.atom()
        while self.sees("[", "^") or (callable(value) and self.sees("(")):
            if self.take("["):
                value = self.element(value, self.names())
            elif self.take("("):
                value = value(*self.values(")"))
            else:
                self.take("^")
                value = value.T if self.take(r"\top") else value ** self.factor()
        return value

    def meaning(self, name):
        assert name in self.known, f"give {name} a value: meanings() in formulas.py"
        return self.known[name]

    def values(self, end):
        values = [self.expression()]
        while self.take(","):
            values.append(self.expression())
        assert self.take(end), f"no {end}"
        return values

    def names(self):
        names = [self.tokens[self.at][0]]
        self.at += 2
        return names if self.tokens[self.at - 1][0] == "]" else names + self.names()

    def element(self, array, names):
        if np.ndim(array) == 2 and names in (["j"], ["q"]):  # of a single sample
            return array[ROW, self.indices[names[0]]]
        missing = [name for name in names if name not in self.indices]
        assert not missing, f"give the index {missing} a size: SIZES in formulas.py"
        return np.asarray(array)[tuple(self.indices[name] for name in names)]

    def braces(self):
        assert self.take("{")
        return self.values("}")[0]

    def over(self):
        """Read an index such as _j, and return the next term for each of its values."""
        assert self.take("_")
        name, begin, values = self.tokens[self.at][0], self.at + 1, []
        for value in range(SIZES[name]):
            self.at, self.indices = begin, {**self.indices, name: value}
            values.append(self.term())
        return values

    def atom(self):
        token, self.at = self.tokens[self.at], self.at + 1
        word = token[0]
        if token["number"]:
            return float(word)
        if token["below"]:
            names = [re.sub(r"\[.*", "", token[k]) for k in ("above", "below")]
            indices = re.findall(r"(?<=[\[,])\w", token["above"] + token["below"])
            slopes = self.meaning(tuple(names))
            return self.element(slopes, indices) if indices else slopes
        if token["name"]:
            value = self.indices[word] if word in self.indices else self.meaning(word)
            return value(self.indices.get("i")) if word.startswith("L_") else value
        if word == "(":
            values = self.values(")")
            return values[0] if len(values) == 1 else np.array(values)
        if word == r"\frac":
            return self.braces() / self.braces()
        if word == r"\sum":
            return sum(self.over())
        if word == r"\max":
            return np.maximum(*self.values(")")) if self.take("(") else max(self.over())
        if word == r"\arg" and self.take(r"\max"):
            return np.argmax(self.over())
        if word == r"\mathbf":  # 1 where a condition holds
            assert self.braces() == 1 and self.take("_") and self.take("{")
            left, above = self.expression(), self.take(">")
            assert above or self.take("=")
            right = self.values("}")[0]
            return np.where(left > right if above else left == right, 1.0, 0.0)
        return FUNCTIONS[word](self.braces() if self.sees("{") else self.factor())


def run(names, *numbers):
    """Execute the script's lines with these numbers; return names and what they set."""
    for number in numbers:
        line = NUMBERED[number].strip().replace("return ", "drawn = ")
        exec(line, vars(raw_nn).copy(), names)  # noqa: S102
    return names


@functools.cache
def meanings(squared=False):
    """Return {LaTeX: value} of names, and {(above, below): slopes} of derivatives.

    With squared, the loss of a sample is half its squared error.
    """
    X, Y, params = random_problem(5, 4, 6, 3)
    activations = raw_nn.forward(X, params)
    h1, a1, h2, P, log_P = activations
    y, W2, b2 = Y[ROW], params.W2, params.b2
    arrays = {"X": X, "Y": Y, **params._asdict(), **activations._asdict()}
    known = {re.sub(r"(?<=[a-zA-Z])(\d)$", r"_\1", k): v for k, v in arrays.items()}
    softmax = run({"h": h2[ROW]}, 2, 3, 4, 5, 6)
    ends = SimpleNamespace(uniform=lambda low, high, size: np.array([low, high]))
    drawn = run({"n_in": 4, "n_out": 3, "rng": ends}, 20, 21)
    stepped, nudge = raw_nn.Params(*map(np.copy, params)), 1e-5 * np.eye(3)
    known |= {"x": X[ROW], "h": h2[ROW], "p": P[ROW], "y": y, "s": softmax["s"], "n": 5}
    known |= {"e": softmax["e"], r"\mathrm{total}": softmax["total"][0]}
    known |= {"Z": np.exp(h2[ROW]).sum(), "t": h2[ROW].max()}
    known |= {"L": raw_nn.nll_loss(log_P, Y)}
    known |= {r"\mathrm{ReLU}": raw_nn.relu}
    known |= {r"\mathrm{softmax}": lambda h: raw_nn.softmax(h)[0]}
    known |= {r"\mathrm{predict}": lambda X: raw_nn.predict(X, params)}
    known |= {r"\mathrm{accuracy}": raw_nn.accuracy(X, Y, params)}
    known |= {"A": a1, "B": W2, "W": W2, "b": b2, "H": h2}  # a linear layer
    known |= {"w": 2.0, "u": 6.0, "v": 4.0, "f": 24.0}  # of the chain rule
    known |= {r"\delta": 0.3, r"\gamma": 0.2, r"\varepsilon": 1e-5}
    known |= {r"\bar{L}": raw_nn.sgd_step(stepped, X, Y, 0.003), r"\eta": 0.003}
    known |= {r"\theta": b2, r"\leftarrow": stepped.b2, r"\sim": drawn["drawn"]}
    known |= {r"L_\mathrm{up}": lambda i: from_h2(a1 @ W2 + b2 + nudge[i])}
    known |= {r"L_\mathrm{down}": lambda i: from_h2(a1 @ W2 + b2 - nudge[i])}
    known |= {r"L_\mathrm{after}": lambda _: from_h2(a1 @ W2 + stepped.b2)}
    known |= {r"n_\mathrm{in}": 4, r"n_\mathrm{out}": 3}
    known |= {r"\mathrm{bound}": drawn["bound"], "U": lambda *ends: np.array(ends)}

    def from_h2(h2):
        return raw_nn.nll_loss(raw_nn.softmax(h2)[1], Y)

    def sample_loss(h):
        p, log_p = raw_nn.softmax(h)
        return ((p - y) ** 2).sum() / 2 if squared else -log_p @ y

    gradient = loss_gradient(X, Y, params)
    slopes = dict(zip(("W_1", "b_1", "W_2", "b_2"), gradient))
    slopes["h_2"] = complex_step(from_h2, h2)
    slopes["a_1"] = complex_step(lambda a1: from_h2(a1 @ W2 + b2), a1)
    slopes["h_1"] = complex_step(lambda h1: from_h2(raw_nn.relu(h1) @ W2 + b2), h1)
    meant = {"W": "W_2", "b": "b_2", "A": "a_1", "H": "h_2", r"\theta": "b_2"}
    slopes |= {name: slopes[other] for name, other in meant.items()}
    known |= {("L", name): slope for name, slope in slopes.items()}
    known |= {"G": slopes["h_2"], "g": slopes["b_2"]}
    known[r"\ell", "h"] = complex_step(sample_loss, h2[ROW])
    known[r"\ell"] = sample_loss(h2[ROW])
    return known


def formulas(display):
    """Return the formulas of a displayed block, without their numbers."""
    text = re.sub(r"\\(begin|end)\{align\}|\\tag\{\d+\}|(?<!\\)\\ ", "", display)
    text = text.replace("\\\\\n&=", "=")  # a line that goes on
    for matrix in re.findall(r"\\begin\{pmatrix\}(.*?)\\end\{pmatrix\}", text):
        text = text.replace(matrix, "(" + re.sub(r"&|\\\\", ",", matrix) + ")")
    text = re.sub(r"\\(begin|end)\{pmatrix\}|&", "", text)
    lines = re.split(r"\\\\\n|\\q?quad", text)
    return [line for line in lines if RELATION.search(line)]


def check(formula, known):
    """Fail unless all sides of a formula agree, for all values of its indices."""
    words = RELATION.split(formula)
    sides, relations = [Side(side, known) for side in words[::2]], ["=", *words[1::2]]
    named = [any(token["name"] for token in side.tokens) for side in sides]
    numbers_only = not any(named[1:])
    if numbers_only and named[0] and len(sides) > 2 < len(sides[0].tokens):
        del sides[0], relations[0]  # such as p - y, of another network
    free = set(re.findall(r"(?<=[\[,])[a-z](?=[\],])", words[0]))
    free = sorted(free - set(re.findall(r"\\(?:sum|max)_(\w)", words[0])))
    for values in itertools.product(*(range(SIZES[name]) for name in free)):
        indices = dict(zip(free, values))
        wanted = known.get(relations[1], sides[0].value(**indices))
        for relation, side in zip(relations[1:], sides[1:]):
            limit = 6e-4 if relation == r"\approx" else 1e-9
            value = side.value(**indices)
            if numbers_only:  # a matrix is written as all its numbers in a row
                value, wanted = np.ravel(value), np.ravel(wanted)
            assert_allclose(value, wanted, rtol=1e-9, atol=limit, err_msg=formula)

"""What the page says in sentences and tables: make_page.py writes the numbers into it.

Each line of facts.txt is a sentence, or a part of one, that stands on the page once. What
it has in braces is computed, as in an f-string, with the names that the functions of
NAMES return. A line "? a < b: words" says what a person has to rewrite when a < b is not
true. The functions of ROWS make rows of tables: how the table's head begins, the first
cell, and the others, where None leaves one as it is.
"""

import functools
import math
import re
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
import readme
from problems import DEFAULTS, NUMBERED, SOURCE
from readme import COMMAND, Prompt, code_of, networks, part, pastes, run

import raw_nn

FACTS, RESULTS = (Path(__file__).parent / name for name in ("facts.txt", "results.txt"))
WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen "
WORDS = f"{WORDS}fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
IN_WORDS = "|".join([*WORDS[2:], *map(str.capitalize, WORDS[2:])])
NUMBER = rf"[−-]?\d(?:[\d.,]*\d)?|\b(?:{IN_WORDS})\b"
NOT_COMPUTED = {  # figure: where it is from
    "Python 3.10": "the oldest for .ci/versions",
    "0.0779": "exercise 3, solved",
    "4,8 for 4.8": "an example of a decimal comma",
    "−0.5 on the other": "twice the printed mean of both sides",
}


@functools.cache
def results():
    """Return {name: an array of what measure.py kept of each seed}."""
    rows = [line.split() for line in RESULTS.read_text().splitlines()[1:]]
    digits = lambda kept: [*map(int, kept[0] if len(kept) == 1 else kept)]
    return {name: np.array(digits(kept)) for name, *kept in rows}


@functools.cache
def losses(flags="", script=raw_nn):
    """Return the losses that a run prints, in training and test, and the right flowers."""
    pattern = r"set: mean loss (\S+), accuracy .*\((\d+)/"
    (train, _), (test, right) = re.findall(pattern, run(f"{COMMAND} {flags}", script))
    return train, test, right


def spiral(page, letter):
    """Return the training accuracy on the spiral, and the first and the last loss."""
    script, _ = networks(page)[letter]
    printed, names = readme.run_file(readme.files(page)["spiral.py"], script)
    points = re.search(r"accuracy: (\d+ %)", printed)[1]
    return points, f"{names['losses'][0]:.2f}", f"{names['losses'][-1]:.2f}"


def stages(page):
    """Return [(stage, what it prints)] of the finished file of the part Write it."""
    first, rest = pastes(part(page, "Write it"))[:2]
    printed = Prompt(raw_nn, first).paste(rest)
    return re.findall(r"^(\w+) (.*)$", printed, re.MULTILINE)


def defaults(page):
    """What follows from the data, the defaults, and the run of the command."""
    X, X_test, Y, _, mean = raw_nn.load_iris_split()
    (n, n_in), n_test, n_out = X.shape, len(X_test), Y.shape[1]
    count = lambda n_in, hidden, n_out: (n_in + 1 + n_out) * hidden + n_out
    own, small = count(n_in, DEFAULTS["hidden"], n_out), count(4, 2, 3)
    size, steps, log = DEFAULTS["batch_size"], DEFAULTS["steps"], math.log
    epoch, word = math.ceil(n / size), lambda n: WORDS[n] if n < 21 else f"{n:,}"
    w, u, v, lines = 2, 6, 4, len(SOURCE.splitlines())
    train_D, _, right = losses()
    one_by_one = losses(f"--batch-size 1 --steps {size * steps}")[0]
    return locals() | DEFAULTS


def seeds(page):
    """What was measured over seeds."""
    measured, means = results(), {k: 100 - v.mean() / 0.3 for k, v in results().items()}
    wrong = np.array(
        [measured[letter] - measured["raw_nn"][2:302] for letter in "ABCE"]
    )
    gap = math.ceil(np.abs(wrong.mean(axis=1) / 0.3).max() * 10) / 10  # in points
    return {"measured": measured, "means": means, "gap": gap, "n_seeds": wrong.shape[1]}


def cosine_iris(page):
    """The angle between the gradients of D and B in the run of B on Iris."""
    script, cosines, rng = networks(page)["B"][0], [], np.random.default_rng(1)
    X, _, Y, *_ = raw_nn.load_iris_split()
    params = raw_nn.init_params(rng, 4, DEFAULTS["hidden"], 3)
    for X_batch, Y_batch in islice(raw_nn.minibatches(rng, X, Y, 8), 1000):
        given = X_batch, Y_batch, raw_nn.forward(X_batch, params), params
        both = [
            np.concatenate([*map(np.ravel, s.backward(*given))])
            for s in (raw_nn, script)
        ]
        cosines.append(
            np.divide(both[0] @ both[1], math.prod(map(np.linalg.norm, both)))
        )
        script.sgd_step(X_batch, Y_batch, params, 0.003)
    return {"cosine_iris": f"{np.median(cosines):.2f}"}


def exam(page):
    """The networks of the exam, and the two of the first screen on the spiral."""
    checks = {run(script=s): letter for letter, (s, _) in networks(page).items()}
    ok = [letter for printed, letter in checks.items() if "WRONG" not in printed]
    rights = [losses(script=script)[2] for script, _ in networks(page).values()]
    spirals = {f"spiral_{letter}": spiral(page, letter) for letter in "DB"}
    return {"ok": ok, "rights": rights, **spirals}


def overfitting(page):
    """What is printed in the part Write it, and by the run that overfits."""
    finished = stages(page)[-1][1].split()
    ends = re.findall(
        r"^step \d+: training ([\d.]+), test ([\d.]+)", page, re.MULTILINE
    )
    (first, low), *_, (last, high) = [map(float, end) for end in ends]
    (cosine,) = re.findall(r"^median of the cosines: (.*)$", page, re.MULTILINE)
    return locals()


def charts(page):
    """The chart of ReLU, and of the loss for other weights, with its tangent."""
    in_text = lambda values, form: ",".join(format(value, form) for value in values)
    relu = in_text(raw_nn.relu(np.arange(-2.0, 3)), ".0f")
    known, weights = Prompt(raw_nn, pastes(page)[0]).locals, np.linspace(-0.5, 1.1, 9)
    x, y, params = known["x"], known["y"], known["params"]
    slope, curve = raw_nn.numeric_gradient(x, y, params).W2[1, 0], []
    for weight in [*weights, 0.5]:
        params.W2[1, 0] = weight
        curve.append(raw_nn.nll_loss(raw_nn.forward(x, params).log_P, y))
    tangent = in_text(curve.pop() + slope * (weights - 0.5), ".2f")
    nudged = -float(re.search(r"(?m)^[\d. ]+ slope (-[\d.]+)$", page)[1])
    return {
        "slope": -slope,
        "nudged": nudged,
        "relu": relu,
        "curve": in_text(curve, ".2f"),
        "tangent": tangent,
    }


def exam_rows(page):
    line = lambda number: f"`{code_of(NUMBERED[int(number[1:-1])])}`"
    for letter, (script, number) in networks(page).items():
        train, test, right = losses(script=script)
        yield "network|training loss", f"**{letter}**", train, test, f"{right} of 30"
        named = re.findall(r"(\w+) WRONG", run(script=script))
        named = ", ".join(f"`{name}`" for name in named) or "none"
        yield "network|wrong line|named", f"**{letter}**", None, named
        if number != "none":
            yield "number|correct line", number, line(number)
    for number in readme.table(page, "number|line of")[0]:
        yield "number|line of", number, line(number)


def results_rows(page):
    shown = [
        "**`raw_nn.py`**",
        "`MLPClassifier`, random biases",
        "`LogisticRegression`",
    ]
    for row, (_, wrong) in zip(shown, results().items()):
        right = 100 - wrong / 0.3
        error = right.std(ddof=1) / len(right) ** 0.5
        yield "on the same", row, f"{right.mean():.1f} ± {error:.1f}"


def stage_rows(page):
    for stage, value in stages(page):
        yield "stage|", stage, None, None, f"`{value}`"


NAMES = [defaults, seeds, exam, cosine_iris, overfitting, charts]
ROWS = [exam_rows, results_rows, stage_rows]


def facts(page):
    """Return the rows and sentences of the page, and what a person has to mend."""
    known, found, lacking = {}, [], []
    for make in NAMES + ROWS:
        try:
            if make in NAMES:
                known |= make(page)
            else:
                found += make(page)
        except Exception as error:  # noqa: BLE001
            lacking.append(f"facts.py, {make.__name__}: {error!r}")
    for line in FACTS.read_text(encoding="utf-8").splitlines():
        try:
            if line.startswith("? "):
                condition, words = line[2:].split(": ", 1)
                lacking += (
                    [] if eval(condition, known) else [f"no longer true: {words}"]
                )
            elif line and not line.startswith("# "):
                found.append(eval(f"rf'''{line}'''", known))
        except Exception as error:  # noqa: BLE001
            lacking.append(f"facts.txt: {error!r} in: {line}")
    return found, lacking


def place(page, fact):
    """Return [(start, end, what is to stand there)] for a fact."""
    if isinstance(fact, tuple):
        head, key, *new = fact
        cells, begin = readme.table(page, head)
        if len(cells.get(key, [])) <= len(new):
            raise ValueError(f"the table |{head} lacks |{key} with {len(new)} cells")
        old = "|".join(cells[key])
        start = page.index(f"|{old}|\n", begin) + 1
        new = [now or was for now, was in zip_longest([key, *new], cells[key])]
        return [(start, start + len(old), "|".join(new))]
    words = f"({NUMBER})".join(map(re.escape, re.split(NUMBER, fact)))
    found = list(re.finditer(words.replace(r"\ ", r"\s+"), page))
    if len(found) != 1:
        lines = [page[: place.start()].count("\n") + 1 for place in found]
        raise ValueError(f"to stand on the page once, not in the lines {lines}: {fact}")
    numbers = enumerate(re.findall(NUMBER, fact), start=1)
    return [(*found[0].span(i), number) for i, number in numbers]

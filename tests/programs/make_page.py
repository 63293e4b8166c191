"""Write into README.md what a program can compute; tests/README.md has the rules.

.venv/bin/python tests/programs/make_page.py

Each line of facts.txt is a sentence, or a part of one, that stands on the page once. What
it has in braces is computed, as in an f-string, with what the function names returns. In
a row of a table, which begins with |, the first cell is as the page has it, and … leaves
a cell. A line "? a < b: words" says what a person has to rewrite when a < b is not true.
"""

import functools
import math
import os
import re
import sys
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
import readme
from problems import DEFAULTS, NUMBERED, SOURCE
from readme import COMMAND, README, Prompt, code_of, networks, part, pastes, run

import raw_nn

FACTS, RESULTS = (Path(__file__).parent / name for name in ("facts.txt", "results.txt"))
NUMBER = r"[−-]?\d(?:[\d.,]*\d)?"
NOT_COMPUTED = {  # figure: where it is from
    "Python 3.10": "the oldest for .ci/versions",
    "0.0779": "exercise 3, solved",
    "4,8 for 4.8": "an example of a decimal comma",
    "−0.5 on the other": "twice the printed mean of both sides",
}
THINGS = re.compile(  # that change what follows, or that are made anew
    r"^## \d+\. (?P<heading>.*)$"
    r"|^```(?P<language>\w+)\n(?P<block>[\s\S]*?)^```$"
    r"|(?P<back>\b[Pp]ut\b[^.:`]*\bback\b)"
    r"|\[`(?P<name>\w+)`\]\(raw_nn\.py#L\d+-L\d+\)",
    re.MULTILINE,
)


class Reader:
    """Goes through the page as a reader does, and makes each block anew."""

    def __init__(self, page):
        self.page, self.prompt = page, None
        self.begin("first screen")

    def begin(self, heading):
        self.heading, self.script, self.output = heading, raw_nn, None
        self.again = functools.partial(readme.run, COMMAND)  # what was run last

    def made(self, found):
        """Return what is to stand in place of what was found."""
        try:
            if found["heading"]:
                self.begin(found["heading"])
            if found["back"]:
                self.script = raw_nn
            if found["name"]:
                return self.link(found["name"])
            make = getattr(self, found["language"] or "", lambda block: None)
            block = make(found["block"])
            return f"```{found['language']}\n{block}```" if block else found[0]
        except Exception as error:
            line = self.page[: found.start()].count("\n") + 1
            where = f"README.md, line {line}, part {self.heading!r}: {error}"
            raise SystemExit(f"{where}\n\n{found[0]}") from error

    def link(self, name):
        """Return a link to the lines of a function of the script."""
        text = readme.function(name)
        if not text:
            raise ValueError(f"raw_nn.py has no function {name}")
        first = SOURCE.split(text)[0].count("\n") + 1
        return f"[`{name}`](raw_nn.py#L{first}-L{first + text.count(chr(10)) - 1})"

    def text(self, block):
        """Return the output, or those of its lines that begin as the block's own do."""
        output = self.again(self.script) if self.output is None else self.output
        self.output = None
        begin = lambda line: line.split(":")[0].strip()
        lines, old = output.splitlines(keepends=True), [*map(begin, block.splitlines())]
        if old[:1] in ([], [begin(lines[0])]) or not {*old} <= {*map(begin, lines)}:
            return output
        return "".join(line for line in lines if begin(line) in old)

    def bash(self, block):
        for line in re.findall(r"(?m)^\.venv/bin/python \w+\.py\b.*", block):
            self.again = functools.partial(readme.run, line, page=self.page)
            self.output = self.again(self.script)

    def diff(self, block):
        self.script, self.output = readme.edited(block), None

    def python(self, block):
        """Run what is no quote; a file is kept, for blocks that import it."""
        file = re.match(r"# (\w+\.py)\n", block)
        if file:
            Path(file[1]).write_text(block, encoding="utf-8")
        if block in readme.pastes(self.page):
            if block.startswith("import"):
                self.prompt = Prompt(self.script)
                self.again = lambda script: Prompt(script).paste(block)
            self.output = self.prompt.paste(block)
        if "  # correct\n" in block:
            lines = map(readme.code_of, block.splitlines())
            self.script, self.output = readme.with_line(*lines), None
        return readme.quote(block)


def results():
    """Return {name: an array of the digits that measure.py kept, one of each seed}."""
    rows = [line.split() for line in RESULTS.read_text().splitlines()[1:]]
    return {name: np.array([*digits], int) for name, digits in rows}


def losses(flags="", script=raw_nn):
    """Return the losses that a run prints, in training and test, and the right flowers."""
    pattern = r"set: mean loss (\S+), accuracy .*\((\d+)/"
    (train, _), (test, right) = re.findall(pattern, run(f"{COMMAND} {flags}", script))
    return train, test, right


def names(page):
    """Return {name: value} of all that facts.txt may name."""
    X, X_test, Y, _, mean = raw_nn.load_iris_split()
    (n, n_in), n_test, n_out = X.shape, len(X_test), Y.shape[1]
    size, steps, lines = DEFAULTS["batch_size"], DEFAULTS["steps"], SOURCE.count("\n")
    count = lambda n_in, hidden, n_out: (n_in + 1 + n_out) * hidden + n_out
    own, small = count(n_in, DEFAULTS["hidden"], n_out), count(4, 2, 3)
    digits, epoch, (w, u, v) = count(784, 30, 10), math.ceil(n / size), (2, 6, 4)

    flower, weights = Prompt(raw_nn, pastes(page)[0]).locals, np.linspace(-0.5, 1.1, 9)
    x, y, params = (flower[name] for name in ("x", "y", "params"))
    slope, curve = raw_nn.numeric_gradient(x, y, params).W2[1, 0], []
    for params.W2[1, 0] in [*weights, 0.5]:
        curve.append(raw_nn.nll_loss(raw_nn.forward(x, params).log_P, y))
    tangent = curve.pop() + slope * (weights - 0.5)
    heights = ",".join(f"{h:.0f}" for h in raw_nn.relu(np.arange(-2.0, 3)))
    in_text = lambda numbers: ",".join(f"{number:.2f}" for number in numbers)
    (nudged,) = re.findall(r"(?m)^[\d. ]+ slope -([\d.]+)$", page)

    nets = networks(page)
    ok = [letter for letter in nets if "WRONG" not in run(script=nets[letter][0])]
    runs = {letter: losses(script=script) for letter, (script, _) in nets.items()}
    train_D, _, right = runs["D"]
    spirals = {}
    for letter, (script, _) in nets.items():
        printed, ran = readme.run_file(page, "spiral.py", script)
        percent, losses_of = re.search(r"accuracy: (\d+) %", printed)[1], ran["losses"]
        spirals[letter] = int(percent), f"{losses_of[0]:.2f}", f"{losses_of[-1]:.2f}"
    spiral_D, spiral_B = spirals.pop("D"), spirals["B"]
    (cosine,) = re.findall(r"(?m)^median of the cosines: (.*)$", page)
    rng, cosines, both = np.random.default_rng(1), [], (raw_nn, nets["B"][0])
    params = raw_nn.init_params(rng, n_in, DEFAULTS["hidden"], n_out)
    for batch in islice(raw_nn.minibatches(rng, X, Y, size), steps):
        given = *batch, raw_nn.forward(batch[0], params), params
        g, b = (np.hstack([t.ravel() for t in s.backward(*given)]) for s in both)
        cosines.append(g @ b / np.sqrt((g @ g) * (b @ b)))
        both[1].sgd_step(*batch, params, DEFAULTS["learning_rate"])

    begin, rest, *_ = pastes(part(page, "Write it"))
    printed = Prompt(raw_nn, begin).paste(rest)
    stages = re.findall(r"(?m)^(\w+) (.*)$", printed)
    finished = stages[-1][1].split()
    ends = re.findall(r"(?m)^step \d+: train ([\d.]+), test ([\d.]+)", page)
    (first, low), *_, (last, high) = [map(float, end) for end in ends]
    one_by_one = losses(f"--batch-size 1 --steps {size * steps}")[0]

    measured, accuracy = results(), {k: 100 - v / 0.3 for k, v in results().items()}
    means = {name: f"{percent.mean():.1f}" for name, percent in accuracy.items()}
    error = lambda percent: f"{percent.std(ddof=1) / len(percent) ** 0.5:.1f}"
    errors = {name: error(percent) for name, percent in accuracy.items()}
    n_seeds, same = len(measured["A"]), accuracy["D"][2:302]
    gaps = [abs((accuracy[letter] - same).mean()) for letter in "ABCE"]
    gap = math.ceil(10 * max(gaps)) / 10  # in points
    return locals() | DEFAULTS | {"raw_nn": raw_nn, "np": np}


def rows(page, known):
    """Yield the rows of tables that are not in facts.txt."""
    for letter, (script, number) in known["nets"].items():
        yield "|**{}**|{}|{}|{} of 30|".format(letter, *known["runs"][letter])
        named = re.findall(r"(\w+) WRONG", run(script=script))
        named = ", ".join(f"`{name}`" for name in named)
        yield f"|**{letter}**|{number}|{named or 'none'}|"
    for number, line in NUMBERED.items():
        if line in readme.function("backward"):
            yield f"|({number})|`{code_of(line)}`|…|"
    for stage, value in known["stages"]:
        yield f"|{stage}|…|…|`{value}`|"
    arrays = Prompt(raw_nn, "import numpy as np\n" + pastes(page)[1]).locals
    for call in re.findall(r"(?m)^\|`(.*?)`\|`.*?`\|.*\|$", page):
        given = np.array(eval(call, arrays)).tolist()
        yield f"|`{call}`|`{str(given).replace(', ', ',')}`|…|"


def place(page, fact):
    """Return [(start, end, what is to stand there)] for a fact."""
    if fact.startswith("|"):
        key, *new = fact[1:-1].split("|")
        pattern = rf"(?m)^\|{re.escape(key)}\|" + r"([^|\n]*)\|" * len(new) + "$"
    else:
        new = re.findall(NUMBER, fact)
        words = f"({NUMBER})".join(map(re.escape, re.split(NUMBER, fact)))
        pattern = words.replace(r"\ ", r"\s+")
    found = list(re.finditer(pattern, page))
    if len(found) != 1 and not (found and fact.startswith("|")):
        lines = [page[: place.start()].count("\n") + 1 for place in found]
        raise ValueError(f"once on the page, not in lines {lines or 'none'}: {fact}")
    places = [(*row.span(i), text) for row in found for i, text in enumerate(new, 1)]
    return [place for place in places if place[2] != "…"]


def facts(page):
    """Return {(start, end, what is to stand there)}, and what a person has to mend."""
    places, lacking = set(), []
    try:
        known = names(page)
        lines = [*FACTS.read_text(encoding="utf-8").splitlines(), *rows(page, known)]
    except Exception as error:  # noqa: BLE001
        return places, [f"names and rows, for facts.txt: {error!r}"]
    for line in lines:
        try:
            if line.startswith("? "):
                condition, words = line[2:].split(": ", 1)
                lacking += [f"no longer true: {words}"] * (not eval(condition, known))
            elif line and not line.startswith("# "):
                places.update(place(page, eval(f"rf'''{line}'''", known)))
        except Exception as error:  # noqa: BLE001
            lacking.append(f"{error}, by facts.txt: {line}")
    return places, lacking


def remake(page):
    """Return the page made anew, and a list of what a person has to mend."""
    page = THINGS.sub(Reader(page).made, page)
    places, lacking = facts(page)
    for start, end, text in sorted(places, reverse=True):
        page = page[:start] + text + page[end:]
    return page, lacking


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())  # for what the page's commands write
    old = README.read_text(encoding="utf-8")
    new, lacking = remake(remake(old)[0])  # a fact may be in a command that is run
    README.write_text(new, encoding="utf-8")
    changed = {*new.splitlines()} - {*old.splitlines()}
    print(f"README.md: {len(changed)} lines changed")
    sys.exit("\n".join(lacking) or 0)

"""Write into README.md all that a program can compute.

python tests/make_page.py            writes the page anew
python tests/make_page.py --check    writes nothing; its exit status is 1 if it would

tests/README.md says how the page has to be laid out for this.
"""

import code
import contextlib
import functools
import io
import os
import re
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import measure
import numpy as np
from networks import SOURCE, load_script

README = ROOT / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"^(\|.*\n\|[-:|]+\|\n)((?:\|.*\n)*)", re.MULTILINE)
COMMAND = ".venv/bin/python raw_nn.py"
NUMBERED = {
    int(number): line
    for line, number in re.findall(r"^(.* \((\d+)\))$", SOURCE, re.MULTILINE)
}
IMPORTS = "import numpy as np\nimport raw_nn\n"


def parts(text):
    """Return {title: text} of the page; that of what stands before part 1 is empty."""
    texts = re.split(r"^(?=## \d+\. )", text, flags=re.MULTILINE)
    return {re.sub(r"^## \d+\. |\n.*|^#.*", "", t, flags=re.DOTALL): t for t in texts}


def function(name, source=SOURCE):
    """Return the text of a function or class of the script, or None."""
    pattern = rf"^(?:def|class) {name}\b.*?(?=^[^\s)]|\Z)"
    found = re.search(pattern, source, re.MULTILINE | re.DOTALL)
    return found and found[0].rstrip() + "\n"


def linked(found):
    """Return a link to the lines of a function of the script."""
    text = function(found[1])
    assert text, f"raw_nn.py has no function {found[1]}"
    before = SOURCE.split(text)[0]
    first = before.count("\n") + 1
    last = first + text.count("\n") - 1
    return f"[`{found[1]}`](raw_nn.py#L{first}-L{last})"


def quote(block):
    """Return what the script has in place of this quote; None if it is no quote."""
    numbers = [re.search(r"\((\d+)\)$", line) for line in block.splitlines()]
    if all(numbers):
        lines = [NUMBERED.get(int(n[1]), "no line has this number") for n in numbers]
        return "\n".join(lines) + "\n"
    name = re.match(r"def (\w+)", block)
    return name and function(name[1])


@functools.cache
def edited(diff):
    """Return the script with a diff block applied; @@ names a function.

    Its lines may leave out the comment that ends with a number.
    """
    source = SOURCE
    for name, hunk in re.findall(r"^@@ (\w+)\n((?:[ +-].*\n|\n)*)", diff, re.MULTILINE):
        lines = hunk.splitlines()
        old = [re.escape(line[1:]) for line in lines if not line.startswith("+")]
        old = "".join(rf"^{line}(?:  # .*\(\d+\))?\n" for line in old)
        new = "".join(line[1:] + "\n" for line in lines if not line.startswith("-"))
        whole = function(name, source) or ""
        found = re.findall(old, whole, re.MULTILINE)
        if len(found) != 1:
            raise ValueError(f"this diff does not fit {name}:\n{hunk}")
        source = source.replace(whole, whole.replace(found[0], new))
    return load_script(source)


class Console(code.InteractiveConsole):
    """A Python prompt: paste(block) returns what it prints, and raises its errors."""

    def __init__(self, script, block=""):
        super().__init__()
        self.script = script
        self.paste(block)

    def paste(self, block):
        before = sys.modules.get("raw_nn")
        sys.modules["raw_nn"] = self.script
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for line in [*block.splitlines(), ""]:
                self.push(line)
        sys.modules["raw_nn"] = before
        return out.getvalue()

    def showtraceback(self, *_, **__):
        raise sys.exc_info()[1]

    showsyntaxerror = showtraceback


@contextlib.contextmanager
def scratch():
    """Work in an empty folder."""
    here = os.getcwd()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


@functools.cache
def run_command(script, line=COMMAND):
    """Return all that a command line prints with this script."""
    out = io.StringIO()
    printed = contextlib.redirect_stdout(out), contextlib.redirect_stderr(out)
    with scratch(), printed[0], printed[1], contextlib.suppress(SystemExit):
        script.main(shlex.split(line)[2:])
    return out.getvalue()


def excerpt(output, old):
    """Return the lines of an output that an old text shows: all, or those it names."""
    lines = output.splitlines(keepends=True)
    label = [line.split(":")[0].strip() for line in lines]
    named = [line.split(":")[0].strip() for line in old.splitlines()]
    if not named or label[0] == named[0] or not set(named) <= set(label):
        return output
    return "".join(line for line, name in zip(lines, label) if name in named)


# ---- Tables: each of these takes the old rows and yields the new ones ----
def networks(page):
    """Return {letter: (script, number of the changed line)} of the puzzle."""
    pattern = r"^\*\*(\w)\*\*\n\n```diff\n(.*?)^```"
    diffs = dict(re.findall(pattern, page, re.MULTILINE | re.DOTALL))
    found = {}
    for letter, diff in diffs.items():
        (line,) = re.findall(r"^-(.*)", diff, re.MULTILINE)
        (number,) = (n for n, text in NUMBERED.items() if text.startswith(line + " "))
        found[letter] = edited(diff), number
    return found


def puzzle(rows, walker):
    for letter, *_ in rows:
        script, _ = networks(walker.page).get(letter.strip("*"), (walker.script, None))
        printed = run_command(script)
        training, test = re.findall(r"set: mean loss (\S+),", printed)
        right = re.search(r"test set.*\((\d+)/(\d+)\)", printed)
        yield letter, training, test, f"{right[1]} of {right[2]}"


def solved(rows, walker):
    for letter, _, _, words in rows:
        script, number = networks(walker.page)[letter.strip("*")]
        wrong = re.findall(r"(\w+) WRONG", run_command(script))
        yield letter, f"({number})", ", ".join(f"`{name}`" for name in wrong), words


def luck(rows, _):
    for letter, *_ in rows:
        yield letter, *measure.luck(letter.strip("*"))


def weights(layer, rows, walker):
    known = walker.console.locals
    for (label, *_), numbers in zip(rows, [*known[f"W{layer}"], known[f"b{layer}"]]):
        yield label, *(f"{x:g}".replace("-", "−") for x in numbers)


def heart(_, walker):
    for number, line in NUMBERED.items():
        if line in function("backward"):
            tag = rf"^(.*)\\tag\{{{number}\}}"
            formula = re.search(tag, walker.page, re.MULTILINE)[1].replace("&", "")
            text = line.split("  # ")[0].strip()
            yield f"({number})", f"`{text}`", rf"$`\displaystyle{formula}`$"


def operations(rows, walker):
    for call, _, words in rows:
        value = eval(call.strip("`"), walker.console.locals)
        shown = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        yield call, f"`{shown}`".replace(", ", ","), words


def stages(rows, walker):
    (printed,) = (text for text in walker.prints if text.startswith(rows[0][0]))
    printed = dict(line.split(" ", 1) for line in printed.splitlines())
    for *cells, _ in rows:
        yield *cells, f"`{printed[cells[0]]}`"


def by_hand(rows, walker):
    known = Console(walker.script, IMPORTS + walker.last.split("before = ")[0]).locals
    X, Y, params, gradient = (known[k] for k in ("X", "Y", "params", "gradient"))
    h1, a1, h2, P, log_P = walker.script.forward(X, params)
    da1 = (P - Y) @ params.W2.T
    found = [h1, a1, h2, P, walker.script.nll_loss(log_P, Y), None, P - Y, gradient.W2]
    found += [gradient.b2, da1, da1 * (h1 > 0), gradient.W1, gradient.b1]
    for what, words, _ in rows:
        value = np.asarray(found[int(re.match(r"\((\d+)\)", what)[1]) - 7]) + 0.0
        lines = [",".join(f"{x:.5g}" for x in row) for row in np.atleast_2d(value)]
        lines = [f"({line})" if value.ndim else line for line in lines]
        yield what, words, ",<br>".join(lines).replace("-", "−")


TABLES = {
    "|network|training loss|": puzzle,
    "|network|as many": luck,
    "|network|changed|": solved,
    "|weight|to unit 1|": functools.partial(weights, 1),
    "|weight|to setosa|": functools.partial(weights, 2),
    "|number|line of `backward`|": heart,
    "|you write|": operations,
    "|stage|": stages,
    "|forward|by hand|": by_hand,
    "|backward|by hand|": by_hand,
    "|on the same 1,000 splits": lambda *_: measure.table(),
}


class Walker:
    """Goes through the page and makes each block and table anew.

    A Python block that begins with an import is pasted into a new Python, the others
    go on in it, from part to part.
    """

    def __init__(self, page):
        self.page, self.script = page, load_script(SOURCE)
        self.console = None

    def part(self, title, text):
        self.edited, self.output, self.last, self.prints = self.script, None, None, []
        try:
            text = TABLE.sub(self.table, FENCE.sub(self.block, text))
            self.at = "a link to the script"
            return re.sub(r"\[`(\w+)`\]\(raw_nn\.py#L\d+-L\d+\)", linked, text)
        except Exception as error:
            raise RuntimeError(f"part {title!r}: {error}, at\n{self.at}") from error

    def table(self, found):
        self.at, head, rows = found[0], *found.groups()
        rows = [line[1:-1].split("|") for line in rows.splitlines()]
        for heading, rows_of in TABLES.items():
            if head.startswith(heading):
                rows = rows_of(rows, self)
        return head + "".join(f"|{'|'.join(row)}|\n" for row in rows)

    def block(self, found):
        self.at, language, old = found[0], *found.groups()
        new = getattr(self, f"on_{language}", lambda block: block)(old)
        return f"```{language}\n{new}```"

    def on_python(self, block):
        if quoted := quote(block):
            return quoted
        self.last = block
        if block.startswith("import"):
            self.console = Console(self.edited)
        self.output = self.console.paste(block)
        self.prints.append(self.output)
        return block

    def on_bash(self, block):
        lines = [line for line in block.splitlines() if line.startswith(COMMAND)]
        self.output = "".join(run_command(self.edited, line) for line in lines)
        return block

    def on_diff(self, block):
        self.edited, self.output = edited(block), ""
        return block

    def on_text(self, old):
        if self.output is None:
            self.edited = self.script
        if not self.output and self.last:  # run again what was run last
            self.output = Console(self.edited).paste(self.last)
        elif not self.output:
            self.output = run_command(self.edited)
        new, self.output = excerpt(self.output, old), None
        return new

    def on_mermaid(self, block):
        """Draw the setosa's loss as its weight W2[1, 0] moves, and the tangent at 0.5."""
        if "loss of the setosa" not in block:
            return block
        x, y, params = (self.console.locals[name] for name in ("x", "y", "params"))
        low, high = re.search(r'x-axis ".*" (\S+) --> (\S+)', block).groups()
        weights, loss, tangent = np.linspace(float(low), float(high), 9), [], []
        slope = self.script.numeric_gradient(x, y, params).W2[1, 0]
        for weight in [0.5, *weights]:
            moved = params._replace(W2=params.W2.copy())
            moved.W2[1, 0] = weight
            loss.append(self.script.nll_loss(self.script.forward(x, moved)[-1], y))
            tangent.append(loss[0] + slope * (weight - 0.5))
        lines = (",".join(f"{y:.2f}" for y in line[1:]) for line in (loss, tangent))
        lines = "".join(f"  line [{line}]\n" for line in lines)
        return block.split("  line")[0] + lines


def remake(page):
    walker = Walker(page)
    with scratch():
        return "".join(walker.part(*part) for part in parts(page).items())


def main():
    old = README.read_text(encoding="utf-8")
    new = remake(old)
    if "--check" in sys.argv:
        sys.exit("run python tests/make_page.py" if new != old else 0)
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

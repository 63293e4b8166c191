"""Write into README.md all that a program can compute.

python tests/make_page.py            writes the page anew
python tests/make_page.py --check    writes nothing; its exit status is 1 if it would

tests/README.md says how the page has to be laid out for this. Each part is run in a
new Python, which begins with the first Python block of part 2.
"""

import code
import contextlib
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
COMMAND = ".venv/bin/python raw_nn.py"
NUMBERED = {
    int(number): line
    for line, number in re.findall(r"^(.* \((\d+)\))$", SOURCE, re.MULTILINE)
}


def parts(text):
    """Return {number: text} of the page; what stands before part 1 is number 0."""
    return dict(enumerate(re.split(r"^(?=## \d+\. )", text, flags=re.MULTILINE)))


def function(name, source=SOURCE):
    """Return the text of a function or class of the script, or None."""
    pattern = rf"^(?:def|class) {name}\b.*?(?=^\S|\Z)"
    found = re.search(pattern, source, re.MULTILINE | re.DOTALL)
    return found and found[0].rstrip() + "\n"


def quote(block):
    """Return what the script has in place of this quote; None if it is no quote."""
    numbers = [re.search(r"\((\d+)\)$", line) for line in block.splitlines()]
    if all(numbers):
        lines = [NUMBERED.get(int(n[1]), "no line has this number") for n in numbers]
        return "\n".join(lines) + "\n"
    name = re.match(r"def (\w+)", block)
    return name and function(name[1])


def first_block(page):
    """Return the first Python block of part 2 that is pasted."""
    found = FENCE.findall(parts(page)[2])
    return next(b for language, b in found if language == "python" and not quote(b))


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
            sys.exit(f"this diff does not fit {name}:\n{hunk}")
        source = source.replace(whole, whole.replace(found[0], new))
    return load_script(source)


class Console(code.InteractiveConsole):
    """A Python prompt: paste(block) returns what it prints, and raises its errors."""

    def __init__(self, script, *before):
        super().__init__()
        self.script = script
        for block in before:
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


def run_command(script, line):
    """Return all that a command line prints with this script."""
    out = io.StringIO()
    printed = contextlib.redirect_stdout(out), contextlib.redirect_stderr(out)
    with printed[0], printed[1], contextlib.suppress(SystemExit):
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


# ---- Tables: their headings, and what makes their rows anew ----


def heart(_, walker):
    """Make the rows of lines and formulas, from the numbered lines of backward."""
    for number, line in NUMBERED.items():
        if line in function("backward"):
            tag = rf"^(.*)\\tag\{{{number}\}}"
            formula = re.search(tag, walker.page, re.MULTILINE)[1].replace("&", "")
            text = line.split("  # ")[0].strip()
            yield f"({number})", f"`{text}`", rf"$`\displaystyle {formula}`$"


def operations(rows, walker):
    """Fill in what each operation gives."""
    for call, _, words in rows:
        value = eval(call.strip("`"), walker.console.locals)
        shown = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        yield call, f"`{shown}`".replace(", ", ","), words


def stages(rows, walker):
    """Fill in what the finished file prints for each stage."""
    printed = dict(line.split(" ", 1) for line in walker.printed.splitlines())
    for stage, words, _ in rows:
        yield stage, words, f"`{printed[stage]}`"


def by_hand(rows, walker):
    """Fill in the results of the example, from the block below it."""
    setup = walker.blocks[9].split("before = ")[0]
    known = Console(walker.script, walker.setup, setup).locals
    X, Y, params, gradient = (known[k] for k in ("X", "Y", "params", "gradient"))
    h1, a1, h2, P, log_P = walker.script.forward(X, params)
    da1 = (P - Y) @ params.W2.T
    found = [h1, a1, h2, P, walker.script.nll_loss(log_P, Y), None, P - Y, gradient.W2]
    found += [gradient.b2, da1, da1 * (h1 > 0), gradient.W1, gradient.b1]
    for what, words, _ in rows:
        value = np.asarray(found[int(re.match(r"\((\d+)\)", what)[1]) - 7]) + 0.0
        lines = [", ".join(f"{x:.5g}" for x in row) for row in np.atleast_2d(value)]
        lines = [f"({line})" if value.ndim else line for line in lines]
        yield what, words, ",<br>".join(lines).replace("-", "−")


TABLES = {
    "|number|line of `backward`|": heart,
    "|you write|": operations,
    "|stage|": stages,
    "|forward|by hand|": by_hand,
    "|backward|by hand|": by_hand,
    "|on the same 1,000 splits": lambda *_: measure.table(),
}


class Walker:
    """Goes through the page and makes each block and table anew."""

    def __init__(self, page):
        self.page, self.script = page, load_script(SOURCE)
        self.blocks, self.setup = {}, first_block(page)

    def part(self, number, text):
        self.number, self.edited, self.output = number, self.script, None
        self.console = Console(self.script, self.setup)
        text = FENCE.sub(self.block, text)
        table = r"^(\|.*\n\|[-:|]+\|\n)((?:\|.*\n)*)"
        return re.sub(table, self.table, text, flags=re.MULTILINE)

    def table(self, found):
        rows = [line[1:-1].split("|") for line in found[2].splitlines()]
        for heading, rows_of in TABLES.items():
            if found[1].startswith(heading):
                rows = rows_of(rows, self)
        return found[1] + "".join(f"|{'|'.join(row)}|\n" for row in rows)

    def block(self, found):
        language, old = found.groups()
        new = getattr(self, f"on_{language}", lambda block: block)(old)
        return f"```{language}\n{new}```"

    def on_python(self, block):
        if quoted := quote(block):
            return quoted
        self.blocks[self.number] = block
        if self.edited is not self.script:
            self.console = Console(self.edited, self.setup)
        self.output = self.printed = self.console.paste(block)
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
        if not self.output:  # run again what was run last
            if block := self.blocks.get(self.number):
                self.output = Console(self.edited, self.setup).paste(block)
            else:
                self.output = run_command(self.edited, COMMAND)
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
            loss.append(self.script.nll_loss(self.script.forward(x, moved).log_P, y))
            tangent.append(loss[0] + slope * (weight - 0.5))
        lines = (",".join(f"{y:.2f}" for y in line[1:]) for line in (loss, tangent))
        return block.split("  line")[0] + "".join(
            f"  line [{line}]\n" for line in lines
        )


def remake(page):
    """Return the page made anew."""
    walker, here = Walker(page), os.getcwd()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            return "".join(walker.part(n, text) for n, text in parts(page).items())
        finally:
            os.chdir(here)


def main():
    old = README.read_text(encoding="utf-8")
    new = remake(old)
    if new != old and "--check" in sys.argv:
        sys.exit("README.md is not up to date: run python tests/make_page.py")
    if new != old:
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()

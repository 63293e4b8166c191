"""README.md as tests and programs read it: its parts, blocks and tables, and its code."""

import code
import contextlib
import functools
import io
import re
import shlex
import sys
from pathlib import Path
from unittest import mock

sys.path[:0] = [str(folder) for folder in Path(__file__).parents[1:3]]

from problems import NUMBERED, ROOT, SOURCE, load_script

import raw_nn

README = ROOT / "README.md"
PAGE = README.read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = ".venv/bin/python raw_nn.py"


def parts(page):
    """Return {heading: text} of the page; its beginning is the part "first screen"."""
    texts = re.split(r"^(?=## \d+\. )", page, flags=re.MULTILINE)
    return {re.match(r"## \d+\. (.*)|", t)[1] or "first screen": t for t in texts}


def part(page, words):
    """Return the text of the one part with these words in its heading."""
    found = [text for heading, text in parts(page).items() if words in heading]
    if len(found) != 1:
        raise ValueError(f"{len(found)} headings of README.md, not one, say {words!r}")
    return found[0]


def blocks(language, text):
    return [block for found, block in FENCE.findall(text) if found == language]


def table(page, head):
    """Return ({first cell: all cells}, where they begin) of the table with this head."""
    pattern = rf"^\|{re.escape(head)}.*\|\n\|[-:|]+\|\n((?:\|.*\|\n)+)"
    found = list(re.finditer(pattern, page, re.MULTILINE))
    if len(found) != 1:
        raise ValueError(f"{len(found)} tables of README.md, not one, begin |{head}")
    rows = [row[1:-1].split("|") for row in found[0][1].splitlines()]
    return {cells[0]: cells for cells in rows}, found[0].start(1)


def code_of(line):
    """Return a line of code without its comment and its indentation."""
    return re.split("  +#", line)[0].strip()


def function(name, source=SOURCE):
    """Return the text of a function or class of the script, or None."""
    pattern = rf"^(?:def|class) {name}\b.*?(?=^[^\s)]|\Z)"
    found = re.search(pattern, source, re.MULTILINE | re.DOTALL)
    return found and found[0].rstrip() + "\n"


def quote(block):
    """Return what the script has in place of this quote; None if it is no quote."""
    name, new = re.match(r"def (\w+)", block), ""
    for line in block.splitlines():
        number = re.search(r"\((\d+)\)$", line)
        if not number:
            return name and function(name[1])
        moved = [n for n, now in NUMBERED.items() if code_of(now) == code_of(line)]
        if int(number[1]) not in NUMBERED or moved not in ([], [int(number[1])]):
            raise ValueError(f"{code_of(line)} has the number {moved} in raw_nn.py")
        new += NUMBERED[int(number[1])] + "\n"
    return new


def with_line(correct, wrong):
    """Return the script with a wrong line in place of a correct one."""
    line = rf"(?m)^( *){re.escape(correct)}(?=$|  #)"
    source, places = re.subn(line, lambda found: found[1] + wrong, SOURCE)
    if places != 1:
        raise ValueError(f"raw_nn.py has this line {places} times: {correct}")
    return load_script(source)


def edited(diff):
    """Return the script with a diff block applied; @@ names a function."""
    source = SOURCE
    hunks = re.findall(r"^@@ (\w+)\n((?:[ +-].*\n|\n)*)", diff, re.MULTILINE)
    if "".join(f"@@ {name}\n{hunk}" for name, hunk in hunks) != diff:
        raise ValueError("each line of a diff begins with @@ function, a blank, + or -")
    for name, hunk in hunks:
        lines = hunk.splitlines()
        old = [re.escape(line[1:]) for line in lines if not line.startswith("+")]
        old = "".join(rf"^{line}(?:  # .*)?\n" for line in old)
        new = "".join(line[1:] + "\n" for line in lines if not line.startswith("-"))
        whole = function(name, source) or ""
        changed, places = re.subn(f"(?m){old}", new.replace("\\", r"\\"), whole)
        if places != 1:
            raise ValueError(f"this is {places} times in {name} of raw_nn.py:\n{hunk}")
        source = source.replace(whole, changed)
    return load_script(source)


def kind(block):
    """Return what a Python block is: a quote, a wrong line, a file, or to be pasted."""
    kinds = {".*# correct\n": "wrong line", r"# \w+\.py\n": "file", "": "pasted"}
    first = next(kind for start, kind in kinds.items() if re.match(start, block))
    return "quote" if quote(block) else first


def pastes(text):
    return [block for block in blocks("python", text) if kind(block) == "pasted"]


def files(page):
    """Return {name: text} of the blocks that are files, such as # spiral.py."""
    return {
        name: text
        for text, name in re.findall(r"(?ms)^```python\n(# (\w+\.py)\n.*?)^```", page)
    }


@contextlib.contextmanager
def printing(script):
    """Give what is printed by code that may import this script, and files of the page."""
    out = io.StringIO()
    given = (
        mock.patch.dict(sys.modules, raw_nn=script),
        mock.patch("sys.path", ["", *sys.path]),
    )
    printed = contextlib.redirect_stdout(out), contextlib.redirect_stderr(out)
    with given[0], given[1], printed[0], printed[1]:
        yield out


class Prompt(code.InteractiveConsole):
    """A Python prompt; paste(block) returns what it prints, and raises its errors."""

    def __init__(self, script=raw_nn, block=""):
        super().__init__()
        self.script = script
        self.paste(block)

    def paste(self, block):
        with printing(self.script) as out:
            for line in [*block.splitlines(), ""]:
                self.push(line)
        return out.getvalue()

    def showtraceback(self, *_, **__):
        raise sys.exc_info()[1]

    showsyntaxerror = showtraceback


@functools.cache
def run(line=COMMAND, script=raw_nn):
    """Return all that a command line prints with this script."""
    with printing(script) as out, contextlib.suppress(SystemExit):
        script.main(shlex.split(line)[2:])
    return out.getvalue()


@functools.cache
def run_file(text, script=raw_nn):
    """Return what a file of the page prints with this script, and its names."""
    names = {"__name__": "__main__"}
    with printing(script) as out:
        exec(compile(text, "a file of the page", "exec"), names)  # noqa: S102
    return out.getvalue(), names


def networks(page):
    """Return {letter: (script, number of its wrong line, such as (14), or none)}."""
    wrong, _ = table(page, "number|correct line|wrong line")
    found = {}
    for letter, number, *_ in table(page, "network|wrong line|named")[0].values():
        script = raw_nn
        if number != "none":
            correct = code_of(NUMBERED[int(number[1:-1])])
            script = with_line(correct, wrong[number][2].strip("`"))
        found[letter.strip("*")] = script, number
    return found

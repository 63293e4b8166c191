"""README.md as tests and programs read it: its parts and blocks, and its code, run."""

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

import problems
from problems import NUMBERED, ROOT, SOURCE

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
    now, new = {code_of(line): number for number, line in NUMBERED.items()}, ""
    for line in block.splitlines():
        found = re.search(r"  # .*\((\d+)\)$", line)
        if not found:
            return None
        number = int(found[1])
        if number not in NUMBERED or now.get(code_of(line), number) != number:
            raise ValueError(f"this is not line ({number}) of raw_nn.py: {line}")
        new += NUMBERED[number] + "\n"
    return new


def pastes(text):
    """Return the Python blocks that are pasted: no files, wrong lines or quotes."""
    other = re.compile(r"# \w+\.py\n|.*  # correct\n|.*  # .*\(\d+\)\n")
    return [block for block in blocks("python", text) if not other.match(block)]


def with_line(correct, wrong):
    """Return the script with a wrong line in place of a correct one, of a number."""
    return problems.edited((f"    {correct}  #", f"    {wrong}  #"))


def edited(diff):
    """Return the script with a diff block applied; @@ names a function."""
    source, hunks = SOURCE, re.findall(r"(?m)^@@ (\w+)\n((?:[ +-].*\n)+)", diff)
    if "".join(f"@@ {name}\n{hunk}" for name, hunk in hunks) != diff:
        raise ValueError("each line of a diff begins with @@ function, a blank, + or -")
    for name, hunk in hunks:
        old, new = (re.findall(f"(?m)^[ {sign}](.*)", hunk) for sign in "-+")
        pattern = "".join(rf"^{re.escape(line)}(?:  # .*)?\n" for line in old)
        whole, text = function(name, source) or "", "".join(f"{line}\n" for line in new)
        changed, places = re.subn(f"(?m){pattern}", text.replace("\\", r"\\"), whole)
        if places != 1:
            raise ValueError(f"this is {places} times in {name} of raw_nn.py:\n{hunk}")
        source = source.replace(whole, changed)
    return problems.load_script(source)


@contextlib.contextmanager
def printing(script):
    """Give what is printed by code that may import this script, and files of the page."""
    out, path = io.StringIO(), mock.patch("sys.path", ["", *sys.path])
    printed = contextlib.redirect_stdout(out), contextlib.redirect_stderr(out)
    with mock.patch.dict(sys.modules, raw_nn=script), path, printed[0], printed[1]:
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
def run_file(page, name, script=raw_nn):
    """Return what a file of the page prints with this script, and its names."""
    found = [block for block in blocks("python", page) if block.startswith(f"# {name}")]
    if len(found) != 1:
        raise ValueError(f"{len(found)} Python blocks, not one, begin with # {name}")
    names = {"__name__": "__main__"}
    with printing(script) as out:
        exec(compile(found[0], name, "exec"), names)  # noqa: S102
    return out.getvalue(), names


@functools.cache
def run(line=COMMAND, script=raw_nn, page=PAGE):
    """Return all that a command line prints with this script."""
    _, name, *arguments = shlex.split(line)
    if name != "raw_nn.py":
        return run_file(page, name, script)[0]
    with printing(script) as out, contextlib.suppress(SystemExit):
        script.main(arguments)
    return out.getvalue()


def networks(page):
    """Return {letter: (script, number of its wrong line, such as (14), or none)}."""
    scripts = {"none": raw_nn}
    for number, wrong in re.findall(r"(?m)^\|\((\d+)\)\|`.*`\|`(.*)`\|$", page):
        scripts[f"({number})"] = with_line(code_of(NUMBERED[int(number)]), wrong)
    answers = dict(re.findall(r"(?m)^\|\*\*(\w)\*\*\|([^|]*)\|[^|]*\|$", page))
    for letter, number in answers.items():
        if number not in scripts:
            raise ValueError(f"answer {letter}: not {number!r}, but {[*scripts]}")
    return {letter: (scripts[number], number) for letter, number in answers.items()}

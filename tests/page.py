"""README.md taken apart for the tests: its parts, its blocks, and a console to paste in."""

import code
import contextlib
import io
import re
import sys

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCE = (ROOT / "raw_nn.py").read_text(encoding="utf-8")
PARTS = dict(
    re.findall(r"^## (\d+)\. (.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
)


def blocks(language, text=README):
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def rows(text):
    """Return the cells of each table row, without headings and rulers."""
    tables = re.findall(r"^\|[-:|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = "".join(tables).splitlines()
    lines = [line[1:-1].replace("<br>", " ") for line in lines]
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def is_quote(block):
    """Tell whether a block is lines of the script, to be read and not to be pasted."""
    return f"\n{block}" in SOURCE


class Console(code.InteractiveConsole):
    """A Python prompt: paste(block) returns what it prints, and raises its errors."""

    def paste(self, block):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            for line in [*block.splitlines(), ""]:
                self.push(line)
        return out.getvalue()

    def showtraceback(self, *_, **__):
        raise sys.exc_info()[1]

    showsyntaxerror = showtraceback

"""Edit raw_nn.py wrongly, one word at a time, and see which edits no test notices.

.venv/bin/python tests/programs/wrong_edits.py

It works on a copy of the project, and takes an hour.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "raw_nn.py").read_text(encoding="utf-8")
EDITS = """+ - ; - + ; * / ; / * // ; < <= >= ; <= < > ; > >= < ; == != ; != == ; += -= ;
-= += ; and or ; or and ; not +0== ; T real ; True False ; False True ; all any ; any all ;
argmax argmin ; ceil floor ; log log2 ; min max ; max min mean ; maximum minimum ;
mean sum ; sqrt square ; sum mean max ; zeros ones ; raise str ; print str"""
EDITS = {old: new for old, *new in map(str.split, EDITS.split(";"))}


def wrong_edits():
    """Yield (description, source) of every edit."""
    lines = SOURCE.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(SOURCE).readline):
        (row, begin), end, old = token.start, token.end[1], token.string
        number = token.type == tokenize.NUMBER
        for new in [f"({old}+1)", f"({old}-1)"] if number else EDITS.get(old, []):
            line = lines[row - 1][:begin] + new + lines[row - 1][end:]
            source = "".join([*lines[: row - 1], line, *lines[row:]])
            yield f"line {row}: {old}  ->  {line.strip()}", source


if __name__ == "__main__":
    hidden = shutil.ignore_patterns(".venv", ".git", "__pycache__")
    copy = shutil.copytree(ROOT, Path(tempfile.mkdtemp(), "copy"), ignore=hidden)
    call = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    call += [f"tests/test_{name}.py" for name in ("network", "command", "page")]
    for text, source in [("no edit", SOURCE), *wrong_edits()]:
        (copy / "raw_nn.py").write_text(source, encoding="utf-8")
        done = subprocess.run(call, cwd=copy, capture_output=True, check=False)
        print("caught  " if done.returncode else "SURVIVED", text, flush=True)

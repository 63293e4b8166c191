"""Write into README.md what a program can compute; tests/README.md has the rules.

.venv/bin/python tests/programs/make_page.py
"""

import functools
import os
import re
import sys
import tempfile
from pathlib import Path

import readme
from facts import facts, place
from readme import COMMAND, README, Prompt, code_of, edited, function, with_line

import raw_nn

THINGS = re.compile(  # that change what follows, or that are made anew
    r"^## \d+\. (?P<heading>.*)$"
    r"|^```(?P<language>\w+)\n(?P<block>[\s\S]*?)^```$"
    r"|(?P<back>\b[Pp]ut\b[^.:`]*\bback\b)"
    r"|\[`(?P<name>\w+)`\]\(raw_nn\.py#L\d+-L\d+\)",
    re.MULTILINE,
)


def link(name):
    """Return a link to the lines of a function of the script."""
    text = function(name)
    if not text:
        raise ValueError(f"raw_nn.py has no function {name}")
    first = readme.SOURCE.split(text)[0].count("\n") + 1
    return f"[`{name}`](raw_nn.py#L{first}-L{first + text.count(chr(10)) - 1})"


def excerpt(output, old):
    """Return the lines of an output that an old text shows: all, or those it names."""
    name = lambda line: line.split(":")[0].strip()
    named, lines = [*map(name, old.splitlines())], output.splitlines(keepends=True)
    lost = {*named} - {*map(name, lines)}
    if not named or name(lines[0]) == named[0] or lost == {*named}:
        return output
    if lost and all(":" in line for line in old.splitlines()):
        raise ValueError(f"no line of the output begins with {sorted(lost)}")
    return output if lost else "".join(line for line in lines if name(line) in named)


class Reader:
    """Goes through the page as a reader does, and makes each block anew."""

    def __init__(self, page):
        self.page, self.files, self.prompt = page, readme.files(page), None
        self.begin("first screen")

    def begin(self, heading):
        self.heading, self.script, self.output = heading, raw_nn, None
        self.again = functools.partial(readme.run, COMMAND)

    def made(self, found):
        """Return what is to stand in place of what was found."""
        try:
            if found["heading"]:
                self.begin(found["heading"])
            if found["back"]:
                self.script = raw_nn
            if found["name"]:
                return link(found["name"])
            make = getattr(self, found["language"] or "", lambda block: None)
            block = make(found["block"])
            return f"```{found['language']}\n{block}```" if block else found[0]
        except Exception as error:
            line = self.page[: found.start()].count("\n") + 1
            where = f"README.md, line {line}, part {self.heading!r}: {error}"
            raise SystemExit(f"{where}\n\n{found[0]}") from error

    def text(self, block):
        output = self.again(self.script) if self.output is None else self.output
        self.output = None
        return excerpt(output, block)

    def bash(self, block):
        for line, name in re.findall(r"(?m)^(\.venv/bin/python (\w+\.py)\b.*)", block):
            if name == "raw_nn.py":
                self.output = readme.run(line, self.script)
            else:
                self.again = functools.partial(self.run_file, name)
                self.output = self.again(self.script)

    def run_file(self, name, script):
        if name not in self.files:
            raise ValueError(f"no Python block of the page begins with # {name}")
        return readme.run_file(self.files[name], script)[0]

    def diff(self, block):
        self.script, self.output = edited(block), None

    def python(self, block):
        kind = readme.kind(block)
        if kind == "wrong line":
            correct, wrong = map(code_of, block.splitlines())
            self.script, self.output = with_line(correct, wrong), None
        if kind == "file":
            Path(block.split("\n")[0][2:]).write_text(block, encoding="utf-8")
        if kind == "pasted":
            if block.startswith("import"):
                self.prompt = Prompt(self.script)
                self.again = lambda script: Prompt(script).paste(block)
            self.output = self.prompt.paste(block)
        return readme.quote(block)


def remake(page):
    """Return the page made anew, and a list of what a person has to mend."""
    page = THINGS.sub(Reader(page).made, page)
    found, lacking = facts(page)
    for fact in found:
        try:
            for start, end, text in reversed(place(page, fact)):
                page = page[:start] + text + page[end:]
        except ValueError as error:
            lacking.append(str(error))
    return page, lacking


def main():
    os.chdir(tempfile.mkdtemp())  # for what the page's commands write
    old = README.read_text(encoding="utf-8")
    new, lacking = remake(remake(old)[0])  # a fact may be in a command that is run
    README.write_text(new, encoding="utf-8")
    changed = {*new.splitlines()} - {*old.splitlines()}
    print(f"README.md: {len(changed)} lines changed")
    sys.exit("\n".join(lacking) or 0)


if __name__ == "__main__":
    main()

"""Edit raw_nn.py wrongly, one place at a time, and see which edits no test notices.

python tests/wrong_edits.py [--list] [LINE ...]

An edit changes an operator, a number, a text, an axis, a .T, a condition, a raise and
the like, anywhere but in docstrings. For each edit the tests run on a copy, in a fork
of this process; test_readme.py is not among them. An edit that they all pass has
survived. With line numbers, only the edits that start there are tried; --list tries
none. The exit status is 1 if an edit has survived.
"""

import ast
import copy
import gc
import os
import shutil
import signal
import sys
import time
import types
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "raw_nn.py").read_text()
FIRST = {  # the tests that are the likeliest to notice an edit from this text on
    '"""': "numbers",
    "# ====": "training",
    "def plot_loss(": "command",
}
SECONDS = 180  # for all tests on one edit
TOGETHER = 2  # edits that are tried at a time

OPERATORS = {
    ast.Add: ["-"],
    ast.Sub: ["+"],
    ast.Mult: ["/"],
    ast.Div: ["*", "//"],
    ast.FloorDiv: ["*", "/"],
    ast.Pow: ["*"],
    ast.Mod: ["//"],
}
COMPARISONS = {
    ast.Lt: ["<=", ">="],
    ast.LtE: ["<", ">"],
    ast.Gt: [">=", "<="],
    ast.GtE: [">", "<"],
    ast.Eq: ["!="],
    ast.NotEq: ["=="],
    ast.In: ["not in"],
    ast.NotIn: ["in"],
    ast.Is: ["is not"],
    ast.IsNot: ["is"],
}
NAMES = {
    "all": ["any"],
    "argmax": ["argmin"],
    "ceil": ["floor"],
    "exp": ["expm1"],
    "int": ["float"],
    "log": ["log1p", "log2"],
    "max": ["min", "mean"],
    "maximum": ["minimum"],
    "mean": ["sum"],
    "ones": ["zeros"],
    "sqrt": ["square"],
    "sum": ["mean", "max"],
    "zeros": ["ones"],
}


def edits_of(node):
    """Yield (node to replace, new text) for every wrong edit at this node."""
    text = ast.unparse
    if isinstance(node, ast.AugAssign):
        for operator in OPERATORS[type(node.op)]:
            yield node, f"{text(node.target)} {operator}= {text(node.value)}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield node, f"({text(node.right)}) @ ({text(node.left)})"
    elif isinstance(node, ast.BinOp):
        for operator in OPERATORS[type(node.op)]:
            yield node, f"(({text(node.left)}) {operator} ({text(node.right)}))"
    elif isinstance(node, ast.UnaryOp):  # -x and not x
        yield node, f"({text(node.operand)})"
    elif isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                parts = [text(node.left)]
                for k, (op, right) in enumerate(zip(node.ops, node.comparators)):
                    symbol = text(ast.Compare(ast.Name("a"), [op], [ast.Name("b")]))
                    parts += [other if k == i else symbol[2:-2], text(right)]
                yield node, "(" + " ".join(parts) + ")"
    elif isinstance(node, ast.BoolOp):
        word = " or " if isinstance(node.op, ast.And) else " and "
        yield node, "(" + word.join(f"({text(value)})" for value in node.values) + ")"
        for value in node.values:
            yield node, f"({text(value)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield node, repr(node.value + 1)
        yield node, repr(node.value - 1)
        if node.value not in (0, 1):
            yield node, repr(node.value * 1.1 if node.value % 1 else -node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node, repr(node.value + "x")
        if len(node.value) > 1:
            yield node, repr(node.value[1:])
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node, text(node.value)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        for name in NAMES[node.attr]:
            yield node, f"{text(node.value)}.{name}"
    elif isinstance(node, ast.Name) and node.id in NAMES:
        for name in NAMES[node.id]:
            yield node, name
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        for test in (f"not ({text(node.test)})", "True", "False"):
            yield node.test, test
    elif isinstance(node, (ast.Raise, ast.Expr)):
        yield node, "pass"
    elif isinstance(node, ast.Assign):
        if isinstance(node.value, ast.Call) and node.value.args:
            yield node.value, text(node.value.args[0])  # the call is left out
    elif isinstance(node, ast.Yield):
        yield node, f"yield {text(node.value)}[::-1]"
    elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
        for i in range(len(node.type.elts)):
            rest = [text(e) for k, e in enumerate(node.type.elts) if k != i]
            yield node.type, "(" + ", ".join(rest) + ")"
    elif isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            yield decorator, "(lambda function: function)"
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg is not None:
                rest = [text(a) for a in node.args]
                rest += [text(k) for k in node.keywords if k is not keyword]
                yield node, f"{text(node.func)}({', '.join(rest)})"


class Swap(ast.NodeTransformer):
    def __init__(self, target, new):
        self.target, self.new = target, new

    def visit(self, node):
        return self.new if node is self.target else self.generic_visit(node)


def edits_within(f_string):
    """Yield the edits of an f-string's parts, each as a new text of the whole."""
    for i in range(len(list(ast.walk(f_string)))):
        for k in range(len(list(edits_of(list(ast.walk(f_string))[i])))):
            whole = copy.deepcopy(f_string)
            target, new = list(edits_of(list(ast.walk(whole))[i]))[k]
            new = ast.parse(new, mode="eval").body
            yield f_string, ast.unparse(Swap(target, new).visit(whole))


def offset(line, column):
    """Where (line, column) of SOURCE is, counted from its start."""
    return sum(map(len, SOURCE.splitlines(keepends=True)[: line - 1])) + column


def wrong_edits():
    """Return [(line, description, source)] for every edit, without repeats."""
    tree = ast.parse(SOURCE)
    skipped, found = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(set(ast.walk(node)) - {node})
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.update((node, node.value))  # a docstring
    for node in ast.walk(tree):
        if node in skipped:
            continue
        edits = edits_within if isinstance(node, ast.JoinedStr) else edits_of
        for target, new in edits(node):
            start = offset(target.lineno, target.col_offset)
            end = offset(target.end_lineno, target.end_col_offset)
            source = SOURCE[:start] + new + SOURCE[end:]
            try:
                changed = ast.dump(ast.parse(source)) != ast.dump(tree)
            except SyntaxError:
                continue
            if changed and source not in found:
                old = " ".join(SOURCE[start:end].split())
                found[source] = target.lineno, f"line {target.lineno}: {old}  ->  {new}"
    return sorted((line, text, source) for source, (line, text) in found.items())


def run_tests(source, line, folder):
    """Run the tests on a copy with this source; end with their exit status."""
    import pytest

    os.setpgrp()  # so that what the tests start can be ended with them
    os.chdir(folder)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    (folder / "raw_nn.py").write_text(source)
    names = ["numbers", "data", "gradients", "training", "command"]
    for text, name in FIRST.items():
        if line > SOURCE[: SOURCE.index(text)].count("\n"):
            first = name
    names.sort(key=lambda name: name != first)
    tests = [f"tests/test_{name}.py" for name in names]
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    options.append(f"--basetemp={folder}/tmp")
    module = sys.modules["raw_nn"] = types.ModuleType("raw_nn")
    status = 1
    try:
        exec(compile(source, "raw_nn.py", "exec"), module.__dict__)  # noqa: S102
        status = pytest.main([*options, *tests])
    finally:
        os._exit(status)  # whatever has happened: nothing of the parent goes on here


def try_all(edits, scratch):
    """Try the edits, some at a time; yield (description, whether it has survived)."""
    folders = [Path(scratch) / str(i) for i in range(TOGETHER)]
    for folder in folders:
        ignore = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(ROOT, folder, ignore=ignore)
    waiting, running = list(reversed(edits)), {}
    while waiting or running:
        while waiting and folders:
            line, description, source = waiting.pop()
            folder = folders.pop()
            child = os.fork()
            if child == 0:
                run_tests(source, line, folder)
            running[child] = folder, description, time.monotonic() + SECONDS
        time.sleep(0.02)
        for child, (folder, description, end) in list(running.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            if not done and time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                done, status = os.waitpid(child, 0)
            if done:
                del running[child]
                folders.append(folder)
                yield description, status == 0


def main():
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported
    lines = {int(word) for word in sys.argv[1:] if word.isdigit()}
    edits = [edit for edit in wrong_edits() if not lines or edit[0] in lines]
    if "--list" in sys.argv:
        print(*(description for _, description, _ in edits), sep="\n")
        return
    for package in ("matplotlib.figure", "matplotlib.image", "pytest", "scipy.special"):
        __import__(package)
    for package in ("datasets", "model_selection", "neural_network"):
        __import__(f"sklearn.{package}")
    sys.dont_write_bytecode = False  # pytest keeps the tests compiled, in the copies
    gc.freeze()  # the children need not search what is there already
    survivors = 0
    with TemporaryDirectory() as scratch:
        edits.insert(0, (1, "no edit", SOURCE))
        for description, survived in try_all(edits, scratch):
            if description == "no edit":
                if not survived:
                    sys.exit("the tests fail without any edit")
                continue
            survivors += survived
            print("SURVIVED" if survived else "caught  ", description, flush=True)
    print(f"\n{len(edits) - 1 - survivors} of {len(edits) - 1} edits caught")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()

"""Lets the tests import what they need; each has a folder of its own, and a minute."""

import faulthandler
import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent / "programs")]
TERMINAL = os.dup(2) if not os.environ.get("PYTEST_XDIST_WORKER") else 2


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faulthandler.dump_traceback_later(60, file=TERMINAL, exit=True)
    yield tmp_path
    faulthandler.cancel_dump_traceback_later()

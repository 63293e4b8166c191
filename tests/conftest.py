"""Lets the tests import raw_nn from the folder above, and ends a run that hangs."""

import faulthandler
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test has a minute, and works in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    faulthandler.dump_traceback_later(60, exit=True)
    yield tmp_path
    faulthandler.cancel_dump_traceback_later()

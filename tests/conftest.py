"""Lets the tests import raw_nn from the folder above, and ends a run that hangs."""

import faulthandler
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


def pytest_configure(config):
    """Keep the stderr of the terminal: pytest captures none now, but in each test."""
    config.terminal = os.dup(sys.__stderr__.fileno())


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, pytestconfig):
    """Each test has a minute, and works in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    faulthandler.dump_traceback_later(60, file=pytestconfig.terminal, exit=True)
    yield tmp_path
    faulthandler.cancel_dump_traceback_later()

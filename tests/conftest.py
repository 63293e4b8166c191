"""Lets the tests import raw_nn from the folder above, and ends a test that hangs."""

import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
SECONDS = 60  # for one test, which takes less than 1


@pytest.fixture(autouse=True)
def time_limit():
    """Fail a test that still runs after a minute, where the system has an alarm."""

    def stop(*_):
        pytest.fail(f"still running after {SECONDS} s")  # no Exception: nobody eats it

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)

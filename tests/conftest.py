"""Lets the tests import raw_nn from the folder above, also under a bare `pytest`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

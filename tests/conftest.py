"""Lets the tests import raw_nn from the folder above, also under a bare `pytest`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

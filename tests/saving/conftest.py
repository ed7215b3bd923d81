"""The cases are written for several interpreters: they are found by their own names, not as a package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

"""Runs one program file as `__main__` with tensorflow and keras resolved to kcompile."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

from .importer import as_tensorflow


def run_program(path: str, arguments: Sequence[str] = ()) -> None:
    """Like `python path arguments...`. Raises FileNotFoundError before anything runs."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no such program: {path}")
    as_tensorflow()
    sys.argv = [path, *arguments]
    sys.path[0:1] = [os.path.dirname(os.path.abspath(path))]
    runpy.run_path(path, run_name="__main__")

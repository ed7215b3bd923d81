"""Runs one program file as `__main__` with tensorflow and keras resolved to kcompile."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType, TracebackType
from typing import Any

from .importer import as_tensorflow


def run_program(path: str, arguments: Sequence[str] = ()) -> None:
    """Like `python path arguments...`: the same sys.argv, `__file__`, `__main__` and sys.path.

    What the program raises passes through, and is printed without our own frames. Raises FileNotFoundError before anything runs.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no such program: {path}")
    as_tensorflow()
    file = os.path.abspath(path)
    sys.argv = [path, *arguments]
    if not sys.flags.safe_path:
        sys.path[0:1] = [os.path.dirname(file)]
    program = _main_module(file)
    runner = sys.modules["__main__"]  # kept alive: its code is still running
    sys.modules["__main__"] = program
    sys.excepthook = _without_our_frames(program, sys.excepthook)
    with io.open_code(file) as source:
        code = compile(source.read(), file, "exec")
    exec(code, vars(program))
    del runner


def _main_module(file: str) -> ModuleType:
    module = ModuleType("__main__")
    vars(module).update(__file__=file, __builtins__=sys.modules["builtins"], __annotations__={}, __cached__=None, __package__=None)
    return module


def _without_our_frames(program: ModuleType, print_error: Any) -> Any:
    """An excepthook that leaves out the frames above the program's own."""
    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        inner = traceback
        while inner is not None and inner.tb_frame.f_globals is not vars(program):
            inner = inner.tb_next
        if inner is not None or isinstance(error, SyntaxError):  # the program's own syntax error has no frame
            traceback = inner
        print_error(kind, error.with_traceback(traceback), traceback)

    return hook

"""Which functions of the compiler each test enters, and how long it takes: a plugin of pytest (`-p reach --reach FILE`).

A function is named by its file and the line where it begins, as `ir/fusion.py:90`. What runs while modules are imported belongs to
no test. A function whose result is kept for the whole process is entered by the first test that asks for it alone, so what
is found is a lower bound.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reach", help="where to write what each test enters")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--reach"):
        config.pluginmanager.register(Recorder(config.rootpath, Path(config.getoption("--reach"))))


class Recorder:
    """Looks at calls alone: the lines of a function cost nothing more than usual."""

    def __init__(self, root: Path, target: Path) -> None:
        self.root, self.target = root, target
        self.codes: dict[int, CodeType] = {}
        self.tests: dict[str, dict[str, object]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        codes: dict[int, CodeType] = {}

        def called(frame: FrameType, event: str, arg: object) -> None:
            codes[id(frame.f_code)] = frame.f_code
        start = time.process_time()
        sys.settrace(called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            places = {self._place(code) for code in codes.values()} - {""}
            self.tests[item.nodeid] = {"seconds": time.process_time() - start, "functions": sorted(places)}

    def _place(self, code: CodeType) -> str:
        path = Path(code.co_filename).resolve()
        if not path.is_relative_to(self.root):
            return ""
        return f"{path.relative_to(self.root).as_posix()}:{code.co_firstlineno}"

    def pytest_sessionfinish(self) -> None:
        self.target.write_text(json.dumps(self.tests))

"""Runs every file test under tests/files; see file_tests.py."""

from __future__ import annotations

import importlib

import pytest
from file_tests import FOLDER, read

for _module in sorted(FOLDER.glob("steps_*.py")):
    importlib.import_module(_module.stem)

FILES = sorted(FOLDER.rglob("*.kir"))


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(FOLDER)) for p in FILES])
def test_file(path, request: pytest.FixtureRequest) -> None:  # type: ignore[no-untyped-def]
    test = read(path)
    output = test.run()
    if request.config.getoption("--bless") and output != test.expected:
        test.bless(output)
        test = read(path)
    test.compare(output)


def test_there_are_files() -> None:
    assert len(FILES) >= 20

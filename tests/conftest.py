"""Options of the whole suite, and its surroundings: no test reads or writes the home folder of the person who runs it."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

_FOLDERS = {"KERAS_HOME": "keras", "KCOMPILE_CACHE": "cache"}
_made = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite the expected output of file tests; review the diff")


def pytest_configure(config: pytest.Config) -> None:
    """Before any test file is imported: a folder of this session for each of the two that are not set already."""
    missing = [name for name in _FOLDERS if not os.environ.get(name)]
    if missing:
        config.stash[_made] = tempfile.mkdtemp(prefix="kcompile-tests-")
    for name in missing:
        os.environ[name] = os.path.join(config.stash[_made], _FOLDERS[name])
    from kcompile.common.struct import refuse_changes

    refuse_changes()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _made not in config.stash:
        return
    folder = config.stash[_made]
    for name in _FOLDERS:
        if os.environ.get(name, "").startswith(folder):
            del os.environ[name]
    shutil.rmtree(folder, ignore_errors=True)  # a process that a test left behind may still write there

"""The cache says why it had nothing: by the record of what the last entry of the same name was made from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from kcompile.codegen import cache, step_cache
from kcompile.codegen.executable import compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.target import Target
from kcompile.common.struct import replace

from .programs import training_program


class Log:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "log"
        self.folder = folder / "cache"
        self.options = CodegenOptions(cache_dir=self.folder, cache_log=str(self.file))

    def of(self, program, target: Target | None = None) -> str:
        """The line that compiling adds."""
        compile_program(program, target, self.options)
        return self.file.read_text().splitlines()[-1].partition(": ")[2]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(tmp_path)
    assert made.of(training_program()) == "compiled, because nothing of this name was compiled into this cache"
    assert made.of(training_program()) == "found in the cache"
    return made


def test_another_model(log: Log) -> None:
    assert log.of(training_program(prefix="other/")) == "compiled, because the model, its data or its optimizer is another one"


def test_another_target(log: Log) -> None:
    target = replace(Target.host(), l2=Target.host().l2 * 2)
    assert log.of(training_program(), target) == "compiled, because it was compiled for another processor or with other features"


def test_another_compiler(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_cache, "source_digest", lambda: "another")
    assert "kcompile's compiler has changed since" in log.of(training_program())


def test_other_convolutions(log: Log) -> None:
    log.options = dataclasses.replace(log.options, winograd=False)
    assert "KCOMPILE_WINOGRAD" in log.of(training_program())


def test_another_llvmlite(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "compiler", lambda: "0.0")
    assert log.of(training_program()) == "compiled, because llvmlite is of another version"


def entry_of_the_step(log: Log) -> Path:
    """The largest entry that begins as JSON does."""
    steps = [path for path in log.folder.iterdir() if (cache.read_entry(path) or b"").startswith(b'{"modules"')]
    (found,) = steps
    return found


def test_a_damaged_entry(log: Log) -> None:
    entry = entry_of_the_step(log)
    entry.write_bytes(entry.read_bytes()[:-1])
    assert log.of(training_program()) == "compiled, because the entry is damaged, and made again"
    assert log.of(training_program()) == "found in the cache"


def test_an_evicted_entry(log: Log) -> None:
    entry_of_the_step(log).unlink()
    assert log.of(training_program()) == "compiled, because the entry was evicted, or the cache was emptied"


def test_no_cache(tmp_path: Path) -> None:
    file = tmp_path / "log"
    compile_program(training_program(), options=CodegenOptions(cache_dir=None, cache_log=str(file)))
    assert file.read_text().endswith("compiled, because there is no cache\n")

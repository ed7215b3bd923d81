"""What LLVM says of the processor is asked once and remembered; an entry is for one processor and one compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcompile.codegen import cache, processor
from kcompile.codegen.options import CodegenOptions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[processor.Processor]:
    """What LLVM was asked for."""
    made, ask = [], processor._asked

    def counted() -> processor.Processor:
        made.append(ask())
        return made[-1]
    monkeypatch.setattr(processor, "_asked", counted)
    return made


@pytest.mark.skipif(not processor._identity(), reason="the system does not tell processors apart")
def test_llvm_is_asked_once(tmp_path: Path, asked: list[processor.Processor], monkeypatch: pytest.MonkeyPatch) -> None:
    options = CodegenOptions(cache_dir=tmp_path)
    first = processor.processor(options)
    assert processor.processor(options) == first and len(asked) == 1
    monkeypatch.setattr(processor, "_identity", lambda: "flags\t: another one")
    processor.processor(options)
    assert len(asked) == 2
    monkeypatch.setattr(cache, "compiler", lambda: "another compiler")
    processor.processor(options)
    assert len(asked) == 3


def test_a_damaged_entry_is_made_again(tmp_path: Path, asked: list[processor.Processor]) -> None:
    options = CodegenOptions(cache_dir=tmp_path)
    first = processor.processor(options)
    for entry in tmp_path.iterdir():
        entry.write_bytes(entry.read_bytes()[:-9])
    assert processor.processor(options) == first and len(asked) == 2


def test_without_a_cache_llvm_is_asked(asked: list[processor.Processor]) -> None:
    assert processor.processor(None) == processor.processor(CodegenOptions(cache_dir=None)) and len(asked) == 2

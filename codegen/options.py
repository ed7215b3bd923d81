"""Choices of code generation that a caller makes; the front end fills them from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


def default_cache_directory() -> Path:
    """$XDG_CACHE_HOME/kcompile, or ~/.cache/kcompile."""
    import os

    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kcompile"


@dataclass(frozen=True)  # not a struct: kcompile.ir would load numpy, and a text that is printed again must not wait for it
class CodegenOptions:
    """`threads`: None means one for each usable core; may exceed the cores. `cache_dir`: None means no cache on disk.

    `cache_log`: a file that gets a line for each step that is looked up ('-': standard error): found, or why not.
    `tune`: the tiles of kernels are measured, not estimated (tuning.py). `winograd`: whether the passes before may make products of
    transformed tiles of convolutions; here it only tells entries of the cache apart.
    `single_thread_below`: a step whose estimated work (in vector instructions) is smaller, for each barrier and its end, runs on one
    thread. `small_below`: a single step of less work does not wait for threads that sleep.
    """

    threads: int | None = None
    cache_dir: Path | None = field(default_factory=default_cache_directory)
    cache_bytes: int = 1 << 30
    cache_log: str | None = None
    tune: bool = False
    winograd: bool = True
    single_thread_below: int = 25_000  # about 5 microseconds; a meeting of two threads costs half as much when one comes late
    small_below: int = 400_000  # about 60 microseconds, or a few times what it takes to wake a thread

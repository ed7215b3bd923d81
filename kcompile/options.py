"""Every environment variable that kcompile reads, in one table. `python -m kcompile list options` prints it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class OptionError(ValueError):
    """An environment variable with a value that cannot be used."""


@dataclass(frozen=True)
class Option:
    """One environment variable: its name, what it does, and how its text becomes a value."""

    name: str
    doc: str
    parse: Callable[[str], Any]
    default: Any
    shown_default: str = ""

    def read(self) -> Any:
        text = os.environ.get(self.name, "")
        if not text:
            return self.default() if callable(self.default) else self.default
        try:
            return self.parse(text)
        except ValueError as error:
            raise OptionError(f"{self.name}={text!r}: {error}") from None


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("expected 0 or 1")


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise ValueError("expected a number of threads from 1 to 1024")
    return int(text)


def _cap(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a whole number")
    return int(text)


def _log(text: str) -> str:
    path = Path(text)
    if text != "-" and (path.is_dir() or not path.parent.is_dir()):
        raise ValueError("is a folder; expected a file" if path.is_dir() else f"there is no folder {path.parent}")
    return text


def _cache(text: str) -> Path | None:
    return None if text.lower() in ("0", "off", "none") else Path(text).expanduser()


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kcompile"


def _target(text: str) -> str:
    if text != "host":
        from .codegen.target import split_name
        split_name(text)
    return text


OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("KCOMPILE_THREADS", "threads that run a step; may exceed the cores", _threads, None, "the cores this process may use"),
        Option("KCOMPILE_CACHE", "folder of the object-code cache, or 'off'", _cache, _default_cache, "~/.cache/kcompile"),
        Option("KCOMPILE_CACHE_LOG",
               "a file that gets a line for each step looked up in the cache: found, or why not; '-': standard error", _log, None, "none"),
        Option("KCOMPILE_TUNE", "1: the tiles of kernels are measured when they are compiled, and kept in the cache; results stay the same "
               "to the bit", _flag, False, "0"),
        Option("KCOMPILE_WINOGRAD", "0: convolutions by 3x3 filters are direct ones, with 2.25 times as many products; results "
               "differ by rounding alone", _flag, True, "1"),
        Option("KCOMPILE_CHECK", "1: verify and evaluate every graph before and after every pass", _flag, False, "0"),
        Option("KCOMPILE_TARGET", "code for: host, avx512, avx2, neon or scalar; other numbers than `list targets` shows may "
               "follow: host,multiply_adds=1,l2=1M", _target, "host", "host"),
        Option("KCOMPILE_DUMP", "a folder that gets the text of every stage of everything that is compiled",
               lambda text: Path(text).expanduser(), None, "none"),
        Option("KCOMPILE_NAN", "1: stop where the first NaN or infinity arises; name layer, op, step and sample (slow)", _flag, False, "0"),
        Option("KCOMPILE_DATASETS", "a folder that every datasets.*.load_data() looks into first; its files are taken as they are",
               lambda text: Path(text).expanduser(), None, "none"),
        Option("KERAS_HOME", "the folder of keras.json and of downloaded data sets", lambda text: Path(text).expanduser(),
               lambda: Path("~/.keras").expanduser(), "~/.keras"),
        Option("KERAS_BACKEND", "what keras.backend.backend() says, in place of keras.json's value; changes nothing else", str, None,
               "none"),
        Option("KERAS_MAX_EPOCHS", "a cap on the epochs of any fit", _cap, None, "none"),
        Option("KERAS_MAX_STEPS_PER_EPOCH", "a cap on the steps of any epoch", _cap, None, "none"),
    )
}


def option(name: str) -> Any:
    """The value of one variable now. Raises OptionError when it cannot be used, KeyError when it is none of ours."""
    return OPTIONS[name].read()

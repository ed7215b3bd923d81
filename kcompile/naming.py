"""Names: automatic ones that count up, name scopes, and what `clear_session` resets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_counters: dict[str, int] = {}
_resetters: list[Callable[[], None]] = []


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.names: list[str] = []


_scopes = _Scopes()


def to_snake_case(name: str) -> str:
    """'Conv2D' -> 'conv2d', 'BatchNormalization' -> 'batch_normalization', as Keras names layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def to_camel_case(name: str) -> str:
    """'expand_dims' -> 'ExpandDims'."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def uniquify(name: str) -> str:
    """The name itself the first time, then name_1, name_2, ..."""
    count = _counters.get(name, -1) + 1
    _counters[name] = count
    return f"{name}_{count}" if count else name


def auto_name(prefix: str) -> str:
    """A fresh automatic name from a class name."""
    return uniquify(to_snake_case(prefix))


def get_uid(prefix: str = "") -> int:
    """The next number for a prefix, from 1 (Keras's `backend.get_uid`)."""
    key = f"uid of {prefix}"
    _counters[key] = _counters.get(key, 0) + 1
    return _counters[key]


def reset_uids() -> None:
    """Begin all counting again."""
    _counters.clear()


def on_clear_session(reset: Callable[[], None]) -> Callable[[], None]:
    """Decorator: call this whenever the session is cleared."""
    _resetters.append(reset)
    return reset


def clear_session(free_memory: bool = True) -> None:
    """Forget automatic names and every other global default; `free_memory` also runs the garbage collector."""
    reset_uids()
    for reset in _resetters:
        reset()
    if free_memory:
        import gc

        gc.collect()


class name_scope:
    """Variables made inside get this component in their path: `with name_scope("dense"): ...`."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        if not isinstance(name, str):
            raise ValueError(f"Argument `name` must be a string. Received: {name!r} (of type {type(name).__name__})")
        self.name = name

    def __enter__(self) -> name_scope:
        _scopes.names.append(self.name)
        return self

    def __exit__(self, *exception: object) -> None:
        _scopes.names.pop()


def current_path() -> str:
    """The open scopes, joined by slashes; '' outside."""
    return "/".join(_scopes.names)


@contextmanager
def root_scope() -> Iterator[None]:
    """Inside, no scope is open (for variables that own their path)."""
    saved, _scopes.names = _scopes.names, []
    try:
        yield
    finally:
        _scopes.names = saved

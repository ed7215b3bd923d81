"""`@struct(frozen=True)`: what `@dataclass(frozen=True)` makes of a class, in a fraction of the time, and objects made in a quarter of it.

A process imports a hundred of these classes before its first step, and a compilation makes their objects by the hundred thousand.
dataclasses compiles six methods of each frozen class one by one, its constructor sets each field by way of `object`, and its `replace`
looks up everything anew. Here dataclasses only collects the fields; the constructor is compiled at once, equality, hash and `replace` when
they are first asked for.

The constructor sets attributes as any other class's does: only then does Python keep them beside the object, not in a dictionary, from
which reading one takes four times as long. So nothing stands in the way of an assignment from outside but the type checker, and,
once `refuse_changes` has been called, as the tests do and whoever has passes checked, every class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from typing import TYPE_CHECKING, Any

from .lazy import lazy

__all__ = ["refuse_changes", "replace", "struct"]

if TYPE_CHECKING:
    from dataclasses import dataclass as struct  # type checkers know what it makes of a class
    from dataclasses import replace
else:
    def struct(frozen: bool) -> Callable[[type], type]:
        """A class whose annotations are its fields: equal where these are, hashable, never changed (there is no other kind)."""
        assert frozen
        return _made

    def replace(item: Any, **changes: Any) -> Any:
        """A copy with some fields changed. What `lazy` attributes have found out about the item is not copied."""
        return item._replaced(**changes)

_classes: list[Any] = []
_refusing = False


def refuse_changes() -> None:
    """From now on an assignment to a field raises FrozenInstanceError."""
    global _refusing
    if not _refusing:
        _refusing = True
        for cls in _classes:
            cls.__setattr__, cls.__delattr__ = _refuse_set, _refuse_delete


def _made(cls: type) -> type:
    own = {name for name, value in cls.__dict__.items() if value is not None}  # who defines __eq__ alone has None for a __hash__
    if cls.__doc__ is None:
        cls.__doc__ = ""  # dataclasses would write a signature there, which takes as long as all the rest
    made: Any = dataclass(init=False, repr=False, eq=False)(cls)
    if "__init__" not in own:
        made.__init__ = _constructor(made)
    for name, method in (("__eq__", _equal), ("__hash__", _hash), ("__repr__", _text)):
        if name not in own:
            setattr(made, name, method)
    for name, one in made.__dataclass_fields__.items():
        if one.default is not MISSING and name in cls.__dict__:
            delattr(cls, name)  # the constructor knows it; beside an attribute of the class, that of the object is found late
    made._replaced = _replaced
    if _refusing:
        made.__setattr__, made.__delattr__ = _refuse_set, _refuse_delete
    _classes.append(made)
    _name_attributes(made)
    return cls


def _name_attributes(cls: Any) -> None:
    """Objects share the names of their attributes as long as the first ones have them all: lazy ones, too."""
    first = object.__new__(cls)
    for name in (*cls.__dataclass_fields__, *(name for name, value in cls.__dict__.items() if isinstance(value, lazy))):
        object.__setattr__(first, name, None)


def _constructor(cls: Any) -> Any:
    known: dict[str, Any] = {"MISSING": MISSING}
    given, lines = [], []
    for one in fields(cls):
        name = one.name
        if one.default_factory is not MISSING:
            known[f"make_{name}"] = one.default_factory
            given.append(f"{name}=MISSING")
            lines.append(f"self.{name} = make_{name}() if {name} is MISSING else {name}")
        else:
            if one.default is not MISSING:
                known[f"default_{name}"] = one.default
                name = f"{name}=default_{name}"
            given.append(name)
            lines.append(f"self.{one.name} = {one.name}")
    return _compiled(f"__init__(self, {', '.join(given)})", lines or ["pass"], known)


def _compiled(head: str, lines: list[str], known: dict[str, Any]) -> Any:
    """A method of these lines."""
    found: dict[str, Any] = {}
    exec(f"def {head}:\n  " + "\n  ".join(lines), known, found)
    return next(iter(found.values()))


def _compare(cls: Any) -> None:
    """Compile equality and hash, unless the class has its own."""
    own, its = ("".join(f"{who}.{one.name}, " for one in fields(cls)) for who in ("self", "other"))
    if cls.__eq__ is _equal:
        cls.__eq__ = _compiled("__eq__(self, other)",
                               [f"return ({own}) == ({its}) if other.__class__ is self.__class__ else NotImplemented"], {})
    if cls.__hash__ is _hash:
        cls.__hash__ = _compiled("__hash__(self)", [f"return hash(({own}))"], {})


def _equal(self: Any, other: object) -> Any:
    """Until somebody compares."""
    _compare(self.__class__)
    return self == other


def _hash(self: Any) -> int:
    """Until somebody asks for a hash."""
    _compare(self.__class__)
    return hash(self)


def _replaced(self: Any, **changes: Any) -> Any:
    """Until somebody replaces a field."""
    names = [one.name for one in fields(self)]
    lines = ["new = make(self.__class__)", *(f"new.{name} = self.{name} if {name} is KEPT else {name}" for name in names), "return new"]
    head = "".join(f", {name}=KEPT" for name in names)
    self.__class__._replaced = _compiled(f"_replaced(self{head})", lines, {"make": object.__new__, "KEPT": MISSING})
    return self._replaced(**changes)


def _text(self: Any) -> str:
    parts = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self)]
    return f"{self.__class__.__qualname__}({', '.join(parts)})"


def _refuse_set(self: Any, name: str, value: Any) -> None:
    if name not in self.__class__.__dataclass_fields__ or name in self.__dict__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)  # the constructor's


def _refuse_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")

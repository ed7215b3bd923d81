"""`@struct(frozen=True)`: what `@dataclass(frozen=True)` makes of a class, in a fraction of the time, and objects made in a quarter of it.

A process imports a hundred of these classes before its first step, and a compilation makes their objects by the hundred thousand.
dataclasses compiles six methods of each frozen class one by one, its constructor sets each field by way of `object`, and its `replace`
looks up everything anew. All that is taken of it is what `field` says of a default; its own functions know nothing of these classes. A
constructor is compiled once for all classes with as many fields, and then told their names; so are equality, hash and `replace`, when they
are first asked for. Those that a first step needs lie in `struct_methods.py`, which Python keeps compiled.

The constructor sets attributes as any other class's does: only then does Python keep them beside the object, not in a dictionary, from
which reading one takes four times as long. So nothing stands in the way of an assignment from outside but the type checker, and,
once `refuse_changes` has been called, as the tests do and whoever has passes checked, every class.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from . import struct_methods
from .lazy import lazy

__all__ = ["refuse_changes", "replace", "struct"]

if TYPE_CHECKING:
    from dataclasses import dataclass as struct  # type checkers know what it makes of a class
    from dataclasses import replace
else:
    def struct(frozen: bool) -> Callable[[type], type]:
        """A class whose annotations are its fields: equal where these are; `frozen`: hashable, and never changed."""
        return _made if frozen else _made_open

    def replace(item: Any, **changes: Any) -> Any:
        """A copy with some fields changed. What `lazy` attributes have found out about the item is not copied."""
        return item._replaced(**changes)

NAMES = {"init": "__init__", "eq": "__eq__", "hash": "__hash__", "replaced": "_replaced"}
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
    return _with_methods(cls, frozen=True)


def _made_open(cls: type) -> type:
    return _with_methods(cls, frozen=False)


def _with_methods(cls: type, frozen: bool) -> type:
    own = {name for name, value in cls.__dict__.items() if value is not None}  # who defines __eq__ alone has None for a __hash__
    made: Any = cls
    found: dict[str, Any] = {}
    for base in cls.__mro__[:0:-1]:
        found.update(getattr(base, "__struct_fields__", {}))
    for name in inspect.get_annotations(cls):
        found[name] = cls.__dict__.get(name, MISSING)
    made.__struct_fields__ = found  # by name: a default, a `field` that has one or makes one, or MISSING
    made.__match_args__ = tuple(found)  # type: ignore[misc]
    if "__init__" not in own:
        made.__init__ = _constructor(made)
    for name, method in (("__eq__", _equal), ("__hash__", _hash if frozen else None), ("__repr__", _text)):
        if name not in own:
            setattr(made, name, method)
    for name in found:
        if name in cls.__dict__:
            delattr(cls, name)  # the constructor knows it; beside an attribute of the class, that of the object is found late
    made._replaced = _replaced
    if frozen:
        if _refusing:
            made.__setattr__, made.__delattr__ = _refuse_set, _refuse_delete
        _classes.append(made)
    _name_attributes(made)
    return cls


def _name_attributes(cls: Any) -> None:
    """Objects share the names of their attributes as long as the first ones have them all: lazy ones, too."""
    first = object.__new__(cls)
    for name in (*cls.__struct_fields__, *(name for name, value in cls.__dict__.items() if isinstance(value, lazy))):
        object.__setattr__(first, name, None)


def _constructor(cls: Any) -> Any:
    defaults, factories = [], {}
    for n, default in enumerate(cls.__struct_fields__.values()):
        if isinstance(default, Field) and default.default_factory is not MISSING:
            factories[n] = default.default_factory
        known = default.default if isinstance(default, Field) else default
        if known is not MISSING or n in factories:
            defaults.append(known)
    return _method(cls, "init", tuple(factories), tuple(defaults), {"made": factories, "MISSING": MISSING})


def _method(cls: Any, kind: str, made: tuple[int, ...] = (), defaults: tuple[Any, ...] = (), known: dict[str, Any] | None = None) -> Any:
    names = list(cls.__struct_fields__)
    code = _template(kind, len(names), made)
    its = {f"f{n}_": name for n, name in enumerate(names)}
    code = code.replace(co_names=tuple([its.get(name, name) for name in code.co_names]),
                        co_varnames=tuple([its.get(name, name) for name in code.co_varnames]))
    return FunctionType(code, known or {}, code.co_name, defaults or None)


@functools.cache
def _template(kind: str, count: int, made: tuple[int, ...]) -> CodeType:
    """The code of a method of all classes with so many fields: to compile it takes ten times as long as to name the fields, and nothing
    where it has been compiled with the modules (struct_methods.py)."""
    name = template_name(kind, count, made)
    function = getattr(struct_methods, name, None)
    if function is None:
        found: dict[str, Any] = {}
        exec(template(kind, count, made), found)
        function = found[name]
    code: CodeType = function.__code__
    return code.replace(co_name=NAMES[kind], co_qualname=NAMES[kind])


def template_name(kind: str, count: int, made: tuple[int, ...]) -> str:
    return "_".join([kind, str(count), *(["made", *map(str, made)] if made else [])])


def template(kind: str, count: int, made: tuple[int, ...] = ()) -> str:
    """A method of a class with the fields f0_, f1_, ...: `init`, `eq`, `hash` or `replaced`. `made`: fields whose default is made anew."""
    places = [f"f{n}_" for n in range(count)]
    given = "".join(f", {place}" for place in places)
    own, other = ("".join(f"{who}.{place}, " for place in places).rstrip(" " if count == 1 else ", ") for who in ("self", "other"))
    if kind == "init":
        lines = [f"self.{place} = {place}" + (f" if {place} is not MISSING else made[{n}]()" if n in made else "")
                 for n, place in enumerate(places)] or ["pass"]
    elif kind == "replaced":
        lines = ["_ = make(self.__class__)", *[f"_.{place} = self.{place} if {place} is KEPT else {place}" for place in places], "return _"]
    elif kind == "eq":
        given, lines = ", other", [f"return ({own}) == ({other}) if other.__class__ is self.__class__ else NotImplemented"]
    else:
        given, lines = "", [f"return hash(({own}))"]
    return "\n    ".join([f"def {template_name(kind, count, made)}(self{given}):", *lines]) + "\n"


def _compare(cls: Any) -> None:
    """Equality and hash, unless the class has its own."""
    if cls.__eq__ is _equal:
        cls.__eq__ = _method(cls, "eq")
    if cls.__hash__ is _hash:
        cls.__hash__ = _method(cls, "hash")


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
    cls = self.__class__
    cls._replaced = _method(cls, "replaced", (), (MISSING,) * len(cls.__struct_fields__), {"make": object.__new__, "KEPT": MISSING})
    return self._replaced(**changes)


def _text(self: Any) -> str:
    parts = [f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__]
    return f"{self.__class__.__qualname__}({', '.join(parts)})"


def _refuse_set(self: Any, name: str, value: Any) -> None:
    if name not in self.__class__.__struct_fields__ or name in self.__dict__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)  # the constructor's


def _refuse_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")

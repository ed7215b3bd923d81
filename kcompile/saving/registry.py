"""Owns which classes and functions of a user's a file may name: registered ones, and those of an open scope."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_objects: dict[str, Any] = {}
_names: dict[Any, str] = {}


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack: list[Mapping[str, Any]] = []
        self.collected: dict[str, Any] | None = None


_scopes = _Scopes()


def get_custom_objects() -> dict[str, Any]:
    """The global table of registered objects, by name; it may be changed."""
    return _objects


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """A decorator: the class or function may be named by files, as 'package>name'. Raises ValueError for a class without get_config."""
    def decorate(item: Any) -> Any:
        registered = f"{package}>{name if name is not None else item.__name__}"
        if inspect.isclass(item) and not hasattr(item, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        _objects[registered] = item
        _names[item] = registered
        return item

    return decorate


def get_registered_name(obj: Any) -> str:
    """The name an object was registered under, else its own."""
    try:
        found = _names.get(obj)
    except TypeError:  # not hashable
        found = None
    if found is None:
        found = str(obj.__name__)
        if _scopes.collected is not None and not str(obj.__module__).startswith(__name__.partition(".")[0] + ".") and found != "<lambda>":
            _scopes.collected[found] = obj
    return found


@contextmanager
def collected_objects() -> Iterator[dict[str, Any]]:
    """Gathers the classes and functions that are not registered and whose names are written inside, by name."""
    before, _scopes.collected = _scopes.collected, {}
    try:
        yield _scopes.collected
    finally:
        _scopes.collected = before


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None,
                          module_objects: Mapping[str, Any] | None = None) -> Any:
    """The class or function of a name: of the open scopes, registered, in custom_objects, in module_objects; or None."""
    for table in (*reversed(_scopes.stack), _objects, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def find(custom_objects: Mapping[str, Any] | None, *names: Any) -> Any:
    """The first object that one of the names (those that are strings) stands for among a user's own, or None."""
    for name in names:
        if isinstance(name, str):
            found = (custom_objects or {}).get(name)
            found = found if found is not None else get_registered_object(name)
            if found is not None:
                return found
    return None


class CustomObjectScope:
    """`with custom_object_scope({"Name": object}):` files read inside may name these."""

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        _scopes.stack.append(self.custom_objects)
        return self

    def __exit__(self, *args: Any) -> None:
        _scopes.stack.remove(self.custom_objects)


custom_object_scope = CustomObjectScope


# -- objects in several places ------------------------------------------------------------------------------------
class _Sharing(threading.local):
    def __init__(self) -> None:
        self.records: dict[int, tuple[Any, dict[str, Any]]] | None = None  # id -> (object, its first record)
        self.objects: dict[Any, Any] | None = None  # number in a file -> object


_sharing = _Sharing()


@contextmanager
def sharing_scope() -> Iterator[None]:
    """A layer that stands in several places is marked in the records written inside, and is one again in what is read inside."""
    before = _sharing.records, _sharing.objects
    _sharing.records, _sharing.objects = {}, {}
    try:
        yield
    finally:
        _sharing.records, _sharing.objects = before


def note_record(obj: Any, record: dict[str, Any]) -> None:
    """An object has been written; from the second time on, all its records carry one number."""
    if _sharing.records is None:
        return
    number = id(obj)
    first = _sharing.records.setdefault(number, (obj, record))[1]
    if first is not record:
        first["shared_object_id"] = record["shared_object_id"] = number


def shared_object(record: dict[str, Any]) -> Any:
    """The object that was read from a record of the same number before, or None."""
    number = record.get("shared_object_id")
    return _sharing.objects.get(number) if _sharing.objects is not None and isinstance(number, int) else None


def note_object(record: dict[str, Any], obj: Any) -> None:
    """An object has been read."""
    number = record.get("shared_object_id")
    if _sharing.objects is not None and isinstance(number, int):
        _sharing.objects[number] = obj


# -- safe mode ----------------------------------------------------------------------------------------------------
class _Safety(threading.local):
    def __init__(self) -> None:
        self.safe: bool | None = None


_safety = _Safety()


def in_safe_mode() -> bool | None:
    """Whether a load forbids (True) or allows (False) code in files; None outside a load."""
    return _safety.safe


@contextmanager
def safe_mode_scope(safe_mode: bool) -> Iterator[None]:
    """What is read inside obeys this safe mode."""
    before, _safety.safe = _safety.safe, bool(safe_mode)
    try:
        yield
    finally:
        _safety.safe = before


def enable_unsafe_deserialization() -> None:
    """Allow code in files for the rest of this thread's life. Only for files you have written yourself."""
    _safety.safe = False

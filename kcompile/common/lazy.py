"""An attribute computed when it is first read: functools.cached_property without its lock, which costs more than what it guards here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")
remember = object.__setattr__  # of an object that refuses to be changed; by its `__dict__` it would get a dictionary of its own


class lazy(Generic[T]):
    """Of an immutable object: two threads that compute the value at once get equal ones."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = self.function(instance)
        remember(instance, self.name, value)
        return value

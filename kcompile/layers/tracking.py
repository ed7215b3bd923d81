"""Owns the bookkeeping behind attribute assignment: which variables, layers, metrics and seed generators a layer holds.

Containers (list, dict, tuple, set, nested) are replaced by tracked ones on assignment, so that what is appended later is seen too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class Structure:
    """`version` grows whenever any layer gets or loses something tracked, or anything begins or ceases to be trainable: what was
    found out about a model at the same version still holds."""

    version = 0


class Tracker:
    """Files tracked objects into named stores, in order of first appearance, with a count of the references held.

    stores: name -> (predicate, list). The first store whose predicate accepts an object takes it.
    """

    def __init__(self, stores: dict[str, tuple[Callable[[Any], bool], list[Any]]]) -> None:
        self.stores = stores
        self._counts: dict[int, int] = {}
        self._locked_message: str | None = None
        self._paused = 0

    def lock(self, message: str) -> None:
        """From now on a new object is a ValueError with this message."""
        self._locked_message = message

    def unlock(self) -> None:
        self._locked_message = None

    def held(self) -> tuple[dict[int, int], dict[str, list[Any]]]:
        """What is held now, for `restore`."""
        return dict(self._counts), {name: list(store) for name, (_, store) in self.stores.items()}

    def restore(self, held: tuple[dict[int, int], dict[str, list[Any]]]) -> None:
        """Forget what has come since."""
        self._counts = held[0]
        for name, (_, store) in self.stores.items():
            store[:] = held[1][name]
        Structure.version += 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Attributes set inside are stored as they are and tracked nowhere."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1

    def track(self, value: Any) -> Any:
        """File `value` (or what it contains) and return what the attribute shall hold. Raises ValueError when locked."""
        if self._paused or isinstance(value, (str, bytes, int, float)) or value is None:
            return value
        for predicate, store in self.stores.values():
            if predicate(value):
                self._add(value, store)
                return value
        if type(value) is list:
            return TrackedList(value, self)
        if type(value) is dict:
            return TrackedDict(value, self)
        if type(value) is set:
            return TrackedSet(value, self)
        if type(value) is tuple:
            return tuple([self.track(item) for item in value])
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*[self.track(item) for item in value])
        if isinstance(value, (TrackedList, TrackedDict, TrackedSet)):
            if value.tracker is not self:
                return self.track(value.plain())
            for item in value.values() if isinstance(value, TrackedDict) else value:  # one more attribute holds what is in it
                self.track(item)
        return value

    def untrack(self, value: Any) -> None:
        """Give back one reference to `value`; the last one takes it out of its store."""
        if isinstance(value, dict):
            for item in value.values():
                self.untrack(item)
            return
        if isinstance(value, (list, tuple, set)):
            for item in value:
                self.untrack(item)
            return
        count = self._counts.get(id(value))
        if count is None:
            return
        if count > 1:
            self._counts[id(value)] = count - 1
            return
        del self._counts[id(value)]
        Structure.version += 1
        for _, store in self.stores.values():
            store[:] = [kept for kept in store if kept is not value]

    def add_to(self, name: str, value: Any) -> None:
        """File `value` into the store `name` whatever its predicate says."""
        self._add(value, self.stores[name][1])

    def _add(self, value: Any, store: list[Any]) -> None:
        count = self._counts.get(id(value), 0)
        if count == 0:
            if self._locked_message is not None:
                raise ValueError(self._locked_message)
            store.append(value)
            Structure.version += 1
        self._counts[id(value)] = count + 1


class TrackedList(list):  # type: ignore[type-arg]
    """A list whose items its owner tracks."""

    def __init__(self, values: Iterable[Any] = (), tracker: Tracker | None = None) -> None:
        self.tracker = tracker
        super().__init__([self._track(value) for value in values])

    def _track(self, value: Any) -> Any:
        return self.tracker.track(value) if self.tracker else value

    def _untrack(self, value: Any) -> None:
        if self.tracker:
            self.tracker.untrack(value)

    def plain(self) -> list[Any]:
        return list(self)

    def append(self, value: Any) -> None:
        super().append(self._track(value))

    def insert(self, index: Any, value: Any) -> None:
        super().insert(index, self._track(value))

    def extend(self, values: Iterable[Any]) -> None:
        super().extend([self._track(value) for value in values])

    def __iadd__(self, values: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(values)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self._untrack(self[index])
        super().__setitem__(index, [self._track(v) for v in value] if isinstance(index, slice) else self._track(value))

    def __delitem__(self, index: Any) -> None:
        self._untrack(self[index])
        super().__delitem__(index)

    def pop(self, index: Any = -1) -> Any:
        value = super().pop(index)
        self._untrack(value)
        return value

    def remove(self, value: Any) -> None:
        super().remove(value)
        self._untrack(value)

    def clear(self) -> None:
        self._untrack(self.plain())
        super().clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self.plain(),)


class TrackedDict(dict):  # type: ignore[type-arg]
    """A dict whose values its owner tracks."""

    def __init__(self, values: Any = (), tracker: Tracker | None = None) -> None:
        self.tracker = tracker
        super().__init__({key: self._track(value) for key, value in dict(values).items()})

    def _track(self, value: Any) -> Any:
        return self.tracker.track(value) if self.tracker else value

    def _untrack(self, value: Any) -> None:
        if self.tracker:
            self.tracker.untrack(value)

    def plain(self) -> dict[Any, Any]:
        return dict(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        value = self._track(value)
        if key in self:
            self._untrack(self[key])
        super().__setitem__(key, value)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self, other: Any) -> TrackedDict:  # type: ignore[misc]
        self.update(other)
        return self

    def __delitem__(self, key: Any) -> None:
        self._untrack(self[key])
        super().__delitem__(key)

    def pop(self, key: Any, *default: Any) -> Any:
        present = key in self
        value = super().pop(key, *default)
        if present:
            self._untrack(value)
        return value

    def popitem(self) -> tuple[Any, Any]:
        key, value = super().popitem()
        self._untrack(value)
        return key, value

    def clear(self) -> None:
        self._untrack(self.plain())
        super().clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.plain(),)


class TrackedSet(set):  # type: ignore[type-arg]
    """A set whose members its owner tracks."""

    def __init__(self, values: Iterable[Any] = (), tracker: Tracker | None = None) -> None:
        self.tracker = tracker
        super().__init__([tracker.track(value) if tracker else value for value in values])

    def plain(self) -> set[Any]:
        return set(self)

    def add(self, value: Any) -> None:
        super().add(self.tracker.track(value) if self.tracker and value not in self else value)

    def update(self, *others: Iterable[Any]) -> None:
        for other in others:
            for value in other:
                self.add(value)

    def discard(self, value: Any) -> None:
        if value in self:
            self.remove(value)

    def remove(self, value: Any) -> None:
        super().remove(value)
        if self.tracker:
            self.tracker.untrack(value)

    def pop(self) -> Any:
        value = super().pop()
        if self.tracker:
            self.tracker.untrack(value)
        return value

    def clear(self) -> None:
        if self.tracker:
            self.tracker.untrack(self.plain())
        super().clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return set, (self.plain(),)

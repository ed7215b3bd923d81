"""Where emitted lines go: a stack of open blocks of control flow, each with its own lines.

While a loop is being written, the block around it is still open just before the loop: a line whose operands are known
there is put there, which is how addresses and masks leave the loops they do not depend on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from ..text_builder import Writer

Known = tuple["Scope", Any, Any]  # a scope, what it remembers, and the same of a scope around it that remembers it too


class Scope:
    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.lines: list[str] = []
        self.open = True


class Scopes:
    """The stack. Depth 0 is the function's entry."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.stack: list[Scope] = [Scope(0)]
        self.writer.lines = self.stack[0].lines
        self._known: dict[Hashable, Known] = {}  # of scopes that are closed, too: to take their keys away costs more than to pass over them

    @property
    def depth(self) -> int:
        return len(self.stack) - 1

    def push(self) -> None:
        self.stack.append(Scope(len(self.stack)))
        self.writer.lines = self.stack[-1].lines

    def pop(self) -> list[str]:
        """Closes the innermost scope and returns its lines; what it remembered is forgotten."""
        scope = self.stack.pop()
        scope.open = False
        self.writer.lines = self.stack[-1].lines
        return scope.lines

    @contextmanager
    def at(self, depth: int) -> Iterator[Writer]:
        """Lines written inside go to the scope of that depth."""
        self.writer.lines = self.stack[depth].lines
        try:
            yield self.writer
        finally:
            self.writer.lines = self.stack[-1].lines

    def value(self, instruction: str, depth: int) -> str:
        """The result of an instruction in the scope of that depth."""
        writer = self.writer
        writer.lines = self.stack[depth].lines
        name = writer.value(instruction)
        writer.lines = self.stack[-1].lines
        return name

    def recall(self, key: Hashable, depth: int | None = None) -> Any:
        """What an open scope (of at most that depth), the innermost that does, remembers under `key`."""
        found = self._known.get(key)
        while found is not None:
            scope, value, around = found
            if scope.open and (depth is None or scope.depth <= depth):
                return value
            found = around
        return None

    def remember(self, key: Hashable, value: object, depth: int | None = None) -> None:
        self._known[key] = _beside(self._known.get(key), self.stack[-1 if depth is None else depth], value)


def _beside(found: Known | None, scope: Scope, value: object) -> Known:
    """What is remembered under a key, with a scope's value: inner scopes first."""
    while found is not None and not found[0].open:
        found = found[2]
    if found is None or found[0].depth < scope.depth:
        return scope, value, found
    inner, own, around = found
    return (scope, value, around) if inner is scope else (inner, own, _beside(around, scope, value))

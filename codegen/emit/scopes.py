"""Where emitted lines go: a stack of open blocks of control flow, each with its own lines.

While a loop is being written, the block around it is still open just before the loop: a line whose operands are known
there is put there, which is how addresses and masks leave the loops they do not depend on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..text_builder import Writer


@dataclass
class Scope:
    lines: list[str] = field(default_factory=list)
    memo: dict[Hashable, object] = field(default_factory=dict)


class Scopes:
    """The stack. Depth 0 is the function's entry."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.stack: list[Scope] = [Scope()]
        self.writer.lines = self.stack[0].lines

    @property
    def depth(self) -> int:
        return len(self.stack) - 1

    def push(self) -> None:
        self.stack.append(Scope())
        self.writer.lines = self.stack[-1].lines

    def pop(self) -> list[str]:
        """Closes the innermost scope and returns its lines; what it remembered is forgotten."""
        lines = self.stack.pop().lines
        self.writer.lines = self.stack[-1].lines
        return lines

    @contextmanager
    def at(self, depth: int) -> Iterator[Writer]:
        """Lines written inside go to the scope of that depth."""
        self.writer.lines = self.stack[depth].lines
        try:
            yield self.writer
        finally:
            self.writer.lines = self.stack[-1].lines

    def recall(self, key: Hashable, depth: int | None = None) -> object | None:
        """What an open scope (of at most that depth) remembers under `key`."""
        for scope in reversed(self.stack if depth is None else self.stack[:depth + 1]):
            if key in scope.memo:
                return scope.memo[key]
        return None

    def remember(self, key: Hashable, value: object, depth: int | None = None) -> None:
        self.stack[-1 if depth is None else depth].memo[key] = value

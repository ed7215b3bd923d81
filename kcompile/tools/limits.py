"""`--fail-if recompiles>0`, `--fail-if peak>512MB`: limits for continuous integration, exit code 1 where one is passed."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .report import TargetError, size_text

if TYPE_CHECKING:
    from ..codegen.executable import Executable
    from ..ir.graph import Graph

COMPARISONS: dict[str, Callable[[float, float], bool]] = {">": operator.gt, ">=": operator.ge}
UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
QUANTITIES = ("recompiles", "peak")
_LIMIT = re.compile(r"(\w+)\s*(>=?)\s*(\d+(?:\.\d+)?)\s*([KMG]?B)?")


@dataclass(frozen=True)
class Limit:
    """`quantity` `comparison` `value`: a failure where it holds."""

    text: str
    quantity: str
    comparison: str
    value: float

    def fails(self, found: float) -> bool:
        return COMPARISONS[self.comparison](found, self.value)


def parse_limits(texts: Sequence[str], known: Sequence[str] = QUANTITIES) -> list[Limit]:
    """Raises TargetError for a text that is no limit, or one that the command does not measure."""
    limits = []
    for text in texts:
        found = _LIMIT.fullmatch(text.strip())
        if found is None:
            raise TargetError(f"--fail-if {text!r} is no limit; expected such as 'recompiles>0' or 'peak>512MB'")
        quantity, comparison, number, unit = found[1], found[2], found[3], found[4] or ""
        if quantity not in known:
            raise TargetError(f"--fail-if {text!r}: {quantity!r} is not measured here; expected {' or '.join(known)}")
        if quantity == "recompiles" and unit:
            raise TargetError(f"--fail-if {text!r}: recompiles are counted, they have no unit {unit}")
        limits.append(Limit(text.strip(), quantity, comparison, float(number) * UNITS[unit]))
    return limits


def passed_limits(limits: Sequence[Limit], found: dict[str, float]) -> list[str]:
    """One line for each limit that was passed."""
    return [f"fail-if {limit.text}: {limit.quantity} {shown(limit.quantity, found[limit.quantity])}"
            for limit in limits if limit.fails(found[limit.quantity])]


def shown(quantity: str, value: float) -> str:
    return f"{int(value)} ({size_text(int(value))})" if quantity == "peak" else f"{int(value)}"


@dataclass
class Record:
    """What a program compiled: `listen` is called with every compilation of a step (of eager operations it is not counted)."""

    names: Counter[str] = field(default_factory=Counter)
    steps: list[tuple[Graph, Executable]] = field(default_factory=list)

    def listen(self, name: str, graph: Graph, executable: Executable) -> None:
        if not name.startswith("eager "):
            self.names[name] += 1
            self.steps.append((graph, executable))

    @property
    def recompiles(self) -> int:
        """Compilations of a step that had been compiled before: for other shapes, or because something it depends on changed."""
        return sum(count - 1 for count in self.names.values())

    def peak(self) -> int:
        """The largest forecast peak of the steps that ran, each for the largest batch it saw."""
        from ..compiler import to_program
        from .memory import plan_memory
        return max((plan_memory(to_program(graph), e._largest.get("B", 1)).peak for graph, e in self.steps if e._largest), default=0)

    def found(self) -> dict[str, float]:
        return {"recompiles": self.recompiles, "peak": self.peak()}

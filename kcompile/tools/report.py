"""What a tool hands back: text for people, data for programs, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10))


class TargetError(ValueError):
    """A mistake in what a tool was given: a target, stage, step, name or file. The message is one line."""


@dataclass(frozen=True)
class Report:
    """`data` is what `--json` prints; `code` is 1 where the tool found what it was to rule out."""

    text: str
    data: Any = None
    code: int = 0

    def printed(self, as_json: bool) -> str:
        return json.dumps(self.data, indent=2) if as_json else self.text


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = (), indent: str = "") -> list[str]:
    """Lines of columns; `right` are the columns set flush right. The last column is left as it is."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))] if rows else []
    lines = []
    for row in rows:
        cells = [cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) for n, cell in enumerate(row)]
        lines.append(indent + "  ".join(cells).rstrip())
    return lines


def size_text(count: int) -> str:
    """1536 -> '1.5 KB'."""
    for unit, factor in UNITS:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def time_text(seconds: float) -> str:
    """0.00123 -> '1.23 ms'."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"

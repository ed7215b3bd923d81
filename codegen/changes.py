"""How often weights have changed in this process: who keeps copies of them looks here, who changes them says so."""

from __future__ import annotations

COUNT = [0]


def changed() -> None:
    """Some weight has other numbers now."""
    COUNT[0] += 1

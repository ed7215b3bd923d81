"""A struct is what a frozen dataclass is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from kcompile.ir.struct import struct


def _classes(make: Any) -> tuple[Any, Any, Any]:
    @make(frozen=True)
    class Point:
        """Two numbers and a list."""

        x: int
        y: int = 2
        marks: list[int] = field(default_factory=list)

    @make(frozen=True)
    class Named(Point):
        name: str = ""

    @make(frozen=True)
    class Own:
        x: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 7
    return Point, Named, Own


@pytest.mark.parametrize("make", [struct, dataclass])
def test_fields_equality_hash_and_text(make: Any) -> None:
    point, named, own = _classes(make)
    assert [one.name for one in fields(named)] == ["x", "y", "marks", "name"]
    assert point(1) == point(x=1, y=2, marks=[]) != point(1, 3)
    assert point(1).marks is not point(1).marks
    assert point(1) != named(1) and named(1).name == ""
    assert repr(point(1, 5)).endswith("Point(x=1, y=5, marks=[])")
    assert replace(point(1), y=9) == point(1, 9)
    assert own(1) == own(2) and hash(own(1)) == 7
    assert hash(point(1, 2, ())) == hash(point(1, 2, ())) and len({point(1, 2, ()), point(1, 2, ()), point(2, 2, ())}) == 2
    with pytest.raises(TypeError):
        hash(point(1))
    with pytest.raises(TypeError):
        point()
    with pytest.raises(TypeError):
        point(1, z=1)


@pytest.mark.parametrize("make", [struct, dataclass])
def test_nothing_changes(make: Any) -> None:
    point = _classes(make)[0](1)
    with pytest.raises(FrozenInstanceError):
        point.x = 3
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point.x == 1

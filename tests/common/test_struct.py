"""A struct is what a frozen dataclass is."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
import pkgutil
import subprocess
import sys
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Any

import pytest

import kcompile.codegen
from kcompile.common import struct as struct_module
from kcompile.common import struct_methods
from kcompile.common.struct import replace, struct
from kcompile.ir.types import DTYPES


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
    assert named.__match_args__ == ("x", "y", "marks", "name")
    assert point(1) == point(x=1, y=2, marks=[]) != point(1, 3)
    assert point(1).marks is not point(1).marks
    assert point(1) != named(1) and named(1).name == ""
    assert repr(point(1, 5)).endswith("Point(x=1, y=5, marks=[])")
    assert (replace if make is struct else dataclasses.replace)(point(1), y=9) == point(1, 9)
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


def test_classes_with_as_many_fields_have_methods_of_their_own() -> None:
    """They share what was compiled for the first of them."""
    @struct(frozen=True)
    class Line:
        other: int
        self_: int = 3

    @struct(frozen=True)
    class Area:
        width: int
        height: int = 4

    assert (Line(1), Area(2)) == (Line(other=1, self_=3), Area(width=2, height=4)) and Line(1, 4) != Area(1, 4)
    assert replace(Line(1), other=5) == Line(5, 3) and replace(Area(1), height=6) == Area(1, 6)
    assert hash(Line(1, 2)) == hash(Line(1, 2)) == hash(Area(1, 2)) and Line(1) not in {Line(2), Area(1, 3)}
    with pytest.raises(TypeError, match="width"):
        Line(width=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="height"):
        replace(Line(1), height=1)


def test_fields_stay_beside_the_object() -> None:
    """Not in a dictionary of its own, from which they would be read more slowly; in a process where nothing watches assignments, which
    looks into the dictionary."""
    program = """
import gc
from kcompile.ir.scalar import Aff, Load
from kcompile.common.struct import replace
from kcompile.ir.types import f32
for one in (Aff(()), Load("a", (Aff(()),), f32), replace(Aff(()), const=2)):
    assert one.variables == frozenset()  # lazy
    assert not [part for part in gc.get_referents(one) if isinstance(part, dict)]
assert vars(one) and [part for part in gc.get_referents(one) if isinstance(part, dict)]  # so that would be seen
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_there_is_one_of_each_element_type() -> None:
    for dtype in DTYPES.values():
        assert copy.deepcopy(dtype) is copy.copy(dtype) is pickle.loads(pickle.dumps(dtype)) is dtype


def _written() -> list[tuple[str, int, tuple[int, ...]]]:
    """(kind, fields, those made anew) of each method in struct_methods.py."""
    found = []
    for name in vars(struct_methods):
        kind, _, rest = name.partition("_")
        if kind in struct_module.NAMES:
            count, _, made = rest.partition("_made_")
            found.append((kind, int(count), tuple([int(n) for n in made.split("_") if n])))
    return found


def test_methods_kept_compiled_are_those_that_would_be_written() -> None:
    text = Path(struct_methods.__file__).read_text()
    body = text[text.index("def "):]
    assert body == "\n\n".join(struct_module.template(*one) for one in _written())


def test_no_constructor_of_the_compiler_is_compiled_when_it_is_imported() -> None:
    for package in (kcompile.ir, kcompile.codegen):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("object_code"):
                importlib.import_module(module.name)
    missing = set()
    for cls in struct_module._classes:
        if cls.__module__.startswith(("kcompile.ir", "kcompile.codegen")) and cls.__init__.__code__.co_name == "__init__":
            made = tuple(n for n, default in enumerate(cls.__struct_fields__.values())
                         if isinstance(default, Field) and default.default_factory is not MISSING)
            missing.add(struct_module.template_name("init", len(cls.__struct_fields__), made))
    assert sorted(missing - vars(struct_methods).keys()) == []

"""Gathering rows of a batch: native functions that cast chosen rows of a source array (rows that are only copied: see runtime/rows.py).

    void gather(ptr to, ptr from, ptr order, i64 row, i64 lo, i64 hi, i64 elements)
"""

from __future__ import annotations

from ..ir.types import DType
from .cache import object_for
from .module import Loaded
from .options import CodegenOptions
from .runtime.rows import row_by_row
from .target import Target
from .text_builder import Writer

_loaded: dict[tuple[str, str, Target], Loaded] = {}


def gather_function(source: DType, to: DType, target: Target, options: CodegenOptions) -> int:
    """Address of the gather function between two dtypes that differ; compiled once a process."""
    key = (source.name, to.name, target)
    if key not in _loaded:
        _loaded[key] = Loaded([object_for(gather_text(source, to, target), target, options, "gather")], ["gather"])
    return _loaded[key].addresses["gather"]


def gather_text(source: DType, to: DType, target: Target) -> str:
    """The module of one gather function."""
    w = Writer()
    row_by_row(w, "gather", source.size, to.size, lambda: _cast_loops(w, source, to, target))
    return w.text()


def _cast_loops(w: Writer, source: DType, to: DType, target: Target) -> None:
    """Whole vectors, then single elements."""
    lanes = max(1, min(target.lanes(source), target.lanes(to)))
    w.line(f"%whole = and i64 %elements, {-lanes}")
    w.line("%some = icmp ne i64 %whole, 0")
    w.line("br i1 %some, label %vectors, label %tail")
    w.label("vectors")
    w.line("%i = phi i64 [ 0, %straight ], [ %i.next, %vectors ]")
    _cast_at(w, source, to, lanes, "%i")
    w.line(f"%i.next = add i64 %i, {lanes}")
    w.line("%i.more = icmp ult i64 %i.next, %whole")
    w.line("br i1 %i.more, label %vectors, label %tail")
    w.label("tail")
    w.line("%rest = icmp ult i64 %whole, %elements")
    w.line("br i1 %rest, label %singles, label %next")
    w.label("singles")
    w.line("%j = phi i64 [ %whole, %tail ], [ %j.next, %singles ]")
    _cast_at(w, source, to, 1, "%j")
    w.line("%j.next = add i64 %j, 1")
    w.line("%j.more = icmp ult i64 %j.next, %elements")
    w.line("br i1 %j.more, label %singles, label %next")


def _cast_at(w: Writer, source: DType, to: DType, lanes: int, index: str) -> None:
    from .scalar_code import apply, from_memory, memory_type, to_memory  # rows are mostly copied, not cast
    place = w.value(f"getelementptr {memory_type(source, 1)}, ptr %s, i64 {index}")
    loaded = w.value(f"load {memory_type(source, lanes)}, ptr {place}, align {source.size}")
    value = apply(w, "cast", [from_memory(w, source, lanes, loaded)], [source], to, lanes)
    place = w.value(f"getelementptr {memory_type(to, 1)}, ptr %t, i64 {index}")
    w.line(f"store {memory_type(to, lanes)} {to_memory(w, to, lanes, value)}, ptr {place}, align {to.size}")

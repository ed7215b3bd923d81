"""Gathering rows of a batch: native functions that copy or cast chosen rows of a source array.

    void gather(ptr to, ptr from, ptr order, i64 row, i64 lo, i64 hi, i64 elements)

Row r of the batch, lo <= r < hi, is row order[row + r] of the source (row + r where `order` is null), `elements` long.
"""

from __future__ import annotations

from ..ir.types import DType
from .cache import object_for
from .module import Loaded
from .options import CodegenOptions
from .target import Target
from .text_builder import Writer

_loaded: dict[tuple[str, str, Target], Loaded] = {}


def gather_function(source: DType, to: DType, target: Target, options: CodegenOptions) -> int:
    """Address of the gather function between two dtypes; compiled once a process."""
    key = (source.name, to.name, target)
    if key not in _loaded:
        _loaded[key] = Loaded([object_for(gather_text(source, to, target), target, options, "gather")], ["gather"])
    return _loaded[key].addresses["gather"]


def gather_text(source: DType, to: DType, target: Target) -> str:
    """The module of one gather function."""
    w = Writer()
    w.raw("define void @gather(ptr %to, ptr %from, ptr %order, i64 %row, i64 %lo, i64 %hi, i64 %elements) {")
    w.label("entry")
    w.line("%shuffled = icmp ne ptr %order, null")
    w.line(f"%from.bytes = mul i64 %elements, {source.size}")
    w.line(f"%to.bytes = mul i64 %elements, {to.size}")
    w.line("br label %rows")
    w.label("rows")
    w.line("%r = phi i64 [ %lo, %entry ], [ %r.next, %next ]")
    w.line("%position = add i64 %row, %r")
    w.line("br i1 %shuffled, label %chosen, label %straight")
    w.label("chosen")
    w.line("%place = getelementptr i64, ptr %order, i64 %position")
    w.line("%number = load i64, ptr %place")
    w.line("br label %straight")
    w.label("straight")
    w.line("%source.row = phi i64 [ %position, %rows ], [ %number, %chosen ]")
    w.line("%source.offset = mul i64 %source.row, %from.bytes")
    w.line("%s = getelementptr i8, ptr %from, i64 %source.offset")
    w.line("%target.offset = mul i64 %r, %to.bytes")
    w.line("%t = getelementptr i8, ptr %to, i64 %target.offset")
    if source == to:
        w.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        w.line("call void @llvm.memcpy.p0.p0.i64(ptr %t, ptr %s, i64 %to.bytes, i1 false)")
        w.line("br label %next")
    else:
        _cast_loops(w, source, to, target)
    w.label("next")
    w.line("%r.next = add i64 %r, 1")
    w.line("%more = icmp slt i64 %r.next, %hi")
    w.line("br i1 %more, label %rows, label %done")
    w.label("done")
    w.line("ret void")
    w.raw("}")
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

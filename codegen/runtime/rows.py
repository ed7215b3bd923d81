"""A function that does something with chosen rows of a source array: what the loop over batches calls for each thread's share of one.

    void name(ptr to, ptr from, ptr order, i64 row, i64 lo, i64 hi, i64 elements)

Row r of the batch, lo <= r < hi, is row order[row + r] of the source (row + r where `order` is null), `elements` long.
"""

from __future__ import annotations

from collections.abc import Callable

from ..text_builder import Writer


def row_by_row(w: Writer, name: str, source_size: int, size: int, one: Callable[[], None]) -> None:
    """`one` writes what is done with a row, from block `straight` on to block `next`: %s is its address in the source, %t where it goes,
    %to.bytes how much. `source_size`, `size`: bytes of an element there and here."""
    w.raw(f"define void @{name}(ptr %to, ptr %from, ptr %order, i64 %row, i64 %lo, i64 %hi, i64 %elements) {{")
    w.label("entry")
    w.line("%shuffled = icmp ne ptr %order, null")
    w.line(f"%from.bytes = mul i64 %elements, {source_size}")
    w.line(f"%to.bytes = mul i64 %elements, {size}")
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
    one()
    w.label("next")
    w.line("%r.next = add i64 %r, 1")
    w.line("%more = icmp slt i64 %r.next, %hi")
    w.line("br i1 %more, label %rows, label %done")
    w.label("done")
    w.line("ret void")
    w.raw("}")


def addresses_text() -> str:
    """The module of @kc_rows, which writes the address of each row to a table; elements are bytes."""
    w = Writer()

    def write() -> None:
        w.line("%entry.place = getelementptr ptr, ptr %to, i64 %r")
        w.line("store ptr %s, ptr %entry.place")
        w.line("br label %next")
    row_by_row(w, "kc_rows", 1, 1, write)
    return w.text()


def copy_text() -> str:
    """The module of @kc_copy, whose elements are bytes."""
    w = Writer()

    def copy() -> None:
        w.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        w.line("call void @llvm.memcpy.p0.p0.i64(ptr %t, ptr %s, i64 %to.bytes, i1 false)")
        w.line("br label %next")
    row_by_row(w, "kc_copy", 1, 1, copy)
    return w.text()

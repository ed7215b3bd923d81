"""Trips that a call asks for when it comes to them, as LLVM text: piece by piece (see runtime/claims.py), or for its share of each of
several passes (see runtime/helping.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..runtime.layout import CLAIMS_BEFORE, PASS_SUMS

if TYPE_CHECKING:
    from .statements import Statements


def asks_with(f: Statements) -> tuple[str, str]:
    """What a call asks with, and whether that is nothing: then all of [lo, hi) is its own."""
    w = f.w
    word = w.value(f"getelementptr i64, ptr %args, i64 -{CLAIMS_BEFORE}")
    told = w.value(f"load ptr, ptr {word}, align 8")
    return told, w.value(f"icmp eq ptr {told}, null")


def where_sums_wait(f: Statements, own: str) -> str:
    """In the memory of the thread that has begun them, which the runtime tells; on the stack where [lo, hi) are all trips."""
    w = f.w
    told, whole = asks_with(f)
    word = w.value(f"getelementptr i64, ptr {told}, i64 {PASS_SUMS}")
    word = w.value(f"select i1 {whole}, ptr {own}, ptr {word}")
    there = w.value(f"load ptr, ptr {word}, align 8")
    return w.value(f"select i1 {whole}, ptr {own}, ptr {there}")


@contextmanager
def pieces(f: Statements, single: bool) -> Iterator[tuple[str, str]]:
    """A loop over pieces, of which each pass has a single one: the first trip of it and the one behind its last, for what is written
    inside. Where the word before the arguments leads to nothing, all of [lo, hi) is one piece, and the only one."""
    w, scopes = f.w, f.scopes
    with scopes.at(0):
        told, whole = asks_with(f)
    piece, ask, chosen, trips, after = (w.fresh_label(hint) for hint in ("piece", "ask", "chosen", "trips", "after"))
    f.block = trips
    scopes.push()
    w.label(piece)
    w.line(f"br i1 {whole}, label %{chosen}, label %{ask}")
    w.label(ask)
    more = w.value(f"load ptr, ptr {told}, align 8")
    got = w.value(f"call i64 {more}(ptr {told})")
    first = w.value(f"and i64 {got}, {(1 << 32) - 1}")
    behind = w.value(f"lshr i64 {got}, 32")
    w.line(f"br label %{chosen}")
    w.label(chosen)
    lo = w.value(f"phi i64 [ %lo, %{piece} ], [ {first}, %{ask} ]")
    hi = w.value(f"phi i64 [ %hi, %{piece} ], [ {behind}, %{ask} ]")
    some = w.value(f"icmp slt i64 {lo}, {hi}")
    w.line(f"br i1 {some}, label %{trips}, label %{after}")
    w.label(trips)
    yield lo, hi
    w.line(f"br label %{after}" if single else f"br i1 {whole}, label %{after}, label %{piece}")
    lines = scopes.pop()
    w.line(f"br label %{piece}")
    w.lines.extend(lines)
    w.label(after)
    f.block = after

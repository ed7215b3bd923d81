"""Requests for what a thread will do next (see runtime/errands.py), as LLVM text.

Before a loop that asks, the lines of its trips are claimed: the place moves on by so many, and from the end of a stretch to the next one.
No branch is taken: where nothing is left, the loop asks for the line that tells so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompile.common.struct import struct

from ..nest import Errand, Loop
from ..runtime.layout import ERRAND_BEFORE, ERRAND_END, ERRAND_NEXT, ERRAND_PLACE
from ..target import LINE

if TYPE_CHECKING:
    from .statements import Statements

NONE = "%no.errands"
ROOM = f"  {NONE} = alloca [4 x i64], align 64"  # for the head of a function that asks


@struct(frozen=True)
class Claimed:
    """Names: where the lines begin, which bits of the way from there count (none where nothing is left), and the line that tells so."""

    begin: str
    bits: str
    told: str


def find_errands(f: Statements) -> str:
    """Where the thread keeps what it is to ask for: the word before the arguments says, or is 0 where it is to ask for nothing."""
    w = f.w
    word = w.value(f"getelementptr i64, ptr %args, i64 -{ERRAND_BEFORE}")
    told = w.value(f"load ptr, ptr {word}, align 8")
    for n in (ERRAND_PLACE, ERRAND_END, ERRAND_NEXT):
        where = w.value(f"getelementptr i64, ptr {NONE}, i64 {n}")
        w.line(f"store i64 0, ptr {where}, align 8")
    none = w.value(f"icmp eq ptr {told}, null")
    return w.value(f"select i1 {none}, ptr {NONE}, ptr {told}")


def claim(f: Statements, loop: Loop, stmt: Errand) -> Claimed:
    """The lines that the trips of a loop ask for."""
    w, told = f.w, f.errands
    trips = -(-int(str(loop.extent)) // loop.step)
    places = {n: w.value(f"getelementptr i64, ptr {told}, i64 {n}") for n in (ERRAND_PLACE, ERRAND_END, ERRAND_NEXT)}
    here, end, following = (w.value(f"load i64, ptr {place}, align 8") for place in places.values())
    some = w.value(f"icmp ult i64 {here}, {end}")
    nothing = w.value(f"ptrtoint ptr {told} to i64")
    begin = w.value(f"select i1 {some}, i64 {here}, i64 {nothing}")
    bits = w.value(f"select i1 {some}, i64 -{LINE}, i64 0")
    moved = w.value(f"add i64 {here}, {LINE * stmt.lines * -(-trips // stmt.every)}")
    over = w.value(f"icmp uge i64 {moved}, {end}")
    over = w.value(f"and i1 {some}, {over}")
    list_ = w.value(f"select i1 {some}, i64 {following}, i64 {nothing}")
    first = w.value(f"inttoptr i64 {list_} to ptr")
    second = w.value(f"getelementptr i64, ptr {first}, i64 1")
    moved = w.value(f"select i1 {some}, i64 {moved}, i64 {here}")
    beyond = w.value(f"add i64 {following}, 16")
    others = w.value(f"load i64, ptr {first}, align 8"), w.value(f"load i64, ptr {second}, align 8"), beyond
    for place, stays, other in zip(places.values(), (moved, end, following), others, strict=True):
        value = w.value(f"select i1 {over}, i64 {other}, i64 {stays}")
        w.line(f"store i64 {value}, ptr {place}, align 8")
    return Claimed(begin, bits, nothing)


def ask(f: Statements, stmt: Errand) -> None:
    """The requests of one trip, to the second-level cache."""
    w, claimed, (trip, step) = f.w, f.claimed, f.trip
    assert claimed
    number = w.value(f"udiv i64 {trip}, {step}") if step > 1 else trip
    turn = w.value(f"udiv i64 {number}, {stmt.every}") if stmt.every > 1 else number
    w.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    for line in range(stmt.lines):
        far = w.value(f"mul i64 {turn}, {LINE * stmt.lines}")
        far = w.value(f"add i64 {far}, {LINE * line}") if line else far
        far = w.value(f"and i64 {far}, {claimed.bits}")
        place = w.value(f"add i64 {claimed.begin}, {far}")
        if stmt.every > 1:
            rest = w.value(f"and i64 {number}, {stmt.every - 1}")
            now = w.value(f"icmp eq i64 {rest}, 0")
            place = w.value(f"select i1 {now}, i64 {place}, i64 {claimed.told}")
        where = w.value(f"inttoptr i64 {place} to ptr")
        w.line(f"call void @llvm.prefetch.p0(ptr {where}, i32 0, i32 2, i32 1)")

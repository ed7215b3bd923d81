"""Threads that are done and take over trips of others, which go through theirs several times: each pass of a trip is made once, behind the
one before it, in the memory in which that has left its sums."""

from __future__ import annotations

import ctypes
import threading
import time

import numpy as np
import pytest

from kcompile.codegen.executable import compile_program
from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runtime import pool as pool_module
from kcompile.codegen.runtime.claims import BEGIN, CLAIM
from kcompile.codegen.runtime.helping import HELPING, MOST_HELPED
from kcompile.codegen.runtime.layout import (
    CLAIM_WORDS,
    EACH_PASS,
    HELP_LENT,
    PASS_BEGAN,
    PASS_NOW,
    PASS_OWN,
    PASS_PACE,
    PASS_SUMS,
    PASS_WAIT,
    PASS_WAKE,
    PASS_WORDS,
    fields,
    stored,
)
from kcompile.codegen.runtime.paces import PACES
from kcompile.codegen.runtime.pool import NativeCall, Pool
from kcompile.codegen.runtime.shares import share
from kcompile.codegen.runtime.system import support
from kcompile.codegen.runtime.waiting import BARRIER, SHARED_CLAIMS, SHARED_WORDS
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import join
from kcompile.common.struct import replace
from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.types import Dim, TensorType, f32

from .programs import planned

TRIPS, PASSES_MADE, ROUNDS, PAUSES, FAULTS = range(5)
COUNTS = 16  # where the table has the trips that each thread has made a pass of
COST = 10_000_000  # instructions of a trip: always worth help
RUNTIME = ((PASS_WAIT, "ptr @kc.wait"), (PASS_WAKE, "ptr @kc.wake.sleepers"), (PASS_PACE, "ptr @kc.pace"), (PASS_NOW, "ptr @kc.now"))

# So many calls of so many passes, one after the other, nobody waits: each trip's word of sums counts its passes. It is in the memory of the
# thread that has begun it, and begins anew with each call. All pause before each pass of a trip,
# the last thread eight times as long.
CALLS = f"""
define void @passes(ptr %told, ptr %table, i64 %thread, i64 %pauses) {{
entry:
{fields("table", count=(PASSES_MADE, "i64"), faults=(FAULTS, "i64"))}
{fields("told", sums=(PASS_SUMS, "ptr"))}
  %mine.word = add i64 %thread, {COUNTS}
  %mine = getelementptr i64, ptr %table, i64 %mine.word
  br label %pass
pass:
  %n = phi i64 [ 0, %entry ], [ %n.next, %next ]
  %got = call i64 @kc_help_pass(ptr %told)
  %lo = and i64 %got, 4294967295
  %hi = lshr i64 %got, 32
  br label %trip
trip:
  %k = phi i64 [ %lo, %pass ], [ %k.next, %made ]
  %some = icmp ult i64 %k, %hi
  br i1 %some, label %wait, label %next
wait:
  %w = phi i64 [ 0, %trip ], [ %w.next, %pause ]
  %waits = icmp ult i64 %w, %pauses
  br i1 %waits, label %pause, label %make
pause:
  call void @kc.pause()
  %w.next = add i64 %w, 1
  br label %wait
make:
  %place = getelementptr i64, ptr %sums, i64 %k
  %before = load i64, ptr %place
  %first = icmp eq i64 %n, 0
  %here = select i1 %first, i64 0, i64 %before
  %right = icmp eq i64 %here, %n
  br i1 %right, label %made, label %fault
fault:
  %one.more = atomicrmw add ptr %faults.place, i64 1 seq_cst
  br label %made
made:
  %now = add i64 %here, 1
  store i64 %now, ptr %place
  %counted = load i64, ptr %mine
  %counted.now = add i64 %counted, 1
  store i64 %counted.now, ptr %mine
  %k.next = add i64 %k, 1
  br label %trip
next:
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %count
  br i1 %more, label %pass, label %done
done:
  ret void
}}
define i64 @all(ptr %table, i64 %thread, i64 %threads, i64 %t0) {{
entry:
{fields("table", shared=(COUNTS - 1, "ptr"), trips=(TRIPS, "i64"), rounds=(ROUNDS, "i64"), pauses=(PAUSES, "i64"))}
{fields("shared", claims=(SHARED_CLAIMS, "ptr"))}
  %following = add i64 %thread, 1
  %slow = icmp eq i64 %following, %threads
  %fewer = lshr i64 %pauses, 3
  %slowly = select i1 %slow, i64 %pauses, i64 %fewer
  %private = alloca [{MOST_HELPED} x i64]
  %own.offset = mul i64 %thread, {CLAIM_WORDS}
  %own.words = getelementptr i64, ptr %claims, i64 %own.offset
  %passes = alloca [{PASS_WORDS} x i64]
{stored("passes", RUNTIME)}
{share("first", "end", "trips")}
  br label %round
round:
  %n = phi i64 [ 0, %entry ], [ %n.next, %next ]
  call void @kc_help_begin(ptr %passes, ptr %own.words, ptr %private, i64 %thread, i64 %first, i64 %end, i64 1)
  br label %make
make:
  call void @passes(ptr %passes, ptr %table, i64 %thread, i64 %slowly)
  %more = call i1 @kc_help_more(ptr %passes, ptr %claims, ptr %shared, i64 %thread, i64 %threads, i64 %trips, i64 {COST})
  br i1 %more, label %make, label %next
next:
  %n.next = add i64 %n, 1
  %others = icmp ult i64 %n.next, %rounds
  br i1 %others, label %round, label %done
done:
  ret i64 0
}}
"""

# What a thread does that is done with its share, and one that gives back what it took of that
DONE = f"""
define void @more(ptr %told, ptr %claims, ptr %shared) {{
{stored("told", RUNTIME)}
  %ignored = call i1 @kc_help_more(ptr %told, ptr %claims, ptr %shared, i64 0, i64 2, i64 4, i64 1)
  ret void
}}
define void @returned(ptr %told, ptr %claims, ptr %shared) {{
  call void @kc.help.return(ptr %told, ptr %claims, i64 0)
  ret void
}}
"""


@pytest.fixture(scope="module")
def pool() -> Pool:
    return pool_module.pool(CodegenOptions(cache_dir=None))


@pytest.fixture(scope="module")
def code() -> Loaded:
    target = Target.host()
    return Loaded([object_code(join([support(target.triple), BARRIER, BEGIN, CLAIM, PACES, HELPING, CALLS]), target)], ["all"])


def made(pool: Pool, code: Loaded, threads: int, rounds: int, trips: int, passes: int, pauses: int = 0) -> np.ndarray:
    """How many passes of trips each thread has made; all of them, each behind the one before it."""
    table = np.zeros(COUNTS + threads, np.int64)
    call = NativeCall(pool, code.addresses["all"], table.ctypes.data, threads)
    table[[TRIPS, PASSES_MADE, ROUNDS, PAUSES, COUNTS - 1]] = trips, passes, rounds, pauses, call.shared.ctypes.data
    call.run()
    assert table[FAULTS] == 0
    assert table[COUNTS:].sum() == rounds * trips * passes
    return table[COUNTS:]


@pytest.mark.parametrize("threads", [2, 3, 5, 16])
@pytest.mark.parametrize(("trips", "passes"), [(1, 3), (2, 40), (24, 1), (24, 2), (24, 100), (MOST_HELPED - 1, 3)])
def test_each_pass_once_and_in_order(pool: Pool, code: Loaded, threads: int, trips: int, passes: int) -> None:
    made(pool, code, threads, 20, trips, passes)
    made(pool, code, threads, 3, trips, passes, pauses=20)


def test_numbers_of_calls_come_again(pool: Pool, code: Loaded) -> None:
    made(pool, code, 2, 40_000, 4, 3)
    made(pool, code, 3, 40_000, 7, 2)


def test_passes_without_number(pool: Pool, code: Loaded) -> None:
    """More than a word can count are made all the same."""
    made(pool, code, 2, 1, 4, (1 << 18) + 5)


def test_what_was_taken_of_what_was_taken_is_waited_for() -> None:
    """A thread leaves when all is done whose sums are in its memory: also what another takes over while it waits for the first."""
    target = Target.host()
    texts = [support(target.triple), BARRIER, BEGIN, CLAIM, PACES, HELPING, DONE]
    code = Loaded([object_code(join(texts), target)], ["more", "returned"])
    more, returned = (ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(code.addresses[name]) for name in ("more", "returned"))
    told, claims, shared = (np.zeros(shape, np.int64) for shape in (PASS_WORDS, (2, CLAIM_WORDS), SHARED_WORDS))
    told[[PASS_OWN, PASS_BEGAN]] = claims.ctypes.data, 1
    claims[0, HELP_LENT] = 1
    words = told.ctypes.data, claims.ctypes.data, shared.ctypes.data
    thread = threading.Thread(target=more, args=words, daemon=True)
    thread.start()
    time.sleep(0.05)
    claims[0, HELP_LENT] = 2
    returned(*words)
    thread.join(0.1)
    assert thread.is_alive()
    returned(*words)
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.skipif(pool_module.pool(CodegenOptions(cache_dir=None)).cores < 2, reason="one core: who is slow is not known")
def test_a_slow_thread_is_helped(pool: Pool, code: Loaded) -> None:
    """Half of the passes are its own; while it makes half of these, the other takes the rest over."""
    of = min((made(pool, code, 2, 1, 64, 100, pauses=2000) for _ in range(5)), key=lambda found: int(found[1]))
    assert of[1] < 0.3 * of.sum()


def test_same_bits_whoever_helps() -> None:
    """A filter gradient, on more threads than cores: some are late."""
    B = Dim.symbol("B")
    graph = Graph("gradient")
    x = build.param(graph, "x", TensorType((B, 18, 18, 32), f32))
    dy = build.param(graph, "dy", TensorType((B, 16, 16, 64), f32))
    graph.outputs["y"] = build.conv_filter_grad(x, dy, kernel_spatial=(3, 3), strides=(1, 1), dilation=(1, 1), groups=1)
    executable = compile_program(planned(graph), replace(Target.host(), l2=1 << 20), CodegenOptions(threads=2, cache_dir=None))
    assert [call.kernel.inside for call in executable.code.calls] == [EACH_PASS]
    rng = np.random.default_rng(0)
    name = executable.program.outputs["y"]
    arrays = {"x": rng.standard_normal((64, 18, 18, 32)).astype("float32"), "dy": rng.standard_normal((64, 16, 16, 64)).astype("float32"),
              name: np.zeros((3, 3, 32, 64), "float32")}
    results = set()
    for threads in (1, 2, 3, 2, 5, 2, 2):
        arrays[name][...] = 0
        executable.run(arrays, {"B": 64}, threads)
        results.add(arrays[name].tobytes())
    assert len(results) == 1

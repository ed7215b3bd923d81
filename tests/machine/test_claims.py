"""Trips that threads claim piece by piece: each is made once, a slow thread makes fewer."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from kcompile.codegen.arena import aligned
from kcompile.codegen.claimed import claimed_inside
from kcompile.codegen.executable import compile_program
from kcompile.codegen.lower import lower
from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runs import trips_worth_a_call
from kcompile.codegen.runtime import pool as pool_module
from kcompile.codegen.runtime.claims import CLAIM
from kcompile.codegen.runtime.layout import CLAIM_NUMBER, CLAIM_WORDS
from kcompile.codegen.runtime.paces import PACES
from kcompile.codegen.runtime.pool import NativeCall, Pool
from kcompile.codegen.runtime.system import support
from kcompile.codegen.runtime.waiting import BARRIER, SHARED_CLAIMS
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import join
from kcompile.common.struct import replace
from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.types import Dim, TensorType, f32

from .programs import planned

# So many share-outs of so many trips, one after the other, nobody waits: each trip counts itself in a word of the share-out, each thread
# its trips in one of its own. The last thread pauses before every trip.
CLAIMS = """
define i64 @all(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
entry:
  %claims = load ptr, ptr %table
  %rounds.place = getelementptr i64, ptr %table, i64 1
  %rounds = load i64, ptr %rounds.place
  %trips.place = getelementptr i64, ptr %table, i64 2
  %trips = load i64, ptr %trips.place
  %pauses.place = getelementptr i64, ptr %table, i64 3
  %pauses = load i64, ptr %pauses.place
  %most.place = getelementptr i64, ptr %table, i64 4
  %most = load i64, ptr %most.place
  %mine.word = add i64 %thread, 8
  %mine = getelementptr i64, ptr %table, i64 %mine.word
  %following = add i64 %thread, 1
  %slow = icmp eq i64 %following, %threads
  %slowly = select i1 %slow, i64 %pauses, i64 0
  %counts = getelementptr i64, ptr %table, i64 128
  br label %round
round:
  %n = phi i64 [ 0, %entry ], [ %n.next, %next ]
  %row.word = mul i64 %n, %trips
  %row = getelementptr i64, ptr %counts, i64 %row.word
  br label %claim
claim:
  %got = call i64 @kc.claim(ptr %claims, i64 %thread, i64 %threads, i64 0, i64 %trips, i64 1, i64 %most)
  %any = icmp ne i64 %got, 0
  br i1 %any, label %make, label %next
make:
  %at = and i64 %got, 4294967295
  %to = lshr i64 %got, 32
  br label %trip
trip:
  %k = phi i64 [ %at, %make ], [ %k.next, %made ]
  br label %wait
wait:
  %w = phi i64 [ 0, %trip ], [ %w.next, %pause ]
  %waits = icmp ult i64 %w, %slowly
  br i1 %waits, label %pause, label %made
pause:
  call void @kc.pause()
  %w.next = add i64 %w, 1
  br label %wait
made:
  %place = getelementptr i64, ptr %row, i64 %k
  %ignored = atomicrmw add ptr %place, i64 1 seq_cst
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, %to
  br i1 %k.more, label %trip, label %count
count:
  %size = sub i64 %to, %at
  %ignored2 = atomicrmw add ptr %mine, i64 %size seq_cst
  br label %claim
next:
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %rounds
  br i1 %more, label %round, label %done
done:
  ret i64 0
}
define i64 @one(ptr %claims, i64 %thread, i64 %trips, i64 %piece) {
  %got = call i64 @kc.claim(ptr %claims, i64 %thread, i64 2, i64 0, i64 %trips, i64 %piece, i64 4611686018427387904)
  ret i64 %got
}
"""
WHOLE = 1 << 62


@pytest.fixture(scope="module")
def pool() -> Pool:
    return pool_module.pool(CodegenOptions(cache_dir=None))


@pytest.fixture(scope="module")
def code() -> Loaded:
    target = Target.host()
    return Loaded([object_code(join([support(target.triple), BARRIER, CLAIM, PACES, CLAIMS]), target)], ["all", "one"])


def claimed(pool: Pool, code: Loaded, threads: int, rounds: int, trips: int, pauses: int = 0,
            most: int = WHOLE) -> tuple[np.ndarray, np.ndarray]:
    """How often each trip of each share-out was made, and how many each thread made."""
    table = np.zeros(128 + rounds * trips, np.int64)
    call = NativeCall(pool, code.addresses["all"], table.ctypes.data, threads)
    table[:5] = call.shared[SHARED_CLAIMS], rounds, trips, pauses, most
    call.run()
    return table[128:].reshape(rounds, trips), table[8:8 + threads]


@pytest.mark.parametrize("threads", [2, 3, 4, 16, 40])
@pytest.mark.parametrize("trips", [40, 97, 1000])
def test_each_trip_is_made_once(pool: Pool, code: Loaded, threads: int, trips: int) -> None:
    """Threads may be any number of share-outs apart, since nothing waits."""
    for pauses in (0, 50):
        made, of = claimed(pool, code, threads, 300 if threads <= pool.cores else 40, trips, pauses)
        assert (made == 1).all()
        assert of.sum() == made.size


def test_no_more_at_a_time_than_asked(pool: Pool, code: Loaded) -> None:
    made, _ = claimed(pool, code, 2, 100, 64, most=3)
    assert (made == 1).all()


@pytest.mark.parametrize(("trips", "piece", "kept"), [(8, 1, 0), (256, 1, 4), (256, 8, 0)])
def test_the_last_piece_is_its_owners(code: Loaded, trips: int, piece: int, kept: int) -> None:
    """Where it is a 32nd of a share. Of a few long trips the other thread takes all that have not begun."""
    one = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(code.addresses["one"])
    claims = aligned(2 * CLAIM_WORDS, np.int64)
    claims[:] = 0
    claims[CLAIM_NUMBER] = claims[CLAIM_WORDS + CLAIM_NUMBER] = 1

    def claim(thread: int) -> tuple[int, int] | None:
        got = one(claims.ctypes.data, thread, trips, piece)
        return (got & (1 << 32) - 1, got >> 32) if got else None

    assert claim(1) == (trips // 2, trips // 2 + trips // 4)
    others = list(iter(lambda: claim(0), None))
    rest = list(iter(lambda: claim(1), None))
    made = sorted([(trips // 2, trips // 2 + trips // 4), *others, *rest])
    assert [lo for lo, _ in made] == [0, *(hi for _, hi in made[:-1])] and made[-1][1] == trips
    assert sum(hi - lo for lo, hi in rest) == kept


@pytest.mark.skipif(pool_module.pool(CodegenOptions(cache_dir=None)).cores < 2, reason="one core: who is slow is not known")
def test_a_slow_thread_makes_less(pool: Pool, code: Loaded) -> None:
    """Half of the trips are its own; while it makes half of these, the other claims the rest."""
    made, of = min((claimed(pool, code, 2, 1, 256, pauses=1000) for _ in range(20)), key=lambda found: int(found[1][1]))
    assert (made == 1).all()
    assert of[1] < 0.3 * of.sum()


def packing() -> Graph:
    """A convolution that packs its weight, and a map."""
    B = Dim.symbol("B")
    graph = Graph("conv")
    x = build.param(graph, "x", TensorType((B, 12, 12, 36), f32))
    w = build.param(graph, "w", TensorType((3, 3, 36, 36), f32))
    graph.outputs["y"] = build.conv(x, w, strides=(1, 1), dilation=(1, 1), groups=1)
    graph.outputs["z"] = build.exp(x)
    return graph


def test_a_call_that_packs_is_not_cut() -> None:
    """What a call does before its trips it would do for every piece: it claims them itself."""
    nests = [plan(lower(step.kernel), Target.named("avx512")) for step in planned(packing()).steps]
    assert {bool(nest.scratch): claimed_inside(nest) for nest in nests} == {True: True, False: False}
    assert all(trips_worth_a_call(nest) for nest in nests)


def test_same_bits_whoever_packs() -> None:
    target = replace(Target.host(), l2=1 << 20)
    executable = compile_program(planned(packing()), target, CodegenOptions(threads=2, cache_dir=None))
    rng = np.random.default_rng(0)
    names = [executable.program.outputs[name] for name in ("y", "z")]
    arrays = {"x": rng.standard_normal((301, 12, 12, 36)).astype("float32"), "w": rng.standard_normal((3, 3, 36, 36)).astype("float32"),
              names[0]: np.zeros((301, 10, 10, 36), "float32"), names[1]: np.zeros((301, 12, 12, 36), "float32")}
    results = set()
    for threads in (1, 2, 3, 2, 5):
        for name in names:
            arrays[name][...] = 0
        executable.run(arrays, {"B": 301}, threads)
        results.add((arrays[names[0]].tobytes(), arrays[names[1]].tobytes()))
    assert len(results) == 1


def test_same_bits_whoever_makes_them() -> None:
    B = Dim.symbol("B")
    graph = Graph("map")
    x = build.param(graph, "x", TensorType((B, 2000), f32))
    graph.outputs["y"] = build.exp(build.mul(x, x))
    executable = compile_program(planned(graph), replace(Target.host(), l2=1 << 20), CodegenOptions(threads=2, cache_dir=None))
    assert executable.code.calls[0].kernel.piece > 0
    rng = np.random.default_rng(0)
    name = executable.program.outputs["y"]
    arrays = {"x": rng.standard_normal((1001, 2000)).astype("float32"), name: np.zeros((1001, 2000), "float32")}
    results = set()
    for threads in (1, 2, 3, 2, 5):
        arrays[name][...] = 0
        executable.run(arrays, {"B": 1001}, threads)
        results.add(arrays[name].tobytes())
    assert len(results) == 1

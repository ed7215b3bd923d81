"""What this machine can do at most, measured once a process: multiply-adds a second in registers, bytes a second from memory."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CHAINS = 12  # independent sums: enough to hide the latency of a multiply-add on any processor we generate code for
ROUNDS = 1 << 18
BYTES = 192 << 20  # several times any cache that one process gets
PASSES = 50  # over what fits the cache
MOST_THREADS = 64
REPEATS = 5


@dataclass(frozen=True)
class Roofline:
    """FLOP/s in float32 and bytes/s of reading from memory and from the second-level cache, over `threads` threads.
    `cache_bytes`: what counts as lying in the cache."""

    flops: float
    bandwidth: float
    cache_bandwidth: float
    cache_bytes: int
    threads: int

    def bandwidth_for(self, size: int) -> float:
        return self.cache_bandwidth if size <= self.cache_bytes else self.bandwidth

    def least_seconds(self, flop: float, size: int) -> float:
        """The roofline: what arithmetic or memory takes at the least, whichever is more."""
        return max(flop / self.flops, size / self.bandwidth_for(size))

    def __str__(self) -> str:
        return (f"this machine, measured: {self.flops / 1e9:.1f} GFLOP/s in float32, {self.bandwidth / 1e9:.1f} GB/s read from "
                f"memory, {self.cache_bandwidth / 1e9:.1f} GB/s from the second-level cache, "
                f"{self.threads} thread{'s' if self.threads > 1 else ''}")


def roofline_text(lanes: int) -> str:
    """Two functions of the pool's signature: @peak works in registers, @read sums a block of memory. The context holds a pointer to
    the block, its size in rows of vectors, how often it is read, and room for a result of each thread (so that nothing is found dead)."""
    vector = f"<{lanes} x float>"
    sums = range(CHAINS)
    phis = "\n".join(f"  %a{n} = phi {vector} [ zeroinitializer, %entry ], [ %b{n}, %loop ]" for n in sums)
    finish = f"""done:
{_summed(vector)}
  %place = getelementptr i64, ptr %context, i64 16
  %mine = getelementptr [256 x i8], ptr %place, i64 %thread
  store {vector} %s{CHAINS - 1}, ptr %mine, align 4
  ret i64 0
}}
"""
    fma = "\n".join(f"  %b{n} = call {vector} @llvm.fma.v{lanes}f32({vector} %x, {vector} %x, {vector} %a{n})" for n in sums)
    reads = "\n".join(f"""  %p{n} = getelementptr {vector}, ptr %row, i64 {n}
  %v{n} = load {vector}, ptr %p{n}, align 4
  %b{n} = fadd {vector} %a{n}, %v{n}""" for n in sums)
    return f"""
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})

define i64 @peak(ptr %context, i64 %thread, i64 %threads, i64 %t0) {{
entry:
  %block = load ptr, ptr %context
  %x = load {vector}, ptr %block, align 4
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{fma}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {ROUNDS}
  br i1 %more, label %loop, label %done
{finish}
define i64 @read(ptr %context, i64 %thread, i64 %threads, i64 %t0) {{
entry:
  %block = load ptr, ptr %context
  %size.place = getelementptr i64, ptr %context, i64 1
  %rows = load i64, ptr %size.place
  %before = mul i64 %rows, %thread
  %lo = udiv i64 %before, %threads
  %after = add i64 %before, %rows
  %hi = udiv i64 %after, %threads
  %passes.place = getelementptr i64, ptr %context, i64 2
  %passes = load i64, ptr %passes.place
  %count = sub i64 %hi, %lo
  %all = mul i64 %count, %passes
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %j = phi i64 [ %lo, %entry ], [ %j.next, %loop ]
{phis}
  %row = getelementptr [{CHAINS} x {vector}], ptr %block, i64 %j
{reads}
  %next = add i64 %i, 1
  %j.up = add i64 %j, 1
  %end = icmp eq i64 %j.up, %hi
  %j.next = select i1 %end, i64 %lo, i64 %j.up
  %more = icmp ult i64 %next, %all
  br i1 %more, label %loop, label %done
{finish}"""


def _summed(vector: str) -> str:
    lines = [f"  %s0 = fadd {vector} %b0, zeroinitializer"]
    lines += [f"  %s{n} = fadd {vector} %s{n - 1}, %b{n}" for n in range(1, CHAINS)]
    return "\n".join(lines)


@functools.lru_cache(maxsize=4)
def measure(threads: int) -> Roofline:
    """The best of a few runs on so many threads, with the vectors of the target that is compiled for (KCOMPILE_TARGET)."""
    from ..codegen.arena import aligned
    from ..codegen.cache import object_for
    from ..codegen.module import Loaded
    from ..codegen.options import CodegenOptions
    from ..codegen.runtime.pool import NativeCall, pool
    from ..compiler import current_target
    from ..ir.types import f32
    target = current_target()
    lanes = target.lanes(f32)
    options = CodegenOptions()
    threads = min(threads, MOST_THREADS)
    loaded = Loaded([object_for(roofline_text(lanes), target, options, "roofline")], ["peak", "read"])
    row = CHAINS * lanes * 4
    block = aligned(BYTES // row * row)
    block[:] = 0  # pages of its own: an untouched one is the shared page of zeros
    context = aligned(16 + 32 * MOST_THREADS, np.int64)
    context[0] = block.ctypes.data

    def best(name: str, rows: int = 0, passes: int = 1) -> float:
        context[1], context[2] = rows, passes
        call = NativeCall(pool(options), loaded.addresses[name], context.ctypes.data, threads)
        call.run()
        return min(_timed(call.run) for _ in range(REPEATS))

    flop = 2.0 * CHAINS * lanes * ROUNDS * threads
    rows, cached = BYTES // row, max(threads, target.l2 * threads // 2 // row)
    found = Roofline(flop / best("peak"), rows * row / best("read", rows), cached * row * PASSES / best("read", cached, PASSES),
                     target.l2 * threads, threads)
    loaded.close()
    return found


def _timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started

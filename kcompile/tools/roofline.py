"""What this machine can do at most, measured once a process: multiply-adds a second, in registers and in a tile, and bytes a second from
memory."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CHAINS = 12  # independent sums: enough to hide the latency of a multiply-add on any processor we generate code for
TILE_VECTORS = 2  # side by side in a register tile
ROUNDS = 1 << 18
BYTES = 192 << 20  # several times any cache that one process gets
PASSES = 50  # over what fits the cache
MOST_THREADS = 64
REPEATS = 5


@dataclass(frozen=True)
class Roofline:
    """FLOP/s in float32 and bytes/s of reading from memory and from the second-level cache, over `threads` threads.
    `cache_bytes`: what counts as lying in the cache. `fed_flops`: FLOP/s where a register tile loads what it multiplies from the
    first-level cache. Loads have ports of their own, but they take power: where this is lower, the clock is."""

    flops: float
    fed_flops: float
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
        return (f"this machine, measured: {self.flops / 1e9:.1f} GFLOP/s in float32 ({self.fed_flops / 1e9:.1f} with operands from the "
                f"first-level cache), {self.bandwidth / 1e9:.1f} GB/s read from memory, "
                f"{self.cache_bandwidth / 1e9:.1f} GB/s from the second-level cache, "
                f"{self.threads} thread{'s' if self.threads > 1 else ''}")


def roofline_text(lanes: int, registers: int) -> str:
    """Three functions of the pool's signature: @peak works in registers, @fed loads the vectors and rows of a tile from a few lines,
    @read sums a block of memory. The context holds a pointer to the block, its size in rows of vectors, how often it is read, and room
    for a result of each thread (so that nothing is found dead)."""
    vector = f"<{lanes} x float>"
    fma = "\n".join(f"  %b{n} = call {vector} @llvm.fma.v{lanes}f32({vector} %x, {vector} %x, {vector} %a{n})" for n in range(CHAINS))
    reads = "\n".join(f"""  %p{n} = getelementptr {vector}, ptr %row, i64 {n}
  %v{n} = load {vector}, ptr %p{n}, align 4
  %b{n} = fadd {vector} %a{n}, %v{n}""" for n in range(CHAINS))
    return f"""
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})

define i64 @peak(ptr %context, i64 %thread, i64 %threads, i64 %t0) {{
entry:
  %block = load ptr, ptr %context
  %x = load {vector}, ptr %block, align 4
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{_phis(vector, CHAINS)}
{fma}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {ROUNDS}
  br i1 %more, label %loop, label %done
{_finish(vector, CHAINS)}
define i64 @fed(ptr %context, i64 %thread, i64 %threads, i64 %t0) {{
entry:
  %block = load ptr, ptr %context
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{_phis(vector, fed_chains(registers))}
  %turn = and i64 %i, 15
  %line = getelementptr {vector}, ptr %block, i64 %turn
{_tile(lanes, fed_chains(registers))}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {ROUNDS}
  br i1 %more, label %loop, label %done
{_finish(vector, fed_chains(registers))}
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
{_phis(vector, CHAINS)}
  %row = getelementptr [{CHAINS} x {vector}], ptr %block, i64 %j
{reads}
  %next = add i64 %i, 1
  %j.up = add i64 %j, 1
  %end = icmp eq i64 %j.up, %hi
  %j.next = select i1 %end, i64 %lo, i64 %j.up
  %more = icmp ult i64 %next, %all
  br i1 %more, label %loop, label %done
{_finish(vector, CHAINS)}"""


def fed_chains(registers: int) -> int:
    """Sums of the tile of @fed: twelve rows of two vectors, or six where there are only 16 registers."""
    return 24 if registers >= 32 else 12


def _phis(vector: str, chains: int) -> str:
    return "\n".join(f"  %a{n} = phi {vector} [ zeroinitializer, %entry ], [ %b{n}, %loop ]" for n in range(chains))


def _tile(lanes: int, chains: int) -> str:
    """One product of a tile: its vectors lie side by side, its rows two lines or more apart."""
    vector = f"<{lanes} x float>"
    lines = [f"""  %u{n} = getelementptr {vector}, ptr %line, i64 {n}
  %x{n} = load {vector}, ptr %u{n}, align 4""" for n in range(TILE_VECTORS)]
    for row in range(chains // TILE_VECTORS):
        lines.append(f"""  %r{row} = getelementptr float, ptr %line, i64 {32 * row}
  %e{row} = load float, ptr %r{row}, align 4
  %f{row} = insertelement {vector} poison, float %e{row}, i64 0
  %y{row} = shufflevector {vector} %f{row}, {vector} poison, <{lanes} x i32> zeroinitializer""")
        lines += [f"  %b{TILE_VECTORS * row + n} = call {vector} @llvm.fma.v{lanes}f32({vector} %x{n}, {vector} %y{row}, "
                  f"{vector} %a{TILE_VECTORS * row + n})" for n in range(TILE_VECTORS)]
    return "\n".join(lines)


def _finish(vector: str, chains: int) -> str:
    lines = [f"  %s0 = fadd {vector} %b0, zeroinitializer"]
    lines += [f"  %s{n} = fadd {vector} %s{n - 1}, %b{n}" for n in range(1, chains)]
    summed = "\n".join(lines)
    return f"""done:
{summed}
  %place = getelementptr i64, ptr %context, i64 16
  %mine = getelementptr [256 x i8], ptr %place, i64 %thread
  store {vector} %s{chains - 1}, ptr %mine, align 4
  ret i64 0
}}
"""


class Meter:
    """Code that does nothing but what a limit is made of, on so many threads, with the vectors of the target that is compiled for
    (KCOMPILE_TARGET). What one run shows is what the clock and the neighbours allowed meanwhile. Close it when done."""

    def __init__(self, threads: int) -> None:
        from ..codegen.arena import aligned
        from ..codegen.cache import object_for
        from ..codegen.module import Loaded
        from ..codegen.options import CodegenOptions
        from ..codegen.runtime.pool import NativeCall, pool
        from ..compiler import current_target
        from ..ir.types import f32
        self.threads, self._target = min(threads, MOST_THREADS), current_target()
        lanes, options = self._target.lanes(f32), CodegenOptions()
        text = roofline_text(lanes, self._target.registers)
        self._loaded = Loaded([object_for(text, self._target, options, "roofline")], ["peak", "fed", "read"])
        self._context = aligned(16 + 32 * MOST_THREADS, np.int64)
        self._block = aligned(0)
        self._row = CHAINS * lanes * 4
        self._flop = 2.0 * lanes * ROUNDS * self.threads  # of each sum
        self._calls = {name: NativeCall(pool(options), address, self._context.ctypes.data, self.threads)
                       for name, address in self._loaded.addresses.items()}
        self._room(16 * self._row)

    def _room(self, size: int) -> None:
        from ..codegen.arena import aligned
        self._block = aligned(size // self._row * self._row)
        self._block[:] = 0  # pages of its own: an untouched one is the shared page of zeros
        self._context[0] = self._block.ctypes.data

    def flops(self) -> float:
        """Multiply-adds on registers, FLOP/s of one run of half a millisecond or so."""
        return CHAINS * self._flop / _timed(self._calls["peak"].run)

    def fed_flops(self) -> float:
        return fed_chains(self._target.registers) * self._flop / _timed(self._calls["fed"].run)

    def _read(self, rows: int, passes: int) -> float:
        self._context[1], self._context[2] = rows, passes
        return rows * self._row * passes / _timed(self._calls["read"].run)

    def roofline(self) -> Roofline:
        """The best of a few runs of each."""
        self._room(BYTES)
        cached = max(self.threads, self._target.l2 * self.threads // 2 // self._row)

        def best(run: Callable[[], float]) -> float:
            run()
            return max(run() for _ in range(REPEATS))

        return Roofline(best(self.flops), best(self.fed_flops), best(lambda: self._read(BYTES // self._row, 1)),
                        best(lambda: self._read(cached, PASSES)), self._target.l2 * self.threads, self.threads)

    def close(self) -> None:
        self._calls.clear()
        self._loaded.close()


@functools.lru_cache(maxsize=4)
def measure(threads: int) -> Roofline:
    """The best of a few runs on so many threads."""
    meter = Meter(threads)
    found = meter.roofline()
    meter.close()
    return found


def _timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started

"""`profile`: a real run of one step, kernel by kernel, against the measured limits of this machine.

The whole step is timed as it runs in training. Each kernel is then called alone, many times in a row inside one native call, on
the step's own frame: the same arrays, arena, batch and number of threads. What a kernel alone cannot show (barriers, cold caches)
is the difference between the step and the sum of its kernels, and is printed as such.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..common.struct import replace
from ..ir.kernel import ACCUMULATE, REDUCE, Kernel
from ..ir.program import Program
from ..ir.scalar import Apply, Guard, vanishing, walk
from ..ir.types import TensorType, evaluate_dim
from .native import arrays_for, executable_of
from .operands import operands
from .report import Report, size_text, table, time_text
from .roofline import Roofline, measure
from .subject import Subject, layers_of

if TYPE_CHECKING:
    from ..codegen.executable import Executable

REPEAT = 20  # calls of a kernel inside one native call, at most
ENOUGH = 0.02  # seconds of them that are enough
ROUNDS = 5  # native calls; the fastest counts
PATIENCE = 2.0  # seconds after which a step has been timed often enough
SHORT = 1e-6  # a kernel below this is limited by being called at all
FAR = 0.3  # below this share of the roofline neither arithmetic nor memory is what a kernel waits for
SELECTING = frozenset({"cast", "select", "and", "or", "xor", "not", "eq", "ne", "lt", "le", "gt", "ge", "stop_gradient"})


@dataclass(frozen=True)
class KernelProfile:
    """`bytes`: every array once, the least that must move; `percent` of the roofline for that flop and those bytes."""

    name: str
    label: str
    source: str
    seconds: float
    calls: int
    flop: float
    bytes: int
    percent: float
    limit: str

    @property
    def layer(self) -> str:
        return layers_of(self.label)


def flop_of(kernel: Kernel, symbols: dict[str, int]) -> float:
    """Floating-point operations: each scalar function and each combination of a reduction is one. Terms of a sum that a guard makes
    0 do not count; other guarded elements do."""
    total = 0.0
    for equation in kernel.equations:
        points = 1.0
        for axis in equation.axes:
            points *= evaluate_dim(kernel.axes[axis], symbols)
        if equation.kind == REDUCE and equation.op == "add":
            for guard in set(vanishing(equation.expr)):
                points *= _share_inside(guard, kernel, symbols) if guard.index.variables <= kernel.axes.keys() else 1
        each = sum(1 for e in walk(equation.expr) if isinstance(e, Apply) and e.dtype.is_float and e.fn not in SELECTING)
        if equation.expr.dtype.is_float and equation.kind in (REDUCE, ACCUMULATE):
            each += 1
        total += points * each
    return total


def _share_inside(guard: Guard, kernel: Kernel, symbols: dict[str, int]) -> float:
    """The share of the points of its axes at which a guard holds."""
    import numpy as np
    index = np.array(evaluate_dim(guard.index.const, symbols))
    for axis, factor in guard.index.terms:
        index = index[..., None] + evaluate_dim(factor, symbols) * np.arange(evaluate_dim(kernel.axes[axis], symbols))
    return float(np.mean((index >= evaluate_dim(guard.lo, symbols)) & (index < evaluate_dim(guard.hi, symbols))))


def bytes_of(kernel: Kernel, symbols: dict[str, int]) -> int:
    """Bytes of what it reads and of what it writes, each array once (an array of which it reads a part counts whole)."""
    return sum(_size(kernel.arrays[a], symbols) for a in (*kernel.reads, *kernel.writes))


def _size(type_: TensorType, symbols: dict[str, int]) -> int:
    size = type_.dtype.size
    for dim in type_.shape:
        size *= evaluate_dim(dim, symbols)
    return size


def profile(subject: Subject, batch: int, threads: int | None = None) -> Report:
    """Raises TargetError for a subject that cannot run."""
    graph, given = operands(subject, batch)
    from ..compiler import to_program
    program: Program = to_program(graph)
    executable = executable_of(program)
    arrays = arrays_for(program, given.params, given.states, given.symbols)
    executable.run(arrays, given.symbols, threads)
    count = threads or executable.threads_for(given.symbols)
    whole = _whole_step(executable, arrays, given.symbols, count)
    roof = measure(count)
    seconds = _kernel_seconds(executable, given.symbols, count)
    program = replace(program, steps=tuple([step for step in program.steps if not step.kept]))
    found = [_profiled(step.kernel, s, given.symbols, roof) for step, s in zip(program.steps, seconds, strict=True)]
    return Report(_text(program, batch, whole, found, roof), _data(program, batch, whole, found, roof))


def _whole_step(executable: Executable, arrays: dict[str, Any], symbols: dict[str, int], threads: int) -> float:
    """Seconds of one step: the fastest of a few runs."""
    best = float("inf")
    begun = time.perf_counter()
    for n in range(ROUNDS * 2):
        if n > 1 and time.perf_counter() - begun > PATIENCE:
            break
        started = time.perf_counter()
        executable.run(arrays, symbols, threads)
        best = min(best, time.perf_counter() - started)
    return best


def _kernel_seconds(executable: Executable, symbols: dict[str, int], threads: int) -> list[float]:
    """Seconds of one call of each kernel, on the frame of the step that ran before."""
    import numpy as np

    from ..codegen.runtime import layout
    from ..codegen.runtime.pool import NativeCall
    from ..codegen.step import call_table
    frame = executable._bind(symbols).frame
    kept = frame.words[:layout.FRAME_WORDS].copy()
    call = NativeCall(executable.pool, executable.pool.step_entry, frame.address, threads)
    frame.words[layout.FRAME_SHARED] = call.shared_address
    found = []
    for one in executable.code.calls:
        def seconds(count: int, rounds: int) -> float:
            repeated = replace(executable.code, calls=(replace(one, barrier=False, together=1),) * count)
            table = np.array(call_table(repeated, executable.loaded.addresses), np.int64)
            frame.words[layout.FRAME_CALLS] = table.ctypes.data
            best = float("inf")
            for _ in range(rounds):
                started = time.perf_counter()
                call.run()
                best = min(best, time.perf_counter() - started)
            return best / count
        once = seconds(1, 1)  # which warms up, too
        found.append(seconds(max(1, min(REPEAT, int(ENOUGH / once))), ROUNDS))
    frame.words[:layout.FRAME_WORDS] = kept
    return found


def _profiled(kernel: Kernel, seconds: float, symbols: dict[str, int], roof: Roofline) -> KernelProfile:
    flop, size = flop_of(kernel, symbols), bytes_of(kernel, symbols)
    least = roof.least_seconds(flop, size)
    if seconds < SHORT:
        limit = "too short to matter"
    elif least < FAR * seconds:
        limit = "neither: latency, tails, scalar code"
    elif flop / roof.flops >= size / roof.bandwidth_for(size):
        limit = "arithmetic"
    else:
        limit = "cache" if size <= roof.cache_bytes else "memory"
    return KernelProfile(kernel.name, kernel.label, kernel.source, seconds, 1, flop, size, 100 * least / seconds, limit)


def _text(program: Program, batch: int, whole: float, found: list[KernelProfile], roof: Roofline) -> str:
    together = sum(k.seconds for k in found)
    lines = [f"{program.name} at batch {batch}: {time_text(whole)} a step, {sum(k.flop for k in found) / whole / 1e9:.1f} GFLOP/s",
             str(roof),
             f"kernels alone, up to {REPEAT} calls in a row on warm arrays: {time_text(together)} together; the rest of the step "
             f"({time_text(max(0.0, whole - together))}) is barriers and cold caches",
             "percent: of the roofline, the lesser of arithmetic and of memory (or of the cache, where all arrays of a kernel fit it)"]
    rows = [("time", "share", "calls", "MFLOP", "bytes", "GFLOP/s", "GB/s", "percent", "limit", "kernel", "layer and line")]
    for k in sorted(found, key=lambda k: -k.seconds):
        rows.append((time_text(k.seconds), f"{100 * k.seconds / together:.0f}%", str(k.calls), f"{k.flop / 1e6:.3g}", size_text(k.bytes),
                     f"{k.flop / k.seconds / 1e9:.1f}", f"{k.bytes / k.seconds / 1e9:.1f}", f"{k.percent:.0f}%", k.limit, k.name,
                     f"{k.layer}  {k.source}".rstrip()))
    return "\n".join([*lines, *table(rows, right=range(8), indent="  ")])


def _data(program: Program, batch: int, whole: float, found: list[KernelProfile], roof: Roofline) -> dict[str, Any]:
    return {"name": program.name, "batch": batch, "seconds": whole,
            "machine": {"flops": roof.flops, "fed_flops": roof.fed_flops, "bandwidth": roof.bandwidth,
                        "cache_bandwidth": roof.cache_bandwidth, "threads": roof.threads},
            "kernels": [{**vars(k), "layer": k.layer} for k in found]}


__all__ = ["KernelProfile", "bytes_of", "flop_of", "profile"]

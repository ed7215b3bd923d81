"""Kernels alone against the measured limits of this machine: contractions, convolutions, normalizations, softmax, elementwise.

    python benchmarks/kernels.py                        one line of JSON a kernel; --only conv for those with "conv" in their names
    KCOMPILE_TARGET=avx2 python benchmarks/kernels.py   code for shorter vectors, against the most that these can do here

Each is one op (or its gradient), compiled as a program of its own, first checked on a small batch against the reference
evaluation (a kernel that fails has no figure), then timed on warm arrays, on one thread and on all, --rounds times over.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.compiler import compile_graph, current_target
from kcompile.ir.evaluate import evaluate
from kcompile.tools.roofline import Meter
from kcompile.tracing import Trace, gradients
from kcompile.variables import aligned_empty

Shapes = dict[str, tuple[Any, ...]]
CHECKED_ROWS = 2


@dataclass(frozen=True)
class Case:
    """`shapes`: of the inputs, None is the batch; `flop` of the whole batch, or 0 where only bytes count; `channels`: what divides those of
    a product's input and result (in a group), and so how well they fill vectors."""

    family: str
    name: str
    batch: int
    shapes: Shapes
    result: Callable[..., Any]
    flop: float = 0.0
    channels: int = 0


def contractions() -> Iterator[Case]:
    """x [M, K] @ w [K, N]; the gradients contract over N and over M."""
    for m, n, k in ((32, 512, 784), (512, 512, 784), (1024, 1024, 1024), (50, 333, 77), (7, 100, 10), (1, 512, 784), (256, 64, 64),
                    (32, 10, 512)):
        shapes: Shapes = {"x": (None, k), "w": (k, n), "dy": (None, n)}
        for part, result in parts(lambda x, w: ops.matmul(x, w)).items():
            yield Case("contraction", f"{m}x{n}x{k} {part}", m, shapes, result, 2.0 * m * n * k, math.gcd(n, k))


def convolutions() -> Iterator[Case]:
    """(batch, height, width, channels, filters, size, strides, dilation, groups)."""
    for geometry in ((32, 28, 28, 1, 32, 3, 1, 1, 1), (32, 13, 13, 32, 64, 3, 1, 1, 1), (128, 32, 32, 16, 16, 3, 1, 1, 1),
                     (128, 16, 16, 32, 32, 3, 1, 1, 1), (128, 8, 8, 64, 64, 3, 1, 1, 1), (32, 16, 16, 64, 128, 1, 1, 1, 1),
                     (1, 56, 56, 64, 64, 3, 1, 1, 1), (7, 30, 22, 37, 53, 3, 1, 1, 1), (50, 16, 16, 24, 40, 5, 1, 1, 1),
                     (1, 224, 224, 3, 64, 7, 2, 1, 1), (50, 20, 20, 32, 32, 3, 1, 2, 1), (50, 20, 20, 64, 64, 3, 1, 1, 4),
                     (256, 12, 12, 16, 32, 3, 2, 1, 1), (50, 20, 20, 20, 20, 3, 1, 1, 1), (7, 16, 16, 100, 100, 3, 1, 1, 1),
                     (4, 14, 14, 1024, 256, 1, 1, 1, 1)):
        yield from convolution(*geometry)


def convolution(batch, height, width, channels, filters, size, strides, dilation, groups) -> Iterator[Case]:
    span = (size - 1) * dilation
    rows, columns = ((n - span - 1) // strides + 1 for n in (height, width))
    shapes: Shapes = {"x": (None, height, width, channels), "w": (size, size, channels // groups, filters),
                      "dy": (None, rows, columns, filters)}
    extra = "".join((f" stride {strides}" if strides > 1 else "", f" dilation {dilation}" if dilation > 1 else "",
                     f" groups {groups}" if groups > 1 else ""))
    flop = 2.0 * batch * rows * columns * size * size * channels // groups * filters
    for part, result in parts(lambda x, w: ops.conv(x, w, strides=strides, dilation_rate=dilation)).items():
        name = f"{batch}x{height}x{width}x{channels} {size}x{size} to {filters}{extra} {part}"
        yield Case("convolution", name, batch, shapes, result, flop, math.gcd(channels // groups, filters // groups))


def parts(op: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """An op of x and w, and its two gradients for an upstream gradient dy."""
    def gradient(of: str) -> Callable[..., Any]:
        return lambda **t: gradients(ops.sum(op(t["x"], t["w"]) * t["dy"]), [t[of]])[0]
    return {"forward": lambda **t: op(t["x"], t["w"]), "gradient of x": gradient("x"), "gradient of w": gradient("w")}


def memory_bound() -> Iterator[Case]:
    wide: Shapes = {"x": (None, 1024)}
    yield Case("normalization", "layer 512x1024", 512, {**wide, "g": (1024,), "b": (1024,)},
               lambda x, g, b: ops.layer_normalization(x, g, b, epsilon=1e-3))
    image: Shapes = {"x": (None, 16, 16, 64), "g": (64,), "b": (64,)}
    yield Case("normalization", "batch 64x16x16x64, statistics and all", 64, image, batch_normalized)
    yield Case("softmax", "512x1024", 512, wide, lambda x: ops.softmax(x))
    yield Case("softmax", "4096x10", 4096, {"x": (None, 10)}, lambda x: ops.softmax(x))
    two: Shapes = {"x": (None, 1024), "z": (None, 1024)}
    yield Case("elementwise", "x + z 64x1024 (in cache)", 64, two, lambda x, z: x + z)
    yield Case("elementwise", "x + z 8192x1024 (in memory)", 8192, two, lambda x, z: x + z)
    yield Case("elementwise", "exp 512x1024", 512, wide, lambda x: ops.exp(x))
    yield Case("elementwise", "tanh 512x1024", 512, wide, lambda x: ops.tanh(x))
    yield Case("elementwise", "gelu 512x1024", 512, wide, lambda x: ops.gelu(x))
    yield Case("reduction", "sum of columns 512x1024", 512, wide, lambda x: ops.sum(x, axis=0))
    yield Case("reduction", "sum of rows 512x1024", 512, wide, lambda x: ops.sum(x, axis=1))
    yield Case("pooling", "max 2x2 64x26x26x32", 64, {"x": (None, 26, 26, 32)}, lambda x: ops.max_pool(x, 2, 2))
    yield Case("pooling", "average 3x3 64x26x26x32", 64, {"x": (None, 26, 26, 32)}, lambda x: ops.average_pool(x, 3, 1))


def batch_normalized(x, g, b):
    mean, variance = ops.moments(x, axes=[0, 1, 2])
    return ops.batch_normalization(x, mean, variance, -1, b, g)


def cases() -> list[Case]:
    return [*contractions(), *convolutions(), *memory_bound()]


def traced(case: Case):
    with Trace(case.family) as trace:
        trace.output("y", case.result(**{name: trace.input(name, shape, "float32") for name, shape in case.shapes.items()}))
    return trace.graph


def arrays_of(case: Case, executable, batch: int) -> dict[str, Any]:
    """Random inputs by name, and room for the result: on the boundaries where variables and temporary arrays of a step lie, too."""
    rng = np.random.default_rng(0)
    arrays = {name: aligned(rng.normal(0, 1, [batch if n is None else n for n in shape])) for name, shape in case.shapes.items()}
    result = executable.program.outputs["y"]
    shape = [n if isinstance(n, int) else n.evaluate({"B": batch}) for n in executable.program.buffers[result].type.shape]
    return {**arrays, result: aligned(np.zeros(shape))}


def aligned(values):
    array = aligned_empty(values.shape, np.dtype("float32"))
    array[...] = values
    return array


def check(case: Case, graph, executable) -> None:
    """Raises AssertionError where the native result on a small batch is not that of the reference."""
    arrays = arrays_of(case, executable, CHECKED_ROWS)
    wanted = evaluate(graph, {name: arrays[name] for name in case.shapes})[0]["y"]
    executable.run(arrays, {"B": CHECKED_ROWS} if executable.symbols else {})
    found = arrays[executable.program.outputs["y"]]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(np.abs(wanted).max()))


def seconds_of(executable, arrays, symbols, meter: Meter, seconds: float) -> tuple[float, float]:
    """Of one call, the best of groups of calls; and the best FLOP/s on registers in runs between these groups: what a clock that
    moves within seconds allowed meanwhile."""
    executable.run(arrays, symbols, meter.threads)
    call = executable._bind(symbols).call  # what run() calls at the end: Python would be most of a small kernel's time
    once = min(timed(call.run, 1) for _ in range(3))
    count = max(1, int(seconds / 8 / once))
    taken, peaks = [], [meter.flops()]
    for _ in range(max(3, min(8, int(seconds / once / count)))):
        taken.append(timed(call.run, count))
        peaks.append(meter.flops())
    return min(taken), max(peaks)


def timed(call: Callable[[], None], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count


@dataclass
class Subject:
    """A compiled case, bound to its arrays, and the best that was measured of it."""

    case: Case
    executable: Any
    arrays: dict[str, Any]
    row: dict[str, Any]

    def measure(self, seconds: float, meters: list[Meter]) -> None:
        """For each number of threads the shortest time of all rounds, and what the machine could do in that round."""
        symbols = {"B": self.case.batch} if self.executable.symbols else {}
        for meter in meters:
            taken, flops = seconds_of(self.executable, self.arrays, symbols, meter, seconds)
            if taken < self.row.get(f"seconds_{meter.threads}", math.inf):
                self.row[f"seconds_{meter.threads}"], self.row[f"flops_{meter.threads}"] = taken, flops


def subject_of(case: Case) -> Subject:
    """Compiled and checked: a wrong one has an "error" in its row and is not measured."""
    graph = traced(case)
    executable = compile_graph(graph)
    row: dict[str, Any] = {"family": case.family, "name": case.name, "flop": case.flop, "channels": case.channels}
    try:
        check(case, graph, executable)
    except AssertionError as error:
        return Subject(case, executable, {}, {**row, "error": "differs from the reference: " + str(error).strip().splitlines()[0]})
    arrays = arrays_of(case, executable, case.batch)
    row["bytes"] = sum(array.nbytes for name, array in arrays.items() if name in executable.given)
    return Subject(case, executable, arrays, row)


def limits(meter: Meter) -> dict[str, float]:
    """This machine measured now: other work may have disturbed an earlier measurement, so the best of several counts."""
    roof = meter.roofline()
    return {"threads": meter.threads, "vector_bytes": current_target().vector_bytes, "flops": roof.flops, "fed": roof.fed_flops,
            "memory": roof.bandwidth, "cache": roof.cache_bandwidth, "cache_bytes": roof.cache_bytes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART", help="part of the names of the families or kernels to run")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each kernel and number of threads, in each round")
    parser.add_argument("--rounds", type=int, default=1, help="over all kernels: a neighbour who disturbs one round leaves another alone")
    options = parser.parse_args()
    meters = [Meter(threads) for threads in sorted({1, len(os.sched_getaffinity(0))})]
    chosen = [case for case in cases() if any(part in f"{case.family} {case.name}" for part in options.only)]
    subjects: dict[int, Subject] = {}
    for turn in range(options.rounds):
        for number, case in enumerate(chosen):
            if number % 20 == 0:
                for meter in meters:
                    print(json.dumps(limits(meter)), flush=True)
            if number not in subjects:
                subjects[number] = subject_of(case)
            subject = subjects[number]
            if "error" not in subject.row:
                subject.measure(options.seconds, meters)
            if turn == options.rounds - 1:
                print(json.dumps(subject.row), flush=True)


if __name__ == "__main__":
    main()

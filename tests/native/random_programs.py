"""Random training graphs through the whole compiler: native float32 against the float64 interpreter, on one thread and several.

    python tests/native/random_programs.py 2000          seeds 0 to 1999; a failure is shrunk and printed as a file test's input
"""

from __future__ import annotations

import sys

import numpy as np

from kcompile.codegen.executable import compile_program
from kcompile.codegen.options import CodegenOptions
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.passes.split import split
from kcompile.ir.random_graphs import random_arrays, random_graph, shrink
from kcompile.ir.text import print_graph
from kcompile.ir.types import evaluate_dim, f32, f64

OPTIONS = CodegenOptions(cache_dir=None, single_thread_below=0)
BATCHES = (1, 5, 17)
TOLERANCE = 2e-4  # relative to the largest value of an array: float32 against float64 over a whole graph


def native(graph: Graph, params, states, batch: int, threads: int, compiled=None):
    """(outputs, states afterwards) of one native step, and what was compiled for the next call."""
    if compiled is None:
        program = plan(split(fuse(describe(simplify(differentiate(graph))))))
        compiled = program, compile_program(program, options=OPTIONS)
    program, executable = compiled
    arrays = {n: np.array(a, order="C") for n, a in {**params, **states}.items()}
    arrays = {n: a for n, a in arrays.items() if n in program.buffers}
    for buffer in program.buffers.values():
        if buffer.kind == "output":
            arrays[buffer.name] = np.zeros(tuple(evaluate_dim(d, {"B": batch}) for d in buffer.type.shape), buffer.type.dtype.numpy)
    executable.run(arrays, {"B": batch}, threads)
    outputs = {f"output {n}": arrays[b] for n, b in program.outputs.items()}
    return {**outputs, **{f"state {n}": arrays[n] for n in states if n in arrays}}, compiled


def wide(arrays):
    return {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in arrays.items()}


def fault(graph: Graph, exact: Graph, arrays_of=random_arrays) -> str:
    """What is wrong with the native result, or nothing."""
    compiled = None
    for batch in BATCHES:
        params, states = arrays_of(graph, batch)
        outputs, updates = evaluate(exact, wide(params), wide(states))
        wanted = {**{f"output {n}": a for n, a in outputs.items()}, **{f"state {n}": a for n, a in {**wide(states), **updates}.items()}}
        one, compiled = native(graph, params, states, batch, 1, compiled)
        three, compiled = native(graph, params, states, batch, 3, compiled)
        for name, found in one.items():
            if found.tobytes() != three[name].tobytes():
                return f"{name} has other bits on three threads (B = {batch})"
            a, b = np.asarray(wanted[name], np.float64), found.astype(np.float64)
            scale = max(1.0, float(np.max(np.abs(a), initial=0.0)))
            if not np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True):
                return f"{name} differs by {np.nanmax(np.abs(a - b)):.3g} of {scale:.3g} (B = {batch})"
    return ""


def check_seed(seed: int) -> None:
    """Raises AssertionError with the shrunk graph."""
    graph, exact = random_graph(seed, dtype=f32), random_graph(seed, dtype=f64)
    problem = fault(graph, exact)
    if not problem:
        return

    def still_wrong(smaller: Graph) -> bool:
        params, states = random_arrays(smaller, 5)
        outputs, updates = evaluate(smaller, params, states)
        found, _ = native(smaller, params, states, 5, 3)
        wanted = {**{f"output {n}": a for n, a in outputs.items()}, **{f"state {n}": a for n, a in updates.items()}}
        return any(not np.allclose(a, found[n], rtol=1e-2, atol=1e-2 * max(1.0, float(np.max(np.abs(a), initial=0.0))), equal_nan=True)
                   for n, a in wanted.items())

    small = shrink(graph, still_wrong) if still_wrong(graph) else graph
    raise AssertionError(f"seed {seed}: {problem}\n{print_graph(small)}")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failures = 0
    for seed in range(first, first + count):
        try:
            check_seed(seed)
        except Exception as error:  # every failure of every kind is a finding: go on to the next seed
            failures += 1
            print(f"--- seed {seed}: {type(error).__name__}: {error}", flush=True)
    print(f"{count} random training graphs, {failures} failures")


if __name__ == "__main__":
    main()

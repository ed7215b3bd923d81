"""Random training graphs through the whole compiler: native float32 against the float64 interpreter, on one thread and several.

    python tests/native/random_programs.py --count 20000                      forward and gradient
    python tests/native/random_programs.py --count 500 --without fuse         with one part of the compiler switched off
    python tests/native/random_programs.py --count 500 --without each         with every part switched off in turn

A failure is shrunk and printed as the input of a file test, and the run goes on; the last line counts. Where the float32
*reference* is as far from float64 as the native result (a comparison that fell the other way), a graph says nothing: it is
counted as undecided, and so are graphs whose reference overflows. Figures of long runs are in docs/testing.md.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.codegen.emit import emit
from kcompile.codegen.executable import Executable, compile_program
from kcompile.codegen.lower import lower
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.step import NativeKernel
from kcompile.codegen.step_text import Compile, compile_kernel
from kcompile.common.struct import replace
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.passes.again import again
from kcompile.ir.passes.centre import centre
from kcompile.ir.passes.common_subexpressions import common_subexpressions
from kcompile.ir.passes.describe import describe
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.fuse import fuse
from kcompile.ir.passes.plan import plan
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.passes.split import split
from kcompile.ir.passes.widen import widen
from kcompile.ir.program import Lifetime, Program
from kcompile.ir.random_graphs import random_arrays, random_graph, shrink
from kcompile.ir.text import print_graph
from kcompile.ir.types import evaluate_dim, f32

OPTIONS = CodegenOptions(cache_dir=None, single_thread_below=0)
BATCHES = (1, 5, 17)
TOLERANCE = 2e-4  # relative to the largest value of an array: float32 against float64 over a whole graph
STEPS = 12


def _same(item: Any) -> Any:
    return item


def _every_barrier(program: Program) -> Program:
    planned = plan(program)
    return replace(planned, steps=tuple(replace(step, barrier=True) for step in planned.steps))


def _no_sharing(program: Program) -> Program:
    planned = plan(program)
    last = len(planned.steps) - 1
    return replace(planned, lifetimes={name: Lifetime(0, last) for name in planned.lifetimes})


def _no_updates_in_place(program: Program) -> Program:
    """Each new value of a state leaves as an output as well, so that it has a buffer of its own and is copied at the end."""
    extra = {f"kept {state}": value for state, value in program.updates.items() if program.buffers[value].kind == "temp"}
    return plan(replace(program, outputs={**program.outputs, **extra}))


def _unscheduled(kernel: Any, target: Any, name: str, along: bool) -> tuple[str, NativeKernel]:
    nest = lower(kernel)
    return emit(nest, target, name), NativeKernel(name, nest.symbols, nest.trips)


@dataclass(frozen=True)
class Pipeline:
    """The compiler as a tuple of parts, so that each can be replaced by the plainest thing that is still right."""

    simplify: Callable[[Graph], Graph] = simplify
    fuse: Callable[[Program], Program] = fuse
    split: Callable[[Program], Program] = split
    centre: Callable[[Program], Program] = centre
    again: Callable[[Program], Program] = again
    plan: Callable[[Program], Program] = plan
    compile: Compile = compile_kernel

    def program(self, graph: Graph) -> Program:
        return self.plan(self.again(self.centre(self.split(self.fuse(describe(self.simplify(differentiate(graph))))))))


WITHOUT: dict[str, Pipeline] = {
    "simplify": Pipeline(simplify=_same),
    "rules": Pipeline(simplify=common_subexpressions),
    "fuse": Pipeline(fuse=_same),
    "split": Pipeline(split=_same),
    "centre": Pipeline(centre=_same),
    "again": Pipeline(again=_same),
    "fewer_barriers": Pipeline(plan=_every_barrier),
    "reuse_of_memory": Pipeline(plan=_no_sharing),
    "updates_in_place": Pipeline(plan=_no_updates_in_place),
    "schedule": Pipeline(compile=_unscheduled),
}
USUAL = Pipeline()


class Native:
    """One graph compiled, to be run on several batches."""

    def __init__(self, graph: Graph, pipeline: Pipeline = USUAL) -> None:
        self.program = pipeline.program(graph)
        self.executable: Executable = compile_program(self.program, None, OPTIONS, pipeline.compile)

    def run(self, params: dict[str, Any], states: dict[str, Any], batch: int, threads: int) -> dict[str, Any]:
        """Outputs and states after one native step."""
        program = self.program
        arrays = {n: np.array(a, order="C") for n, a in {**params, **states}.items() if n in program.buffers}
        for buffer in program.buffers.values():
            if buffer.kind == "output":
                arrays[buffer.name] = np.zeros(tuple(evaluate_dim(d, {"B": batch}) for d in buffer.type.shape), buffer.type.dtype.numpy)
        self.executable.run(arrays, {"B": batch}, threads)
        outputs = {f"output {n}": arrays[b] for n, b in program.outputs.items()}
        return {**outputs, **{f"state {n}": arrays[n] for n in states if n in arrays}}


def wide(arrays: dict[str, Any]) -> dict[str, Any]:
    return {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in arrays.items()}


def reference(graph: Graph, params: dict[str, Any], states: dict[str, Any]) -> dict[str, Any]:
    outputs, updates = evaluate(graph, params, states)
    return {**{f"output {n}": a for n, a in outputs.items()}, **{f"state {n}": a for n, a in {**states, **updates}.items()}}


def distance(exact: Any, found: Any) -> float:
    """The largest difference in units of the tolerance; 0 where both are the same special value."""
    a, b = np.asarray(exact, np.float64), np.asarray(found, np.float64)
    with np.errstate(all="ignore"):
        scale = max(1.0, float(np.max(np.abs(a), initial=0.0)))
        error = np.abs(a - b) / (TOLERANCE * scale + TOLERANCE * np.abs(a))
    error = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.where(np.isnan(error), np.inf, error))
    return float(np.max(error, initial=0.0))


class Undecided(Exception):
    """The float32 reference itself is far from float64, so nothing is said about native code."""


def fault(graph: Graph, exact: Graph | None = None, arrays_of: Callable[..., Any] = random_arrays, pipeline: Pipeline = USUAL,
          batches: tuple[int, ...] = BATCHES) -> str:
    """What is wrong with the native result, or nothing. `exact`: the same graph in float64. Raises Undecided."""
    graph = differentiate(graph)
    exact = widen(graph) if exact is None else differentiate(exact)
    native = Native(graph, pipeline)
    for batch in batches:
        params, states = arrays_of(graph, batch)
        wanted = reference(exact, wide(params), wide(states))
        one = native.run(params, states, batch, 1)
        three = native.run(params, states, batch, 3)
        for name, found in one.items():
            if name not in wanted:
                continue
            if found.tobytes() != three[name].tobytes():
                return f"{name} has other bits on three threads (B = {batch})"
            far = distance(wanted[name], found)
            if far > 1:
                if distance(wanted[name], reference(graph, params, states)[name]) > 0.5 or not np.all(np.isfinite(wanted[name])):
                    raise Undecided(f"{name} (B = {batch})")
                worst = np.nanmax(np.abs(np.asarray(wanted[name], np.float64) - found))
                return f"{name} differs by {worst:.3g}, {far:.3g} times the tolerance (B = {batch})"
    return ""


def check_seed(seed: int, pipeline: Pipeline = USUAL, steps: int = STEPS, batches: tuple[int, ...] = BATCHES) -> None:
    """Raises AssertionError with the shrunk graph, Undecided."""
    graph = random_graph(seed, steps, dtype=f32)
    try:
        problem = fault(graph, pipeline=pipeline, batches=batches)
    except (Undecided, AssertionError):
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        raise AssertionError(f"seed {seed}, {steps} steps: {problem}\n{print_graph(shrunk(graph, pipeline, problem))}")


def shrunk(graph: Graph, pipeline: Pipeline, problem: str) -> Graph:
    """The smallest graph that still fails in a way like `problem`."""
    kind = problem.split(":")[0] if ":" in problem else ""

    def still_wrong(smaller: Graph) -> bool:
        try:
            return bool(fault(smaller, pipeline=pipeline, batches=(5, 17)))
        except Undecided:
            return False
        except Exception as error:
            return type(error).__name__ == kind

    return shrink(graph, still_wrong) if still_wrong(graph) else graph


def campaign(seeds: range, pipeline: Pipeline, label: str) -> int:
    """Graphs of 3 to 9 steps on one batch size, every fourth on three; the number of failures."""
    failures = undecided = 0
    start = time.process_time()
    gc.disable()  # graphs are cyclic: collected now and then, not at every allocation
    for done, seed in enumerate(seeds, 1):
        try:
            check_seed(seed, pipeline, 3 + seed % 7, BATCHES if seed % 4 == 0 else (BATCHES[seed % 3],))
        except Undecided:
            undecided += 1
        except Exception as error:  # every failure of every kind is a finding: go on to the next seed
            failures += 1
            print(f"--- {label}, seed {seed}: {type(error).__name__}: {error}", flush=True)
        if done % 50 == 0:
            gc.collect()
        if done % 250 == 0:
            print(f"    {label}: {done} of {len(seeds)}, {undecided} undecided, {failures} failures", file=sys.stderr, flush=True)
    gc.enable()
    print(f"{label}: {len(seeds)} random training graphs from seed {seeds.start}, {undecided} undecided, {failures} failures, "
          f"{time.process_time() - start:.0f} s of processor time", flush=True)
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(description="Random training graphs, native against float64.")
    parser.add_argument("--count", type=int, default=200, help="graphs (200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--without", choices=[*WITHOUT, "each"], help="one part of the compiler switched off")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.count)
    chosen = WITHOUT if given.without == "each" else {given.without: WITHOUT[given.without]} if given.without else {}
    failures = sum(campaign(seeds, pipeline, f"without {name}") for name, pipeline in chosen.items())
    if not chosen:
        failures = campaign(seeds, USUAL, "everything on")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()

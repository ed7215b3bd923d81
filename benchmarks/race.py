"""Single kernels as several checkouts would compile them, called in turns in one process: what a change of a schedule is worth.

    python benchmarks/race.py --case "1024x1024x1024 forward" -- . ../other      cases of kernels.py, by a part of their names
    python benchmarks/race.py --nest kernel.nest --batch 128 -- main .           nests before their schedule (`kcompile show --stage loops`)

Every checkout (a folder, or a revision) schedules and compiles the same nests for this machine or KCOMPILE_TARGET. All call them on
the same arrays, one after the other and in both orders, so that what else the machine does meets them alike: ratios are believable to
one or two percent where times of separate processes differ by tens. Results are compared, too.

A core may have another half, on which somebody else computes: products then run at two thirds of their pace, and what is worth most is not
the same. So a tile's loop is timed before and after each turn, and ratios are told apart, too: of rounds in which nobody disturbed it, and
in which somebody did. Neighbours come and go in milliseconds; ask for many short turns (--rounds 200 --seconds 0.004).
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gate import checkout
from kernels import aligned, cases, traced

from kcompile.codegen.lower import lower
from kcompile.codegen.module import Loaded
from kcompile.codegen.nest import Nest
from kcompile.codegen.nest_text import parse_nests, print_nest
from kcompile.codegen.tuning import argument_table
from kcompile.compiler import current_target, to_program
from kcompile.ir.types import evaluate_dim
from kcompile.tools.roofline import Meter

QUIET, DISTURBED = 0.95, 0.85  # of the best pace of a tile's loop: above and below
FED = 0.85  # of the pace on registers, which that one reaches at the least while nobody disturbs it
Subject = tuple[str, Nest, dict[str, int]]  # title, nest, sizes of the symbols
COMPILE = """
import base64, json, sys, time
from kcompile.codegen.emit import emit
from kcompile.codegen.module import object_code
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.step_text import head_for
from kcompile.codegen.strategy import plan
from kcompile.compiler import current_target
target = current_target()
for text, symbols in json.load(sys.stdin):
    nest = plan(parse_nest(text), target)
    text = emit(nest, target, "kernel")
    module = head_for(text, target) + text  # as a step's kernels are compiled
    began = time.perf_counter()
    content = object_code(module, target)
    seconds = time.perf_counter() - began
    print(json.dumps([base64.b64encode(content).decode(), seconds, nest.trips.evaluate(symbols), print_nest(nest)]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="+", help="the first is what the others are compared with")
    parser.add_argument("--case", nargs="+", default=[], metavar="PART")
    parser.add_argument("--nest", nargs="+", default=[], metavar="FILE", type=Path)
    parser.add_argument("--batch", type=int, help="of nests from files; a case has its own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--part", type=float, default=1.0, help="0.5: only the first half of the work, one thread's share of two")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.02, help="for each checkout in a round")
    parser.add_argument("--show", action="store_true", help="print the schedules")
    options = parser.parse_args()
    subjects = [*nests_of_cases(options.case), *nests_of_files(options.nest, options.batch)]
    if not subjects:
        raise SystemExit("nothing to race: give --case with part of a name of kernels.py, or --nest with a file")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kcompile-race-")))
        folders = [checkout(given, scratch / str(n), stack) for n, given in enumerate(options.checkouts)]
        compiled = [compiled_by(folder, subjects) for folder in folders]
        for n, (title, nest, symbols) in enumerate(subjects):
            print(f"{title}: {nest.name}")
            race(nest, symbols, dict(zip(options.checkouts, (of[n] for of in compiled), strict=True)), options)


def nests_of_cases(names: list[str]) -> list[Subject]:
    found = []
    for case in cases():
        if any(part in f"{case.family} {case.name}" for part in names):
            nests = [lower(step.kernel) for step in to_program(traced(case), current_target()).steps]
            found += [(f"{case.family} {case.name}", nest, dict.fromkeys(nest.symbols, case.batch)) for nest in nests]
    return found


def nests_of_files(files: list[Path], batch: int | None) -> list[Subject]:
    found = []
    for file in files:
        for nest in parse_nests(file.read_text(), str(file)):
            if nest.symbols and batch is None:
                raise SystemExit(f"{file}: the nest {nest.name} has a symbolic size ({', '.join(nest.symbols)}): say --batch")
            found.append((file.name, nest, dict.fromkeys(nest.symbols, batch or 0)))
    return found


class Compiled(NamedTuple):
    """What a checkout makes of a nest; `trips`: how many its threads share."""

    content: bytes
    seconds: float
    trips: int
    schedule: str


def compiled_by(folder: Path, subjects: list[Subject]) -> list[Compiled]:
    wanted = json.dumps([(print_nest(nest), symbols) for _, nest, symbols in subjects])
    done = subprocess.run([sys.executable, "-c", COMPILE], input=wanted, text=True, stdout=subprocess.PIPE, check=True,
                          cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)})  # the folder it runs in comes before that path
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [Compiled(base64.b64decode(content), *rest) for content, *rest in rows]


def race(nest: Nest, symbols: dict[str, int], of: dict[str, Compiled], options: Any) -> None:
    loaded = {name: Loaded([compiled.content], ["kernel"]) for name, compiled in of.items()}
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    kept = arrays_of(nest, symbols)
    addresses = argument_table([kept[a].ctypes.data for a in nest.arrays])
    dims = (ctypes.c_int64 * max(1, len(symbols)))(*(symbols[s] for s in nest.symbols))
    before = {name: array.copy() for name, array in kept.items()}
    results, calls = {}, {}
    for name, code in loaded.items():
        trips = max(1, round(of[name].trips * options.part))
        cuts = list(pairwise(trips * n // options.threads for n in range(options.threads + 1)))
        calls[name] = shared(kernel(code.addresses["kernel"]), ctypes.addressof(addresses), ctypes.addressof(dims), cuts)
        for array, original in before.items():
            kept[array][...] = original
        calls[name](1)
        results[name] = {array: kept[array].copy() for array in nest.arrays}
    first = options.checkouts[0]
    count = max(1, int(options.seconds / max(calls[first](3) / 3, 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    paces: dict[str, list[float]] = {name: [] for name in calls}
    meter, best = Meter(1), 0.0
    for number in range(options.rounds):
        best = max(best, FED * meter.flops())
        for name in list(calls) if number % 2 == 0 else reversed(list(calls)):
            before = meter.fed_flops()
            times[name].append(calls[name](count) / count)
            paces[name].append(min(before, meter.fed_flops()))
    meter.close()
    best = max(best, *(max(of_one) for of_one in paces.values()))
    for name, compiled in of.items():
        ratios = [mine / theirs for mine, theirs in zip(times[name], times[first], strict=True)]
        shares = [(mine / best, theirs / best) for mine, theirs in zip(paces[name], paces[first], strict=True)]
        equal = all(np.array_equal(results[name][a], results[first][a], equal_nan=True) for a in nest.arrays)
        print(f"  {name:30} best {min(times[name]) * 1e6:10.2f} us  median {statistics.median(times[name]) * 1e6:10.2f} us  "
              f"of the first {told_apart(ratios, shares)}  LLVM {compiled.seconds * 1e3:6.1f} ms  {len(compiled.content):7} bytes  "
              f"{'same bits' if equal else f'OTHER BITS, by up to {furthest(results[name], results[first]):.1e}'}", flush=True)
        if options.show:
            print(compiled.schedule)


def told_apart(ratios: list[float], paces: list[tuple[float, float]]) -> str:
    """The median of the ratios of all rounds, of those in which nobody disturbed either turn, and of those in which somebody did both.
    `paces`: in each round, of both turns, the pace of a tile's loop by the best one. A round of one turn each counts for neither."""
    quiet = [ratio for ratio, both in zip(ratios, paces, strict=True) if min(both) > QUIET]
    disturbed = [ratio for ratio, both in zip(ratios, paces, strict=True) if max(both) < DISTURBED]
    return f"{statistics.median(ratios):.3f} ({told('quiet', quiet)}, {told('disturbed', disturbed)})"


def told(state: str, ratios: list[float]) -> str:
    return f"{state} {statistics.median(ratios):.3f} of {len(ratios)}" if ratios else f"never {state}"


def furthest(some: dict[str, Any], others: dict[str, Any]) -> float:
    return max(float(np.abs(some[a].astype(np.float64) - others[a].astype(np.float64)).max(initial=0)) for a in some)


def shared(call: Any, args: int, dims: int, cuts: list[tuple[int, int]]) -> Callable[[int], float]:
    """Seconds of so many calls by as many threads as there are cuts, which do not wait for one another between calls."""
    def repeat(lo: int, hi: int, count: int) -> None:
        for _ in range(count):
            call(args, dims, lo, hi)

    def run(count: int) -> float:
        threads = [threading.Thread(target=repeat, args=(*cut, count)) for cut in cuts[1:]]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        repeat(*cuts[0], count)
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    return run


def arrays_of(nest: Nest, symbols: dict[str, int]) -> dict[str, Any]:
    """Small random numbers; integers are 0 or 1. Arrays that share memory are one."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for name, array in nest.arrays.items():
        shape = tuple(evaluate_dim(d, symbols) for d in array.shape)
        if array.dtype.numpy == np.float32:
            arrays[name] = aligned(rng.uniform(0, 0.1, shape))
        else:
            arrays[name] = rng.integers(0, 2, shape).astype(array.dtype.numpy)
    for name, other in nest.in_place.items():
        arrays[name] = arrays[other]
    return arrays


if __name__ == "__main__":
    main()

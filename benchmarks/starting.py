"""How long a `fit` takes from its call to the start of its first step: with nothing compiled before, and where another process has done it.

    python benchmarks/starting.py                            a table; run it alone on the machine
    python benchmarks/starting.py --workload resnet20 --processes 5

Of a few processes the best, of each kind. `first step` comes after that time: of a large model it is longer than later ones, since it
is the first to touch the memory.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from networks import CLASSIFY, resnet50
from report import table
from workloads import WORKLOADS

NAMES = {**WORKLOADS, "resnet50": (lambda keras: (*resnet50(keras)[:2], dict(CLASSIFY)), 8)}  # trained here alone
PARTS = ("nothing compiled", "second process")


def one(name: str) -> dict[str, float]:
    """In this process: seconds to the first step, of that step and of the best later one, page faults of the first, modules compiled."""
    import kcompile
    from kcompile.codegen.cache import COUNTERS
    from kcompile.codegen.loop import Loop

    builder, batch = NAMES[name]
    model, data, arguments = builder(kcompile)
    model.compile(**arguments)
    x, y = data(batch, np.random.default_rng(0))
    steps: list[tuple[float, float, int]] = []
    run = Loop.run

    def timed(self, *given, **others) -> int:
        faults, begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        done = run(self, *given, **others)
        steps.append((begun, time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults))
        return done
    Loop.run = timed
    called = time.perf_counter()
    for _ in range(4):
        model.fit(x, y, batch_size=batch, verbose=0)
    return {"to_step": steps[0][0] - called, "first": steps[0][1], "faults": steps[0][2], "later": min(step[1] for step in steps[1:]),
            "compiled": COUNTERS.compiled}


def in_a_process(name: str, cache: str) -> dict[str, float]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, __file__, "--one", name], check=True, text=True, stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": path, "KCOMPILE_CACHE": cache, "PYTHONDONTWRITEBYTECODE": ""})
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", default=["mlp", "cnn_b32", "resnet20", "resnet50"], choices=NAMES, metavar="NAME")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return
    for folder in ("kcompile", "ir", "codegen"):
        compileall.compile_dir(str(Path(__file__).parents[1] / folder), quiet=2)
    rows = []
    for name in options.workload:
        found: dict[str, list[dict[str, float]]] = {part: [] for part in PARTS}
        for _ in range(options.processes):
            with tempfile.TemporaryDirectory(prefix="kcompile-starting-") as cache:
                for part in PARTS:
                    found[part].append(in_a_process(name, cache))
        for part, starts in found.items():
            best = min(starts, key=lambda start: start["to_step"])
            rows.append([name, part, f"{best['to_step']:.3f}", f"{best['compiled']}", f"{1e3 * best['first']:.1f}",
                         f"{1e3 * best['later']:.1f}", f"{best['faults']}"])
    print(table(["workload", "", "to the first step, s", "modules compiled", "first step, ms", "later, ms", "page faults in it"], rows))


if __name__ == "__main__":
    main()

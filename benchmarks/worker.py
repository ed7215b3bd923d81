"""One workload under one engine, in this process: warmed up once, then measured whenever a line on stdin asks for it.

    python benchmarks/worker.py kcompile mlp            (a line "measure 0.5" measures for half a second; end of input ends it)

Answers are lines of JSON on stdout: first {"import_s", "build_s", "first_step_s", "again_s"}, then for each `measure`
{"calls": {name of the call: [milliseconds a step, ...]}}, at the end {"peak_mb"}. An engine is a module with `session(engine, workload)`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

ENGINES = {  # name -> module that has it
    "kcompile": "engine_keras", "keras-tensorflow": "engine_keras", "keras-tensorflow-xla": "engine_keras", "keras-jax": "engine_keras",
    "keras-torch": "engine_keras", "torch": "engine_torch", "torch-compile": "engine_torch", "jax": "engine_jax",
    "onnxruntime": "engine_onnxruntime",
}


def peak_megabytes() -> float:
    """The most memory this process had at once. (getrusage would count that of the process it was forked from.)"""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError("/proc/self/status does not tell the peak memory")


def main() -> None:
    engine, name = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    session = importlib.import_module(ENGINES[engine]).session(engine, name)
    print(json.dumps(session.started), file=answers)
    for line in sys.stdin:
        command, seconds = line.split()
        if command != "measure":
            raise SystemExit(f"unknown command {command!r}")
        print(json.dumps({"calls": session.measure(float(seconds))}), file=answers)
    print(json.dumps({"peak_mb": peak_megabytes()}), file=answers)
    answers.flush()
    os._exit(0)  # some peers take seconds to shut down


def timed(function) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def latencies(function, seconds: float) -> list[float]:
    """Milliseconds a call, in about ten groups of calls that fill the time; of a call that is longer than that, two."""
    once = max(timed(function), 1e-6)
    for _ in range(3 if once < seconds else 0):
        once = max(timed(function), 1e-6)
    count = max(1, int(seconds / 10 / once))

    def group() -> None:
        for _ in range(count):
            function()
    return [1e3 * timed(group) / count for _ in range(max(3 if once < seconds else 2, min(10, int(seconds / once / count))))]


if __name__ == "__main__":
    main()

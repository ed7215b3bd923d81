"""kcompile beside Keras, in alternation; the best of the rounds, and the ratio.

    python benchmarks/compare.py mlp cnn_b32
    python benchmarks/compare.py mlp --peer tensorflow=path/to/python --peer jax=path/to/python

Each peer is a Keras back end and the Python of an environment that has it. Without peers only kcompile is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

MEASURE = Path(__file__).with_name("measure.py")


def run(python: str, engine: str, workload: str, backend: str = "") -> dict[str, float]:
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", **({"KERAS_BACKEND": backend} if backend else {}))
    done = subprocess.run([python, str(MEASURE), engine, workload], env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{backend or engine} failed on {workload}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--peer", action="append", default=[], metavar="BACKEND=PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    engines = [("kcompile", sys.executable, "kcompile", "")]
    for peer in options.peer:
        backend, _, python = peer.partition("=")
        engines.append((f"keras-{backend}", python, "keras", backend))
    print(f"{'workload':10} {'engine':18} {'ms/step':>9} {'first step s':>13} {'import s':>9} {'peak MB':>8} {'vs kcompile':>12}")
    for workload in options.workloads:
        best: dict[str, dict[str, float]] = {}
        for _ in range(options.rounds):
            for name, python, engine, backend in engines:
                result = run(python, engine, workload, backend)
                if name not in best or result["step_ms"] < best[name]["step_ms"]:
                    best[name] = result
        own = best["kcompile"]["step_ms"]
        for name, result in best.items():
            print(f"{workload:10} {name:18} {result['step_ms']:9.4f} {result['first_step_s']:13.3f} {result['import_s']:9.3f} "
                  f"{result['peak_mb']:8.0f} {result['step_ms'] / own:11.2f}x")


if __name__ == "__main__":
    main()

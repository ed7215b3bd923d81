"""kcompile beside Keras, in alternation; the best of the rounds, and the ratio.

    python benchmarks/compare.py mlp cnn_b32
    python benchmarks/compare.py mlp --peer tensorflow=PYTHON --peer jax=PYTHON --write docs/performance

`--write NAME` also writes NAME.md (the table) and NAME.svg (the chart). Each peer is a Keras back end and the Python of
an environment that has it. Without peers only kcompile is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from chart import svg

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
    parser.add_argument("--write", type=Path, metavar="NAME")
    options = parser.parse_args()
    engines = [("kcompile", sys.executable, "kcompile", "")]
    for peer in options.peer:
        backend, _, python = peer.partition("=")
        engines.append((f"keras-{backend}", python, "keras", backend))
    best: dict[str, dict[str, dict[str, float]]] = {}
    print(HEAD)
    for workload in options.workloads:
        rows = best[workload] = {}
        for _ in range(options.rounds):
            for name, python, engine, backend in engines:
                result = run(python, engine, workload, backend)
                if name not in rows or result["step_ms"] < rows[name]["step_ms"]:
                    rows[name] = result
        for line in table(workload, rows):
            print(line, flush=True)
    if options.write:
        peers = [f"--peer {peer.partition('=')[0]}=PYTHON" for peer in options.peer]
        write(options.write, best, " ".join(["python benchmarks/compare.py", *options.workloads, *peers, f"--rounds {options.rounds}"]))


HEAD = f"{'workload':10} {'engine':18} {'ms/step':>9} {'ratio':>7} {'first step s':>13} {'peak MB':>8}"


def table(workload: str, rows: dict[str, dict[str, float]]) -> list[str]:
    own = rows["kcompile"]["step_ms"]
    return [f"{workload:10} {name:18} {r['step_ms']:9.4f} {r['step_ms'] / own:6.2f}x {r['first_step_s']:13.3f} {r['peak_mb']:8.0f}"
            for name, r in rows.items()]


def machine() -> str:
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor") if Path("/proc/cpuinfo").exists() else platform.processor()
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def write(name: Path, best: dict[str, dict[str, dict[str, float]]], command: str) -> None:
    lines = ["# Training speed beside Keras", "",
             f"Measured on {machine()}, the engines in alternation; the fastest epoch of all rounds.", "",
             f"    {command}", "", f"![milliseconds a step]({name.name}.svg)", "", "```", HEAD]
    for workload, rows in best.items():
        lines += table(workload, rows)
    lines += ["```", "", "`ratio` is the engine's time over kcompile's; `first step` is the first call of `fit` on one batch (kcompile's",
              "with its object cache warm after the first round); peak memory is that of the whole process.", ""]
    name.with_suffix(".md").write_text("\n".join(lines))
    times = {w: {n: r["step_ms"] for n, r in rows.items()} for w, rows in best.items()}
    name.with_suffix(".svg").write_text(svg(times, "Milliseconds a training step"))


if __name__ == "__main__":
    main()

"""kcompile beside its peers on every workload, and its kernels alone: measured in alternation, written as a report.

    python benchmarks/run.py --peer tensorflow=PYTHON --peer jax=PYTHON --peer torch=PYTHON --peer onnxruntime=PYTHON
    python benchmarks/run.py --workload mlp cnn_b32 --no-kernels --peer jax=PYTHON --write /tmp/performance

Each PYTHON is that of an environment which has the peer. A workload's engines are started one after the other and warmed up;
then they are measured in turn, round after round. ONNX Runtime's models are exported by the environment of `torch`, once, into --onnx.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import report
from engines import SHORTHAND, Engine, Failed, Worker, export_onnx, kernel_rows, peers_of
from report import OWN
from workloads import CONTENDERS, PREDICT, WORKLOADS

SHORTER, SHORTER_BYTES = "avx2", 32  # a target with shorter vectors, and how long these are

begun = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - begun:5.0f} s] {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", default=[*WORKLOADS, *PREDICT], choices=[*WORKLOADS, *PREDICT], metavar="NAME")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"NAME: {', '.join(SHORTHAND)}")
    parser.add_argument("--every-peer", action="store_true", help="not only those that have been near the fastest of a workload")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="of measuring, each engine in each round")
    parser.add_argument("--patience", type=float, default=150, help="seconds a peer may take to start before it is left out")
    parser.add_argument("--no-kernels", dest="kernels", action="store_false")
    parser.add_argument("--kernel-rounds", type=int, default=10, help="over all kernels: many short ones meet a quiet moment")
    parser.add_argument("--kernel-seconds", type=float, default=0.05, help="for each kernel and number of threads, in each round")
    parser.add_argument("--onnx", type=Path, metavar="FOLDER", help="keeps the exported models for another run")
    parser.add_argument("--write", type=Path, default=Path(__file__).parents[1] / "docs" / "performance", metavar="NAME",
                        help="writes NAME.md, NAME-workloads.svg and NAME-kernels.svg (default: docs/performance)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also keeps every single figure")
    options = parser.parse_args()
    peers = peers_of(options.peer)
    with tempfile.TemporaryDirectory(prefix="kcompile-benchmark-") as scratch:
        # nobody finds anything compiled before
        os.environ.update(KCOMPILE_CACHE=f"{scratch}/kcompile", TORCHINDUCTOR_CACHE_DIR=f"{scratch}/torch",
                          KCOMPILE_BENCHMARK_ONNX=str(options.onnx or f"{scratch}/onnx"))
        results = {"machine": machine(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "command": command(options), "failures": [],
                   "rounds": options.rounds, "kernel_rounds": options.kernel_rounds, "workloads": {}, "kernels": [], "shorter": []}
        say("compiling kcompile's modules")
        for folder in ("kcompile", "ir", "codegen"):
            compileall.compile_dir(str(Path(__file__).parents[1] / folder), quiet=2)
        if any(peer.name == "onnxruntime" for peer in peers):
            export(options, peers, results)
        for name in options.workload:
            chosen = [p for p in peers if options.every_peer or p.name in CONTENDERS[name]]
            rows = run_workload(name, chosen, options, results["failures"])
            if rows:
                results["workloads"][name] = rows
        if options.kernels:
            say("kernels alone")
            lengths = options.kernel_seconds, options.kernel_rounds
            results["kernels"] = kernel_rows(*lengths, say)
            if results["kernels"][0]["vector_bytes"] > SHORTER_BYTES:
                say(f"code for {SHORTER}")
                results["shorter"] = kernel_rows(*lengths, say, SHORTER, ("contraction", "convolution"))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    report.write(options.write, results)
    print(report.workload_table(results))
    for failure in results["failures"]:
        say(f"left out: {failure}")


def export(options, peers: list[Engine], results: dict[str, Any]) -> None:
    names = [name for name in options.workload if name in PREDICT]
    exporter = next((peer for peer in peers if peer.name == "torch"), None)
    say("exporting models for ONNX Runtime")
    problem = export_onnx(Path(os.environ["KCOMPILE_BENCHMARK_ONNX"]), exporter, names) if exporter else "no --peer torch to export with"
    if problem:
        results["failures"].append(f"onnxruntime: {problem}")


def run_workload(name: str, peers: list[Engine], options, failures: list[str]) -> dict[str, Any]:
    """{engine: {"rounds": one {call: milliseconds} a round, "cold", "started", "peak_mb"}}; empty where kcompile itself fails."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    rows: dict[str, dict[str, Any]] = {}
    workers: dict[str, Worker] = {}

    def drop(engine: str, failure: Failed) -> None:
        failures.append(str(failure))
        say(f"left out: {failure}")
        workers.pop(engine, None)
        rows.pop(engine, None)
    own = Engine(OWN, sys.executable, {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""})  # its modules compiled, as those of the peers
    for engine in (own, *peers):
        try:
            worker = Worker(engine, name, options.patience)
            rows[engine.name] = {"cold": worker.started, "rounds": []}
            if engine.name == OWN:  # once with nothing compiled, then as a second process finds it: every call of the workload, too
                worker.measure(0.1)
                worker.finish()
                worker = Worker(engine, name, options.patience)
            rows[engine.name]["started"] = worker.started
            workers[engine.name] = worker
            say(f"{name}: {engine.name} first step {rows[engine.name]['cold']['first_step_s']:.2f} s")
        except Failed as failure:
            drop(engine.name, failure)
    for number in range(options.rounds):
        for engine_name, worker in list(workers.items()):
            try:
                rows[engine_name]["rounds"].append(worker.measure(options.seconds))
            except Failed as failure:
                drop(engine_name, failure)
        best = {engine: report.summary(row)[0] for engine, row in rows.items()}
        say(f"{name}: round {number + 1}: " + ", ".join(f"{engine} {ms:.4g} ms" for engine, ms in best.items()))
    for engine_name, worker in workers.items():
        rows[engine_name]["peak_mb"] = worker.finish()
    return rows if OWN in rows else {}


def machine() -> str:
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor") if Path("/proc/cpuinfo").exists() else platform.processor()
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def command(options) -> str:
    """The command with the paths of this machine left out."""
    words = ["python benchmarks/run.py", *(f"--peer {peer.partition('=')[0]}=PYTHON" for peer in options.peer)]
    if set(options.workload) != {*WORKLOADS, *PREDICT}:
        words.append("--workload " + " ".join(options.workload))
    return " ".join([*words, f"--rounds {options.rounds} --seconds {options.seconds:g}"])


if __name__ == "__main__":
    main()

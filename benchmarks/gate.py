"""A regression gate: two checkouts of kcompile measured in alternation, exit code 1 where the second is slower.

    python benchmarks/gate.py BASE HEAD                    folders with a checkout, or revisions of this repository
    python benchmarks/gate.py main . --workload mlp cnn_b32 --tolerance 0.05

The models and the measuring are those of this folder for both. A step counts as slower where the median of the rounds' ratios and the
ratio of the best times are both beyond the tolerance; the first call of `fit` with nothing compiled, the same in a second process, and
peak memory have a wider one.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engines import Engine, Worker
from report import summary, table
from workloads import PREDICT, WORKLOADS

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base")
    parser.add_argument("head")
    parser.add_argument("--workload", nargs="+", default=["tabular", "mlp", "cnn_b32", "resnet20", "predict_mlp"],
                        choices=[*WORKLOADS, *PREDICT], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--starts", type=int, default=3, help="cold starts of each checkout; the best counts")
    parser.add_argument("--tolerance", type=float, default=0.05, help="of a step's time")
    parser.add_argument("--wide-tolerance", type=float, default=0.2, help="of compile times and peak memory")
    options = parser.parse_args()
    failures: list[str] = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kcompile-gate-")))
        checkouts = [checkout(given, scratch / side, stack) for side, given in (("base", options.base), ("head", options.head))]
        for folder in checkouts:
            for part in ("kcompile", "ir", "codegen"):
                compileall.compile_dir(str(folder / part), quiet=2)
        rows = []
        for name in options.workload:
            rows += compare(name, checkouts, scratch, options, failures)
    print(table(["workload", "what", "base", "head", "head / base", ""], rows))
    for failure in failures:
        print(failure)
    raise SystemExit(1 if failures else 0)


def checkout(given: str, place: Path, stack: ExitStack) -> Path:
    """The folder itself, or a worktree of the revision. Raises SystemExit for neither."""
    if Path(given, "kcompile", "__init__.py").is_file():
        return Path(given).resolve()
    done = subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--detach", str(place), given], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise SystemExit(f"{given} is neither a folder with kcompile in it nor a revision: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(place)], check=True)
    return place


def compare(name: str, checkouts: list[Path], scratch: Path, options: Any, failures: list[str]) -> list[list[str]]:
    """The table's rows of one workload; what is slower is entered in `failures`."""
    starts: list[dict[str, list[float]]] = [{"cold": [], "second": []} for _ in checkouts]
    for attempt in range(options.starts):
        for side, folder in enumerate(checkouts):
            engine = own(folder, scratch / f"cache-{name}-{side}-{attempt}")
            for what in ("cold", "second"):
                worker = Worker(engine, name, 600)
                starts[side][what].append(worker.started["first_step_s"])
                worker.finish()
    workers = [Worker(own(folder, scratch / f"cache-{name}-{side}-0"), name, 600) for side, folder in enumerate(checkouts)]
    results: list[dict[str, Any]] = [{"rounds": []} for _ in checkouts]
    for number in range(options.rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for side in order:
            results[side]["rounds"].append(workers[side].measure(options.seconds))
    peaks = [worker.finish() for worker in workers]
    (base, _, base_rounds), (head, _, head_rounds) = map(summary, results)
    paired = statistics.median(h / b for b, h in zip(base_rounds, head_rounds, strict=True))
    rows = [row(name, "step, ms", base, head, min(paired, head / base), options.tolerance, failures)]
    for what, title in (("cold", "first call, s"), ("second", "in a second process, s")):
        least, most = (min(starts[side][what]) for side in (0, 1))
        rows.append(row(name, title, least, most, most / least, options.wide_tolerance, failures))
    rows.append(row(name, "peak, MB", *peaks, peaks[1] / peaks[0], options.wide_tolerance, failures))
    return rows


def own(folder: Path, cache: Path) -> Engine:
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return Engine("kcompile", sys.executable, {"PYTHONPATH": path, "KCOMPILE_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": ""})


def row(name: str, what: str, base: float, head: float, ratio: float, tolerance: float, failures: list[str]) -> list[str]:
    slower = ratio > 1 + tolerance
    if slower:
        failures.append(f"{name}: {what} went from {base:.4g} to {head:.4g}, {ratio:.2f} times")
    return [name, what, f"{base:.4g}", f"{head:.4g}", f"{ratio:.3f}", "SLOWER" if slower else ""]


if __name__ == "__main__":
    main()

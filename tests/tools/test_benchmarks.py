"""The benchmark commands: a worker answers as it says, the report follows from the figures, the gate sees what is slower."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="an installed kcompile has no benchmarks")


@pytest.fixture
def benchmarks(monkeypatch):
    """Imports a module of the folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import importlib
    return importlib.import_module


@pytest.mark.parametrize(("workload", "call"), [("tabular", "fit"), ("predict_mlp", "predict_on_batch")])
def test_a_worker_measures_when_asked(benchmarks, tmp_path, monkeypatch, workload, call):
    monkeypatch.setenv("KCOMPILE_CACHE", str(tmp_path))
    engines = benchmarks("engines")
    worker = engines.Worker(engines.Engine("kcompile", sys.executable, {"PYTHONPATH": str(FOLDER.parent)}), workload, 120)
    assert worker.started["first_step_s"] > worker.started["again_s"] > 0
    times = worker.measure(0.02)[call]
    assert len(times) >= 2 and all(0 < ms < 1000 for ms in times)
    assert 20 < worker.finish() < 2000


def test_an_epoch_is_the_same_rows_for_engines_fast_and_slow(benchmarks):
    """They count as memory of the engine: of a small model they would be most of it."""
    loops, workloads, data_of = benchmarks("loops"), benchmarks("workloads"), benchmarks("engine_jax").data_of
    assert workloads.EPOCHS.keys() == workloads.WORKLOADS.keys()
    for name in workloads.WORKLOADS:
        data, batch, steps = data_of(name)
        seen: list[int] = []

        def epoch(x, y, batch, seen=seen):
            seen.append(len(x))
            return 0.0
        found = loops.Epochs(epoch, data, batch, steps, {}).measure(1e-5)["own loop"]
        assert len(found) >= 2 and set(seen) == {batch, batch * steps}
        assert sum(array.nbytes for array in data(batch, np.random.default_rng(0))) * steps <= 64 << 20


def test_a_worker_that_fails_says_why(benchmarks):
    engines = benchmarks("engines")
    with pytest.raises(engines.Failed, match="onnxruntime on tabular: "):
        engines.Worker(engines.Engine("onnxruntime", sys.executable, {}), "tabular", 60)


def test_a_peer_needs_a_known_name(benchmarks):
    with pytest.raises(SystemExit, match="expected NAME=PYTHON"):
        benchmarks("engines").peers_of(["numpy=python"])


def rows(times):
    """What run.py keeps of an engine."""
    started = {"import_s": 0.1, "build_s": 0.1, "first_step_s": 1.0, "again_s": 0.001}
    return {"rounds": [{"fit": list(one)} for one in times], "cold": started, "started": started, "peak_mb": 100.0}


def results(own, peer):
    kernel = {"family": "contraction", "name": "8x8x8", "flop": 1024.0, "bytes": 768, "seconds_1": 1e-6, "flops_1": 2e9}
    limits = {"threads": 1, "vector_bytes": 64, "flops": 2e9, "fed": 1.5e9, "memory": 1e9, "cache": 2e9, "cache_bytes": 1 << 20}
    return {"machine": "a machine", "date": "2026-01-01", "command": "a command", "rounds": 2, "kernel_rounds": 4,
            "failures": ["torch: gone"], "workloads": {"mlp": {"kcompile": rows(own), "keras-jax": rows(peer)}},
            "kernels": [limits, kernel],
            "shorter": [{**limits, "vector_bytes": 32, "flops": 1e9}, {**kernel, "name": "9x9x9", "seconds_1": 2e-6, "flops_1": 1e9}]}


def test_the_ratio_is_of_the_best_with_the_range_of_the_rounds(benchmarks):
    found = benchmarks("report").workload_table(results([(1.0, 1.0), (2.0, 2.0)], [(3.0, 3.0), (4.0, 5.0)]))
    assert found.splitlines()[-1] == "| mlp | 1 | keras-jax (fit) | 3 | **3.00x** | 2.25-3.00 |"


def test_a_loss_is_published_as_one(benchmarks, tmp_path):
    benchmarks("report").write(tmp_path / "it", results([(4.0,), (4.0,)], [(1.0,), (1.0,)]))
    text = (tmp_path / "it.md").read_text()
    assert "0.25x (slower)" in text and "torch: gone" in text and "| contraction 8x8x8 | 1 | 1 | 51 % |" in text
    assert "code for AVX2" in text and "| contraction 9x9x9 | 2 | 1 | 51 % |" in text
    for plot in ("it-workloads.svg", "it-kernels.svg"):
        assert (tmp_path / plot).read_text().startswith("<svg") and plot in text


def test_a_report_counts_products_that_reach_what_they_should(benchmarks):
    """90 %, 85 where channels do not fill vectors or these are short; small products and what failed do not reach it."""
    report = benchmarks("report")

    def product(name, of_peak, channels, flop=2e7, family="contraction"):
        return {"family": family, "name": name, "flop": flop, "channels": channels, "seconds_1": flop / 1e9 / of_peak, "flops_1": 1e9}
    limits = {"threads": 1, "flops": 1e9, "fed": 1e9, "memory": 1e9, "cache": 1e9, "cache_bytes": 1 << 20}
    found = [product("a", 0.91, 32), product("b", 0.87, 32), product("c", 0.87, 20, 2e5, "convolution"), product("d", 0.95, 32, 2e5),
             {"family": "contraction", "name": "e", "flop": 2e7, "channels": 32, "error": "wrong"},
             {**product("f", 1.0, 0), "family": "softmax"}]
    text = report.aims_text([{**limits, "vector_bytes": 64}, *found])
    assert text.startswith("Of 4 convolutions") and "85 % where channels" in text and text.endswith("reach: 2 on 1 thread.")
    assert report.aims_text([{**limits, "vector_bytes": 32}, *found]).endswith("85 % of the peak reach: 3 on 1 thread.")


def test_notes_by_hand_outlive_a_report(benchmarks, tmp_path):
    (tmp_path / "it-notes.md").write_text("neighbours")
    benchmarks("report").write(tmp_path / "it", results([(4.0,)], [(1.0,)]))
    assert "[notes](it-notes.md)" in (tmp_path / "it.md").read_text() and (tmp_path / "it-notes.md").read_text() == "neighbours"


def test_the_gate_fails_what_is_slower_beyond_the_tolerance(benchmarks):
    failures: list[str] = []
    row = benchmarks("gate").row
    assert row("mlp", "step, ms", 1.0, 1.04, 1.04, 0.05, failures)[-1] == ""
    assert row("mlp", "step, ms", 1.0, 1.06, 1.06, 0.05, failures)[-1] == "SLOWER"
    assert failures == ["mlp: step, ms went from 1 to 1.06, 1.06 times"]


def test_the_gate_compares_with_a_slower_checkout(benchmarks, tmp_path, monkeypatch):
    """The same worker told to be slow on one side."""
    gate = benchmarks("gate")

    class Slow:
        def __init__(self, engine, workload, patience):
            self.factor = 2.0 if "head" in engine.environment["PYTHONPATH"] else 1.0
            self.started = {"first_step_s": 1.0}

        def measure(self, seconds):
            return {"fit": [self.factor]}

        def finish(self):
            return 100.0
    monkeypatch.setattr(gate, "Worker", Slow)
    failures: list[str] = []
    options = argparse.Namespace(rounds=3, starts=1, seconds=0.1, tolerance=0.05, wide_tolerance=0.2)
    gate.compare("mlp", [Path("base"), Path("head")], tmp_path, options, failures)
    assert failures == ["mlp: step, ms went from 1 to 2, 2.00 times"]


def test_kernels_are_checked_and_timed_for_the_target_that_is_asked_for(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "KCOMPILE_CACHE": str(tmp_path), "KCOMPILE_TARGET": "avx2"}
    done = subprocess.run([sys.executable, str(FOLDER / "kernels.py"), "--only", "7x100x10", "x10x512 forward", "--seconds", "0.01"],
                          check=True, text=True, capture_output=True, env=environment)
    lines = done.stdout.splitlines()
    assert sum("7x100x10" in line and "seconds_1" in line and "flops_1" in line for line in lines) == 3
    assert sum("32x10x512" in line for line in lines) == 1
    assert json.loads(lines[0])["flops"] > 0 and json.loads(lines[0])["vector_bytes"] == 32


def test_kernels_race_whatever_their_schedules_are(tmp_path):
    """The second checkout is this one for a target without vectors: other trips, another order of terms, the same results but for it.
    (Started in a checkout, a race once compared that one with itself.)"""
    here, other = FOLDER.parent, tmp_path / "other"
    for part in ("kcompile", "codegen", "ir"):
        shutil.copytree(here / part, other / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    compiler = other / "kcompile" / "compiler.py"
    assert "def current_target() -> Target:" in compiler.read_text()
    with compiler.open("a") as text:
        text.write("\n\ndef current_target():\n    from .codegen.target import Target\n    return Target.named('scalar')\n")
    command = [sys.executable, str(FOLDER / "race.py"), "--rounds", "2", "--seconds", "0.001", "--threads", "2"]
    environment = {**os.environ, "PYTHONPATH": str(here), "KCOMPILE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([*command, "--case", "7x100x10 forward", "--", str(here), str(other)], check=True, text=True, capture_output=True,
                          env=environment, cwd=here)
    title, first, second = done.stdout.splitlines()
    assert title.startswith("contraction 7x100x10 forward") and "of the first 1.000" in first and first.endswith("same bits")
    sizes = [int(re.search(r"(\d+) bytes", line)[1]) for line in (first, second)]
    assert sizes[0] != sizes[1] and (second.endswith("same bits") or float(second.rpartition(" ")[2]) < 1e-5)
    none = subprocess.run([*command, str(here)], check=False, text=True, capture_output=True, env=environment)
    assert none.returncode == 1 and "nothing to race" in none.stderr


def test_rounds_of_a_race_are_told_apart_by_what_a_neighbour_did(benchmarks):
    """What one turn of two was disturbed in says nothing of a kernel, and a pace between the two limits nothing of a neighbour."""
    told_apart = benchmarks("race").told_apart
    quiet, disturbed, between, one = (0.99, 0.96), (0.60, 0.84), (0.90, 0.90), (0.99, 0.60)
    told = told_apart([0.9, 0.8, 0.98, 5.0, 0.7], [quiet, quiet, disturbed, one, between])
    assert told == "0.900 (quiet 0.850 of 2, disturbed 0.980 of 1)"
    assert told_apart([1.5, 1.0, 1.2], [one, one[::-1], between]) == "1.200 (never quiet, never disturbed)"


def test_small_costs_are_measured_against_native_steps(tmp_path):
    done = subprocess.run([sys.executable, str(FOLDER / "small_costs.py"), "--workload", "tabular", "predict_mlp", "--rounds", "1",
                           "--seconds", "0.01"], check=True, text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(FOLDER.parent), "KCOMPILE_CACHE": str(tmp_path)})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["tabular"] * 2 + ["predict_mlp"] * 3
    assert all(float(cell) > 0 for row in rows for cell in row[2:4])


def test_what_is_beside_the_kernels_is_the_median_of_the_differences(benchmarks):
    """Of pairs of one round, not the difference of the medians: what slows a round slows both of its figures."""
    assert benchmarks("small_costs").row("mlp", "a step", [5.0, 9.0, 30.0], [4.0, 6.0, 10.0]) == ["mlp", "a step", "9.0", "6.0", "3.0"]


def test_a_second_process_starts_with_nothing_compiled(tmp_path):
    done = subprocess.run([sys.executable, str(FOLDER / "starting.py"), "--workload", "tabular", "--processes", "1"], check=True, text=True,
                          capture_output=True, env={**os.environ, "PYTHONPATH": str(FOLDER.parent), "KCOMPILE_CACHE": str(tmp_path)})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]
    assert [row[1] for row in rows] == ["nothing compiled", "second process"]
    assert int(rows[0][3]) > 1 and int(rows[1][3]) == 0
    assert float(rows[0][2]) > 0 < float(rows[1][2]) and not list(tmp_path.iterdir())


def test_steps_do_not_collapse_on_a_loaded_machine(tmp_path):
    """Within twice the fair share; three tries, since other work may come and go between the two measurements."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent), "KCOMPILE_CACHE": str(tmp_path)}
    for _ in range(3):
        done = subprocess.run([sys.executable, str(FOLDER / "load.py"), "--workload", "mlp", "--seconds", "1"], check=False, text=True,
                              capture_output=True, env=environment)
        assert done.returncode == 0 or "| mlp |" in done.stdout, done.stderr
        if done.returncode == 0:
            return
    raise AssertionError(done.stdout)


def test_memory_does_not_grow(tmp_path):
    """The short form of what leaks.py does at length."""
    counts = ["--fits", "300", "--predictions", "20000", "--models", "20"]
    done = subprocess.run([sys.executable, str(FOLDER / "leaks.py"), *counts], check=False, text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": str(FOLDER.parent), "KCOMPILE_CACHE": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" MB at the end") == 3

"""The processes that measure: one a workload and engine, kept alive so that rounds can alternate between them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHORTHAND = {  # what --peer NAME=PYTHON stands for
    "tensorflow": ("keras-tensorflow", "keras-tensorflow-xla"),
    "jax": ("keras-jax", "jax"),
    "torch": ("keras-torch", "torch", "torch-compile"),
    "onnxruntime": ("onnxruntime",),
}


class Failed(Exception):
    """A worker that ended, or said nothing for too long."""


@dataclass(frozen=True)
class Engine:
    """`python` runs it; `environment` is added to ours."""

    name: str
    python: str
    environment: dict[str, str]


def peers_of(given: list[str]) -> list[Engine]:
    """Raises SystemExit for a --peer that is not NAME=PYTHON or has a name nobody knows."""
    found = []
    for one in given:
        name, _, python = one.partition("=")
        if name not in SHORTHAND or not python:
            raise SystemExit(f"--peer {one!r}: expected NAME=PYTHON, NAME one of {', '.join(SHORTHAND)}")
        found += [Engine(engine, python, {}) for engine in SHORTHAND[name]]
    return found


class Worker:
    """One process of worker.py; `started` holds what it told when it was warm. Raises Failed."""

    def __init__(self, engine: Engine, workload: str, patience: float) -> None:
        self.title, self.patience = f"{engine.name} on {workload}", patience
        self.process = subprocess.Popen(
            [engine.python, str(HERE / "worker.py"), engine.name, workload], env={**os.environ, **engine.environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stderr.fileno(), False)
        self.unread, self.complaints = b"", b""
        self.started: dict[str, float] = self._answer()

    def measure(self, seconds: float) -> dict[str, list[float]]:
        """{call: milliseconds a step, several times}."""
        self.process.stdin.write(f"measure {seconds}\n".encode())
        self.process.stdin.flush()
        return self._answer()["calls"]

    def finish(self) -> float:
        """End the process; the megabytes it had at most."""
        self.process.stdin.close()
        peak = self._answer()["peak_mb"]
        self.stop()
        return peak

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def _answer(self) -> dict[str, Any]:
        until = time.monotonic() + self.patience
        out, err = self.process.stdout.fileno(), self.process.stderr.fileno()
        open_ends = [out, err]
        while b"\n" not in self.unread:
            ready, _, _ = select.select(open_ends, [], [], max(0.0, until - time.monotonic()))
            if err in ready:
                said = os.read(err, 65536)
                self.complaints = (self.complaints + said)[-4000:]
                if not said:
                    open_ends.remove(err)
            said = os.read(out, 65536) if out in ready else b""
            self.unread += said
            if not ready or (out in ready and not said):
                self.stop()
                last = self.complaints.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise Failed(f"{self.title}: " + (f"no answer in {self.patience:.0f} s" if not ready else last[0]))
        line, _, self.unread = self.unread.partition(b"\n")
        return json.loads(line)


def export_onnx(folder: Path, exporter: Engine, names: list[str]) -> str:
    """Write the models that are not there yet; what went wrong, or ''."""
    missing = [name for name in names if not (folder / f"{name}.onnx").is_file()]
    if not missing:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([exporter.python, str(HERE / "engine_onnxruntime.py"), str(folder), *missing], capture_output=True, text=True,
                          env={**os.environ, "KERAS_BACKEND": "torch"}, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines()[-1:] or ["it failed"])[0]


def kernel_rows(seconds: float, rounds: int, say, target: str = "host", only: tuple[str, ...] = ("",)) -> list[dict[str, Any]]:
    """The lines of kernels.py, as they come, of code for a target. Raises Failed."""
    command = [sys.executable, str(HERE / "kernels.py"), "--seconds", str(seconds), "--rounds", str(rounds), "--only", *only]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "KCOMPILE_TARGET": target})
    rows = []
    with process:
        for line in process.stdout:
            rows.append(json.loads(line))
            if "name" in rows[-1]:
                say(f"  {rows[-1]['family']} {rows[-1]['name']}")
    if process.returncode:
        raise Failed("kernels.py failed; its message is above")
    return rows

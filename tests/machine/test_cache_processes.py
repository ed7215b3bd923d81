"""The cache under several processes at once: writers that replace one another's entries, readers, sweeps, and kills at any moment."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from kcompile.codegen import cache

ROOT = Path(__file__).parents[2]
KEYS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(12)]
KILLS = int(os.environ.get("KCOMPILE_KILLS", "6"))
LIMIT = 400_000  # about half of what the entries would take

PROGRAM = f"""
import random, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from kcompile.codegen import cache
from tests.machine.test_cache_processes import KEYS, LIMIT, content
folder, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
cache._SWEEP_EVERY = 8
for _ in range(int(sys.argv[3])):
    key = chance.choice(KEYS)
    if chance.random() < 0.5:
        cache.write_entry(folder, key, content(key), LIMIT)
    else:
        found = cache.read_entry(folder / key)
        assert found is None or found == content(key), key
print("done")
"""


def content(key: str) -> bytes:
    """What every writer puts under a key: 1 to 150 KB."""
    return (key * 16).encode() * (1 + int(key[:4], 16) % 150)


def started(folder: Path, seed: int, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), str(seed), str(rounds)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if len(path.name) == 64]


def test_writers_and_readers_at_once(tmp_path: Path) -> None:
    """Whatever is read is whole; what remains is whole too, private, and within the limit after a sweep."""
    running = [started(tmp_path, seed, 400) for seed in range(4)]
    for one in running:
        out, errors = one.communicate(timeout=120)
        assert out == "done\n" and errors == ""
    assert entries(tmp_path) and {path.name for path in entries(tmp_path)} <= set(KEYS)
    for path in entries(tmp_path):
        assert cache.read_entry(path) == content(path.name) and path.stat().st_mode & 0o077 == 0
    cache.sweep(tmp_path, LIMIT)
    assert 0 < sum(path.stat().st_size for path in entries(tmp_path)) <= LIMIT


def test_writers_that_are_killed(tmp_path: Path) -> None:
    """At any moment: entries stay whole, and the next sweep removes what was left aside."""
    chance = random.Random(5)
    for seed in range(6):
        one = started(tmp_path, seed, 1_000_000)
        before = time.monotonic()
        while not entries(tmp_path) and one.poll() is None and time.monotonic() - before < 60:
            time.sleep(0.01)
        time.sleep(0.05 + 0.3 * chance.random())
        one.send_signal(signal.SIGKILL)
        one.communicate()
        assert one.returncode == -signal.SIGKILL, "it was still at work"
        for path in entries(tmp_path):
            assert cache.read_entry(path) == content(path.name)
    cache.sweep(tmp_path, LIMIT)
    assert {path.name for path in tmp_path.iterdir()} <= set(KEYS)
    assert sum(path.stat().st_size for path in entries(tmp_path)) <= LIMIT


TRAINING = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import numpy as np
import kcompile as keras
from kcompile.codegen.cache import COUNTERS
x = np.linspace(-1, 1, 96, dtype="float32").reshape(16, 6)
for units in range(int(sys.argv[1]), int(sys.argv[2])):
    keras.backend.clear_session()
    keras.utils.set_random_seed(units)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, "tanh", name="a"), keras.layers.Dense(3, name="b")], "c")
    model.compile("adam", "mse")
    print(units, model.fit(x, x[:, :3], epochs=2, shuffle=False, verbose=0).history["loss"][-1].hex(), flush=True)
print("lowered", COUNTERS.lowered, "compiled", COUNTERS.compiled)
"""
READING = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from kcompile.codegen import cache
found = [cache.read_entry(path) for path in Path(sys.argv[1]).iterdir() if len(path.name) == 64]
print(len(found), sum(one is None for one in found))
"""


def training(cache_folder: str, first: int, end: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", TRAINING, str(first), str(end)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env={**os.environ, "KCOMPILE_CACHE": cache_folder})


def said(process: subprocess.Popen[str]) -> dict[str, str]:
    """The loss of each model that a process has trained."""
    out, errors = process.communicate(timeout=120)
    assert errors == ""
    return dict(line.split() for line in out.splitlines() if "0x" in line)


def half_written(folder: Path, writer: int) -> bool:
    """Whether a process is writing an entry."""
    return any(path.name.startswith(f"{cache._ASIDE}{writer}-") for path in folder.iterdir())


def test_processes_that_are_killed_while_they_compile(tmp_path: Path) -> None:
    """At random moments, or as soon as an entry is half written. What they leave is whole for who reads it: those that come next, and
    processes that nobody kills, which train all models alike and compile none that one of them has finished."""
    folder, chance = tmp_path / "cache", random.Random(7)
    losses = said(training(str(folder), 2, 4))
    for _ in range(KILLS // 3):
        first = len(losses) + 1  # a model that is there
        writers = [training(str(folder), first, first + 100) for _ in range(3)]
        there, deadline = len(entries(folder)), time.monotonic() + 60
        while len(entries(folder)) == there and time.monotonic() < deadline:
            time.sleep(0.01)
        for number, writer in enumerate(writers):
            time.sleep(0.2 * chance.random())
            deadline = time.monotonic() + 1
            while number and not half_written(folder, writer.pid) and time.monotonic() < deadline:
                pass
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            for units, loss in said(writer).items():
                assert losses.setdefault(units, loss) == loss
            assert writer.returncode == -signal.SIGKILL, "it was still at work"
    read = subprocess.run([sys.executable, "-c", READING, str(folder)], text=True, capture_output=True, check=True).stdout.split()
    assert int(read[0]) > 2 * len(losses) and read[1] == "0"
    out = training(str(folder), 2, 2 + len(losses)).communicate(timeout=120)[0].splitlines()
    assert dict(line.split() for line in out[:-1]) == losses and out[-1] == "lowered 0 compiled 0"
    assert said(training("off", 2, 4)) == {units: losses[units] for units in "23"}
    cache.sweep(folder, 1 << 40)
    assert not any(path.name.startswith(cache._ASIDE) for path in folder.iterdir())

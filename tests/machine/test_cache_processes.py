"""The cache under several processes at once: writers that replace one another's entries, readers, sweeps, and kills at any moment."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from kcompile.codegen import cache

ROOT = Path(__file__).parents[2]
KEYS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(12)]
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

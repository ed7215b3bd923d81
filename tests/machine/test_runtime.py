"""Worker threads: barriers, sleep, fork, the float mode, more threads than cores."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runtime import pool as pool_module
from kcompile.codegen.runtime.pool import NativeCall, Pool
from kcompile.codegen.runtime.system import support
from kcompile.codegen.runtime.waiting import BARRIER, SHARED_LOADED, SHARED_MOST_SPIN, SHARED_SPIN, SLEEPERS
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import join

# Each thread writes its number into table[round][thread], meets the others, and adds up what all wrote in that round.
ROUNDS = """
define i64 @rounds(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
entry:
  %shared = load ptr, ptr %table
  %count.place = getelementptr i64, ptr %table, i64 1
  %count = load i64, ptr %count.place
  %sums.offset = add i64 %thread, 8
  %sum.place = getelementptr i64, ptr %table, i64 %sums.offset
  br label %round
round:
  %n = phi i64 [ 0, %entry ], [ %n.next, %next ]
  %t = phi i64 [ %t0, %entry ], [ %t2, %next ]
  %parity = and i64 %n, 1
  %row = mul i64 %parity, 512
  %base = add i64 %row, 1024
  %mine = add i64 %base, %thread
  %mine.place = getelementptr i64, ptr %table, i64 %mine
  %value = add i64 %n, %thread
  store i64 %value, ptr %mine.place
  %t2 = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %t)
  br label %add
add:
  %k = phi i64 [ 0, %round ], [ %k.next, %add ]
  %total = phi i64 [ 0, %round ], [ %total.next, %add ]
  %other = add i64 %base, %k
  %other.place = getelementptr i64, ptr %table, i64 %other
  %seen = load i64, ptr %other.place
  %total.next = add i64 %total, %seen
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, %threads
  br i1 %k.more, label %add, label %next
next:
  %old = load i64, ptr %sum.place
  %new = add i64 %old, %total.next
  store i64 %new, ptr %sum.place
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %count
  br i1 %more, label %round, label %done
done:
  ret i64 0
}
"""
# table[0] = the float mode inside; table[1] = a subnormal product
MODE = """
declare void @llvm.x86.sse.stmxcsr(ptr)
define i64 @mode(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
  %words = mul i64 %thread, 4
  %mine = getelementptr i64, ptr %table, i64 %words
  call void @llvm.x86.sse.stmxcsr(ptr %mine)
  ret i64 0
}
"""


@pytest.fixture(scope="module")
def pool() -> Pool:
    return pool_module.pool(CodegenOptions(cache_dir=None))


@pytest.fixture(scope="module")
def rounds() -> Loaded:
    target = Target.host()
    return Loaded([object_code(join([support(target.triple), BARRIER, ROUNDS]), target)], ["rounds"])


def run_rounds(pool: Pool, rounds: Loaded, threads: int, count: int) -> np.ndarray:
    table = np.zeros(4096, np.int64)
    call = NativeCall(pool, rounds.addresses["rounds"], table.ctypes.data, threads)
    table[0], table[1] = call.shared_address, count
    call.run()
    return table[8:8 + threads]


def expected(threads: int, count: int) -> int:
    return threads * count * (count - 1) // 2 + count * threads * (threads - 1) // 2


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 16])
def test_barriers_hold(pool: Pool, rounds: Loaded, threads: int) -> None:
    """A thread that passed a barrier early would miss what another writes before it."""
    count = 3000 if threads <= pool.cores else 100
    for _ in range(3):
        assert run_rounds(pool, rounds, threads, count).tolist() == [expected(threads, count)] * threads


def test_workers_are_kept_and_reused(pool: Pool, rounds: Loaded) -> None:
    run_rounds(pool, rounds, 4, 10)
    before = pool.started
    for threads in (2, 4, 3):
        run_rounds(pool, rounds, threads, 10)
    assert pool.started == before >= 3


def test_idle_workers_sleep(pool: Pool, rounds: Loaded) -> None:
    run_rounds(pool, rounds, 4, 10)
    time.sleep(0.2)
    before = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(0.5)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.05
    assert run_rounds(pool, rounds, 4, 10).tolist() == [expected(4, 10)] * 4, "and wake up"


def test_wake_ups_are_not_lost(pool: Pool, rounds: Loaded) -> None:
    """Pauses around the moment at which a worker falls asleep."""
    for n in range(300):
        assert run_rounds(pool, rounds, 2, 3).tolist() == [expected(2, 3)] * 2
        time.sleep(0.00002 * (n % 60))


def test_threads_that_wait_long_sleep_and_are_woken(pool: Pool, rounds: Loaded) -> None:
    """As on a loaded machine: told that yields are slow, every wait that outlasts its pauses sleeps."""
    table = np.zeros(4096, np.int64)
    call = NativeCall(pool, rounds.addresses["rounds"], table.ctypes.data, 4)
    for _ in range(5):
        table[:] = 0
        table[0], table[1] = call.shared_address, 300
        call.shared[SHARED_SPIN] = call.shared[SHARED_MOST_SPIN] = 0
        call.shared[SHARED_LOADED] = 1 << 40
        call.run()
        assert table[8:12].tolist() == [expected(4, 300)] * 4
        assert 0 < (1 << 40) - call.shared[SHARED_LOADED] <= 4 * 300 * 4, "waits that slept"
        assert call.shared[SLEEPERS] == 0


def test_pauses_adapt_to_whether_they_are_enough(pool: Pool, rounds: Loaded) -> None:
    call = NativeCall(pool, rounds.addresses["rounds"], 0, 2)
    assert call.shared[SHARED_SPIN] == call.shared[SHARED_MOST_SPIN] > 0
    table = np.zeros(4096, np.int64)
    crowd = NativeCall(pool, rounds.addresses["rounds"], table.ctypes.data, pool.cores + 1)
    table[0], table[1] = crowd.shared_address, 10
    crowd.run()
    assert crowd.shared[SHARED_SPIN] == 0, "threads that share a processor pause in vain"


def test_a_small_call_does_not_wait_for_sleepers(pool: Pool, rounds: Loaded) -> None:
    """Alone while they sleep, which also wakes them where calls are close; together as soon as they are awake."""
    table = np.zeros(4096, np.int64)
    call = NativeCall(pool, rounds.addresses["rounds"], table.ctypes.data, 2, small=True)

    def crew() -> int:
        table[:] = 0
        table[0], table[1] = call.shared_address, 3
        call.run()
        done = 2 if table[9] else 1
        assert table[8:8 + done].tolist() == [expected(done, 3)] * done
        return done

    run_rounds(pool, rounds, 2, 3)
    time.sleep(0.3)
    assert crew() == 1
    deadline = time.monotonic() + 20
    while crew() == 1:
        assert time.monotonic() < deadline, "calls one after another never get their workers"
    for _ in range(3):
        time.sleep(0.3)
        assert crew() == 1


def test_the_interpreter_goes_on_during_a_call(pool: Pool, rounds: Loaded) -> None:
    ticks = 0
    done = threading.Event()

    def long_call() -> None:
        run_rounds(pool, rounds, 1, 800_000_000)
        done.set()

    thread = threading.Thread(target=long_call)
    thread.start()
    while not done.is_set():
        ticks += 1
        time.sleep(0.005)
    thread.join()
    assert ticks > 3


def test_calls_of_several_python_threads_take_turns(pool: Pool, rounds: Loaded) -> None:
    results: list[list[int]] = []

    def work() -> None:
        for _ in range(30):
            results.append(run_rounds(pool, rounds, 2, 50).tolist())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[expected(2, 50)] * 2] * 120


@pytest.mark.skipif(not Target.host().is_x86, reason="reads the float mode of x86")
def test_float_mode_is_set_on_every_thread_and_restored(pool: Pool) -> None:
    loaded = Loaded([object_code(MODE, Target.host())], ["mode"])
    table = np.zeros(64, np.int64)
    call = NativeCall(pool, loaded.addresses["mode"], table.ctypes.data, 4)
    call.run()
    modes = table[:16:4] & 0xFFFF
    assert (modes & 0x8040 == 0x8040).all(), [hex(m) for m in modes]
    assert (modes & 0x1F80 == 0x1F80).all(), "no traps"
    tiny = np.array([1e-40], np.float32)
    assert float((tiny * np.float32(0.5))[0]) > 0, "the caller still has subnormals"


def test_threads_out_of_range(pool: Pool, rounds: Loaded) -> None:
    for threads in (0, -1, 257):
        with pytest.raises(ValueError, match="threads must lie between 1 and 256"):
            NativeCall(pool, rounds.addresses["rounds"], 0, threads)


def test_a_fork_gets_its_own_workers(pool: Pool, rounds: Loaded) -> None:
    run_rounds(pool, rounds, 4, 10)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            good = pool.started == 0 and run_rounds(pool, rounds, 3, 200).tolist() == [expected(3, 200)] * 3 and pool.started == 2
            os.write(writer, b"1" if good else b"0")
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"1"
    os.close(reader)
    os.waitpid(child, 0)
    assert run_rounds(pool, rounds, 4, 10).tolist() == [expected(4, 10)] * 4, "the parent's workers live on"


def test_a_fork_while_another_thread_computes(pool: Pool, rounds: Loaded) -> None:
    """The child must not wait for a lock that nobody in it holds."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            run_rounds(pool, rounds, 2, 2000)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(0 if run_rounds(pool, rounds, 2, 20).tolist() == [expected(2, 20)] * 2 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


def test_a_process_ends_cleanly_with_workers_awake() -> None:
    root = str(Path(__file__).parents[2])
    program = f"""
import sys; sys.path.insert(0, {root!r})
from tests.machine.test_runtime import *
p = pool_module.pool(CodegenOptions(cache_dir=None))
target = Target.host()
loaded = Loaded([object_code(join([support(target.triple), BARRIER, ROUNDS]), target)], ["rounds"])
for _ in range(20): run_rounds(p, loaded, 4, 10)
"""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stderr == ""


def test_support_names_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="no native runtime for plan9 on x86_64"):
        support("x86_64-unknown-linux-gnu", "plan9")
    with pytest.raises(RuntimeError, match="on riscv64"):
        support("riscv64-unknown-linux-gnu")
    object_code(support("x86_64-unknown-linux-gnu", "linux"), Target.named("avx2"))
    assert ctypes.sizeof(ctypes.c_void_p) == 8

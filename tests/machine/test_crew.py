"""The choice between all threads and one for the short steps of a loop: by what their steps took, and only where threads waited."""

from __future__ import annotations

import numpy as np

from kcompile.codegen.crew import MOST_KEPT, Crew
from kcompile.codegen.runtime.waiting import SHARED_LOADED, SHARED_MOST_SPIN, SHARED_SPIN, SHARED_WORDS


class Call:
    """What a crew looks at and sets of a native call."""

    def __init__(self, threads: int, loaded: bool) -> None:
        self.threads, self.loaded = threads, loaded
        self.set_threads(threads)

    def set_threads(self, threads: int) -> None:
        self.threads = threads
        self.shared = np.zeros(SHARED_WORDS, np.int64)
        self.shared[SHARED_SPIN] = self.shared[SHARED_MOST_SPIN] = 400

    def run(self, together: float, alone: float) -> float:
        """Seconds a step; it leaves traces of waiting where the machine is loaded."""
        self.shared[SHARED_LOADED] = self.loaded and self.threads > 1
        return together if self.threads > 1 else alone


def threads_of(crew: Crew, call: Call, runs: int, together: float, alone: float) -> list[int]:
    found = []
    for _ in range(runs):
        crew.begin()
        found.append(call.threads)
        crew.end(100 * call.run(together, alone), 100)
    return found


def crew_of(call: Call) -> Crew:
    return Crew(call)  # type: ignore[arg-type]


def test_all_threads_where_none_waits() -> None:
    call = Call(2, loaded=False)
    assert threads_of(crew_of(call), call, 100, 0.001, 0.0001) == [2] * 100


def test_one_thread_while_that_is_faster() -> None:
    call = Call(2, loaded=True)
    crew = crew_of(call)
    found = threads_of(crew, call, 200, 0.001, 0.0005)
    assert found[0] == 2 and found.count(1) > 170, "nearly always alone"
    assert 2 in found[-2 * MOST_KEPT:], "but all are tried again and again"
    call.loaded = False
    assert threads_of(crew, call, 2 * MOST_KEPT, 0.0003, 0.0005)[-1] == 2


def test_one_slow_run_does_not_last() -> None:
    call = Call(2, loaded=True)
    crew = crew_of(call)
    assert threads_of(crew, call, 3, 0.001, 0.0005) == [2, 2, 1]
    call.loaded = False
    assert threads_of(crew, call, 50, 0.0003, 0.0005).count(1) <= 2


def test_single_slow_runs_choose_nothing() -> None:
    """Every other run of all threads is held up, and its threads have waited: one thread is tried once, and is slower than the others."""
    call = Call(2, loaded=True)
    crew = crew_of(call)
    found = [threads_of(crew, call, 1, step, 0.0005)[0] for step in [0.001, 0.0003] * 50]
    assert found.count(1) == 1


def test_vain_tries_become_rare() -> None:
    """Where one thread's best time is never beaten by all, but is not reached again either."""
    call = Call(2, loaded=True)
    crew = crew_of(call)
    threads_of(crew, call, 3, 0.001, 0.0005)
    found = threads_of(crew, call, 1000, 0.001, 0.0015)
    assert 2 <= found.count(1) <= 1000 // MOST_KEPT + 8


def test_threads_that_wait_are_kept_where_they_are_faster() -> None:
    call = Call(2, loaded=True)
    assert threads_of(crew_of(call), call, 500, 0.001, 0.0015).count(1) == 1


def test_a_short_step_that_others_make_long() -> None:
    """Half a millisecond alone, six beside four busy processes."""
    call = Call(2, loaded=True)
    assert threads_of(crew_of(call), call, 100, 0.0065, 0.004).count(1) > 80


def test_long_steps_and_short_runs_change_nothing() -> None:
    call = Call(4, loaded=True)
    assert threads_of(crew_of(call), call, 50, 0.5, 0.1) == [4] * 50
    assert threads_of(crew_of(call), call, 50, 1e-6, 1e-7) == [4] * 50

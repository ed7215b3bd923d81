"""Shares that follow from how fast threads were: whole, alike for all threads, equal while nobody is much faster."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runtime import pool as pool_module
from kcompile.codegen.runtime.claims import BEGIN, CLAIM
from kcompile.codegen.runtime.layout import (
    CLAIM_NUMBER,
    CLAIM_WORDS,
    HELP,
    HELP_BEGUN,
    HELP_LENT,
    HELP_NUMBER,
    HELP_RETURNED,
    PACE,
    PACE_TOLD,
)
from kcompile.codegen.runtime.paces import MOST_PACED, PACES
from kcompile.codegen.runtime.pool import NativeCall
from kcompile.codegen.runtime.system import support
from kcompile.codegen.runtime.waiting import BARRIER
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import join

# Each thread's share of so many trips, for paces that the table holds; a pace after a measurement, or told before a barrier; and what a
# call begins with.
CUTS = """
define i64 @cuts(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
  %count = load i64, ptr %table
  %asked.place = getelementptr i64, ptr %table, i64 1
  %asked = load i64, ptr %asked.place
  %target.place = getelementptr i64, ptr %table, i64 2
  %target = load i64, ptr %target.place
  %words = getelementptr i64, ptr %table, i64 1024
  br label %one
one:
  %n = phi i64 [ 0, %0 ], [ %n.next, %one ]
  %pair = call i64 @kc.cut(ptr %words, i64 %n, i64 %asked, i64 %target, i64 %count, i64 0)
  %at = add i64 %n, 16
  %place = getelementptr i64, ptr %table, i64 %at
  store i64 %pair, ptr %place
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %asked
  br i1 %more, label %one, label %done
done:
  ret i64 0
}
define i64 @lays(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
  %count = load i64, ptr %table
  %asked.place = getelementptr i64, ptr %table, i64 1
  %asked = load i64, ptr %asked.place
  %words = getelementptr i64, ptr %table, i64 1024
  br label %one
one:
  %n = phi i64 [ 0, %0 ], [ %n.next, %one ]
  %got = call i64 @kc.claim(ptr %words, i64 %n, i64 %asked, i64 0, i64 %count, i64 1, i64 1)
  %at = add i64 %n, 16
  %place = getelementptr i64, ptr %table, i64 %at
  store i64 %got, ptr %place
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %asked
  br i1 %more, label %one, label %done
done:
  ret i64 0
}
define i64 @tells(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
  %asked.place = getelementptr i64, ptr %table, i64 1
  %asked = load i64, ptr %asked.place
  %target.place = getelementptr i64, ptr %table, i64 2
  %target = load i64, ptr %target.place
  %words = getelementptr i64, ptr %table, i64 1024
  call void @kc.publish(ptr %words, i64 0, i64 %asked, i64 %target)
  ret i64 0
}
define i64 @begins(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
  %asked.place = getelementptr i64, ptr %table, i64 1
  %asked = load i64, ptr %asked.place
  %words = getelementptr i64, ptr %table, i64 1024
  call void @kc.begin(ptr %words, i64 %asked)
  ret i64 0
}
define i64 @measures(ptr %table, i64 %thread, i64 %threads, i64 %t0) {
  %trips = load i64, ptr %table
  %since.place = getelementptr i64, ptr %table, i64 1
  %since = load i64, ptr %since.place
  %words = getelementptr i64, ptr %table, i64 1024
  %now = call i64 @kc.now()
  %began = sub i64 %now, %since
  call void @kc.pace(ptr %words, i64 0, i64 %trips, i64 1000, i64 %began)
  ret i64 0
}
"""


@pytest.fixture(scope="module")
def code() -> Loaded:
    target = Target.host()
    text = join([support(target.triple), BARRIER, BEGIN, CLAIM, PACES, CUTS])
    return Loaded([object_code(text, target)], ["cuts", "lays", "tells", "begins", "measures"])


def call(code: Loaded, name: str, table: np.ndarray) -> None:
    NativeCall(pool_module.pool(CodegenOptions(cache_dir=None)), code.addresses[name], table.ctypes.data, 1).run()


def shares(code: Loaded, paces: list[int], count: int, barriers: int = 0) -> list[int]:
    """How many trips each thread gets behind so many barriers; they are told the paces there."""
    table = np.zeros(1024 + CLAIM_WORDS * 64, np.int64)
    table[:3] = count, len(paces), barriers * len(paces)
    words = table[1024:].reshape(-1, CLAIM_WORDS)
    words[:len(paces), PACE_TOLD + barriers % 2] = paces
    words[:len(paces), PACE_TOLD + (barriers + 1) % 2] = 1  # for the next barrier
    call(code, "cuts", table)
    pairs = [int(pair) for pair in table[16:16 + len(paces)]]
    cuts = [(pair & 0xFFFFFFFF, pair >> 32) for pair in pairs]
    assert cuts[0][0] == 0 and cuts[-1][1] == count
    assert all(end == first for (_, end), (first, _) in pairwise(cuts)), "no gap, nothing twice"
    return [end - first for first, end in cuts]


@pytest.mark.parametrize("barriers", [0, 1, 6, 7])
def test_who_was_slower_gets_less(code: Loaded, barriers: int) -> None:
    assert shares(code, [2000, 3000], 100, barriers) == [40, 60]
    assert shares(code, [3000, 2000], 24, barriers) == [14, 10]
    assert shares(code, [1000, 3000, 2000], 12, barriers) == [2, 6, 4]


def test_equal_shares_while_nobody_is_much_faster(code: Loaded) -> None:
    assert shares(code, [2000, 2200], 100) == [50, 50]
    assert shares(code, [2200, 2000], 5) == [3, 2]
    assert shares(code, [0, 3000], 100) == [50, 50], "nothing is known of one"
    assert shares(code, [1000, *[3000] * MOST_PACED], 170) == [10] * (MOST_PACED + 1), "too many"


def test_equal_shares_where_others_would_be_done_later(code: Loaded) -> None:
    """Sums of paces that are rounded to whole trips would give one thread two, another none."""
    assert shares(code, [800] * 8 + [1000] * 8, 16) == [1] * 16
    many = shares(code, [800] * 8 + [1000] * 8, 1600)
    assert {*many[:8]} == {88, 89} and {*many[8:]} == {111, 112}
    assert shares(code, [1000, 2500], 2) == [1, 1]
    assert shares(code, [1000, 4000], 2) == [0, 2]


@pytest.mark.parametrize(("paces", "count", "begin"), [
    ([2000, 3000], 50, 20), ([2000, 3000], 100, 50), ([1000, 3000, 2000], 12, 2), ([1000, 4000], 2, 1),
])
def test_what_threads_claim_begins_as_large_as_their_pace(code: Loaded, paces: list[int], count: int, begin: int) -> None:
    """So a thread updates the panels that it has multiplied. Everyone has some. Of many trips shares are equal: pieces are small."""
    table = np.zeros(1024 + CLAIM_WORDS * 4, np.int64)
    words = table[1024:].reshape(-1, CLAIM_WORDS)
    words[:len(paces), PACE_TOLD], words[:, CLAIM_NUMBER], table[:2] = paces, 1, (count, len(paces))
    call(code, "lays", table)
    assert [int(table[16 + n]) & 0xFFFFFFFF for n in (0, 1)] == [0, begin]


def test_a_thread_without_trips_gets_some_again(code: Loaded) -> None:
    """It measures nothing meanwhile; its pace goes towards that of others."""
    table = np.zeros(1024 + CLAIM_WORDS * 2, np.int64)
    words, steps, given = table[1024:].reshape(-1, CLAIM_WORDS), 0, 0
    words[:, PACE] = 100, 4000
    while not given:
        words[:, PACE_TOLD] = words[:, PACE]
        table[:3] = 2, 2, 0
        call(code, "cuts", table)
        given, steps = int(table[16]) >> 32, steps + 1
        assert steps < 10 and words[1, PACE] == 4000
    assert given == 1 and steps > 1


@pytest.mark.parametrize("threads", [2, 3, 7, 16])
def test_every_trip_is_in_one_share(code: Loaded, threads: int) -> None:
    rng = np.random.default_rng(threads)
    for count in (1, 2, 5, 24, 97, 10_000, 1 << 30):
        for _ in range(20):
            found = shares(code, [int(n) for n in rng.integers(1, 1 << 30, threads)], count)
            assert min(found) >= 0 and sum(found) == count


def test_a_pace_is_told_in_two_words_in_turns(code: Loaded) -> None:
    for barriers in (0, 1, 2):
        table = np.zeros(1024 + CLAIM_WORDS, np.int64)
        table[1:3], table[1024 + PACE] = (3, 3 * barriers), 77
        call(code, "tells", table)
        told = [int(n) for n in table[1024 + PACE_TOLD:1024 + PACE_TOLD + 2]]
        assert told == ([0, 77] if barriers % 2 == 0 else [77, 0]), "where those look who have met once more"


def test_a_measurement_moves_a_pace_by_a_part(code: Loaded) -> None:
    table = np.zeros(1024 + CLAIM_WORDS, np.int64)
    table[:2] = 5000, 1_000_000_000  # 5,000 trips of 1,000 instructions in a second and a little
    call(code, "measures", table)
    first = int(table[1024 + PACE])
    assert 0 < first <= 5
    table[1024 + PACE] = 1 << 20
    call(code, "measures", table)
    assert int(table[1024 + PACE]) == (7 * (1 << 20) + (1 << 19)) >> 3, "a single one counts half as slow at most"
    table[0] = 0
    call(code, "measures", table)
    assert int(table[1024 + PACE]) == (7 * (1 << 20) + (1 << 19)) >> 3, "no trips say nothing"


def test_a_call_begins_at_the_first_share_out_with_paces_told(code: Loaded) -> None:
    table = np.zeros(1024 + CLAIM_WORDS * 4, np.int64)
    words = table[1024:].reshape(-1, CLAIM_WORDS)
    words[:] = 7
    words[:, PACE] = 100, 4000, 0, 50
    table[1] = 3
    call(code, "begins", table)
    wanted = np.full_like(words, 7)
    for thread, pace in enumerate((100, 4000, 0)):
        wanted[thread, [0, CLAIM_NUMBER]] = 0, 1
        wanted[thread, [HELP, HELP_BEGUN, HELP_RETURNED, HELP_LENT, HELP_NUMBER]] = 0
        wanted[thread, [PACE, PACE_TOLD, PACE_TOLD + 1]] = pace
    wanted[3, PACE] = 50
    assert np.array_equal(words, wanted)

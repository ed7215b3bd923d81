"""A short run of the fuzzer (tests/saving/fuzz.py is the command for a long one)."""

from __future__ import annotations

import fuzz


def test_a_few_hundred_mutants():
    counts = fuzz.fuzz(400, seed=12)
    assert [what for what in counts if what.startswith("FOUND")] == []
    assert counts["refused"] > 80
    assert counts["loaded"] > 40

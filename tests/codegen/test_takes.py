"""Shares that end between any trips of which several are done at once: the same bits, wherever they end, and where it is planned."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Loop, Nest, loops
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.runs import cost_of_a_trip, trips_worth_a_call
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace

from .harness import Native
from .test_native import inputs, run_native
from .test_panels import KERNELS, interpreted, momentum, stored
from .test_repack import scheduled


def taking(*steps: str) -> Nest:
    """Adam on ten panels, up to five of which are done at once."""
    nest = scheduled(5, "repack(k, j.panel.i, 16)", 25)
    for step in (*steps, "takes(j.panel.o, j.panel.i)"):
        nest = apply(nest, step)
    return nest


@pytest.mark.parametrize("steps", [(), ("backwards(j.panel.o)",)])
def test_shares_may_end_anywhere(steps: tuple[str, ...]) -> None:
    kernel, whole, taken = KERNELS["adam"], Native(scheduled(5, "repack(k, j.panel.i, 16)", 25)), Native(taking(*steps))
    assert (whole.nest.trips.evaluate({}), taken.nest.trips.evaluate({})) == (2, 10)
    for batch in (1, 17, 40):
        arrays = inputs(kernel, {"B": batch})
        want = run_native(whole, stored(kernel, arrays), {"B": batch})
        for shares in (1, 2, 3, 7, 10):
            got = run_native(taken, stored(kernel, arrays), {"B": batch}, shares=shares)
            for written in kernel.writes:
                np.testing.assert_array_equal(got[written], want[written], err_msg=f"{batch} samples, {shares} shares")


def test_the_interpreter_agrees() -> None:
    for batch in (1, 17):
        interpreted(KERNELS["adam"], taking("backwards(j.panel.o)"), batch)


def test_its_text_is_read_back() -> None:
    nest = taking("backwards(j.panel.o)")
    text = print_nest(nest)
    assert "parallel backwards for j.panel.o in 0..10 takes j.panel.o.n up to 5" in text
    assert parse_nest(text).body == nest.body


@pytest.mark.parametrize(("step", "reason"), [
    ("takes(i.o, i.i.o)", "not the innermost loop that threads share"),
    ("takes(j.panel.o, i.o)", "not over all that it steps over"),
])
def test_what_does_not_apply(step: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason):
        apply(scheduled(5, "repack(k, j.panel.i, 16)", 25), step)


def test_an_update_shares_its_panels() -> None:
    """One by one, by paces: to claim them would pack what they read for each claim."""
    nest = plan(lower(momentum(784, 512)), replace(Target.named("avx512"), cores=2))
    (panels,) = [s for s in loops(nest, "j.panel.o") if s.parallel]
    assert (panels.extent, panels.step, panels.most) == (16, 1, 8)
    assert [s for s in nest.body if isinstance(s, Loop)] == [panels]
    assert trips_worth_a_call(nest) == 0 and cost_of_a_trip(nest) > 0

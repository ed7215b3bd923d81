"""What tiles of panels ask for while they sum: what comes next, each line once, and nothing outside an array."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from kcompile.codegen.interpret import _Interpreter
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest, Prefetch, Stmt
from kcompile.codegen.schedule import apply
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel, print_kernel
from kcompile.ir.types import evaluate_dim

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native
from .test_panels import stored

DENSE = parse_kernel("""
kernel dense
  axes i:B, j:96, k:24
  read x: f32[B, 24], w: f32[24, 96]
  write y: f32[B, 96]
  reduce s[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = s
  panels w: 32
""".lstrip())
UPDATE = parse_kernel("""
kernel update
  axes i:20, j:64, k:B
  read x: f32[B, 20], d: f32[B, 64], m: f32[20, 64]
  write m2: f32[20, 64]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  store m2[i, j] = m[i, j] / (g + 200.0)
  in_place m2 = m
  panels m: 32, m2: 32
""".lstrip())
TILED = ("tile(j, 32)", "vectorize(j.i, 16)", "tile(i, 4)", "unroll(i.i)", "reorder(j.panel, j.o, i.o, i.i, j.i.u, j.i.v)", "jam(j.i.v)",
         "jam(j.i.u)", "jam(i.i)")
LINE = 16  # elements


class Asking(_Interpreter):
    """Notes the lines that each tile asks for, in the order of the tiles."""

    def body(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            if isinstance(stmt, Prefetch):
                at = self.aff(stmt.index)
                assert 0 <= at < self.memory[stmt.array].size and at % LINE == 0, f"{stmt.array}[{at}]"
                panel = sum(self.variables.get(var, 0) for var in ("j.panel", "j.panel.o", "j.panel.i"))
                self.asked[panel, self.variables["i.o"] // 4].append(at // LINE)
            else:
                super().body((stmt,))


def asked(nest: Nest, batch: int) -> dict[tuple[int, int], list[int]]:
    arrays = {n: np.ones([evaluate_dim(d, {"B": batch}) for d in kind.shape], np.float32) for n, kind in nest.arrays.items()}
    running = Asking(nest, arrays, {"B": batch})
    running.asked = defaultdict(list)
    running.body(nest.body)
    return running.asked


def scheduled(kernel: Kernel, *steps: str) -> Nest:
    nest = lower(kernel)
    for step in (*TILED, *steps):
        nest = apply(nest, step)
    return nest


@pytest.mark.parametrize("batch", [3, 8, 17])
def test_the_first_tiles_ask_for_the_next_panel(batch: int) -> None:
    """A panel has 48 lines, and a tile 24 trips."""
    found = asked(scheduled(DENSE, "next_panel(w, k)"), batch)
    for panel in (0, 1):
        lines = [line for tile in range(-(-batch // 4)) for line in found.get((panel, tile), [])]
        assert lines == list(range(48 * (panel + 1), 48 * (panel + 1) + min(48, 24 * -(-batch // 4))))
        assert not any(found.get((panel, tile)) for tile in range(2, 5))


def test_nobody_asks_for_a_panel_of_another_core() -> None:
    """It is updated there. Two panels a core: in the second, tiles ask for lines of it alone."""
    nest = lower(parse_kernel(print_kernel(DENSE).replace("96", "128")))
    of_a_core = [step.replace("j.panel", "j.panel.o, j.panel.i") for step in TILED]
    for step in ("tile(j.panel, 2)", *of_a_core, "next_panel(w, k)"):
        nest = apply(nest, step)
    found = asked(nest, 8)
    for panel in range(4):
        lines = {line // 48 for tile in range(2) for line in found[panel, tile]}
        assert lines == {panel // 2 * 2 + 1}


@pytest.mark.parametrize("batch", [5, 8, 30])
def test_backwards_the_panel_before_comes_next(batch: int) -> None:
    nest = scheduled(UPDATE, "parallel(j.panel)", "parallel(j.o)", "backwards(j.panel)", "stash(i.i)", "approach(m, k)", "behind(i.o, k)")
    found = asked(nest, batch)
    order = [(panel, tile) for panel in (1, 0) for tile in range(5)]
    assert list(found) == order
    for here, following in pairwise(order):
        first = 8 * (5 * following[0] + following[1])
        assert list(dict.fromkeys(found[here])) == list(range(first, first + min(8, batch))), (here, following)


@pytest.mark.parametrize("steps", [(), ("stash(i.i)",), ("stash(i.i)", "behind(i.o, k)")], ids=["registers", "loop", "behind"])
@pytest.mark.parametrize("batch", [1, 5, 8, 30])
def test_a_tile_asks_for_what_the_next_epilogue_meets(batch: int, steps: tuple[str, ...]) -> None:
    """Eight lines, of which a longer sum asks for the last again, and no more."""
    before, after = steps[:1], steps[1:]
    found = asked(scheduled(UPDATE, *before, "approach(m, k)", *after), batch)
    for panel in (0, 1):
        for tile in range(5):
            following = 8 * (5 * panel + tile + 1)
            lines = found[panel, tile]
            if following < 80:
                assert list(dict.fromkeys(lines)) == list(range(following, following + min(8, batch))), (panel, tile)
            assert len(lines) == batch and set(lines[8:]) <= set(lines[7:8])


def test_trips_backwards_are_the_same_trips() -> None:
    steps = "parallel(j.panel)", "parallel(j.o)", "stash(i.i)"
    plain, turned = Native(scheduled(UPDATE, *steps)), Native(scheduled(UPDATE, *steps, "backwards(j.panel)"))
    arrays = inputs(UPDATE, {"B": 5})
    want = run_native(plain, stored(UPDATE, arrays), {"B": 5})
    for shares in (1, 2, 3):
        got = run_native(turned, stored(UPDATE, arrays), {"B": 5}, shares=shares)
        np.testing.assert_array_equal(got["m2"], want["m2"])


def test_both_loops_of_a_sum_together_are_the_sum() -> None:
    compiled = Native(scheduled(DENSE, "parallel(j.panel)", "parallel(j.o)", "parallel(i.o)", "next_panel(w, k)"))
    for batch in (1, 4, 7, 8, 9, 30):
        arrays = inputs(DENSE, {"B": batch})
        got = run_native(compiled, stored(DENSE, arrays), {"B": batch}, shares=3)
        assert_close(DENSE, got, evaluate(DENSE, arrays, {"B": batch}), f"{batch} rows")

"""What the next block of a sum reads is asked for beforehand, all of it, by the core that will read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import VECTOR, Accum, Let, Loop, Nest, Prefetch, Stmt
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.scalar import Aff, Load, walk
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import evaluate_dim

from .harness import Native, index_value
from .test_native import assert_close, evaluate, inputs, run_native

IMAGES = parse_kernel("""
kernel filter_gradient
  axes u:2, c:12, o:128, n:B, y:4, x:3
  read t: f32[B, 5, 3, 12], d: f32[B, 4, 3, 128]
  write dw: f32[2, 12, 128]
  reduce s[u, c, o] = add over n, y, x of t[n, y + u, x, c] * d[n, y, x, o]
  store dw[u, c, o] = s
""".lstrip())
COLUMNS = parse_kernel("""
kernel weight_gradient
  axes c:48, o:128, n:B
  read t: f32[B, 48], d: f32[B, 128]
  write dw: f32[48, 128]
  reduce s[c, o] = add over n of t[n, c] * d[n, o]
  store dw[c, o] = s
""".lstrip())
KERNELS = {"images": (IMAGES, 5), "columns": (COLUMNS, 300)}
SMALL = {name: replace(Target.named(name), l2=96 << 10) for name in ("avx2", "avx512")}  # so that little exceeds its cache
LINE = 16  # elements


def value_of(index: Aff, at: Mapping[str, int], batch: int) -> int:
    total = evaluate_dim(index.const, {"B": batch})
    for var, factor in index.terms:
        total += evaluate_dim(factor, {"B": batch}) * at[var]
    return total


def lines(nest: Nest, batch: int, alone: bool = False) -> Iterator[tuple[str, int, int, str, int]]:
    """(asked or read, core, block, array, line) for everything in the loop over the blocks: block n is the one that comes as number n.
    Each core does its own portion, or one `alone` all of them."""

    def visit(body: tuple[Stmt, ...], around: Mapping[str, int], step: int, core: str) -> Iterator[tuple[str, int, int, str, int]]:
        at = dict(around)
        for s in body:
            if isinstance(s, Let):
                at[s.name] = index_value(s.expr, lambda index: value_of(index, at, batch))
            elif isinstance(s, Loop):
                for value in range(0, evaluate_dim(s.extent, {"B": batch}), s.step if s.mode != VECTOR else LINE // 2):
                    live = not s.clip or value + value_of(s.clip.base, at, batch) < evaluate_dim(s.clip.extent, {"B": batch})
                    middle = {s.middle: 0 if alone else value} if s.middle else {}
                    if live:
                        yield from visit(s.body, {**at, s.var: value, **middle}, step or s.step, s.var if s.var.endswith(".c") else core)
            elif isinstance(s, Prefetch):
                yield "asked", at.get(core, 0), at[blocks.var] // step + 1, s.array, value_of(s.index, at, batch) // LINE
            elif isinstance(s, Accum):
                for e in walk(s.expr):
                    if isinstance(e, Load) and e.array in nest.arrays:
                        yield "read", at.get(core, 0), at[blocks.var] // step, e.array, value_of(e.index[0], at, batch) // LINE

    blocks = next(s for s in nest.body if isinstance(s, Loop))
    return visit((*(s for s in nest.body if isinstance(s, Let)), blocks), {}, 0, "")


@pytest.mark.parametrize("target", ["avx2", "avx512"])
@pytest.mark.parametrize("name", list(KERNELS))
def test_a_core_asks_for_all_that_it_will_read(name: str, target: str) -> None:
    kernel, batch = KERNELS[name]
    nest = plan(lower(kernel), SMALL[target])
    assert any(step.startswith("ahead(") for step in nest.steps)
    found: dict[tuple[str, int, int, str], set[int]] = defaultdict(set)
    for what, core, block, array, line in lines(nest, batch):
        found[what, core, block, array].add(line)
    later = [key for key in found if key[0] == "read" and key[2] > 0]
    assert later
    for _, core, block, array in later:
        missing = found["read", core, block, array] - found["asked", core, block, array]
        assert not missing, f"{array} in block {block} on core {core}: {len(missing)} lines are not asked for"


@pytest.mark.parametrize("batch", [1, 2, 7, 200])
@pytest.mark.parametrize("name", list(KERNELS))
def test_same_bits_with_and_without(name: str, batch: int) -> None:
    kernel, _ = KERNELS[name]
    arrays = inputs(kernel, {"B": batch})
    nest = plan(lower(kernel), SMALL["avx2"])
    plain = lower(kernel)
    for step in nest.steps:
        if not step.startswith("ahead("):
            plain = apply(plain, step)
    (written,) = kernel.writes
    first = run_native(Native(nest), arrays, {"B": batch})
    assert_close(kernel, first, evaluate(kernel, arrays, {"B": batch}), name)
    for shares in (1, 2, 3):
        np.testing.assert_array_equal(run_native(Native(plain), arrays, {"B": batch}, shares=shares)[written], first[written])

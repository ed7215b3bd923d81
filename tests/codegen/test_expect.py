"""What an epilogue reads is asked for while its tile sums: every line of it, none twice where trips are enough, and the same bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest import VECTOR, Acc, Let, Loop, Nest, Prefetch, Stmt, all_loads, statements
from kcompile.codegen.schedule import apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.scalar import Aff, Apply, AxisValue, Const
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_ahead import value_of
from .test_native import assert_close, evaluate, inputs, run_native

TEXT = """
kernel pointwise
  axes n:B, x:{x}, o:{o}, c:{c}
  read t: f32[B, {x}, {c}], w: f32[{c}, {o}], r: f32[B, {x}, {o}], m: bool[B, {x}, {o}]
  write y: f32[B, {x}, {o}]
  reduce s[n, x, o] = add over c of t[n, x, c] * w[c, o]
  store y[n, x, o] = select(m[n, x, o], r[n, x, o] + s, 0.0)
""".lstrip()
WINDOW = """
kernel window
  axes n:B, y:{x}, x:{x}, o:{o}, i:3, j:3, c:{c}
  read t: f32[B, {x}, {x}, {c}], w: f32[3, 3, {c}, {o}], r: f32[B, {x}, {x}, {o}], m: bool[B, {x}, {x}, {o}]
  write y: f32[B, {x}, {x}, {o}]
  reduce s[n, y, x, o] = add over i, j, c of (t[n, y + i - 1, x + j - 1, c] if {inside} else 0.0) * w[i, j, c, o]
  store y[n, y, x, o] = select(m[n, y, x, o], r[n, y, x, o] + s, 0.0)
""".lstrip()
POOLED = """
kernel pooled
  axes n:B, y:{x}, x:{x}, o:{o}, i:3, j:3, c:{c}
  read t: f32[B, {x}, {x}, {c}], w: f32[3, 3, {c}, {o}], r: f32[B, 30, 30, {o}], m: bool[B, {x}, {x}, {o}]
  write y: f32[B, {x}, {x}, {o}]
  reduce s[n, y, x, o] = add over i, j, c of (t[n, y + i - 1, x + j - 1, c] if {inside} else 0.0) * w[i, j, c, o]
  store y[n, y, x, o] = select(m[n, y, x, o], max(max(r[n, 2*y, 2*x, o], r[n, 2*y, 2*x + 1, o]), \
max(r[n, 2*y + 1, 2*x, o], r[n, 2*y + 1, 2*x + 1, o])) + s, 0.0)
""".lstrip()


def kernel(text: str, x: int, o: int, c: int) -> Kernel:
    return parse_kernel(text.format(x=x, o=o, c=c, inside=f"0 <= y + i - 1 < {x} and 0 <= x + j - 1 < {x}"))


AVX512 = Target.named("avx512")
CASES = [kernel(TEXT, 56, 64, 64), kernel(TEXT, 49, 128, 48), kernel(TEXT, 28, 16, 24)]
POOL = kernel(POOLED, 13, 32, 64)  # four places of r for each element: more than one trip of a sum asks for


def lines(nest: Nest) -> Iterator[tuple[str, tuple[int, ...], str, int]]:
    """(asked or read after the sums, tile, array, line) for a batch of two."""

    def visit(body: tuple[Stmt, ...], at: Mapping[str, int], tile: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...], str, int]]:
        names = dict(at)
        if any(isinstance(s, Acc) for s in body):
            tile = tuple(at.values())
        for s in body:
            if isinstance(s, Loop):
                extent = value_of(Aff.of(0) + s.extent, {}, 2)
                for value in range(0, extent, s.step if s.mode != VECTOR else 8):
                    inside = {**names, s.var: value, **({s.back: min(value, extent - s.step)} if s.back else {})}
                    live = not s.clip or value + value_of(s.clip.base, inside, 2) < value_of(Aff.of(0) + s.clip.extent, {}, 2)
                    if live and (s.where is None or s.where.lo <= value_of(s.where.index, inside, 2) < s.where.hi):
                        yield from visit(s.body, inside, tile)
            elif isinstance(s, Let) and s.index and isinstance(s.expr, Apply) and s.expr.fn == "min":
                first, last = s.expr.args
                assert isinstance(first, AxisValue)
                end = value_of(last.index, names, 2) if isinstance(last, AxisValue) else int(last.value) if isinstance(last, Const) else 0
                names[s.name] = min(value_of(first.index, names, 2), end)
            elif isinstance(s, Prefetch) and s.array in ("r", "m"):
                yield "asked", tile, s.array, value_of(s.index, names, 2) // (64 if s.array == "m" else 16)
            else:
                for load in all_loads((s,)):
                    if load.array in ("r", "m"):
                        yield "read", tile, load.array, value_of(load.index[0], names, 2) // (64 if load.array == "m" else 16)

    return visit(nest.body, {}, ())


ASKING = [*((case, target) for case in CASES for target in ("avx2", "avx512")), (POOL, "avx512")]


@pytest.mark.parametrize(("case", "target"), ASKING, ids=str)
def test_a_tile_asks_for_all_that_its_epilogue_reads(case: Kernel, target: str) -> None:
    nest = plan(lower(case), Target.named(target))
    assert {"expect(r)", "expect(m)"} <= set(nest.steps)
    found: dict[tuple[str, tuple[int, ...], str], Counter[int]] = {}
    for what, tile, array, line in lines(nest):
        found.setdefault((what, tile, array), Counter())[line] += 1
    tiles = {(tile, array) for what, tile, array in found if what == "read"}
    whole = [key for key in tiles if ("asked", *key) in found]
    assert len(whole) > len(tiles) // 2  # rows of a last tile that are done one by one ask for nothing
    for key in whole:
        assert set(found["read", *key]) <= set(found["asked", *key])


def test_what_is_stored_comes_after_what_is_read() -> None:
    steps = [step for step in plan(lower(CASES[0]), AVX512).steps if step.startswith("expect(")]
    assert steps == ["expect(m)", "expect(r)", "expect(y, 28)"]  # 14 rows of each of the first two, one in each trip


def test_where_little_is_stored_nothing_is_asked_for() -> None:
    long, small = kernel(TEXT, 56, 64, 1024), kernel(TEXT, 1, 64, 64)
    for case, target in ((CASES[0], Target.named("avx2")), (long, AVX512), (small, AVX512)):
        assert not any(step.startswith("expect(y") for step in plan(lower(case), target).steps)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("target", ["avx2", "avx512"])
@pytest.mark.parametrize("case", [*CASES, kernel(WINDOW, 14, 32, 16), kernel(WINDOW, 16, 16, 16), POOL], ids=str)
def test_same_bits_with_and_without(case: Kernel, target: str, batch: int) -> None:
    arrays, symbols = inputs(case, {"B": batch}), {"B": batch}
    nest = plan(lower(case), Target.named(target))
    assert any(step.startswith("expect(") for step in nest.steps)
    plain = lower(case)
    for step in nest.steps:
        plain = plain if step.startswith("expect(") else apply(plain, step)
    assert not [s for s in statements(plain.body) if isinstance(s, Prefetch) and s.array in ("r", "m", "y")]
    asked = run_native(Native(nest), arrays, symbols, shares=2)
    assert_close(case, asked, evaluate(case, arrays, symbols), case.name)
    np.testing.assert_array_equal(run_native(Native(plain), arrays, symbols)["y"], asked["y"])

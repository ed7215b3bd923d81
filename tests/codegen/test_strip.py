"""Epilogues that run along whole rows after a strip of tiles: the same result for every share, and for rows and columns left over."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Nest
from kcompile.codegen.schedule import ScheduleError, apply
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import KERNELS, assert_close, evaluate, inputs, run_native

ADAM = KERNELS["adam"]
LARGE = parse_kernel("""
kernel momentum
  axes i:205, j:330, k:B
  read x: f32[B, 205], d: f32[B, 330], w: f32[205, 330], m: f32[205, 330]
  write w2: f32[205, 330], m2: f32[205, 330]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  let mn[i, j] = m[i, j] * 0.9 - sqrt(abs(g)) * 0.5
  store m2[i, j] = mn
  store w2[i, j] = w[i, j] + tanh(mn)
  in_place w2 = w
  in_place m2 = m
""".lstrip())


def by_hand(rows: int, columns: int = 32, strip: bool = True) -> Nest:
    """A strip of `rows` rows, 4 in a tile; without `strip` the tiles alone."""
    nest = lower(ADAM)
    steps = (f"tile(j, {columns})", "vectorize(j.i, 16)", f"tile(i, {rows})", "tile(i.i, 4)", "unroll(i.i.i)",
             f"reorder(i.o, j.o, i.i.o, i.i.i, {'j.i.u, ' if columns > 16 else ''}j.i.v)", "jam(j.i.v)",
             *(["jam(j.i.u)"] if columns > 16 else []), "jam(i.i.i)", *(["strip(j.o, i.i.o, i.i.i)"] if strip else []), "parallel(i.o)")
    for step in steps:
        nest = apply(nest, step)
    return nest


@pytest.mark.parametrize("columns", [16, 32])
@pytest.mark.parametrize("rows", [4, 8, 12, 32])
def test_strips_by_hand(rows: int, columns: int) -> None:
    symbols = {"B": 3}
    arrays = inputs(ADAM, symbols)
    want = evaluate(ADAM, arrays, symbols)
    compiled = Native(by_hand(rows, columns))
    first = run_native(compiled, arrays, symbols)
    assert_close(ADAM, first, want, f"strips of {rows}")
    again = run_native(compiled, arrays, symbols, shares=3)
    for name in ADAM.writes:
        np.testing.assert_array_equal(again[name], first[name])


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 7, 9])
@pytest.mark.parametrize(("rows", "size", "terms"), [(8, 1, 1), (8, 2, 1), (12, 3, 3), (32, 4, 2), (8, 8, 4)])
def test_chunks_of_the_sum(rows: int, size: int, terms: int, batch: int) -> None:
    symbols = {"B": batch}
    arrays = inputs(ADAM, symbols)
    compiled = Native(apply(by_hand(rows), f"chunk(k, j.o, i.i.o, {size}, {terms})"))
    first = run_native(compiled, arrays, symbols)
    assert_close(ADAM, first, evaluate(ADAM, arrays, symbols), f"strips of {rows}, chunks of {size}, {batch} long")
    whole = run_native(Native(by_hand(rows)), arrays, symbols, shares=2)
    for name in ADAM.writes:
        np.testing.assert_array_equal(whole[name], first[name], err_msg="the order of the sum has changed")


def test_the_interpreter_agrees() -> None:
    symbols = {"B": 2}
    arrays = inputs(ADAM, symbols)
    want = evaluate(ADAM, arrays, symbols)
    flat = {name: array.reshape(-1) for name, array in arrays.items()}
    for written, read in ADAM.in_place.items():
        flat[written] = flat[read]
    interpret(apply(by_hand(8), "chunk(k, j.o, i.i.o, 1, 1)"), flat, symbols)
    assert_close(ADAM, {n: flat[n].reshape(want[n].shape) for n in ADAM.writes}, want, "interpreted")


@pytest.mark.parametrize("target", ["avx512", "avx2", "host"])
def test_large_optimizer_steps_run_in_strips(target: str) -> None:
    nest = plan(lower(LARGE), Target.named(target))
    assert any(step.startswith("strip(") for step in nest.steps)
    for batch in (1, 5, 70):
        arrays = inputs(LARGE, {"B": batch})
        got = run_native(Native(nest), arrays, {"B": batch}, shares=2)
        assert_close(LARGE, got, evaluate(LARGE, arrays, {"B": batch}), f"momentum, {batch} rows")


def test_what_fits_the_cache_does_not() -> None:
    assert not any(step.startswith("strip(") for step in plan(lower(ADAM), Target.named("avx512")).steps)


def test_a_loop_that_is_no_tile_is_refused() -> None:
    with pytest.raises(ScheduleError, match="strip"):
        apply(lower(ADAM), "strip(i, j, k)")


@pytest.mark.parametrize("step", ["chunk(i, j.o, i.i.o, 2, 1)", "chunk(k, j.o, i.i.i, 2, 1)", "chunk(k, i.o, i.i.o, 2, 1)",
                                  "chunk(k, q, i.i.o, 2, 1)", "chunk(k, j.o, i.i.o, 3, 2)"])
def test_what_is_no_strip_is_not_cut_into_chunks(step: str) -> None:
    with pytest.raises(ScheduleError, match="chunk"):
        apply(by_hand(8), step)


BARE = """
kernel bare
  axes i:{rows}, j:{columns}, k:B
  read x: f32[B, {rows}], d: f32[B, {columns}]
  write g: f32[{rows}, {columns}]
  reduce s[i, j] = add over k of x[k, i] * d[k, j]
  store g[i, j] = s
""".lstrip()


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 4, 7, 9])
@pytest.mark.parametrize(("rows", "size", "terms"), [(8, 1, 1), (12, 2, 2), (20, 3, 1), (12, 4, 4)])
def test_tiles_that_store_their_sums_themselves(rows: int, size: int, terms: int, batch: int) -> None:
    kernel = parse_kernel(BARE.format(rows=37, columns=45))
    nest = lower(kernel)
    for step in ("tile(j, 32)", "vectorize(j.i, 16)", f"tile(i, {rows})", "tile(i.i, 4)", "unroll(i.i.i)",
                 "reorder(i.o, j.o, i.i.o, i.i.i, j.i.u, j.i.v)", "jam(j.i.v)", "jam(j.i.u)", "jam(i.i.i)",
                 f"chunk(k, j.o, i.i.o, {size}, {terms}, ahead)", "parallel(i.o)"):
        nest = apply(nest, step)
    symbols = {"B": batch}
    arrays = inputs(kernel, symbols)
    want = evaluate(kernel, arrays, symbols)
    compiled = Native(nest)
    first = run_native(compiled, arrays, symbols)
    assert_close(kernel, first, want, f"strips of {rows}, chunks of {size}, {batch} long")
    np.testing.assert_array_equal(run_native(compiled, arrays, symbols, shares=3)["g"], first["g"])
    flat = {name: array.reshape(-1) for name, array in arrays.items()}
    interpret(nest, flat, symbols)
    assert_close(kernel, {"g": flat["g"].reshape(37, 45)}, want, "interpreted")


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize(("filters", "step"), [(256, "block"), (260, "chunk")])
def test_a_long_sum_whose_results_are_too_many_to_wait(filters: int, step: str, batch: int) -> None:
    """A pointwise filter gradient: up to 512 KB go through the batch in blocks, and more in chunks, which are parts of an image."""
    kernel = parse_kernel(f"""
kernel pointwise
  axes i:504, j:{filters}, n:B, y:14, x:14
  read x: f32[B, 14, 14, 504], d: f32[B, 14, 14, {filters}]
  write g: f32[504, {filters}]
  reduce s[i, j] = add over n, y, x of x[n, y, x, i] * d[n, y, x, j]
  store g[i, j] = s
""".lstrip())
    nest = plan(lower(kernel), Target.named("avx2"))
    (cut,) = (s for s in nest.steps if s.startswith(("block(", "chunk(")))
    assert cut.startswith(step) and (step == "block" or ", 98, 2, ahead)" in cut)
    arrays = inputs(kernel, {"B": batch})
    got = run_native(Native(nest), arrays, {"B": batch}, shares=2)
    assert_close(kernel, got, evaluate(kernel, arrays, {"B": batch}), f"{batch} images")


@pytest.mark.parametrize(("target", "rows", "columns", "blocks"), [("avx2", 205, 330, 1), ("avx2", 130, 1024, 2), ("avx512", 300, 1024, 2),
                                                                   ("avx512", 150, 1030, 1)])
def test_a_large_gradient_that_nothing_follows(target: str, rows: int, columns: int, blocks: int) -> None:
    kernel = parse_kernel(BARE.format(rows=rows, columns=columns))
    nest = plan(lower(kernel), Target.named(target))
    assert any(step.startswith("chunk(") for step in nest.steps) and not any(step.startswith("strip(") for step in nest.steps)
    assert (f"tile(j, {columns // 2})" in nest.steps) == (blocks == 2)
    if Target.named(target).vector_bytes > Target.host().vector_bytes:
        return
    compiled = Native(nest, Target.named(target))
    for batch in (1, 128, 129, 300):
        arrays = inputs(kernel, {"B": batch})
        first = run_native(compiled, arrays, {"B": batch})
        assert_close(kernel, first, {"g": arrays["x"].T @ arrays["d"]}, f"{batch} rows")
        np.testing.assert_array_equal(run_native(compiled, arrays, {"B": batch}, shares=2)["g"], first["g"])


def test_with_wide_vectors_only_rows_that_are_pages_apart_are_packed() -> None:
    kernel = parse_kernel(BARE.format(rows=784, columns=512))
    for target, chunks in (("avx2", 1), ("avx512", 0)):
        assert sum(step.startswith("chunk(") for step in plan(lower(kernel), Target.named(target)).steps) == chunks, target


@pytest.mark.parametrize("target", ["avx2", "avx512"])
@pytest.mark.parametrize("term", ["x[k, i] / d[k, j]", "exp(x[k, i] * d[k, j])"])
def test_terms_that_are_no_products(target: str, term: str) -> None:
    """Zeros behind the last of them would add something."""
    kernel = parse_kernel(BARE.format(rows=384, columns=320).replace("x[k, i] * d[k, j]", term))
    nest = plan(lower(kernel), Target.named(target))
    rng = np.random.default_rng(0)
    arrays = {"x": rng.uniform(0.5, 1, (131, 384)).astype(np.float32), "d": rng.uniform(0.5, 1, (131, 320)).astype(np.float32)}
    arrays["g"] = np.full((384, 320), np.nan, np.float32)
    x, d = arrays["x"].astype(np.float64), arrays["d"].astype(np.float64)
    want = sum((a[:, None] / b if "/" in term else np.exp(a[:, None] * b)) for a, b in zip(x, d, strict=True))
    assert_close(kernel, run_native(Native(nest), arrays, {"B": 131}), {"g": want}, term)

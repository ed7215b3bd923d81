"""Terms of a sum side by side in the lanes: for any number of columns and terms, with borders, dear epilogues, shares and infinities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcompile.codegen.emit import emit
from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.nest import Acc, Nest, statements
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.strategy import plan, shapes
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

TARGETS = [target for target in (Target.host(), Target.named("avx2")) if target.vector_bytes]
CONV = """
kernel conv
  axes n:B, y:9, x:11, o:{o}, u:3, v:3, c:{c}
  read t: f32[B, 11, 13, {c}], w: f32[3, 3, {c}, {o}], b: f32[{o}]
  write r: f32[B, 9, 11, {o}]
  reduce s[n, y, x, o] = add over u, v, c of t[n, y + u, x + v, c] * w[u, v, c, o]
  store r[n, y, x, o] = {value}
"""
BORDER = """
kernel input_gradient
  axes n:B, y:9, x:18, c:{o}, u:3, v:3, o:{c}
  read t: f32[B, 9, 18, {c}], w: f32[3, 3, {c}, {o}]
  write r: f32[B, 9, 18, {o}]
  reduce s[n, y, x, c] = add over u, v, o of {read} * w[u, v, o, c]
  store r[n, y, x, c] = s
"""
READ = "(t[n, y + u - 1, x + v - 1, o] if 0 <= y + u - 1 < 9 and 0 <= x + v - 1 < 18 else 0.0)"


def conv(c: int, o: int, value: str = "max(s + b[o], 0.0)") -> Kernel:
    return parse_kernel(CONV.format(c=c, o=o, value=value).lstrip())


def planned(kernel: Kernel, target: Target, ways: int, monkeypatch: pytest.MonkeyPatch) -> Nest:
    """The nest with so many terms side by side, whatever they bring."""
    monkeypatch.setattr(shapes, "WAYS", (ways,))
    monkeypatch.setattr(shapes, "WORTH", 100.0)
    nest = plan(lower(kernel), target)
    assert any(step.startswith("abreast(") and step.split(", ")[2].rstrip(")") == str(ways) for step in nest.steps)
    return nest


def check(kernel: Kernel, nest: Nest, target: Target) -> None:
    arrays, symbols = inputs(kernel, {"B": 2}), {"B": 2}
    compiled = Native(nest, target)
    found = run_native(compiled, arrays, symbols)
    assert_close(kernel, found, evaluate(kernel, arrays, symbols), kernel.name)
    np.testing.assert_array_equal(run_native(compiled, arrays, symbols, shares=3)["r"], found["r"])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("ways", [2, 4])
@pytest.mark.parametrize(("c", "o"), [(11, 20), (12, 53), (13, 37), (14, 25), (11, 44), (12, 100)])
def test_columns_and_terms(c: int, o: int, ways: int, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    check(conv(c, o), planned(conv(c, o), target, ways, monkeypatch), target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("ways", [2, 4])
@pytest.mark.parametrize(("c", "fewer"), [(3, 0), (3, 1), (8, 0), (11, 2)])
def test_few_columns_leave_lanes_for_terms(c: int, fewer: int, ways: int, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = target.vector_bytes // 4
    kernel = conv(c, lanes // 2 - fewer)
    nest = planned(kernel, target, ways, monkeypatch)
    sums = [s for s in statements(nest.body) if isinstance(s, Acc)]
    assert all(math.prod(d.extent for d in acc.dims if d.vector) == lanes for acc in sums)
    check(kernel, nest, target)


@pytest.mark.parametrize("name", ["avx512", "avx2", "neon"])
def test_no_vector_holds_one_column(name: str) -> None:
    kernel, target = conv(24, 3), Target.named(name)
    nest = plan(lower(kernel), target)
    assert all(d.extent > 1 for s in statements(nest.body) if isinstance(s, Acc) for d in s.dims if d.vector)
    if target in TARGETS:
        check(kernel, nest, target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("ways", [2, 4])
def test_dear_epilogues(ways: int, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = conv(12, 37, "tanh(s) * exp(b[o]) + log(s * s + 1.0)")
    check(kernel, planned(kernel, target, ways, monkeypatch), target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize(("c", "ways"), [(32, 4), (10, 4), (17, 2), (6, 2)])
@pytest.mark.parametrize("o", [20, 37])
def test_borders(c: int, o: int, ways: int, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = parse_kernel(BORDER.format(c=c, o=o, read=READ).lstrip())
    nest = planned(kernel, target, ways, monkeypatch)
    assert any(step.startswith("edges(") for step in nest.steps)
    check(kernel, nest, target)


@pytest.mark.parametrize(("o", "abreast"), [(12, True), (14, False), (16, False)])
def test_taps_are_written_out_where_few_lanes_are_dead(o: int, abreast: bool) -> None:
    nest = plan(lower(conv(24, o)), Target.named("avx512"))
    assert abreast == any(step.startswith("abreast(") for step in nest.steps)
    assert abreast != any("slides along" in note for note in nest.notes)


def test_more_terms_than_two_are_side_by_side_only_where_that_is_worth_something() -> None:
    steps = [step for o in (40, 20) for step in plan(lower(conv(24, o)), Target.named("avx512")).steps if step.startswith("abreast(")]
    assert [step.split(", ")[2].rstrip(")") for step in steps] == ["2", "4"]


@pytest.mark.parametrize("ways", [2, 4])
def test_places_of_terms_that_are_not_there_make_nothing_of_an_infinity(ways: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = conv(11, 20, "s")
    compiled = Native(planned(kernel, TARGETS[0], ways, monkeypatch), TARGETS[0])
    arrays = inputs(kernel, {"B": 1})
    arrays["t"][0, :, :, 10] = np.inf
    arrays["w"][:] = np.abs(arrays["w"]) + 1.0
    assert np.all(run_native(compiled, arrays, {"B": 1})["r"] == np.inf)


@pytest.mark.parametrize("ways", [2, 4])
def test_the_interpreter_and_the_text(ways: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = conv(7 if ways == 2 else 11, 9)
    nest = planned(kernel, Target.named("avx2"), ways, monkeypatch)
    assert print_nest(parse_nest(print_nest(nest))) == print_nest(nest)
    arrays = inputs(kernel, {"B": 1})
    wanted = evaluate(kernel, arrays, {"B": 1})
    interpret(nest, arrays, {"B": 1})
    assert_close(kernel, arrays, wanted, "interpreted")


@pytest.mark.parametrize("still", [False, True])
def test_dead_lanes_of_a_panel_are_zeros(still: bool) -> None:
    kernel = replace(conv(24, 37), still=("w",) if still else ())
    nest = plan(lower(kernel), Target.named("avx512"))
    assert any(step.startswith("abreast(w, ") for step in nest.steps) and bool(nest.panels) == still
    text = emit(nest.filling("pack.w") if still else nest, Target.named("avx512"), "kernel")
    assert "masked.load" in text and ("masked.store" in text) == (not still)  # what is stored to the result has dead lanes, too


def test_where_it_happens() -> None:
    def happens(c: int, o: int) -> bool:
        return any(step.startswith("abreast(") for step in plan(lower(conv(c, o)), Target.named("avx512")).steps)
    assert happens(24, 40) and happens(53, 37) and happens(20, 20) and not happens(24, 48) and not happens(32, 64)
    assert happens(8, 8) and happens(3, 6) and not happens(1, 8)  # three terms of a row are no three trips

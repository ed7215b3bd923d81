"""Filter gradients with lanes along their inputs, turned as they are stored: for every width, every share, and updates too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan, tile_choices, turned
from kcompile.codegen.target import Target
from kcompile.codegen.tiles import priced_tiles
from kcompile.ir.text.kernels import parse_kernel

from .harness import Native
from .test_native import assert_close, evaluate, inputs, run_native

TARGETS = [target for target in (Target.host(), Target.named("avx2")) if target.vector_bytes]
KERNEL = """
kernel filter_gradient
  axes u:3, v:3, c:{c}, o:{o}, n:B, y:9, x:{x}
  read t: f32[B, 11, {x} + 2, {c}], d: f32[B, 9, {x}, {o}], m: f32[3, 3, {c}, {o}]
  write dw: f32[3, 3, {c}, {o}]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = {value}
{place}"""


def kernel_of(c: int, o: int, value: str = "s", place: str = ""):
    text = KERNEL.format(c=c, o=o, x=8, value=value, place=place).lstrip().replace("8 + 2", "10")
    return parse_kernel(text)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("value", ["s", "tanh(s) * exp(m[u, v, c, o]) + log(s * s + 1.0)"])
@pytest.mark.parametrize(("c", "o"), [(5, 17), (11, 18), (21, 19), (16, 20), (37, 33), (24, 40), (10, 9), (32, 35)])
def test_every_width(c: int, o: int, value: str, target: Target) -> None:
    kernel = kernel_of(c, o, value)
    nest = plan(lower(kernel), target)
    arrays, symbols = inputs(kernel, {"B": 11}), {"B": 11}
    found = run_native(Native(nest, target), arrays, symbols)
    assert_close(kernel, found, evaluate(kernel, arrays, symbols), f"{c} to {o}")
    for shares in (2, 3):
        np.testing.assert_array_equal(run_native(Native(nest, target), arrays, symbols, shares=shares)["dw"], found["dw"])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize(("c", "o"), [(21, 19), (16, 20), (37, 33), (24, 40)])
def test_updates_in_place(c: int, o: int, target: Target) -> None:
    kernel = kernel_of(c, o, "m[u, v, c, o] - s * 0.5", "  in_place dw = m\n")
    arrays, symbols = inputs(kernel, {"B": 11}), {"B": 11}
    wanted = evaluate(kernel, arrays, symbols)
    assert_close(kernel, run_native(Native(plan(lower(kernel), target), target), arrays, symbols), wanted, f"{c} to {o}")


def test_where_it_happens() -> None:
    def lanes_along(c: int, o: int) -> list[str]:
        steps = plan(lower(kernel_of(c, o)), Target.named("avx512")).steps
        return [step.split("(")[1].split(",")[0] for step in steps if step.startswith("vectorize(")]
    assert lanes_along(37, 53) == ["v.c.i"] and lanes_along(24, 48) == ["o.i"] and lanes_along(24, 32) == ["o.i"]


@pytest.mark.parametrize(("target", "c", "o", "taps"), [("avx2", 20, 20, True), ("avx2", 16, 20, False), ("avx512", 36, 36, True),
                                                        ("avx512", 40, 48, False)])
def test_vectors_of_several_taps(target: str, c: int, o: int, taps: bool) -> None:
    """Where vectors along the lanes would be dead in part, or tiles small, each of a tile is of another tap along y."""
    nest = plan(lower(kernel_of(c, o)), Target.named(target))
    assert ("jam(u)" in nest.steps) == taps


@pytest.mark.parametrize(("multiply_adds", "expected"), [(1, "2 x 10"), (2, "5 x 5")])
def test_of_one_kind_the_tile_that_loads_least_is_taken_where_loads_count(multiply_adds: int, expected: str) -> None:
    nest = lower(kernel_of(53, 100))
    assert str(tile_choices(nest, Target.named(f"avx512,multiply_adds={multiply_adds}"))[0]) == expected


@pytest.mark.parametrize("target", ["avx512", "avx512,multiply_adds=2", "avx2"])
@pytest.mark.parametrize(("c", "o"), [(20, 20), (36, 36), (37, 53)])
def test_nothing_is_priced_twice(c: int, o: int, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of tiles take a third of the time in which such a kernel is scheduled."""
    priced = []

    def counted(*args: Any, **named: Any) -> Any:
        priced.append((args, named))
        return priced_tiles(*args, **named)

    monkeypatch.setattr(turned, "priced_tiles", counted)
    plan(lower(kernel_of(c, o)), Target.named(target))
    assert priced and not any(one in priced[:n] for n, one in enumerate(priced))

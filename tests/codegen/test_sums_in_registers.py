"""Sums of a tile stay in registers: in the loop that adds them up none is read from memory or written to it, or moved."""

from __future__ import annotations

import re

import pytest

from kcompile.codegen.assembly import assembly
from kcompile.codegen.emit import emit
from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

MANY_CONSTANTS = parse_kernel("""kernel dense_and_exp
  axes i:B, j:512, k:784
  read x: f32[B, 784], w: f32[784, 512]
  write y: f32[B, 512]
  reduce acc[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = tanh(acc)
  panels w: 32
""")
ADAM = parse_kernel("""kernel adam
  axes i:784, j:512, k:B
  read x: f32[B, 784], d: f32[B, 512], w: f32[784, 512], m: f32[784, 512], v: f32[784, 512], rate: f32[]
  write w1: f32[784, 512], m1: f32[784, 512], v1: f32[784, 512]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  let m2[i, j] = m[i, j] + (g - m[i, j]) * 0.1
  store m1[i, j] = m2
  let v2[i, j] = v[i, j] + (g * g - v[i, j]) * 0.001
  store v1[i, j] = v2
  store w1[i, j] = w[i, j] - m2 / (sqrt(v2) + 1e-07) * rate[]
  in_place w1 = w
  in_place m1 = m
  in_place v1 = v
  panels w: 32, m: 32, v: 32, w1: 32, m1: 32, v1: 32
""")
TEN_CLASSES = parse_kernel("""kernel ten_classes
  axes i:B, j:10, k:512
  read x: f32[B, 512], w: f32[512, 10]
  write y: f32[B, 10]
  reduce acc[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = acc
""")
ONE_REGISTER = re.compile(r"\s\d*\(%r\w+\)\{1to16\}, %zmm")  # with two a processor makes two instructions of it


def loops_of_sums(text: str) -> list[list[str]]:
    """The innermost loops that multiply vectors of 64 bytes by single values, eight times a trip or more."""
    lines, found, at = text.splitlines(), [], {}
    for n, line in enumerate(lines):
        if line.startswith(".L"):
            at[line.split(":")[0]] = n
        jump = re.match(r"\s+j\w+\s+(\.L\w+)", line)
        if jump and jump[1] in at:
            body = lines[at[jump[1]] + 1:n]
            inner = not any(s.startswith(".L") for s in body)
            one_for_all = any("vbroadcastss" in s or "{1to16}" in s for s in body)
            if inner and one_for_all and sum("vfmadd231ps" in s and "%zmm" in s for s in body) >= 8:
                found.append(body)
    return found


@pytest.mark.parametrize("kernel", [MANY_CONSTANTS, ADAM], ids=lambda kernel: kernel.name)
def test_nothing_is_kept_in_memory(kernel: Kernel) -> None:
    target = Target.named("avx512")
    found = loops_of_sums(assembly(emit(plan(lower(kernel), target), target, kernel.name), target))
    assert max(sum("vfmadd" in s for s in body) for body in found) >= 24
    for body in found:
        accumulators = {s.rsplit("%", 1)[1] for s in body if "vfmadd231ps" in s}
        moved = [s for s in body if re.match(r"\s+vmovap[sd]\s+%zmm\d+, %zmm", s)]
        stored = [s for s in body if (m := re.match(r"\s+vmovap[sd]\s+%(zmm\d+), .*\(%rsp", s)) and m[1] in accumulators]
        assert not moved and not stored, "\n".join(moved + stored)


def test_products_beside_an_epilogue_load_their_factors() -> None:
    target = Target.named("avx512")
    found = loops_of_sums(assembly(emit(plan(lower(ADAM), target), target, ADAM.name), target))
    (beside,) = (body for body in found if any("vsqrtps" in s for s in body))
    products = [s for s in beside if "vfmadd231ps" in s]
    assert len(products) == 28
    assert all(ONE_REGISTER.search(s) for s in products), "\n".join(products)
    assert sum("vbroadcastss" in s for s in beside) <= 1  # of the rate
    assert all("{1to16}" not in s for body in found if body is not beside for s in body if "vfmadd231ps" in s)


def test_factors_of_single_sums() -> None:
    target = Target.named("avx512")
    found = loops_of_sums(assembly(emit(plan(lower(TEN_CLASSES), target), target, TEN_CLASSES.name), target))
    products = [s for body in found for s in body if "vfmadd231ps" in s]
    assert len(products) >= 8
    assert all(ONE_REGISTER.search(s) for s in products), "\n".join(products)

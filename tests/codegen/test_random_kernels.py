"""Random kernels: native code in fenced memory, on several shares, against numpy. More seeds: KCOMPILE_FUZZ=from:to."""

from __future__ import annotations

import os

import numpy as np
import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.nest_text import parse_nest, print_nest
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.interpret import evaluate_kernel
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import print_kernel
from kcompile.ir.types import evaluate_dim

from .harness import Native, run_native
from .random_kernels import random_kernel
from .random_windows import random_window

FIRST, LAST = (int(n) for n in os.environ.get("KCOMPILE_FUZZ", "0:120").split(":"))


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_random_kernel(seed: int) -> None:
    check(random_kernel(seed), seed, (1, 6, 19), Target.named("avx2") if seed % 7 == 0 else Target.host())


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_random_window(seed: int) -> None:
    check(random_window(seed), seed, (1, 3), Target.named("avx2") if seed % 3 == 0 else Target.host())


def check(kernel: Kernel, seed: int, batches: tuple[int, ...], target: Target) -> None:
    nest = plan(lower(kernel), target)
    assert print_nest(parse_nest(print_nest(nest))) == print_nest(nest)
    compiled = Native(nest, target)
    for batch in batches if nest.symbols else (1,):
        symbols = {"B": batch}
        rng = np.random.default_rng([seed, batch])
        given = {}
        for name, kind in kernel.arrays.items():
            shape = tuple(evaluate_dim(d, symbols) for d in kind.shape)
            values = rng.standard_normal(shape) if kind.dtype.is_float else rng.integers(-3, 4, shape)
            given[name] = np.array(values, dtype=kind.dtype.numpy, order="C")
        want = {n: a.copy() for n, a in given.items()}
        evaluate_kernel(kernel, want, symbols)
        got = run_native(compiled, given, symbols, 1 + seed % 3, before=seed % 2 == 0)
        for name in kernel.writes:
            wide = want[name].astype(np.float64)
            scale = float(np.abs(np.where(np.isfinite(wide), wide, 0)).max(initial=1.0))
            tolerance = {2: 4e-3, 4: 1e-4, 8: 1e-11}[want[name].dtype.itemsize]
            np.testing.assert_allclose(got[name].astype(np.float64), wide, rtol=tolerance, atol=tolerance * scale,
                                       err_msg=f"B={batch}\n{print_kernel(kernel)}\n{print_nest(nest)}")

"""Every kind of kernel: unscheduled nest, scheduled nest and native code against the description evaluated by numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kcompile.codegen.interpret import interpret
from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel
from kcompile.ir.types import evaluate_dim

from .harness import Native, native, run_native
from .kernels import ALL
from .reference import evaluate

Array = npt.NDArray[Any]
KERNELS = {name: parse_kernel(text.strip() + "\n") for name, text in ALL.items()}
HIGH = {"ids": 11, "t": 10, "step": 5}  # integers of these arrays are below this
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 2e-3, "bfloat16": 1e-2}


def inputs(kernel: Kernel, symbols: dict[str, int], seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    out: dict[str, Array] = {}
    for name, kind in kernel.arrays.items():
        shape = tuple(evaluate_dim(d, symbols) for d in kind.shape)
        if kind.dtype.is_float:
            data = rng.standard_normal(shape)
            data = np.abs(data) if name in ("v", "count") else data
        elif kind.dtype.name == "bool":
            data = rng.integers(0, 2, shape)
        else:
            data = rng.integers(0, 9 if name == "column" or "columns" in kernel.name else HIGH.get(name, 100), shape)
        out[name] = np.array(data, dtype=kind.dtype.numpy, order="C")
    return out


def assert_close(kernel: Kernel, got: dict[str, Array], want: dict[str, Array], what: str) -> None:
    for name in kernel.writes:
        a, b = got[name], want[name]
        if a.dtype.kind in "iub":
            np.testing.assert_array_equal(a, b, err_msg=f"{what}: {name}")
        else:
            tolerance = TOLERANCE[a.dtype.name]
            wide = b.astype(np.float64)
            scale = max(1.0, float(np.abs(wide).max(initial=0)))  # long sums cancel: errors are relative to their size
            np.testing.assert_allclose(a.astype(np.float64), wide, rtol=tolerance, atol=tolerance * scale, err_msg=f"{what}: {name}")


@pytest.mark.parametrize("name", KERNELS)
def test_nests_agree_with_the_description(name: str) -> None:
    kernel = KERNELS[name]
    long = name.startswith("conv_")  # the interpreter of nests is slow
    symbols = {"B": 1 if long else 3}
    given = inputs(kernel, symbols)
    want = evaluate(kernel, given, symbols)
    nest = lower(kernel)
    targets = ("avx512",) if long else ("avx512", "avx2", "scalar")
    for what, stage in [("lowered", nest)] + [(t, plan(nest, Target.named(t))) for t in targets]:
        memory = {n: a.copy() for n, a in given.items()}
        for written, read in kernel.in_place.items():
            memory[written] = memory[read]
        interpret(stage, memory, symbols)
        assert_close(kernel, memory, want, what)


@pytest.mark.parametrize("name", KERNELS)
def test_native_agrees_with_the_description(name: str) -> None:
    kernel = KERNELS[name]
    compiled = native(kernel)
    for batch in (1, 2, 7, 8, 15, 16, 17, 33, 64):
        symbols = {"B": batch}
        given = inputs(kernel, symbols, batch)
        want = evaluate(kernel, given, symbols)
        got = run_native(compiled, given, symbols)
        assert_close(kernel, got, want, f"B={batch}")
        for shares in (2, 5):
            again = run_native(compiled, given, symbols, shares, before=shares == 2)
            for array in kernel.writes:
                assert again[array].tobytes() == got[array].tobytes(), f"B={batch}, {shares} shares: {array}"


@pytest.mark.parametrize("name", KERNELS)
def test_an_empty_batch_is_no_crash(name: str) -> None:
    kernel = KERNELS[name]
    symbols = {"B": 0}
    arrays = inputs(kernel, symbols)
    got = run_native(native(kernel), arrays, symbols)
    if name != "argmax":  # where the largest of nothing is, the reference cannot say
        assert_close(kernel, got, evaluate(kernel, arrays, symbols), "no rows")


@pytest.mark.parametrize("target", ["avx2", "scalar"])
@pytest.mark.parametrize("name", ["chain", "pad", "softmax", "column_sum", "dense", "adam", "conv", "take", "halves",
                                  "narrow_input_gradient", "turned_of_a_long_sum", "turned_of_a_long_sum_with_an_epilogue",
                                  "double_turned"])
def test_other_targets(name: str, target: str) -> None:
    kernel = KERNELS[name]
    symbols = {"B": 9}
    given = inputs(kernel, symbols)
    compiled = Native(plan(lower(kernel), Target.named(target)), Target.named(target))
    assert_close(kernel, run_native(compiled, given, symbols), evaluate(kernel, given, symbols), target)


@pytest.mark.parametrize("name", ["dense", "logits", "one_unit", "conv", "softmax", "softmax_long", "layernorm", "max_pool", 
                                  "input_gradient", "batched_dot", "vector_product", "crossentropy"])
def test_a_row_has_the_same_bits_in_any_batch(name: str) -> None:
    kernel = KERNELS[name]
    compiled = native(kernel)
    given = inputs(kernel, {"B": 40})
    batched = {n for n, kind in kernel.arrays.items() if kind.shape and str(kind.shape[0]) == "B"}
    whole = run_native(compiled, given, {"B": 40})
    for batch in (1, 3, 7, 31, 32, 33):
        part = run_native(compiled, {n: np.ascontiguousarray(a[:batch]) if n in batched else a for n, a in given.items()}, {"B": batch})
        for array in kernel.writes:
            np.testing.assert_array_equal(part[array], whole[array][:batch], err_msg=f"B={batch}: {array}")

"""An update of a weight by a sum of products multiplies and adds in one instruction: a*b + c is rounded once, wherever the element lies."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile.ir.kernel import Kernel
from kcompile.ir.text.kernels import parse_kernel

from .harness import native
from .test_native import inputs, run_native

FORMS = {  # of the sum g and the old value m: the expression, and the same in float64
    "product last": ("m[i, j] + g * 0.1", lambda g, m: m + g * np.float64(np.float32(0.1))),
    "product first": ("g * 0.1 + m[i, j]", lambda g, m: m + g * np.float64(np.float32(0.1))),
    "less a product": ("m[i, j] - g * 0.1", lambda g, m: m - g * np.float64(np.float32(0.1))),
    "product less": ("g * g - m[i, j]", lambda g, m: g * g - m),
}
SIZES = (37, 21)  # tiles, and what is left of them


def kernel_of(expr: str, in_place: bool) -> Kernel:
    """Of a sum with one term, whose other factor is 1: it is exact."""
    rows, columns = SIZES
    return parse_kernel(f"""
kernel update
  axes i:{rows}, j:{columns}, k:B
  read x: f32[B, {rows}], d: f32[B, {columns}], m: f32[{rows}, {columns}]
  write m2: f32[{rows}, {columns}]
  reduce g[i, j] = add over k of x[k, i] * d[k, j]
  store m2[i, j] = {expr}
{"  in_place m2 = m" if in_place else ""}
""".lstrip())


@pytest.mark.parametrize("form", FORMS)
def test_rounded_once_where_in_place(form: str) -> None:
    expr, exact = FORMS[form]
    found = {}
    for in_place in (True, False):
        kernel = kernel_of(expr, in_place)
        arrays = inputs(kernel, {"B": 1})
        arrays["x"][...] = 1
        found[in_place] = run_native(native(kernel), arrays, {"B": 1}, shares=2)["m2"]
        g, m = np.broadcast_to(arrays["d"], SIZES).astype(np.float64), arrays["m"].astype(np.float64)
        if in_place:
            np.testing.assert_array_equal(found[True], exact(g, m).astype(np.float32))
    assert not np.array_equal(found[True], found[False])  # two roundings differ from one

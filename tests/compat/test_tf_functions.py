"""Every tf.* function against numpy: on arrays, on eager tensors, and in a trace as inside a layer that trains."""

import math
import re

import numpy as np
import pytest
from tf_cases import CASES, DATA, Case

import kcompile.compat.tf as tf
from kcompile.ir.evaluate import evaluate
from kcompile.tensor import Tensor
from kcompile.tracing import Trace


def _names(expression: str) -> list[str]:
    return [name for name in DATA if re.search(rf"(?<![\w.'\"]){name}(?!\w|=[^=])", expression)]


def _check(case: Case, dtype: str, shape: tuple, found: np.ndarray) -> None:
    want = np.asarray(eval(case.numpy, {"np": np, "math": math, **DATA}))
    assert dtype == case.dtype
    assert tuple(shape) == want.shape
    kind = complex if case.dtype.startswith("complex") else float
    tolerance = max(case.tolerance, 1e-3 if case.dtype == "float16" else 0)
    np.testing.assert_allclose(found.astype(kind), want.astype(kind), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("given", ["arrays", "tensors"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tf)
def test_eager(case, given):
    data = DATA if given == "arrays" else {name: tf.constant(array) for name, array in DATA.items()}
    result = eval(case.tf, {"tf": tf, "np": np, **data})
    assert isinstance(result, Tensor)
    _check(case, result.dtype, result.shape, np.asarray(result.numpy()))


@pytest.mark.parametrize("case", [case for case in CASES if case.traced], ids=lambda case: case.tf)
def test_traced(case):
    used = _names(case.tf)
    with Trace("step") as trace:
        tensors = {name: trace.input(name, DATA[name].shape, DATA[name].dtype) for name in used}
        result = eval(case.tf, {"tf": tf, "np": np, **tensors})
        trace.output("result", result)
    given = {name: DATA[name] for name in trace.graph.params}
    outputs, _ = evaluate(trace.graph, params=given)
    _check(case, result.dtype, outputs["result"].shape, outputs["result"])

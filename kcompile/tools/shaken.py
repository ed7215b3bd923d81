"""How far the results of a step move when each op is off by a little: what a native step may differ by from the float64 one.

A step may be well or badly conditioned: a normalization over few rows, or a unit beside the kink of its relu, makes much of little. No
fixed tolerance fits all. So the float64 step is run again with every result that native code rounds moved at random, by what the op has
been seen to be off by in this very model (at least by one rounding of its type). The distance of those runs is the scale of the bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..ir.evaluate import Arrays, evaluate, run_node
from ..ir.graph import Graph, Node
from ..ir.passes.widen import widen

Array = npt.NDArray[Any]
RUNS = 2
SUMS = frozenset({"dot", "conv", "conv_input_grad", "conv_filter_grad", "reduce_sum", "cumsum", "window_sum", "window_sum_grad",
                  "scatter_add", "winograd_products"})
EXACT = frozenset({"constant", "iota", "dim_size", "random_bits", "neg", "abs", "sign", "floor", "ceil", "round", "maximum", "minimum",
                   "select", "stop_gradient", "reshape", "transpose", "broadcast", "slice", "pad", "concat", "reverse", "take",
                   "reduce_max", "reduce_min", "window_max", "window_max_grad"})  # native code rounds nothing there


def sum_scales(node: Node, arrays: list[Array], symbols: Mapping[str, int]) -> tuple[Array, ...]:
    """Of an op that adds up, the sums of the magnitudes of the terms: what its errors are measured by."""
    return run_node(node, [np.abs(a) if a.dtype.kind == "f" else a for a in arrays], symbols)


def shaken_runs(graph: Graph, params: Arrays, states: Arrays, symbols: Mapping[str, int], errors: Mapping[str, float]
                ) -> Iterator[tuple[Arrays, Arrays]]:
    """(outputs, updates) of the float64 step, RUNS times, each time moved otherwise. `errors`: of each op by name, relative."""
    wide = widen(graph)
    narrow = dict(zip(wide.nodes(), graph.nodes(), strict=True))
    for seed in range(RUNS):
        rng = np.random.default_rng(seed + 1)

        def moved(node: Node, arrays: list[Array], results: tuple[Array, ...], bindings: Mapping[str, int],
                  rng: np.random.Generator = rng) -> tuple[Array, ...]:
            if node.op.name in EXACT or all(a.dtype.kind != "f" for a in results):
                return results
            scales = sum_scales(node, arrays, bindings) if node.op.name in SUMS else results
            out = []
            for value, array, scale in zip(narrow[node].outputs, results, scales, strict=True):
                if array.dtype.kind == "f":
                    amount = max(float(value.dtype.limits.eps), errors.get(node.op.name, 0.0) if node.op.name in SUMS else 0.0)
                    array = array + amount * rng.uniform(-1.0, 1.0, array.shape) * scale
                out.append(array)
            return tuple(out)
        yield evaluate(wide, params, states, symbols, moved)

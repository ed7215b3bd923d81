"""Runs passes one by one, verifies what each returns and evaluates it before and after; names the guilty pass.

Switched on by KCOMPILE_CHECK=1, and in the project's own tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcompile.common.struct import refuse_changes

from ..evaluate import evaluate
from ..execute import run_program
from ..graph import Graph
from ..program import Program
from ..types import TensorType, evaluate_dim
from ..verify import verify_graph, verify_program

refuse_changes()
BATCH = 3  # rows of the random batch on which the stages are compared
Pass = tuple[str, Callable[[Any, Any], Any]]


class PassError(AssertionError):
    """A pass broke the program; the message names it and what differs."""


def _draw(rng: np.random.Generator, type_: TensorType, symbols: dict[str, int]) -> Any:
    shape = tuple(evaluate_dim(d, symbols) for d in type_.shape)
    if type_.dtype.is_float:
        return (rng.random(shape) * 0.9 + 0.05).astype(type_.dtype.numpy)  # positive: also fit for log, sqrt, second moments
    if type_.dtype.kind == "b":
        return rng.random(shape) < 0.5
    return rng.integers(0, 2, shape).astype(type_.dtype.numpy)


def _evaluate(item: Graph | Program, params: dict[str, Any], states: dict[str, Any]) -> dict[str, Any]:
    if isinstance(item, Graph):
        outputs, updates = evaluate(item, params, states)
        after = {**states, **updates}
    else:
        outputs, after = run_program(item, params, states)
    return {**{f"output {k}": v for k, v in outputs.items()}, **{f"state {k}": v for k, v in after.items()}}


def run_checked(graph: Graph, passes: Sequence[Pass], target: Any = None) -> Program:
    """The last pass's result; `target` is handed on to each. Raises PassError."""
    rng = np.random.default_rng(0)
    symbols = dict.fromkeys(sorted(graph.symbols()), BATCH)
    params = {name: _draw(rng, v.type, symbols) for name, v in graph.params.items()}
    states = {path: _draw(rng, v.type, symbols) for path, v in graph.states.items()}
    verify_graph(graph)
    item: Any = graph
    wanted = _evaluate(graph, params, states)
    for name, run in passes:
        item = run(item, target)
        if isinstance(item, Graph):
            verify_graph(item)
        else:
            verify_program(item)
        got = _evaluate(item, params, states)
        for key, value in wanted.items():
            _compare(name, key, np.asarray(value), np.asarray(got.get(key)))
    result: Program = item
    return result


def _compare(name: str, key: str, wanted: Any, got: Any) -> None:
    if wanted.shape != got.shape or wanted.dtype != got.dtype:
        raise PassError(f"pass {name!r} changed {key} from {wanted.dtype}{list(wanted.shape)} to {got.dtype}{list(got.shape)}")
    if wanted.dtype.kind in "fV" or not np.issubdtype(wanted.dtype, np.integer):
        a, b = wanted.astype(np.float64), got.astype(np.float64)
        tolerance = 2e-2 if wanted.dtype.itemsize == 2 else 1e-3
        scale = max(1.0, float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0)))  # sums are reordered: errors are of the largest term's size
        if np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
            return
        worst = float(np.nanmax(np.abs(a - b))) if a.size else 0.0
        raise PassError(f"pass {name!r} changed the value of {key} by {worst:.3g}")
    if not np.array_equal(wanted, got):
        raise PassError(f"pass {name!r} changed the value of {key}")

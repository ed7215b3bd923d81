"""Arrays to run a step on: the model's own weights and random data that the step accepts, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..ir.graph import Graph
from ..ir.sampling import bound_type
from ..ir.types import TensorType
from .report import TargetError
from .subject import Subject

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Operands:
    params: dict[str, Array]
    states: dict[str, Array]
    symbols: dict[str, int]


def operands(subject: Subject, batch: int, seed: int = 0) -> tuple[Graph, Operands]:
    """(the traced graph, arrays for its params and states). Weights are the model's; of a text, random. Raises TargetError."""
    if batch < 1:
        raise TargetError(f"the batch must be at least 1, not {batch}")
    if not isinstance(subject.item, Graph):
        raise TargetError(f"{subject.name} holds the stage {subject.start!r}; this tool needs a graph")
    graph, known, limits = subject.item, {}, {}
    if subject.model is not None:
        from ..training.steps import default_spec, trace_step
        kind = graph.name.rpartition(".")[2]
        step = trace_step(subject.model, kind, default_spec(subject.model, kind))
        graph, known = step.graph, {path: variable.numpy() for path, variable in step.variables.items()}
        limits = {r.param: r.limit for r in step.ranges}
    symbols = {"B": batch}
    others = sorted(graph.symbols() - set(symbols))
    if others:
        raise TargetError(f"{subject.name} has other sizes than the batch that are unknown: {', '.join(others)}")
    rng = np.random.default_rng(seed)
    params = {name: _draw(rng, bound_type(v.type, symbols), limits.get(name, 2)) for name, v in graph.params.items()}
    states = {}
    for path, value in graph.states.items():
        given = known.get(path)
        states[path] = _draw(rng, bound_type(value.type, symbols), 2) if given is None \
            else np.array(given, value.dtype.numpy, order="C", copy=True).reshape(bound_type(value.type, symbols).shape)  # type: ignore[arg-type]
    return graph, Operands(params, states, symbols)


def _draw(rng: np.random.Generator, type_: TensorType, limit: int) -> Array:
    shape: Any = type_.shape
    if type_.dtype.is_float:
        return np.asarray(rng.uniform(0.05, 0.95, shape)).astype(type_.dtype.numpy)
    if type_.dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    return np.asarray(rng.integers(0, limit, shape)).astype(type_.dtype.numpy)

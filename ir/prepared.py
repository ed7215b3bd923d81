"""A graph that the numpy interpreter runs many times on arrays of the same types: what does not depend on them is found out once.

Nothing is checked: that is for the first run, which `evaluate` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .evaluate import SOURCES, bind
from .graph import Graph, Value
from .ops.pseudo import PSEUDO_OPS

Array = npt.NDArray[Any]
Step = tuple[Callable[..., Any], tuple[int, ...], dict[str, Any], tuple[int, ...], tuple[int, ...]]


class Prepared:
    """Of a graph, for one size of each of its symbols."""

    def __init__(self, graph: Graph, symbols: Mapping[str, int]) -> None:
        if any(node.op.name in PSEUDO_OPS for node in graph.links):
            from .passes.differentiate import differentiate
            graph = differentiate(graph)
        order = graph.nodes()
        place: dict[Value, int] = {}
        for node in order:
            for value in node.outputs:
                place[value] = len(place)
        last = {value: node for node in order for value in node.inputs}
        roots = set(graph.roots())
        self._count = len(place)
        self._params = [(name, place[value]) for name, value in graph.params.items()]
        self._states = [(path, place[value]) for path, value in graph.states.items()]
        self._outputs = [(name, place[value]) for name, value in graph.outputs.items()]
        self._steps: list[Step] = []  # reference, operands, attributes, results, and what no later step reads
        for node in order:
            if node.op.name in SOURCES:
                continue
            dead = {value for value in node.inputs if last[value] is node} | {value for value in node.outputs if value not in last}
            self._steps.append((node.op.reference, tuple(place[v] for v in node.inputs),
                                {name: bind(value, symbols) for name, value in node.attrs.items()},
                                tuple(place[v] for v in node.outputs), tuple(place[v] for v in dead - roots)))

    def run(self, params: Mapping[str, Array], states: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        live: list[Any] = [None] * self._count
        for name, place in self._params:
            live[place] = params[name]
        for path, place in self._states:
            live[place] = states[path]
        with np.errstate(all="ignore"):
            for reference, operands, attrs, results, dead in self._steps:
                found = reference(*[live[place] for place in operands], **attrs)
                for place, array in zip(results, found if isinstance(found, tuple) else (found,), strict=True):
                    live[place] = np.asarray(array)
                for place in dead:
                    live[place] = None
        return {name: live[place] for name, place in self._outputs}

"""The numpy interpreter of graphs: eager mode, and the oracle of every test.

    outputs, updates = evaluate(graph, params={"x": x}, states={"dense/kernel": w})

Symbols are read off the shapes of the arrays given; attributes that hold Dims are bound before an op's reference runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .graph import Graph, GraphError, Node, Value
from .ops.pseudo import PSEUDO_OPS
from .types import Dim, TensorType, evaluate_dim

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
After = Callable[[Node, list[Array], tuple[Array, ...], Mapping[str, int]], tuple[Array, ...]]  # node, operands, results, symbols
SOURCES = ("param", "state")


def evaluate(graph: Graph, params: Mapping[str, npt.ArrayLike] | None = None,
             states: Mapping[str, npt.ArrayLike] | None = None,
             symbols: Mapping[str, int] | None = None, after: After | None = None) -> tuple[Arrays, Arrays]:
    """Run a graph with numpy: (outputs by name, new values of the updated states by path).

    Every param and state of the graph must be given, with its dtype and shape (Python numbers and lists are converted).
    `symbols` binds symbols that no shape tells. `after` may put other results in place of each node's. Raises TypeError or
    ValueError naming the param or state at fault.
    """
    if any(node.op.name in PSEUDO_OPS for node in graph.links):
        from .passes.differentiate import differentiate
        graph = differentiate(graph)
    given: dict[Value, Array] = {}
    for kind, values, arrays in (("param", graph.params, params or {}), ("state", graph.states, states or {})):
        unknown = sorted(set(arrays) - set(values))
        if unknown:
            raise ValueError(f"{kind} {unknown[0]!r} is not one of graph {graph.name}: {', '.join(values) or 'it has none'}")
        for name, value in values.items():
            if name not in arrays:
                raise ValueError(f"{kind} {name!r} of graph {graph.name} ({value.type}) was not given")
            given[value] = _as_array(arrays[name], value.type, f"{kind} {name!r}")
    bindings = bind_symbols([(value.type, array.shape, _describe(value.node)) for value, array in given.items()], symbols)
    missing = sorted(graph.symbols() - set(bindings))
    if missing:
        raise ValueError(f"no shape tells the size of symbol {missing[0]}: give symbols={{{missing[0]!r}: ...}}")

    results = _run(graph, given, bindings, after)
    return ({name: results[value] for name, value in graph.outputs.items()},
            {path: results[value] for path, value in graph.updates.items()})


def _run(graph: Graph, given: Mapping[Value, Array], bindings: Mapping[str, int], after: After | None) -> dict[Value, Array]:
    """Values of the graph's roots; an intermediate is dropped after its last reader."""
    order = graph.nodes()
    last_reader: dict[Value, Node] = {value: node for node in order for value in node.inputs}
    roots = set(graph.roots())
    live: dict[Value, Array] = {}
    with np.errstate(all="ignore"):
        for node in order:
            if node.op.name in SOURCES:
                live[node.output] = given[node.output]
                continue
            arrays = [live[value] for value in node.inputs]
            results = run_node(node, arrays, bindings)
            if after is not None:
                results = after(node, arrays, results, bindings)
            for value in set(node.inputs):
                if last_reader[value] is node and value not in roots:
                    del live[value]
            for value, array in zip(node.outputs, results, strict=True):
                if value in last_reader or value in roots:
                    live[value] = array
    return live


def run_node(node: Node, arrays: list[Array], bindings: Mapping[str, int]) -> tuple[Array, ...]:
    """The outputs of one node; raises GraphError where the reference breaks what `infer` promised."""
    attrs = {name: bind(value, bindings) for name, value in node.attrs.items()}
    result = node.op.reference(*arrays, **attrs)
    results = result if isinstance(result, tuple) else (result,)
    out = []
    for value, array in zip(node.outputs, results, strict=True):
        array = np.asarray(array)
        shape = tuple(evaluate_dim(d, bindings) for d in value.shape)
        if array.shape != shape or array.dtype != value.dtype.numpy:
            raise GraphError(f"the reference of {node.op.name} gave {array.dtype}{list(array.shape)}, "
                             f"but {value.dtype.long_name}{list(shape)} was inferred")
        out.append(array)
    return tuple(out)


def bind(value: Any, bindings: Mapping[str, int]) -> Any:
    """An attribute with every Dim in it replaced by its number."""
    if isinstance(value, Dim):
        return value.evaluate(bindings)
    if isinstance(value, tuple):
        return tuple(bind(v, bindings) for v in value) if value else value
    if isinstance(value, TensorType):
        return TensorType(tuple(evaluate_dim(d, bindings) for d in value.shape), value.dtype)
    return value


def bind_symbols(shapes: list[tuple[TensorType, tuple[int, ...], str]],
                 symbols: Mapping[str, int] | None = None) -> dict[str, int]:
    """The size of each symbol from (declared type, shape given, what it is). Raises ValueError on a disagreement."""
    bindings = dict(symbols or {})
    origin = dict.fromkeys(bindings, "the symbols given")
    waiting: list[tuple[Dim, int, str]] = []
    for declared, shape, what in shapes:
        if len(shape) != declared.rank:
            raise ValueError(f"{what}: expected {declared}, given shape {shape}")
        for dim, size in zip(declared.shape, shape, strict=True):
            if isinstance(dim, Dim):
                waiting.append((dim, size, what))
            elif dim != size:
                raise ValueError(f"{what}: expected {declared}, given shape {shape}")
    progress = True
    while waiting and progress:
        progress = False
        for dim, size, what in list(waiting):
            unknown = [name for name in dim.symbols if name not in bindings]
            if not unknown:
                if dim.evaluate(bindings) != size:
                    raise ValueError(f"{what}: dimension {dim} is {size}, but "
                                     + ", ".join(f"{n} = {bindings[n]} from {origin[n]}" for n in sorted(dim.symbols)))
            elif len(unknown) == 1 and (solved := _solve(dim, size, unknown[0], bindings)) is not None:
                bindings[unknown[0]] = solved
                origin[unknown[0]] = what
            else:
                continue
            waiting.remove((dim, size, what))
            progress = True
    return bindings


def _solve(dim: Dim, size: int, name: str, bindings: Mapping[str, int]) -> int | None:
    """The size of `name` that makes `dim` equal `size`, where the dimension is linear in it."""
    constant = slope = 0
    for monomial, factor in dim.terms:
        if monomial.count(name) > 1:
            return None
        for other in monomial:
            factor *= 1 if other == name else bindings[other]
        if name in monomial:
            slope += factor
        else:
            constant += factor
    if slope == 0 or (size - constant) % slope:
        return None
    return (size - constant) // slope


def _as_array(given: npt.ArrayLike, declared: TensorType, what: str) -> Array:
    array = np.asarray(given)
    if not isinstance(given, (np.ndarray, np.generic)) and (declared.dtype.is_float or array.dtype.kind != "f"):
        return array.astype(declared.dtype.numpy)
    if array.dtype != declared.dtype.numpy:
        raise TypeError(f"{what}: expected {declared.dtype.long_name}, given {array.dtype}")
    return array


def _describe(node: Node) -> str:
    kind = node.op.name
    return f"{kind} {node.attrs['name' if kind == 'param' else 'path']!r}"

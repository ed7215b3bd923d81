"""Eager operations: a function is traced once for each signature, then the graph is run on the arrays.

Small graphs are run by the numpy interpreter; one with much arithmetic is compiled, like a model's step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from . import tracing, tree
from .conversion import as_array
from .dtypes import EAGER_ONLY_NAMES, standardize_dtype
from .ir.evaluate import evaluate
from .ir.graph import Graph
from .ir.prepared import Prepared
from .ir.types import DimLike, product
from .memory_order import ORDER, Ordered, held
from .tensor import KerasTensor, Tensor, TracedTensor
from .variables import Variable

Array = npt.NDArray[Any]
CACHE_SIZE = 1024  # signatures remembered; loops over ever new static arguments must not grow it
# How long numpy takes for a multiply-add of these ops, in units of that of a matrix product.
SLOWNESS = {"dot": 1, "conv": 8, "conv_input_grad": 8, "conv_filter_grad": 8, "window_max": 2, "window_sum": 2}
KEPT_BYTES = 1 << 20  # of temps: an operation that needs more gives them back, since a model is made of many operations
NATIVE_WORK = 64_000_000  # units from which compiling (0.05 to 0.1 s, the first time) pays


@dataclass
class Traced:
    """A function traced for one signature: its graph over params p0, p1, ...; `result` has an index at each output's place."""

    graph: Graph
    variables: dict[str, Variable]
    result: Any
    logits: dict[int, int]  # output number -> number of the output that holds its logits
    native: Any = None
    checked: bool = False
    prepared: Prepared | None = None
    work: int = 0
    dtypes: list[Any] = field(default_factory=list)

    def states(self) -> dict[str, Array]:
        """What the variables hold now."""
        return {path: variable.array for path, variable in self.variables.items()}


_cache: OrderedDict[Any, Traced] = OrderedDict()


class _Slot:
    """The place of tensor number `index` among the arguments; `logits` is the number of what it remembers, if it does."""

    def __init__(self, index: int, logits: int | None = None) -> None:
        self.index = index
        self.logits = logits


def run(body: tracing.Body, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function under `@operation` on eager values; results are Tensors."""
    if _may_move(args) or (kwargs and _may_move(kwargs.values())):
        with ORDER.lock:
            return _run(body, args, kwargs)
    return _run(body, args, kwargs)


def _may_move(values: Iterable[Any]) -> bool:
    """Whether the memory of a variable among them may change its order."""
    for value in values:
        if isinstance(value, Variable):
            if value.moves:
                return True
        elif isinstance(value, (list, tuple)) and _may_move(value):
            return True
    return False


def _run(body: tracing.Body, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    arrays: list[Array] = []
    tensors: list[Array] = []
    key_parts: list[Any] = [body]
    remembered = [value for value in (*args, *kwargs.values()) if hasattr(value, "_keras_logits")] if body.remembers else []
    plan_args = [_plan(value, body.tensor_position(i), arrays, tensors, key_parts) for i, value in enumerate(args)]
    plan_kwargs = {}
    for name, value in kwargs.items():
        key_parts.append(name)
        plan_kwargs[name] = _plan(value, name in body.tensors, arrays, tensors, key_parts)
    for value in remembered:
        slot = next(s for s in (*plan_args, *plan_kwargs.values()) if isinstance(s, _Slot) and arrays[s.index] is value._array)
        key_parts.append("logits")
        slot.logits = _plan(value._keras_logits, True, arrays, tensors, key_parts).index
    key = tuple(key_parts)
    try:
        traced = _cache.get(key)
        cacheable = True
        if traced is not None:
            _cache.move_to_end(key)
    except TypeError:  # an argument that cannot be hashed: traced anew each time
        traced, cacheable = None, False
    if traced is None:
        traced = _trace(body, plan_args, plan_kwargs, arrays)
        if cacheable:
            _cache[key] = traced
            if len(_cache) > CACHE_SIZE:
                _cache.popitem(last=False)
    if not traced.variables:
        return _finish(traced, _compute(traced, arrays), arrays, tensors)
    with held(traced.variables.values()):
        return _finish(traced, _compute(traced, arrays), arrays, tensors)


def run_host(body: tracing.Body, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a numpy function on eager values: tensors become arrays, resulting arrays Tensors."""
    def enter(value: Any, is_tensor: bool) -> Any:
        if value is None or not (is_tensor or isinstance(value, (Tensor, Variable))):
            return value
        return _stored(value)

    if _may_move(args) or _may_move(kwargs.values()):
        with ORDER.lock:
            return _on_host(enter, body, function, args, kwargs)
    return _on_host(enter, body, function, args, kwargs)


def _on_host(enter: Callable[[Any, bool], Any], body: tracing.Body, function: Callable[..., Any], args: tuple[Any, ...],
             kwargs: dict[str, Any]) -> Any:
    given = [enter(value, body.tensor_position(i)) for i, value in enumerate(args)]
    named = {name: enter(value, name in body.tensors) for name, value in kwargs.items()}
    arrays = [value for value in tree.flatten([given, list(named.values())]) if isinstance(value, np.ndarray)]
    with np.errstate(all="ignore"):
        result = function(*given, **named)
    return tree.map_structure(lambda leaf: Tensor(_own(leaf, arrays)) if isinstance(leaf, (np.ndarray, np.generic)) else leaf, result)


def _plan(value: Any, is_tensor: bool, arrays: list[Array], tensors: list[Array], key: list[Any]) -> Any:
    """The argument with slots in place of arrays; what the trace depends on is appended to the key. `tensors`: the arrays that are
    those of eager tensors, which nobody writes."""
    if isinstance(value, (Tensor, np.ndarray, Variable)) or (hasattr(value, "__array__") and not isinstance(value, (type, KerasTensor))):
        if not is_tensor:  # a static argument given as an array: its numbers
            plain = tuple(np.asarray(value).tolist()) if np.ndim(value) else np.asarray(value).item()
            key.append(_frozen(plain))
            return plain
        array = _stored(value)
        key.append((array.shape, array.dtype.char, "array"))
        arrays.append(array)
        if isinstance(value, Tensor):
            tensors.append(array)
        return _Slot(len(arrays) - 1)
    if isinstance(value, (list, tuple)) and tree.is_nested(value):
        key.append((type(value).__name__, len(value)))
        parts = [_plan(item, is_tensor, arrays, tensors, key) for item in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    key.append(_frozen(value))
    return value


def _stored(value: Any) -> Array:
    if isinstance(value, Variable):
        from .variables import autocast_dtype

        array = value.array
        cast = autocast_dtype(value)
        return array if cast is None else array.astype(cast)
    array = as_array(value)
    if array.dtype.kind in "cOUS":
        name = standardize_dtype(array.dtype)
        if name in EAGER_ONLY_NAMES:
            raise TypeError(f"{name} tensors can be made, indexed and printed, but no operation computes with them")
    return array


def _frozen(value: Any) -> Any:
    """A hashable stand-in that tells 1, 1.0 and True, and 0.0 and -0.0, apart."""
    if isinstance(value, (int, float, bool)):
        return type(value), repr(value)
    if isinstance(value, tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, slice):
        return "slice", _frozen(value.start), _frozen(value.stop), _frozen(value.step)
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in sorted(value.items()))
    return value


def _trace(body: tracing.Body, plan_args: list[Any], plan_kwargs: dict[str, Any], arrays: list[Array]) -> Traced:
    with tracing.Trace(body.name) as trace:
        inputs = [trace.input(f"p{i}", array.shape, array.dtype) for i, array in enumerate(arrays)]

        def fill(value: Any) -> Any:
            if isinstance(value, _Slot):
                if value.logits is not None:
                    inputs[value.index]._keras_logits = inputs[value.logits]  # type: ignore[attr-defined]
                return inputs[value.index]
            if isinstance(value, list):
                return [fill(item) for item in value]
            return tuple(fill(item) for item in value) if type(value) is tuple else value

        result = body.function(*[fill(value) for value in plan_args], **{name: fill(value) for name, value in plan_kwargs.items()})
        leaves: list[TracedTensor] = []
        numbers: dict[int, int] = {}

        def number(leaf: Any) -> Any:
            if isinstance(leaf, tracing.SymbolicSize):
                leaf = leaf.tensor()
            if not isinstance(leaf, TracedTensor):
                return leaf
            if id(leaf) not in numbers:
                numbers[id(leaf)] = len(leaves)
                leaves.append(leaf)
                trace.output(f"r{numbers[id(leaf)]}", leaf)
            return _Slot(numbers[id(leaf)])

        structure = tree.map_structure(number, result)
        logits = {}
        for position, leaf in enumerate(list(leaves)):
            if hasattr(leaf, "_keras_logits"):
                logits[position] = number(leaf._keras_logits).index
    return Traced(trace.graph, dict(trace.variables), structure, logits, work=_work(trace.graph), dtypes=[leaf.dtype for leaf in leaves])


def _work(graph: Graph) -> int:
    """What numpy would take for the ops that native code is much faster at."""
    total = 0
    for node in graph.links:
        name = node.op.name
        if name not in SLOWNESS:
            continue
        size = _count(node.output.shape)
        if name == "dot":
            size *= _count([node.inputs[0].shape[axis] for axis in node.attrs["contract"][0]])
        elif name.startswith("conv"):
            size = max(size, *(_count(v.shape) for v in node.inputs)) * _count(node.inputs[-1].shape[:-1])
        else:
            size *= _count(node.attrs["window"])
        total += size * SLOWNESS[name]
    return total


def _count(shape: Sequence[DimLike]) -> int:
    """The number of elements of a shape without symbols."""
    return int(product(shape))  # type: ignore[arg-type]


def _compute(traced: Traced, arrays: list[Array]) -> list[Array]:
    params = {f"p{i}": array for i, array in enumerate(arrays)}
    given = {name: params[name] for name in traced.graph.params}
    if traced.work >= NATIVE_WORK:
        return _run_native(traced, given)
    if traced.checked:
        traced.prepared = traced.prepared or Prepared(traced.graph, {})
        outputs = traced.prepared.run(given, traced.states())
    else:
        outputs, _ = evaluate(traced.graph, params=given, states=traced.states())
        traced.checked = True
    return [outputs[f"r{i}"] for i in range(len(outputs))]


def _run_native(traced: Traced, params: dict[str, Array]) -> list[Array]:
    from .compiler import compile_graph

    if traced.native is None:
        traced.native = compile_graph(traced.graph, f"eager {traced.graph.name}")
    results = []
    program = traced.native.program
    variables = Ordered(program.buffers, traced.variables)
    arrays = {**{name: np.ascontiguousarray(array) for name, array in params.items()}, **variables.arrays()}
    for i in range(len(traced.graph.outputs)):
        kind = traced.graph.outputs[f"r{i}"].type
        results.append(np.empty([int(d) for d in kind.shape], kind.dtype.numpy))  # type: ignore[arg-type]
        arrays[program.outputs[f"r{i}"]] = results[-1]
    with variables.lock:
        variables.settle()
        traced.native.run(arrays, {})
    if traced.native.arena.nbytes > KEPT_BYTES:
        traced.native.release()
    return results


def _finish(traced: Traced, results: list[Array], given: list[Array], tensors: list[Array]) -> Any:
    made = [Tensor(_own(array, given, tensors), dtype) for array, dtype in zip(results, traced.dtypes, strict=False)]
    extra = [Tensor(_own(array, given, tensors)) for array in results[len(made):]]
    everything = made + extra
    for position, source in traced.logits.items():
        everything[position]._keras_logits = everything[source]  # type: ignore[attr-defined]
    return tree.map_structure(lambda leaf: everything[leaf.index] if isinstance(leaf, _Slot) else leaf, traced.result)


def _own(array: Any, given: Sequence[Array], tensors: Sequence[Array] = ()) -> Array:
    """The result as an array that nobody else writes: an argument, or a view of one (a reshape, a slice), is copied, unless it is all of a
    tensor's: that is never written."""
    found: Array = np.asarray(array)
    if found.base is None and not any(found is one for one in given):
        return found
    for one in tensors:
        if (found is one or found.base is one or (found.base is not None and found.base is one.base)) \
                and found.nbytes == one.nbytes and found.flags.c_contiguous:
            return found
    return found.copy()

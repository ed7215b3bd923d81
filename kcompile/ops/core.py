"""Conversion, shapes, and control flow that Python decides while tracing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import tracing, tree
from ..dtypes import DType, standardize_dtype
from ..ir import build
from ..ir.types import Dim
from ..tensor import KerasTensor, TracedTensor, eager_tensor
from ..tensor import is_tensor as is_tensor
from ..tracing import SymbolicSize, TraceError, current_trace, operation, size_of
from ..variables import Variable
from ._support import as_value, wrap
from .elementwise import cast
from .shapes import stack

__all__ = [
    "array", "associative_scan", "cond", "convert_to_numpy", "convert_to_tensor", "custom_gradient", "dtype", "fori_loop", "is_tensor",
    "map", "ndim", "scan", "shape", "size", "switch", "vectorized_map", "while_loop",
]


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """A tensor from anything like one; a tensor of the wanted dtype is returned as it is.

    Python floats become floatx, integers int32; numpy arrays keep their dtype.
    """
    if sparse or ragged:
        raise ValueError("sparse and ragged tensors are not supported")
    if isinstance(x, Variable):
        x = x.value
    if isinstance(x, SymbolicSize):
        return x.tensor(dtype or "int32")
    if isinstance(x, KerasTensor):
        return x if dtype is None or x.dtype == standardize_dtype(dtype) else cast(x, dtype)
    if isinstance(x, (list, tuple)) and any(isinstance(leaf, (KerasTensor, SymbolicSize)) for leaf in tree.flatten(x)):
        stacked = stack([convert_to_tensor(part) for part in x])
        return stacked if dtype is None else cast(stacked, dtype)
    if isinstance(x, (list, tuple)) and any(isinstance(leaf, Variable) for leaf in tree.flatten(x)):
        return convert_to_tensor([convert_to_tensor(part) for part in x], dtype)
    return eager_tensor(x, dtype)


def array(x: Any, dtype: Any = None) -> Any:
    """A tensor from anything like one."""
    return convert_to_tensor(x, dtype=dtype)


def convert_to_numpy(x: Any) -> Any:
    """The values as a numpy array of the caller's own. Raises TypeError for a symbolic tensor."""
    if isinstance(x, Variable):
        return x.numpy()
    return np.array(x)


def shape(x: Any) -> tuple[Any, ...]:
    """The sizes: integers, and inside a layer a symbolic size for what is not known before the data is.

    Of a KerasTensor, its shape with None for unknown sizes.
    """
    if isinstance(x, TracedTensor):
        return tuple(size_of(dim) for dim in x.value.shape)
    found = getattr(x, "shape", None)
    return tuple(found) if found is not None else tuple(eager_tensor(x).shape)


def ndim(x: Any) -> int:
    """The number of dimensions."""
    return len(shape(x))


def dtype(x: Any) -> DType:
    """The dtype's name."""
    found = getattr(x, "dtype", None)
    return eager_tensor(x).dtype if found is None else standardize_dtype(found)


@operation
def size(x: Any) -> Any:
    """The number of elements; int32."""
    value = as_value(x)
    total = value.type.size
    return SymbolicSize(total) if isinstance(total, Dim) else wrap(as_value(total, "int32"))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a function that returns (result, grad): `grad(upstream)` gives the gradient by each argument.

    Variables that f reads besides get the gradient of the result as it is computed.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return f(*args, **kwargs)[0]
        tensors = [wrap(build.stop_gradient(as_value(a))) if isinstance(a, (KerasTensor, Variable)) and as_value(a).dtype.is_float else a
                   for a in args]
        result, grad = f(*tensors, **kwargs)
        leaves = tree.flatten(result)
        return tree.pack_sequence_as(result, _with_gradient(leaves, args, grad))

    return call


def _with_gradient(leaves: list[Any], args: tuple[Any, ...], grad: Callable[..., Any]) -> list[Any]:
    from ..ir.op import OPS

    outputs = [as_value(leaf) for leaf in leaves]
    graph = outputs[0].graph
    upstream = [graph.add(OPS["cotangent"], (), {"name": f"cotangent{len(graph)}", "type": value.type})[0] for value in outputs]
    given = grad(*[wrap(value) for value in upstream])
    gradients = list(given) if isinstance(given, (tuple, list)) else [given]
    targets = [(as_value(a), g) for a, g in zip(args, gradients, strict=False)
               if g is not None and isinstance(a, (KerasTensor, Variable)) and as_value(a).dtype.is_float]
    operands = [*outputs, *(a for a, _ in targets), *upstream, *(as_value(g, wrap(a).dtype) for a, g in targets)]
    return [wrap(value) for value in graph.add(OPS["custom_gradient"], operands, {"outputs": len(outputs)})]


# -- control flow -------------------------------------------------------------------------------------------------
def _known_truth(pred: Any) -> bool | None:
    """A condition's value where it is known while tracing, else None."""
    if isinstance(pred, KerasTensor):
        return None
    if isinstance(pred, Variable) and tracing.in_trace():
        return None
    return bool(pred)


@contextmanager
def _no_assignments(name: str) -> Iterator[None]:
    """Raises TraceError where a variable is assigned inside: both branches run, so both assignments would count."""
    trace = current_trace()
    before = dict(trace.graph.updates) if trace is not None else {}
    yield
    changed = [] if trace is None else [path for path, value in trace.graph.updates.items() if before.get(path) != value]
    if changed:
        where = tracing.user_source()
        raise TraceError(f"{where + ': ' if where else ''}{name}: a branch assigns variable {changed[0]!r}, but while a model is traced "
                         "all branches run; assign ops.where(condition, new, old) instead")


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """true_fn() or false_fn(). While tracing, a condition on data runs both and selects: neither may assign variables."""
    known = _known_truth(pred)
    if known is not None:
        return true_fn() if known else false_fn()
    from .arithmetic import where

    with _no_assignments("cond"):
        results = true_fn(), false_fn()
    return tree.map_structure(lambda a, b: where(pred, a, b), *results)


def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """branches[index](*operands), the index kept within range."""
    if isinstance(index, KerasTensor) or (isinstance(index, Variable) and tracing.in_trace()):
        from .arithmetic import equal, where

        with _no_assignments("switch"):
            results = [branch(*operands) for branch in branches]
        chosen = results[-1]
        for n in range(len(results) - 2, -1, -1):
            test = equal(index, n) if n else index <= 0
            chosen = tree.map_structure(lambda a, b, test=test: where(test, a, b), results[n], chosen)
        return chosen
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def while_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """loop_vars = body(*loop_vars) while cond(*loop_vars), at the end as tensors. While tracing the condition must not depend on data."""
    single = not isinstance(loop_vars, (tuple, list))
    state = (loop_vars,) if single else tuple(loop_vars)
    count = 0
    while maximum_iterations is None or count < maximum_iterations:
        known = _known_truth(cond(*state))
        if known is None:
            where = tracing.user_source()
            raise TraceError(f"{where + ': ' if where else ''}while_loop: the condition depends on data, so the number of rounds is not "
                             "known while the model is traced; give loop variables that are Python numbers, or use fori_loop")
        if not known:
            break
        result = body(*state)
        state = tuple(result) if isinstance(result, (tuple, list)) else (result,)
        count += 1
    state = _as_tensors(state)
    return state[0] if single else state


def _as_tensors(state: Any) -> Any:
    """What a loop over Python numbers leaves, as Keras gives it: int32 and floatx."""
    return tree.map_structure(lambda leaf: leaf if leaf is None else convert_to_tensor(leaf), state)


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """init_val = body_fun(i, init_val) for i from lower to upper - 1, at the end as tensors; unrolled while tracing."""
    for i in range(int(lower), int(upper)):
        init_val = body_fun(i, init_val)
    return _as_tensors(init_val)


def scan(f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False,
         unroll: int | bool = 1) -> Any:
    """(carry, results) of f(carry, x) over the first axis of xs; unrolled while tracing."""
    count = length if xs is None else int(tree.flatten(xs)[0].shape[0])
    if count is None:
        raise ValueError("scan: give xs or length")
    carry, results = init, []
    for i in reversed(range(count)) if reverse else range(count):
        element = None if xs is None else tree.map_structure(lambda t, i=i: t[i], xs)
        carry, result = f(carry, element)
        results.append(result)
    if reverse:
        results.reverse()
    if not results or results[0] is None:
        return carry, None
    return carry, tree.map_structure(lambda *parts: stack(list(parts)), *results)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f over the first axis of xs, results stacked; unrolled while tracing."""
    return scan(lambda carry, x: (carry, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """function over the first axis of elements, results stacked; unrolled while tracing."""
    return map(function, elements)


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Running results of an associative function along an axis."""
    from .repetition import flip
    from .shapes import unstack

    flat = tree.flatten(elems)
    columns = [unstack(flip(t, axis) if reverse else t, axis=axis) for t in flat]
    rows = [tree.pack_sequence_as(elems, list(parts)) for parts in zip(*columns, strict=True)]
    results = rows[:1]
    for row in rows[1:]:
        results.append(f(results[-1], row))
    stacked = tree.map_structure(lambda *parts: stack(list(parts), axis=axis), *results)
    return tree.map_structure(lambda t: flip(t, axis), stacked) if reverse else stacked

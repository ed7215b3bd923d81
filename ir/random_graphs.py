"""Random well-typed training graphs (shrink.py makes those that show a fault small).

    graph = random_graph(seed=7)                      # params, states, a scalar loss, its gradients as updates

Values stay of moderate size and away from the poles and kinks of the ops, so that finite differences can judge them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import build
from .build import Number
from .graph import Graph, Value
from .rebuild import rebuild
from .shrink import shrink
from .types import Dim, DimLike, DType, Shape, TensorType, boolean, evaluate_dim, f32, i32, i64, is_static, product

__all__ = ["BATCH", "random_arrays", "random_graph", "shrink"]

BATCH = Dim.symbol("B")
LARGEST = 400  # elements a row of the batch


class _Maker:
    """Grows a graph value by value; `pool` holds the float values an op may take."""

    def __init__(self, rng: np.random.Generator, graph: Graph, dtype: DType) -> None:
        self.rng, self.graph, self.dtype = rng, graph, dtype
        self.pool: list[Value] = []
        self.weights: list[Value] = []

    def pick(self) -> Value:
        """A value of the pool, a recent one more likely."""
        depth = int(min(len(self.pool) - 1, self.rng.geometric(0.35) - 1))
        return self.pool[-1 - depth]

    def weight(self, shape: Shape) -> Value:
        value = build.state(self.graph, f"layer{len(self.weights)}/kernel", "weight", TensorType(shape, self.dtype))
        self.weights.append(value)
        return value

    def choose(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def step(self) -> None:
        move = self.choose(*_MOVES)
        with self.graph.scope(f"layer{len(self.pool)}"):
            value = move(self, self.pick())
        if value is not None and _row_size(value.shape) <= LARGEST:
            self.pool.append(value)


def _row_size(shape: Shape) -> int:
    return evaluate_dim(product(shape), {"B": 1})


def _unary(m: _Maker, x: Value) -> Value:
    name = m.choose("neg", "tanh", "sigmoid", "sin", "cos", "erf", "square", "exp", "log", "sqrt", "rsqrt", "expm1", "log1p", "softplus",
                    "abs")
    if name == "square":
        return build.mul(build.tanh(x), x)
    if name in ("exp", "expm1"):
        return _call(name, build.tanh(x))
    if name in ("log", "sqrt", "rsqrt", "log1p", "softplus"):
        positive = build.add(build.mul(build.tanh(x), build.tanh(x)), 0.5)
        return _call("log" if name == "softplus" else name, positive)
    return _call(name, x)


def _call(name: str, *operands: Value) -> Value:
    return build.make(name, *operands)


def _binary(m: _Maker, x: Value) -> Value:
    same = [v for v in m.pool if v.type == x.type]
    y = m.choose(*same)
    name = m.choose("add", "sub", "mul", "maximum", "minimum", "div", "atan2")
    if name == "mul":
        return build.mul(build.tanh(x), y)
    if name in ("div", "atan2"):
        return _call(name, build.tanh(x), build.add(build.mul(build.tanh(y), build.tanh(y)), 0.5))
    return _call(name, x, y)


def _with_number(m: _Maker, x: Value) -> Value:
    number: Number = m.choose(0.0, 1.0, -1.0, 2.0, 0.5, 0.25, 3.0)
    name = m.choose("add", "sub", "mul", "maximum", "minimum")
    if name in ("maximum", "minimum"):
        number = float(number) + 0.0137  # off the values that occur
    pair = (x, build.full_like(x, number))
    return _call(name, *(pair if m.rng.random() < 0.7 else pair[::-1]))


def _divide(m: _Maker, x: Value) -> Value:
    return build.div(x, m.choose(1.0, 2.0, 4.0, 3.0))


def _power(m: _Maker, x: Value) -> Value:
    positive = build.add(build.mul(build.tanh(x), build.tanh(x)), 0.5)
    return build.pow(positive, m.choose(2.0, 3.0, 0.5, -0.5, -1.0, 1.0, 1.7))


def _bias(m: _Maker, x: Value) -> Value | None:
    if not x.rank or not is_static(x.shape[-1]):
        return None
    bias = m.weight(x.shape[-1:])
    return build.add(x, build.expand(bias, x.shape))


def _reshape(m: _Maker, x: Value) -> Value | None:
    symbolic = [n for n, d in enumerate(x.shape) if not is_static(d)]
    if not x.rank or len(symbolic) > 1 or (symbolic and x.shape[symbolic[0]] != BATCH):
        return None
    rest = _row_size(x.shape)
    divisors = [d for d in range(1, rest + 1) if rest % d == 0]
    first = int(m.choose(*divisors))
    shape: list[DimLike] = m.choose([rest], [first, rest // first], [first, 1, rest // first])
    if symbolic:
        shape = [BATCH, *shape]
    return build.reshape(x, shape)


def _transpose(m: _Maker, x: Value) -> Value:
    return build.transpose(x, tuple(int(i) for i in m.rng.permutation(x.rank)))


def _spread(m: _Maker, x: Value) -> Value | None:
    if x.rank > 3:
        return None
    place = int(m.rng.integers(x.rank + 1))
    shape = (*x.shape[:place], int(m.rng.integers(1, 4)), *x.shape[place:])
    return build.broadcast(x, shape, [i + (i >= place) for i in range(x.rank)])


def _slice(m: _Maker, x: Value) -> Value | None:
    static = [n for n, d in enumerate(x.shape) if is_static(d) and d != 1]
    if not static:
        return None
    axis = int(m.choose(*static))
    size = evaluate_dim(x.shape[axis], {})
    start = int(m.rng.integers(size))
    stop = int(m.rng.integers(start + 1, size + 1))
    starts: list[DimLike] = [0] * x.rank
    stops, strides = list(x.shape), [1] * x.rank
    starts[axis], stops[axis], strides[axis] = start, stop, int(m.rng.integers(1, 3))
    return build.slice(x, starts, stops, strides)


def _pad(m: _Maker, x: Value) -> Value | None:
    if not x.rank:
        return None
    low, high = ([int(m.rng.integers(3)) if is_static(d) else 0 for d in x.shape] for _ in range(2))
    return build.pad(x, low, high, m.choose(0.0, 0.5))


def _concat(m: _Maker, x: Value) -> Value | None:
    if not x.rank:
        return None
    axis = int(m.rng.integers(x.rank))
    if not is_static(x.shape[axis]):
        return None
    others = [v for v in m.pool if v.rank == x.rank and v.shape[:axis] == x.shape[:axis] and v.shape[axis + 1:] == x.shape[axis + 1:]]
    return build.concat([x, m.choose(*others)], axis)


def _reverse(m: _Maker, x: Value) -> Value | None:
    return build.reverse(x, [int(m.rng.integers(x.rank))]) if x.rank else None


def _reduce(m: _Maker, x: Value) -> Value | None:
    if not x.rank:
        return None
    axes = sorted({int(m.rng.integers(x.rank)) for _ in range(2)})
    name = m.choose("reduce_sum", "reduce_sum", "reduce_max", "reduce_min")
    result = build.make(name, x, axes=tuple(axes))
    if name == "reduce_sum":
        result = build.tanh(build.mul(result, 0.25))
    return build.sub(x, build.expand_reduced(result, x.shape, axes)) if m.rng.random() < 0.6 else result


def _softmax(m: _Maker, x: Value) -> Value | None:
    if not x.rank:
        return None
    axes = (x.rank - 1,)
    shifted = build.sub(x, build.expand_reduced(build.stop_gradient(build.reduce_max(x, axes)), x.shape, axes))
    e = build.exp(shifted)
    return build.div(e, build.expand_reduced(build.reduce_sum(e, axes), x.shape, axes))


def _normalize(m: _Maker, x: Value) -> Value | None:
    static = [n for n, d in enumerate(x.shape) if is_static(d)]
    if not static:
        return None
    axes = (static[-1],)
    count = evaluate_dim(x.shape[axes[0]], {})
    mean = build.mul(build.reduce_sum(x, axes), 1 / count)
    centred = build.sub(x, build.expand_reduced(mean, x.shape, axes))
    variance = build.mul(build.reduce_sum(build.mul(centred, centred), axes), 1 / count)
    return build.mul(centred, build.expand_reduced(build.rsqrt(build.add(variance, 0.1)), x.shape, axes))


def _dense(m: _Maker, x: Value) -> Value | None:
    if not x.rank or not is_static(x.shape[-1]):
        return None
    units = int(m.rng.integers(1, 9))
    depth = evaluate_dim(x.shape[-1], {})
    if m.rng.random() < 0.3:
        kernel = build.transpose(m.weight((units, depth)), (1, 0))
    else:
        kernel = m.weight((depth, units))
    return build.mul(build.dot(x, kernel), 1 / np.sqrt(depth).item())


def _attend(m: _Maker, x: Value) -> Value | None:
    """x x' : a batched product, or a product over the batch for a matrix."""
    if x.rank == 3:
        return build.tanh(build.dot(x, x, batch=((0,), (0,)), contract=((2,), (2,))))
    return build.tanh(build.dot(x, x, contract=((0,), (0,)))) if x.rank == 2 else None


def _outer(m: _Maker, x: Value) -> Value | None:
    """Products of every two elements of two rows, summed over those of the first: its place is an axis of the sum, and one of what
    comes out, where `x` is added."""
    if not x.rank or not is_static(x.shape[-1]) or _row_size(x.shape) * evaluate_dim(x.shape[-1], {}) > LARGEST:
        return None
    y = m.choose(*[v for v in m.pool if v.type == x.type])
    wide, before = (*x.shape, x.shape[-1]), range(x.rank - 1)
    products = build.mul(build.broadcast(x, wide, range(x.rank)), build.broadcast(build.tanh(y), wide, (*before, x.rank)))
    sums = build.tanh(build.mul(build.reduce_sum(products, (x.rank - 1,)), 0.25))
    return build.add(x, sums) if m.rng.random() < 0.6 else sums


def _image(m: _Maker, x: Value) -> Value | None:
    """A convolution or a pooling of something seen as an image."""
    if not x.rank or x.shape[0] != BATCH or sum(not is_static(d) for d in x.shape) != 1:
        return None
    size = _row_size(x.shape)
    side = next((s for s in (6, 5, 4, 3) if size % (s * s) == 0), None)
    if side is None:
        return None
    image = build.reshape(x, (BATCH, side, side, size // (side * side)))
    stride = int(m.rng.integers(1, 3))
    what = m.choose("conv", "conv", "max", "mean")
    if what == "max":
        return build.window_max(image, (2, 2), (stride, stride))
    if what == "mean":
        return build.mul(build.window_sum(image, (2, 2), (stride, stride)), 0.25)
    edge = int(m.choose(1, 2, 3))
    if m.rng.random() < 0.5 and edge > 1:
        image = build.pad(image, (0, 1, 1, 0), (0, 1, 0, 0))
    kernel = m.weight((edge, edge, evaluate_dim(image.shape[-1], {}), int(m.rng.integers(1, 5))))
    return build.mul(build.conv(image, kernel, (stride, stride)), 1 / edge)


def _choose(m: _Maker, x: Value) -> Value:
    y = m.choose(*[v for v in m.pool if v.type == x.type])
    condition = build.gt(x, 0.0137) if m.rng.random() < 0.5 else build.lt(build.stop_gradient(y), build.full_like(y, 0.31))
    return build.select(condition, x, build.zeros_like(x) if m.rng.random() < 0.4 else build.tanh(y))


def _gather(m: _Maker, x: Value) -> Value | None:
    if not x.rank or not is_static(x.shape[0]):
        return None
    rows = build.iota(m.graph, (3,), 0, i32)
    return build.take(x, rows, 0)


def _cumulate(m: _Maker, x: Value) -> Value | None:
    if not x.rank:
        return None
    sums = build.cumsum(x, int(m.rng.integers(x.rank)), bool(m.rng.random() < 0.5), bool(m.rng.random() < 0.5))
    return build.tanh(build.mul(sums, 0.2))


def _mask(m: _Maker, x: Value) -> Value:
    return build.mul(x, build.cast(build.gt(build.stop_gradient(x), 0.0137), x.dtype))


_MOVES: tuple[Callable[[_Maker, Value], Value | None], ...] = (
    _unary, _unary, _binary, _binary, _with_number, _with_number, _divide, _power, _bias, _reshape, _reshape, _transpose, _spread, _slice,
    _pad, _concat, _reverse, _reduce, _reduce, _softmax, _normalize, _dense, _dense, _attend, _outer, _image, _choose, _gather, _cumulate,
    _mask)


def random_graph(seed: int, steps: int = 12, dtype: DType = f32) -> Graph:
    """A graph with one or two params, some weights, outputs `y` and `loss`, and the gradient of each
    weight as its update: the traced form, with a `gradient` node. The same seed gives the same graph."""
    rng = np.random.default_rng(seed)
    graph = Graph(f"random{seed}")
    m = _Maker(rng, graph, dtype)
    shapes: tuple[Shape, ...] = ((BATCH, 6), (BATCH, 4, 4), (BATCH, 6, 6, 2), (BATCH, 1, 5), (BATCH,), (7,))
    for number in range(int(rng.integers(1, 3))):
        shape = shapes[int(rng.integers(len(shapes)))]
        m.pool.append(build.param(graph, f"x{number}", TensorType(shape, dtype)))
    m.pool.append(m.weight((5, 4)))
    for _ in range(steps):
        m.step()
    losses = [_mean(v) for v in m.pool[-3:]]
    loss = losses[0]
    for other in losses[1:]:
        loss = build.add(loss, other)
    graph.outputs["y"] = m.pool[-1]
    graph.outputs["loss"] = loss
    for weight, gradient in zip(m.weights, build.gradient(loss, m.weights), strict=True):
        graph.updates[weight.node.attrs["path"]] = gradient
    return rebuild(graph)


def _mean(x: Value) -> Value:
    total = build.reduce_sum(build.mul(x, x), tuple(range(x.rank)))
    count = build.cast(build.dim_size(x.graph, x.type.size, i64), x.dtype)
    return build.div(total, count)


def random_arrays(graph: Graph, batch: int, seed: int = 0) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
    """Params and states for `evaluate`: floats in (-1, 1), integers in 0..3."""
    rng = np.random.default_rng(seed)

    def draw(type_: TensorType) -> npt.NDArray[Any]:
        shape = tuple(evaluate_dim(d, dict.fromkeys(type_.symbols, batch)) for d in type_.shape)
        if type_.dtype == boolean:
            return rng.random(shape) < 0.5
        if not type_.dtype.is_float:
            return rng.integers(0, 4, shape).astype(type_.dtype.numpy)
        return rng.uniform(-1, 1, shape).astype(type_.dtype.numpy)

    return ({name: draw(v.type) for name, v in graph.params.items()}, {path: draw(v.type) for path, v in graph.states.items()})

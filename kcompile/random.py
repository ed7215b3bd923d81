"""Random tensors. Every draw is a function of (key, element number): the same bits in eager mode, in native code, on any thread.

A key is uint32[2]: (seed, counter). A `SeedGenerator` holds one as a variable; each draw takes it and advances the counter, as an
update of the graph inside a trace.
"""

from __future__ import annotations

import math
import random as python_random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import initial_values, naming, tracing
from .dtypes import DType, ir_dtype, standardize_dtype
from .ir import build
from .ir.graph import Value
from .ir.types import f32, f64, i32, u64
from .ops._support import as_value, cast_value, common_shape, float_value, graph_shape, normalized_axis, splat, wrap
from .ops.elementwise import erfinv_value
from .suggest import suggest_names
from .tensor import KerasTensor, Tensor, TracedTensor
from .tracing import operation
from .variables import Variable

_SEED_LIMIT = 2**32


def make_default_seed() -> int:
    """A seed from Python's own generator: fixed once `utils.set_random_seed` is called."""
    return python_random.randint(1, 10**9)


class SeedGenerator:
    """A source of keys: `state` is the variable (seed, counter), advanced by every draw. Assign it to a layer's attribute.

    seed: an integer, or None for one from Python's generator. Raises ValueError.
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        kwargs.pop("backend", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        self.name = name or naming.auto_name(type(self).__name__)
        self._initial_seed = seed
        start = make_default_seed() if seed is None else int(seed)
        with naming.name_scope(self.name):
            self.state = Variable(_key_array(start), dtype="uint32", trainable=False, autocast=False, name="seed_generator_state",
                                  role="rng")

    def next(self, ordered: bool = True) -> Any:
        """The key for one draw, uint32[2]; the state moves on."""
        key = self.state.value
        self.state.assign(_advanced(key))
        return key

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


def _key_array(seed: int) -> np.ndarray[Any, Any]:
    return np.array([seed % _SEED_LIMIT, 0], np.uint32)


@operation
def _advanced(key: Any) -> Any:
    value = as_value(key)
    return wrap(value + build.constant(value.graph, (0, 1), value.type))


_global: list[SeedGenerator] = []


class _Private(threading.local):
    holders: tuple[list[SeedGenerator], ...] = ()


_private = _Private()


@contextmanager
def private_draws(holder: list[SeedGenerator]) -> Iterator[None]:
    """Inside, in this thread, draws that name no seed come from the generator in `holder`, made there by the first draw.

    So a pipeline that runs beside the program has random values of its own, the same in every run with a seed.
    """
    before = _private.holders
    _private.holders = (*before, holder)
    try:
        yield
    finally:
        _private.holders = before


def global_seed_generator() -> SeedGenerator:
    """The generator of draws that name no seed."""
    if _private.holders:
        holder = _private.holders[-1]
        if not holder:
            with naming.root_scope(), tracing.eager_scope():
                holder.append(SeedGenerator(make_default_seed(), name="private_seed_generator"))
        return holder[0]
    if not _global:
        with naming.root_scope(), tracing.eager_scope():
            _global.append(SeedGenerator(make_default_seed(), name="global_seed_generator"))
    return _global[0]


@naming.on_clear_session
def _forget_global() -> None:
    _global.clear()


def seed_everything(seed: int) -> None:
    """Start the global generator at a seed, in place: models that have been compiled see it too."""
    if not _global:
        with naming.root_scope(), tracing.eager_scope():
            _global.append(SeedGenerator(int(seed), name="global_seed_generator"))
    _global[0].state.array[...] = _key_array(int(seed))


def draw_seed(seed: Any) -> Any:
    """The key for one draw from an integer (always the same key), a SeedGenerator, or None (the global one). Raises ValueError."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return Tensor(_key_array(int(seed)))
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, (Tensor, TracedTensor)) and seed.dtype == "uint32" and tuple(seed.shape) == (2,):
        return seed
    raise ValueError("Argument `seed` must be either an integer or an instance of `SeedGenerator`. "
                     f"Received: seed={seed} (of type {type(seed)})")


# -- distributions from bits --------------------------------------------------------------------------------------
def unit_values(key: Value, shape: Any, dtype: Any) -> Value:
    """Floats in [0, 1): 24 bits (32 for float64) of each element's 32."""
    bits = build.random_bits(key, shape)
    if dtype == f64:
        return build.cast(bits, f64) * 2.0**-32
    # by way of a signed integer: 24 bits fit, and signed conversions are what processors have
    return build.cast(build.cast(build.shr(bits, 8), i32), f32) * 2.0**-24


def _float_dtype(dtype: Any, name: str) -> DType:
    found = standardize_dtype(dtype)
    if not found.is_floating:
        raise ValueError(f"`keras.random.{name}` requires a floating point `dtype`. Received: dtype={found}")
    return found


@operation(tensors="key minval maxval")
def _uniform(key: Any, shape: Any, minval: Any, maxval: Any, dtype: DType) -> Any:
    wanted = ir_dtype(dtype)
    unit = unit_values(as_value(key), graph_shape(shape, "uniform"), f64 if wanted == f64 else f32)
    low, high = (as_value(limit, wrap(unit).dtype) for limit in (minval, maxval))
    return wrap(cast_value(between(unit, low, high), wanted))


def between(unit: Value, low: Value, high: Value) -> Value:
    """From [0, 1) to [low, high)."""
    least, most = (splat(limit, unit.shape) for limit in (low, high))
    return least + unit * (most - least)


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Values spread evenly over [minval, maxval); floatx by default, integers go to `randint`."""
    found = standardize_dtype(dtype)
    if found.is_integer:
        return randint(shape, int(minval), int(maxval), found, seed)
    if initial_values.takes(shape, minval, maxval, found) and initial_values.count(shape):
        return Tensor(initial_values.uniform(tuple(shape), minval, maxval, np.asarray(draw_seed(seed))), found)
    return _uniform(draw_seed(seed), shape, minval, maxval, _float_dtype(found, "uniform"))


def normal_values(key: Value, shape: Any, dtype: Any) -> Value:
    """Standard normal values: the inverse of the distribution function at the middle of one of 2^24 equal steps."""
    half_step = 2.0**-33 if dtype == f64 else 2.0**-25
    unit = unit_values(key, shape, dtype) + half_step
    return erfinv_value(unit * 2.0 - 1.0) * math.sqrt(2)


@operation(tensors="key mean stddev")
def _normal(key: Any, shape: Any, mean: Any, stddev: Any, dtype: DType) -> Any:
    wanted = ir_dtype(dtype)
    value = normal_values(as_value(key), graph_shape(shape, "normal"), f64 if wanted == f64 else f32)
    middle, spread = (splat(as_value(t, wrap(value).dtype), value.shape) for t in (mean, stddev))
    return wrap(cast_value(value * spread + middle, wanted))


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed values; floatx by default."""
    return _normal(draw_seed(seed), shape, mean, stddev, _float_dtype(dtype, "normal"))


@operation(tensors="key mean stddev")
def _truncated_normal(key: Any, shape: Any, mean: Any, stddev: Any, dtype: DType) -> Any:
    wanted = ir_dtype(dtype)
    work = f64 if wanted == f64 else f32
    limit = math.erf(math.sqrt(2))  # P(|X| < 2) of a standard normal X
    unit = unit_values(as_value(key), graph_shape(shape, "truncated_normal"), work)
    value = erfinv_value((unit * 2.0 - 1.0) * limit) * math.sqrt(2)
    middle, spread = (splat(as_value(t, wrap(value).dtype), value.shape) for t in (mean, stddev))
    return wrap(cast_value(value * spread + middle, wanted))


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed values within two standard deviations of the mean; floatx by default."""
    return _truncated_normal(draw_seed(seed), shape, mean, stddev, _float_dtype(dtype, "truncated_normal"))


@operation(tensors="key minval maxval")
def _randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: DType) -> Any:
    bits = build.random_bits(as_value(key), graph_shape(shape, "randint"))
    wanted = ir_dtype(dtype)
    low, high = (splat(as_value(limit, "int64"), bits.shape) for limit in (minval, maxval))
    span = build.cast(high - low, u64)
    scaled = build.shr(build.cast(bits, u64) * span, 32)
    return wrap(build.cast(build.cast(scaled, low.dtype) + low, wanted))


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Integers spread evenly over [minval, maxval); the range may hold at most 2^32 of them."""
    found = standardize_dtype(dtype)
    if not found.is_integer:
        raise ValueError(f"`keras.random.randint` requires an integer `dtype`. Received: dtype={found}")
    return _randint(draw_seed(seed), shape, minval, maxval, found)


@operation(tensors="key logits")
def _categorical(key: Any, logits: Any, num_samples: int, dtype: DType) -> Any:
    value = float_value(logits)
    if value.rank != 2:
        raise ValueError(f"categorical: expected logits of shape [batch, classes], received {value.shape}")
    rows, classes = value.shape
    shape = (rows, int(num_samples), classes)
    unit = unit_values(as_value(key), shape, f32) + 2.0**-25
    noise = -build.log(-build.log(unit))  # the argmax of logits plus Gumbel noise is distributed as softmax(logits)
    scores = build.broadcast(cast_value(value, f32), shape, (0, 2)) + noise
    return wrap(build.argmax(scores, 2, ir_dtype(dtype)))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """num_samples classes for each row of logits [batch, classes], drawn from softmax(logits)."""
    return _categorical(draw_seed(seed), logits, num_samples, standardize_dtype(dtype))


@operation(tensors="key inputs")
def _dropout(key: Any, inputs: Any, rate: float, noise_shape: Any) -> Any:
    value = float_value(inputs)
    shape = value.shape if noise_shape is None else tuple(
        value.shape[n] if part is None else graph_shape((part,), "dropout")[0] for n, part in enumerate(noise_shape))
    if common_shape("dropout", [value.shape, shape]) != value.shape:
        raise ValueError(f"dropout: noise_shape {shape} cannot be broadcast to {value.shape}")
    bits = build.random_bits(as_value(key), shape)
    keep = splat(build.ge(bits, min(round(rate * 2**32), 2**32 - 1)), value.shape)
    return wrap(build.select(keep, value * (1.0 / (1.0 - rate)), 0.0))


@operation(tensors="inputs", composite=True)
def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Each element set to 0 with probability `rate`, the others scaled by 1 / (1 - rate). Sizes 1 in noise_shape share a draw."""
    if not 0 <= rate <= 1:
        raise ValueError(f"`rate` must lie within [0, 1]. Received: rate={rate}")
    if rate == 0:
        return inputs
    if rate == 1:
        from . import ops

        return ops.zeros_like(inputs)
    return _dropout(draw_seed(seed), inputs, float(rate), None if noise_shape is None else tuple(noise_shape))


@operation(tensors="key x")
def _shuffle(key: Any, x: Any, axis: int) -> Any:
    value = as_value(x)
    place = normalized_axis(axis, value.rank, "shuffle")
    size = value.shape[place]
    bits = build.random_bits(as_value(key), (size,))
    # the place of row n in the order of bits: how many rows come before it (ties by number); quadratic, but of primitives only
    pair = (size, size)
    own, other = build.broadcast(bits, pair, (0,)), build.broadcast(bits, pair, (1,))
    row, column = build.iota(value.graph, pair, 0, i32), build.iota(value.graph, pair, 1, i32)
    before = build.logical_or(build.lt(other, own), build.logical_and(build.eq(other, own), build.lt(column, row)))
    rank = build.reduce_sum(build.cast(before, i32), (1,))
    order = build.scatter_add(rank, build.iota(value.graph, (size,), 0, i32), size)
    return wrap(build.take(value, order, place))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices along an axis in random order."""
    key = draw_seed(seed)
    if isinstance(x, KerasTensor) or isinstance(key, KerasTensor) or tracing.mode_of([x]) == tracing.TRACED:
        return _shuffle(key, x, axis)
    array = np.asarray(x)
    bits = np.asarray(_bits(key, (array.shape[axis],)))  # the same order as the traced form, by sorting
    return Tensor(np.take(array, np.argsort(bits, kind="stable"), axis=axis))


@operation(tensors="key")
def _bits(key: Any, shape: Any) -> Any:
    return wrap(build.random_bits(as_value(key), graph_shape(shape, "random bits")))


def _numpy_generator(key: Any, name: str) -> np.random.Generator:
    if isinstance(key, KerasTensor):
        key._refuse(f"random.{name} draws by rejection, for which there is no native code; draw outside the model, or from normal, "
                    "uniform or categorical")
    return np.random.Generator(np.random.Philox(key=[int(k) for k in np.asarray(key)]))


def _eager_draw(name: str, shape: Any, dtype: Any, seed: Any, draw: Any) -> Tensor:
    generator = _numpy_generator(draw_seed(seed), name)
    array = draw(generator, tuple(int(d) for d in shape))
    return Tensor(np.asarray(array).astype(_float_dtype(dtype, name).as_numpy_dtype))


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Values of a gamma distribution of shape alpha and scale 1; eager only."""
    return _eager_draw("gamma", shape, dtype, seed, lambda g, size: g.standard_gamma(np.asarray(alpha), size))


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Values of a beta distribution; eager only."""
    return _eager_draw("beta", shape, dtype, seed, lambda g, size: g.beta(np.asarray(alpha), np.asarray(beta), size))


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of successes among `counts` trials, as floats; eager only."""
    return _eager_draw("binomial", shape, dtype, seed,
                       lambda g, size: g.binomial(np.asarray(counts).astype(np.int64), np.asarray(probabilities), size))


suggest_names(__name__)

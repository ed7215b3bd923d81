"""Operations that add, repeat or reorder elements along axes: pad, tile, repeat, flip, roll."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir import build
from ..ir.graph import Value
from ..ir.types import Dim, DimLike, boolean, f32
from ..tracing import operation
from ._support import as_value, graph_shape, normalized_axes, normalized_axis, splat, static_dim, wrap
from .shapes import sliced

__all__ = [
    "flip", "fliplr", "flipud", "pad", "repeat", "roll", "rot90", "tile",
]


def _pad_pairs(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    given = np.asarray(pad_width, dtype=np.int64)
    pairs = np.broadcast_to(given.reshape(-1, 1) if given.ndim == 1 and given.size == 1 else given, (rank, 2))
    return [(int(a), int(b)) for a, b in pairs]


@operation(tensors="x constant_values")
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Elements added at both ends of each axis: a constant, or by mode 'reflect', 'symmetric' or 'edge'."""
    value = as_value(x)
    pairs = _pad_pairs(pad_width, value.rank)
    if any(a < 0 or b < 0 for a, b in pairs):
        raise ValueError(f"pad: widths must not be negative, received {pad_width}")
    if mode == "constant":
        number = 0 if constant_values is None else constant_values
        if isinstance(number, (bool, int, float)):
            return wrap(build.pad(value, [a for a, _ in pairs], [b for _, b in pairs], number))
        return wrap(_padded_by_tensor(value, pairs, as_value(number, wrap(value).dtype)))
    if constant_values is not None:
        raise ValueError(f"Argument `constant_values` can only be provided when `mode == 'constant'`. Received: mode={mode}")
    if mode not in ("reflect", "symmetric", "edge"):
        raise ValueError(f"pad: mode must be 'constant', 'reflect', 'symmetric' or 'edge', received {mode!r}")
    for axis, (low, high) in enumerate(pairs):
        value = _mirrored(value, axis, low, high, mode)
    return wrap(value)


def _padded_by_tensor(value: Value, pairs: list[tuple[int, int]], number: Value) -> Value:
    low, high = [a for a, _ in pairs], [b for _, b in pairs]
    inside = build.constant(value.graph, 1.0, value.type.with_dtype(f32))
    inside = build.cast(build.pad(inside, low, high, 0.0), boolean)
    padded = build.pad(value, low, high, 0)
    return build.select(inside, padded, splat(number, padded.shape))


def _mirrored(value: Value, axis: int, low: int, high: int, mode: str) -> Value:
    if not low and not high:
        return value
    size = static_dim(value.shape[axis], "pad", f"the size of axis {axis}")
    skip = 1 if mode == "reflect" else 0
    if mode != "edge" and max(low, high) > size - skip:
        raise ValueError(f"pad: mode '{mode}' cannot add {max(low, high)} elements to axis {axis} of size {size}")
    parts = []
    if low:
        before = sliced(value, axis, 0, 1) if mode == "edge" else sliced(value, axis, skip, low + skip)
        parts.append(_repeat_axis(before, axis, low) if mode == "edge" else build.reverse(before, (axis,)))
    parts.append(value)
    if high:
        after = sliced(value, axis, size - 1, size) if mode == "edge" else sliced(value, axis, size - high - skip, size - skip)
        parts.append(_repeat_axis(after, axis, high) if mode == "edge" else build.reverse(after, (axis,)))
    return build.concat(parts, axis)


def _repeat_axis(value: Value, axis: int, times: int) -> Value:
    return splat(value, [times if n == axis else d for n, d in enumerate(value.shape)])


@operation(tensors="x")
def tile(x: Any, repeats: Any) -> Any:
    """The whole tensor repeated along each axis."""
    value = as_value(x)
    counts = graph_shape(repeats, "tile")
    counts = (1,) * (value.rank - len(counts)) + counts
    value = build.reshape(value, [1] * (len(counts) - value.rank) + list(value.shape))
    mixed: list[DimLike] = []
    for count, dim in zip(counts, value.shape, strict=True):
        mixed += [count, dim]
    spread = build.broadcast(value, mixed, [2 * n + 1 for n in range(value.rank)])
    return wrap(build.reshape(spread, [c * d for c, d in zip(counts, value.shape, strict=True)]))


@operation(tensors="x")
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element repeated: a number of times, or one count for each position along the axis."""
    value = as_value(x)
    if axis is None:
        value = build.reshape(value, [value.type.size])
    place = normalized_axis(0 if axis is None else axis, value.rank, "repeat")
    counts = [int(c) for c in repeats] if isinstance(repeats, (tuple, list)) else [int(repeats)]
    if len(counts) == 1:
        mixed = [*value.shape[:place + 1], counts[0], *value.shape[place + 1:]]
        spread = build.broadcast(value, mixed, [n if n <= place else n + 1 for n in range(value.rank)])
        return wrap(build.reshape(spread, [d * counts[0] if n == place else d for n, d in enumerate(value.shape)]))
    size = static_dim(value.shape[place], "repeat", f"the size of axis {axis}")
    if len(counts) != size:
        raise ValueError(f"repeat: {len(counts)} counts for axis {axis} of size {size}")
    return wrap(build.concat([_repeat_axis(sliced(value, place, n, n + 1), place, c) for n, c in enumerate(counts) if c], place))


@operation
def flip(x: Any, axis: Any = None) -> Any:
    """The order of elements reversed along axes (all by default)."""
    value = as_value(x)
    return wrap(build.reverse(value, normalized_axes(axis, value.rank, "flip")))


def fliplr(x: Any) -> Any:
    """Left and right exchanged (axis 1)."""
    return flip(x, axis=1)


def flipud(x: Any) -> Any:
    """Up and down exchanged (axis 0)."""
    return flip(x, axis=0)


@operation(tensors="x")
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Elements shifted along axes; those that leave at the end come in at the start. Flattened when axis is None."""
    value = as_value(x)
    if axis is None:
        flat = build.reshape(value, [value.type.size])
        return wrap(build.reshape(_rolled(flat, 0, int(shift)), value.shape))
    axes = axis if isinstance(axis, (tuple, list)) else [axis]
    shifts = shift if isinstance(shift, (tuple, list)) else [shift] * len(axes)
    for a, s in zip(axes, shifts, strict=True):
        value = _rolled(value, normalized_axis(a, value.rank, "roll"), int(s))
    return wrap(value)


def _rolled(value: Value, axis: int, shift: int) -> Value:
    size = value.shape[axis]
    if isinstance(size, Dim):
        raise ValueError(f"roll: the size of axis {axis} must be known before the data is, but it is {size}")
    cut = size - shift % size if size else 0
    if cut in (0, size):
        return value
    return build.concat([sliced(value, axis, cut, size), sliced(value, axis, 0, cut)], axis)


@operation
def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Rotated by k quarter turns in the plane of two axes."""
    value = as_value(array)
    a, b = (normalized_axis(n, value.rank, "rot90") for n in axes)
    perm = list(range(value.rank))
    perm[a], perm[b] = perm[b], perm[a]
    turns = k % 4
    if turns == 2:
        value = build.reverse(value, (a, b))
    elif turns == 1:
        value = build.transpose(build.reverse(value, (b,)), perm)
    elif turns == 3:
        value = build.reverse(build.transpose(value, perm), (b,))
    return wrap(value)

"""Operations on whole shapes: reshape, transpose, concatenate, stack, split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ..dtypes import result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import DimLike, product
from ..tracing import SymbolicSize, operation
from ._support import as_value, common_shape, graph_shape, kind, normalized_axes, normalized_axis, shape_parts, splat, static_dim, wrap

__all__ = [
    "append", "array_split", "broadcast_to", "concatenate", "copy", "dsplit", "dstack", "expand_dims", "hsplit", "hstack", "moveaxis",
    "ravel", "reshape", "split", "squeeze", "stack", "swapaxes", "transpose", "unstack", "vsplit", "vstack",
]


@operation(tensors="x")
def reshape(x: Any, newshape: Any) -> Any:
    """The same elements under another shape; one size may be -1 (or None): what is left.

    Raises ValueError where the numbers of elements differ.
    """
    value = as_value(x)
    return wrap(build.reshape(value, resolved_shape(value, newshape)))


def resolved_shape(value: Value, newshape: Any) -> tuple[DimLike, ...]:
    """A shape for the value's elements, with -1 resolved. Raises ValueError."""
    parts = shape_parts(newshape)
    open_ = [n for n, part in enumerate(parts) if part is None or (not isinstance(part, SymbolicSize) and int(part) == -1)]
    if len(open_) > 1:
        raise ValueError(f"reshape: only one size may be -1, received {tuple(parts)}")
    dims: list[DimLike] = [1 if n in open_ else graph_shape((part,), "reshape")[0] for n, part in enumerate(parts)]
    known, total = product(dims), value.type.size
    if open_:
        try:
            rest = total // known if known != 0 else 0
        except (TypeError, ZeroDivisionError):
            rest = None
        if rest is None or rest * known != total:
            raise ValueError(f"reshape: cannot reshape a tensor of shape {value.shape} into {tuple(parts)}: "
                             f"{total} elements do not divide by {known}")
        dims[open_[0]] = rest
    elif known != total:
        raise ValueError(f"reshape: cannot reshape a tensor of shape {value.shape} ({total} elements) into {tuple(parts)} "
                         f"({known} elements)")
    return tuple(dims)


@operation
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order (reversed by default)."""
    value = as_value(x)
    if axes is None:
        return wrap(build.transpose(value, list(reversed(range(value.rank)))))
    perm = [normalized_axis(a, value.rank, "transpose") for a in axes]
    if sorted(perm) != list(range(value.rank)):
        raise ValueError(f"transpose: axes {tuple(axes)} are no permutation of the {value.rank} axes")
    return wrap(build.transpose(value, perm))


@operation(tensors="x")
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    value = as_value(x)
    perm = list(range(value.rank))
    a, b = normalized_axis(axis1, value.rank, "swapaxes"), normalized_axis(axis2, value.rank, "swapaxes")
    perm[a], perm[b] = perm[b], perm[a]
    return wrap(build.transpose(value, perm))


@operation(tensors="x")
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other positions; the others keep their order."""
    value = as_value(x)
    sources = [normalized_axis(a, value.rank, "moveaxis") for a in (source if isinstance(source, (tuple, list)) else [source])]
    wanted = destination if isinstance(destination, (tuple, list)) else [destination]
    targets = [normalized_axis(a, value.rank, "moveaxis") for a in wanted]
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: {len(sources)} sources for {len(targets)} destinations")
    perm = [a for a in range(value.rank) if a not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        perm.insert(target, origin)
    return wrap(build.transpose(value, perm))


@operation(tensors="x")
def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of size 1 at the given positions of the result."""
    value = as_value(x)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    rank = value.rank + len(axes)
    places = normalized_axes(list(axes), rank, "expand_dims")
    sizes = iter(value.shape)
    return wrap(build.reshape(value, [1 if n in places else next(sizes) for n in range(rank)]))


@operation
def squeeze(x: Any, axis: Any = None) -> Any:
    """Axes of size 1 removed (all of them by default). Raises ValueError for another size."""
    value = as_value(x)
    if axis is None:
        places: tuple[int, ...] = tuple(n for n, d in enumerate(value.shape) if d == 1)
    else:
        places = normalized_axes(axis, value.rank, "squeeze")
        for place in places:
            if value.shape[place] != 1:
                raise ValueError(f"Cannot squeeze axis={place}, because the dimension is not 1: shape {value.shape}")
    return wrap(build.reshape(value, [d for n, d in enumerate(value.shape) if n not in places]))


@operation
def ravel(x: Any) -> Any:
    """All elements in one dimension."""
    value = as_value(x)
    return wrap(build.reshape(value, [value.type.size]))


@operation(tensors="x")
def broadcast_to(x: Any, shape: Any) -> Any:
    """Repeated to a shape by numpy's rules. Raises ValueError."""
    value = as_value(x)
    parts = shape_parts(shape)
    kept = [value.shape[n - len(parts)] if part is None or (isinstance(part, int) and part == -1) else part for n, part in enumerate(parts)]
    dims = graph_shape(kept, "broadcast_to")
    if common_shape("broadcast_to", [value.shape, dims]) != dims:
        raise ValueError(f"broadcast_to: shape {value.shape} cannot be broadcast to {dims}")
    return wrap(splat(value, dims))


@operation
def copy(x: Any) -> Any:
    """The same values."""
    return wrap(as_value(x))


def _common_values(name: str, tensors: Any) -> list[Value]:
    if len(tensors) == 0:
        raise ValueError(f"{name}: at least one tensor is needed")
    dtype = result_type(*(kind(t) for t in tensors))
    return [as_value(t, dtype) for t in tensors]


def joined(name: str, values: list[Value], axis: int) -> Value:
    """Values one after another along an axis. Raises ValueError where another axis differs."""
    place = normalized_axis(axis, values[0].rank, name)
    def others(value: Value) -> list[DimLike]:
        return [d for n, d in enumerate(value.shape) if n != place]

    for value in values[1:]:
        if value.rank != values[0].rank or others(value) != others(values[0]):
            shapes = ", ".join(str(v.shape) for v in values)
            raise ValueError(f"{name}: the shapes must be equal except along axis {axis}, received {shapes}")
    return build.concat(values, place)


@operation
def concatenate(xs: Any, axis: int = 0) -> Any:
    """Tensors one after another along an axis that exists; their dtypes are promoted."""
    return wrap(joined("concatenate", _common_values("concatenate", xs), axis))


@operation
def stack(x: Any, axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    values = _common_values("stack", x)
    if any(v.shape != values[0].shape for v in values):
        raise ValueError(f"stack: the shapes must be equal, received {', '.join(str(v.shape) for v in values)}")
    place = normalized_axis(axis, values[0].rank + 1, "stack")
    shape = (*values[0].shape[:place], 1, *values[0].shape[place:])
    return wrap(joined("stack", [build.reshape(v, shape) for v in values], place))


def _at_least(values: list[Value], rank: int) -> list[Value]:
    return [v if v.rank >= rank else build.reshape(v, [*([1] * (rank - v.rank)), *v.shape]) for v in values]


@operation
def vstack(xs: Any) -> Any:
    """Rows on top of each other."""
    return wrap(joined("vstack", _at_least(_common_values("vstack", xs), 2), 0))


@operation
def hstack(xs: Any) -> Any:
    """Side by side: along axis 1, or axis 0 for vectors."""
    values = _at_least(_common_values("hstack", xs), 1)
    return wrap(joined("hstack", values, 0 if values[0].rank == 1 else 1))


@operation
def dstack(xs: Any) -> Any:
    """Along the third axis."""
    values = [build.reshape(v, [*v.shape, *([1] * (3 - v.rank))] if v.rank >= 2 else [1, v.type.size, 1])
              for v in _common_values("dstack", xs)]
    return wrap(joined("dstack", values, 2))


@operation
def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """x2 after x1 along an axis; both flattened by default."""
    values = _common_values("append", [x1, x2])
    if axis is None:
        return wrap(build.concat([build.reshape(v, [v.type.size]) for v in values], 0))
    return wrap(joined("append", values, axis))


def sliced(value: Value, axis: int, start: DimLike, stop: DimLike) -> Value:
    """Elements start..stop-1 along one axis."""
    starts: list[DimLike] = [0] * value.rank
    stops = list(value.shape)
    starts[axis], stops[axis] = start, stop
    return build.slice(value, starts, stops)


def _pieces(name: str, value: Value, cuts: Sequence[int], axis: int, size: int) -> list[Any]:
    edges = [0, *(min(max(c + size if c < 0 else c, 0), size) for c in cuts), size]
    return [wrap(sliced(value, axis, a, max(a, b))) for a, b in itertools.pairwise(edges)]


@operation(tensors="x")
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """A list of parts: equal ones (an integer), or cut before the given positions. Raises ValueError."""
    value = as_value(x)
    place = normalized_axis(axis, value.rank, "split")
    if isinstance(indices_or_sections, (tuple, list)):
        size = static_dim(value.shape[place], "split", f"the size of axis {axis}")
        return _pieces("split", value, [int(i) for i in indices_or_sections], place, size)
    count = int(indices_or_sections)
    extent = value.shape[place]
    if isinstance(extent, int) and extent % count:
        raise ValueError(f"split: axis {axis} of size {extent} does not divide into {count} equal parts")
    part = extent // count
    return [wrap(sliced(value, place, part * n, part * (n + 1))) for n in range(count)]


@operation(tensors="x")
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Like split, but the first parts may be one larger than the others."""
    value = as_value(x)
    place = normalized_axis(axis, value.rank, "array_split")
    size = static_dim(value.shape[place], "array_split", f"the size of axis {axis}")
    if isinstance(indices_or_sections, (tuple, list)):
        return _pieces("array_split", value, [int(i) for i in indices_or_sections], place, size)
    count = int(indices_or_sections)
    each, extra = divmod(size, count)
    return _pieces("array_split", value, [n * each + min(n, extra) for n in range(1, count)], place, size)


def hsplit(x: Any, indices_or_sections: Any) -> Any:
    """Split along axis 1 (axis 0 of a vector)."""
    return split(x, indices_or_sections, axis=0 if len(x.shape) == 1 else 1)


def vsplit(x: Any, indices_or_sections: Any) -> Any:
    """Split along axis 0."""
    return split(x, indices_or_sections, axis=0)


def dsplit(x: Any, indices_or_sections: Any) -> Any:
    """Split along axis 2."""
    return split(x, indices_or_sections, axis=2)


@operation(tensors="x")
def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """A list of the slices along an axis, which leaves the shape."""
    value = as_value(x)
    place = normalized_axis(axis, value.rank, "unstack")
    count = static_dim(value.shape[place], "unstack", f"the size of axis {axis}")
    if num is not None and num != count:
        raise ValueError(f"unstack: num={num}, but axis {axis} has size {count}")
    rest = [d for n, d in enumerate(value.shape) if n != place]
    return [wrap(build.reshape(sliced(value, place, n, n + 1), rest)) for n in range(count)]

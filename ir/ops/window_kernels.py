"""Kernel descriptions of the window ops.

The adjoints take one of two forms. Windows that tile the input (window == stride) are written window by window, in one map
over the windows and the positions in them, and zeros go to rows and columns that no window covers. Other windows are
gathered input position by input position, in phases (see spatial.py), with guarded loads.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from ..kernel import Eq, Kernel
from ..op import Attrs
from ..scalar import Aff, AxisValue, Expr, Guard, apply
from ..types import DimLike, Shape, TensorType, i32
from . import check
from .describe import Types, compute_type, described, let, load, number, operands, plain, reduce, ref, row_major, store, wide
from .spatial import Phase, phases, positions, spatial_names, spatial_of

Arrays = dict[str, TensorType]
UNROLLED = 16  # positions of a window that are written one by one


def _axes(names: Sequence[str], shape: Shape) -> dict[str, DimLike]:
    return dict(zip(["n", *names, "c"], shape, strict=True))


def forward_kernels(name: str, op: str, inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    """y[n, y, x, c] = op over ky, kx of x[n, y*s + ky, x*s + kx, c]."""
    (y,) = outputs
    arrays = operands(inputs, outputs)
    names, window = spatial_names(y.rank - 2), spatial_names(y.rank - 2, "k")
    free = _axes(names, y.shape)
    over = {k: extent for k, extent in zip(window, attrs["window"], strict=True) if extent > 1}
    value = load(arrays, "in0", _window_index(names, [Aff.of(k) if k in over else Aff.of(0) for k in window], attrs))
    if not over:
        return [described(name, free, arrays, [store(arrays, "out0", plain(free), value, free)])]
    total = reduce("r", op, wide(value), free, over)
    return [described(name, {**free, **over}, arrays, [total, store(arrays, "out0", plain(free), ref(total), free)])]


def _window_index(names: Sequence[str], taps: Sequence[Aff], attrs: Attrs) -> list[Aff]:
    return [Aff.of("n"), *(Aff.of({name: s}) + tap for name, tap, s in zip(names, taps, attrs["strides"], strict=True)), Aff.of("c")]


def _fixed(position: Sequence[int]) -> list[Aff]:
    return [Aff.of(p) for p in position]


def _tiles(attrs: Attrs) -> bool:
    return bool(attrs["window"] == attrs["strides"])


def _inside_windows(pooled: Shape, attrs: Attrs) -> tuple[dict[str, DimLike], list[Aff]]:
    """Axes n, y, ky, x, kx, c over every position of every window, and the input position that they mean."""
    names, window = spatial_names(len(attrs["window"])), spatial_names(len(attrs["window"]), "k")
    axes: dict[str, DimLike] = {"n": pooled[0]}
    for name, k, count, extent in zip(names, window, spatial_of(pooled), attrs["window"], strict=True):
        axes.update({name: count, k: extent})
    return {**axes, "c": pooled[-1]}, _window_index(names, plain(window), attrs)


def _uncovered(arrays: Arrays, dx: TensorType, pooled: Shape, attrs: Attrs) -> list[Kernel]:
    """Zeros for what lies behind the last whole window: one slab an axis, without what an earlier slab wrote."""
    names = spatial_names(len(attrs["window"]))
    covered: list[DimLike] = [n * s for n, s in zip(spatial_of(pooled), attrs["strides"], strict=True)]
    kernels = []
    for axis, (extent, reach) in enumerate(zip(spatial_of(dx.shape), covered, strict=True)):
        if extent == reach:
            continue
        shape = [dx.shape[0], *covered[:axis], extent - reach, *spatial_of(dx.shape)[axis + 1:], dx.shape[-1]]
        axes = _axes(names, tuple(shape))
        index = [aff + (reach if n == axis + 1 else 0) for n, aff in enumerate(plain(axes))]
        kernels.append(described("zeros", axes, arrays, [store(arrays, "out0", index, number(0, dx.dtype), axes)]))
    return kernels


# -- window_sum_grad --------------------------------------------------------------------------------------------
def sum_grad_kernels(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    (dy,), (dx,) = inputs, outputs
    arrays = operands(inputs, outputs)
    names = spatial_names(dy.rank - 2)
    if _tiles(attrs):
        axes, index = _inside_windows(dy.shape, attrs)
        value = load(arrays, "in0", plain(["n", *names, "c"]))
        return [described("window_sum_grad", axes, arrays, [store(arrays, "out0", index, value, axes)]),
                *_uncovered(arrays, dx, dy.shape, attrs)]

    def term(chosen: Sequence[Phase], taps: Sequence[Aff]) -> Expr:
        index, guards = _gathered(chosen, taps, dy)
        return wide(load(arrays, "in0", index, guards))
    return [_phase_kernel("window_sum_grad", arrays, dx, chosen, term) for chosen in _phases(dx, attrs)]


def _phases(dx: TensorType, attrs: Attrs) -> list[tuple[Phase, ...]]:
    by_axis = [phases(n, k, s) for n, k, s in zip(spatial_of(dx.shape), attrs["window"], attrs["strides"], strict=True)]
    return list(itertools.product(*by_axis))


def _gathered(chosen: Sequence[Phase], taps: Sequence[Aff], dy: TensorType) -> tuple[list[Aff], list[Guard]]:
    """Index of the window that tap `taps` of these phases belongs to, guarded where it may lie outside."""
    names = spatial_names(len(chosen))
    places = [p.source(name, tap) for name, tap, p in zip(names, taps, chosen, strict=True)]
    guards = []
    for place, p, extent in zip(places, chosen, spatial_of(dy.shape), strict=True):
        inside = p.lowest >= 0 and check.known(p.beyond - extent) and p.beyond - extent <= 0
        if not inside:
            guards.append(Guard(place, 0, extent))
    return [Aff.of("n"), *places, Aff.of("c")], guards


def _phase_kernel(name: str, arrays: Arrays, dx: TensorType, chosen: Sequence[Phase], term: object) -> Kernel:
    """out0 at the positions of these phases = the sum of term over their taps; zeros where there are none."""
    assert callable(term)
    names, taps = spatial_names(len(chosen)), spatial_names(len(chosen), "k")
    free = _axes(names, (dx.shape[0], *(p.count for p in chosen), dx.shape[-1]))
    target = [Aff.of("n"), *(p.target(axis) for axis, p in zip(names, chosen, strict=True)), Aff.of("c")]
    if not all(p.taps for p in chosen):
        return described("zeros", free, arrays, [store(arrays, "out0", target, number(0, dx.dtype), free)])
    over: dict[str, DimLike] = {k: p.taps for k, p in zip(taps, chosen, strict=True) if p.taps > 1}
    value = term(chosen, [Aff.of(k) if k in over else Aff.of(0) for k in taps])
    if not over:
        return described(name, free, arrays, [store(arrays, "out0", target, value, free)])
    total = reduce("r", "add", value, free, over)
    return described(name, {**free, **over}, arrays, [total, store(arrays, "out0", target, ref(total), free)])


# -- window_max_grad --------------------------------------------------------------------------------------------
def max_grad_kernels(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    x, y, dy = inputs
    arrays = operands(inputs, outputs, tmp0=y.with_dtype(i32))
    if _tiles(attrs):
        small = math.prod(attrs["window"]) <= UNROLLED
        written = [_tiled_max_grad(arrays, attrs)] if small else [_first_position(arrays, attrs), _spread_max_grad(arrays, attrs)]
        return [*written, *_uncovered(arrays, x, y.shape, attrs)]

    def term(chosen: Sequence[Phase], taps: Sequence[Aff]) -> Expr:
        index, guards = _gathered(chosen, taps, dy)
        place = _place([tap * p.step + p.first for tap, p in zip(taps, chosen, strict=True)], attrs)
        here = apply("eq", load(arrays, "tmp0", index, guards, -1), AxisValue(place, i32))
        value = wide(load(arrays, "in2", index, guards))
        return apply("select", here, value, number(0, value.dtype))
    return [_first_position(arrays, attrs), *(_phase_kernel("window_max_grad", arrays, x, chosen, term) for chosen in _phases(x, attrs))]


def _place(taps: Sequence[Aff], attrs: Attrs) -> Aff:
    """The number of a position in the window."""
    return row_major(taps, attrs["window"])


def _is_maximum(value: Expr, best: Expr) -> Expr:
    hit = apply("eq", value, best)
    return apply("or", hit, apply("is_nan", value)) if value.dtype.is_float else hit


def _first_position(arrays: Arrays, attrs: Attrs) -> Kernel:
    """tmp0 = the number, in row-major order, of the first position of the window that holds its maximum."""
    y = arrays["in1"]
    names, window = spatial_names(y.rank - 2), spatial_names(y.rank - 2, "k")
    free = _axes(names, y.shape)
    over: dict[str, DimLike] = dict(zip(window, attrs["window"], strict=True))
    value = wide(load(arrays, "in0", _window_index(names, plain(window), attrs)))
    hit = _is_maximum(value, wide(load(arrays, "in1", plain(free))))
    first = reduce("first", "min", apply("select", hit, AxisValue(_place(plain(window), attrs), i32), number(2**31 - 1, i32)), free, over)
    return described("first_maximum", {**free, **over}, arrays, [first, store(arrays, "tmp0", plain(free), ref(first), free)])


def _spread_max_grad(arrays: Arrays, attrs: Attrs) -> Kernel:
    """dy at the position that tmp0 names, zeros in the rest of its window."""
    y = arrays["in1"]
    axes, index = _inside_windows(y.shape, attrs)
    pooled = plain(["n", *spatial_names(y.rank - 2), "c"])
    here = apply("eq", load(arrays, "tmp0", pooled), AxisValue(_place(plain(spatial_names(y.rank - 2, "k")), attrs), i32))
    value = load(arrays, "in2", pooled)
    return described("window_max_grad", axes, arrays,
                     [store(arrays, "out0", index, apply("select", here, value, number(0, value.dtype)), axes)])


def _tiled_max_grad(arrays: Arrays, attrs: Attrs) -> Kernel:
    """One map over the windows: a position gets dy if it holds the maximum and none before it does."""
    y, dx = arrays["in1"], arrays["out0"]
    names = spatial_names(y.rank - 2)
    axes = _axes(names, y.shape)
    best = let("best", wide(load(arrays, "in1", plain(axes))), axes)
    given = let("given", wide(load(arrays, "in2", plain(axes))), axes)
    equations: list[Eq] = [best, given]
    zero = number(0, compute_type(dx.dtype))
    earlier: Expr | None = None
    for count, position in enumerate(positions(attrs["window"])):
        index = _window_index(names, _fixed(position), attrs)
        hit = _is_maximum(wide(load(arrays, "in0", index)), ref(best))
        here = hit if earlier is None else apply("and", hit, apply("not", earlier))
        first = let(f"first{count}", here, axes)
        equations += [first, store(arrays, "out0", index, apply("select", ref(first), ref(given), zero), axes)]
        taken = let(f"taken{count}", ref(first) if earlier is None else apply("or", earlier, ref(first)), axes)
        equations.append(taken)
        earlier = ref(taken)
    return described("window_max_grad", axes, arrays, equations[:-1])

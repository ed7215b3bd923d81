"""What Winograd's minimal filtering makes of images and filters before and after it multiplies them (Lavin and Gray, arXiv:1509.09308).

A small matrix P [p, q] stands for both directions of a tile: P d P' for a tile d [q, q]. `passes/winograd.py` says
what the ops are together.

    winograd_input      t[n, y, a, b, x, c] = sum over i, j of P[a, i] P[b, j] image[n, stride*y + i + top, stride*x + j + left, c]
    winograd_products   m[n, y, a, b, x, o] = sum over c of t[n, y, a, b, x, c] u[a, b, c, o]
    winograd_output     image[n, r*y + i, r*x + j, c] = sum over a, b of P[i, a] P[j, b] t[n, y, a, b, x, c]      P is [r, p]
    winograd_filter     u[a, b, ..] = sum over i, j of P[a, i] P[b, j] w[i, j, ..]

Sums are written out: an entry of 0 costs nothing, one of 1 or -1 no product. Rows of tiles come before the elements of a tile: threads
share an image by its rows in all three, so that no core waits for lines that another has changed, and the 16 elements lie a row apart, not
as far as an image of a power of two pixels has them, where they fight for the same places of the first-level cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..kernel import Eq, Kernel
from ..op import Attrs, NoGradient, Op, register
from ..scalar import Aff, Expr, Guard, apply
from ..types import DimLike, f32, f64
from . import check
from .describe import Types, axis_names, described, let, load, multiply, number, operands, plain, reduce, ref, store, wide
from .family import Array, of

Matrix = tuple[tuple[float, ...], ...]
Grid = list[list[Expr]]  # values of a tile, row by row
AFTER = NoGradient("it stands for a part of a convolution, after that has been differentiated")


def _matrix(op: str, attrs: Attrs) -> tuple[int, int]:
    """Rows and columns of the attribute `matrix`."""
    rows = attrs["matrix"]
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        check.reject(op, "a matrix, rows of one length", rows)
    return len(rows), len(rows[0])


def _floats(op: str, types: Types, rank: int) -> None:
    check.arity(op, types, 1)
    check.element_type(op, types[0], (f32, f64))
    if types[0].rank < rank:
        check.reject(op, f"an operand of rank {rank} at least", types[0])


def _combined(name: str, values: Sequence[Expr], weights: Sequence[float], free: Sequence[str], equations: list[Eq]) -> Expr:
    """The weighted sum of the values, as an equation of that name; of a single value with the weight 1, the value."""
    total: Expr | None = None
    added_first = sorted(zip(values, weights, strict=True), key=lambda pair: pair[1] < 0)
    for value, weight in added_first:
        if weight == 0:
            continue
        if abs(weight) != 1:
            value = apply("mul", value, number(abs(weight), value.dtype))
        if total is None:
            total = value if weight > 0 else apply("neg", value)
        else:
            total = apply("add" if weight > 0 else "sub", total, value)
    assert total is not None, "a row of zeros"
    equation = let(name, total, free)
    equations.append(equation)
    return ref(equation)


def _both_ways(matrix: Matrix, grid: Grid, free: Sequence[str]) -> tuple[Grid, list[Eq]]:
    """P d P' of a tile d, and the equations that make it: down the columns, then along the rows."""
    equations: list[Eq] = []
    columns = range(len(grid[0]))
    down = [[_combined(f"d{a}{j}", [row[j] for row in grid], weights, free, equations) for j in columns]
            for a, weights in enumerate(matrix)]
    along = [[_combined(f"e{a}{b}", down[a], weights, free, equations) for b, weights in enumerate(matrix)]
             for a in range(len(matrix))]
    return along, equations


def _read(grid: Grid, free: Sequence[str]) -> tuple[Grid, list[Eq]]:
    """Each element of a tile read once, whatever reads it."""
    equations = [[let(f"t{i}{j}", wide(value), free) for j, value in enumerate(row)] for i, row in enumerate(grid)]
    return [[ref(q) for q in row] for row in equations], [q for row in equations for q in row]


# -- winograd_input ------------------------------------------------------------------------------------------------
def _input_infer(types: Types, attrs: Attrs) -> Types:
    op = "winograd_input"
    _floats(op, types, 4)
    rows, _ = _matrix(op, attrs)
    check.positive(op, "tiles", attrs["tiles"], 2)
    check.positive(op, "a stride", (attrs["stride"],), 1)
    (x,) = types
    if x.rank != 4 or not check.known(*x.shape[1:3]):
        check.reject(op, "an image [N, height, width, C] of known extents", x)
    return (x.with_shape((x.shape[0], attrs["tiles"][0], rows, rows, attrs["tiles"][1], x.shape[3])),)


def _input_reference(x: Array, matrix: Matrix, stride: int, start: tuple[int, int], tiles: tuple[int, int]) -> Array:
    transform = np.array(matrix, x.dtype)
    size = transform.shape[1]
    reach = [stride * (count - 1) + size for count in tiles]
    windows = np.zeros((x.shape[0], *reach, x.shape[3]), x.dtype)
    inside = [(max(0, -low), min(n, extent - low)) for low, n, extent in zip(start, reach, x.shape[1:3], strict=True)]
    (top, bottom), (left, right) = inside
    if top < bottom and left < right:
        windows[:, top:bottom, left:right] = x[:, top + start[0]:bottom + start[0], left + start[1]:right + start[1]]
    grid = np.stack([np.stack([windows[:, i:i + stride * (tiles[0] - 1) + 1:stride, j:j + stride * (tiles[1] - 1) + 1:stride]
                               for j in range(size)], 1) for i in range(size)], 1)
    with np.errstate(all="ignore"):
        return np.asarray(np.einsum("ai,bj,nijyxc->nyabxc", transform, transform, grid), x.dtype)


def _input_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    arrays = operands(inputs, outputs)
    x, t = inputs[0], outputs[0]
    free: dict[str, DimLike] = {"n": t.shape[0], "y": t.shape[1], "x": t.shape[4], "c": t.shape[5]}
    size = range(len(attrs["matrix"][0]))

    def element(i: int, j: int) -> Expr:
        places = [Aff.of({name: attrs["stride"]}, low + k) for name, low, k in zip("yx", attrs["start"], (i, j), strict=True)]
        last = [attrs["stride"] * (count - 1) + low + k for count, low, k in zip(attrs["tiles"], attrs["start"], (i, j), strict=True)]
        guards = [Guard(place, 0, extent) for place, most, low, k, extent
                  in zip(places, last, attrs["start"], (i, j), x.shape[1:3], strict=True) if low + k < 0 or most >= int(str(extent))]
        return load(arrays, "in0", [Aff.of("n"), *places, Aff.of("c")], guards)
    grid, reads = _read([[element(i, j) for j in size] for i in size], tuple(free))
    tile, sums = _both_ways(attrs["matrix"], grid, tuple(free))
    stores = [store(arrays, "out0", [*plain("ny"), Aff.of(a), Aff.of(b), *plain("xc")], value, free)
              for a, row in enumerate(tile) for b, value in enumerate(row)]
    return [described("winograd_input", free, arrays, [*reads, *sums, *stores])]


INPUT: Matrix = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))  # B' of F(2x2, 3x3)

winograd_input = register(Op(
    name="winograd_input",
    doc="The tiles of an image, each transformed by a small matrix in both directions; outside the image are zeros.",
    infer=_input_infer,
    reference=_input_reference,
    vjp=AFTER,
    kernel=_input_kernel,
    samples=tuple(of(text, attrs={"matrix": matrix, "stride": 2, "start": start, "tiles": tiles}) for text, matrix, start, tiles in (
        ("f32[B, 8, 6, 16]", INPUT, (-1, -1), (4, 3)), ("f32[B, 7, 5, 17]", INPUT, (-1, 0), (4, 2)),
        ("f64[B, 6, 6, 3]", INPUT, (0, -2), (2, 4)), ("f32[B, 6, 5, 32]", ((1, 0), (1, 1), (1, -1), (0, -1)), (0, 0), (3, 3)))),
))


# -- winograd_products ----------------------------------------------------------------------------------------------
def _products_infer(types: Types, attrs: Attrs) -> Types:
    op = "winograd_products"
    check.arity(op, types, 2)
    check.element_type(op, types[0], (f32, f64))
    check.same_dtype(op, types)
    t, u = types
    if t.rank != 6 or u.rank != 4 or (*t.shape[2:4], t.shape[5]) != u.shape[:3]:
        check.reject(op, "tiles [N, height, p, p, width, C] and those of a filter, [p, p, C, O]", f"{t} and {u}")
    return (t.with_shape((*t.shape[:5], u.shape[3])),)


def _products_reference(t: Array, u: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.matmul(t, u))


def _products_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    arrays = operands(inputs, outputs)
    free: dict[str, DimLike] = dict(zip("nyabxo", outputs[0].shape, strict=True))
    product = multiply(load(arrays, "in0", plain("nyabxc")), load(arrays, "in1", plain("abco")))
    total = reduce("acc", "add", product, free, "c")
    stored = store(arrays, "out0", plain(free), ref(total), free)
    return [described("winograd_products", {**free, "c": inputs[1].shape[2]}, arrays, [total, stored])]


winograd_products = register(Op(
    name="winograd_products",
    doc="Tiles of many channels times those of a filter: a product of matrices for each element of a tile.",
    infer=_products_infer,
    reference=_products_reference,
    vjp=AFTER,
    kernel=_products_kernel,
    samples=(of("f32[B, 2, 4, 4, 3, 16]", "f32[4, 4, 16, 32]"), of("f32[B, 3, 4, 4, 3, 5]", "f32[4, 4, 5, 17]"),
             of("f64[B, 1, 2, 2, 4, 3]", "f64[2, 2, 3, 4]")),
))


# -- winograd_output ---------------------------------------------------------------------------------------------
def _output_infer(types: Types, attrs: Attrs) -> Types:
    op = "winograd_output"
    _floats(op, types, 6)
    size, columns = _matrix(op, attrs)
    (t,) = types
    if t.rank != 6 or t.shape[2:4] != (columns, columns) or not check.known(t.shape[1], t.shape[4]):
        check.reject(op, f"tiles [N, height, {columns}, {columns}, width, C] of known extents", t)
    return (t.with_shape((t.shape[0], size * t.shape[1], size * t.shape[4], t.shape[5])),)


def _output_reference(t: Array, matrix: Matrix) -> Array:
    transform = np.array(matrix, t.dtype)
    with np.errstate(all="ignore"):
        image = np.einsum("ia,jb,nyabxc->nyixjc", transform, transform, t)
    n, tall, size, broad, _, channels = image.shape
    return np.asarray(image.reshape(n, tall * size, broad * size, channels), t.dtype)


def _output_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    arrays = operands(inputs, outputs)
    n, y, _, _, x, c = inputs[0].shape
    free: dict[str, DimLike] = {"n": n, "y": y, "x": x, "c": c}
    size, count = len(attrs["matrix"]), range(len(attrs["matrix"][0]))
    grid, reads = _read([[load(arrays, "in0", [*plain("ny"), Aff.of(a), Aff.of(b), *plain("xc")]) for b in count] for a in count],
                        tuple(free))
    tile, sums = _both_ways(attrs["matrix"], grid, tuple(free))
    stores = [store(arrays, "out0", [Aff.of("n"), Aff.of({"y": size}, i), Aff.of({"x": size}, j), Aff.of("c")], value, free)
              for i, row in enumerate(tile) for j, value in enumerate(row)]
    return [described("winograd_output", free, arrays, [*reads, *sums, *stores])]


OUTPUT: Matrix = ((1, 1, 1, 0), (0, 1, -1, -1))  # A' of F(2x2, 3x3)

winograd_output = register(Op(
    name="winograd_output",
    doc="An image from its tiles, each transformed by a small matrix in both directions.",
    infer=_output_infer,
    reference=_output_reference,
    vjp=AFTER,
    kernel=_output_kernel,
    samples=tuple(of(text, attrs={"matrix": OUTPUT}) for text in (
        "f32[B, 3, 4, 4, 2, 16]", "f32[B, 3, 4, 4, 2, 17]", "f64[B, 2, 4, 4, 2, 5]", "f32[B, 1, 4, 4, 2, 32]")),
))


# -- winograd_filter ------------------------------------------------------------------------------------------------
def _filter_infer(types: Types, attrs: Attrs) -> Types:
    _floats("winograd_filter", types, 2)
    rows, columns = _matrix("winograd_filter", attrs)
    (w,) = types
    if w.shape[:2] != (columns, columns):
        check.reject("winograd_filter", f"a filter [{columns}, {columns}, ..]", w)
    return (w.with_shape((rows, rows, *w.shape[2:])),)


def _filter_reference(w: Array, matrix: Matrix) -> Array:
    transform = np.array(matrix, w.dtype)
    with np.errstate(all="ignore"):
        return np.asarray(np.einsum("ai,bj,ij...->ab...", transform, transform, w), w.dtype)


def _filter_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
    arrays = operands(inputs, outputs)
    names = axis_names(inputs[0].rank - 2)
    free: dict[str, DimLike] = dict(zip(names, inputs[0].shape[2:], strict=True))
    size = range(len(attrs["matrix"][0]))
    grid, reads = _read([[load(arrays, "in0", [Aff.of(i), Aff.of(j), *plain(names)]) for j in size] for i in size], tuple(free))
    tile, sums = _both_ways(attrs["matrix"], grid, tuple(free))
    stores = [store(arrays, "out0", [Aff.of(a), Aff.of(b), *plain(names)], value, free)
              for a, row in enumerate(tile) for b, value in enumerate(row)]
    return [described("winograd_filter", free, arrays, [*reads, *sums, *stores])]


FILTER: Matrix = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))  # G of F(2x2, 3x3)

winograd_filter = register(Op(
    name="winograd_filter",
    doc="A filter transformed by a small matrix in both of its directions.",
    infer=_filter_infer,
    reference=_filter_reference,
    vjp=AFTER,
    kernel=_filter_kernel,
    samples=(of("f32[3, 3, 5, 16]", attrs={"matrix": FILTER}), of("f32[3, 3, 4, 17]", attrs={"matrix": FILTER}),
             of("f64[4, 4, 3, 6]", attrs={"matrix": tuple(zip(*FILTER, strict=True))})),
))

"""Operations that numpy does for eager tensors and that have no native code: factorisations, FFTs, results whose shape depends on data.

On a symbolic tensor each is an error that says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..tracing import operation, user_source

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "corrcoef",
    "correlate",
    "det",
    "eig",
    "eigh",
    "gcd",
    "histogram",
    "i0",
    "inv",
    "kaiser",
    "lcm",
    "logdet",
    "lstsq",
    "matrix_rank",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "nextafter",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "unique",
]


numpy: Any = np  # its annotations are narrower than what it takes


def host_only(function: Callable[..., Any]) -> Any:
    """Decorator for a numpy function: an operation on eager tensors, an error on symbolic ones."""
    def refuse(*args: Any, **kwargs: Any) -> Any:
        where = user_source()
        raise TypeError(f"{where + ': ' if where else ''}ops.{function.__name__} runs in numpy on eager tensors only; there is no native "
                        "code for it, so it cannot be part of a model")
    refuse.__name__ = refuse.__qualname__ = function.__name__
    refuse.__doc__ = function.__doc__
    refuse.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    names = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.name not in ("beta", "q")]
    wrapped: Any = operation(tensors=" ".join(names), host=function)(refuse)
    return wrapped


def _float(x: Any) -> Any:
    array = numpy.asarray(x)
    return array if array.dtype.kind == "f" and array.dtype.itemsize >= 4 else array.astype(numpy.float32)


@host_only
def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangular L with L L^T = x (its transpose with upper)."""
    factor = numpy.linalg.cholesky(_float(x))
    return numpy.swapaxes(factor, -1, -2) if upper else factor


@host_only
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of the matrix whose Cholesky factor is x."""
    factor = numpy.swapaxes(_float(x), -1, -2) if upper else _float(x)
    return numpy.linalg.inv(factor @ numpy.swapaxes(factor, -1, -2))


@host_only
def det(x: Any) -> Any:
    """The determinant."""
    return numpy.asarray(numpy.linalg.det(_float(x)))


@host_only
def slogdet(x: Any) -> Any:
    """(sign, logarithm of the absolute value) of the determinant."""
    sign, logarithm = numpy.linalg.slogdet(_float(x))
    return numpy.asarray(sign), numpy.asarray(logarithm)


@host_only
def logdet(x: Any) -> Any:
    """The logarithm of the determinant of a positive definite matrix."""
    return numpy.asarray(numpy.linalg.slogdet(_float(x))[1])


@host_only
def eig(x: Any) -> Any:
    """(eigenvalues, eigenvectors), complex."""
    values, vectors = numpy.linalg.eig(_float(x))
    return values.astype(numpy.complex64), vectors.astype(numpy.complex64)


@host_only
def eigh(x: Any) -> Any:
    """(eigenvalues, eigenvectors) of a symmetric matrix, ascending."""
    return tuple(numpy.linalg.eigh(_float(x)))


@host_only
def inv(x: Any) -> Any:
    """The inverse."""
    return numpy.linalg.inv(_float(x))


@host_only
def pinv(x: Any, rcond: Any = None) -> Any:
    """The pseudo-inverse."""
    return numpy.linalg.pinv(_float(x)) if rcond is None else numpy.linalg.pinv(_float(x), rcond)


@host_only
def matrix_rank(x: Any, tol: Any = None) -> Any:
    """The number of singular values above the tolerance; int32."""
    return numpy.asarray(numpy.linalg.matrix_rank(_float(x), tol), numpy.int32)


@host_only
def qr(x: Any, mode: str = "reduced") -> Any:
    """(Q, R): orthonormal columns and an upper triangle."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', received {mode!r}")
    return tuple(numpy.linalg.qr(_float(x), mode))


@host_only
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(U, singular values, V^T), or the singular values alone."""
    found = numpy.linalg.svd(_float(x), full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(found) if compute_uv else found


@host_only
def solve(a: Any, b: Any) -> Any:
    """The x with a x = b."""
    left, right = _float(a), _float(b)
    return numpy.linalg.solve(left, right[..., None])[..., 0] if right.ndim == left.ndim - 1 else numpy.linalg.solve(left, right)


@host_only
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The x with a x = b, of a's lower or upper triangle."""
    left, right = _float(a), _float(b)
    triangle = numpy.tril(left) if lower else numpy.triu(left)
    return numpy.linalg.solve(triangle, right[..., None])[..., 0] if right.ndim == left.ndim - 1 else numpy.linalg.solve(triangle, right)


@host_only
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The x that makes |a x - b| smallest."""
    return numpy.linalg.lstsq(_float(a), _float(b), rcond)[0]


@host_only
def unique(x: Any, sorted: bool = True, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
           axis: int | None = None, size: int | None = None, fill_value: Any = None) -> Any:
    """The different elements in ascending order; with `size`, cut or filled to it. Positions and counts are int32."""
    found = numpy.unique(x, return_index=return_index, return_inverse=return_inverse, return_counts=return_counts, axis=axis)
    parts = list(found) if isinstance(found, tuple) else [found]
    values, rest = parts[0], [p.astype(numpy.int32) for p in parts[1:]]
    if size is not None:
        along = axis or 0
        values = numpy.take(values, range(min(size, values.shape[along])), axis=along)
        missing = size - values.shape[along]
        if missing > 0:
            widths = [(0, missing) if n == along else (0, 0) for n in range(values.ndim)]
            filler = fill_value if fill_value is not None else (values.min() if values.size else 0)
            values = numpy.pad(values, widths, constant_values=filler)
    return (values, *rest) if rest else values


@host_only
def histogram(x: Any, bins: int = 10, range: Any = None) -> Any:
    """(how many elements lie in each of equal bins, the bins' edges)."""
    counts, edges = numpy.histogram(x, bins=bins, range=range)
    return counts.astype(numpy.int32), edges.astype(_float(x).dtype)


@host_only
def corrcoef(x: Any) -> Any:
    """The correlation coefficients of the rows."""
    return numpy.asarray(numpy.corrcoef(_float(x)), _float(x).dtype)


@host_only
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """The cross-correlation of two vectors."""
    dtype = numpy.result_type(_float(x1), _float(x2))
    return numpy.correlate(_float(x1).astype(dtype), _float(x2).astype(dtype), mode=mode)


@host_only
def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor of integers."""
    return numpy.asarray(numpy.gcd(x1, x2))


@host_only
def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple of integers."""
    return numpy.asarray(numpy.lcm(x1, x2))


@host_only
def nextafter(x1: Any, x2: Any) -> Any:
    """The next float after x1 towards x2."""
    return numpy.asarray(numpy.nextafter(_float(x1), _float(x2)))


@host_only
def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind, order 0."""
    return numpy.i0(_float(x)).astype(_float(x).dtype)


@host_only
def kaiser(x: Any, beta: float) -> Any:
    """A Kaiser window of x samples."""
    return numpy.kaiser(int(x), float(beta)).astype(numpy.float32)


@host_only
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median over axes of what is not NaN."""
    return numpy.asarray(numpy.nanmedian(_float(x), axis=axis, keepdims=keepdims))


@host_only
def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantiles over axes of what is not NaN."""
    return numpy.asarray(numpy.nanquantile(_float(x), q, axis=axis, method=method, keepdims=keepdims), _float(x).dtype)


@host_only
def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Percentiles over axes of what is not NaN."""
    return numpy.asarray(numpy.nanpercentile(_float(x), q, axis=axis, method=method, keepdims=keepdims), _float(x).dtype)

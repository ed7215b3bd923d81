"""tf.linalg and the products that also stand in tf itself."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.suggest import suggest_names

__all__ = ["einsum", "matmul", "matrix_transpose", "norm", "tensordot", "trace"]


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, name: str | None = None) -> Any:
    """Matrix product over the last two axes."""
    return ops.matmul(matrix_transpose(a) if transpose_a else a, matrix_transpose(b) if transpose_b else b)


def matrix_transpose(a: Any, name: str | None = None) -> Any:
    """The last two axes exchanged."""
    return ops.swapaxes(a, -1, -2)


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """Sum of products over pairs of axes."""
    return ops.tensordot(a, b, axes=axes)


def einsum(equation: str, *inputs: Any) -> Any:
    """Products and sums by index letters."""
    return ops.einsum(equation, *inputs)


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    """Vector norm along one axis, or of all elements without one; matrix norm over two. Euclidean by default."""
    if axis is None and keepdims:
        return ops.reshape(norm(tensor, ord), (1,) * ops.ndim(tensor))
    if axis is None:
        tensor = ops.reshape(tensor, (-1,))
    return ops.norm(tensor, ord=None if ord == "euclidean" else ord, axis=axis, keepdims=keepdims)


def trace(x: Any, name: str | None = None) -> Any:
    """Sum of the diagonal of the last two axes."""
    return ops.sum(ops.multiply(x, ops.eye(x.shape[-2], x.shape[-1], dtype=x.dtype)), axis=(-2, -1))


suggest_names(__name__)

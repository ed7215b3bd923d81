"""Gradients scaled down to a largest norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops


def clip_by_norms(grads: Sequence[Any], limit: float) -> list[Any]:
    """Each gradient by itself: g * limit / max(|g|, limit)."""
    clipped = []
    for gradient in grads:
        squares = ops.sum(ops.square(gradient))
        positive = squares > 0
        norm = ops.where(positive, ops.sqrt(ops.where(positive, squares, ops.ones_like(squares))), squares)
        clipped.append(gradient * limit / ops.maximum(norm, limit))
    return clipped


def clip_global(grads: Sequence[Any], limit: float) -> list[Any]:
    """All gradients by one factor, so that the norm of all of them together is at most `limit`; not finite: all NaN."""
    total: Any = None
    for gradient in grads:
        squares = ops.sum(ops.square(gradient))
        total = squares if total is None else total + ops.cast(squares, total.dtype)
    norm = ops.sqrt(total)
    factor = limit * ops.minimum(1.0 / norm, 1.0 / limit)
    factor = factor + (norm - norm)  # infinite and NaN norms spread
    return [gradient * ops.cast(factor, gradient.dtype) for gradient in grads]

"""The (x, y, sample_weight) convention: what one item of data may be, and how it is taken apart."""

from __future__ import annotations

from typing import Any


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of x alone, (x,), (x, y) or (x, y, sample_weight); None for what is missing.

    A list counts as a tuple, as generators often yield it. Raises ValueError for a tuple of another length.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if len(data) in (1, 2, 3):
        x, y, sample_weight = (*data, None, None)[:3]
        return x, y, sample_weight
    raise ValueError("Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
                     f"found a tuple of {len(data)} items")


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The inverse: x alone (in a tuple if it is one itself), (x, y) or (x, y, sample_weight)."""
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)

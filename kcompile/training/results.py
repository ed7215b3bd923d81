"""Numbers for the logs, read from the states of metrics between two steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics import Mean, Metric


def number_of(metric: Metric) -> Any:
    """The result of a metric as numbers: a float, a numpy array for a vector, or a dict of them."""
    if type(metric).result is Mean.result and isinstance(metric, Mean):  # the common case, without any operation
        count = metric.count.array
        return float(metric.total.array / count) if count else 0.0
    return plain(metric.result())


def plain(value: Any) -> Any:
    """Python numbers in place of scalar tensors, numpy arrays in place of others."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    array = np.asarray(value)
    if array.ndim:
        return array.copy()  # the states behind it change with the next step
    return float(array) if array.dtype.kind in "fV" else array.item()


def results_of(metric: Metric, title: str) -> dict[str, Any]:
    """{name in the logs: number} of one metric."""
    value = number_of(metric)
    return value if isinstance(value, dict) else {title: value}

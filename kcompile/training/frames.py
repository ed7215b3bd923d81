"""pandas frames and series as arrays. pandas is not imported: they are known by `iloc`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def is_frame(value: Any) -> bool:
    """A pandas DataFrame or Series."""
    return hasattr(value, "iloc") and hasattr(value, "to_numpy")


def frame_array(value: Any, title: str) -> Array:
    """[N, columns] of a frame, [N, 1] of a series. Missing values are NaN. Raises TypeError naming the columns that hold no numbers."""
    columns = [value[name] for name in value.columns] if hasattr(value, "columns") else [value]
    wrong = [f"{column.name!r} ({column.dtype})" for column in columns if getattr(column.dtype, "kind", "O") not in "fiub"]
    if wrong:
        raise TypeError(f"{title}: columns without numbers: {', '.join(wrong[:8])}{', ...' if len(wrong) > 8 else ''}; turn text, "
                        "categories and dates into numbers first, or leave these columns out")
    if all(isinstance(column.dtype, np.dtype) for column in columns):
        array = np.asarray(value)
    else:  # pandas's own dtypes, which may hold missing values
        array = value.to_numpy(dtype=np.float64, na_value=np.nan)
    return array if array.ndim > 1 else array[:, None]

"""timeseries_dataset_from_array: windows of an array that is ordered by time, as a data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from .directories import check_batch_size
from .image_dataset import check_format


def timeseries_dataset_from_array(data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1, sampling_rate: int = 1,
                                  batch_size: int | None = 128, shuffle: bool = False, seed: int | None = None,
                                  start_index: int | None = None, end_index: int | None = None, format: str = "tf") -> Any:
    """A `data.Dataset` of windows [batch, sequence_length, ...] of `data`, or (windows, targets).

    data: an array of consecutive steps [steps, ...]; targets: for each step what belongs to a window that begins there, or None.
    sequence_stride: from the start of one window to that of the next; sampling_rate: from one step within a window to the next;
    shuffle: the windows in another order, by `seed`; start_index, end_index: only these steps are used. format: "tf" alone.
    Windows are copied out of `data` batch by batch. Raises ValueError that names the argument.
    """
    from ..data import TensorSpec
    from ..data.elements import component
    from .loading import samples_dataset

    steps = component(data, "`data`")
    if not getattr(steps, "ndim", 0):
        raise ValueError(f"`data` must be an array of consecutive steps [steps, ...], received {type(data).__name__} {data!r:.80}")
    for name, value in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride), ("sampling_rate", sampling_rate)):
        _check(name, value, 1, len(steps))
    check_batch_size(batch_size)
    check_format(format)
    start = 0 if start_index is None else _check("start_index", start_index, 0, len(steps) - 1)
    end = len(steps) if end_index is None else _check("end_index", end_index, 1, len(steps))
    if end <= start:
        raise ValueError(f"`end_index` must be greater than `start_index`; received start_index={start_index}, end_index={end_index}")
    steps = steps[start:end]
    span = (sequence_length - 1) * sampling_rate + 1
    if span > len(steps):
        raise ValueError(f"`sequence_length={sequence_length}` with sampling_rate={sampling_rate} spans {span} steps, but there are only "
                         f"{len(steps)}")
    count = len(steps) - span + 1
    wanted = None
    if targets is not None:
        wanted = component(targets, "`targets`")
        if not getattr(wanted, "ndim", 0):
            raise ValueError(f"`targets` must be an array with an entry for each step, received {type(targets).__name__}")
        count, wanted = min(count, len(wanted)), wanted[start:end]
        if len(wanted) < count:
            raise ValueError(f"`targets` has {len(targets)} entries; for start_index={start_index} it needs {start + count}, one for each "
                             "step at which a window begins")
    starts = np.arange(0, count, sequence_stride)
    if not len(starts):
        raise ValueError("`targets` is empty, so that no window has a target")
    if seed is None:
        seed = int(np.random.randint(1_000_000)) if shuffle else 0
    if shuffle:
        np.random.RandomState(seed).shuffle(starts)
    within = np.arange(sequence_length) * sampling_rate
    spec = TensorSpec((int(sequence_length), *steps.shape[1:]), steps.dtype)
    return samples_dataset(lambda numbers: steps[numbers[:, None] + within], spec, len(starts), wanted, batch_size, shuffle, seed, starts)


def _check(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise ValueError(f"`{name}` must be a whole number in {least} ... {most}, by the length of `data`; received {name}={value!r}")
    return int(value)

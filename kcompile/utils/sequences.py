"""Sequences of different lengths as one array: `pad_sequences`."""

from __future__ import annotations

from typing import Any

import numpy as np

_ENDS = ("pre", "post")


def pad_sequences(sequences: Any, maxlen: int | None = None, dtype: Any = "int32", padding: str = "pre", truncating: str = "pre",
                  value: Any = 0.0) -> Any:
    """An array [n, maxlen, ...] of n sequences, filled up with `value`.

    sequences: a list of lists or arrays, whose items may be arrays of one shape; maxlen: by default the longest length. padding: fill
    up at the start ("pre") or the end ("post"); truncating: which end of a longer sequence is left out. Text needs dtype=object.
    Raises ValueError for what is no list of sequences, and for items of different shapes.
    """
    for name, end in (("padding", padding), ("truncating", truncating)):
        if end not in _ENDS:
            raise ValueError(f"`{name}` must be 'pre' or 'post', received {name}={end!r}")
    if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__len__"):
        raise ValueError(f"`sequences` must be a list of sequences, received {type(sequences).__name__}")
    lengths = [_length(sequence, position) for position, sequence in enumerate(sequences)]
    if maxlen is None:
        maxlen = max(lengths, default=0)
    elif isinstance(maxlen, bool) or not isinstance(maxlen, (int, np.integer)) or maxlen < 0:
        raise ValueError(f"`maxlen` must be a whole number of 0 or more, or None; received maxlen={maxlen!r}")
    kind = np.dtype(dtype)
    if isinstance(value, str) and kind.kind not in "OUS":
        raise ValueError(f"`value` {value!r} is text, which does not fit `dtype` {kind}; give dtype=object for text of any length")
    item_shape = next((np.asarray(sequence).shape[1:] for sequence, length in zip(sequences, lengths, strict=True) if length), ())
    padded = np.full((len(lengths), maxlen, *item_shape), value, kind)
    for position, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        kept = min(length, maxlen)
        if not kept:
            continue
        part = sequence[length - kept:] if truncating == "pre" else sequence[:kept]
        row = _row(part, kind, position)
        if row.shape[1:] != item_shape:
            raise ValueError(f"`sequences`: the items of sequence {position} have shape {row.shape[1:]}, those before {item_shape}")
        padded[position, slice(maxlen - kept, maxlen) if padding == "pre" else slice(kept)] = row
    return padded


def _length(sequence: Any, position: int) -> int:
    try:
        return len(sequence)
    except TypeError:
        raise ValueError(f"`sequences` must be a list of sequences; item {position} is {sequence!r} of type "
                         f"{type(sequence).__name__}") from None


def _row(part: Any, kind: np.dtype[Any], position: int) -> Any:
    try:
        return np.asarray(part, kind)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`sequences`: sequence {position} does not fit `dtype` {kind}: {error}") from None

"""Owns the checks that several layers make of their constructor's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def refuse_lora_and_quantization(layer: Any, lora_rank: Any, quantization_config: Any) -> None:
    """Raises NotImplementedError where one of the two is given."""
    if lora_rank is not None or quantization_config is not None:
        raise NotImplementedError(f"{type(layer).__name__}: LoRA and quantization are not supported")


def sizes(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """`rank` integers from one integer or a sequence. Raises ValueError naming the argument."""
    wanted = f"The `{name}` argument must be a tuple of {rank} integers. Received {name}={value}"
    found = (value,) * rank if isinstance(value, (int, np.integer)) else value
    if not isinstance(found, Sequence) or isinstance(found, str) or len(found) != rank:
        raise ValueError(wanted)
    if not all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in found):
        raise ValueError(f"{wanted}, including elements that are not integers")
    wrong = {size for size in found if size < least}
    if wrong:
        raise ValueError(f"{wanted}, including values {wrong} that do not satisfy `value {'> 0' if least == 1 else '>= 0'}`")
    return tuple(int(size) for size in found)


def padding_name(value: Any, allowed: Sequence[str] = ("valid", "same")) -> str:
    """A padding mode in lower case. Raises ValueError."""
    name = value.lower() if isinstance(value, str) else value
    if name not in allowed:
        raise ValueError(f"The `padding` argument must be one of {set(allowed)}. Received: {value}")
    return str(name)


def pairs(value: Any, rank: int, name: str) -> tuple[tuple[int, int], ...]:
    """(before, after) for each of `rank` axes, from an integer, `rank` integers, or `rank` pairs. Raises ValueError."""
    if isinstance(value, (int, np.integer)):
        return ((int(value), int(value)),) * rank
    if isinstance(value, Sequence) and len(value) == rank:
        return tuple(sizes(item, 2, f"{name} entry", least=0) for item in value)  # type: ignore[misc]
    raise ValueError(f"`{name}` should be an integer, {rank} integers, or {rank} pairs of integers. Received: {name}={value}")


def output_size(size: int | None, window: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """The extent that a window of `window` taps leaves of an axis; None stays None."""
    if size is None:
        return None
    if padding in ("same", "causal"):
        return -(-size // stride)
    return (size - dilation * (window - 1) - 1) // stride + 1


def spatial_axes(rank: int, data_format: str) -> tuple[int, ...]:
    """The axes between batch and channels of an image of `rank` spatial dimensions."""
    return tuple(range(1, rank + 1)) if data_format == "channels_last" else tuple(range(2, rank + 2))


def with_spatial(shape: Sequence[Any], spatial: Sequence[Any], data_format: str, channels: Any = None) -> tuple[Any, ...]:
    """The batch shape with other spatial extents (and, if given, another number of channels)."""
    if data_format == "channels_last":
        return (shape[0], *spatial, shape[-1] if channels is None else channels)
    return (shape[0], shape[1] if channels is None else channels, *spatial)

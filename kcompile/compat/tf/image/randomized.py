"""Random changes of images. A batch of rank 4 is flipped image by image; the other draws are one for the whole tensor, as in TensorFlow."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile import random as keras_random
from kcompile.tensor import KerasTensor, Tensor

from ..random import seed_of
from .color import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation
from .support import height_axis, image_tensor, whole


def _key(seed: Any) -> Any:
    """The key of a stateless draw: from two integers, of which the same key follows each time. Raises ValueError."""
    if not hasattr(seed, "__len__") or len(seed) != 2:
        raise ValueError(f"a stateless function takes a seed of two integers, received {seed!r}")
    return ops.cast(ops.convert_to_tensor(seed), "uint32")


def _flipped(image: Any, axis: int, seed: Any) -> Any:
    image = image_tensor(image)
    batch = () if len(image.shape) == 3 else (ops.shape(image)[0], 1, 1, 1)
    coin = keras_random.uniform(batch, seed=seed) < 0.5
    return ops.where(coin, ops.flip(image, axis=height_axis(image) + axis), image)


def random_flip_left_right(image: Any, seed: int | None = None) -> Any:
    """Mirror each image along its width with probability one half."""
    return _flipped(image, 1, seed_of(seed))


def random_flip_up_down(image: Any, seed: int | None = None) -> Any:
    """Mirror each image along its height with probability one half."""
    return _flipped(image, 0, seed_of(seed))


def stateless_random_flip_left_right(image: Any, seed: Any) -> Any:
    """As random_flip_left_right, the same for the same seed."""
    return _flipped(image, 1, _key(seed))


def stateless_random_flip_up_down(image: Any, seed: Any) -> Any:
    """As random_flip_up_down, the same for the same seed."""
    return _flipped(image, 0, _key(seed))


def _limits(lower: float, upper: float, name: str) -> tuple[float, float]:
    if lower < 0 or upper <= lower:
        raise ValueError(f"{name}: 0 <= lower < upper is needed, received lower={lower}, upper={upper}")
    return lower, upper


def _delta(max_delta: float, most: float, name: str) -> tuple[float, float]:
    if not 0 <= max_delta <= most:
        raise ValueError(f"{name}: `max_delta` must lie in 0 ... {most}, received {max_delta}")
    return -max_delta, max_delta


def random_brightness(image: Any, max_delta: float, seed: int | None = None) -> Any:
    """adjust_brightness by a delta in [-max_delta, max_delta)."""
    return adjust_brightness(image, keras_random.uniform((), *_delta(max_delta, float("inf"), "random_brightness"), seed=seed_of(seed)))


def random_contrast(image: Any, lower: float, upper: float, seed: int | None = None) -> Any:
    """adjust_contrast by a factor in [lower, upper)."""
    return adjust_contrast(image, keras_random.uniform((), *_limits(lower, upper, "random_contrast"), seed=seed_of(seed)))


def random_saturation(image: Any, lower: float, upper: float, seed: int | None = None) -> Any:
    """adjust_saturation by a factor in [lower, upper)."""
    return adjust_saturation(image, keras_random.uniform((), *_limits(lower, upper, "random_saturation"), seed=seed_of(seed)))


def random_hue(image: Any, max_delta: float, seed: int | None = None) -> Any:
    """adjust_hue by a delta in [-max_delta, max_delta); max_delta is at most one half."""
    return adjust_hue(image, keras_random.uniform((), *_delta(max_delta, 0.5, "random_hue"), seed=seed_of(seed)))


def stateless_random_brightness(image: Any, max_delta: float, seed: Any) -> Any:
    """As random_brightness, the same for the same seed."""
    return adjust_brightness(image, keras_random.uniform((), *_delta(max_delta, float("inf"), "random_brightness"), seed=_key(seed)))


def stateless_random_contrast(image: Any, lower: float, upper: float, seed: Any) -> Any:
    """As random_contrast, the same for the same seed."""
    return adjust_contrast(image, keras_random.uniform((), *_limits(lower, upper, "random_contrast"), seed=_key(seed)))


def stateless_random_saturation(image: Any, lower: float, upper: float, seed: Any) -> Any:
    """As random_saturation, the same for the same seed."""
    return adjust_saturation(image, keras_random.uniform((), *_limits(lower, upper, "random_saturation"), seed=_key(seed)))


def stateless_random_hue(image: Any, max_delta: float, seed: Any) -> Any:
    """As random_hue, the same for the same seed."""
    return adjust_hue(image, keras_random.uniform((), *_delta(max_delta, 0.5, "random_hue"), seed=_key(seed)))


def _cropped(value: Any, size: Any, seed: Any) -> Any:
    tensor = value if isinstance(value, (Tensor, KerasTensor)) else ops.convert_to_tensor(value)
    sizes = [whole(part, "size") for part in size]
    if len(sizes) != len(tensor.shape) or any(have is None or have < want for have, want in zip(tensor.shape, sizes, strict=True)):
        raise ValueError(f"random_crop: a part of size {tuple(sizes)} of a tensor of shape {tuple(tensor.shape)} is not possible")
    room = [have - want for have, want in zip(tensor.shape, sizes, strict=True)]
    if not any(room):
        return tensor
    # one draw for all axes
    places = keras_random.uniform((len(room),), seed=seed) * ops.cast([part + 1 for part in room], "float32")
    starts = ops.minimum(ops.cast(places, "int32"), ops.cast(room, "int32"))
    for axis, want in enumerate(sizes):
        if room[axis]:
            tensor = ops.take(tensor, starts[axis] + ops.arange(want, dtype="int32"), axis=axis)
    return tensor


def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Any:
    """A part of the given size (for every axis) at a random place. Raises ValueError for a size that does not fit."""
    return _cropped(value, size, seed_of(seed))


def stateless_random_crop(value: Any, size: Any, seed: Any, name: str | None = None) -> Any:
    """As random_crop, the same for the same seed."""
    return _cropped(value, size, _key(seed))

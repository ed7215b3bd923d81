"""tf.image: the random flips."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile import random as keras_random
from kcompile.suggest import suggest_names

__all__ = ["flip_left_right", "flip_up_down", "random_flip_left_right", "random_flip_up_down"]


def flip_left_right(image: Any) -> Any:
    """Mirror `[..., height, width, channels]` along the width; rank 3 is one image, 4 a batch."""
    return ops.flip(image, axis=_axis(image, -2))


def flip_up_down(image: Any) -> Any:
    """Mirror `[..., height, width, channels]` along the height."""
    return ops.flip(image, axis=_axis(image, -3))


def _axis(image: Any, axis: int) -> int:
    rank = len(image.shape)
    if rank not in (3, 4):
        raise ValueError(f"an image has rank 3 (height, width, channels) or 4 (a batch of them); given shape {tuple(image.shape)}")
    return rank + axis


def _random_flip(image: Any, axis: int, seed: int | None) -> Any:
    image = ops.convert_to_tensor(image)
    axis = _axis(image, axis)
    batch = () if len(image.shape) == 3 else (ops.shape(image)[0], 1, 1, 1)
    coin = keras_random.uniform(batch, seed=seed) < 0.5
    return ops.where(coin, ops.flip(image, axis=axis), image)


def random_flip_left_right(image: Any, seed: int | None = None) -> Any:
    """Mirror each image along its width with probability one half."""
    return _random_flip(image, -2, seed)


def random_flip_up_down(image: Any, seed: int | None = None) -> Any:
    """Mirror each image along its height with probability one half."""
    return _random_flip(image, -3, seed)


suggest_names(__name__)

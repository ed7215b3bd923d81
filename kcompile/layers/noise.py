"""Owns layers that are random in training and the identity otherwise: Dropout and its kin, Gaussian noise."""

from __future__ import annotations

import math
from typing import Any

from .. import config, ops, random
from .input_spec import InputSpec
from .layer import Layer


def _rate(value: Any, name: str = "rate") -> Any:
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"Invalid value received for argument `{name}`. Expected a float value between 0 and 1. Received: {name}={value}")
    return value


class Dropout(Layer):
    """In training, each element is 0 with probability `rate`, else x / (1 - rate).

    noise_shape: the shape of the random choice, broadcast to x (None: the size of x there). Raises ValueError for a rate outside [0, 1].
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = _rate(rate)
        self.seed = seed
        self.noise_shape = tuple(noise_shape) if noise_shape is not None else None
        if rate > 0:
            self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def _noise_shape(self, inputs: Any) -> Any:
        if self.noise_shape is None:
            return None
        return tuple(size if size is not None else ops.shape(inputs)[axis] for axis, size in enumerate(self.noise_shape))

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training and self.rate > 0:
            return random.dropout(inputs, self.rate, noise_shape=self._noise_shape(inputs), seed=self.seed_generator)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class BaseSpatialDropout(Dropout):
    """Drops whole feature maps: one choice for each sample and channel."""

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}


class SpatialDropout1D(BaseSpatialDropout):
    """x[N, steps, C]: a channel is kept or dropped over all steps."""

    def __init__(self, rate: float, seed: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=3)

    def _noise_shape(self, inputs: Any) -> Any:
        size = ops.shape(inputs)
        return (size[0], 1, size[2])


class SpatialDropout2D(BaseSpatialDropout):
    """Images: a channel is kept or dropped over all pixels."""

    def __init__(self, rate: float, data_format: str | None = None, seed: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)

    def _noise_shape(self, inputs: Any) -> Any:
        size = ops.shape(inputs)
        return (size[0], 1, 1, size[3]) if self.data_format == "channels_last" else (size[0], size[1], 1, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class SpatialDropout3D(BaseSpatialDropout):
    """Volumes: a channel is kept or dropped over all voxels."""

    def __init__(self, rate: float, data_format: str | None = None, seed: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=5)

    def _noise_shape(self, inputs: Any) -> Any:
        size = ops.shape(inputs)
        return (size[0], 1, 1, 1, size[4]) if self.data_format == "channels_last" else (size[0], size[1], 1, 1, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class AlphaDropout(Dropout):
    """In training, each element is the lowest value of selu with probability `rate`, and all are scaled so that mean and variance stay.

    noise_shape: the shape of the random choice, broadcast to x. Raises ValueError for a rate outside [0, 1].
    """

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        lowest = -1.6732632423543772 * 1.0507009873554805
        shape = self._noise_shape(inputs)
        shape = ops.shape(inputs) if shape is None else shape
        kept = ops.cast(random.uniform(shape, seed=self.seed_generator, dtype="float32") >= self.rate, inputs.dtype)
        scale = float(((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5)
        return scale * (inputs * kept + lowest * (1.0 - kept)) - scale * lowest * self.rate


class GaussianNoise(Layer):
    """In training, y = x + noise of mean 0 and standard deviation `stddev`."""

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = _rate(stddev, "stddev")
        self.seed = seed
        if stddev > 0:
            self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training and self.stddev > 0:
            noise = random.normal(ops.shape(inputs), mean=0.0, stddev=self.stddev, dtype=self.compute_dtype, seed=self.seed_generator)
            return inputs + noise
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class GaussianDropout(Layer):
    """In training, y = x * noise of mean 1 and standard deviation sqrt(rate / (1 - rate))."""

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = _rate(rate)
        self.seed = seed
        if rate > 0:
            self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training and self.rate > 0:
            stddev = math.sqrt(self.rate / (1.0 - self.rate))
            noise = random.normal(ops.shape(inputs), mean=1.0, stddev=stddev, dtype=self.compute_dtype, seed=self.seed_generator)
            return inputs * noise
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}

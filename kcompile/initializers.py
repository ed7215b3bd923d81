"""Initial values of weights: Keras's initializers, by class, name or configuration record. The same seed gives the same values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import ops, random
from .dtypes import numpy_dtype, standardize_dtype
from .identifiers import deserialize_object, serialize_object, unknown_identifier
from .suggest import suggest_names
from .tensor import Tensor, is_tensor
from .variables import Variable


class Initializer:
    """Called with a shape and a dtype (floatx by default), gives an eager tensor. Subclasses define `__call__` and `get_config`."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def clone(self) -> Initializer:
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{self.get_config() or ''}>"


class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.zeros(shape, dtype)


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.ones(shape, dtype)


class Constant(Initializer):
    """One value, or an array that is broadcast to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return Tensor(np.broadcast_to(np.asarray(self.value).astype(numpy_dtype(dtype)), tuple(shape)).copy(), standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist() if isinstance(self.value, np.ndarray) else self.value}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, zeros elsewhere. Raises ValueError for another rank."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if len(shape) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices. "
                             f"Received: shape={shape} of rank {len(shape)}.")
        return ops.multiply(ops.eye(shape[0], shape[1], dtype=standardize_dtype(dtype)), self.gain)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """An initializer with a seed: an integer (fixed values), a SeedGenerator (new ones at each call), or None (a seed is drawn now)."""

    def __init__(self, seed: Any = None) -> None:
        self._init_seed = seed
        self.seed = random.make_default_seed() if seed is None else seed
        if isinstance(self.seed, dict):
            self.seed = random.SeedGenerator.from_config(self.seed.get("config", self.seed))
        if not isinstance(self.seed, (int, np.integer, random.SeedGenerator)):
            raise ValueError("`seed` argument should be an instance of `keras.random.SeedGenerator()` or an integer. "
                             f"Received: seed={seed}")

    def get_config(self) -> dict[str, Any]:
        seed = self._init_seed
        if isinstance(seed, random.SeedGenerator):
            seed = {"module": "keras.random", "class_name": "SeedGenerator", "config": seed.get_config(), "registered_name": None}
        return {"seed": seed}


class RandomNormal(RandomInitializer):
    """Normally distributed values."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return random.normal(shape, self.mean, self.stddev, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomInitializer):
    """Normally distributed values within two standard deviations of the mean."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class RandomUniform(RandomInitializer):
    """Values spread evenly over [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        self.minval, self.maxval = minval, maxval
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return random.uniform(shape, self.minval, self.maxval, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


def compute_fans(shape: Sequence[int], input_axes: Sequence[int] | None = None,
                 output_axes: Sequence[int] | None = None) -> tuple[int, int]:
    """(inputs, outputs) of a weight: of a matrix its sizes, of a kernel [spatial.., in, out] times the spatial sizes."""
    sizes = tuple(int(d) for d in shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(sizes[a] for a in input_axes), math.prod(sizes[a] for a in output_axes)
    if not sizes:
        return 1, 1
    if len(sizes) == 1:
        return sizes[0], sizes[0]
    field = math.prod(sizes[:-2])
    return sizes[-2] * field, sizes[-1] * field


_TRUNCATION = 0.87962566103423978  # the standard deviation of a standard normal variable cut off at 2


class VarianceScaling(RandomInitializer):
    """Values of variance scale / n, where n is fan_in, fan_out or fan_avg (their mean).

    distribution: 'truncated_normal', 'untruncated_normal' or 'uniform'. Raises ValueError for a wrong argument.
    """

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: Any = None,
                 input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None) -> None:
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of 'fan_in', 'fan_out', 'fan_avg'")
        distribution = "truncated_normal" if distribution.lower() == "normal" else distribution.lower()
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(f"Invalid `distribution` argument: {distribution}. Please use one of 'uniform', 'truncated_normal', "
                             "'untruncated_normal'")
        if (input_axes is None) != (output_axes is None):
            raise ValueError("`input_axes` and `output_axes` must be given together")
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, self.seed)
        return random.truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATION, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, **super().get_config(),
                "input_axes": self.input_axes, "output_axes": self.output_axes}


class _NamedScaling(VarianceScaling):
    """A VarianceScaling whose scale, mode and distribution are fixed by its class."""

    _scale: float
    _mode: str
    _distribution: str

    def __init__(self, seed: Any = None, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None) -> None:
        super().__init__(self._scale, self._mode, self._distribution, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {**RandomInitializer.get_config(self), "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_NamedScaling):
    """Uniform, variance 2 / (fan_in + fan_out)."""

    _scale, _mode, _distribution = 1.0, "fan_avg", "uniform"


class GlorotNormal(_NamedScaling):
    """Truncated normal, variance 2 / (fan_in + fan_out)."""

    _scale, _mode, _distribution = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_NamedScaling):
    """Uniform, variance 2 / fan_in."""

    _scale, _mode, _distribution = 2.0, "fan_in", "uniform"


class HeNormal(_NamedScaling):
    """Truncated normal, variance 2 / fan_in."""

    _scale, _mode, _distribution = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_NamedScaling):
    """Uniform, variance 1 / fan_in."""

    _scale, _mode, _distribution = 1.0, "fan_in", "uniform"


class LecunNormal(_NamedScaling):
    """Truncated normal, variance 1 / fan_in."""

    _scale, _mode, _distribution = 1.0, "fan_in", "truncated_normal"


_PURE = (Zeros, Ones, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal,
         LecunUniform, LecunNormal)


_PLAIN = (int, float, np.number, str, tuple, list, type(None))


def is_pure(initializer: Any, dtype: Any) -> bool:
    """Whether it gives this shape and dtype the same values at any time, and cannot fail: one of ours with a seed that is a number, as are
    its other arguments. A variable may change, and a number that the user's code gives is not asked for under a lock (see variables.py)."""
    if type(initializer) not in _PURE or not dtype.is_floating:
        return False
    return all(isinstance(value, _PLAIN) for value in vars(initializer).values())


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthonormal rows or columns (whichever are fewer); leading axes are flattened into rows."""

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if len(shape) < 2:
            raise ValueError(f"The tensor to initialize must be at least two-dimensional. Received: shape={shape} of rank {len(shape)}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        flat = np.asarray(random.normal((max(rows, columns), min(rows, columns)), dtype="float64", seed=self.seed))
        q, r = np.linalg.qr(flat)
        q = q * np.sign(np.diag(r))  # uniform over all orthogonal matrices
        matrix = q.T if rows < columns else q
        name = standardize_dtype(dtype)
        return Tensor((self.gain * matrix.reshape(shape)).astype(numpy_dtype(name)), name)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


_WINDOWS: dict[str, tuple[float, ...]] = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}


class STFT(Initializer):
    """Kernels [frame, 1, frequencies] of a short-time Fourier transform: its real or imaginary side, windowed and scaled.

    window: 'hann', 'hamming', 'blackman', an array, or None; scaling: 'density', 'spectrum' or None. Raises ValueError.
    """

    def __init__(self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"side should be 'real' or 'imag', not {side}")
        if isinstance(window, str) and window not in _WINDOWS:
            raise ValueError(f"window should be one of {', '.join(_WINDOWS)}, an array or None, not {window!r}")
        if scaling not in ("density", "spectrum", None):
            raise ValueError(f"Scaling is invalid, it must be 'density', 'spectrum' or None. You provided scaling={scaling}")
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def _samples(self, frame: int) -> Any:
        if self.window is None:
            return np.ones(frame)
        if not isinstance(self.window, str):
            given = np.asarray(self.window, np.float64)
            if given.shape != (frame,):
                raise ValueError(f"the window has shape {given.shape}, the frame {frame} samples")
            return given
        angle = 2 * np.pi * np.arange(frame) / max(1, frame if self.periodic else frame - 1)
        return sum((-1) ** n * a * np.cos(n * angle) for n, a in enumerate(_WINDOWS[self.window]))

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        frame, middle, frequencies = shape
        if middle != 1:
            raise ValueError(f"STFT: expected a shape [frame, 1, frequencies], received {tuple(shape)}")
        window = self._samples(int(frame))
        if self.scaling == "density":
            window = window / np.sqrt((window**2).sum())
        elif self.scaling == "spectrum":
            window = window / np.abs(window.sum())
        angle = 2 * np.pi * np.outer(np.arange(frame), np.arange(frequencies)) / ((int(frequencies) - 1) * 2)
        side = np.cos(angle) if self.side == "real" else -np.sin(angle)
        name = standardize_dtype(dtype)
        return Tensor((side * window[:, None])[:, None, :].astype(numpy_dtype(name)), name)

    def get_config(self) -> dict[str, Any]:
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}


IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant, zeros, ones = Constant, Zeros, Ones
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform

_CLASSES = {cls.__name__: cls for cls in (
    Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform, Ones, Orthogonal, RandomNormal,
    RandomUniform, STFT, TruncatedNormal, VarianceScaling, Zeros)}
_KNOWN: dict[str, Any] = {
    **_CLASSES, "IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal, "STFTInitializer": STFT,
    "constant": Constant, "glorot_normal": GlorotNormal, "glorot_uniform": GlorotUniform, "he_normal": HeNormal, "he_uniform": HeUniform,
    "identity": Identity, "lecun_normal": LecunNormal, "lecun_uniform": LecunUniform, "ones": Ones, "one": Ones, "orthogonal": Orthogonal,
    "random_normal": RandomNormal, "normal": RandomNormal, "random_uniform": RandomUniform, "uniform": RandomUniform, "stft": STFT,
    "truncated_normal": TruncatedNormal, "variance_scaling": VarianceScaling, "zeros": Zeros, "zero": Zeros,
}


def get(identifier: Any) -> Any:
    """An initializer from a name, class, record, function of (shape, dtype), or array of values; None stays None. Raises ValueError."""
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)):
        identifier = deserialize(identifier)
    elif isinstance(identifier, (np.ndarray, np.generic, Variable)) or is_tensor(identifier):
        return _of_values(identifier)
    if isinstance(identifier, type):
        identifier = identifier()
    if callable(identifier):
        return identifier
    raise unknown_identifier("initializer", identifier, _KNOWN)


def _of_values(values: Any) -> Callable[..., Any]:
    def initialize(shape: Any, dtype: Any = None) -> Any:
        if tuple(shape) != tuple(values.shape):
            raise ValueError(f"Expected `shape` to be {tuple(values.shape)} for direct tensor as initializer. Received shape={shape}")
        return ops.cast(ops.convert_to_tensor(values), standardize_dtype(dtype))
    return initialize


def serialize(initializer: Any) -> Any:
    """The record of an initializer: module, class_name, config."""
    return serialize_object(initializer, "keras.initializers", _CLASSES)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer of a record or name. Raises ValueError for an unknown one."""
    return deserialize_object(config, "initializer", _KNOWN, custom_objects)


suggest_names(__name__)

"""Learning rates that are functions of the number of updates. They are part of the compiled step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..config import floatx
from ..suggest import suggest_names


class LearningRateSchedule:
    """Subclasses define __call__(step) -> the learning rate, with kcompile.ops, and get_config()."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`.")

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be "
                                  f"serializable.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        return cls(**config)


def _number(value: Any) -> Any:
    """A float as a scalar of floatx."""
    return ops.convert_to_tensor(float(value))


def _steps(step: Any) -> Any:
    return ops.cast(step, floatx())


def _positive_steps(name: str, value: Any) -> None:
    if value <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")


class ExponentialDecay(LearningRateSchedule):
    """initial * decay_rate ** (step / decay_steps); staircase: the exponent is rounded down."""

    def __init__(self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False,
                 name: str = "ExponentialDecay") -> None:
        _positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> Any:
        exponent = _steps(step) / float(self.decay_steps)
        if self.staircase:
            exponent = ops.floor(exponent)
        return _number(self.initial_learning_rate) * ops.power(_number(self.decay_rate), exponent)

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps, "decay_rate": self.decay_rate,
                "staircase": self.staircase, "name": self.name}


class InverseTimeDecay(LearningRateSchedule):
    """initial / (1 + decay_rate * step / decay_steps); staircase: the quotient is rounded down."""

    def __init__(self, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False,
                 name: str = "InverseTimeDecay") -> None:
        _positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> Any:
        periods = _steps(step) / float(self.decay_steps)
        if self.staircase:
            periods = ops.floor(periods)
        return _number(self.initial_learning_rate) / (1.0 + _number(self.decay_rate) * periods)

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps, "decay_rate": self.decay_rate,
                "staircase": self.staircase, "name": self.name}


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0] (included), then values[1], ... Raises ValueError for lists that do not match."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError("The length of boundaries should be 1 less than the length of values. "
                             f"Received: boundaries={boundaries} of length {len(boundaries)}, and values={values} of length {len(values)}.")
        self.boundaries, self.values, self.name = boundaries, values, name

    def __call__(self, step: Any) -> Any:
        step = _steps(step)
        rate = _number(self.values[-1])
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = ops.where(step <= float(boundary), _number(value), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """From initial to end over decay_steps as (1 - step / decay_steps) ** power; cycle: begin again with a longer period."""

    def __init__(self, initial_learning_rate: float, decay_steps: int, end_learning_rate: float = 0.0001, power: float = 1.0,
                 cycle: bool = False, name: str = "PolynomialDecay") -> None:
        _positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.end_learning_rate = initial_learning_rate, decay_steps, end_learning_rate
        self.power, self.cycle, self.name = power, cycle, name

    def __call__(self, step: Any) -> Any:
        step = _steps(step)
        period: Any = float(self.decay_steps)
        if self.cycle:
            period = period * ops.maximum(ops.ceil(step / period), 1.0)
        else:
            step = ops.minimum(step, period)
        start, end = _number(self.initial_learning_rate), _number(self.end_learning_rate)
        return (start - end) * ops.power(1.0 - step / period, float(self.power)) + end

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps,
                "end_learning_rate": self.end_learning_rate, "power": self.power, "cycle": self.cycle, "name": self.name}


def _half_cosine(share: Any) -> Any:
    """1 at share 0, 0 at share 1."""
    return 0.5 * (1.0 + ops.cos(math.pi * share))


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to alpha times it over decay_steps.

    warmup_target: ahead of that, warmup_steps on a line from the initial rate to this one, from which the cosine starts.
    """

    def __init__(self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0, name: str = "CosineDecay",
                 warmup_target: float | None = None, warmup_steps: int = 0) -> None:
        _positive_steps("decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.alpha, self.name = initial_learning_rate, decay_steps, alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: Any) -> Any:
        step = _steps(step)
        if self.warmup_target is None:
            return self._decayed(step, _number(self.initial_learning_rate))
        start, target, warm = _number(self.initial_learning_rate), _number(self.warmup_target), float(self.warmup_steps)
        step = ops.minimum(step, warm + float(self.decay_steps))
        decayed = self._decayed(step - warm, target)
        if not self.warmup_steps:
            return decayed
        return ops.where(step < warm, (target - start) * (step / warm) + start, decayed)

    def _decayed(self, step: Any, top: Any) -> Any:
        share = ops.minimum(step, float(self.decay_steps)) / float(self.decay_steps)
        return top * ((1.0 - self.alpha) * _half_cosine(share) + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "decay_steps": self.decay_steps, "alpha": self.alpha,
                "name": self.name, "warmup_target": self.warmup_target, "warmup_steps": self.warmup_steps}


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after another: each period is t_mul times as long as the last, and starts m_mul times as high."""

    def __init__(self, initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0, m_mul: float = 1.0, alpha: float = 0.0,
                 name: str = "SGDRDecay") -> None:
        _positive_steps("first_decay_steps", first_decay_steps)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self._t_mul, self._m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def __call__(self, step: Any) -> Any:
        share = _steps(step) / float(self.first_decay_steps)  # in first periods, then within the present one
        if self._t_mul == 1.0:
            restart = ops.floor(share)
            share = share - restart
        else:
            growth = float(self._t_mul)
            restart = ops.floor(ops.log(1.0 - share * (1.0 - growth)) / math.log(growth))
            before = (1.0 - ops.power(_number(growth), restart)) / (1.0 - growth)
            share = (share - before) / ops.power(_number(growth), restart)
        height = ops.power(_number(self._m_mul), restart)
        rate = (1.0 - self.alpha) * height * _half_cosine(share) + self.alpha
        return _number(self.initial_learning_rate) * rate

    def get_config(self) -> dict[str, Any]:
        return {"initial_learning_rate": self.initial_learning_rate, "first_decay_steps": self.first_decay_steps, "t_mul": self._t_mul,
                "m_mul": self._m_mul, "alpha": self.alpha, "name": self.name}


_BY_NAME: dict[str, Any] = {cls.__name__: cls for cls in (
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay)}

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule", "PiecewiseConstantDecay",
    "PolynomialDecay", "deserialize", "serialize",
]


def serialize(learning_rate_schedule: Any) -> Any:
    """The config of a schedule."""
    from ..identifiers import serialize_object

    return serialize_object(learning_rate_schedule, "keras.optimizers.schedules", _BY_NAME)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A schedule from what `serialize` gives. Raises ValueError."""
    from ..identifiers import deserialize_object

    return deserialize_object(config, "learning rate schedule", _BY_NAME, custom_objects)


suggest_names(__name__)

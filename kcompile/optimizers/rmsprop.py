"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..variables import Variable
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """v = rho * v + (1 - rho) * g**2; w -= rate * g / sqrt(v + epsilon) (Hinton, 2012; Graves, 2013, for centered).

    momentum: keeps a running sum of the steps; centered: the mean gradient's square is taken off v.
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7, centered: bool = False,
                 weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
                         loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._velocities = self.add_optimizer_variables(var_list, "velocity")
        self._momentums = self.add_optimizer_variables(var_list, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(var_list, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        place = self._get_variable_index(variable)
        velocity = self._velocities[place] * self.rho + ops.square(gradient) * (1 - self.rho)
        self._velocities[place].assign(velocity)
        if self.centered:
            average = self._average_gradients[place] * self.rho + gradient * (1 - self.rho)
            self._average_gradients[place].assign(average)
            velocity = velocity - ops.square(average)
        step = rate * gradient * ops.rsqrt(velocity + self.epsilon)
        if self.momentum > 0:
            step = self._momentums[place] * self.momentum + step
            self._momentums[place].assign(step)
        variable.assign_sub(step)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}

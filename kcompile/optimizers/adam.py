"""Adam and its kin: AdamW, Adamax, Nadam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..variables import Variable
from .optimizer import Optimizer


class Adam(Optimizer):
    """m += (1 - beta_1) * (g - m); v += (1 - beta_2) * (g**2 - v); w -= rate * m' / (sqrt(v') + epsilon).

    m', v' are m, v without the bias of their start from zero (Kingma and Ba, 2014, in the order of the end of section 2); amsgrad: the
    largest v so far takes the place of v (Reddi et al., 2018).
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7, amsgrad: bool = False,
                 weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
                         loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        self._velocity_hats = self.add_optimizer_variables(var_list, "velocity_hat") if self.amsgrad else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        gradient = ops.cast(gradient, variable.dtype)
        alpha = self._once(("alpha", variable.dtype), lambda: self._unbiased_rate(learning_rate, variable.dtype))
        place = self._get_variable_index(variable)
        momentum = _follow(self._momentums[place], gradient, self.beta_1)
        velocity = _follow(self._velocities[place], ops.square(gradient), self.beta_2)
        if self.amsgrad:
            velocity = ops.maximum(self._velocity_hats[place], velocity)
            self._velocity_hats[place].assign(velocity)
        # the rate last: where an update follows a sum of products it is multiplied and subtracted in one instruction
        variable.assign_sub(momentum / (ops.sqrt(velocity) + self.epsilon) * alpha)

    def _unbiased_rate(self, learning_rate: Any, dtype: Any) -> Any:
        """The learning rate, and with it the removal of both biases."""
        count = ops.cast(self.iterations + 1, dtype)
        return ops.cast(learning_rate, dtype) * ops.sqrt(1 - _power(self.beta_2, count)) / (1 - _power(self.beta_1, count))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon, "amsgrad": self.amsgrad}


class AdamW(Adam):
    """Adam with weight decay: w -= rate * weight_decay * w ahead of each step (Loshchilov and Hutter, 2019).

    Raises ValueError without a decay.
    """

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float | None = 0.004, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float = 1e-7, amsgrad: bool = False, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema,
                         ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)


class Adamax(Optimizer):
    """Adam with the largest gradient so far, decaying by beta_2, in the place of the root of v (Kingma and Ba, 2014, section 7)."""

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
                         loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._m, self._u = self.add_optimizer_variables(var_list, ["momentum", "norm"])

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        power = _power(self.beta_1, ops.cast(self.iterations + 1, variable.dtype))
        place = self._get_variable_index(variable)
        momentum = _follow(self._m[place], gradient, self.beta_1)
        norm = ops.maximum(self._u[place] * self.beta_2, ops.abs(gradient))
        self._u[place].assign(norm)
        variable.assign_sub(rate * momentum / ((1 - power) * (norm + self.epsilon)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Nadam(Optimizer):
    """Adam that looks one step ahead along the momentum, as Nesterov does (Dozat, 2016)."""

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
                         loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        self._u_product = self.add_variable((), "ones", var_list[0]._dtype if var_list else None)

    def _before_updates(self, learning_rate: Any) -> None:
        count = ops.cast(self.iterations + 1, self._u_product.dtype)
        self._u_product.assign(self._u_product * self._share(count))

    def _share(self, count: Any) -> Any:
        """The momentum of a step: beta_1 warmed up."""
        return self.beta_1 * (1.0 - 0.5 * _power(0.96, count))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        dtype = variable.dtype
        rate = ops.cast(learning_rate, dtype)
        gradient = ops.cast(gradient, dtype)
        count = ops.cast(self.iterations + 1, dtype)
        now, ahead = self._share(count), self._share(count + 1)
        product = ops.cast(self._u_product, dtype)
        place = self._get_variable_index(variable)
        momentum = _follow(self._momentums[place], gradient, self.beta_1)
        velocity = _follow(self._velocities[place], ops.square(gradient), self.beta_2)
        direction = ahead * momentum / (1 - product * ahead) + (1 - now) * gradient / (1 - product)
        spread = velocity / (1 - _power(self.beta_2, count))
        variable.assign_sub(direction / (ops.sqrt(spread) + self.epsilon) * rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


def _follow(slot: Variable, value: Any, beta: float) -> Any:
    """The running mean in a slot after one more value; it is kept there."""
    mean = slot + (value - slot) * (1 - beta)
    slot.assign(mean)
    return mean


def _power(base: float, count: Any) -> Any:
    """base**count in the dtype of count."""
    return ops.power(ops.cast(base, count.dtype), count)

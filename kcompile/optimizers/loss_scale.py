"""Loss scaling: keeps the small gradients of float16 training from vanishing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..variables import Variable
from .optimizer import Optimizer


class LossScaleOptimizer(Optimizer):
    """Another optimizer on a loss that is multiplied by a scale, whose gradients are divided by it.

    A step with a gradient that is not finite changes nothing but the scale, which is halved; after dynamic_growth_steps good steps in
    a row it is doubled. compile() puts it around the optimizer of a model whose dtype policy is mixed_float16.
    """

    def __init__(self, inner_optimizer: Optimizer, initial_scale: float = 2.0**15, dynamic_growth_steps: int = 2000,
                 name: str | None = None, **kwargs: Any) -> None:
        if not kwargs.pop("dynamic", True):
            raise ValueError("LossScaleOptimizer no longer supports `dynamic=False`. Instead, simply set `loss_scale_factor` directly on "
                             "the `inner_optimizer`.")
        super().__init__(learning_rate=0.0, name=name, **kwargs)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps

    def build(self, var_list: Sequence[Variable]) -> None:
        if self.built:
            return
        self.step_counter = self._scalar(0, "int64", "step_counter", "slot")
        self.dynamic_scale = self._scalar(self.initial_scale, "float32", "dynamic_scale", "slot")
        self.inner_optimizer.build(var_list)
        super().build(var_list)

    @property
    def variables(self) -> list[Variable]:
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def trace_version(self) -> int:
        return self.inner_optimizer.trace_version

    @trace_version.setter
    def trace_version(self, value: int) -> None:
        """The own rate is never read, so that only the inner optimizer's changes count."""

    @property
    def iterations(self) -> Any:
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        self.inner_optimizer.learning_rate = rate

    def scale_loss(self, loss: Any) -> Any:
        scale = self.dynamic_scale if self.built else self.initial_scale
        return self.inner_optimizer.scale_loss(loss) * ops.cast(scale, loss.dtype if hasattr(loss, "dtype") else "float32")

    def check_finite(self, grads: Sequence[Any]) -> Any:
        """Whether every element of every gradient is finite."""
        finite: Any = None
        for gradient in grads:
            one = ops.all(ops.isfinite(gradient))
            finite = one if finite is None else ops.logical_and(finite, one)
        return finite

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        variables = list(trainable_variables if trainable_variables is not None else self._trainable_variables)
        if not self.built:
            self.build(variables)
        scale = self.dynamic_scale.value
        finite = self.check_finite([gradient for gradient in grads if gradient is not None])
        unscaled = [None if gradient is None else ops.divide(gradient, scale) for gradient in grads]
        self._when(finite, [*variables, *self.inner_optimizer.variables], lambda: self.inner_optimizer.apply(unscaled, variables))
        count = self.step_counter + 1
        full = ops.equal(count, self.dynamic_growth_steps)
        self.step_counter.assign(ops.where(ops.logical_and(finite, ops.logical_not(full)), count, ops.zeros_like(count)))
        grown = ops.where(full, scale * 2.0, scale)
        self.dynamic_scale.assign(ops.where(finite, grown, scale / 2.0))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def set_weights(self, weights: Sequence[Any]) -> None:
        if not self.built:
            super().set_weights(weights)
        for variable, value in zip(self.variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        for place, variable in enumerate(self.variables):
            store[str(place)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        if len(store) != len(self.variables):
            raise ValueError(f"optimizer '{self.name}' has {len(self.variables)} variables, but the saved state has {len(store)}")
        for place, variable in enumerate(self.variables):
            variable.assign(np.asarray(store[str(place)]))

    def get_config(self) -> dict[str, Any]:
        from . import serialize

        return {"name": self.name, "inner_optimizer": serialize(self.inner_optimizer), "initial_scale": self.initial_scale,
                "dynamic_growth_steps": self.dynamic_growth_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
        from . import deserialize

        config = dict(config)
        return cls(deserialize(config.pop("inner_optimizer"), custom_objects), **config)

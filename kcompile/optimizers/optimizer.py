"""The base of optimizers: state, clipping, weight decay, gradient accumulation, averaged weights.

Everything is written with kcompile.ops on variables: called by the user, `apply` acts at once; called while a training step is
traced, it becomes part of the step. Order of the variables, as in Keras 3: iteration, learning_rate, [averages],
[accumulators], then what the algorithm keeps for each weight.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import naming, ops
from ..common.users_code import warn
from ..config import floatx
from ..tensor import TracedTensor
from ..variables import Variable
from .clipping import clip_by_norms, clip_global
from .schedules import LearningRateSchedule
from .schedules import deserialize as deserialize_schedule
from .schedules import serialize as serialize_schedule


def _whole_or_not(build: Callable[..., None]) -> Callable[..., None]:
    """A `build` that an interrupt or an error leaves as if it had not begun: half of the slots would be taken for all of them."""

    @functools.wraps(build)
    def whole(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        variables, attributes = list(self._variables), dict(self.__dict__)
        try:
            build(self, *args, **kwargs)
        except BaseException:
            attributes["_variables"] = variables
            self.__dict__.clear()
            self.__dict__.update(attributes)
            raise

    return whole


class Optimizer:
    """Subclasses make their slots in build(variables) and define update_step(gradient, variable, learning_rate).

    learning_rate: a number, a LearningRateSchedule, or a function without arguments; weight_decay: the share of the weights taken
    away at each step, times the rate; clipnorm, clipvalue, global_clipnorm: at most one of them; use_ema: keep averages of
    the weights, which replace them at the end of training and every ema_overwrite_frequency steps;
    gradient_accumulation_steps: steps whose gradients are averaged into one update. Raises ValueError.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _whole_or_not(cls.__dict__["build"])  # type: ignore[method-assign]

    def __init__(self, learning_rate: Any, weight_decay: float | None = None, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if kwargs.pop("decay", None) is not None:
            warn("Argument `decay` is no longer supported and will be ignored.")
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}" + (". Use `learning_rate`" if "lr" in kwargs else ""))
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError("Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                             f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}")
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={ema_momentum}")
        if ema_overwrite_frequency and (not isinstance(ema_overwrite_frequency, int) or ema_overwrite_frequency < 1):
            raise ValueError("`ema_overwrite_frequency` must be an integer >= 1 or None. "
                             f"Received: ema_overwrite_frequency={ema_overwrite_frequency}")
        if gradient_accumulation_steps is not None and gradient_accumulation_steps < 2:
            raise ValueError("`gradient_accumulation_steps` must be an integer >= 2. "
                             f"Received: gradient_accumulation_steps={gradient_accumulation_steps}")
        self.name = name or naming.auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum, self.ema_overwrite_frequency = use_ema, ema_momentum, ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self.trace_version = 0  # counts changes that a traced step cannot follow
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._position: dict[int, int] = {}  # id of a weight -> its place in the lists of slots
        self._undecayed_ids: set[int] = set()
        self._undecayed_names: list[str] = []
        self._iterations = self._scalar(0, "int64", "iteration", "counter")
        self._learning_rate = self._as_rate(learning_rate)

    # -- state ------------------------------------------------------------------------------------------------
    @property
    def variables(self) -> list[Variable]:
        return list(self._variables)

    def _scalar(self, value: Any, dtype: str, name: str, role: str) -> Variable:
        with naming.root_scope(), naming.name_scope(self.name):
            variable = Variable(np.asarray(value, dtype), trainable=False, autocast=False, name=name, role=role)
        self._variables.append(variable)
        return variable

    def _as_rate(self, rate: Any) -> Any:
        if isinstance(rate, dict):
            rate = deserialize_schedule(rate)
        if isinstance(rate, LearningRateSchedule) or (callable(rate) and not isinstance(rate, Variable)):
            return rate
        number = np.asarray(rate)
        if number.ndim or number.dtype.kind not in "fiu":
            raise ValueError("Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a callable without "
                             f"arguments. Received: learning_rate={rate!r}")
        return self._scalar(float(number), floatx(), "learning_rate", "hyper")

    def add_variable(self, shape: Any, initializer: Any = "zeros", dtype: Any = None, aggregation: str = "none", layout: Any = None,
                     name: str | None = None) -> Variable:
        """A state of this optimizer."""
        with naming.root_scope(), naming.name_scope(self.name):
            variable = Variable(initializer, shape=shape, dtype=dtype, trainable=False, autocast=False, name=name, role="slot")
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros") -> Variable:
        """A state of the shape and dtype of a weight, named after it."""
        path = (reference_variable.path or reference_variable.name).replace("/", "_")
        return self.add_variable(tuple(reference_variable.shape), initializer, reference_variable._dtype, name=f"{path}_{name or 'slot'}")

    def add_optimizer_variables(self, trainable_variables: Sequence[Variable], name: str | Sequence[str],
                                initializer: Any = "zeros") -> Any:
        """A list with one state a weight; for a list of names, as many lists."""
        names = [name] if isinstance(name, str) else list(name)
        initializers = [initializer] * len(names) if not isinstance(initializer, (list, tuple)) else list(initializer)
        lists: list[list[Variable]] = [[] for _ in names]
        for variable in trainable_variables:
            for slots, slot_name, start in zip(lists, names, initializers, strict=True):
                slots.append(self.add_variable_from_reference(variable, slot_name, start))
        return lists[0] if isinstance(name, str) else tuple(lists)

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state for these weights. Subclasses call super().build(variables) first, unless they are built already."""
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated = self.add_optimizer_variables(variables, "gradient_accumulator")
        self._trainable_variables = list(variables)
        self._position = {id(variable): place for place, variable in enumerate(variables)}
        self.built = True

    def _get_variable_index(self, variable: Variable) -> int:
        return self._position[id(variable)]

    @property
    def iterations(self) -> Any:
        """The number of updates so far."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate now: a variable that may be assigned, or the value of the schedule at this iteration."""
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        if isinstance(rate, LearningRateSchedule) or (callable(rate) and not isinstance(rate, Variable)):
            if isinstance(self._learning_rate, Variable):
                self._variables = [variable for variable in self._variables if variable is not self._learning_rate]
            self._learning_rate = rate
            self.trace_version += 1
        elif isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(rate)
        else:
            raise TypeError("This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` constructor argument, "
                            "hence its learning rate is not settable. If you need the learning rate to be settable, you should instantiate "
                            "the optimizer with a float `learning_rate` argument.")

    # -- updates ----------------------------------------------------------------------------------------------
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        raise NotImplementedError(f"optimizer {type(self).__name__} must define update_step(gradient, variable, learning_rate)")

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """Update from (gradient, variable) pairs; the number of updates so far."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Update weights by their gradients. Without weights, those of `build` are meant. Raises ValueError."""
        grads = list(grads)
        variables = list(trainable_variables if trainable_variables is not None else self._trainable_variables)
        if trainable_variables is None and not self.built:
            raise ValueError("When passing `grads` without `variables`, the optimizer must already be built on a list of variables. "
                             "Call `optimizer.build(trainable_variables)` first.")
        if len(grads) != len(variables):
            raise ValueError(f"apply() received {len(grads)} gradients for {len(variables)} variables")
        if not self.built:
            self.build(variables)
        for variable in variables:
            if id(variable) not in self._position:
                raise ValueError(f"Unknown variable: {variable}. This optimizer can only be called for the variables it was originally "
                                 "built with. When working with a new set of variables, you should recreate a new optimizer instance.")
        present = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not present:
            if variables:
                raise ValueError("No gradients provided for any variable.")
            self._iterations.assign_add(1)
            return
        if len(present) < len(variables):
            missing = ", ".join(v.path for g, v in zip(grads, variables, strict=True) if g is None)
            warn(f"Gradients do not exist for variables {missing} when minimizing the loss.")
        grads, variables = [g for g, _ in present], [v for _, v in present]
        if self.loss_scale_factor is not None:
            grads = [g / self.loss_scale_factor for g in grads]
        if self.gradient_accumulation_steps:
            self._accumulate(grads, variables)
        else:
            self._update(grads, variables)
        if self.use_ema:
            self._average()
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        self._iterations.assign_add(1)

    def _update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        grads = self._clip_gradients(grads)
        rate = self.learning_rate
        self._apply_weight_decay(variables, rate)
        self._before_updates(rate)
        self._shared = {}
        try:
            for gradient, variable in zip(grads, variables, strict=True):
                self.update_step(gradient, variable, rate)
        finally:
            self._shared = None

    _shared: dict[Any, Any] | None = None

    def _once(self, key: Any, value: Callable[[], Any]) -> Any:
        """What is the same for every variable of one update is made for the first that asks: it would be most of a large trace."""
        if self._shared is None:
            return value()
        if key not in self._shared:
            self._shared[key] = value()
        return self._shared[key]

    def _before_updates(self, learning_rate: Any) -> None:
        """Runs once an update, before the weights are gone through."""

    def _accumulate(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        """Add the gradients up; at every n-th step update by their mean, and begin anew."""
        steps = self.gradient_accumulation_steps
        assert steps is not None
        due = ops.equal(ops.mod(self._iterations + 1, steps), 0)
        sums = [self._accumulated[self._get_variable_index(v)] for v in variables]
        means = [(g + total) / steps for g, total in zip(grads, sums, strict=True)]
        kept = [self._iterations, self._learning_rate, *self._accumulated]
        own = [variable for variable in self._variables if not any(variable is other for other in kept)]
        self._when(due, [*variables, *own], lambda: self._update(means, variables))
        for gradient, total in zip(grads, sums, strict=True):
            total.assign(ops.where(due, ops.zeros_like(total.value), total + gradient))

    def _when(self, condition: Any, variables: Sequence[Variable], update: Callable[[], None]) -> None:
        """Run an update of variables that counts only where a condition holds."""
        before = [variable.value for variable in variables]
        update()
        for variable, old in zip(variables, before, strict=True):
            new = variable.value
            if not isinstance(new, TracedTensor) or new.value != old.value:
                variable.assign(ops.where(condition, new, old))

    def _clip_gradients(self, grads: Sequence[Any]) -> list[Any]:
        if self.clipnorm is not None and self.clipnorm > 0:
            return clip_by_norms(grads, self.clipnorm)
        if self.global_clipnorm is not None and self.global_clipnorm > 0:
            return clip_global(grads, self.global_clipnorm)
        if self.clipvalue is not None and self.clipvalue > 0:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return list(grads)

    def _apply_weight_decay(self, variables: Sequence[Variable], learning_rate: Any) -> None:
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                rate = ops.cast(learning_rate, variable.dtype)
                variable.assign(variable - variable * ops.cast(self.weight_decay, variable.dtype) * rate)

    def _use_weight_decay(self, variable: Variable) -> bool:
        return id(variable) not in self._undecayed_ids and not any(re.search(name, variable.name) for name in self._undecayed_names)

    def exclude_from_weight_decay(self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None) -> None:
        """Weights, and patterns of their names, that do not decay. Call it before the optimizer is built."""
        if self.built:
            raise ValueError("`exclude_from_weight_decay()` can only be configured before the optimizer is built.")
        self._undecayed_ids = {id(variable) for variable in var_list or ()}
        self._undecayed_names = list(var_names or ())

    # -- averaged weights -------------------------------------------------------------------------------------
    def _average(self) -> None:
        later = ops.not_equal(self.iterations, 0)
        for average, variable in zip(self._averages, self._trainable_variables, strict=True):
            momentum = ops.cast(later, variable.dtype) * self.ema_momentum
            average.assign(momentum * average + (1 - momentum) * variable)
        if self.ema_overwrite_frequency:
            due = ops.equal(ops.mod(self.iterations + 1, self.ema_overwrite_frequency), 0)
            for average, variable in zip(self._averages, self._trainable_variables, strict=True):
                variable.assign(ops.where(due, average, variable))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """At the end of training, put the averages in place of the weights if they are kept."""
        if self.use_ema and self.built:
            for variable in var_list:
                if id(variable) in self._position:
                    variable.assign(self._averages[self._get_variable_index(variable)].numpy())

    # -- small services ---------------------------------------------------------------------------------------
    def scale_loss(self, loss: Any) -> Any:
        """The loss times loss_scale_factor, if there is one; `apply` divides the gradients by it."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def assign(self, variable: Variable, value: Any) -> None:
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        variable.assign_sub(value)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Give every variable of the optimizer a value, in the order of `variables`. Raises ValueError."""
        if not self.built:
            raise ValueError("You are calling `set_weights()` on an optimizer that has not yet been built. Please call "
                             "`optimizer.build(trainable_variables)` to create the optimizer weights before calling `set_weights()`.")
        if len(weights) != len(self._variables):
            raise ValueError(f"Optimizer {self.name} has {len(self._variables)} variables, but {len(weights)} values were given")
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Put the values into a mapping under the keys '0', '1', ..."""
        for place, variable in enumerate(self._variables):
            store[str(place)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take them back. Raises ValueError for another number of values."""
        if len(store) != len(self._variables):
            raise ValueError(f"optimizer '{self.name}' has {len(self._variables)} variables, but the saved state has {len(store)}")
        for place, variable in enumerate(self._variables):
            variable.assign(np.asarray(store[str(place)]))

    def get_config(self) -> dict[str, Any]:
        rate = self._learning_rate
        if isinstance(rate, Variable):
            rate = float(rate.array)
        elif isinstance(rate, LearningRateSchedule):
            rate = serialize_schedule(rate)
        return {"name": self.name, "learning_rate": rate, "weight_decay": self.weight_decay, "clipnorm": self.clipnorm,
                "global_clipnorm": self.global_clipnorm, "clipvalue": self.clipvalue, "use_ema": self.use_ema,
                "ema_momentum": self.ema_momentum, "ema_overwrite_frequency": self.ema_overwrite_frequency,
                "loss_scale_factor": self.loss_scale_factor, "gradient_accumulation_steps": self.gradient_accumulation_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize_schedule(config["learning_rate"], custom_objects)
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

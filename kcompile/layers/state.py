"""Owns what a layer holds: variables, sub-layers, losses, the `trainable` flag, and weights going out and in as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import constraints, initializers, regularizers, tracing
from ..random import SeedGenerator
from ..tensor import TracedTensor
from ..variables import Variable
from .tracking import Structure, Tracker

LOCKED = ("You cannot add new elements of state (variables or sub-layers) to a layer that is already built. "
          "All state must be created in the `__init__()` method or in the `build()` method.")
_KERAS2_ORDER = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")
_KERAS3_ORDER = ("shape", "initializer", "dtype", "trainable", "autocast", "regularizer", "constraint", "aggregation",
                 "overwrite_with_gradient", "name")


class LayerState:
    """The half of Layer that keeps state. Order of weights: the layer's own trainable ones, its own others, then its sub-layers'."""

    built: bool
    name: str
    _open_scope: Callable[[], Any]

    @property
    def path(self) -> str:
        raise NotImplementedError

    @property
    def variable_dtype(self) -> str:
        raise NotImplementedError

    def _initialize_state(self) -> None:
        """Runs before any __init__, so that attributes may be set ahead of super().__init__()."""
        from ..metrics.metric import Metric

        put = object.__setattr__
        put(self, "_trainable_variables", [])
        put(self, "_non_trainable_variables", [])
        put(self, "_layers", [])
        put(self, "_metrics", [])
        put(self, "_seed_generators", [])
        put(self, "_losses", [])
        put(self, "_trainable", True)
        put(self, "_tracker", Tracker({
            "trainable_variables": (lambda x: isinstance(x, Variable) and x.trainable, self._trainable_variables),
            "non_trainable_variables": (lambda x: isinstance(x, Variable), self._non_trainable_variables),
            "metrics": (lambda x: isinstance(x, Metric), self._metrics),
            "layers": (lambda x: isinstance(x, LayerState) and not isinstance(x, Metric), self._layers),
            "seed_generators": (lambda x: isinstance(x, SeedGenerator), self._seed_generators),
        }))

    _is_model = False
    _trainable_variables: list[Variable]
    _non_trainable_variables: list[Variable]
    _layers: list[Any]
    _metrics: list[Any]
    _seed_generators: list[SeedGenerator]
    _losses: list[Any]
    _trainable: bool
    _tracker: Tracker

    def __setattr__(self, name: str, value: Any) -> None:
        descriptor = getattr(type(self), name, None)
        if isinstance(descriptor, property):
            object.__setattr__(self, name, value)
            return
        new = self._tracker.track(value)
        if name in self.__dict__:
            self._tracker.untrack(self.__dict__[name])
        object.__setattr__(self, name, new)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            self._tracker.untrack(self.__dict__[name])
        object.__delattr__(self, name)

    # -- making weights ---------------------------------------------------------------------------------------
    def add_weight(self, *args: Any, shape: Any = None, initializer: Any = None, dtype: Any = None, trainable: bool = True,
                   autocast: bool = True, regularizer: Any = None, constraint: Any = None, aggregation: str = "none",
                   overwrite_with_gradient: bool = False, name: str | None = None) -> Variable:
        """Make a variable that belongs to this layer.

        shape: of ints (default: scalar); initializer: name, object, callable or array (default: glorot_uniform for floats,
        zeros otherwise); dtype: default the layer's variable dtype. Positional arguments are taken in Keras 3's order, or, when
        the first is a name, in Keras 2's. Raises ValueError after the layer has been built.
        """
        if args:
            options = {"shape": shape, "initializer": initializer, "dtype": dtype, "trainable": trainable, "autocast": autocast,
                       "regularizer": regularizer, "constraint": constraint, "aggregation": aggregation,
                       "overwrite_with_gradient": overwrite_with_gradient, "name": name}
            order = _KERAS2_ORDER if isinstance(args[0], str) else _KERAS3_ORDER
            if len(args) > len(order):
                raise TypeError(f"add_weight() takes at most {len(order)} positional arguments, {len(args)} were given")
            options.update(zip(order, args, strict=False))
            return self.add_weight(**options)
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if any(size is None for size in shape):
            raise ValueError(f"Cannot create a weight of layer '{self.name}' with unknown sizes. Received: shape={shape}")
        dtype = str(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        with self._open_scope():
            variable = Variable(initializer=initializers.get(initializer), shape=shape, dtype=dtype, trainable=trainable,
                                autocast=autocast, aggregation=aggregation, name=name,
                                role="weight" if trainable else "statistic")
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._tracker.add_to("trainable_variables" if trainable else "non_trainable_variables", variable)
        if not self._trainable:
            variable.trainable = False
        return variable

    def add_variable(self, shape: Any, initializer: Any, dtype: Any = None, trainable: bool = True, autocast: bool = True,
                     regularizer: Any = None, constraint: Any = None, name: str | None = None) -> Variable:
        """The same as add_weight."""
        return self.add_weight(shape=shape, initializer=initializer, dtype=dtype, trainable=trainable, autocast=autocast,
                               regularizer=regularizer, constraint=constraint, name=name)

    # -- listing ----------------------------------------------------------------------------------------------
    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> Iterator[Any]:
        """This layer and those below it, each once, depth first."""
        seen: set[int] = set()
        waiting = [self] if include_self else list(self._layers)
        while waiting:
            layer = waiting.pop(0)
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            yield layer
            if recursive or (include_self and layer is self):
                waiting[:0] = layer._layers

    @property
    def variables(self) -> list[Variable]:
        """All variables, states of seed generators included, metrics' left out."""
        found = [*self._trainable_variables, *self._non_trainable_variables]
        found += [generator.state for generator in self._seed_generators]
        for layer in self._layers:
            found += layer.variables
        return _unique(found)

    @property
    def weights(self) -> list[Variable]:
        """What get_weights() returns: all variables but the seed generators' states."""
        found = [*self._trainable_variables, *self._non_trainable_variables]
        for layer in self._layers:
            found += layer.weights
        return _unique(found)

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Any]:
        """Metrics held by this layer and the layers below it; those of a model inside belong to its own training."""
        found = list(self._metrics)
        for layer in self._layers:
            if not layer._is_model:
                found += layer.metrics
        return _unique(found)

    @property
    def metrics_variables(self) -> list[Variable]:
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether the trainable variables of this layer, and of all layers below it, take part in training."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        object.__setattr__(self, "_trainable", value)
        Structure.version += 1
        for variable in self._trainable_variables:
            variable.trainable = value
        for layer in self._layers:
            layer.trainable = value

    # -- losses -----------------------------------------------------------------------------------------------
    def add_loss(self, loss: Any) -> None:
        """Add one or several scalar tensors to the loss; to be called inside `call`. Raises ValueError for anything else."""
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            if callable(value) and not hasattr(value, "shape"):
                raise ValueError("`add_loss` takes tensors computed in `call()`, not a function. Call the function and add its result.")
            if not isinstance(value, (int, float)) and not hasattr(value, "shape"):
                raise ValueError(f"`add_loss` expects a scalar tensor. Received: {value!r} (of type {type(value)})")
            if getattr(value, "shape", ()) != ():
                raise ValueError(f"`add_loss` expects a scalar tensor. Received a tensor of shape {tuple(value.shape)} "
                                 f"in layer '{self.name}'.")
            self._losses.append(value)

    @property
    def losses(self) -> list[Any]:
        """Losses added during the last call, then those of the weights' regularizers."""
        added = [loss for layer in self._flatten_layers() for loss in layer._losses if _is_of_now(loss)]
        return added + [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    # -- arrays out and in ------------------------------------------------------------------------------------
    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return [np.array(variable.numpy()) for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Assign arrays in the order of `weights`. Raises ValueError, before anything is assigned, if number or shapes differ."""
        own = self.weights
        if len(own) != len(weights):
            raise ValueError(f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length {len(weights)}, "
                             f"but the layer was expecting {len(own)} weights.")
        arrays = [np.asarray(value) for value in weights]
        for variable, array in zip(own, arrays, strict=True):
            if tuple(variable.shape) != array.shape:
                raise ValueError(f"Layer '{self.name}' weight '{variable.path}' of shape {tuple(variable.shape)} is not compatible "
                                 f"with the provided weight of shape {array.shape}.")
        for variable, array in zip(own, arrays, strict=True):
            variable.assign(array)

    # -- into files and back ----------------------------------------------------------------------------------
    def _own_variables(self) -> list[Variable]:
        return [*self._trainable_variables, *self._non_trainable_variables]

    def save_own_variables(self, store: Any) -> None:
        """Put the layer's own variables (not those of the layers in it) into a mapping, as arrays under the keys '0', '1', ..."""
        for place, variable in enumerate(self._own_variables()):
            store[str(place)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take them back. Raises ValueError for another number of values or another shape."""
        own = self._own_variables()
        if len(store) != len(own):
            raise ValueError(f"Layer '{self.name}' expected {len(own)} variables, but received {len(store)} variables during loading.")
        for place, variable in enumerate(own):
            variable.assign(np.asarray(store[str(place)]))

    def count_params(self) -> int:
        """Number of scalars in the weights. Raises ValueError when the layer is not built."""
        if not self.built:
            raise ValueError(f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. "
                             "You can build it manually via: `layer.build(input_shape)`.")
        return sum(math.prod(variable.shape) for variable in self.weights)


def _is_of_now(loss: Any) -> bool:
    """Not a value of a step that was traced earlier."""
    trace = tracing.current_trace()
    return not isinstance(loss, TracedTensor) or (trace is not None and loss.value.graph is trace.graph)


def _unique(items: Sequence[Any]) -> list[Any]:
    if len(items) < 2:  # as of most layers, each of which is asked several times a `fit`
        return list(items)
    seen: set[int] = set()
    return [item for item in items if not (id(item) in seen or seen.add(id(item)))]  # type: ignore[func-returns-value]

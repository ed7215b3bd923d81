"""tf.Variable, tf.Tensor, tf.function, tf.TensorShape, tf.TensorSpec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.data.spec import TensorSpec as TensorSpec
from kcompile.tensor import KerasTensor, Shape
from kcompile.tensor import Tensor as EagerTensor
from kcompile.tracing import eager_scope
from kcompile.variables import Variable as KerasVariable

from .arrays import constant


class Variable(KerasVariable):
    """tf.Variable(initial_value, trainable, ..., name, dtype): a Keras variable with TensorFlow's constructor."""

    def __init__(self, initial_value: Any = None, trainable: bool = True, validate_shape: bool = True, caching_device: Any = None,
                 name: str | None = None, variable_def: Any = None, dtype: Any = None, import_scope: Any = None,
                 constraint: Any = None, shape: Any = None) -> None:
        if initial_value is None:
            raise ValueError("tf.Variable needs an initial_value")
        if callable(initial_value):
            with eager_scope():
                initial_value = initial_value()
        super().__init__(constant(initial_value, dtype=dtype), trainable=trainable, autocast=False, name=_plain_name(name),
                         constraint=constraint)


def _plain_name(name: str | None) -> str | None:
    """TensorFlow's names may hold slashes and an output number ("block/w:0"); a Keras path is made of its scopes instead."""
    return None if name is None else name.split(":")[0].replace("/", "_")


def function(func: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """tf.function: the function itself. Inside fit, evaluate and predict everything is compiled; outside it runs eagerly."""
    if func is None:
        return lambda f: f
    return func


def executing_eagerly() -> bool:
    """True outside of a trace."""
    from kcompile.tracing import in_trace
    return not in_trace()


class _AnyTensor(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, (EagerTensor, KerasTensor))


class Tensor(metaclass=_AnyTensor):
    """For annotations and isinstance: every tensor is one, eager or symbolic."""


TensorShape = Shape


"""tf.Variable, tf.function, tf.TensorShape, tf.TensorSpec."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kcompile.variables import Variable as KerasVariable


class Variable(KerasVariable):
    """tf.Variable(initial_value, trainable, ..., name, dtype): a Keras variable with TensorFlow's constructor."""

    def __init__(self, initial_value: Any = None, trainable: bool = True, validate_shape: bool = True, caching_device: Any = None,
                 name: str | None = None, variable_def: Any = None, dtype: Any = None, import_scope: Any = None,
                 constraint: Any = None, shape: Any = None) -> None:
        if initial_value is None:
            raise ValueError("tf.Variable needs an initial_value")
        if callable(initial_value):
            initial_value = initial_value()
        super().__init__(initial_value, dtype=dtype, trainable=trainable, name=name)
        self.constraint = constraint

    def read_value(self) -> Any:
        """The current value."""
        return self.value


def function(func: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """tf.function: the function itself. Inside fit, evaluate and predict everything is compiled; outside it runs eagerly."""
    if func is None:
        return lambda f: f
    return func


def executing_eagerly() -> bool:
    """True outside of a trace."""
    from kcompile.tracing import in_trace
    return not in_trace()


class TensorShape(tuple):
    """A shape as a tuple; None stands for an unknown extent."""

    def __new__(cls, dims: Iterable[int | None] | int) -> TensorShape:
        return super().__new__(cls, (dims,) if isinstance(dims, int) else tuple(dims))

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self)

    @property
    def ndims(self) -> int:
        """Number of dimensions."""
        return len(self)

    def as_list(self) -> list[int | None]:
        """The dimensions as a list."""
        return list(self)


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of a tensor."""

    shape: tuple[int | None, ...]
    dtype: str = "float32"
    name: str | None = None

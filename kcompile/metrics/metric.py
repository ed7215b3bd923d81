"""The base of metrics: state that a step updates, and a result read from it.

The states are variables of role "metric"; `update_state` is written with kcompile.ops, so that it runs at once when called by
the user, and becomes part of the native step in `fit` and `evaluate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config, naming
from ..dtypes import DType, standardize_dtype
from ..variables import Variable


class Metric:
    """Subclasses define update_state(...) and result(), and make their state with add_variable() in __init__.

    dtype: of the states, default floatx. Metrics and variables set as attributes are found by `variables`.
    """

    _direction: str | None = None  # "up" where larger is better, "down" where smaller is

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or naming.auto_name(type(self).__name__)
        self._dtype = standardize_dtype(getattr(dtype, "compute_dtype", dtype))
        self._own_state()

    def _own_state(self) -> tuple[list[Variable], list[Metric]]:
        """(variables, metrics) held by this one; made at first use, so that attributes may be set before super().__init__()."""
        found: tuple[list[Variable], list[Metric]] | None = self.__dict__.get("_state")
        if found is None:
            found = self.__dict__["_state"] = ([], [])
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        variables, metrics = self._own_state()
        if isinstance(value, Variable) and not any(v is value for v in variables):
            variables.append(value)
        elif isinstance(value, Metric) and not any(m is value for m in metrics):
            metrics.append(value)
        object.__setattr__(self, name, value)

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The states, those of metrics inside included."""
        own, inner = self._own_state()
        return [*own, *(variable for metric in inner for variable in metric.variables)]

    def add_variable(self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "sum", name: str | None = None) -> Variable:
        """A state of this metric, of dtype floatx unless another is given: that of the metric may be too short to count in."""
        with naming.name_scope(self.name.replace("/", ">")):
            variable = Variable(initializer, shape=shape, dtype=dtype or config.floatx(), trainable=False, autocast=False, name=name,
                                aggregation=aggregation, role="metric")
        self._own_state()[0].append(variable)
        return variable

    def add_weight(self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None, **kwargs: Any) -> Variable:
        """The same, under its older name. A first argument that is a string is taken as the name, as in Keras 2."""
        if isinstance(shape, str):
            shape, name = kwargs.pop("size", ()), shape
        if kwargs:
            raise TypeError(f"add_weight: unexpected arguments {sorted(kwargs)}")
        return self.add_variable(shape=shape, initializer="zeros" if initializer is None else initializer, dtype=dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"metric {type(self).__name__} must define update_state()")

    def result(self) -> Any:
        """The metric's value now: a scalar tensor, or a dict of them."""
        raise NotImplementedError(f"metric {type(self).__name__} must define result()")

    def reset_state(self) -> None:
        """Start anew: every state becomes zero."""
        for variable in self.variables:
            variable.assign(np.zeros(tuple(variable.shape), variable.array.dtype))

    def reset_states(self) -> None:
        """The older name of reset_state()."""
        self.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Update with these values, and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": str(self._dtype)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

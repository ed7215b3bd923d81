"""Owns dtype policies: which dtype a layer computes in and which one its variables have.

    >>> policy = DTypePolicy("mixed_float16")
    >>> str(policy.compute_dtype), str(policy.variable_dtype)
    ('float16', 'float32')
"""

from __future__ import annotations

from typing import Any

from . import config as settings
from .naming import on_clear_session
from .suggest import suggest_names

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_NAMES = ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
          "uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128", "string")


class DTypePolicy:
    """A dtype name (computation and variables), or `mixed_float16` / `mixed_bfloat16` (float32 variables).

    `name=None` takes the global policy. Raises ValueError for any other name.
    """

    def __init__(self, name: Any = None) -> None:
        if name is None:
            name = dtype_policy().name
        name = str(_dtype_name(name))
        if name not in _MIXED and name not in _NAMES:
            raise ValueError(f"Cannot convert '{name}' to a mixed precision DTypePolicy. Valid policies include 'mixed_float16', "
                             "'mixed_bfloat16', and the name of any float dtype such as 'float32'.")
        self._name: str = name
        self._compute_dtype: str = _MIXED.get(name, name)
        self._variable_dtype = "float32" if name in _MIXED else name

    @property
    def name(self) -> str:
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype in which a layer under this policy computes, and to which its float inputs are cast."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the variables that a layer under this policy makes."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> None:
        return None

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """A call argument as a layer takes it: arrays become tensors; with autocast, floats become `dtype`."""
        from .layers.arguments import convert_argument

        return convert_argument(x, autocast, str(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self._name)


FloatDTypePolicy = DTypePolicy
_global: list[DTypePolicy] = []  # empty: follow floatx


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none: what `set_dtype_policy` said, or else floatx."""
    return _global[0] if _global else DTypePolicy(settings.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are given none, from a policy, a name or a serialized policy."""
    _global[:] = [get(policy)]


@on_clear_session
def _reset() -> None:
    _global.clear()


def _dtype_name(value: Any) -> str:
    """'float32' of a string, a numpy or TensorFlow-like dtype, or a class such as np.float32."""
    if isinstance(value, str):
        return str(value)
    name: Any = getattr(value, "name", None) or getattr(value, "__name__", None)
    if not isinstance(name, str):
        raise ValueError(f"Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. Received: dtype={value!r}")
    return name


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a serialized policy, or None (the global one)."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return DTypePolicy(identifier)


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The record of a policy, as Keras writes it: module, class_name, config, registered_name."""
    return {"module": "keras", "class_name": "DTypePolicy", "config": dtype_policy.get_config(), "registered_name": None}


def deserialize(config: dict[str, Any], custom_objects: Any = None) -> DTypePolicy:
    """The inverse of `serialize`; also Keras 2's records of class `Policy`. Raises ValueError for another class."""
    if config.get("class_name") not in ("DTypePolicy", "FloatDTypePolicy", "Policy"):
        raise ValueError(f"not a serialized dtype policy: {config!r}")
    return DTypePolicy(config["config"]["name"])


suggest_names(__name__)

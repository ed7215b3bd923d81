"""keras.optimizers: classes, schedules, and the names that `compile` takes."""

from __future__ import annotations

from typing import Any

from ..identifiers import deserialize_object, serialize_object, unknown_identifier
from ..suggest import suggest_names
from . import schedules
from .adam import Adam, Adamax, AdamW, Nadam
from .adaptive import Adadelta, Adagrad
from .lion import Lion
from .loss_scale import LossScaleOptimizer
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

_CLASSES = (SGD, RMSprop, Adam, AdamW, Adadelta, Adagrad, Adamax, Nadam, Lion)
_BY_NAME: dict[str, Any] = {cls.__name__.lower(): cls for cls in _CLASSES}
_BY_CLASS_NAME: dict[str, Any] = {cls.__name__: cls for cls in (*_CLASSES, LossScaleOptimizer)}

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "LossScaleOptimizer", "Nadam", "Optimizer", "RMSprop",
    "deserialize", "get", "schedules", "serialize",
]


def get(identifier: Any) -> Any:
    """An optimizer from its name (in any case), a config dict, a class or an optimizer. Raises ValueError."""
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        found = _BY_NAME.get(identifier.lower())
        if found is None:
            raise unknown_identifier("optimizer", identifier, [*_BY_NAME, *_BY_CLASS_NAME])
        return found()
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]
    raise unknown_identifier("optimizer", identifier, _BY_NAME)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The config of an optimizer."""
    config: dict[str, Any] = serialize_object(optimizer, "keras.optimizers", _BY_CLASS_NAME)
    return config


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """An optimizer from what `serialize` gives; class names in any case. Raises ValueError."""
    return deserialize_object(config, "optimizer", {**_BY_NAME, **_BY_CLASS_NAME}, custom_objects)


suggest_names(__name__)

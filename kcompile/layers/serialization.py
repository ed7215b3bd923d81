"""Owns layers as plain data: class name and configuration, out and in again. Only known classes are made, never imported by name."""

from __future__ import annotations

from typing import Any

from ..saving.registry import CustomObjectScope, find, get_registered_name, note_object, note_record, shared_object
from .layer import Layer


def serialize(layer: Layer) -> dict[str, Any]:
    """{module, class_name, config, registered_name[, build_config]} of a layer, in Keras 3's form."""
    cls = type(layer)
    own = cls.__module__.startswith(__name__.partition(".")[0] + ".")
    module = _public_module(layer) if own else None
    record: dict[str, Any] = {
        "module": module,
        "class_name": cls.__name__,
        "config": layer.get_config(),
        "registered_name": None if module is not None and module.count(".") < 2 else get_registered_name(cls),
    }
    build_config = layer.get_build_config()
    if build_config is not None and layer.built:
        record["build_config"] = build_config
    if layer.weights:  # what has none may as well be made twice, and Keras does not take such models back when it is one
        note_record(layer, record)
    return record


def _public_module(layer: Layer) -> str:
    from ..models import Functional, Model

    if isinstance(layer, Functional):
        return "keras.src.models.functional"
    return "keras" if isinstance(layer, Model) else "keras.layers"


def class_named(class_name: str, custom_objects: dict[str, Any] | None = None, registered_name: str | None = None) -> type[Layer]:
    """A layer class by its name: a user's (given or registered) first. Raises ValueError for an unknown one."""
    from .. import layers, models

    found = find(custom_objects, registered_name, class_name)
    if found is None:
        found = getattr(layers, class_name, None) or getattr(models, class_name, None)
    if not isinstance(found, type) or not issubclass(found, Layer):
        raise ValueError(f"Unknown layer: '{class_name}'. Give a class of your own in `custom_objects={{'{class_name}': ...}}`.")
    return found


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Layer:
    """The layer of a record that `serialize` wrote; built when the record says for which shape. Raises ValueError."""
    from ..models import Model

    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ValueError(f"not a serialized layer: {config!r}")
    cls = class_named(config["class_name"], custom_objects, config.get("registered_name"))
    known = shared_object(config)
    if isinstance(known, cls):
        return known
    fields = dict(config["config"])
    with CustomObjectScope(custom_objects or {}):  # activations, initializers and the like look there
        layer: Any = cls.from_config(fields, custom_objects=custom_objects) if issubclass(cls, Model) else cls.from_config(fields)
        if config.get("build_config") and not layer.built:
            layer.build_from_config(config["build_config"])
    note_object(config, layer)
    made: Layer = layer
    return made

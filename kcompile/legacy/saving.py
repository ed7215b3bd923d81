"""Owns Keras 2's plain data of objects: {class_name, config}, and the names of functions, without modules."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..saving.registry import get_registered_name, get_registered_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance: Any) -> Any:
    """{class_name, config} of an object with `get_config`, the name of a function or class, None of None. Raises ValueError."""
    if instance is None:
        return None
    instance = inspect.unwrap(instance) if callable(instance) else instance
    if not isinstance(instance, type) and hasattr(instance, "get_config"):
        return {"class_name": get_registered_name(type(instance)), "config": {key: _item(value) for key, value in
                                                                              instance.get_config().items()}}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    raise ValueError(f"Cannot serialize {instance} because it doesn't implement `get_config()`.")


def _item(value: Any) -> Any:
    """A part of a configuration: objects and functions in it become data too, and are marked, so that they become objects again."""
    if value is None or isinstance(value, (str, int, float, list, tuple, dict)):
        return value
    try:
        made = serialize_keras_object(value)
    except ValueError:
        return value
    return {**made, "__passive_serialization__": True} if isinstance(made, dict) else made


def deserialize_keras_object(identifier: Any, module_objects: Mapping[str, Any] | None = None,
                             custom_objects: Mapping[str, Any] | None = None, printable_module_name: str = "object") -> Any:
    """The object of {class_name, config}, or the function or new object of a name; anything callable as it is, None for None.

    module_objects: what names stand for, besides registered and custom objects. Raises ValueError for a name that stands for nothing,
    and for data of another form.
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    if isinstance(identifier, dict):
        return _of_record(identifier, module_objects, custom_objects, printable_module_name)
    if isinstance(identifier, str):
        found = get_registered_object(identifier, custom_objects, module_objects)
        if found is None:
            raise ValueError(f"Unknown {printable_module_name}: '{identifier}'. Use a `keras.utils.custom_object_scope` that has it, or "
                             "register it")
        return found() if isinstance(found, type) else found
    raise ValueError(f"Could not interpret serialized {printable_module_name}: {identifier}")


def _of_record(record: dict[str, Any], module_objects: Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None,
               title: str) -> Any:
    if "class_name" not in record or not isinstance(record.get("config"), (dict, list)):
        raise ValueError(f"Improper config format for {record}. Expecting python dict contains `class_name` and `config` as keys")
    cls = get_registered_object(record["class_name"], custom_objects, module_objects)
    if cls is None:
        raise ValueError(f"Unknown {title}: '{record['class_name']}'. Use a `keras.utils.custom_object_scope` that has it, or register it")
    config = record["config"]
    if isinstance(config, dict):
        config = {key: _part(key, value, module_objects, custom_objects) for key, value in config.items()}
    if not hasattr(cls, "from_config"):
        return cls(**config)
    if "custom_objects" in inspect.signature(cls.from_config).parameters:
        return cls.from_config(config, custom_objects=dict(custom_objects or {}))
    return cls.from_config(config)


def _part(key: str, value: Any, module_objects: Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None) -> Any:
    if key == "name":
        return value
    if isinstance(value, dict) and "__passive_serialization__" in value:
        plain = {name: item for name, item in value.items() if name != "__passive_serialization__"}
        return deserialize_keras_object(plain, module_objects, custom_objects, "config_item")
    if isinstance(value, str):
        found = get_registered_object(value, custom_objects, module_objects)
        return found if inspect.isfunction(found) else value
    return value

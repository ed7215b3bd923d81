"""Owns objects as plain data: records of module, class_name, config and registered_name, out and in again.

Nothing is imported by a name that a record holds: classes are looked up among kcompile's own and the user's registered ones.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import ModelFileError
from .registry import CustomObjectScope, find, get_registered_name, in_safe_mode, safe_mode_scope

_MODULES = ("layers", "models", "optimizers", "optimizers.schedules", "losses", "metrics", "initializers", "regularizers", "constraints",
            "activations", "ops")
_UNSAFE = ("the file holds the body of a Python lambda, which is code: it is only loaded with `safe_mode=False`, and only from a file "
           "you trust. Named functions, registered or given in `custom_objects`, need no such permission.")


def _package() -> str:
    return __name__.partition(".")[0]


def _is_own(item: Any) -> bool:
    return str(getattr(item, "__module__", "")).startswith(_package() + ".")


def _public_module(cls: Any) -> str | None:
    """'keras.layers' for a class that kcompile exports there."""
    import importlib

    for module in _MODULES:
        if getattr(importlib.import_module(f"{_package()}.{module}"), cls.__name__, None) is cls:
            return "keras" if module == "models" else f"keras.{module}"
    if cls.__name__ == "DTypePolicy":
        return "keras"
    return "keras.random" if cls.__name__ == "SeedGenerator" else None


def serialize_keras_object(obj: Any) -> Any:
    """An object, or a structure of objects, as data that JSON can hold. Raises TypeError for what has no configuration."""
    from ..tensor import KerasTensor, Tensor

    if obj is None or isinstance(obj, (bool, int, float)):
        return obj
    if isinstance(obj, str):
        return str(obj)
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(item) for item in obj]
    if isinstance(obj, Mapping):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        return {"class_name": "__slice__",
                "config": {name: serialize_keras_object(getattr(obj, name)) for name in ("start", "stop", "step")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, KerasTensor):
        operation, node, index = obj._keras_history  # type: ignore[attr-defined]
        return {"class_name": "__keras_tensor__",
                "config": {"shape": list(obj.shape), "dtype": str(obj.dtype), "keras_history": [operation.name, node, index]}}
    if isinstance(obj, Tensor):
        return {"class_name": "__tensor__", "config": {"value": obj.numpy().tolist(), "dtype": str(obj.dtype)}}
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": str(obj.dtype)}} if obj.ndim else obj.item()
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, types.FunctionType) and obj.__name__ == "<lambda>":
        from .lambdas import lambda_record

        return lambda_record(obj)
    if isinstance(obj, types.FunctionType) or (isinstance(obj, type) and not hasattr(obj, "get_config")):
        name = get_registered_name(obj)
        module = _function_module(obj)
        return {"module": module or obj.__module__, "class_name": "function", "config": name, "registered_name": name}
    return _object_record(obj)


def _function_module(function: Any) -> str | None:
    import importlib

    for module in ("activations", "losses", "metrics", "ops"):
        if _is_own(function) and getattr(importlib.import_module(f"{_package()}.{module}"), function.__name__, None) is function:
            return f"keras.{module}"
    return None


def _object_record(obj: Any) -> dict[str, Any]:
    from .. import layers

    if isinstance(obj, layers.Layer):
        record = serialize_keras_object(layers.serialize(obj))
    else:
        if not hasattr(obj, "get_config"):
            raise TypeError(f"Cannot serialize object {obj} of type {type(obj)}. To be serializable, a class must implement the "
                            "`get_config()` method.")
        cls = type(obj)
        module = _public_module(cls) if _is_own(cls) else None
        record = {"module": module, "class_name": cls.__name__, "config": serialize_keras_object(obj.get_config()),
                  "registered_name": None if module is not None else get_registered_name(cls)}
    if hasattr(obj, "get_compile_config"):
        compile_config = obj.get_compile_config()
        if compile_config is not None:
            record["compile_config"] = serialize_keras_object(compile_config)
    made: dict[str, Any] = record
    return made


# -- in -----------------------------------------------------------------------------------------------------------
_PATHS = ("vocabulary", "idf_weights", "filepath", "bin_boundaries")  # arguments of Keras's layers that may name a file


def refuse_paths(record: Any) -> None:
    """Raises ModelFileError for a layer of Keras's whose configuration names a file to read: what a model knows is in its own file."""
    waiting = [record]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        if not isinstance(item, dict):
            continue
        waiting += item.values()
        config = item.get("config")
        if not isinstance(config, dict) or not isinstance(item.get("class_name"), str) or find(None, item.get("registered_name"),
                                                                                               item["class_name"]) is not None:
            continue
        for key in _PATHS:
            if isinstance(config.get(key), (str, bytes)):
                raise ModelFileError(f"layer '{config.get('name')}' ({item['class_name']}): its `{key}` is the path of a file, "
                                     f"{config[key]!r}; a model file reaches nothing outside itself. With `safe_mode=False` it is read, "
                                     "if you trust the model file")


def deserialize_keras_object(config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True, **kwargs: Any) -> Any:
    """The object, or structure of objects, of plain data.

    custom_objects: a user's classes and functions by name. Raises ModelFileError for code under safe_mode, and ValueError for names
    that stand for nothing.
    """
    kwargs.pop("module_objects", None)
    kwargs.pop("printable_module_name", None)
    if kwargs:
        raise TypeError(f"deserialize_keras_object: unexpected arguments {sorted(kwargs)}")
    outer = in_safe_mode()
    custom = dict(custom_objects or {})
    with safe_mode_scope(safe_mode if outer is None else outer), CustomObjectScope(custom):  # for what layers look up themselves
        return _deserialize(config, custom)


def _deserialize(config: Any, custom: dict[str, Any]) -> Any:
    if isinstance(config, str):
        found = find(custom, config)
        return config if found is None else found
    if isinstance(config, (list, tuple)):
        return [_deserialize(item, custom) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(value, custom) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if not isinstance(name, str):
        raise ModelFileError(f"a record whose class name is {name!r}")
    if name.startswith("__"):
        return _special(name, inner, custom)
    if name == "function":
        return _function(config, custom)
    return _object(config, custom)


def _special(name: str, inner: Any, custom: dict[str, Any]) -> Any:
    from ..tensor import KerasTensor, Tensor

    if name == "__lambda__":
        if in_safe_mode() is not False:
            raise ModelFileError(_UNSAFE)
        from .lambdas import lambda_of

        return lambda_of(inner)
    if name == "__numpy__":
        return np.array(inner["value"], dtype=str(inner["dtype"]))
    if name == "__tensor__":
        return Tensor(np.array(inner["value"], dtype=str(inner["dtype"])))
    if name == "__bytes__":
        return str(inner["value"]).encode("utf-8")
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__slice__":
        return slice(*(_deserialize(inner[part], custom) for part in ("start", "stop", "step")))
    if name == "__keras_tensor__":
        return KerasTensor(tuple(inner["shape"]), dtype=inner["dtype"])
    raise ValueError(f"unknown record '{name}'")


def _function(config: dict[str, Any], custom: dict[str, Any]) -> Any:
    import importlib

    name = config["config"] if isinstance(config["config"], str) else config.get("registered_name")
    found = find(custom, config.get("registered_name"), name)
    if found is not None:
        return found
    module = str(config.get("module", ""))
    for place in ("activations", "losses", "metrics", "ops"):
        if module in (f"keras.{place}", f"keras.src.{place}", "builtins", "keras", "") or module.startswith(f"keras.src.{place}."):
            found = getattr(importlib.import_module(f"{_package()}.{place}"), str(name), None)
            if isinstance(found, types.FunctionType) and _is_own(found) and not str(name).startswith("_"):
                return found
    raise ValueError(f"Unknown function: '{name}'. Give a function of your own in `custom_objects={{'{name}': ...}}`, or register it with "
                     "`keras.saving.register_keras_serializable`.")


def class_of(config: dict[str, Any], custom: Mapping[str, Any] | None = None) -> type | None:
    """The class that a record names: a user's own, or one that kcompile exports in the record's module; None when there is none."""
    import importlib

    name = str(config["class_name"])
    found = find(custom, config.get("registered_name"), name)
    if found is None:
        plain = name.rsplit(">", 1)[-1]
        module = str(config.get("module") or "")
        wanted = [m for m in _MODULES if module in (f"keras.{m}", f"tensorflow.keras.{m}")] or list(_MODULES[:-2])
        for place in wanted:
            candidate = getattr(importlib.import_module(f"{_package()}.{place}"), plain, None)
            if isinstance(candidate, type) and _is_own(candidate) and hasattr(candidate, "from_config"):
                return candidate
        if plain in ("DTypePolicy", "FloatDTypePolicy", "Policy", "SeedGenerator"):
            from .. import dtype_policies, random

            return random.SeedGenerator if plain == "SeedGenerator" else dtype_policies.DTypePolicy
    return found if isinstance(found, type) else None


def _object(config: dict[str, Any], custom: dict[str, Any]) -> Any:
    from ..layers import Layer
    from ..layers.serialization import deserialize as deserialize_layer

    cls: Any = class_of(config, custom)
    if cls is None:
        name = config["class_name"]
        raise ValueError(f"Unknown class: '{name}'. Give a class of your own in `custom_objects={{'{name}': ...}}`, or register it with "
                         "`keras.saving.register_keras_serializable`.")
    if issubclass(cls, Layer):
        made: Any = deserialize_layer(config, custom)
    else:
        inner = config["config"]
        made = cls.from_config(dict(inner) if isinstance(inner, dict) else inner)
    compile_config = config.get("compile_config")
    if compile_config and hasattr(made, "compile_from_config"):
        with CustomObjectScope(custom):
            made.compile_from_config(compile_config)
    return made

"""Names and config dicts of losses, metrics, optimizers and schedules: looked up, written, read back."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


def unknown_identifier(kind: str, identifier: Any, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist; names the likeliest ones."""
    near = difflib.get_close_matches(str(identifier), list(known), n=2, cutoff=0.6) if isinstance(identifier, str) else []
    hint = f". Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return ValueError(f"Could not interpret {kind} identifier: {identifier!r}{hint}")


def find_object(identifier: Any, kind: str, known: Mapping[str, Any]) -> Any:
    """What the `get` of a namespace gives: of a name or config dict its object, of a class an instance, a callable as it is, None for None.

    `known`: names to classes or functions. Raises ValueError for what is none of these.
    """
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)):
        identifier = deserialize_object(identifier, kind, known)
    if isinstance(identifier, type):
        identifier = identifier()
    if not callable(identifier):
        raise unknown_identifier(kind, identifier, known)
    return identifier


def serialize_object(item: Any, module: str, known: Mapping[str, Any]) -> Any:
    """What Keras writes of an object: module, class_name, config; of a function its name; of None None."""
    from .saving.registry import get_registered_name

    if item is None or isinstance(item, str):
        return item
    if not hasattr(item, "get_config"):
        if getattr(item, "__name__", None) is None:
            raise ValueError(f"cannot serialize {item!r}: it has no get_config() and no name")
        if item.__name__ == "<lambda>":
            from .saving import serialize_keras_object

            return serialize_keras_object(item)
        return get_registered_name(item)
    cls = type(item)
    ours = known.get(cls.__name__) is cls
    return {"module": module if ours else None, "class_name": cls.__name__, "config": item.get_config(),
            "registered_name": None if ours else get_registered_name(cls)}


def deserialize_object(config: Any, kind: str, known: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The object of a name, or of a dict with class_name and config. Raises ValueError."""
    from .saving.registry import find

    if config is None:
        return None
    if isinstance(config, dict) and config.get("class_name") == "__lambda__":
        from .saving import deserialize_keras_object

        return deserialize_keras_object(config)  # refused where files are read in safe mode
    table = {**known, **(custom_objects or {})}
    if isinstance(config, str):
        name, arguments = config, {}
    elif isinstance(config, dict) and isinstance(config.get("class_name"), str):
        name, arguments = config["class_name"].rsplit(">", 1)[-1], dict(config.get("config") or {})
    else:
        raise ValueError(f"Could not interpret {kind} config: expected a name or a dict with 'class_name' and 'config', received "
                         f"{config!r}")
    registered = config.get("registered_name") if isinstance(config, dict) else None
    own = find(None, registered, config["class_name"] if isinstance(config, dict) else config, name)
    found = own if own is not None and name not in (custom_objects or {}) else table.get(name)
    if found is None:
        raise unknown_identifier(kind, name, table)
    if not isinstance(found, type):
        return found
    make: Any = found
    return make.from_config(arguments)

"""Owns telling what is wrong with a model's description: every layer that cannot be made, all at once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .errors import ModelFileError


@contextmanager
def explained(record: dict[str, Any], custom: Mapping[str, Any], what: str) -> Iterator[None]:
    """Turns failures to make a model inside into one ModelFileError that names every layer at fault."""
    try:
        yield
    except ModelFileError as error:
        if str(error).startswith(what):
            raise
        raise ModelFileError(f"{what}: {error}") from None
    except RecursionError:
        raise ModelFileError(f"{what}: the model is nested too deep") from None
    except MemoryError:
        raise ModelFileError(f"{what}: the model asks for more memory than there is") from None
    except NotImplementedError as error:
        raise ModelFileError(f"{what}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, OverflowError, ArithmeticError) as error:
        problems = list(dict.fromkeys(_problems(record, custom)))
        found = "\n  ".join(problems) if problems else f"{type(error).__name__}: {error}"
        if "identifier: " in found:
            found += "\n  (classes and functions of your own: give them in `custom_objects={'name': ...}`, or register them)"
        raise ModelFileError(f"{what}: the model cannot be made:\n  {found}") from error


def _layers(record: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The records of all layers that are not models, of models in models too."""
    config = record.get("config") if isinstance(record, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else config if isinstance(config, list) else None
    if isinstance(layers, list) and depth < 100:
        for layer in layers:
            if isinstance(layer, dict):
                yield from _layers(layer, depth + 1)
    elif isinstance(record, dict) and isinstance(config, dict):
        yield record


def _problems(record: dict[str, Any], custom: Mapping[str, Any]) -> Iterator[str]:
    """One sentence a layer that cannot be made by itself."""
    from ..layers.serialization import deserialize

    before = random.getstate()
    try:
        for layer in _layers(record):
            if str(layer.get("module", "")).startswith("keras.src.ops"):
                continue
            name = layer["config"].get("name") or layer.get("name") or layer.get("class_name")
            try:
                deserialize({key: value for key, value in layer.items() if key != "build_config"}, dict(custom))
            except Exception as error:
                yield f"layer '{name}' ({layer.get('class_name')}): {error}"
    finally:
        random.setstate(before)

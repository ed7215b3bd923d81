"""Owns pickling and copying of models and layers: what goes into the pickle is a `.keras` file, as in Keras.

A pickle is code whatever is done, so this is for copies, processes and frameworks, never for files from strangers.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from .archive import Archive, write_archive
from .assets import collect_assets, restore_assets
from .plain import deserialize_keras_object, serialize_keras_object
from .random_state import random_state, restore_random_state
from .registry import CustomObjectScope, collected_objects, safe_mode_scope, sharing_scope
from .sources import weights_of
from .state import load_weights_file, weights_file


def reduced(item: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What `__reduce__` of a model or layer returns: how to make it again. Classes that are not registered are pickled by reference."""
    from .. import __version__

    with collected_objects() as custom, sharing_scope():
        record = serialize_keras_object(item)
    buffer = io.BytesIO()
    write_archive(buffer, record, weights_file(item), random_state(item), __version__, collect_assets(item))
    return _restored, (buffer.getvalue(), custom)


def _restored(data: bytes, custom: dict[str, Any]) -> Any:
    from ..layers import Layer

    what = "the pickled model"
    archive = Archive(data, what)
    record, metadata = archive.config(), archive.metadata()
    with safe_mode_scope(False), CustomObjectScope(custom), sharing_scope():
        item: Layer = deserialize_keras_object(record)
        load_weights_file(item, weights_of(what, archive), what)
        restore_assets(item, archive.assets, what)
    restore_random_state(item, metadata.get("kcompile"))
    return item

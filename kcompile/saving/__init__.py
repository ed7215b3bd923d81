"""keras.saving: models and weights in files, objects as plain data, and which of a user's classes files may name."""

from .api import load_model, load_weights, save_model, save_weights
from .errors import ModelFileError
from .file_editor import KerasFileEditor
from .plain import deserialize_keras_object, serialize_keras_object
from .registry import (
    CustomObjectScope,
    custom_object_scope,
    enable_unsafe_deserialization,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

__all__ = [
    "CustomObjectScope", "KerasFileEditor", "ModelFileError", "custom_object_scope", "deserialize_keras_object",
    "enable_unsafe_deserialization", "get_custom_objects", "get_registered_name", "get_registered_object", "load_model", "load_weights",
    "register_keras_serializable", "save_model", "save_weights", "serialize_keras_object",
]

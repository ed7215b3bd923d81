"""Owns save_model, load_model and model_from_json as keras.models has them; the work is done in kcompile.saving when it is needed."""

from __future__ import annotations

from typing import Any


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Write a model to `x.keras` or `x.h5`, or with zipped=False to a folder. See kcompile/saving/api.py for the arguments."""
    from ..saving import api

    api.save_model(model, filepath, overwrite, zipped, **kwargs)


def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """The model of a `.keras` or `.h5` file. See kcompile/saving/api.py for the arguments and errors."""
    from ..saving import api

    return api.load_model(filepath, custom_objects, compile, safe_mode)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """The model of what `model.to_json()` gave, freshly initialised."""
    from ..saving import api

    return api.model_from_json(json_string, custom_objects)

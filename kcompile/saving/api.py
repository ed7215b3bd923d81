"""Owns saving and loading as users call them: which format a path means, and the steps in order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .archive import Archive, parse_json, write_archive
from .atomic import write_whole
from .errors import ModelFileError
from .hdf5 import SIGNATURE, Group, read_hdf5
from .plain import serialize_keras_object
from .registry import CustomObjectScope, in_safe_mode, safe_mode_scope

Path = str | os.PathLike[str]
_HDF5 = (".h5", ".hdf5")


def _version() -> str:
    from .. import __version__

    return __version__


def _refuse_to_overwrite(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} exists already; give overwrite=True to replace it")


def _folder_of(path: str) -> None:
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {folder}")


def save_model(model: Any, filepath: Path, overwrite: bool = True, zipped: bool | None = None, include_optimizer: bool = True,
               save_format: str | None = None, **kwargs: Any) -> None:
    """Write architecture, weights, compile configuration and optimizer state to `x.keras` or (older format) `x.h5`.

    The file is there whole or not at all. Raises ValueError for another suffix, a model that is not built or cannot be described,
    FileExistsError with overwrite=False.
    """
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {sorted(kwargs)}")
    path = os.fspath(filepath)
    kind = save_format if save_format in ("keras", "h5") else None
    if save_format is not None and kind is None:
        raise ValueError(f"`save_format` must be 'keras' or 'h5', received {save_format!r}: SavedModel folders are not written")
    if kind is None:
        kind = "keras" if path.endswith(".keras") else "h5" if path.endswith(_HDF5) else None
    if kind is None or zipped is False:
        raise ValueError("Invalid filepath extension for saving. Please add either a `.keras` extension for the native Keras format or a "
                         f"`.h5` extension. Received: filepath={path}")
    _refuse_to_overwrite(path, overwrite)
    _folder_of(path)
    if not model.built:
        raise ValueError(f"model '{model.name}' has not been built, so it has no weights to save: call it on data, fit it, or build it "
                         "first")
    record = _record_of(model)
    if not include_optimizer:
        record.pop("compile_config", None)
    if kind == "keras":
        from .random_state import random_state
        from .state import weights_file

        weights = weights_file(model, include_optimizer)
        notes = random_state(model)
        write_whole(path, lambda file: write_archive(file, record, weights, notes, _version()))
        return
    from .legacy import legacy_model_file

    if not _has_architecture(model):
        raise NotImplementedError("a subclassed model cannot be saved to the older HDF5 format: save it to a `.keras` file, or its weights "
                                  "with `save_weights`")
    data = legacy_model_file(model, record, include_optimizer, _version())
    write_whole(path, lambda file: file.write(data))


def _has_architecture(model: Any) -> bool:
    from ..models import Functional, Sequential

    return isinstance(model, (Functional, Sequential))


def _record_of(model: Any) -> dict[str, Any]:
    record: dict[str, Any] = serialize_keras_object(model)
    try:
        json.dumps(record)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the configuration of model '{model.name}' is no plain data: {error}") from None
    return record


def save_weights(model: Any, filepath: Path, overwrite: bool = True, max_shard_size: Any = None, save_format: str | None = None,
                 **kwargs: Any) -> None:
    """Write the weights (and the optimizer's state) to `x.weights.h5`, or the weights alone to a plain `x.h5` as Keras 2 has them."""
    if kwargs or max_shard_size is not None:
        raise ValueError(f"save_weights: unsupported arguments {sorted([*kwargs, *(['max_shard_size'] if max_shard_size else [])])}")
    path = os.fspath(filepath)
    if not path.endswith(_HDF5) or save_format not in (None, "h5"):
        raise ValueError(f"The filename must end in `.weights.h5` (or, for the older layout, `.h5`). Received: filepath={path}")
    _refuse_to_overwrite(path, overwrite)
    _folder_of(path)
    if not model.built:
        raise ValueError(f"model '{model.name}' has not been built, so it has no weights to save: call it on data, fit it, or build it "
                         "first")
    if path.endswith(".weights.h5"):
        from .state import weights_file

        data = weights_file(model)
    else:
        from .legacy import legacy_weights_file

        data = legacy_weights_file(model, _version())
    write_whole(path, lambda file: file.write(data))


# -- loading ------------------------------------------------------------------------------------------------------
def _read(filepath: Path) -> tuple[str, bytes]:
    path = os.fspath(filepath)
    if os.path.isdir(path):
        raise ModelFileError(f"{path} is a folder: SavedModel folders hold TensorFlow graphs and are not read. Save as `.keras` or `.h5`")
    if not os.path.isfile(path):
        raise ValueError(f"File not found: filepath={path}. Please ensure the file is an accessible `.keras` zip file or HDF5 file.")
    with open(path, "rb") as file:
        return path, file.read()


def load_model(filepath: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """The model of a `.keras` or whole-model HDF5 file; which of them it is, its first bytes say.

    custom_objects: a user's classes and functions by name; compile: also as compiled; safe_mode: refuse code (bodies of lambdas).
    Raises ModelFileError for damaged and hostile files, unknown classes and weights that do not fit.
    """
    from ..variables import variable_budget
    from .diagnosis import explained

    path, data = _read(filepath)
    custom = dict(custom_objects or {})
    with safe_mode_scope(safe_mode if in_safe_mode() is None else bool(in_safe_mode()) and safe_mode):
        if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            archive = Archive(data, path)
            metadata = archive.metadata()
            record = _modern(archive.config(), metadata, path)
            root = read_hdf5(archive.weights(), f"{path}: model.weights.h5")
            with explained(record, custom, path), variable_budget(root.stored):
                model = _model_of(record, custom)
            _load_archive(model, metadata, root, record if compile else {}, custom, path)
            return model
        if data[:8] == SIGNATURE:
            return _load_hdf5(data, path, custom, compile)
    raise ModelFileError(f"{path} is neither a `.keras` zip file nor an HDF5 file (its first bytes are wrong)")


def _model_of(record: dict[str, Any], custom: dict[str, Any]) -> Any:
    from ..models import Model
    from .plain import deserialize_keras_object

    model = deserialize_keras_object({key: value for key, value in record.items() if key != "compile_config"}, custom,
                                     safe_mode=bool(in_safe_mode()))
    if not isinstance(model, Model):
        raise ModelFileError(f"the file describes a {type(model).__name__}, not a model")
    return model


def _modern(record: dict[str, Any], metadata: dict[str, Any], path: str) -> dict[str, Any]:
    """The record of a `.keras` file; one that Keras 2 wrote is brought into the form of Keras 3."""
    if not str(metadata.get("keras_version", "")).startswith("2."):
        return record
    from .legacy_config import modern_model, modern_training

    config = record.get("compile_config")
    made = modern_model({key: value for key, value in record.items() if key != "compile_config"}, path)
    if isinstance(config, dict) and isinstance(config.get("optimizer"), dict):
        made["compile_config"] = modern_training({**config, "optimizer_config": config["optimizer"]}, None, path)
    return made


def _compile(model: Any, config: Any, custom: dict[str, Any], path: str) -> None:
    try:
        with CustomObjectScope(custom):
            model.compile_from_config(config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: the model's compile configuration cannot be used: {error}\nGive compile=False to load it without, "
                             "or your own objects in `custom_objects`.") from error


def _load_archive(model: Any, metadata: dict[str, Any], root: Group, record: dict[str, Any], custom: dict[str, Any], path: str) -> None:
    from .random_state import restore_random_state
    from .state import load_weights_file

    config = record.get("compile_config")
    if isinstance(config, dict) and config.get("optimizer") is not None:
        _compile(model, config, custom, path)
    load_weights_file(model, root, path)
    restore_random_state(model, metadata.get("kcompile"))


def _load_hdf5(data: bytes, path: str, custom: dict[str, Any], compile: bool) -> Any:
    from ..variables import variable_budget
    from . import legacy
    from .diagnosis import explained
    from .legacy_config import modern_model, modern_training

    root = read_hdf5(data, path)
    record = modern_model(legacy.model_config(root, path), path)
    with explained(record, custom, path), variable_budget(root.stored):
        model = _model_of(record, custom)
    legacy.load_legacy_weights(model, root, path)
    training = legacy.training_config(root, path) if compile else None
    if training is not None:
        _compile(model, modern_training(training, getattr(model, "output_names", None), path), custom, path)
        if model.built:
            legacy.load_legacy_optimizer(model, root, path)
    return model


def load_weights(model: Any, filepath: Path, skip_mismatch: bool = False, by_name: bool = False, **kwargs: Any) -> None:
    """Give a built model the weights of a `.weights.h5`, `.h5` or `.keras` file.

    skip_mismatch: layers that do not fit are left out, with a warning; by_name: match layers by name (older files only).
    Raises ModelFileError naming every layer that does not fit, before anything is changed.
    """
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {sorted(kwargs)}")
    from .legacy import load_legacy_weights, weights_group
    from .state import load_weights_file

    path, data = _read(filepath)
    if data[:4] == b"PK\x03\x04":
        root = read_hdf5(Archive(data, path).weights(), f"{path}: model.weights.h5")
    else:
        root = read_hdf5(data, path)
    if any(name.startswith("layer_names") for name in weights_group(root).attributes):
        load_legacy_weights(model, root, path, by_name, skip_mismatch)
        return
    if by_name:
        raise ValueError(f"Invalid keyword arguments: by_name is only supported for older `.h5` files, not for {path}")
    load_weights_file(model, root, path, skip_mismatch)


def model_to_json(model: Any, **kwargs: Any) -> str:
    """The architecture, without weights, as a JSON string. Keywords go to json.dumps."""
    record = _record_of(model)
    return json.dumps(record, **kwargs)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model of what `to_json` gave, freshly initialised. Raises ModelFileError."""
    from .diagnosis import explained
    from .legacy_config import modern_model

    record = parse_json(json_string, "the JSON string")
    compile_config = record.pop("compile_config", None)
    custom = dict(custom_objects or {})
    if "module" not in record:
        record = modern_model(record, "the JSON string")
    with explained(record, custom, "the JSON string"), safe_mode_scope(True if in_safe_mode() is None else bool(in_safe_mode())):
        model = _model_of(record, custom)
    if isinstance(compile_config, dict) and compile_config.get("optimizer") is not None:
        _compile(model, compile_config, custom, "the JSON string")
    return model

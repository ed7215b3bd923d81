"""Owns saving and loading as users call them: which format a path means, and the steps in order."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from ..common.users_code import warn
from .archive import Archive, parse_json, write_archive
from .atomic import write_whole
from .errors import ModelFileError
from .folder import Folder
from .hdf5 import Group
from .plain import serialize_keras_object
from .registry import CustomObjectScope, in_safe_mode, safe_mode_scope, sharing_scope
from .sources import Path, open_file, weights_of

_HDF5 = (".h5", ".hdf5")


def _version() -> str:
    from .. import __version__

    return __version__


def _settle_overwriting(path: str, overwrite: bool) -> bool:
    """Whether to go on. Where a file may not be replaced, the user is asked, if there is one; else FileExistsError."""
    if overwrite or not os.path.exists(path):
        return True
    if not sys.stdin or not sys.stdin.isatty():
        raise FileExistsError(f"{path} exists already; give overwrite=True to replace it")
    answer = ""
    while answer not in ("y", "n"):
        answer = input(f"[WARNING] {path} already exists - overwrite? [y/n] ").strip().lower()
    return answer == "y"


def _folder_of(path: str, what: str) -> None:
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot save {what} to {path}: there is no folder {folder}")


def save_model(model: Any, filepath: Path, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Write architecture, weights, compile configuration and optimizer state to `x.keras` or (older format) `x.h5`.

    zipped: False for a folder in place of a zip file. Also taken: include_optimizer (default True), and save_format, which the suffix
    says already. What is written is there whole or not at all. Raises ValueError for another suffix and a model that cannot be described,
    FileExistsError with overwrite=False, OSError where the disk is full.
    """
    include_optimizer = bool(kwargs.pop("include_optimizer", True))
    save_format = kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {sorted(kwargs)}")
    path = os.fspath(filepath)
    kind = _kind_of(path, zipped, save_format)
    if not _settle_overwriting(path, overwrite):
        return
    _folder_of(path, "the model")
    if not model.built:
        warn(f"model '{model.name}' has not been built: it has no weights yet, and only its architecture is saved. Call it on "
             "data first, fit it, or build it")
    record = _record_of(model)
    if not include_optimizer:
        record.pop("compile_config", None)
    if kind == "h5":
        _save_hdf5(model, path, record, include_optimizer)
        return
    from .assets import collect_assets
    from .random_state import random_state
    from .state import weights_file

    weights, notes, assets = weights_file(model, include_optimizer), random_state(model), collect_assets(model)
    if kind == "folder":
        from .folder import write_folder

        write_folder(path, record, weights, notes, assets, _version())
    else:
        write_whole(path, lambda file: write_archive(file, record, weights, notes, _version(), assets))


def _kind_of(path: str, zipped: bool | None, save_format: Any) -> str:
    """'keras', 'h5' or 'folder'. Raises ValueError for what is none of them."""
    if save_format not in (None, False, "keras", "h5"):
        raise ValueError(f"`save_format` must be 'keras' or 'h5', received {save_format!r}: SavedModel folders are not written")
    if zipped is False:
        if path.endswith((".keras", *_HDF5)):
            raise ValueError(f"When using `zipped=False`, the `filepath` argument names a folder and should not end in `.keras` or `.h5`. "
                             f"Received: filepath={path}")
        return "folder"
    found = "keras" if path.endswith(".keras") else "h5" if path.endswith(_HDF5) else save_format
    if not found:
        raise ValueError("Invalid filepath extension for saving. Please add either a `.keras` extension for the native Keras format or a "
                         f"`.h5` extension. Received: filepath={path}")
    return str(found)


def _save_hdf5(model: Any, path: str, record: dict[str, Any], include_optimizer: bool) -> None:
    from ..models import Functional, Sequential
    from .legacy import legacy_model_file
    from .random_state import random_state

    if not isinstance(model, (Functional, Sequential)):
        raise NotImplementedError("a subclassed model cannot be saved to the older HDF5 format: save it to a `.keras` file, or its weights "
                                  "with `save_weights`")
    data = legacy_model_file(model, record, include_optimizer, _version(), random_state(model))
    write_whole(path, lambda file: file.write(data))


def _record_of(model: Any) -> dict[str, Any]:
    with sharing_scope():
        record: dict[str, Any] = serialize_keras_object(model)
    try:
        json.dumps(record)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the configuration of model '{model.name}' is no plain data: {error}") from None
    return record


def save_weights(model: Any, filepath: Path, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any) -> None:
    """Write the weights (and the optimizer's state) to `x.weights.h5`, or the weights alone to a plain `x.h5` as Keras 2 has them.

    max_shard_size: GB in a file; then `x.weights.json` is an index of files beside it. Also taken: objects_to_skip, layers that are left
    out with all in them. Raises ValueError for a model without weights or another suffix, FileExistsError with overwrite=False.
    """
    skip = kwargs.pop("objects_to_skip", None) or ()
    save_format = kwargs.pop("save_format", None)
    if kwargs:
        raise ValueError(f"save_weights: unsupported arguments {sorted(kwargs)}")
    path = os.fspath(filepath)
    if max_shard_size is not None:
        from .shards import index_path

        path = index_path(path)
    elif not path.endswith(_HDF5) or save_format not in (None, "h5"):
        raise ValueError(f"The filename must end in `.weights.h5` (or, for the older layout, `.h5`). Received: filepath={path}")
    if not _settle_overwriting(path, overwrite):
        return
    _folder_of(path, "the weights")
    if not model.built:
        raise ValueError(f"model '{model.name}' has not been built, so it has no weights to save: call it on data, fit it, or build it "
                         "first")
    if max_shard_size is not None:
        from .shards import write_shards
        from .state import stored_values

        write_shards(path, list(stored_values(model, skip=skip)), max_shard_size)
        return
    if path.endswith(".weights.h5"):
        from .state import weights_file

        data = weights_file(model, skip=skip)
    else:
        from .legacy import legacy_weights_file

        if skip:
            raise ValueError(f"`objects_to_skip` is only supported for `.weights.h5` files. Received: filepath={path}")
        data = legacy_weights_file(model, _version())
    write_whole(path, lambda file: file.write(data))


# -- loading ------------------------------------------------------------------------------------------------------
def load_model(filepath: Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """The model of a `.keras` file, a model folder or a whole-model HDF5 file; which of them it is, its first bytes say.

    custom_objects: a user's classes and functions by name; compile: also as compiled; safe_mode: refuse code (bodies of lambdas).
    Raises ModelFileError for damaged and hostile files, unknown classes and weights that do not fit.
    """
    path, source = open_file(filepath)
    custom = _custom(custom_objects)
    with safe_mode_scope(safe_mode if in_safe_mode() is None else bool(in_safe_mode()) and safe_mode):
        if isinstance(source, Group):
            return _load_hdf5(source, path, custom, compile)
        return load_whole(source, path, custom, compile)


def _custom(custom_objects: Any) -> dict[str, Any]:
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(f"`custom_objects` must be a dict of names and classes or functions, received {custom_objects!r}")
    return dict(custom_objects or {})


def load_whole(source: Archive | Folder, path: str, custom: dict[str, Any], compile: bool) -> Any:
    """The model (or layer) of an opened zip file or folder, under the safe mode that is in force."""
    from ..variables import variable_budget
    from .assets import restore_assets
    from .diagnosis import explained
    from .random_state import restore_random_state
    from .state import load_weights_file

    metadata = source.metadata()
    record = _modern(source.config(), metadata, path)
    root = weights_of(path, source)
    with explained(record, custom, path), variable_budget(root.stored):
        model = _model_of(record, custom)
    config = record.get("compile_config") if compile else None
    if isinstance(config, dict) and config.get("optimizer") is not None:
        _compile(model, config, custom, path)
    load_weights_file(model, root, path)
    restore_assets(model, source.assets, path)
    restore_random_state(model, metadata.get("kcompile"))
    return model


def _model_of(record: dict[str, Any], custom: dict[str, Any]) -> Any:
    from ..models import Model
    from .plain import deserialize_keras_object, refuse_paths

    with CustomObjectScope(custom):
        if in_safe_mode() is not False:
            refuse_paths(record)
    with sharing_scope():
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
            raise error if str(error).startswith(path) else ModelFileError(f"{path}: {error}") from None
        raise ModelFileError(f"{path}: the model's compile configuration cannot be used: {error}\nGive compile=False to load it without, "
                             "or your own objects in `custom_objects`.") from error


def _load_hdf5(root: Group, path: str, custom: dict[str, Any], compile: bool) -> Any:
    from ..variables import variable_budget
    from . import legacy
    from .diagnosis import explained
    from .legacy_config import modern_model, modern_training
    from .random_state import restore_random_state

    record = modern_model(legacy.model_config(root, path), path)
    with explained(record, custom, path), variable_budget(root.stored):
        model = _model_of(record, custom)
    legacy.load_legacy_weights(model, root, path)
    training = legacy.training_config(root, path) if compile else None
    if training is not None:
        _compile(model, modern_training(training, getattr(model, "output_names", None), path), custom, path)
        if model.built:
            legacy.load_legacy_optimizer(model, root, path)
    restore_random_state(model, legacy.notes(root, path))
    return model


def load_weights(model: Any, filepath: Path, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Give a built model the weights of a `.weights.h5`, `.weights.json`, `.h5` or `.keras` file or a model folder.

    skip_mismatch: layers that do not fit are left out, with a warning. Also taken: by_name, match layers by name (older files only), and
    objects_to_skip, layers to leave as they are with all in them (newer files only).
    Raises ModelFileError naming every layer that does not fit, before anything is changed.
    """
    by_name, skip = bool(kwargs.pop("by_name", False)), kwargs.pop("objects_to_skip", None) or ()
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {sorted(kwargs)}")
    from .legacy import load_legacy_weights, weights_group
    from .state import load_weights_file

    path, source = open_file(filepath)
    root = weights_of(path, source)
    if any(name.startswith("layer_names") for name in weights_group(root).attributes):
        if skip:
            raise ValueError(f"`objects_to_skip` is only supported for `.weights.h5` files; {path} is an older one")
        load_legacy_weights(model, root, path, by_name, skip_mismatch)
        return
    if by_name:
        raise ValueError(f"Invalid keyword arguments: by_name is only supported for older `.h5` files, not for {path}")
    if not model.built:
        raise ValueError(f"model '{model.name}' has not been built, so it has no weights to load into: call it on data, fit it, or build "
                         "it first")
    load_weights_file(model, root, path, skip_mismatch, skip)


def model_to_json(model: Any, **kwargs: Any) -> str:
    """The architecture, without weights, as a JSON string. Keywords go to json.dumps."""
    record = _record_of(model)
    return json.dumps(record, **kwargs)


def model_from_json(json_string: str | bytes, custom_objects: Mapping[str, Any] | None = None) -> Any:
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

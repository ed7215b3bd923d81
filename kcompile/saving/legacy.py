"""Owns the older HDF5 files: whole models (`.h5`) as Keras 2 and 3 write them, and plain weights by layer name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .archive import parse_json
from .errors import ModelFileError, tell_misfits
from .hdf5 import Group
from .hdf5_writer import Writer
from .legacy_optimizer import load_optimizer_weights

_TOP = "top_level_model_weights"


def _weights(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _top_weights(model: Any) -> list[Any]:
    return [*model._trainable_variables, *model._non_trainable_variables]


# -- out ----------------------------------------------------------------------------------------------------------
def _write_weights(writer: Writer, place: str, model: Any, version: str) -> None:
    writer.group(place)
    writer.names(place, "layer_names", [layer.name for layer in _all_layers(model)])
    writer.text(place, "backend", "tensorflow")
    writer.text(place, "keras_version", version)
    for layer in _all_layers(model):
        _write_variables(writer, _join(place, layer.name), [(v.path, v) for v in _weights(layer)])
    _write_variables(writer, _join(place, _TOP), [(v.path, v) for v in _top_weights(model)])


def _all_layers(model: Any) -> list[Any]:
    return list(model.layers)


def _join(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def _write_variables(writer: Writer, place: str, variables: list[tuple[str, Any]]) -> None:
    taken: set[str] = set()
    names = []
    for path, _ in variables:
        name, count = path, 0
        while name in taken:
            count += 1
            name = f"{path}_{count}"
        taken.add(name)
        names.append(name)
    writer.group(place)
    writer.names(place, "weight_names", names)
    for name, (_, variable) in zip(names, variables, strict=True):
        writer.array(f"{place}/{name}", variable.numpy())


def legacy_weights_file(model: Any, version: str) -> bytes:
    """The bytes of a plain `.h5` weights file."""
    writer = Writer()
    _write_weights(writer, "", model, version)
    return writer.bytes()


def legacy_record(record: Any) -> Any:
    """A record without what the older format does not have: where a class lives, and for which shape a layer was built."""
    if isinstance(record, list):
        return [legacy_record(item) for item in record]
    if not isinstance(record, dict):
        return record
    if str(record.get("module", "")).startswith("keras.src.ops"):
        return record
    if isinstance(record.get("class_name"), str) and "config" in record and "inbound_nodes" not in record and \
            record.get("module") not in ("keras.layers", "keras", "keras.src.models.functional"):
        return record
    return {key: legacy_record(value) for key, value in record.items()
            if key not in ("module", "registered_name", "build_config", "compile_config") or "class_name" not in record}


def legacy_record_of_training(value: Any) -> Any:
    """Losses and metrics of a compile configuration, without the modules that kcompile and Keras know by the place they stand in."""
    if isinstance(value, list):
        return [legacy_record_of_training(item) for item in value]
    if not isinstance(value, dict):
        return value
    own = isinstance(value.get("class_name"), str) and str(value.get("module") or "").startswith("keras.")
    return {key: legacy_record_of_training(item) for key, item in value.items() if not (own and key in ("module", "registered_name"))}


def legacy_model_file(model: Any, record: dict[str, Any], include_optimizer: bool, version: str, notes: dict[str, Any]) -> bytes:
    """The bytes of a whole model in the older format. record: the model's; notes: kcompile's own, at which Keras does not look."""
    writer = Writer()
    writer.text("", "keras_version", version)
    writer.text("", "backend", "tensorflow")
    writer.text("", "kcompile", notes)
    writer.text("", "model_config", json.dumps({"class_name": record.get("registered_name") or record["class_name"],
                                                "config": legacy_record(record["config"])}))
    compile_config = record.get("compile_config")
    _write_weights(writer, "model_weights", model, version)
    if include_optimizer and compile_config:
        training = {key: legacy_record_of_training(value) for key, value in compile_config.items() if key != "optimizer"}
        optimizer = compile_config["optimizer"]
        training["optimizer_config"] = {"class_name": optimizer.get("registered_name") or optimizer["class_name"],
                                        "config": optimizer["config"]}
        writer.text("", "training_config", json.dumps(training))
        if model.optimizer is not None and model.optimizer.built:
            _write_variables(writer, "optimizer_weights", [(v.path, v) for v in model.optimizer.variables])
    return writer.bytes()


# -- in -----------------------------------------------------------------------------------------------------------
def _text(group: Group, name: str) -> str:
    value = group.attributes.get(name, "")
    return value if isinstance(value, str) else ""


def _names(group: Group, name: str) -> list[str]:
    """A list of strings that may be spread over name0, name1, ..."""
    value = group.attributes.get(name)
    if value is None:
        value, number = [], 0
        while isinstance(group.attributes.get(f"{name}{number}"), list):
            value += group.attributes[f"{name}{number}"]
            number += 1
    return [str(item) for item in value] if isinstance(value, list) else []


def _values(group: Group, what: str) -> list[np.ndarray[Any, Any]]:
    found = []
    for name in _names(group, "weight_names"):
        value = group.get(name)
        if not isinstance(value, np.ndarray):
            raise ModelFileError(f"{what}: '{group.path}' names a weight '{name}' that the file does not have")
        found.append(value)
    return found


def weights_group(root: Group) -> Group:
    """The group that holds the weights: that of a whole model, or the file itself."""
    inner = root.group("model_weights")
    return inner if "layer_names" not in root.attributes and inner is not None else root


def load_legacy_weights(model: Any, root: Group, what: str, by_name: bool = False, skip_mismatch: bool = False) -> None:
    """Give a model the weights of an older file, in order or by the layers' names.

    Raises ModelFileError naming every layer that does not fit, before anything is changed.
    """
    group = weights_group(root)
    names = _names(group, "layer_names")
    if not names and "layer_names" not in group.attributes:
        raise ModelFileError(f"{what}: there are no layer names, so it is no weights file of Keras's")
    stored: list[tuple[str, list[np.ndarray[Any, Any]]]] = []
    for name in names:
        inner = group.group(name)
        if inner is None:
            raise ModelFileError(f"{what}: layer '{name}' is named, but not there")
        values = _values(inner, what)
        if values:
            stored.append((name, values))
    layers = [layer for layer in _all_layers(model) if _weights(layer)]
    if by_name:
        known = {layer.name: layer for layer in layers}
        pairs = [(known[name], values) for name, values in stored if name in known]
    else:
        if len(layers) != len(stored):
            hint = "" if model.built else " (the model has not been built: call it on data first)"
            raise ModelFileError(f"{what} holds the weights of {len(stored)} layers, model '{model.name}' has {len(layers)} with "
                                 f"weights{hint}.\n  in the file: {[name for name, _ in stored]}\n  "
                                 f"in the model: {[layer.name for layer in layers]}")
        pairs = [(layer, values) for layer, (_, values) in zip(layers, stored, strict=True)]
    problems = []
    ready: list[tuple[Any, np.ndarray[Any, Any]]] = []
    for layer, values in pairs:
        own = _weights(layer)
        values = _older_kernels(layer, values, _text(root, "keras_version") or _text(group, "keras_version"),
                                _text(root, "backend") or _text(group, "backend"))
        problem = _misfit(own, values)
        if problem is None:
            ready += zip(own, values, strict=True)
        else:
            problems.append(f"layer '{layer.name}': {problem}")
    top = group.group(_TOP)
    if top is not None and not by_name:
        own, values = _top_weights(model), _values(top, what)
        problem = _misfit(own, values) if own or values else None
        if problem is None:
            ready += zip(own, values, strict=True)
        else:
            problems.append(f"the model's own weights: {problem}")
    tell_misfits(model, what, problems, skip_mismatch)
    for variable, value in ready:
        variable.assign(value)


def _misfit(own: list[Any], values: list[np.ndarray[Any, Any]]) -> str | None:
    if len(own) != len(values):
        return f"it has {len(own)} weights, the file has {len(values)}"
    for variable, value in zip(own, values, strict=True):
        if tuple(variable.shape) != value.shape:
            return f"weight '{variable.path}' has shape {tuple(variable.shape)}, the file {value.shape}"
    return None


def _older_kernels(layer: Any, values: list[np.ndarray[Any, Any]], version: str, backend: str) -> list[np.ndarray[Any, Any]]:
    """Kernels of convolutions as Keras 1 (filters first) and its Theano back end (mirrored) stored them, brought into today's form."""
    rank = getattr(layer, "rank", None)
    if rank not in (1, 2) or not values or (version and not version.startswith("1") and backend != "theano"):
        return values
    kernel = values[0]
    wanted = tuple(layer.kernel.shape) if getattr(layer, "kernel", None) is not None else ()
    if (not version or version.startswith("1")) and kernel.ndim == 4:
        if rank == 1:
            if kernel.shape[1] != 1 or kernel.shape[::3] != wanted[::2]:
                kernel = np.transpose(kernel, (2, 3, 1, 0))
            kernel = kernel[:, 0]
        elif kernel.shape != wanted:
            kernel = np.transpose(kernel, (2, 3, 1, 0))
    if backend == "theano":
        kernel = np.flip(kernel, axis=tuple(range(rank)))
    return [kernel, *values[1:]]


def model_config(root: Group, what: str) -> dict[str, Any]:
    text = _text(root, "model_config")
    if not text:
        raise ModelFileError(f"{what}: there is no model configuration in the file; if it holds weights only, use `model.load_weights`")
    return parse_json(text, f"{what}: model_config")


def training_config(root: Group, what: str) -> dict[str, Any] | None:
    text = _text(root, "training_config")
    return parse_json(text, f"{what}: training_config") if text else None


def notes(root: Group, what: str) -> dict[str, Any] | None:
    """kcompile's own part of a file that it wrote."""
    text = _text(root, "kcompile")
    return parse_json(text, f"{what}: kcompile") if text else None


def load_legacy_optimizer(model: Any, root: Group, what: str) -> None:
    """Give the optimizer its state, if the file has one."""
    group = root.group("optimizer_weights")
    if group is None:
        return
    load_optimizer_weights(model.optimizer, _names(group, "weight_names"), _values(group, what), what)

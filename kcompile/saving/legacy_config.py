"""Owns the dialects of older files: descriptions by Keras 1 and 2 brought into Keras 3's form. Tables of names are in legacy_names.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..naming import to_camel_case
from .errors import ModelFileError
from .legacy_names import (
    ARGUMENTS,
    CLASSES,
    DROPPED,
    FUNCTIONS,
    INITIALIZERS,
    MERGES,
    RENAMED_BY_CLASS,
    TF_ARGUMENTS,
    TF_FUNCTIONS,
)

_MODELS = ("Sequential", "Functional", "Model")
_KERNEL_SIZES = ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")  # Keras 1 has an argument for each axis


def modern_model(record: dict[str, Any], what: str) -> dict[str, Any]:
    """The record of a whole model. Raises ModelFileError for one that no version of Keras wrote."""
    if not isinstance(record.get("class_name"), str) or not isinstance(record.get("config"), (dict, list)):
        raise ModelFileError(f"{what}: the model's description has no class name and configuration")
    try:
        return modern_layer(record)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{what}: the model's description is damaged ({type(error).__name__}: {error})") from error


def modern_layer(record: dict[str, Any]) -> dict[str, Any]:
    """The record of a layer or model."""
    name, config = record["class_name"], record["config"]
    if name == "Sequential" and isinstance(config, list):  # before Keras 2.2.3
        config = {"name": record.get("name", "sequential"), "layers": config}
    kept = {key: value for key, value in record.items() if key not in ("class_name", "config")}
    if isinstance(config, dict) and isinstance(config.get("layers"), list) and (name in _MODELS or "input_layers" in config):
        plain = name if name not in ("Model", "Functional") else "Functional"
        config = {**config, "layers": [modern_layer(layer) for layer in config["layers"]]}
        if "input_layers" in config:
            _connect(config)
        else:
            _name_input(config)
        if name in _MODELS:
            kept.setdefault("module", "keras.src.models.functional" if plain == "Functional" else "keras")
        return {**kept, "class_name": plain, "config": config}
    if name in ("TFOpLambda", "SlicingOpLambda"):
        return _function_layer(record)
    if _is_operation(record):
        return {**record, "module": "keras.src.ops"}
    if name == "Merge":
        name = MERGES.get(str(config.get("mode")), "Merge")
    name = CLASSES.get(name, name)
    if isinstance(config, dict):
        config = _modern_arguments(name, config, record["class_name"])
    return {**kept, "class_name": name, "config": config}


_SAY_LITTLE = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")  # layers whose configuration leaves out `trainable`


def _is_operation(record: dict[str, Any]) -> bool:
    """Whether a record that says no module is one of keras.ops: layers say whether they are trainable."""
    nodes = record.get("inbound_nodes") or []
    if "module" in record or record["class_name"] in _SAY_LITTLE or not isinstance(record["config"], dict):
        return False
    return bool(nodes) and isinstance(nodes[0], dict) and not {"trainable", "layers", "batch_shape"} & set(record["config"])


def _name_input(config: dict[str, Any]) -> None:
    """Keras 1 and early 2 give a Sequential model's input shape to its first layer; that works as it is."""
    config.pop("batch_input_shape", None)


def _modern_arguments(name: str, config: dict[str, Any], old_name: str) -> dict[str, Any]:
    renamed = {**ARGUMENTS, **RENAMED_BY_CLASS.get(name, {})}
    made: dict[str, Any] = {}
    for key, value in config.items():
        key = renamed.get(key, key)
        if key in DROPPED.get(name, ()) or key in DROPPED["*"]:
            continue
        made[key] = _modern_value(key, value)
    sizes = [made.pop(part) for part in _KERNEL_SIZES if part in made]
    if sizes and "kernel_size" not in made:
        made["kernel_size"] = sizes
    if made.get("data_format") in ("tf", "th", "default"):
        made["data_format"] = "channels_first" if made["data_format"] == "th" else "channels_last"
    if name == "BatchNormalization" and isinstance(made.get("axis"), list) and len(made["axis"]) == 1:
        made["axis"] = made["axis"][0]
    if old_name == "Merge":
        made = {key: value for key, value in made.items() if key in ("name", "trainable", "dtype", "concat_axis", "dot_axes")}
        for old, new in (("concat_axis", "axis"), ("dot_axes", "axes")):
            value = made.pop(old, None)
            if value is not None and (name, new) in (("Concatenate", "axis"), ("Dot", "axes")):
                made[new] = value
    return made


def _modern_value(key: str, value: Any) -> Any:
    if key.endswith("initializer"):
        return _initializer(value)
    if key.endswith("regularizer") and isinstance(value, dict) and "class_name" not in value:
        return {"class_name": "L1L2", "config": {part: float(value.get(part, 0.0)) for part in ("l1", "l2")}}
    if key.endswith("constraint") and isinstance(value, dict) and "class_name" not in value:
        config = {"max_value" if part == "m" else part: item for part, item in value.items() if part != "name"}
        return {"class_name": value.get("name"), "config": config}
    return value


def _initializer(value: Any) -> Any:
    if isinstance(value, str):
        return INITIALIZERS.get(value, value)
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        config = {key: item for key, item in value["config"].items() if key not in ("dtype", "partition_info")}
        if value.get("class_name") == "VarianceScaling" and config.get("distribution") == "normal":
            config["distribution"] = "truncated_normal"
        return {**value, "config": config}
    return value


# -- calls between layers -----------------------------------------------------------------------------------------
def _connect(config: dict[str, Any]) -> None:
    """Inbound nodes written as lists become records; numbers of calls count from 0 for nested models too."""
    layers = {layer.get("name") or layer["config"]["name"]: layer for layer in config["layers"]}
    old = any(_is_old(layer) for layer in layers.values())
    shifted = {name for name, layer in layers.items() if _has_own_call(layer) and _is_old(layer)}

    def reference(name: str, call: int, tensor: int) -> list[Any]:
        return [name, call - (1 if name in shifted and call > 0 else 0), tensor]

    def is_reference(value: Any) -> bool:
        return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and value[0] in layers \
            and all(isinstance(n, int) and not isinstance(n, bool) for n in value[1:3])

    def tensor(value: Any) -> Any:
        return {"class_name": "__keras_tensor__", "config": {"shape": [], "dtype": "float32", "keras_history": reference(*value[:3])}}

    for layer in config["layers"]:
        layer["inbound_nodes"] = [_modern_call(layer, node, tensor, is_reference) for node in layer.get("inbound_nodes", [])]
    if old:
        for key in ("input_layers", "output_layers"):
            config[key] = _map_references(config[key], lambda value: reference(*value[:3]), is_reference)
            if len(config[key]) == 1 and isinstance(config[key], list):
                config[key] = config[key][0]  # Keras 2 makes no difference between one tensor and a list of one


def _is_old(layer: dict[str, Any]) -> bool:
    nodes = layer.get("inbound_nodes") or []
    return bool(nodes) and isinstance(nodes[0], list)


def _has_own_call(layer: dict[str, Any]) -> bool:
    """Whether Keras 2 counts a call of a nested model before those of this file: that between its own inputs and outputs."""
    inner = layer["config"].get("layers") if isinstance(layer["config"], dict) else None
    return layer["class_name"] in _MODELS and isinstance(inner, list) and bool(inner) and (
        inner[0]["class_name"] == "InputLayer" or "batch_input_shape" in inner[0]["config"])


def _map_references(value: Any, function: Callable[[Any], Any], is_reference: Callable[[Any], bool]) -> Any:
    if is_reference(value):
        return function(value)
    if isinstance(value, dict):
        return {key: _map_references(item, function, is_reference) for key, item in value.items()}
    return [_map_references(item, function, is_reference) for item in value] if isinstance(value, list) else value


def _modern_call(layer: dict[str, Any], node: Any, tensor: Callable[[Any], Any], is_reference: Callable[[Any], bool]) -> dict[str, Any]:
    if isinstance(node, dict) and "args" in node:
        return node
    if is_reference(node):  # a function's call
        node = [node]
    inputs = [tensor(value) for value in node]
    kwargs: dict[str, Any] = {}
    for value in node:
        if len(value) > 3 and isinstance(value[3], dict):
            kwargs.update({key: _map_references(item, tensor, is_reference) for key, item in value[3].items()})
    if "_function" in layer["config"]:
        return _function_call(layer, inputs, kwargs)
    kwargs.pop("mask", None)
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    return {"args": [inputs[0] if len(inputs) == 1 else inputs], "kwargs": kwargs}


# -- functions of TensorFlow as layers ----------------------------------------------------------------------------
def _function_layer(record: dict[str, Any]) -> dict[str, Any]:
    config = record["config"]
    function = "__operators__.getitem" if record["class_name"] == "SlicingOpLambda" else str(config.get("function"))
    known = TF_FUNCTIONS.get(function) or TF_FUNCTIONS.get(function.removeprefix("math.")) or TF_FUNCTIONS.get(function.removeprefix("nn."))
    if known is None:
        raise ModelFileError(f"layer '{config.get('name')}': the TensorFlow function tf.{function} has no counterpart here")
    kept = {key: value for key, value in record.items() if key not in ("class_name", "config")}
    return {**kept, "module": "keras.src.ops", "class_name": to_camel_case(known), "config": {"name": config["name"], "_function": known}}


def _function_call(layer: dict[str, Any], inputs: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    function = layer["config"]["_function"]
    kwargs = {TF_ARGUMENTS.get(key, key): value for key, value in kwargs.items() if key != "name" and value is not None}
    if function == "get_item":
        return {"args": [*inputs, [_slice(part) for part in kwargs.pop("slice_spec")]], "kwargs": {}}
    if function in ("concatenate", "stack"):
        return {"args": [inputs], "kwargs": kwargs}
    return {"args": inputs, "kwargs": kwargs}


def _slice(part: Any) -> Any:
    if isinstance(part, dict) and "start" in part:
        return {"class_name": "__slice__", "config": {name: part.get(name) for name in ("start", "stop", "step")}}
    if isinstance(part, dict):
        return {"class_name": "__ellipsis__", "config": {}}
    return part


# -- training -----------------------------------------------------------------------------------------------------
def modern_training(config: dict[str, Any], output_names: list[str] | None, what: str) -> dict[str, Any]:
    """The compile configuration of an older file. Raises ModelFileError for one that no version of Keras wrote."""
    try:
        return _modern_training(config, output_names)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise ModelFileError(f"{what}: the model's compile configuration is damaged ({type(error).__name__}: {error}). Give compile=False "
                             "to load the model without it") from error


def _modern_training(config: dict[str, Any], output_names: list[str] | None) -> dict[str, Any]:
    optimizer = config.get("optimizer_config") or {}
    names = output_names if output_names and len(output_names) > 1 else []
    made = {"optimizer": _optimizer(optimizer), "loss": _loss(config.get("loss")),
            "metrics": _metrics(config.get("metrics"), names), "weighted_metrics": _metrics(config.get("weighted_metrics"), names),
            "loss_weights": config.get("loss_weights")}
    for key in ("run_eagerly", "steps_per_execution", "jit_compile"):
        if config.get(key) is not None:
            made[key] = config[key]
    if made["metrics"] == []:
        made["metrics"] = None
    return made


def _optimizer(record: dict[str, Any]) -> dict[str, Any]:
    config = {("learning_rate" if key == "lr" else key): value for key, value in record.get("config", {}).items()}
    for key in ("jit_compile", "is_legacy_optimizer", "schedule_decay", "clipnorm", "clipvalue", "epsilon"):
        if key in config and (key in ("jit_compile", "is_legacy_optimizer", "schedule_decay") or config[key] is None):
            del config[key]
    if not config.get("decay"):
        config.pop("decay", None)
    name = str(record.get("class_name"))
    return {"module": "keras.optimizers", **record, "class_name": name.removeprefix("Custom>"), "config": config}


def _loss(value: Any) -> Any:
    if isinstance(value, list):
        return [_loss(item) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        config = {key: item for key, item in value.get("config", {}).items() if key != "fn"}
        if config.get("reduction") == "auto":
            config["reduction"] = "sum_over_batch_size"
        return {"module": "keras.losses", **value, "config": config}
    if isinstance(value, dict):
        return {key: _loss(item) for key, item in value.items()}
    return FUNCTIONS.get(value, value) if isinstance(value, str) else value


def _metrics(value: Any, output_names: list[str]) -> Any:
    if isinstance(value, list):
        return [_metrics(item, output_names) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        config = dict(value.get("config", {}))
        for output in output_names:
            if str(config.get("name", "")).startswith(f"{output}_"):
                config["name"] = config["name"][len(output) + 1:]
        if value["class_name"] == "MeanMetricWrapper" and isinstance(config.get("fn"), str):
            fn = FUNCTIONS.get(config["fn"], config["fn"])
            config["fn"] = {"module": "keras.metrics", "class_name": "function", "config": fn, "registered_name": fn}
        elif "fn" in config:
            del config["fn"]
        return {"module": "keras.metrics", **value, "config": config}
    if isinstance(value, dict):
        return {key: _metrics(item, output_names) for key, item in value.items()}
    return FUNCTIONS.get(value, value) if isinstance(value, str) else value

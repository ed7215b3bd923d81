"""Owns a functional model as plain data, in Keras 3's form: layers with their configurations and inbound nodes."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from .. import ops, tree
from ..dispatch import body_of
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from ..layers.serialization import deserialize, serialize
from ..naming import to_snake_case
from ..operation import Node, Operation
from ..saving.plain import deserialize_keras_object
from ..tensor import KerasTensor

_FIELDS = ("name", "layers", "input_layers", "output_layers")


def is_functional_config(config: dict[str, Any]) -> bool:
    """Whether a config describes a graph of layers, not the constructor arguments of a subclassed model."""
    return all(field in config for field in _FIELDS)


# -- out ----------------------------------------------------------------------------------------------------------
def functional_config(model: Any) -> dict[str, Any]:
    """{name, trainable, layers, input_layers, output_layers}; calls outside the model are not counted."""
    numbers = _call_numbers(model)

    def reference(tensor: Any) -> list[Any]:
        operation, node_index, tensor_index = tensor._keras_history
        return [operation.name, numbers[id(operation._inbound_nodes[node_index])], tensor_index]

    records = []
    for operation in model.operations:
        nodes = [node for node in operation._inbound_nodes if id(node) in numbers and node.input_tensors]
        if isinstance(operation, Layer):
            record = serialize(operation)
            calls = [(node.args, node.kwargs) for node in nodes]
        else:
            record, calls = _operation_record(operation, nodes)
        record["name"] = operation.name
        record["inbound_nodes"] = [_node_record(args, kwargs, reference) for args, kwargs in calls]
        records.append(record)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": records,
        "input_layers": _references(model._inputs_struct, reference),
        "output_layers": _references(model._outputs_struct, reference),
    }


def _references(structure: Any, reference: Any) -> Any:
    return tree.map_structure(reference, structure)


def _call_numbers(model: Any) -> dict[int, int]:
    """{id of a node of the model: its number among the calls of its operation within the model}."""
    numbers = {}
    for operation in model.operations:
        inside = [node for node in operation._inbound_nodes if id(node) in model._graph.node_ids]
        numbers.update({id(node): number for number, node in enumerate(inside)})
    return numbers


def _operation_record(operation: Operation, nodes: list[Node]) -> tuple[dict[str, Any], list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """(record, calls) of a function's call in Keras's form: tensors are what it is called with, everything else is its configuration."""
    config: dict[str, Any] = {"name": operation.name}
    calls = []
    function: Any = type(operation).function  # type: ignore[attr-defined]
    body = body_of(function)
    for node in nodes:
        if body.variadic is not None:
            calls.append((node.args, node.kwargs))
            continue
        given = inspect.signature(body.function).bind(*node.args, **node.kwargs).arguments
        tensors = {name: value for name, value in given.items() if name in body.tensors or _holds_tensor(value)}
        config.update((name, tree.map_structure(_plain, value)) for name, value in given.items() if name not in tensors)
        calls.append((tuple(tensors.values()), {}))
    return {"module": _module_of(type(operation).__name__), "class_name": type(operation).__name__, "config": config,
            "registered_name": type(operation).__name__}, calls


def _holds_tensor(value: Any) -> bool:
    return any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(value))


def _module_of(class_name: str) -> str:
    """The module in which Keras has an operation's class."""
    name = to_snake_case(class_name)
    for module in ("nn", "numpy", "linalg"):
        if hasattr(getattr(ops, module, None), name):
            return f"keras.src.ops.{module}"
    return "keras.src.ops.core" if name in ("cast", "scatter", "slice", "while_loop", "cond", "unstack") else "keras.src.ops.math"


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, slice):
        return {"class_name": "__slice__", "config": {"start": leaf.start, "stop": leaf.stop, "step": leaf.step}}
    if leaf is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(leaf, str):
        return str(leaf)
    return leaf.tolist() if hasattr(leaf, "tolist") else leaf


def _node_record(args: tuple[Any, ...], kwargs: dict[str, Any], reference: Any) -> dict[str, Any]:
    def plain(leaf: Any) -> Any:
        if isinstance(leaf, KerasTensor):
            return {"class_name": "__keras_tensor__",
                    "config": {"shape": tuple(leaf.shape), "dtype": str(leaf.dtype), "keras_history": reference(leaf)}}
        return _plain(leaf)

    return {"args": [tree.map_structure(plain, value) for value in args],
            "kwargs": {name: tree.map_structure(plain, value) for name, value in kwargs.items()}}


# -- in -----------------------------------------------------------------------------------------------------------
def functional_from_config(cls: type, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that `functional_config` described. Raises ValueError for unknown layers and calls that cannot be resolved."""
    made: dict[str, Any] = {}  # name -> layer, or the function of an operation
    calls: list[tuple[str, int, dict[str, Any]]] = []  # (name, number of the call, record)
    results: dict[tuple[str, int], list[Any]] = {}
    for record in config["layers"]:
        name = record.get("name") or record["config"]["name"]
        made[name] = _made(record, custom_objects)
        if isinstance(made[name], InputLayer):
            results[name, 0] = [made[name].output]
        calls.extend((name, number, node) for number, node in enumerate(record["inbound_nodes"]))
    while calls:
        waiting = []
        for name, number, node in calls:
            args, kwargs = _resolved(node, results)
            if args is None:
                waiting.append((name, number, node))
                continue
            if not any(isinstance(leaf, KerasTensor) for leaf in tree.flatten((args, kwargs))):
                raise ValueError(f"the configuration of model '{config['name']}' has a call of '{name}' that no tensor goes into")
            outputs = made[name](*args, **kwargs)
            results[name, number] = [leaf for leaf in tree.flatten(outputs) if isinstance(leaf, KerasTensor)]
            if not isinstance(made[name], Layer):
                results[name, number][0]._keras_history.operation.name = name
        if len(waiting) == len(calls):
            raise ValueError(f"the configuration of model '{config['name']}' has calls whose inputs nothing makes: "
                             f"{sorted({name for name, _, _ in waiting})}")
        calls = waiting

    def tensor(reference: list[Any]) -> KerasTensor:
        name, number, index = reference
        found: KerasTensor = results[name, number][index]
        return found

    inputs = _map_references(tensor, config["input_layers"])
    outputs = _map_references(tensor, config["output_layers"])
    return cls(inputs, outputs, name=config["name"], trainable=config.get("trainable", True))


def _is_reference(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


def _map_references(function: Any, structure: Any) -> Any:
    if _is_reference(structure):
        return function(structure)
    if isinstance(structure, dict):
        return {key: _map_references(function, value) for key, value in structure.items()}
    return [_map_references(function, value) for value in structure]


def _made(record: dict[str, Any], custom_objects: dict[str, Any] | None) -> Any:
    if not str(record.get("module", "")).startswith("keras.src.ops"):
        return deserialize(record, custom_objects)
    function = getattr(ops, to_snake_case(record["class_name"]), None)
    if function is None or record["class_name"].startswith("_"):
        raise ValueError(f"unknown operation '{record['class_name']}' in the configuration of a functional model")
    if record["class_name"] == "GetItem":
        return lambda x, key: function(x, tuple(key) if isinstance(key, list) else key)  # JSON knows no tuples
    settings = {name: value for name, value in record["config"].items() if name not in ("name", "trainable", "dtype", "_function")}
    if "dtype" in inspect.signature(function).parameters and isinstance(record["config"].get("dtype"), str):
        settings["dtype"] = record["config"]["dtype"]
    return functools.partial(function, **settings) if settings else function


def _resolved(node: dict[str, Any], results: dict[tuple[str, int], list[Any]]) -> tuple[Any, dict[str, Any]]:
    """(args, kwargs) of a recorded call, or (None, {}) while some of its inputs do not exist yet."""
    complete = True

    def value(leaf: Any) -> Any:
        nonlocal complete
        if isinstance(leaf, dict) and leaf.get("class_name") == "__keras_tensor__":
            name, number, index = leaf["config"]["keras_history"]
            if (name, number) not in results:
                complete = False
                return None
            return results[name, number][index]
        if isinstance(leaf, dict) and str(leaf.get("class_name", "")).startswith("__"):
            return deserialize_keras_object(leaf)
        if isinstance(leaf, dict):
            return {key: value(child) for key, child in leaf.items()}
        return [value(child) for child in leaf] if isinstance(leaf, (list, tuple)) else leaf

    args = [value(leaf) for leaf in node["args"]]
    kwargs = {name: value(leaf) for name, leaf in node["kwargs"].items()}
    return (args, kwargs) if complete else (None, {})



"""Owns a functional model as plain data, in Keras 3's form: layers with their configurations and inbound nodes."""

from __future__ import annotations

from typing import Any

from .. import ops, tree
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from ..layers.serialization import deserialize, serialize
from ..naming import to_snake_case
from ..operation import Node, Operation
from ..tensor import KerasTensor

_FIELDS = ("name", "layers", "input_layers", "output_layers")


def is_functional_config(config: dict[str, Any]) -> bool:
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
        record = serialize(operation) if isinstance(operation, Layer) else _operation_record(operation)
        record["name"] = operation.name
        record["inbound_nodes"] = [_node_record(node, reference) for node in operation._inbound_nodes
                                   if id(node) in numbers and node.input_tensors]
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


def _operation_record(operation: Operation) -> dict[str, Any]:
    return {"module": "keras.src.ops", "class_name": type(operation).__name__, "config": {"name": operation.name},
            "registered_name": type(operation).__name__}


def _node_record(node: Node, reference: Any) -> dict[str, Any]:
    def plain(leaf: Any) -> Any:
        if isinstance(leaf, KerasTensor):
            return {"class_name": "__keras_tensor__",
                    "config": {"shape": tuple(leaf.shape), "dtype": str(leaf.dtype), "keras_history": reference(leaf)}}
        return leaf.tolist() if hasattr(leaf, "tolist") else leaf

    return {"args": [tree.map_structure(plain, value) for value in node.args],
            "kwargs": {name: tree.map_structure(plain, value) for name, value in node.kwargs.items()}}


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
    return function


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
        if isinstance(leaf, dict):
            return {key: value(child) for key, child in leaf.items()}
        return [value(child) for child in leaf] if isinstance(leaf, (list, tuple)) else leaf

    args = [value(leaf) for leaf in node["args"]]
    kwargs = {name: value(leaf) for name, leaf in node["kwargs"].items()}
    return (args, kwargs) if complete else (None, {})



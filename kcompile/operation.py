"""Operations and nodes: how calls on symbolic tensors are recorded, so that a functional model can run them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import tracing, tree
from .naming import auto_name, to_camel_case
from .tensor import KerasHistory, KerasTensor


class Node:
    """One call of an operation on symbolic tensors.

    arguments (args, kwargs) hold the KerasTensors it was called with; `outputs` the flat list it gave; `source` is the line of
    the user's that made the call.
    """

    def __init__(self, operation: Operation, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None,
                 outputs: Any = None) -> None:
        self.operation = operation
        self.args = tuple(args)
        self.kwargs = dict(kwargs or {})
        self.source = tracing.user_source()
        self.input_tensors = [leaf for leaf in tree.flatten((self.args, self.kwargs)) if isinstance(leaf, KerasTensor)]
        self.output_structure = outputs
        self.outputs = [leaf for leaf in tree.flatten(outputs) if isinstance(leaf, KerasTensor)]
        for tensor in self.input_tensors:
            history = getattr(tensor, "_keras_history", None)
            if history is not None:
                history.operation._outbound_nodes.append(self)
        operation._inbound_nodes.append(self)
        index = len(operation._inbound_nodes) - 1
        for number, tensor in enumerate(self.outputs):
            tensor._keras_history = KerasHistory(operation, index, number)  # type: ignore[attr-defined]

    @property
    def output_tensors(self) -> list[KerasTensor]:
        return self.outputs

    @property
    def is_input(self) -> bool:
        return not self.input_tensors

    @property
    def parent_nodes(self) -> list[Node]:
        """The nodes whose results this one takes, each once, in order."""
        found: dict[int, Node] = {}
        for tensor in self.input_tensors:
            history = getattr(tensor, "_keras_history", None)
            if history is not None:
                node = history.operation._inbound_nodes[history.node_index]
                found.setdefault(id(node), node)
        return list(found.values())

    def fill_in(self, values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(args, kwargs) with each KerasTensor replaced by values[id(tensor)], where there is one."""
        def replace(leaf: Any) -> Any:
            return values.get(id(leaf), leaf) if isinstance(leaf, KerasTensor) else leaf

        args, kwargs = tree.map_structure(replace, (self.args, self.kwargs))
        return args, kwargs

    def __repr__(self) -> str:
        return f"<Node operation={self.operation.name}, id={self.operation._inbound_nodes.index(self)}>"


class Operation:
    """Something callable on tensors of any kind: on symbolic ones the call is recorded. Layers are operations."""

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = auto_name(type(self).__name__)
        if not isinstance(name, str) or "/" in name:
            raise ValueError("Argument `name` must be a string and cannot contain character `/`. "
                             f"Received: name={name} (of type {type(name).__name__})")
        self.name = name
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if tracing.mode_of((*args, *kwargs.values())) == tracing.SYMBOLIC:
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The results as KerasTensors, with the call recorded."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define `call`")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors of the results' shapes and dtypes; by default read off a scratch trace of `call`."""
        return tracing.compute_output_spec(self.call, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Operation:
        return cls(**config)

    def _node_tensors(self, what: str, index: int = 0) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(f"The layer {self.name} has never been called and thus has no defined {what}.")
        node = self._inbound_nodes[index]
        tensors = node.input_tensors if what == "input" else node.outputs
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        return self._node_tensors("input")

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        return self._node_tensors("output")

    def __repr__(self) -> str:
        return f"<Operation name={self.name}>"


class FunctionOperation(Operation):
    """A recorded call of a function of kcompile.ops; each function has a subclass with its own name."""

    function: Callable[..., Any]

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return type(self).function(*args, **kwargs)


_classes: dict[str, type[FunctionOperation]] = {}


def record(body: tracing.Body, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a function on symbolic tensors: an anonymous operation (class Add for ops.add) is made and recorded."""
    kind = _classes.get(body.name)
    if kind is None:
        kind = type(to_camel_case(body.name), (FunctionOperation,), {"function": staticmethod(function), "__doc__": function.__doc__})
        _classes[body.name] = kind
    return kind().symbolic_call(*args, **kwargs)

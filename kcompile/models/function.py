"""Owns Function: recorded calls between symbolic tensors as one operation, without a model's training."""

from __future__ import annotations

from typing import Any

from .. import tree
from ..operation import Operation
from ..tensor import KerasTensor
from .function_graph import FunctionGraph
from .functional import call_node, recorded_again


class Function(Operation):
    """The calls that lead from `inputs` to `outputs` (tensors or structures of them), to be called on other tensors.

    Raises ValueError for an output that the inputs do not lead to.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self._graph = FunctionGraph(*recorded_again(tree.flatten(inputs), tree.flatten(outputs)))

    @property
    def inputs(self) -> list[KerasTensor]:
        return list(self._graph.inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        return list(self._graph.outputs)

    @property
    def operations(self) -> list[Operation]:
        """Layers and operations, in order of depth."""
        return list(self._graph.operations)

    def call(self, inputs: Any) -> Any:
        """The outputs, in their structure, for as many tensors as there are inputs. Raises ValueError for another number."""
        values = tree.flatten(inputs)
        if len(values) != len(self._graph.inputs):
            raise ValueError(f"Function '{self.name}' takes {len(self._graph.inputs)} input(s), it received {len(values)}")
        return tree.pack_sequence_as(self._outputs_struct, self._graph.run(values, call_node))

    def compute_output_spec(self, inputs: Any) -> Any:
        return super().compute_output_spec(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape(s) of the outputs for the shape(s) of the inputs."""
        shapes: list[Any] = []
        tree.map_shape_structure(shapes.append, input_shape)
        tensors = [KerasTensor(shape, dtype=given.dtype) for shape, given in zip(shapes, self._graph.inputs, strict=True)]
        outputs = self.compute_output_spec(tree.pack_sequence_as(self._inputs_struct, tensors))
        return tree.map_structure(lambda tensor: tuple(tensor.shape), outputs)

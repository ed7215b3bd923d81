"""The graphs of one training, test or predict step: the model, its losses, gradients, optimizer and metrics, traced.

A step's params are the arrays of a batch, its states the variables of model, optimizer and metrics. Results are read from the
states of the metrics between steps; only `predict` (and an overridden compute_metrics) has outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import ops, tracing, tree
from ..common.users_code import warn
from ..dtypes import is_int_dtype
from ..ir.graph import Graph
from ..tensor import KerasTensor
from ..tracing import Trace
from ..variables import Variable
from .checks import Range, index_ranges, label_ranges
from .data import DataSpec, Leaf

KINDS = ("train", "test", "predict")
LOG = "log."  # prefix of the outputs that carry the results of an overridden compute_metrics


@dataclass
class Step:
    """A traced step. `variables`: path of a state -> Variable; `outputs`: structure of y_pred with output names as leaves;
    `logs`: names of scalar outputs "log.<name>"."""

    kind: str
    spec: DataSpec
    graph: Graph
    variables: dict[str, Variable]
    outputs: Any = None
    logs: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)


def trace_step(model: Any, kind: str = "train", spec: DataSpec | None = None) -> Step:
    """Trace a step of a model for data of the given shapes; by default for those that its inputs, outputs and losses suggest.

    Raises ValueError for data that does not fit the model, an unknown kind, or a model that was not compiled.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown step {kind!r}; the steps are: {', '.join(KINDS)}")
    if spec is None:
        spec = default_spec(model, kind)
    with Trace(f"{model.name}.{kind}") as trace:
        x, y, sample_weight = (_entered(trace, part) for part in (spec.x, spec.y, spec.sample_weight))
        step = Step(kind, spec, trace.graph, trace.variables)
        if kind == "predict":
            _predict(model, trace, step, x)
        else:
            _train_or_test(model, trace, step, x, y, sample_weight)
    step.ranges += index_ranges(trace.graph)
    return step


def _entered(trace: Trace, structure: Any) -> Any:
    """Params of the trace in place of Leafs."""
    return tree.map_structure(lambda leaf: None if leaf is None else trace.input(leaf.name, (None, *leaf.shape), leaf.dtype), structure)


def _called(model: Any, x: Any, training: bool) -> Any:
    return model(x, training=training)


def _predict(model: Any, trace: Trace, step: Step, x: Any) -> None:
    y_pred = _called(model, x, training=False)
    flat = tree.flatten_with_path(y_pred)
    names = []
    for path, value in flat:
        name = ".".join(["y_pred", *map(str, path)])
        trace.output(name, value)
        names.append(name)
    step.outputs = tree.pack_sequence_as(y_pred, names)


def _train_or_test(model: Any, trace: Trace, step: Step, x: Any, y: Any, sample_weight: Any) -> None:
    training = step.kind == "train"
    y_pred = _called(model, x, training)
    loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
    if loss is None or not hasattr(loss, "shape") or len(loss.shape):
        raise ValueError(f"compute_loss() of model '{model.name}' must return a scalar tensor, it returned {loss!r}")
    losses = model._compile_loss
    if losses is not None and losses.losses:
        step.ranges += label_ranges(losses.losses, losses.labels(y, y_pred), tree.flatten(y_pred))
    first = next(leaf for leaf in tree.flatten(x) if leaf is not None)
    model._loss_tracker.update_state(loss, sample_weight=ops.cast(ops.shape(first)[0], model._loss_tracker.dtype))
    if training:
        _update(model, trace, loss)
    results = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
    if model._overrides("compute_metrics"):
        for name, value in (results or {}).items():
            trace.output(f"{LOG}{name}", ops.cast(value, "float32"))
            step.logs.append(name)


def _update(model: Any, trace: Trace, loss: Any) -> None:
    """Gradients, and the optimizer's step. A model without trainable weights only computes its loss."""
    optimizer = model.optimizer
    variables = list(model.trainable_variables)
    if optimizer is None or not variables:
        warn("The model does not have any trainable weights.")
        return
    optimizer.build(variables)
    gradients = tracing.gradients(optimizer.scale_loss(loss), variables)
    optimizer.apply(gradients, variables)


# -- data that a model would take ---------------------------------------------------------------------------------
def default_spec(model: Any, kind: str) -> DataSpec:
    """Shapes and dtypes of data for a model that is built. Raises ValueError when they cannot be told."""
    inputs = _inputs_of(model)
    x = _leaves(inputs, "x", lambda tensor: str(tensor.dtype))
    if kind == "predict":
        return DataSpec(x)
    outputs = tracing.compute_output_spec(lambda value: model(value, training=kind == "train"), inputs)
    if model._compile_loss is None:
        return DataSpec(x)
    from .outputs import assign, output_names

    names = output_names(outputs, getattr(model, "output_names", None))
    given = assign(model._compile_loss._given, outputs, names, "loss", is_leaf=lambda v: not tree.is_nested(v), spread=True)
    flat = tree.flatten(outputs)
    leaves = []
    for position, (one, output) in enumerate(zip(given, flat, strict=True)):
        name = "y" if len(flat) == 1 else f"y.{names[position] or position}"
        shape = tuple(output.shape)[1:]
        if _takes_class_numbers(one) and shape:
            leaves.append(Leaf(name, _known(shape[:-1], name), "int64"))
        else:
            leaves.append(Leaf(name, _known(shape, name), "float32" if is_int_dtype(output.dtype) else str(output.dtype)))
    return DataSpec(x, tree.pack_sequence_as(outputs, leaves) if len(flat) > 1 or tree.is_nested(outputs) else leaves[0])


def _takes_class_numbers(loss: Any) -> bool:
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return name.lower().replace("_", "") == "sparsecategoricalcrossentropy"


def _inputs_of(model: Any) -> Any:
    """Symbolic inputs of a model, in the structure it takes."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        return structure
    if getattr(model, "inputs", None):
        return model.inputs[0] if len(model.inputs) == 1 else list(model.inputs)
    shapes = getattr(model, "_build_shapes", None)
    if not shapes:
        raise ValueError(f"the shapes of the inputs of model '{model.name}' are not known: build it, or call it on data first")
    return tree.map_shape_structure(lambda shape: KerasTensor(shape, model.compute_dtype), next(iter(shapes.values())))


def _leaves(structure: Any, title: str, dtype: Callable[[Any], str]) -> Any:
    flat = tree.flatten_with_path(structure)
    leaves = []
    for path, tensor in flat:
        name = ".".join([title, *map(str, path)])
        leaves.append(Leaf(name, _known(tuple(tensor.shape)[1:], name), dtype(tensor)))
    return tree.pack_sequence_as(structure, leaves)


def _known(shape: tuple[Any, ...], name: str) -> tuple[int, ...]:
    if None in shape:
        raise ValueError(f"{name} has sizes that are not known before the data is: {shape}")
    return shape

"""The losses and metrics of a compiled model, one set for each output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import naming as session_names
from .. import ops, tree
from ..losses.loss import Loss
from ..metrics import Mean, Metric
from .naming import check_names, loss_for, metric_for
from .outputs import assign, output_names


def _labels(y: Any, y_pred: Any, names: Sequence[str | None]) -> list[Any]:
    """The labels of each output."""
    leaves = tree.flatten(y)
    if not isinstance(y, dict) and len(leaves) == len(names):
        return leaves
    if isinstance(y, dict) and isinstance(y_pred, dict) and len(leaves) == len(names) and set(y) == set(y_pred):
        return leaves
    return assign(y, y_pred, names, "y")


def _weights(sample_weight: Any, y_pred: Any, names: Sequence[str | None]) -> list[Any]:
    leaves = tree.flatten(sample_weight)
    if tree.is_nested(sample_weight) and not isinstance(sample_weight, dict) and len(leaves) == len(names):
        return leaves
    return assign(sample_weight, y_pred, names, "sample_weight", spread=True)


class CompiledLoss:
    """The weighted sum of the losses of all outputs. With more than one of them, each also has a Mean of its own in the logs."""

    def __init__(self, loss: Any, loss_weights: Any, names: Sequence[str] | None) -> None:
        self._given, self._given_weights, self._model_names = loss, loss_weights, names
        if isinstance(loss_weights, (int, float)) and not isinstance(loss_weights, bool):
            self._given_weights = [loss_weights]
        check_names(loss, "loss")
        self._losses: list[Any] | None = None
        self._factors: list[Any] = []
        self.trackers: list[tuple[int, Mean]] = []  # (output, its mean loss)
        self.names: list[str | None] = []

    @property
    def losses(self) -> list[Any]:
        """One Loss (or None) an output; [] before the first step is traced."""
        return list(self._losses or [])

    @property
    def metrics(self) -> list[Mean]:
        return [mean for _, mean in self.trackers]

    def build(self, y: Any, y_pred: Any) -> None:
        """Match losses with outputs. Raises ValueError."""
        self.names = output_names(y_pred, self._model_names)
        count = len(self.names)
        given = assign(self._given, y_pred, self.names, "loss", is_leaf=_is_loss, spread=True)
        labels, predictions = _labels(y, y_pred, self.names), tree.flatten(y_pred)
        found = []
        for position, (one, label, prediction) in enumerate(zip(given, labels, predictions, strict=True)):
            if one is not None and label is None:
                raise ValueError(f"the loss{_of(self.names, position)} needs labels, but `y` has none for it")
            found.append(None if one is None else loss_for(one, label, prediction))
        if isinstance(self._given_weights, (list, tuple)) and len(self._given_weights) != count:
            raise ValueError(f"`loss_weights` must match the number of losses, got {count} losses and {len(self._given_weights)} weights.")
        self._factors = assign(self._given_weights, y_pred, self.names, "loss_weights")
        trackers: list[tuple[int, Mean]] = []
        active = [(position, one) for position, one in enumerate(found) if one is not None]
        if isinstance(self._given, dict) and isinstance(y_pred, dict) and set(self._given) <= set(self.names):  # as Keras walks it
            active.sort(key=lambda entry: list(self._given).index(self.names[entry[0]]))
        if len(active) > 1:
            taken: set[str] = set()
            for position, one in active:
                title = _unique(f"{self.names[position] or one.name}_loss", taken)
                with session_names.name_scope("compile_loss"):
                    trackers.append((position, Mean(name=title)))
        self.trackers, self._losses = trackers, found

    def labels(self, y: Any, y_pred: Any) -> list[Any]:
        """The labels of each output."""
        return _labels(y, y_pred, self.names)

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The total loss, or None when no output has one. Also updates the means."""
        if self._losses is None:
            self.build(y, y_pred)
        assert self._losses is not None
        labels, predictions = _labels(y, y_pred, self.names), tree.flatten(y_pred)
        weights = _weights(sample_weight, y_pred, self.names)
        means = dict(self.trackers)
        total: Any = None
        for position, loss in enumerate(self._losses):
            if loss is None:
                continue
            if labels[position] is None:
                raise ValueError(f"the loss{_of(self.names, position)} needs labels, but `y` has none for it")
            with _explained(f"loss {loss.name!r}{_of(self.names, position)}", labels[position], predictions[position], weights[position]):
                value = loss(labels[position], predictions[position], weights[position])
            if len(value.shape):
                raise ValueError(f"the loss{_of(self.names, position)} gives shape {tuple(value.shape)}, expected a "
                                 f"scalar: "
                                 "use a reduction other than 'none'")
            value = ops.cast(value, "float32" if value.dtype in ("float16", "bfloat16") else value.dtype)
            if position in means:  # by rows, as the total is counted, so that the parts add up to it
                rows = ops.shape(predictions[position])[0] if len(predictions[position].shape) else 1
                means[position].update_state(value, sample_weight=ops.cast(rows, means[position].dtype))
            if self._factors[position] is not None:
                value = value * self._factors[position]
            total = value if total is None else total + value
        return total


def _is_loss(value: Any) -> bool:
    return not tree.is_nested(value) or (isinstance(value, dict) and "class_name" in value)


def _is_metric(value: Any) -> bool:
    return isinstance(value, (str, Metric, Loss)) or callable(value) or (isinstance(value, dict) and "class_name" in value)


class CompiledMetrics(Metric):
    """The metrics of all outputs: `metrics` ignore sample weights, `weighted_metrics` do not."""

    def __init__(self, metrics: Any, weighted_metrics: Any, names: Sequence[str] | None) -> None:
        super().__init__(name="compile_metrics")
        for title, given in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if given is not None and not isinstance(given, (list, tuple, dict)):
                raise ValueError(f"Expected `{title}` argument to be a list, tuple, or dict. "
                                 f"Received instead: {title}={given} of type {type(given)}")
            check_names(given, "metric")
        self._given, self._given_weighted, self._model_names = metrics, weighted_metrics, names
        self.built = False
        self._entries: list[tuple[int, str, Metric, bool]] = []  # output, name in the logs, metric, weighted
        self._names: list[str | None] = []

    @property
    def metrics(self) -> list[Metric]:
        return [metric for _, _, metric, _ in self._entries]

    @property
    def variables(self) -> list[Any]:
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y: Any, y_pred: Any) -> None:
        """Match metrics with outputs, and give each its name in the logs. Raises ValueError."""
        self._names = output_names(y_pred, self._model_names)
        plain, weighted = (_per_output(given, y_pred, self._names, title) for title, given in (
            ("metrics", self._given), ("weighted_metrics", self._given_weighted)))
        labels, predictions = _labels(y, y_pred, self._names), tree.flatten(y_pred)
        entries: list[tuple[int, str, Metric, bool]] = []
        taken: set[str] = set()
        for position, (label, prediction) in enumerate(zip(labels, predictions, strict=True)):
            prefix = f"{self._names[position]}_" if self._names[position] and len(self._names) > 1 else ""
            if label is None and (plain[position] or weighted[position]):
                raise ValueError(f"the metrics{_of(self._names, position)} need labels, but `y` has none for it")
            mine = [metric_for(one, label, prediction) for one in plain[position]]
            for metric in mine:
                entries.append((position, _unique(f"{prefix}{metric.name}", taken), metric, False))
            for one in weighted[position]:
                metric = metric_for(one, label, prediction)
                clash = any(metric.name == other.name for other in mine)
                title = _unique(f"{prefix}{'weighted_' if clash else ''}{metric.name}", taken)
                entries.append((position, title, metric, True))
        self._entries, self.built = entries, True

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if not self.built:
            self.build(y, y_pred)
        labels, predictions = _labels(y, y_pred, self._names), tree.flatten(y_pred)
        weights = _weights(sample_weight, y_pred, self._names)
        for position, _, metric, weighted in self._entries:
            weight = weights[position] if weighted else None
            with _explained(f"metric {metric.name!r}{_of(self._names, position)}", labels[position], predictions[position], weight):
                if weight is not None:
                    metric.update_state(labels[position], predictions[position], sample_weight=weight)
                else:
                    metric.update_state(labels[position], predictions[position])

    def named(self) -> list[tuple[str, Metric]]:
        """(name in the logs, metric), output by output."""
        return [(title, metric) for _, title, metric, _ in self._entries]

    def result(self) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for title, metric in self.named():
            value = metric.result()
            results.update(value if isinstance(value, dict) else {title: value})
        return results

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()


def _per_output(given: Any, y_pred: Any, names: Sequence[str | None], title: str) -> list[list[Any]]:
    """A flat list of metrics for each output."""
    if given is None:
        return [[] for _ in names]
    if len(names) == 1 and isinstance(given, (list, tuple)) and all(_is_metric(one) or one is None for one in given):
        return [[one for one in given if one is not None]]
    if len(names) > 1 and isinstance(given, (list, tuple)) and given and len(given) != len(names) and all(_is_metric(one) for one in given):
        raise ValueError(f"For a model with multiple outputs, `{title}` as a list must have as many entries as the model has outputs "
                         f"({len(names)}), or be a dict with output names as keys. Received: {title}={given}")
    found = assign(given, y_pred, names, title, is_leaf=_is_metric) if given else [None] * len(names)
    lists = [list(one) if isinstance(one, (list, tuple)) else [] if one is None else [one] for one in found]
    for one in lists:
        for metric in one:
            if not _is_metric(metric):
                raise ValueError(f"`{title}` must hold metrics, their names or functions. Received: {metric!r}")
    return lists


def _of(names: Sequence[str | None], position: int) -> str:
    """' of output ...' where there are several."""
    return "" if len(names) == 1 else f" of output {names[position] or position!r}"


@contextmanager
def _explained(what: str, label: Any, prediction: Any, weight: Any) -> Iterator[None]:
    """Says of an error inside which loss or metric it comes from, and what that was given."""
    try:
        yield
    except (ValueError, TypeError) as error:
        given = {"labels (`y`)": label, "predictions": prediction, "`sample_weight`": weight}
        shapes = [f"{title} of shape {tuple(tensor.shape)}" for title, tensor in given.items() if hasattr(tensor, "shape")]
        raise ValueError(f"{what} was given {', '.join(shapes)}: {error}") from error


def _unique(title: str, taken: set[str]) -> str:
    name, count = title, 0
    while name in taken:
        count += 1
        name = f"{title}_{count}"
    taken.add(name)
    return name

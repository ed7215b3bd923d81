"""The part of Trainer that `compile` sets up: optimizer, losses, metrics, and what follows from them."""

from __future__ import annotations

from typing import Any

from .. import optimizers
from ..metrics import Mean, Metric
from .compiled import CompiledLoss, CompiledMetrics
from .results import results_of

_STEP_METHODS = ("train_step", "test_step", "predict_step")


class CompileMixin:
    """compile(), its settings, metrics and results, and the two methods a user may override: compute_loss, compute_metrics."""

    name: str

    def _put(self, **values: Any) -> None:
        """Set attributes past the layer's tracking: they are no part of the model's own state."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _reset_compilation(self) -> None:
        self._put(optimizer=None, loss=None, compiled=False, stop_training=False, stop_evaluating=False, stop_predicting=False,
                  history=None, _compile_loss=None, _compile_metrics=None, _loss_tracker=None, _compile_config={}, _runners={},
                  _compilation=0, steps_per_execution=1, _run_eagerly=False, _jit_compile="auto", auto_scale_loss=True,
                  _known_structure=(-1, ((), ())), _ready_prediction=None, debug=None)

    optimizer: Any
    loss: Any
    compiled: bool
    debug: str | None
    history: Any
    _compile_loss: CompiledLoss | None
    _compile_metrics: CompiledMetrics | None
    _loss_tracker: Mean | None
    _compile_config: dict[str, Any]
    _runners: dict[Any, Any]
    _compilation: int
    _known_structure: tuple[int, tuple[tuple[Any, ...], tuple[bool, ...]]]
    _ready_prediction: Any

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, loss_weights: Any = None, metrics: Any = None,
                weighted_metrics: Any = None, run_eagerly: bool = False, steps_per_execution: int = 1, jit_compile: Any = "auto",
                auto_scale_loss: bool = True, debug: str | None = None) -> None:
        """Set how the model is trained.

        optimizer: a name or an Optimizer; loss, metrics, weighted_metrics: names, objects or functions (y_true, y_pred), for several
        outputs as lists or dicts; loss_weights: factors of the outputs' losses. A loss, or metrics, that an earlier call gave and this
        one does not name stay in force, as in Keras; metrics=[] takes them away. run_eagerly and jit_compile are accepted: a step is
        always compiled. steps_per_execution: steps between two batch hooks of callbacks. auto_scale_loss: with the dtype policy
        mixed_float16, scale the loss (see LossScaleOptimizer). debug: "nan" stops at the first NaN or infinity and names layer, op,
        step and sample (slow). Raises ValueError.
        """
        self._refuse_step_overrides()
        if isinstance(steps_per_execution, bool) or not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(f"`steps_per_execution` must be a positive integer, received {steps_per_execution!r}")
        if debug not in (None, "nan"):
            raise ValueError(f"`debug` must be None or 'nan', received {debug!r}")
        names = getattr(self, "output_names", None)
        before = self._compile_config if self.compiled else {}
        if loss is None:
            compiled_loss, loss, loss_weights = self._compile_loss, before.get("loss"), before.get("loss_weights", loss_weights)
        else:
            compiled_loss = CompiledLoss(loss, loss_weights, names)
        if metrics is None and weighted_metrics is None:
            compiled_metrics, metrics, weighted_metrics = self._compile_metrics, before.get("metrics"), before.get("weighted_metrics")
        else:
            compiled_metrics = CompiledMetrics(metrics, weighted_metrics, names)
        chosen = optimizers.get(optimizer)
        if auto_scale_loss and self._computes_in_float16() and not isinstance(chosen, optimizers.LossScaleOptimizer):
            chosen = optimizers.LossScaleOptimizer(chosen, name="loss_scale_optimizer")
        self._put(
            optimizer=chosen, loss=loss, _compile_loss=compiled_loss, _compile_metrics=compiled_metrics,
            _loss_tracker=Mean(name="loss"), compiled=True, stop_training=False, steps_per_execution=steps_per_execution, _runners={},
            _compilation=self._compilation + 1, _run_eagerly=bool(run_eagerly), _jit_compile=jit_compile, auto_scale_loss=auto_scale_loss,
            debug=debug, _ready_prediction=None,
            _compile_config={"optimizer": optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
                             "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution,
                             "jit_compile": jit_compile})

    def _computes_in_float16(self) -> bool:
        policy = self.dtype_policy  # type: ignore[attr-defined]
        return bool(policy.compute_dtype == "float16" and policy.variable_dtype == "float32")

    @property
    def run_eagerly(self) -> bool:
        """As given to compile(); kcompile compiles the step either way."""
        return bool(getattr(self, "_run_eagerly", False))

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._put(_run_eagerly=bool(value))

    @property
    def jit_compile(self) -> Any:
        return getattr(self, "_jit_compile", "auto")

    @jit_compile.setter
    def jit_compile(self, value: Any) -> None:
        self._put(_jit_compile=value)

    def _require_compiled(self) -> None:
        if not self.compiled:
            raise ValueError("You must call `compile()` before using the model.")

    def _overrides(self, method: str) -> bool:
        """Whether a subclass of the user's defines a method of the Trainer anew."""
        from .trainer import Trainer

        return getattr(type(self), method) is not getattr(Trainer, method)

    def _refuse_step_overrides(self) -> None:
        for method in _STEP_METHODS:
            if self._overrides(method):
                raise NotImplementedError(
                    f"{type(self).__name__} overrides {method}(), which kcompile cannot honour: the whole step (model, gradients, "
                    f"optimizer, "
                    "metrics) is compiled as one. Override compute_loss(x, y, y_pred, sample_weight, training) or "
                    "compute_metrics(x, y, y_pred, sample_weight) instead, or add losses with add_loss().")

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """Not to be called or overridden: see compute_loss and compute_metrics."""
        raise NotImplementedError("kcompile compiles the whole training step; call train_on_batch(), or override compute_loss()")

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        """Not to be called or overridden: see compute_loss and compute_metrics."""
        raise NotImplementedError("kcompile compiles the whole test step; call test_on_batch(), or override compute_metrics()")

    def predict_step(self, *args: Any, **kwargs: Any) -> Any:
        """Not to be called or overridden: what `call` gives with training=False is the prediction."""
        raise NotImplementedError("kcompile compiles the whole predict step; call predict_on_batch()")

    # -- what a user may override -----------------------------------------------------------------------------
    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True) -> Any:
        """The total loss, a scalar tensor: the compiled losses plus what layers and regularizers added. Runs while a step is traced."""
        losses = []
        if self._compile_loss is not None:
            value = self._compile_loss(y, y_pred, sample_weight)
            if value is not None:
                losses.append(value)
        losses += self.losses  # type: ignore[attr-defined]
        if not losses:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        total = losses[0]
        for value in losses[1:]:
            total = total + value
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the compiled metrics; the results so far. Runs while a step is traced."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self._traced_results() if self._overrides("compute_metrics") else {}

    def _traced_results(self) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for title, metric in self._named_metrics():
            value = metric.result()
            results.update(value if isinstance(value, dict) else {title: value})
        return results

    # -- metrics ----------------------------------------------------------------------------------------------
    @property
    def metrics(self) -> list[Metric]:
        """The loss, metrics held by the model and its layers, the compiled metrics, the losses of single outputs."""
        return self._all_metrics()

    def _all_metrics(self) -> list[Metric]:
        """The same, even where a subclass overrides the property."""
        found: list[Metric] = [self._loss_tracker] if self._loss_tracker is not None else []
        found += super().metrics  # type: ignore[misc]
        if self._compile_metrics is not None:
            found.append(self._compile_metrics)
        if self._compile_loss is not None:
            found += self._compile_loss.metrics
        return found

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    @property
    def metrics_variables(self) -> list[Any]:
        return [variable for metric in self.metrics for variable in metric.variables]

    def reset_metrics(self) -> None:
        """Start all metrics anew: those of the property `metrics`, which a subclass may override, and those of compile()."""
        found = self._all_metrics()
        if type(self).metrics is not CompileMixin.metrics:
            found = [*self.metrics, *found]
        for metric in {id(metric): metric for metric in found}.values():
            metric.reset_state()

    def _named_metrics(self) -> list[tuple[str, Metric]]:
        """(name in the logs, metric): the loss, losses of single outputs, own metrics, compiled metrics."""
        named: list[tuple[str, Metric]] = [] if self._loss_tracker is None else [("loss", self._loss_tracker)]
        if self._compile_loss is not None:
            named += [(mean.name, mean) for mean in self._compile_loss.metrics]
        named += [(metric.name, metric) for metric in super().metrics]  # type: ignore[misc]
        if self._compile_metrics is not None:
            named += self._compile_metrics.named()
        return named

    def get_metrics_result(self) -> dict[str, Any]:
        """{name: number} of all metrics now, in alphabetical order."""
        results: dict[str, Any] = {}
        for title, metric in self._named_metrics():
            results.update(results_of(metric, title))
        return dict(sorted(results.items()))

    def _results_in_order(self, logs: dict[str, Any]) -> Any:
        """The numbers of the logs as a list; a lone one by itself.

        Keras's order: those that a metric's own name finds, metric by metric (a name that occurs twice is found twice), then the
        others in alphabetical order.
        """
        names = []
        for metric in self.metrics:
            names += [inner.name for inner in metric.metrics] if isinstance(metric, CompiledMetrics) else [metric.name]
        values = [logs[name] for name in names if name in logs] + [logs[name] for name in sorted(logs) if name not in names]
        return values[0] if len(values) == 1 else values

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of compile() in serialized form, or None."""
        if not self.compiled:
            return None
        from .. import losses as loss_module
        from .. import metrics as metric_module
        from .. import tree

        config = dict(self._compile_config)
        own = self.optimizer
        if isinstance(own, optimizers.LossScaleOptimizer) and self._compile_config["optimizer"] is not own:
            own = own.inner_optimizer  # compile() will put the scaling around it again
        config["optimizer"] = optimizers.serialize(own)
        config["loss"] = tree.map_structure(loss_module.serialize, config["loss"])
        for key in ("metrics", "weighted_metrics"):
            config[key] = tree.map_structure(metric_module.serialize, config[key])
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """compile() with what get_compile_config() gave; the optimizer is built when the model is."""
        from ..saving import deserialize_keras_object

        self.compile(**deserialize_keras_object(config))
        if self.built:  # type: ignore[attr-defined]
            self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]

"""Trainer: fit, evaluate, predict and their one-batch forms, as every model has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import config, tree
from ..callbacks import CallbackList
from ..codegen.garbage import collection_paused
from ..layers.state import LayerState
from ..layers.tracking import Structure
from ..making import MAKING
from ..utils.packing import unpack_x_y_sample_weight
from .batch_feed import BatchFeed
from .checks import check_ranges
from .compiling import CompileMixin
from .data import Array, Batch, DataSpec, as_batch, split_rows, train_validation_split, weights_of_classes
from .feeds import ArrayFeed, Feed, make_feed, warn_out_of_data
from .loop import run_steps
from .run import Run
from .steps import trace_step


class Trainer(CompileMixin):
    """The half of Model that trains. Everything between two looks at the clock runs in native code."""

    def __init__(self) -> None:
        self._reset_compilation()

    # -- compiled steps ---------------------------------------------------------------------------------------
    def _runner(self, kind: str, spec: DataSpec) -> Any:
        """The compiled step for data of these shapes; traced anew when something it depends on has changed."""
        found = self._runners.get(self._step_key(kind, spec))
        return self._new_runner(kind, spec) if found is None else found

    def _new_runner(self, kind: str, spec: DataSpec) -> Any:
        from ..executor import Runner

        with MAKING:
            found = self._runners.get(self._step_key(kind, spec))  # another thread may have been faster
            if found is not None:
                return found
            with collection_paused():
                found = Runner(trace_step(self, kind, spec), self.debug)
            key = self._step_key(kind, spec)  # tracing may have built the model
            for stale in [k for k in self._runners if k[0] == kind and k[2:] != key[2:]]:
                del self._runners[stale]
            self._runners[key] = found
            return found

    def _step_key(self, kind: str, spec: DataSpec) -> tuple[Any, ...]:
        layers, weights = self._structure()
        if kind == "predict":
            return kind, spec.key(), layers
        return kind, spec.key(), layers, self._compilation, getattr(self.optimizer, "trace_version", 0), weights

    def _structure(self) -> tuple[tuple[Any, ...], tuple[bool, ...]]:
        """(layers and whether each is trainable, whether each variable is), looked up again only after something has changed."""
        version, found = self._known_structure
        if version != Structure.version:
            every = list(self._flatten_layers())  # type: ignore[attr-defined]
            layers = tuple((id(layer), layer.trainable) for layer in every)
            weights = tuple(variable.trainable for variable in self.variables)  # type: ignore[attr-defined]
            found = layers, weights
            own = all(type(layer).trainable is LayerState.trainable for layer in every)  # a property of the user's may change by itself
            self._put(_known_structure=(Structure.version if own else -1, found))
        return found

    def _runner_for(self, kind: str) -> Callable[[DataSpec], Any]:
        return lambda spec: self._runner(kind, spec)

    def make_train_function(self, force: bool = False) -> None:
        """Accepted for compatibility; `force` forgets the compiled steps."""
        if force:
            self._runners.clear()
            self._put(_ready_prediction=None)

    make_test_function = make_predict_function = make_train_function

    def _feed(self, kind: str, data: tuple[Any, Any, Any], batch_size: int | None, what: str = "", **options: Any) -> Feed:
        fixed = getattr(self, "fixed_batch_size", None)
        return make_feed(*data, self._runner_for(kind), batch_size, fixed_batch=fixed, what=what, model=self, **options)

    def _logs(self, feed: Feed) -> dict[str, Any]:
        """The results so far; those of an overridden compute_metrics where it gives other names."""
        logs = self.get_metrics_result()
        return self._with_own(logs, feed.runner.results() if feed.runner is not None else {})

    def _with_own(self, logs: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
        return logs if not own or set(own) == set(logs) else dict(sorted(own.items()))

    # -- fit --------------------------------------------------------------------------------------------------
    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = "auto",
            callbacks: Any = None, validation_split: float = 0.0, validation_data: Any = None, shuffle: bool | str = True,
            class_weight: Mapping[Any, float] | None = None, sample_weight: Any = None, initial_epoch: int = 0,
            steps_per_epoch: int | None = None, validation_steps: int | None = None, validation_batch_size: int | None = None,
            validation_freq: Any = 1) -> Any:
        """Train; the History of the run.

        x, y, sample_weight: arrays, eager tensors, or lists and dicts of them; or x alone: a generator or another iterable of (x, y) or
        (x, y, sample_weight) batches. Raises ValueError or TypeError for data that does not fit, before the first step where that can
        be known; after an error the weights are those of the last good step.
        """
        self._require_compiled()
        self._refuse_step_overrides()
        _check_counts(epochs=epochs, initial_epoch=initial_epoch)
        _check_steps(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        if x is None:
            raise ValueError("fit() needs data: `x` is None")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = train_validation_split(x, y, sample_weight, validation_split)
        feed = self._feed("train", (x, y, sample_weight), batch_size, shuffle=shuffle, class_weight=class_weight)
        validation = None
        if validation_data is not None:
            held = unpack_x_y_sample_weight(validation_data) \
                if isinstance(validation_data, (tuple, list)) else (validation_data, None, None)
            try:
                validation = self._feed("test", held, validation_batch_size or batch_size, "validation_data: ")
            except (ValueError, TypeError) as error:
                error.add_note("raised for `validation_data`, which is to be (x, y), (x, y, sample_weight) or a source of such batches")
                raise
        most = _fewest(steps_per_epoch, config.max_steps_per_epoch())
        _check_end(feed, most, "x", "steps_per_epoch")
        if validation is not None:
            _check_end(validation, _fewest(validation_steps, config.max_steps_per_epoch()), "validation_data", "validation_steps")
        epochs = min(epochs, config.max_epochs() or epochs)
        self._put(stop_training=False)
        hooks = self._callbacks(callbacks, verbose, epochs=epochs, steps=most or feed.num_batches, add_history=True)
        run = Run(self, feed)
        self._put(_current_fit=run)
        hooks.on_train_begin()
        initial_epoch = run.first_epoch(initial_epoch)
        logs: dict[str, Any] = {}
        for epoch in range(initial_epoch, epochs):
            first = run.begin_epoch()
            if not feed.has_next():
                if epoch == initial_epoch:
                    raise ValueError("fit() was given no data: the source yields no batch")
                warn_out_of_data()
                break
            hooks.on_epoch_begin(epoch)
            done = run_steps("train", self, feed, hooks, most, lambda: self._logs(feed), self.steps_per_execution, first)
            feed.end_epoch()
            if steps_per_epoch is None:
                feed.rewind()
            run.end_epoch(done)
            logs = self._logs(feed)
            if validation is not None and _is_due(validation_freq, epoch):
                found = self._evaluated(validation, hooks, validation_steps)
                logs = dict(sorted({**logs, **{f"val_{name}": value for name, value in found.items()}}.items()))
            hooks.on_epoch_end(epoch, dict(logs))  # callbacks may add to theirs; those of on_train_end stay as measured
            if self.stop_training:
                break
        if epochs > 0:
            self.optimizer.finalize_variable_values(self.trainable_variables)  # type: ignore[attr-defined]
        hooks.on_train_end(logs)
        return self.history

    stop_training: bool
    steps_per_execution: int
    _current_fit: Run

    def _callbacks(self, callbacks: Any, verbose: Any, add_history: bool = False, **params: Any) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"`verbose` must be 'auto', 0, 1 or 2, received {verbose!r}")
        return CallbackList(callbacks, add_history=add_history, add_progbar=verbose != 0, model=self, verbose=verbose, **params)

    # -- evaluate ---------------------------------------------------------------------------------------------
    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: Any = "auto", sample_weight: Any = None,
                 steps: int | None = None, callbacks: Any = None, return_dict: bool = False, **kwargs: Any) -> Any:
        """The loss and metrics on data: a number, a list (the loss first), or with return_dict a dict. Data and errors as in fit."""
        self._require_compiled()
        self._refuse_step_overrides()
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        _check_steps(steps=steps)
        feed = self._feed("test", (x, y, sample_weight), batch_size)
        _check_end(feed, _fewest(steps, config.max_steps_per_epoch()), "x", "steps")
        hooks = self._callbacks(callbacks, verbose, epochs=1, steps=steps or feed.num_batches)
        logs = self._evaluated(feed, hooks, steps)
        return logs if return_dict else self._results_in_order(logs)

    def _evaluated(self, feed: Feed, hooks: CallbackList, steps: int | None) -> dict[str, Any]:
        """Run a test pass over a feed."""
        self.reset_metrics()
        hooks.on_test_begin()
        feed.rewind()
        feed.start_epoch()
        limit = _fewest(steps, config.max_steps_per_epoch())
        if not run_steps("test", self, feed, hooks, limit, lambda: self._logs(feed), self.steps_per_execution):
            raise ValueError("there is no data to evaluate on: the source yields no batch. A generator can be gone through once; for "
                             "`validation_data` in several epochs, give arrays, an endless generator with `validation_steps`, or an "
                             "object whose iter() begins again")
        feed.end_epoch()
        logs = self._logs(feed)
        hooks.on_test_end(logs)
        return logs

    # -- predict ----------------------------------------------------------------------------------------------
    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None, callbacks: Any = None) -> Any:
        """The outputs for inputs, as numpy arrays in the structure of the model's outputs. Data as in fit, without labels."""
        self._refuse_step_overrides()
        _check_steps(steps=steps)
        feed = self._feed("predict", (x, None, None), batch_size)
        if isinstance(feed, ArrayFeed) and not feed.runner.has_rows:
            feed = BatchFeed(_slices(x, feed.batch, feed.batch_size), self._runner_for("predict"), count=feed.num_batches)
        _check_end(feed, _fewest(steps, config.max_steps_per_epoch()), "x", "steps")
        parts: list[dict[str, Array]] = []
        if not isinstance(feed, ArrayFeed):
            feed.keep_outputs = parts.append
        hooks = self._callbacks(callbacks, verbose, epochs=1, steps=steps or feed.num_batches)
        hooks.on_predict_begin()
        feed.start_epoch()
        limit = _fewest(steps, config.max_steps_per_epoch())
        done = run_steps("predict", self, feed, hooks, limit, lambda: {"outputs": self._last_outputs(feed, parts)},
                         self.steps_per_execution)
        feed.end_epoch()
        hooks.on_predict_end()
        if not done:
            raise ValueError("predict() was given no data: the source yields no batch")
        if isinstance(feed, ArrayFeed):
            rows = min(done * feed.batch_size, feed.batch.rows)
            arrays = {name: array[:rows] for name, array in feed.collected.items()}
        else:
            arrays = {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}
        return tree.map_structure(lambda name: arrays[name], feed.runner.step.outputs)

    def _last_outputs(self, feed: Feed, parts: list[dict[str, Array]]) -> Any:
        """The outputs of the last batch."""
        if isinstance(feed, ArrayFeed):
            stop = feed.position * feed.batch_size
            part = {name: array[stop - feed.batch_size:stop] for name, array in feed.collected.items()}
        else:
            part = parts[-1]
        return tree.map_structure(lambda name: part[name], feed.runner.step.outputs)

    # -- one batch --------------------------------------------------------------------------------------------
    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Mapping[Any, float] | None = None,
                       return_dict: bool = False) -> Any:
        """One training step; the loss and metrics of the batch, in the form in which evaluate() gives them."""
        self._require_compiled()
        self._refuse_step_overrides()
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Arguments `sample_weight` and `class_weight` cannot be specified at the same time. "
                                 f"Received: sample_weight={sample_weight}, class_weight={class_weight}")
            sample_weight = weights_of_classes(y, class_weight)
        return self._on_batch("train", x, y, sample_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and metrics of one batch; nothing is trained."""
        self._require_compiled()
        self._refuse_step_overrides()
        return self._on_batch("test", x, y, sample_weight, return_dict)

    def _on_batch(self, kind: str, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        batch = as_batch(x, y, sample_weight).dense()
        self._check_fixed_size(batch)
        runner = self._runner(kind, batch.spec)
        check_ranges(runner.step.ranges, batch.arrays)
        self.reset_metrics()
        runner.run(batch)
        logs = self._with_own(self.get_metrics_result(), runner.results())
        return logs if return_dict else self._results_in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as numpy arrays in the structure of the model's outputs."""
        ready = self._ready_prediction
        if ready is not None and ready.version == Structure.version and ready.takes(x):
            return ready(x)
        self._refuse_step_overrides()
        batch = as_batch(x).dense()
        self._check_fixed_size(batch)
        runner = self._runner("predict", batch.spec)
        check_ranges(runner.step.ranges, batch.arrays)
        outputs = runner.run(batch)
        if self._known_structure[0] == Structure.version:
            from ..executor import ready_prediction

            self._put(_ready_prediction=ready_prediction(runner, Structure.version, getattr(self, "fixed_batch_size", None)))
        return tree.map_structure(lambda name: outputs[name], runner.step.outputs)

    def _check_fixed_size(self, batch: Batch) -> None:
        fixed = getattr(self, "fixed_batch_size", None)
        if fixed is not None and batch.rows != fixed:
            raise ValueError(f"the model's Input has a fixed batch size of {fixed}, but a batch of {batch.rows} samples was given")


def _slices(x: Any, batch: Batch, size: int) -> list[Any]:
    return [(split_rows(x, start, min(start + size, batch.rows)),) for start in range(0, batch.rows, size)]


def _joined(name: str, arrays: list[Array]) -> Array:
    if not arrays[0].ndim:
        raise ValueError(f"output {name} of the model is a scalar, so that the outputs of batches cannot be put together: give every "
                         "output a first axis for the samples, or call predict_on_batch()")
    return np.concatenate(arrays)


def _fewest(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)


def _check_counts(**counts: Any) -> None:
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
            raise ValueError(f"`{name}` must be an integer of at least 0, received {count!r}")


def _check_end(feed: Feed, steps: int | None, title: str, argument: str) -> None:
    if feed.endless and steps is None:
        raise ValueError(f"`{title}` is an endless data set: a pass over it would never end. Say with `{argument}` how many batches to "
                         "take, or leave out repeat()")


def _check_steps(**counts: Any) -> None:
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1):
            raise ValueError(f"`{name}` must be a positive integer or None, received {count!r}")


def _is_due(validation_freq: Any, epoch: int) -> bool:
    if isinstance(validation_freq, int):
        return (epoch + 1) % validation_freq == 0
    return epoch + 1 in validation_freq

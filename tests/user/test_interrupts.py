"""An interrupt that comes while native code runs is raised as soon as Python goes on: what is done after a call has not been done then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.codegen.loop_frames import LoopFrames
from kcompile.codegen.runtime.pool import NativeCall

DATA = np.random.default_rng(0)
X, Y = DATA.standard_normal((64, 512), "float32"), DATA.integers(0, 10, 64)


def made() -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([layers.Input((512,)), layers.Dense(384, activation="relu"), layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


STEPS: dict[str, Callable[[Any], Any]] = {
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "fit": lambda model: model.fit(X, Y, batch_size=64, verbose=0),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("rows", [1, 64])
def test_predictions_after_an_interrupted_step_are_those_of_its_weights(step: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, twin = made(), made()
    STEPS[step](model)
    before = model.predict_on_batch(X[:rows])
    run = NativeCall.run

    def interrupted(self: NativeCall) -> None:
        run(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NativeCall, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            STEPS[step](model)
    after = model.predict_on_batch(X[:rows])
    assert not np.array_equal(after, before), "the step was done when the interrupt came"
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(after, twin.predict_on_batch(X[:rows]))


def test_a_loop_that_was_interrupted_while_it_took_over_frames_leaves_none_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made()
    wanted = model.predict(X, batch_size=16, verbose=0)
    kept: dict[str, LoopFrames] = {}
    run = LoopFrames.run

    def watched(self: LoopFrames, *arguments: Any) -> None:
        kept["frames"] = self
        run(self, *arguments)

    monkeypatch.setattr(LoopFrames, "run", watched)
    assert np.array_equal(model.predict(X, batch_size=16, verbose=0), wanted)
    frames = kept["frames"]
    words = frames._words

    class Interrupts(dict[str, Any]):
        def __setitem__(self, *_: Any) -> None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(frames, "_bound", Interrupts())
        with pytest.raises(KeyboardInterrupt):
            model.predict(X[::-1], batch_size=16, verbose=0)
    assert frames._words is not words
    assert np.array_equal(model.predict(X, batch_size=16, verbose=0), wanted)


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9}, "adam": {"amsgrad": True}, "adamax": {}, "nadam": {}, "rmsprop": {"momentum": 0.5, "centered": True},
    "adagrad": {}, "adadelta": {}, "lion": {}, "adamw": {"use_ema": True, "gradient_accumulation_steps": 2},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("at", [1, 4])
def test_an_optimizer_whose_slots_were_interrupted_makes_them_anew(name: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled() -> Any:
        model = made()
        model.compile(keras.optimizers.get({"class_name": name, "config": OPTIMIZERS[name]}), "mse")
        return model

    model, twin, targets = compiled(), compiled(), Y[:, None].repeat(10, 1)
    add, left = keras.optimizers.Optimizer.add_variable, [at]

    def interrupted(self: Any, *arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return add(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(keras.optimizers.Optimizer, "add_variable", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, targets, verbose=0)
    assert not model.optimizer.built
    assert model.train_on_batch(X, targets) == twin.train_on_batch(X, targets)
    np.testing.assert_array_equal(model.get_weights()[0], twin.get_weights()[0])
    assert [tuple(v.shape) for v in model.optimizer.variables] == [tuple(v.shape) for v in twin.optimizer.variables]


def test_a_layer_whose_build_was_interrupted_has_no_weight_twice() -> None:
    class Once(layers.Layer):  # type: ignore[misc]
        stops = True

        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(3,), name="scale")
            self.inner = layers.Dense(2)
            self.inner.build((None, 3))
            if self.stops:
                raise KeyboardInterrupt
            self.offset = self.add_weight(shape=(2,), name="offset")

        def call(self, x: Any) -> Any:
            return self.inner(x * self.scale) + self.offset

    layer = Once()
    with pytest.raises(KeyboardInterrupt):
        layer(X[:, :3])
    assert not layer.weights
    layer.stops = False
    layer(X[:, :3])
    assert [tuple(weight.shape) for weight in layer.weights] == [(3,), (2,), (3, 2), (2,)]


def test_metrics_that_could_not_be_matched_are_not_there_twice() -> None:
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", ["mse", None], metrics=[["mae"], ["mse"]])
    rows, labels = X[:, :4], X[:, :1]
    with pytest.raises(ValueError, match="output 'b' need labels"):
        model.fit(rows, [labels, None], verbose=0)
    model.fit(rows, [labels, labels], verbose=0)
    assert [metric.name for metric in model.metrics[1].metrics] == ["mae", "mse"]

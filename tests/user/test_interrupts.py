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

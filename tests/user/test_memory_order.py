"""Large weights lie in another order while they are trained; whoever looks at them, whenever, sees and changes what he always did.

Every test compares with the same training in which nobody looks before the end.
"""

from __future__ import annotations

import copy
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, memory_order, ops, optimizers
from kcompile.codegen.target import Target
from kcompile.tools.nan import NonFiniteError

ROWS, FEATURES, UNITS = 96, 260, 288
DATA = np.random.default_rng(0)
X, Y = DATA.standard_normal((ROWS, FEATURES), "float32"), DATA.standard_normal((ROWS, 3), "float32")


@pytest.fixture(autouse=True, scope="module")
def panels_on_every_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Target, "panel_columns", 32)
        patch.setenv("KCOMPILE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def perceptron(seed: int = 1, **options: Any) -> Any:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(UNITS, activation="tanh", name="large"),
                              layers.Dense(256, activation="tanh", name="second"), layers.Dense(3, name="small")])
    model.compile(optimizers.Adam(1e-3), "mse", **options)
    return model


def fit(model: Any, epochs: int = 2, callbacks: Any = None, batch_size: int = 32) -> None:
    model.fit(X, Y, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)


def is_in_panels(variable: Any) -> bool:
    return bool(variable._order.columns == 32)


def everything(model: Any) -> list[np.ndarray]:
    """Weights and slots."""
    return [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]


def assert_same(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def trained() -> list[np.ndarray]:
    """Two epochs in which nobody looks."""
    model = perceptron()
    fit(model)
    large = model.get_layer("large").kernel
    assert is_in_panels(large) and is_in_panels(model.get_layer("second").kernel) and not is_in_panels(model.get_layer("small").kernel)
    assert sum(is_in_panels(variable) for variable in model.optimizer.variables) == 4  # two slots of each
    return everything(model)


def kernel_of(model: Any) -> Any:
    return model.get_layer("large").kernel


LOOKS: dict[str, Callable[[Any, Path], Any]] = {
    "numpy": lambda model, folder: kernel_of(model).numpy(),
    "array": lambda model, folder: kernel_of(model).array,
    "asarray": lambda model, folder: np.asarray(kernel_of(model)),
    "value": lambda model, folder: kernel_of(model).value,
    "row": lambda model, folder: kernel_of(model)[3],
    "operation": lambda model, folder: ops.sum(kernel_of(model)),
    "repr": lambda model, folder: repr(kernel_of(model)),
    "get_weights": lambda model, folder: model.get_weights(),
    "optimizer": lambda model, folder: [variable.numpy() for variable in model.optimizer.variables],
    "assign what is there": lambda model, folder: kernel_of(model).assign(kernel_of(model)),
    "set_weights": lambda model, folder: model.set_weights(model.get_weights()),
    "deepcopy": lambda model, folder: copy.deepcopy(kernel_of(model)),
    "pickle": lambda model, folder: pickle.dumps(kernel_of(model)),
    "evaluate": lambda model, folder: model.evaluate(X, Y, verbose=0),
    "predict": lambda model, folder: model.predict(X, verbose=0),
    "predict_on_batch": lambda model, folder: [model.predict_on_batch(X[:5]) for _ in range(3)],
    "predict_on_large_batch": lambda model, folder: [model.predict_on_batch(X) for _ in range(3)],
    "call": lambda model, folder: model(X[:4]),
    "save_weights": lambda model, folder: model.save_weights(folder / "w.weights.h5"),
    "save": lambda model, folder: model.save(folder / "m.keras"),
}


class EveryBatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Looks after every batch."""

    def __init__(self, look: Callable[[], Any]) -> None:
        super().__init__()
        self.look, self.count = look, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.look()
        self.count += 1


class EveryEpoch(EveryBatch):
    """Looks before and after every epoch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Not here."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.look()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.look()
        self.count += 1


@pytest.mark.parametrize("look", LOOKS)
def test_who_looks_changes_nothing(look: str, trained: list[np.ndarray], tmp_path: Path) -> None:
    for kind, times in ((EveryBatch, 6), (EveryEpoch, 2)):
        model = perceptron()
        callback = kind(lambda model=model: LOOKS[look](model, tmp_path))
        fit(model, callbacks=[callback])
        assert callback.count == times
        LOOKS[look](model, tmp_path)
        assert_same(everything(model), trained)


class Seen(keras.callbacks.Callback):  # type: ignore[misc]
    """What is there after every batch, in several ways."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[np.ndarray] = []
        self.results: list[list[np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.results.append([np.asarray(self.model(X[:8])), self.model.predict_on_batch(X[:8]), self.model.predict(X[:8], verbose=0)])
        self.kernels.append(kernel_of(self.model).numpy())


def test_what_is_seen_between_batches_is_what_training_so_far_makes() -> None:
    seen, model = Seen(), perceptron()
    fit(model, epochs=1, callbacks=[seen])
    other = perceptron()
    for number, (kernel, results) in enumerate(zip(seen.kernels, seen.results, strict=True)):
        start = 32 * number
        other.train_on_batch(X[start:start + 32], Y[start:start + 32])
        assert is_in_panels(kernel_of(other))
        np.testing.assert_array_equal(kernel, kernel_of(other).numpy())
        wanted = other.predict(X[:8], verbose=0)
        for result in results:
            np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(seen.kernels[0], seen.kernels[1])


def test_single_batches_and_whole_epochs(trained: list[np.ndarray]) -> None:
    model = perceptron()
    for start in range(0, ROWS, 32):
        model.train_on_batch(X[start:start + 32], Y[start:start + 32])
    fit(model, epochs=1)
    assert_same(everything(model), trained)
    model = perceptron()
    fit(model, epochs=1)
    for start in range(0, ROWS, 32):
        model.test_on_batch(X, Y)
        model.train_on_batch(X[start:start + 32], Y[start:start + 32])
    assert_same(everything(model), trained)


def test_batches_from_a_generator(trained: list[np.ndarray]) -> None:
    model = perceptron()

    def batches() -> Any:
        while True:
            for start in range(0, ROWS, 32):
                model.predict_on_batch(X[:2])
                yield X[start:start + 32], Y[start:start + 32]
    model.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0)
    assert_same(everything(model), trained)


def test_validation_within_fit(trained: list[np.ndarray]) -> None:
    model = perceptron()
    history = model.fit(X, Y, batch_size=32, epochs=2, shuffle=False, verbose=0, validation_data=(X, Y)).history
    assert_same(everything(model), trained)
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)


def test_assignments_are_seen(trained: list[np.ndarray]) -> None:
    start = perceptron().get_weights()
    model = perceptron(7)
    fit(model)
    changed = [np.zeros(variable.shape, variable.dtype) for variable in model.optimizer.variables[2:]]
    for variable, zeros in zip(model.optimizer.variables[2:], changed, strict=True):
        variable.assign(zeros)
    model.optimizer.iterations.assign(0)
    for variable, value in zip(model.weights, start, strict=True):
        variable.assign(value)
    fit(model)
    assert_same(model.get_weights(), trained[:6])


def test_assignments_between_batches() -> None:
    def halve(model: Any, through: Callable[[Any], None]) -> list[np.ndarray]:
        fit(model, callbacks=[EveryBatch(lambda: through(kernel_of(model)))])
        return everything(model)

    def in_place(variable: Any) -> None:
        variable.array[...] *= np.float32(0.5)
    wanted = halve(perceptron(), lambda variable: variable.assign(variable.numpy() * np.float32(0.5)))
    assert_same(halve(perceptron(), in_place), wanted)
    assert_same(halve(perceptron(), lambda variable: variable.assign_sub(variable.numpy() * np.float32(0.5))), wanted)


def test_what_was_read_stays_as_it_was() -> None:
    model = perceptron()
    fit(model, epochs=1)
    kernel = kernel_of(model)
    values = [kernel.numpy(), np.asarray(kernel), kernel.value, ops.convert_to_tensor(kernel), ops.convert_to_numpy(kernel),
              model.get_weights()[0], copy.deepcopy(kernel), keras.Variable(kernel), ops.reshape(kernel, (FEATURES, UNITS)), kernel[:]]
    wanted = np.array(values[0])
    fit(model, epochs=1)
    assert is_in_panels(kernel)
    for number, value in enumerate(values):
        np.testing.assert_array_equal(np.asarray(value), wanted, err_msg=str(number))
    assert not np.array_equal(kernel.numpy(), wanted)


def test_weights_in_files(tmp_path: Path, trained: list[np.ndarray]) -> None:
    model = perceptron()
    fit(model, epochs=1)
    model.save_weights(tmp_path / "one.weights.h5")
    model.save(tmp_path / "one.keras")
    fit(model, epochs=1)
    model.load_weights(tmp_path / "one.weights.h5")
    again = perceptron(9)
    fit(again, epochs=1)
    assert is_in_panels(kernel_of(again))
    again.load_weights(tmp_path / "one.weights.h5")
    assert_same(again.get_weights(), model.get_weights())
    loaded = keras.models.load_model(tmp_path / "one.keras")
    fit(loaded, epochs=1)
    assert_same(everything(loaded), trained)


def shared() -> tuple[Any, Any]:
    """Two models that share a large layer."""
    keras.utils.set_random_seed(3)
    large = layers.Dense(UNITS, activation="tanh", name="shared")
    x = keras.Input((FEATURES,))
    features = large(x)
    first = keras.Model(x, layers.Dense(3, name="a")(features))
    second = keras.Model(x, layers.Dense(3, name="b")(layers.Dense(256, name="c")(features)))
    first.compile(optimizers.SGD(0.01, momentum=0.9), "mse")
    second.compile(optimizers.Adam(1e-3), "mse")
    return first, second


def test_two_models_share_a_layer() -> None:
    results = []
    for looks in (False, True):
        first, second = shared()
        for start in range(0, ROWS, 32):
            batch = X[start:start + 32], Y[start:start + 32]
            for model in (first, second):
                model.train_on_batch(*batch)
                if looks:
                    first.get_weights(), second.predict_on_batch(X[:3])
        fit(first)
        fit(second)
        results.append([*everything(first), *everything(second)])
    assert_same(*results)


def test_a_model_that_trains_the_layer_and_one_that_uses_it_frozen() -> None:
    results = []
    for looks in (False, True):
        keras.utils.set_random_seed(3)
        table = layers.Dense(UNITS, name="shared")
        trains = keras.Sequential([keras.Input((FEATURES,)), table, layers.Dense(3)])
        trains.compile("adam", "mse")
        fit(trains, epochs=1)
        table.trainable = False
        uses = keras.Sequential([keras.Input((FEATURES,)), table, layers.Dense(256), layers.Dense(3)])
        uses.compile("adam", "mse")
        for start in range(0, ROWS, 32):
            uses.train_on_batch(X[start:start + 32], Y[start:start + 32])
            assert not is_in_panels(table.kernel)
            if looks:
                uses.get_weights()
        results.append([*everything(trains), *everything(uses)])
    assert_same(*results)


def test_a_clone_trains_alone(trained: list[np.ndarray]) -> None:
    model = perceptron()
    fit(model, epochs=1)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.compile("sgd", "mse")
    fit(clone, epochs=1)
    fit(model, epochs=1)
    assert_same(everything(model), trained)
    assert not np.array_equal(kernel_of(clone).numpy(), kernel_of(model).numpy())


@pytest.mark.parametrize("made", [copy.deepcopy, copy.copy, lambda variable: pickle.loads(pickle.dumps(variable))],
                         ids=["deepcopy", "copy", "pickle"])
def test_copies_of_a_variable_in_panels(made: Callable[[Any], Any]) -> None:
    model = perceptron()
    fit(model, epochs=1)
    kernel = kernel_of(model)
    assert is_in_panels(kernel)
    other = made(kernel)
    np.testing.assert_array_equal(other.numpy(), kernel.numpy())
    np.testing.assert_array_equal(other.numpy(), model.get_weights()[0])


def test_a_deep_copy_and_a_pickle_of_a_model_go_on_alike(trained: list[np.ndarray]) -> None:
    for made in (copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))):
        model = perceptron()
        fit(model, epochs=1)
        other = made(model)
        fit(other, epochs=1)
        assert_same(other.get_weights(), trained[:6])
        fit(model, epochs=1)
        assert_same(everything(model), trained)


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("back", [False, True])
def test_an_interrupted_copy(copied: bool, number: int, back: bool, trained: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    model = perceptron()
    fit(model, epochs=1)
    if not back:
        everything(model)  # row by row now
    real, calls = np.copyto, iter(range(1000))

    def interrupted(*args: Any) -> None:
        if next(calls) == number:
            if copied:
                real(*args)
            raise KeyboardInterrupt
        real(*args)
    with monkeypatch.context() as patch:
        patch.setattr(memory_order, "np", SimpleNamespace(**{**vars(np), "copyto": interrupted}))
        with pytest.raises(KeyboardInterrupt):
            everything(model) if back else fit(model, epochs=1)
        assert next(calls) == number + 1
    fit(model, epochs=1)
    assert_same(everything(model), trained)


def test_an_interrupted_copy_is_finished_by_who_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = perceptron()
    fit(model, epochs=1)
    wanted, kernel = everything(model), kernel_of(model)
    for copied in (False, True):
        real = np.copyto

        def interrupted(to: Any, source: Any, copied: bool = copied, real: Any = real) -> None:
            real(to[:5000], source[:5000])
            if copied:
                real(to, source)
            raise KeyboardInterrupt
        for order in (lambda: kernel.in_panels(32), kernel.numpy):
            with monkeypatch.context() as patch:
                patch.setattr(memory_order, "np", SimpleNamespace(**{**vars(np), "copyto": interrupted}))
                with pytest.raises(KeyboardInterrupt):
                    order()
            np.testing.assert_array_equal(kernel.array, wanted[0])
            kernel.in_panels(32)
            np.testing.assert_array_equal(kernel.array, wanted[0])
            if order != kernel.numpy:
                kernel.in_panels(32)
    assert_same(everything(model), wanted)


def test_an_interrupt_between_batches(trained: list[np.ndarray]) -> None:
    model = perceptron()

    def stop() -> None:
        raise KeyboardInterrupt
    for start in range(0, ROWS, 32):
        with pytest.raises(KeyboardInterrupt):
            model.fit(X[start:start + 32], Y[start:start + 32], batch_size=32, shuffle=False, verbose=0, callbacks=[EveryBatch(stop)])
    fit(model, epochs=1)
    assert_same(everything(model), trained)


def forked(work: Callable[[], bool]) -> int:
    """The exit status of a child that does this: 0 where it is right."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_goes_on_from_panels(trained: list[np.ndarray]) -> None:
    model = perceptron()
    fit(model, epochs=1)
    kernel = kernel_of(model)
    assert is_in_panels(kernel)

    def reads_and_trains() -> bool:
        before = kernel.numpy()
        fit(model, epochs=1)
        return not np.array_equal(before, trained[0]) and all(map(np.array_equal, everything(model), trained))

    assert forked(reads_and_trains) == 0
    assert is_in_panels(kernel)
    assert forked(lambda: (fit(model, epochs=1), all(map(np.array_equal, everything(model), trained)))[1]) == 0
    fit(model, epochs=1)
    assert_same(everything(model), trained)


def test_a_child_that_is_forked_while_a_thread_holds_the_memory() -> None:
    model = perceptron()
    fit(model, epochs=1)
    wanted = model.get_weights()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with memory_order.ORDER.lock:
            held.set()
            release.wait(60)
    kernel_of(model).in_panels(32)
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    try:
        assert forked(lambda: bool(np.array_equal(kernel_of(model).numpy(), wanted[0]))) == 0
    finally:
        release.set()
        thread.join(60)


def test_watched_training_is_the_same(trained: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    model = perceptron(debug="nan")
    fit(model)
    assert_same(everything(model), trained)
    monkeypatch.setenv("KCOMPILE_NAN", "1")
    model = perceptron()
    fit(model, epochs=1)
    for start in range(0, ROWS, 32):
        model.train_on_batch(X[start:start + 32], Y[start:start + 32])
    assert_same(everything(model), trained)


def test_a_step_that_makes_a_nan_is_taken_back(trained: list[np.ndarray]) -> None:
    model = perceptron(debug="nan")
    fit(model, epochs=1)
    bad = X.copy()
    bad[40, 7] = np.inf
    before = [weight.copy() for weight in everything(model)]
    with pytest.raises(NonFiniteError, match="'x' itself holds an infinity, sample 0 of the batch"):
        model.train_on_batch(bad[40:60], Y[40:60])
    after = everything(model)
    assert_same(after[:6], before[:6])
    fit(model, epochs=1)
    assert_same(everything(model), trained)


def test_fine_tuning_with_a_part_frozen() -> None:
    results = []
    for looks in (False, True):
        model = perceptron()
        fit(model, epochs=1)
        model.get_layer("large").trainable = False
        model.compile(optimizers.Adam(1e-3), "mse")
        if looks:
            model.get_weights()
        frozen = kernel_of(model).numpy() if looks else None
        fit(model, epochs=1)
        if frozen is not None:
            np.testing.assert_array_equal(kernel_of(model).numpy(), frozen)
        model.get_layer("large").trainable = True
        model.get_layer("second").trainable = False
        model.compile(optimizers.SGD(1e-3), "mse")
        if looks:
            everything(model)
        fit(model, epochs=1)
        results.append(everything(model))
    assert_same(*results)


def test_weights_as_data(trained: list[np.ndarray]) -> None:
    model = perceptron()
    fit(model, epochs=1)
    other = keras.Sequential([keras.Input((UNITS,)), layers.Dense(3)])
    kernel = kernel_of(model)
    wanted = other.predict(kernel.numpy(), verbose=0)
    kernel.in_panels(32)
    np.testing.assert_array_equal(other.predict(kernel, verbose=0), wanted)
    fit(model, epochs=1)
    assert_same(everything(model), trained)


def test_a_model_that_is_trained_on_its_own_weights() -> None:
    def own() -> Any:
        keras.utils.set_random_seed(4)
        model = keras.Sequential([keras.Input((256,)), layers.Dense(256, name="large")])
        model.compile(optimizers.SGD(0.0), "mse")
        return model
    losses = []
    for copied in (True, False):
        model = own()
        kernel = model.get_layer("large").kernel
        losses.append(model.fit(kernel.numpy() if copied else kernel, np.zeros((256, 256), "float32"), batch_size=64, shuffle=False,
                                verbose=0).history["loss"])
    assert losses[0] == losses[1]

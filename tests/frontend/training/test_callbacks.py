"""The callback protocol: which hooks are called, with what, and what they may do."""

import signal
import threading
import time

import numpy as np
import pytest

import kcompile as keras

from .models import classes, classifier, inputs, linear

X, Y = inputs(), classes()


class Recorder(keras.callbacks.Callback):
    """Writes down every call."""

    def __init__(self):
        super().__init__()
        self.calls = []


def _hook(name):
    def hook(self, *args, logs=None):
        *numbers, given = args if args and isinstance(args[-1], dict) else (*args, logs)
        self.calls.append((name, *numbers, sorted(given or {})))

    return hook


HOOKS = [f"on_{when}" for when in (
    "train_begin", "train_end", "epoch_begin", "epoch_end", "train_batch_begin", "train_batch_end", "test_begin", "test_end",
    "test_batch_begin", "test_batch_end", "predict_begin", "predict_end", "predict_batch_begin", "predict_batch_end")]
for _name in HOOKS:
    setattr(Recorder, _name, _hook(_name))


def test_order_of_calls():
    recorder = Recorder()
    classifier(metrics=["accuracy"]).fit(X, Y, batch_size=10, verbose=0, callbacks=[recorder], validation_data=(X, Y),
                                         validation_batch_size=20)
    results = ["accuracy", "loss"]
    assert recorder.calls == [
        ("on_train_begin", []), ("on_epoch_begin", 0, []),
        ("on_train_batch_begin", 0, []), ("on_train_batch_end", 0, results),
        ("on_train_batch_begin", 1, []), ("on_train_batch_end", 1, results),
        ("on_test_begin", []), ("on_test_batch_begin", 0, []), ("on_test_batch_end", 0, results), ("on_test_end", results),
        ("on_epoch_end", 0, [*results, "val_accuracy", "val_loss"]), ("on_train_end", [*results, "val_accuracy", "val_loss"])]


def test_predict_and_evaluate():
    recorder, model = Recorder(), classifier()
    model.predict(X, batch_size=10, verbose=0, callbacks=[recorder])
    assert [call[0] for call in recorder.calls] == [
        "on_predict_begin", *["on_predict_batch_begin", "on_predict_batch_end"] * 2, "on_predict_end"]
    assert recorder.calls[2][-1] == ["outputs"]
    model.evaluate(X, Y, verbose=0, callbacks=[recorder])
    assert recorder.calls[-1] == ("on_test_end", ["loss"])


def test_steps_per_execution():
    recorder = Recorder()
    classifier(steps_per_execution=2).fit(X, Y, batch_size=4, verbose=0, callbacks=[recorder])
    assert [call[:2] for call in recorder.calls if "batch" in call[0]] == [
        ("on_train_batch_begin", 0), ("on_train_batch_end", 1), ("on_train_batch_begin", 2), ("on_train_batch_end", 3),
        ("on_train_batch_begin", 4), ("on_train_batch_end", 4)]


def test_batch_logs_are_running_means_and_do_not_change_the_result():
    seen = []
    watched = classifier().fit(X, Y, batch_size=4, shuffle=False, verbose=0, callbacks=[
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))]).history
    assert len(seen) == 5 and watched["loss"] == [seen[-1]]
    assert watched == classifier().fit(X, Y, batch_size=4, shuffle=False, verbose=0).history


def test_stopping_in_the_middle_of_an_epoch():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 2

    model = classifier()
    history = model.fit(X, Y, batch_size=2, epochs=9, verbose=0, callbacks=[Stop()])
    assert history.epoch == [0] and int(model.optimizer.iterations) == 3


def long_run(model):
    model.fit(np.zeros((400_000, 4), "float32"), np.zeros((400_000, 1), "float32"), batch_size=1, epochs=10**6, verbose=0)


def test_a_flag_set_by_another_thread_acts():
    model = linear()
    model.train_on_batch(X, X[:, :1])
    timer = threading.Timer(0.2, lambda: setattr(model, "stop_training", True))
    timer.start()
    started = time.monotonic()
    long_run(model)
    assert time.monotonic() - started < 5


def test_an_interrupt_acts_and_training_can_go_on():
    model = linear()
    model.train_on_batch(X, X[:, :1])
    before = signal.setitimer(signal.ITIMER_REAL, 0)
    old = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            long_run(model)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
        signal.signal(signal.SIGALRM, old)
    assert np.isfinite(model.get_weights()[0]).all()
    model.fit(X, X[:, :1], verbose=0)


def test_early_stopping_restores_the_best_weights():
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.1 if epoch < 3 else -1.0

    seen = []
    stopping = keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    model = linear("sgd")
    history = model.fit(X, X[:, :1], batch_size=20, epochs=50, verbose=0, callbacks=[
        Spoil(), keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights())), stopping])
    best = int(np.argmin(history.history["loss"]))
    assert len(history.epoch) < 50 and stopping.best_epoch == best
    np.testing.assert_array_equal(model.get_weights()[0], seen[best][0])


def test_monitored_names():
    with pytest.warns(UserWarning, match="val_loss.*not available"):
        classifier().fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping()])
    classifier(metrics=["accuracy"]).fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("accuracy")])  # larger is better
    with pytest.raises(ValueError, match="mode='max'"):
        classifier().fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("learning_rate")])


def test_what_a_checkpoint_says_and_keeps(tmp_path, capsys):
    """The texts of Keras; without the number that tells which model is best, each is kept."""
    path = str(tmp_path / "best.keras")
    model = linear(keras.optimizers.SGD(0.0))
    best = keras.callbacks.ModelCheckpoint(path, "loss", verbose=1, save_best_only=True)
    loss = model.fit(X, X[:, :1], epochs=2, shuffle=False, verbose=0, callbacks=[best]).history["loss"][0]
    model.fit(X, X[:, :1], verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path, verbose=1)])
    assert capsys.readouterr().out.split("\n") == [
        "", f"Epoch 1: loss improved from None to {loss:.5f}, saving model to {path}", "", f"Epoch 1: finished saving model to {path}",
        "", f"Epoch 2: loss did not improve from {loss:.5f}",
        "", f"Epoch 1: saving model to {path}", "", f"Epoch 1: finished saving model to {path}", ""]
    unknown = tmp_path / "unknown.keras"
    with pytest.warns(UserWarning, match=r"^Can save best model only with val_loss available\.$"):
        model.fit(X, X[:, :1], verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(unknown, save_best_only=True)])
    assert keras.models.load_model(unknown).get_weights()[0].tolist() == model.get_weights()[0].tolist()


@pytest.mark.parametrize(("callback", "text"), [
    (keras.callbacks.EarlyStopping, "Early stopping conditioned on metric `val_loss` which is not available. Available metrics are: loss"),
    (keras.callbacks.ReduceLROnPlateau, "Learning rate reduction is conditioned on metric `val_loss` which is not available. "
     "Available metrics are: loss,learning_rate"),
])
def test_a_name_that_the_logs_have_not(callback, text):
    with pytest.warns(UserWarning) as told:
        classifier().fit(X, Y, verbose=0, callbacks=[callback()])
    assert [str(one.message).removesuffix(".") for one in told] == [text]


def test_schedulers_change_and_record_the_rate():
    for schedule in (lambda epoch: 0.1 / (epoch + 1), lambda epoch, rate: 0.1 / (epoch + 1)):
        history = classifier().fit(X, Y, epochs=3, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(schedule)]).history
        assert list(history) == ["loss", "learning_rate"]
        assert history["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3])
    with pytest.raises(TypeError, match="should be a float"):
        classifier().fit(X, Y, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: "fast")])


def test_terminate_on_nan(capsys):
    model = linear("sgd")
    x = X.copy()
    x[9] = np.nan
    history = model.fit(x, X[:, :1], batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert history.epoch == [0] and "Batch 2: Invalid loss" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="batch 2"):
        linear().fit(x, X[:, :1], batch_size=4, shuffle=False, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN(raise_error=True)])


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    model = classifier(metrics=["accuracy"])
    for append in (False, True):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[keras.callbacks.CSVLogger(path, append=append)], validation_data=(X, Y))
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,accuracy,loss,val_accuracy,val_loss" and [line.split(",")[0] for line in lines[1:]] == ["0", "1", "0", "1"]
    assert float(lines[-1].split(",")[2]) == model.history.history["loss"][-1]


def test_initial_epoch_and_history():
    model = classifier()
    history = model.fit(X, Y, epochs=5, initial_epoch=3, verbose=0)
    assert history is model.history and history.epoch == [3, 4] and history.params == {"verbose": 0, "epochs": 5, "steps": 1}
    assert model.fit(X, Y, epochs=0, verbose=0).history == {}

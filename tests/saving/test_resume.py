"""Training goes on, from every format, with the same bits as if it had not stopped."""

from __future__ import annotations

import numpy as np
import pytest
from saving_helpers import rows, small_model

import kcompile as keras


def histories_equal(one, other, x, y, **options):
    first = one.fit(x, y, batch_size=16, verbose=0, **options).history
    second = other.fit(x, y, batch_size=16, verbose=0, **options).history
    assert first == second
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_with_dropout_and_shuffling(name, tmp_path):
    x, y = rows()
    model = small_model()
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    model.save(tmp_path / name)
    loaded = keras.models.load_model(tmp_path / name)
    np.testing.assert_array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    histories_equal(model, loaded, x, y, epochs=3)


def test_seeding_after_a_load_wins(tmp_path):
    x, y = rows()
    model = small_model(dropout=0.0)
    model.save(tmp_path / "m.keras")
    runs = []
    for _ in range(2):
        loaded = keras.models.load_model(tmp_path / "m.keras")
        keras.utils.set_random_seed(9)
        runs.append(loaded.fit(x, y, batch_size=16, verbose=0).history)
    model.fit(x, y, batch_size=16, verbose=0)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["m.h5", "m.weights.h5"])
def test_older_formats_without_randomness(name, tmp_path):
    x, y = rows()
    model = small_model(dropout=0.0)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    if name.endswith("weights.h5"):
        model.save_weights(tmp_path / name)
        loaded = small_model(dropout=0.0, seed=5)
        loaded.load_weights(tmp_path / name)
    else:
        model.save(tmp_path / name)
        loaded = keras.models.load_model(tmp_path / name)
    histories_equal(model, loaded, x, y, epochs=2, shuffle=False)


def test_without_optimizer_and_without_compiling(tmp_path):
    x, y = rows()
    model = small_model()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "bare.keras", include_optimizer=False)
    assert not keras.models.load_model(tmp_path / "bare.keras").compiled
    model.save(tmp_path / "m.keras")
    assert not keras.models.load_model(tmp_path / "m.keras", compile=False).compiled
    with pytest.raises(FileExistsError, match="overwrite"):
        model.save(tmp_path / "m.keras", overwrite=False)


class StopAt(keras.callbacks.Callback):
    """Kills the run at a batch of an epoch, or at the beginning of one."""

    def __repr__(self):
        return f"epoch{self.epoch}" if self.batch is None else f"epoch{self.epoch}-batch{self.batch}"

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.epoch, self.batch, self.now = epoch, batch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch
        if (epoch, None) == (self.epoch, self.batch):
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, self.batch):
            raise KeyboardInterrupt


def interrupted(data, stop, backup, fit, folder):
    """(history of a whole run, of one that was killed and started again, and the backup folder's names after the kill)."""
    fit = {"batch_size": 16, "epochs": 4, "verbose": 0, **fit}
    whole = small_model()
    expected = whole.fit(*data(), **fit).history
    stopped = small_model()
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(*data(), callbacks=[keras.callbacks.BackupAndRestore(folder, **backup), stop], **fit)
    names = sorted(path.name for path in folder.iterdir())
    resumed = small_model(seed=77)
    found = resumed.fit(*data(), callbacks=[keras.callbacks.BackupAndRestore(folder, **backup)], **fit).history
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.array, b.array)
    return expected, found, names


def last(history, count):
    return {name: values[-count:] for name, values in history.items()}


@pytest.mark.parametrize(("stop", "backup", "fit", "left"), [
    (StopAt(2, 3), {}, {}, 2),  # in an epoch that is begun anew
    (StopAt(2, 3), {"save_freq": 3}, {}, 2),  # goes on in the middle: the logs are those of the whole epoch
    (StopAt(2, 3), {"save_freq": 1}, {"shuffle": "batch"}, 2),
    (StopAt(1, 1), {"save_freq": 2}, {"steps_per_epoch": 3}, 3),  # passes that do not end with epochs
    (StopAt(2), {}, {"steps_per_epoch": 5}, 2),  # the pass ends with the epoch
], ids=["epochs", "middle", "whole batches", "steps_per_epoch", "steps of a pass"])
def test_backup_goes_on_after_an_interruption(stop, backup, fit, left, tmp_path):
    expected, found, _ = interrupted(rows, stop, backup, fit, tmp_path)
    assert found == last(expected, left)
    assert list(tmp_path.iterdir()) == []  # a run that has come to its end needs no backup


def test_backup_with_batches_of_a_data_set(tmp_path):
    class Batches:
        def __iter__(self):
            x, y = rows()
            return iter([(x[n:n + 16], y[n:n + 16]) for n in range(0, 70, 16)])

    def batches():
        return (Batches(),)

    expected, found, _ = interrupted(batches, StopAt(1, 2), {"save_freq": 2}, {"batch_size": None}, tmp_path)
    assert found == last(expected, 3)


def test_backup_options(tmp_path):
    x, y = rows()
    callback = keras.callbacks.BackupAndRestore
    expected, _, names = interrupted(rows, StopAt(3), {"double_checkpoint": True, "delete_checkpoint": False}, {}, tmp_path / "b")
    assert names == ["latest.backup", "latest.backup.previous"]
    (tmp_path / "b" / "latest.backup").write_bytes(b"damaged")
    again = small_model(seed=78)
    with pytest.warns(UserWarning, match="the one before"):
        found = again.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[callback(tmp_path / "b", delete_checkpoint=False)]).history
    assert found == last(expected, 1)
    other = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3)])
    other.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="does not fit"):
        other.fit(x, y, verbose=0, callbacks=[callback(tmp_path / "b")])
    for wrong in (0, -1, "batch", 2.5, True):
        with pytest.raises(ValueError, match="save_freq"):
            callback(tmp_path, save_freq=wrong)
    with pytest.raises(ValueError, match="Empty"):
        callback("")


def test_saving_after_epochs_leaves_the_loop_native(tmp_path):
    from kcompile.callbacks import CallbackList

    kept = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras")
    assert not CallbackList([kept, keras.callbacks.BackupAndRestore(tmp_path)]).wants_batches("train")
    assert CallbackList([keras.callbacks.BackupAndRestore(tmp_path, save_freq=5)]).wants_batches("train")


def test_checkpoints(tmp_path):
    x, y = rows()
    model = small_model()
    checkpoint = keras.callbacks.ModelCheckpoint
    kept = [checkpoint(tmp_path / "e{epoch:02d}-{loss:.1f}.keras"),
            checkpoint(tmp_path / "w" / "{epoch}.weights.h5", save_weights_only=True),
            checkpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True, mode="min"),
            checkpoint(tmp_path / "never.keras", monitor="loss", save_best_only=True, mode="min", initial_value_threshold=-1.0),
            checkpoint(tmp_path / "b{epoch}-{batch}.keras", save_freq=3)]
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=kept).history
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == sorted(["b1-3.keras", "b2-1.keras", "b2-4.keras", "best.keras", "w/1.weights.h5", "w/2.weights.h5",
                            *(f"e{n + 1:02d}-{history['loss'][n]:.1f}.keras" for n in range(2))])
    last = keras.models.load_model(tmp_path / f"e02-{history['loss'][1]:.1f}.keras")
    np.testing.assert_array_equal(last.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="must end in"):
        checkpoint("weights.keras", save_weights_only=True)
    with pytest.raises(KeyError, match="names 'val_acc'"):
        small_model().fit(x, y, verbose=0, callbacks=[checkpoint(tmp_path / "{val_acc}.keras")])

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


def test_keras_with_dropout_and_shuffling(tmp_path):
    x, y = rows()
    model = small_model()
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
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


def test_backup_goes_on_after_an_interruption(tmp_path):
    x, y = rows()

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = small_model()
    expected = whole.fit(x, y, batch_size=16, epochs=4, verbose=0).history
    stopped = small_model()
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "b"), Stop()])
    resumed = small_model(seed=77)
    found = resumed.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "b")]).history
    assert found == {name: values[2:] for name, values in expected.items()}
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert list((tmp_path / "b").iterdir()) == []  # a run that has come to its end needs no backup


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

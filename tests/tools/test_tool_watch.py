"""--fail-if, KCOMPILE_DUMP and KCOMPILE_NAN."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.compiler import LISTENERS, STAGE_NAMES
from kcompile.inspection import TargetError
from kcompile.tools.limits import UNITS, Record, parse_limits, passed_limits
from kcompile.tools.nan import NonFiniteError

PROGRAM = """
import numpy as np
import kcompile as keras
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)], name="net")
model.compile("sgd", "mse")
x = np.ones((8, 4), "float32")
model.fit(x, x[:, :1], verbose=0)
model.fit(x, x[:, :1], verbose=0)
{more}
"""
AGAIN = "model.fit(x, x[:, :1], sample_weight=np.ones(8), verbose=0)"


# -- limits -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text, value", [("peak>512MB", 512 << 20), ("peak >= 1.5 KB", 1536), ("recompiles>0", 0), ("peak>100", 100)])
def test_limits_are_read(text, value):
    (limit,) = parse_limits([text])
    assert limit.value == value and not limit.fails(value - 1) and limit.fails(value + 1)
    assert limit.fails(value) == (limit.comparison == ">=")


@pytest.mark.parametrize("text", ["peak", "peak<3", "speed>3", "recompiles>1MB", "peak>1TB", "", "peak>>1"])
def test_what_is_no_limit(text):
    with pytest.raises(TargetError, match="--fail-if"):
        parse_limits([text])


def test_only_what_is_passed_is_told():
    limits = parse_limits(["peak>1KB", "recompiles>0"])
    assert passed_limits(limits, {"peak": 2048, "recompiles": 0}) == ["fail-if peak>1KB: peak 2048 (2.0 KB)"]
    assert UNITS["KB"] == 1024


@pytest.mark.parametrize("more, limit, code", [
    ("", "recompiles>0", 0), (AGAIN, "recompiles>0", 1), ("raise SystemExit(3)", "peak>100B", 3)])
def test_a_program(command, tmp_path, more, limit, code):
    (tmp_path / "program.py").write_text(PROGRAM.format(more=more))
    done = command("run", "--fail-if", limit, "program.py")
    assert done.returncode == code, done.stderr
    assert (f"fail-if {limit}: " in done.stderr) == (code == 1)


def test_peak_of_what_ran():
    record = Record()
    LISTENERS.append(record.listen)
    try:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="net")
        model.predict(np.ones((8, 4), "float32"), batch_size=4, verbose=0)
    finally:
        LISTENERS.remove(record.listen)
    assert record.found() == {"recompiles": 0, "peak": model.memory_plan(4, "predict").peak}


def test_memory_against_a_limit(cli):
    assert cli("memory", "net.py:build", "--fail-if", "peak>1GB")[0] == 0
    code, out, _ = cli("memory", "net.py:build", "--fail-if", "peak>1KB")
    assert code == 1 and out.splitlines()[-1].startswith("fail-if peak>1KB: peak ")
    assert cli("memory", "net.py:build", "--fail-if", "recompiles>0")[0] == 2


# -- dumps --------------------------------------------------------------------------------------------------------
def test_dump(model, tmp_path, monkeypatch):
    monkeypatch.setenv("KCOMPILE_DUMP", str(tmp_path / "dump"))
    x = np.zeros((2, 6, 6, 1), "float32")
    model.predict(x, verbose=0)
    model.make_predict_function(force=True)
    model.predict(x, verbose=0)
    assert {p.name for p in (tmp_path / "dump").iterdir()} == {"net.predict", "net.predict.2"}
    files = sorted(p.name for p in (tmp_path / "dump" / "net.predict").iterdir())
    assert [name.split("-")[1].split(".")[0] for name in files] == list(STAGE_NAMES)
    text = (tmp_path / "dump" / "net.predict" / "02-simplified.kir").read_text()
    assert text.startswith("graph net.predict")


def test_dump_into_a_file(model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KCOMPILE_DUMP", str(tmp_path / "file"))
    with pytest.raises(NotADirectoryError, match="KCOMPILE_DUMP"):
        model.predict(np.zeros((2, 6, 6, 1), "float32"), verbose=0)


# -- NaN ----------------------------------------------------------------------------------------------------------
class Logarithm(keras.layers.Layer):
    def call(self, x):
        return keras.ops.log(x)


@pytest.fixture
def logarithm(monkeypatch):
    monkeypatch.setenv("KCOMPILE_NAN", "1")
    model = keras.Sequential([keras.Input((3,)), Logarithm(name="bad"), keras.layers.Dense(1, name="dense")], name="net")
    model.compile("sgd", "mse")
    return model


def _data(rows, value):
    x = np.full((rows, 3), 2.0, "float32")
    x[13, 1] = value
    return x, np.zeros((rows, 1), "float32")


@pytest.mark.parametrize("value, what", [(-1.0, "NaN"), (0.0, "an infinity")])
def test_fit_names_layer_op_step_and_sample(logarithm, value, what):
    x, y = _data(32, value)
    with pytest.raises(NonFiniteError) as caught:
        logarithm.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    message = str(caught.value)
    assert message.startswith(f"step 1 of net.train: {what} first arose in layer net/bad, op log (")
    assert "test_tool_watch.py:" in message and "sample 5 of the batch (row 13 of the data), element [5, 1]" in message
    assert np.isfinite(logarithm.get_weights()[0]).all()


def test_shuffled_rows_are_those_of_the_data(logarithm):
    with pytest.raises(NonFiniteError, match=r"\(row 13 of the data\)"):
        logarithm.fit(*_data(32, -1.0), batch_size=8, verbose=0)


def test_predict_and_train_on_batch(logarithm):
    x, y = _data(16, -1.0)
    with pytest.raises(NonFiniteError, match=r"net\.predict: NaN.* op log .*sample 5 .*output y_pred"):
        logarithm.predict(x, batch_size=8, verbose=0)
    with pytest.raises(NonFiniteError, match=r"step 0 of net\.train.*sample 13 of the batch"):
        logarithm.train_on_batch(x, y)


def test_data_that_is_not_finite_is_named_itself(logarithm):
    with pytest.raises(NonFiniteError, match=r"param 'x' itself holds NaN, sample 5 of the batch \(row 13 of the data\)"):
        logarithm.fit(*_data(32, np.nan), batch_size=8, shuffle=False, verbose=0)


def test_the_same_training_without_a_nan(logarithm, monkeypatch):
    x, y = _data(32, 3.0)
    weights = logarithm.get_weights()
    logarithm.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    watched = logarithm.get_weights()
    monkeypatch.delenv("KCOMPILE_NAN")
    logarithm.set_weights(weights)
    logarithm.make_train_function(force=True)
    logarithm.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(watched, logarithm.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_asked_for_at_compile(monkeypatch):
    monkeypatch.delenv("KCOMPILE_NAN", raising=False)
    model = keras.Sequential([keras.Input((3,)), Logarithm(name="bad"), keras.layers.Dense(1, name="dense")], name="net")
    model.compile("sgd", "mse", debug="nan")
    with pytest.raises(NonFiniteError, match=r"step 1 of net\.train: NaN first arose in layer net/bad, op log .*row 13 of the data"):
        model.fit(*_data(32, -1.0), batch_size=8, shuffle=False, verbose=0)
    model.compile("sgd", "mse")
    assert np.isnan(model.fit(*_data(32, -1.0), batch_size=8, shuffle=False, verbose=0).history["loss"][0])
    with pytest.raises(ValueError, match="`debug` must be None or 'nan', received 'inf'"):
        model.compile("sgd", "mse", debug="inf")

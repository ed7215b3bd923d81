"""`verify`: passes on a right model, names the layer of whatever is wrong, leaves the model as it was."""

import json

import numpy as np
import pytest

import kcompile as keras
from kcompile.tools import verify as tool


@pytest.mark.parametrize("step", ["train", "predict"])
def test_a_right_model_passes(model, step):
    before = [v.numpy() for v in model.variables]
    found = model.verify(step=step)
    assert found.passed and str(found).startswith(f"net.{step} at batch 5: passed")
    assert {c.what for c in found.of("op")} >= {"conv", "window_max", "dot", "exp"}
    assert len(found.of("gradient")) == (4 if step == "train" else 0)
    assert {c.layer for c in found.of("gradient")} == ({w.path for w in model.trainable_variables} if step == "train" else set())
    for was, now in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(was, now.numpy())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_passes(policy):
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(4, 3, activation="gelu", dtype=policy), layers.Flatten(dtype=policy),
                              layers.LayerNormalization(dtype=policy), layers.Dense(3, dtype=policy),
                              layers.Activation("softmax", dtype="float32")])
    model.compile("sgd", "categorical_crossentropy")
    found = model.verify()
    assert found.passed, found
    assert max(c.allowed for c in found.of("op")) > 1e-3 > min(c.allowed for c in found.of("op"))


def test_a_table_and_moving_statistics_pass():
    layers = keras.layers
    ids = keras.Input((7,), dtype="int32")
    x = layers.BatchNormalization()(layers.GlobalMaxPooling1D()(layers.Embedding(50, 8)(ids)))
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    found = model.verify()
    assert found.passed, found
    assert "scatter_add" in {c.what for c in found.of("op")}


def _break(monkeypatch, which, share=0.02):
    """Native results with one array changed by a share (a fiftieth) of its size."""
    run = tool.run_native

    def broken(program, *arguments):
        outputs, after = run(program, *arguments)
        for name in outputs:
            if which(program, name):
                outputs[name] = outputs[name] + np.float32(share) * np.abs(outputs[name]).max()
        return outputs, after
    monkeypatch.setattr(tool, "run_native", broken)


def test_a_wrong_op_fails_and_names_its_layer(model, monkeypatch):
    from kcompile.inspection import step_graph
    from kcompile.ir.passes.differentiate import differentiate
    from kcompile.ir.passes.simplify import simplify
    nodes = [n for n in simplify(differentiate(step_graph(model))).nodes() if n.op.name not in tool.SOURCES]
    place = next(n for n, node in enumerate(nodes) if node.op.name == "conv")
    _break(monkeypatch, lambda program, name: name == f"{place}.0")
    found = model.verify()
    assert not found.passed and "FAILED" in str(found)
    failed = [c for c in found.of("op") if not c.ok]
    assert ("net/conv", "conv") in {(c.layer, c.what) for c in failed}
    assert all(c.ok for c in found.of("gradient"))


def test_a_wrong_gradient_fails_and_names_its_weight(model, monkeypatch):
    _break(monkeypatch, lambda program, name: name == "gradient 2")
    found = model.verify()
    assert [c.layer for c in found.of("gradient") if not c.ok] == [model.trainable_variables[2].path]
    assert all(c.ok for c in found.of("op"))


def test_of_many_weights_the_wrong_gradient_is_found_among_its_neighbours(monkeypatch):
    layers = keras.layers
    model = keras.Sequential([keras.Input((6,)), *(layers.Dense(6, activation="tanh") for _ in range(8)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.trainable_variables) > tool.GROUPS and model.verify().passed
    _break(monkeypatch, lambda program, name: name == "gradient 7")
    found = model.verify()
    assert [c.layer for c in found.of("gradient") if not c.ok] == [model.trainable_variables[7].path]
    assert len(found.of("gradient")) == len(model.trainable_variables)


def test_a_step_is_held_to_how_well_conditioned_it_is(model, monkeypatch):
    """Of a plain model a whole step is held to parts in 100,000; where rows that are nearly equal are normalized, to what that leaves."""
    assert max(c.allowed for c in model.verify().of("step")) < 1e-4
    with monkeypatch.context() as broken:
        _break(broken, lambda program, name: name == "gradient 0", 3e-4)
        assert [c.what for c in model.verify().of("step") if not c.ok] == ["gradient 0"]
    layers = keras.layers
    flat = keras.Sequential([keras.Input((4,)), layers.Dense(8, kernel_initializer=keras.initializers.RandomNormal(0, 1e-4),
                             bias_initializer="ones"), layers.LayerNormalization(epsilon=1e-12), layers.Dense(1)])
    found = flat.verify(step="predict")
    assert found.passed and max(c.allowed for c in found.of("step")) > 1e-4, found


@pytest.mark.parametrize("native, reference, error", [
    ([1.0, np.nan], [1.0, np.nan], 0.0), ([1.0, np.inf], [1.0, np.inf], 0.0), ([1.0, 2.0], [1.0, np.nan], np.inf),
    ([1.0, np.inf], [1.0, -np.inf], np.inf), ([1.0, 3.0], [1.0, 4.0], 0.25), ([np.inf], [1e300], 0.0), ([], [], 0.0),
])
def test_error(native, reference, error):
    reference = np.array(reference, np.float64)
    with np.errstate(over="ignore"):
        assert tool._error(np.array(native, np.float32), reference, reference) == error


def test_terms_of_the_longest_sum():
    from kcompile.ir import build
    from kcompile.ir.graph import Graph
    from kcompile.ir.types import parse_type
    graph = Graph("g")
    x = build.param(graph, "x", parse_type("f64[4, 5, 6]"))
    w = build.param(graph, "w", parse_type("f64[3, 6, 2]"))
    arrays = {"x": np.zeros((4, 5, 6)), "w": np.zeros((3, 6, 2))}
    total = build.reduce_sum(x, (0, 1)).node
    conv = build.conv(x, w, strides=(1,), dilation=(1,), groups=1).node
    assert tool._terms(total, [arrays["x"]], {}) == 20
    assert tool._terms(conv, [arrays["x"], arrays["w"]], {}) == 18


def test_integers_are_exact():
    assert tool._error(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5]), np.array([1])) == 0.25


def test_command(cli):
    code, out, _ = cli("verify", "net.py:build", "--step", "predict", "--batch", "3", "--json")
    assert code == 0 and json.loads(out)["passed"] and json.loads(out)["batch"] == 3


def test_failure_is_exit_code_1(cli, monkeypatch):
    _break(monkeypatch, lambda program, name: name.startswith("output "))
    code, out, _ = cli("verify", "net.py:build", "--step", "predict")
    assert code == 1 and "FAILED" in out.splitlines()[0]


@pytest.mark.parametrize("arguments, part", [(("net.py:build", "--batch", "0"), "at least 1"), (("k.kir",), "needs a graph")])
def test_mistakes(cli, tmp_path, arguments, part):
    (tmp_path / "k.kir").write_text("kernel k0\n  axes i:B\n  read x: f32[B]\n  write y: f32[B]\n  store y[i] = exp(x[i])\n")
    code, out, err = cli("verify", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and part in err


def test_units_at_the_kink_of_a_relu_are_no_failure():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, activation="relu", kernel_initializer="zeros", name="zero"),
                              keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.verify().passed, str(model.verify())


def test_the_slope_of_what_cannot_matter_is_no_failure():
    """A bias before a normalization has a gradient of zero: what is left of it is roundings, with no slope to compare with."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(8, "tanh"),
                              keras.layers.Dense(1)])
    model.compile("sgd", "mse", loss_weights=1e3)
    found = model.verify()
    judged = [c.layer for c in found.of("gradient")]
    assert found.passed and judged == [v.path for n, v in enumerate(model.trainable_variables) if n != 1], str(found)
    assert max(c.allowed for c in found.of("step")) > 1.0

"""`kcompile show` and `model.show`: every stage of a model; every mistake is one line and exit code 2."""

import numpy as np
import pytest

import kcompile as keras
from kcompile.compiler import STAGE_NAMES
from kcompile.inspection import TargetError, show

PROGRAM = '''
import tensorflow as tf
from tensorflow.keras import layers

print("this goes to stderr")

def build():
    model = tf.keras.Sequential([layers.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")], name="net")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def of_size(units):
    return build()

def of_nothing():
    return 3

model = build()
uncompiled = tf.keras.Sequential([layers.Input((6,)), layers.Dense(8)])
unbuilt = tf.keras.Sequential([layers.Dense(8)])
any_size = tf.keras.Sequential([layers.Input((None, None, 3)), layers.Conv2D(4, 3)])
number = 3
'''


@pytest.fixture
def program(tmp_path):
    (tmp_path / "net.py").write_text(PROGRAM)
    return tmp_path


def model(compiled=True):
    made = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)], name="net")
    if compiled:
        made.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


MARKS = {
    "traced": "graph net.train", "differentiated": "graph net.train", "simplified": "graph net.train", "filtered": "graph net.train",
    "described": "program", "fused": "program", "planned": "program", "loops": "nest", "scheduled": "nest", "llvm": "define",
    "assembly": "ret",
}


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_every_stage_of_every_step(stage):
    assert set(MARKS) == set(STAGE_NAMES)
    texts = {step: show(model(), stage, step) for step in ("train", "test", "predict")}
    for step, text in texts.items():
        assert MARKS[stage].replace("train", step) in text
        assert not text.endswith("\n")
    assert len(set(texts.values())) == 3


def test_the_step_is_train_when_compiled_else_predict():
    assert show(model(), "traced").startswith("graph net.train")
    assert show(model(compiled=False), "traced").startswith("graph net.predict")


def test_names_and_locations():
    net = model()
    plain, unnamed, located = show(net), show(net, names=False), show(net, locations=True)
    assert net.layers[0].name in plain and "test_cli_show.py" not in plain
    assert net.layers[0].name not in unnamed
    assert f"# net/{net.layers[0].name} " in located and "test_cli_show.py:" in located


def test_model_show_prints(capsys):
    net = model()
    net.show("traced", step="predict")
    assert capsys.readouterr().out == show(net, "traced", "predict") + "\n"
    net.show()
    assert capsys.readouterr().out.startswith("graph net.train")


def test_showing_changes_nothing():
    net = model()
    before = [w.numpy() for w in net.weights]
    net.show("planned")
    for was, now in zip(before, net.weights, strict=True):
        np.testing.assert_array_equal(was, now.numpy())
    assert net.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize("arguments, text", [
    (("model", "--stage", "traced"), "graph net.train"),
    (("model", "--stage", "simplified", "--step", "predict"), "graph net.predict"),
    (("build", "--stage", "planned", "--step", "test"), "program"),
    (("uncompiled",), "graph sequential"),
    (("model", "--stage", "scheduled"), "vectorize"),
])
def test_command(command, program, arguments, text):
    done = command("show", f"net.py:{arguments[0]}", *arguments[1:])
    assert done.returncode == 0, done.stderr
    assert text in done.stdout
    assert "this goes to stderr" not in done.stdout and "this goes to stderr" in done.stderr


@pytest.mark.parametrize("arguments, parts", [
    (("nowhere.py:model",), ["no such file: nowhere.py"]),
    (("net.py",), ["net.py defines the models model, uncompiled, unbuilt, any_size: name one, as net.py:model"]),
    (("empty.py",), ["empty.py defines no model, nor a function that builds one"]),
    (("builder.py",), ["builder.py defines no model, but build: name one, as builder.py:build"]),
    (("net.py:",), ["not a target", "file.py:name"]),
    (("net.txt",), ["not a target: 'net.txt'", "file.py:name", ".kir"]),
    (("net.py:modle",), ["net.py defines no 'modle'", "did you mean 'model'"]),
    (("net.py:elsewhere",), ["net.py defines no 'elsewhere'", "model, uncompiled, unbuilt, any_size"]),
    (("net.py:number",), ["net.py:number is a int", "expected a model"]),
    (("net.py:of_nothing",), ["net.py:of_nothing is a int", "expected a model"]),
    (("net.py:of_size",), ["wants the arguments units"]),
    (("net.py:model", "--stage", "simplifed"), ["unknown stage 'simplifed'", *STAGE_NAMES]),
    (("net.py:model", "--step", "fit"), ["unknown step 'fit'", "train, test, predict"]),
    (("net.py:uncompiled", "--step", "train"), ["train step", "model.compile()"]),
    (("net.py:unbuilt",), ["no weights yet", "model.build()"]),
    (("net.py:any_size",), ["predict step", "x has sizes that are not known", "(None, None, 3)"]),
    (("broken.py:model",), ["broken.py:2: "]),
    ((), ["required: target ("]),
    (("net.py:model", "--stages", "x", "--no-name"), ["unrecognized arguments: --stages x (see `kcompile show --help`)"]),
])
def test_mistakes_are_one_line(command, program, arguments, parts):
    (program / "broken.py").write_text("x = 1\nmodel = (\n")
    (program / "empty.py").write_text("")
    (program / "builder.py").write_text("def build():\n    return 1\n")
    done = command("show", *arguments)
    lines = [line for line in done.stderr.splitlines() if line != "this goes to stderr"]
    assert (done.returncode, done.stdout, len(lines)) == (2, "", 1), done.stderr
    assert lines[0].startswith("kcompile show: ")
    for part in parts:
        assert part in lines[0]


def test_the_only_model_of_a_file_needs_no_name(command, program):
    (program / "one.py").write_text("from net import model\n")
    named, alone = (command("show", target) for target in ("one.py:model", "one.py"))
    assert alone.returncode == 0 and alone.stdout == named.stdout


def test_an_option_that_cannot_be_used(command, program, monkeypatch):
    monkeypatch.setenv("KCOMPILE_TARGET", "pentium")
    done = command("show", "net.py:model", "--stage", "assembly")
    assert done.returncode == 2 and "KCOMPILE_TARGET='pentium': no target is called 'pentium'" in done.stderr.splitlines()[-1]


def test_mistakes_in_a_program_are_errors_of_the_same_kind():
    with pytest.raises(TargetError, match="unknown stage 'fuse'"):
        model().show("fuse")
    with pytest.raises(TargetError, match="unknown step 'fit'"):
        model().show(step="fit")
    with pytest.raises(TargetError, match=r"model\.compile\(\)"):
        model(compiled=False).show(step="train")


def test_a_pipe_that_closes_early_is_no_error(command, program):
    import subprocess
    import sys
    done = subprocess.run(f"{sys.executable} -m kcompile show net.py:model --stage llvm | head -1", shell=True, cwd=program, text=True,
                          capture_output=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == "this goes to stderr\n"


@pytest.mark.parametrize("what, entries", [
    ("ops", ["add", "dot", "conv", "reduce_sum"]),
    ("rules", ["multiply_by_one"]),
    ("stages", list(STAGE_NAMES)),
    ("options", ["KCOMPILE_THREADS", "KERAS_HOME"]),
])
def test_list(command, what, entries):
    done = command("list", what)
    assert (done.returncode, done.stderr) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line)
    assert set(entries) <= set(rows) and all(rows.values())


@pytest.mark.parametrize("arguments", [("list", "foo"), ("list",), ("lis",), ()])
def test_wrong_commands_are_one_line(command, arguments):
    done = command(*arguments)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1

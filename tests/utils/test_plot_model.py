"""model_to_dot and plot_model: boxes and arrows as Keras has them, files of all kinds, and errors that name the argument."""

import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.utils import model_to_dot, plot_model
from kcompile.utils.drawing import raster
from kcompile.utils.drawing.diagram import Box
from kcompile.utils.drawing.picture import Text


@pytest.fixture
def stack():
    return keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(8, 3, activation="relu", name="conv"), layers.Flatten(name="flat"),
        layers.Dense(10, activation="softmax", name="out", trainable=False)], name="stack")


@pytest.fixture
def net():
    """Two inputs through a shared Sequential, a residual branch, a nested model with two outputs, an operation."""
    inner = keras.Sequential([keras.Input((16,)), layers.Dense(16, name="e1"), layers.Dense(8, name="e2")], name="encoder")
    a, b, c = keras.Input((16,), name="a"), keras.Input((16,), name="b"), keras.Input((3,), name="c")
    xa, xb = inner(a), inner(b)
    joined, added = layers.Concatenate(name="cat")([xa, xb]), layers.Add(name="sum")([xa, xb])
    res = layers.Add(name="res")([layers.Dense(8, name="d")(joined), added])
    given = keras.Input((8,), name="fin")
    two = keras.Model(given, [layers.Dense(4, name="f1")(given), layers.Dense(4, name="f2")(given)], name="two")
    p, q = two(res)
    return keras.Model({"a": a, "b": b, "c": c}, [layers.Dense(1, name="o1")(layers.Concatenate(name="cc")([p, c])),
                                                  layers.Activation("relu", name="act")(q)], name="net")


def rows(box):
    return [[cell.text + cell.bold for cell in row] for row in box.rows]


def arrows(dot):
    return sorted((source.name, target.name) for source, target in dot.diagram.arrows)


def tree(group):
    return [child.name if isinstance(child, Box) else (child.title, tree(child)) for child in group.children]


def test_what_boxes_say(stack):
    boxes = {box.name: rows(box) for box in model_to_dot(stack, show_shapes=True, show_dtype=True, show_layer_activations=True,
                                                        show_trainable=True).diagram.root.boxes()}
    assert boxes == {
        "conv": [["conv (Conv2D)"], ["Activation: relu"],
                 ["Input shape: (None, 28, 28, 1)", "Output shape: (None, 26, 26, 8)", "Output dtype: float32", "Trainable"]],
        "flat": [["flat (Flatten)"], ["Input shape: (None, 26, 26, 8)", "Output shape: (None, 5408)", "Output dtype: float32"]],
        "out": [["out (Dense)"], ["Activation: softmax"],
                ["Input shape: (None, 5408)", "Output shape: (None, 10)", "Output dtype: float32", "Non-trainable"]]}
    assert [rows(box) for box in model_to_dot(stack, show_layer_names=False).diagram.root.boxes()] == [[["Conv2D"]], [["Flatten"]],
                                                                                                       [["Dense"]]]


def test_arrows(net):
    """Each pair once, as in Keras 3.15 for the same model."""
    assert arrows(model_to_dot(net)) == [
        ("a", "encoder"), ("b", "encoder"), ("c", "cc"), ("cat", "d"), ("cc", "o1"), ("d", "res"), ("encoder", "cat"), ("encoder", "sum"),
        ("res", "two"), ("sum", "res"), ("two", "act"), ("two", "cc")]


def test_nested_models_opened(net):
    dot = model_to_dot(net, expand_nested=True)
    assert ("encoder", ["e1", "e2"]) in tree(dot.diagram.root) and ("two", ["fin", "f1", "f2"]) in tree(dot.diagram.root)
    assert arrows(dot) == [
        ("a", "e1"), ("b", "e1"), ("c", "cc"), ("cat", "d"), ("cc", "o1"), ("d", "res"), ("e1", "e2"), ("e2", "cat"), ("e2", "sum"),
        ("f1", "cc"), ("f2", "act"), ("fin", "f1"), ("fin", "f2"), ("res", "fin"), ("sum", "res")]


def test_operations_and_structures():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, {"twice": keras.ops.multiply(x, 2.0), "same": layers.Identity(name="same")(x)}, name="m")
    outer = keras.Input((4,), name="y")
    dot = model_to_dot(keras.Model(outer, model(outer)), show_shapes=True, show_dtype=True)
    assert rows(dot.diagram.root.boxes()[1])[1][1:3] in (["Output shape: same: (None, 4), twice: (None, 4)",
                                                         "Output dtype: same: float32, twice: float32"],
                                                        ["Output shape: twice: (None, 4), same: (None, 4)",
                                                         "Output dtype: twice: float32, same: float32"])
    assert ("x", "multiply") in [(a, re.sub(r"_\d+", "", b)) for a, b in arrows(model_to_dot(model))]


def test_a_subclassed_model_is_one_box():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    model = Own()
    with pytest.raises(ValueError, match="model 'own' is not built"):
        model_to_dot(model)
    model(np.zeros((2, 4), "float32"))
    dot = model_to_dot(model, show_shapes=True, expand_nested=True)
    assert [box.name for box in dot.diagram.root.boxes()] == ["own"] and arrows(dot) == []


def test_shared_layers_in_rings(tmp_path):
    """A layer called on its own result, and two models that feed each other: drawn, with arrows that go up."""
    x = keras.Input((4,), name="x")
    again = layers.Dense(4, name="again")
    model = keras.Model(x, again(again(x)))
    assert arrows(model_to_dot(model)) == [("again", "again"), ("x", "again")]
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="i")], name="inner")
    ring = keras.Model(x, inner(layers.Dense(4, name="between")(inner(x))))
    for expand in (False, True):
        plot_model(ring, tmp_path / "ring.svg", expand_nested=expand)
        plot_model(model, tmp_path / "model.svg", expand_nested=expand)
    assert arrows(model_to_dot(ring, expand_nested=True)) == [("between", "i"), ("i", "between"), ("x", "i")]


def test_layer_range(stack):
    dot = model_to_dot(stack, layer_range=["conv", "flat"])
    assert [box.name for box in dot.diagram.root.boxes()] == ["conv", "flat"] and arrows(dot) == [("conv", "flat")]
    assert [box.name for box in model_to_dot(stack, layer_range=("fl.*", "out")).diagram.root.boxes()] == ["flat", "out"]


def test_dot_source(net):
    text = model_to_dot(net, expand_nested=True, rankdir="LR", dpi=96, show_shapes=True).to_string()
    assert text.startswith('digraph "net" {\n') and text.count("{") == text.count("}")
    assert "rankdir=LR;" in text and "dpi=96;" in text and 'label="encoder";' in text and text.count("subgraph") == 2
    assert text.count(" -> ") == 15 and "<b>(None, 16)</b>" in text
    assert text == str(model_to_dot(net, expand_nested=True, rankdir="LR", dpi=96, show_shapes=True))
    cluster = model_to_dot(net, subgraph=True).to_string()
    assert cluster.startswith('subgraph "cluster_net" {') and "style=dashed;" in cluster
    assert "&lt;" in model_to_dot(keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x, name="a<b")])).to_string()


def test_svg(net, tmp_path):
    plot_model(net, tmp_path / "net.svg", show_layer_names=True, expand_nested=True)
    root = ElementTree.parse(tmp_path / "net.svg").getroot()
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"a (InputLayer)", "encoder", "e1 (Dense)", "act (Activation)"} <= texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polygon"))) == 15
    assert model_to_dot(net)._repr_svg_().startswith("<svg ")


def test_pixels(stack, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    plot_model(stack, tmp_path / "a.png", show_shapes=True, dpi=72)
    plot_model(stack, str(tmp_path / "b.png"), show_shapes=True, dpi=144)
    small, large = image_module.open(tmp_path / "a.png"), image_module.open(tmp_path / "b.png")
    assert abs(large.size[0] - 2 * small.size[0]) <= 2 and small.size[1] > small.size[0] * 0.5
    colours = small.convert("RGB").getcolors(1 << 20)
    shares = {colour: count / (small.size[0] * small.size[1]) for count, colour in colours}
    assert shares[(255, 255, 255)] > 0.4 and 0.1 < shares[(0, 0, 0)] < 0.6
    for name in ("c.jpg", "c.gif", "c.pdf", "c.webp", "c"):
        plot_model(stack, tmp_path / name, dpi=40)
        assert (tmp_path / name).stat().st_size > 500
    assert image_module.open(tmp_path / "c").format == "PNG"
    plot_model(stack, tmp_path / "c.dot")
    assert (tmp_path / "c.dot").read_text().startswith('digraph "stack"')


def test_a_bold_i_keeps_its_dot():
    image_module, drawing = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageDraw")
    size, scale = 16, 4
    widths = {}
    for bold in (False, True):
        image = image_module.new("L", (400, 120), 255)
        raster._Pen(drawing.Draw(image), scale).draw(Text(2, 20, "i", size, bold, "black", raster.measure("i", size, bold)))
        left, top, right, bottom = image.point(lambda value: 255 * (value < 128)).getbbox()
        rows = [image.crop((left, row, right, row + 1)).getextrema()[0] < 128 for row in range(top, bottom)]
        assert not all(rows), "a gap below the dot"
        widths[bold] = right - left
    assert widths[True] > 1.2 * widths[False]
    assert raster.measure("ii", size, True) > raster.measure("ii", size, False)


def test_outputs_stand_in_their_order(tmp_path):
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(2, name="left")(x), layers.Dense(2, name="right")(x)])
    plot_model(model, tmp_path / "a.svg", show_layer_names=True)
    places = {name: float(place) for place, name in re.findall(r'<text x="([0-9.]+)"[^>]*>(left|right) ', (tmp_path / "a.svg").read_text())}
    assert places["left"] < places["right"]


def test_long_models_stay_within_what_viewers_take(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    model = keras.Sequential([keras.Input((2,)), *(layers.Identity() for _ in range(120))])
    plot_model(model, tmp_path / "long.png", dpi=600)
    size = image_module.open(tmp_path / "long.png").size
    assert max(size) <= 32_000 and size[0] * size[1] <= 60_000_000


def test_without_pillow(stack, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    plot_model(stack, tmp_path / "a.svg")
    with pytest.raises(ImportError, match=r"an \.svg file needs nothing\) needs Pillow.*kcompile\[images\]"):
        plot_model(stack, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_in_a_notebook(stack, tmp_path, monkeypatch):
    import types

    display = types.SimpleNamespace(SVG=lambda filename: ("svg", filename), Image=lambda filename: ("image", filename))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=display))
    assert plot_model(stack, tmp_path / "a.svg") == ("svg", str(tmp_path / "a.svg"))
    assert plot_model(stack, tmp_path / "a.dot") is None


@pytest.mark.parametrize(("arguments", "error", "word"), [
    ({"rankdir": "XY"}, ValueError, "`rankdir`"), ({"dpi": 0}, ValueError, "`dpi`"), ({"dpi": "high"}, ValueError, "`dpi`"),
    ({"splines": "zigzag"}, ValueError, "`splines`"), ({"layer_range": ["conv"]}, ValueError, "`layer_range`"),
    ({"layer_range": "conv"}, ValueError, "`layer_range`"), ({"layer_range": ["conv", "none"]}, ValueError, "no layer is called 'none'"),
    ({"show_shape": True}, TypeError, "unexpected arguments: show_shape"), ({"to_file": "x.abc"}, ValueError, "`to_file` must be svg, dot"),
])
def test_arguments(stack, tmp_path, monkeypatch, arguments, error, word):
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=word):
        plot_model(stack, **arguments)
    assert not list(tmp_path.iterdir())


def test_what_is_no_model(tmp_path):
    with pytest.raises(ValueError, match="`model` must be a keras Model, received Dense"):
        plot_model(layers.Dense(3))
    with pytest.raises(ValueError, match="is not built"):
        plot_model(keras.Sequential([layers.Dense(3)]))
    with pytest.raises(FileNotFoundError):
        plot_model(keras.Sequential([keras.Input((2,)), layers.Dense(3)]), tmp_path / "none" / "x.svg")

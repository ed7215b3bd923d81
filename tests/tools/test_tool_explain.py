"""`explain`: verdicts with their rows and reasons, where buffers lie, why loops are as they are."""

import json

import pytest

from kcompile.ir.fusion_table import TABLE


def test_two_layers_left_apart(cli):
    code, out, _ = cli("explain", "net.py:build", "fusion", "conv", "pool", "--step", "predict")
    assert code == 0 and out.startswith("conv and pool: in no kernel together\n"
                                        "apart: net/conv/maximum  ->  net/pool/window_max  (k0 to k1)\n       through t")
    assert "row 'reduction into heavy': the second reduction needs all of the first" in out


def test_two_ops_fused(cli):
    out = cli("explain", "net.py:build", "fusion", "conv/conv", "conv/add", "--step", "predict")[1]
    assert out.startswith("conv/conv and conv/add: together in k0\nfused: net/conv/conv  ->  net/conv/add  (in k0)")
    assert "applied while the result is in registers" in out
    out = cli("explain", "net.py:build", "fusion", "conv/conv", "maximum", "--step", "predict")[1]
    assert out.startswith("conv/conv and maximum: together in k0, each fused with what lies between them")


def test_the_way_between_two_that_do_not_meet(cli):
    out = cli("explain", "net.py:build", "fusion", "conv", "dense/dot", "--step", "predict")[1]
    assert "no kernel together; nothing goes from one straight to the other" in out
    assert out.index("net/conv/maximum") < out.index("net/pool/window_max") < out.index("net/dense/dot")


def test_values_that_go_both_ways_are_told_one_by_one(cli):
    """Of a train step: the activation forward, what its gradient needs back; each with its ops, not with the kernels' whole labels."""
    out = cli("explain", "net.py:build", "fusion", "pool", "conv", "--step", "train")[1]
    assert "net/conv/maximum  ->  net/pool/window_max  (k" in out and "net/pool/window_max  ->  net/conv/window_max_grad  (k" in out
    assert all(line.startswith(("apart: ", "fused: ", "       through ")) for line in out.splitlines()[1:])
    assert max(map(len, out.splitlines())) < 200
    values = json.loads(cli("explain", "net.py:build", "fusion", "pool", "conv", "--json")[1])["values"]
    assert {value["row"] for value in values} <= {row.name for row in TABLE} and {value["inside"] for value in values} >= {False}


def test_an_op_that_the_reader_took_over_is_told(cli, tmp_path):
    """The bias is added again in each kernel of the normalization: what is read from memory is the convolution's result."""
    (tmp_path / "norm.py").write_text(
        "import kcompile as keras\nfrom kcompile import layers\n"
        "net = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name='stem'), layers.BatchNormalization(name='norm'),\n"
        "                        layers.GlobalAveragePooling2D(), layers.Dense(2, name='head')], name='net')\n"
        "net.compile('sgd', 'mse')\n")
    out = cli("explain", "norm.py:net", "fusion", "stem", "norm")[1]
    assert "apart: net/stem/conv  ->  net/stem/add  (k" in out and "fused: net/stem/add  ->  net/norm/reduce_sum  (in k" in out


def test_a_layer_goes_before_an_op_of_that_name(cli, tmp_path):
    (tmp_path / "sum.py").write_text(
        "import kcompile as keras\nfrom kcompile import layers\n"
        "x = keras.Input((4,))\ny = layers.Dense(4, name='one')(x)\nz = layers.Dense(4, name='two')(x)\n"
        "net = keras.Model(x, layers.Add(name='add')([y, z]), name='net')\n")
    out = cli("explain", "sum.py:net", "fusion", "two", "add")[1]
    assert "net/two/add  ->  net/add/add" in out and "net/one/" not in out


def test_nothing_flows_between(cli, tmp_path):
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B]\n  %0 = exp(%x)\n  %1 = log(%x)\n  out a = %0\n  out b = %1\n}\n")
    assert "nothing flows" in cli("explain", "g.kir", "fusion", "exp", "log")[1]


def test_every_row_is_one_of_the_table(cli):
    data = json.loads(cli("explain", "net.py:build", "fusion", "--json")[1])
    assert {v["row"] for v in data["verdicts"]} <= {row.name for row in TABLE}
    assert {v["fused"] for v in data["verdicts"]} == {True, False} and data["kernels"]


def test_memory_of_a_layer(cli):
    out = cli("explain", "net.py:build", "memory", "conv", "--batch", "8")[1]
    assert "the variable's own array" in out and "arena, byte " in out and "made by net/conv/" in out
    assert "net/dense/dot" not in out


def test_schedule_gives_reasons(cli):
    out = cli("explain", "net.py:build", "schedule", "dense/dot", "--step", "predict", "--target", "avx2")[1]
    assert out.startswith("k") and "net/dense/dot" in out and "vectors along" in out and "4 lanes" in out  # three columns
    assert "threads share" in out and "step: tile(" in out


def test_layout_of_every_weight_and_who_reads_it_in_another_order(cli):
    out = cli("explain", "net.py:build", "layout", "--target", "avx512")[1]
    assert out.startswith("every array is row-major")
    assert "net/conv/kernel: f32[3, 3, 1, 4], weight; 4 side by side\n    read by k" in out
    data = json.loads(cli("explain", "net.py:build", "layout", "--target", "avx512", "--json")[1])
    uses = {entry["array"]: entry["uses"] for entry in data}
    assert {"x", "net/dense/kernel", "net/conv/bias"} <= set(uses)
    assert any(use["how"].startswith("packed") for found in uses.values() for use in found)
    assert {use["access"] for use in uses["net/dense/kernel"]} == {"read", "written"}


def test_layout_of_a_layer(cli):
    out = cli("explain", "net.py:build", "layout", "pool", "--step", "predict")[1]
    assert "2 arrays, 0 uses in another order" in out and "net/dense/kernel" not in out and out.count(": as it lies") == 4


def test_layout_of_a_matrix_in_panels(cli, tmp_path):
    (tmp_path / "wide.py").write_text("""import kcompile as keras

def build():
    model = keras.Sequential([keras.Input((512,)), keras.layers.Dense(256, name="wide")], name="net")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model
""")
    out = cli("explain", "wide.py:build", "layout", "--target", "avx512")[1]
    assert out.startswith("all arrays but 2 are row-major")
    assert "net/wide/kernel: f32[512, 256], weight; in panels: " in out and "; in memory [8, 512, 32], 32 side by side" in out
    assert "slot; in panels, as net/wide/kernel that it is updated with" in out
    data = json.loads(cli("explain", "wide.py:build", "layout", "--target", "avx512", "--json")[1])
    assert {entry["array"] for entry in data if entry["panels"] == 32} == {"net/wide/kernel", "sgd/net_wide_kernel_momentum"}
    assert cli("explain", "wide.py:build", "layout", "--target", "avx2")[1].startswith("every array is row-major")


def test_layout_of_a_copy(cli, tmp_path):
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B, 8, 3]\n  %0 = transpose(%x, perm=(0, 2, 1))\n  out y = %0\n}\n")
    assert "a copy in another order, made by transpose" in cli("explain", "g.kir", "layout", "--target", "avx512")[1]


@pytest.mark.parametrize("arguments, parts", [
    (("fuse",), ["'fuse'", "fusion, memory, schedule, layout"]),
    (("layout", "qqq"), ["'qqq'"]),
    (("fusion", "a", "b", "c"), ["takes two", "not 3"]),
    (("schedule", "a", "b"), ["takes one", "not 2"]),
    (("fusion", "dens"), ["'dens'", "did you mean 'dense'"]),
    (("fusion", "flat"), ["'flat'", "has no kernel", "computes nothing", "reshape"]),
    (("fusion", "drop", "dense", "--step", "predict"), ["layer 'drop' does nothing in this step", "--step"]),
    (("fusion", "conv", "maxpool"), ["'maxpool'", "did you mean"]),
    (("memory", "qqq"), ["'qqq'"]),
    (("schedule", "qqq"), ["'qqq'"]),
])
def test_mistakes(cli, arguments, parts):
    code, out, err = cli("explain", "net.py:build", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert all(part in err for part in ["kcompile explain: ", *parts]), err

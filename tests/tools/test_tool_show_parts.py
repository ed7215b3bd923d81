"""`show` of parts and of `.kir` texts, for any target, drawn as DOT; mistakes give one line and exit code 2."""

import pytest


def test_a_layer_of_a_graph(cli):
    code, out, _ = cli("show", "net.py:build", "--layer", "dense", "--locations")
    lines = out.splitlines()
    assert code == 0 and lines[0].startswith("graph net.train: ")
    assert any(" = dot(" in line for line in lines) and "state %net/dense/kernel: f32[16, 3]  # net/dense" in out
    assert all("net/dense" in line for line in lines[1:])


@pytest.mark.parametrize("stage", ["described", "fused", "planned", "scheduled", "llvm"])
def test_kernels_of_a_layer(cli, stage):
    whole, part = (cli("show", "net.py:build", "--stage", stage, "--step", "predict", *more)[1] for more in ([], ["--layer", "conv"]))
    assert 0 < len(part) < len(whole)
    if stage != "llvm":
        assert "net/conv" in part and '"net/dense/dot' not in part


def test_one_kernel(cli):
    code, out, _ = cli("show", "net.py:build", "--stage", "planned", "--kernel", "k1")
    assert code == 0 and out.count("  step ") == 1 and "  step 1" in out


def test_text_in_text_out(cli, tmp_path):
    for stage in ("simplified", "planned"):
        text = cli("show", "net.py:build", "--stage", stage, *(["--locations"] if stage == "simplified" else []))[1]
        (tmp_path / "net.kir").write_text(text)
        assert cli("show", "net.kir", "--stage", stage, *(["--locations"] if stage == "simplified" else []))[1] == text
        assert len(cli("show", "net.kir", "--stage", "loops")[1]) > 1000


def test_a_kernel_alone(cli, tmp_path):
    (tmp_path / "k.kir").write_text("kernel k0\n  axes i:B\n  read x: f32[B]\n  write y: f32[B]\n  store y[i] = exp(x[i])\n")
    assert "16 lanes" in cli("show", "k.kir", "--stage", "scheduled", "--target", "avx512")[1]
    assert "8 lanes" in cli("show", "k.kir", "--stage", "scheduled", "--target", "avx2")[1]


def test_a_batch_size(cli):
    out = cli("show", "net.py:build", "--batch", "16")[1]
    assert "param %x: f32[16, 6, 6, 1]" in out and "[B" not in out


@pytest.mark.parametrize("stage, parts", [("simplified", ["max", "n0 -> n"]), ("planned", ["net/conv/conv", "k0 [label="])])
def test_dot(cli, tmp_path, stage, parts):
    assert cli("show", "net.py:build", "--stage", stage, "--dot", "net.dot")[0] == 0
    text = (tmp_path / "net.dot").read_text()
    assert text.startswith("digraph") and text.endswith("}\n") and text.count("{") == text.count("}")
    assert all(part in text for part in parts)


@pytest.mark.parametrize("arguments, parts", [
    (("no.kir",), ["no such file: no.kir"]),
    (("bad.kir",), ["bad.kir:3:"]),
    (("net.py:build", "--layer", "dens"), ["'dens'", "did you mean 'dense'"]),
    (("net.py:build", "--stage", "planned", "--layer", "xyz"), ["'xyz'", "there are"]),
    (("net.py:build", "--stage", "planned", "--kernel", "k99"), ["'k99'", "k0 to k"]),
    (("net.py:build", "--kernel", "k1"), ["no kernels yet", "described"]),
    (("net.py:build", "--batch", "0"), ["at least 1"]),
    (("net.py:build", "--target", "vax"), ["'vax'", "avx512"]),
    (("net.py:build", "--stage", "loops", "--dot", "x"), ["cannot be drawn"]),
    (("net.py:build", "--dot", "no/x"), ["cannot write no/x"]),
    (("plan.kir", "--stage", "traced"), ["'planned'", "'traced' comes before"]),
    (("plan.kir", "--step", "test"), ["no other step"]),
    (("plan.kir", "--batch", "3"), ["graphs only"]),
])
def test_mistakes(cli, tmp_path, arguments, parts):
    (tmp_path / "bad.kir").write_text("graph g {\n  param %x: f32[B]\n  %0 = exq(%x)\n}\n")
    (tmp_path / "plan.kir").write_text("kernel k0\n  axes i:B\n  read x: f32[B]\n  write y: f32[B]\n  store y[i] = exp(x[i])\n")
    code, out, err = cli("show", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert all(part in err for part in ["kcompile show: ", *parts]), err


def test_a_graph_that_no_kernels_can_be_made_of_is_one_line(cli, tmp_path):
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B]\n  state %x': f32[B]  role=slot\n  %0 = add(%x, %x')\n  out y = %0\n}\n")
    assert cli("show", "g.kir")[0] == 0
    code, out, err = cli("show", "g.kir", "--stage", "planned")
    assert (code, out, err.count("\n")) == (2, "", 1) and "g.kir: two inputs of graph g are named 'x'" in err

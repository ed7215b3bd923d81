"""Misuse of an op is one TypeError that names the op, what it expected and what it was given."""

import pytest

from kcompile.ir import build
from kcompile.ir.graph import Graph
from kcompile.ir.op import OPS
from kcompile.ir.types import DTYPES, Dim, f32, i64, parse_type

PLAIN = {"strides": (1, 1), "dilation": (1, 1)}
CASES = [
    ("add", ["f32[2]", "f32[3]"], {}, ["f32[2] and f32[3]"]),
    ("add", ["f32[2]", "f64[2]"], {}, ["one type"]),
    ("add", ["f32[2]"], {}, ["2 operands", "given 1"]),
    ("tanh", ["i32[2]"], {}, ["f16, bf16, f32, f64", "i32[2]"]),
    ("logical_and", ["i32[2]", "i32[2]"], {}, ["bool"]),
    ("bit_and", ["f32[2]", "f32[2]"], {}, ["f32[2]"]),
    ("lt", ["bool[2]", "bool[2]"], {}, ["bool[2]"]),
    ("select", ["f32[2]", "f32[2]", "f32[2]"], {}, ["bool"]),
    ("select", ["bool[3]", "f32[2]", "f32[2]"], {}, ["[2]", "bool[3]"]),
    ("cast", ["f32[2]"], {"dtype": "float"}, ["element type"]),
    ("reshape", ["f32[B, 6]"], {"shape": (5,)}, ["6*B elements", "[5]"]),
    ("reshape", ["f32[6]"], {"shape": (-1,)}, ["(-1,)"]),
    ("transpose", ["f32[2, 3]"], {"perm": (0, 0)}, ["permutation", "(0, 0)"]),
    ("broadcast", ["f32[3]"], {"shape": (2, 4), "dims": (1,)}, ["[3]", "[2, 4]"]),
    ("broadcast", ["f32[2, 3]"], {"shape": (3, 2), "dims": (1, 0)}, ["increasing"]),
    ("slice", ["f32[5]"], {"starts": (1,), "stops": (6,), "strides": (1,)}, ["axis 0", "1 and 6"]),
    ("slice", ["f32[5]"], {"starts": (1,), "stops": (3,), "strides": (0,)}, ["strides"]),
    ("pad", ["f32[5]"], {"low": (-1,), "high": (0,), "value": 0.0}, ["(-1,)"]),
    ("concat", ["f32[2, 3]", "f32[3, 4]"], {"axis": 1}, ["axis 1", "f32[3, 4]"]),
    ("concat", [], {"axis": 0}, ["at least one operand"]),
    ("reverse", ["f32[2]"], {"axes": (1,)}, ["axis from 0 to 0"]),
    ("reduce_sum", ["f32[2]"], {"axes": (0, 0)}, ["distinct"]),
    ("reduce_max", ["bool[2]"], {"axes": (0,)}, ["bool[2]"]),
    ("argmax", ["f32[2]"], {"axis": 0, "dtype": f32}, ["integer"]),
    ("argmax", ["f32[0]"], {"axis": 0, "dtype": i64}, ["at least one element"]),
    ("dot", ["f32[B, 3]", "f32[4, 5]"], {"batch": ((), ()), "contract": ((1,), (0,))}, ["contracted", "f32[B, 3] and f32[4, 5]"]),
    ("conv", ["f32[B, 5, 5, 3]", "f32[3, 3, 4, 8]"], {**PLAIN, "groups": 1, "border": ()}, ["4 input channels"]),
    ("conv", ["f32[B, 2, 5, 3]", "f32[3, 3, 3, 8]"], {**PLAIN, "groups": 1, "border": ()}, ["at least 3", "given 2"]),
    ("conv", ["f32[B, 5, 5, 4]", "f32[3, 3, 2, 7]"], {**PLAIN, "groups": 2, "border": ()}, ["divisible by groups=2"]),
    ("conv_input_grad", ["f32[B, 3, 3, 8]", "f32[3, 3, 3, 8]"],
     {"input_spatial": (6, 5), "strides": (1, 1), "dilation": (1, 1), "groups": 1, "padding": ()}, ["[B, 4, 3, 8]", "f32[B, 3, 3, 8]"]),
    ("conv_filter_grad", ["f32[B, 6, 5, 3]", "f32[B, 3, 3, 8]"],
     {"kernel_spatial": (3, 3), "strides": (1, 1), "dilation": (1, 1), "groups": 1, "border": ()}, ["[B, 4, 3, 8]"]),
    ("window_max", ["f32[B, 1, 4, 3]"], {"window": (2, 2), "strides": (2, 2)}, ["at least 2"]),
    ("window_sum_grad", ["f32[B, 2, 2, 3]"], {"input_spatial": (6, 4), "window": (2, 2), "strides": (2, 2)}, ["[B, 3, 2, 3]"]),
    ("window_max_grad", ["f32[B, 4, 4, 3]", "f32[B, 2, 3, 3]", "f32[B, 2, 3, 3]"], {"window": (2, 2), "strides": (2, 2)}, ["[B, 2, 2, 3]"]),
    ("take", ["f32[3]", "f32[2]"], {"axis": 0}, ["integer indices"]),
    ("scatter_add", ["i32[B]", "f32[4, 2]"], {"size": 3}, ["begins with [B]"]),
    ("random_bits", ["u32[3]"], {"shape": (2,)}, ["u32[2]"]),
    ("constant", [], {"value": (1.0, 2.0), "type": parse_type("f32[3]")}, ["[3]", "[2]"]),
    ("constant", [], {"value": (0.0,) * 1025, "type": parse_type("f32[1025]")}, ["at most 1024", "f32[1025]"]),
    ("iota", [], {"shape": (3,), "axis": 1, "dtype": f32}, ["axis"]),
    ("dim_size", [], {"dim": 3, "dtype": DTYPES["bool"]}, ["bool"]),
]


@pytest.mark.parametrize(("name", "operands", "attrs", "words"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_misuse(name, operands, attrs, words):
    with pytest.raises(TypeError) as caught:
        OPS[name].infer(tuple(map(parse_type, operands)), attrs)
    message = str(caught.value)
    assert message.startswith(f"{name}: expected")
    for word in words:
        assert word in message


def test_no_implicit_broadcast_in_builders():
    graph = Graph("g")
    x, y = build.param(graph, "x", parse_type("f32[B, 3]")), build.param(graph, "y", parse_type("f32[3]"))
    with pytest.raises(TypeError, match=r"add: .*f32\[B, 3\] and f32\[3\]"):
        x + y
    with pytest.raises(TypeError, match="mul: expected graph values"):
        build.mul(2, 3)
    with pytest.raises(TypeError, match=r"broadcasts to \[B, 4\]"):
        build.expand(y, (Dim.symbol("B"), 4))


def test_what_a_param_is_cannot_be_computed():
    with pytest.raises(TypeError, match="given by the caller"):
        OPS["param"].reference(name="x", type=parse_type("f32[]"))

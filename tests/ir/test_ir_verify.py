"""The checkers: each rule of the IR, broken on purpose, is one clear error."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kcompile.common.struct import replace
from kcompile.ir.graph import Graph, Node, Value
from kcompile.ir.kernel import Eq, Kernel
from kcompile.ir.ops.pseudo import gradient
from kcompile.ir.program import Program
from kcompile.ir.scalar import Aff, Apply, AxisValue, Const, Guard, Load, Ref
from kcompile.ir.text import parse_graph, parse_kernel, parse_program
from kcompile.ir.types import boolean, f32, f64, i64, parse_type
from kcompile.ir.verify import VerifyError, verify_graph, verify_kernel, verify_program

GRAPH = """graph g {
  param %x: f32[B, 3]
  state %w: f32[B, 3]  role=weight
  %0 = mul(%x, %w)
  %1 = exp(%0)
  out y = %1
  update w = %0
}
"""


def node(graph: Graph, op: str) -> Node:
    return next(n for n in graph.nodes() if n.op.name == op)


def wrong_type(graph: Graph) -> None:
    node(graph, "exp").types = (parse_type("f32[B, 4]"),)


def missing_edge(graph: Graph) -> None:
    state, exp = node(graph, "state"), node(graph, "exp")
    graph.links.remove_edge(node(graph, "param"), node(graph, "mul"))
    graph.links.add_edge(state, exp)


def dangling(graph: Graph) -> None:
    graph.links.remove_node(node(graph, "exp"))


def wrong_attrs(graph: Graph) -> None:
    node(graph, "exp").inputs = (*node(graph, "exp").inputs, *node(graph, "exp").inputs)



def no_such_state(graph: Graph) -> None:
    graph.updates["v"] = graph.params["x"]


def wrong_role(graph: Graph) -> None:
    graph.states["w"].node.attrs = {**graph.states["w"].node.attrs, "role": "waits"}


def unentered_param(graph: Graph) -> None:
    del graph.params["x"]


def index_beyond(graph: Graph) -> None:
    exp = node(graph, "exp")
    exp.inputs = (Value(exp.inputs[0].node, 1),)


@pytest.mark.parametrize(("spoil", "message"), [
    (wrong_type, r"types \(f32\[B, 4\],\) are recorded, \(f32\[B, 3\],\) are inferred"),
    (missing_edge, "edges come from"),
    (dangling, "'y' is <%3 f32.*, which is not in the graph"),
    (wrong_attrs, "its operands or attributes do not fit"),
    (no_such_state, "'v' is updated, but there is no such state"),
    (wrong_role, "state 'w' has the role 'waits'"),
    (unentered_param, "is not entered among the params"),
    (index_beyond, "reads output 1 of <mul #2>, which has 1"),
])
def test_spoiled_graphs(spoil: Callable[[Graph], None], message: str) -> None:
    graph = parse_graph(GRAPH)
    verify_graph(graph)
    spoil(graph)
    with pytest.raises(VerifyError, match=message):
        verify_graph(graph)


def test_pseudo_ops_only_where_allowed() -> None:
    graph = parse_graph("graph g {\n param %x: f32[]\n %0 = gradient(%x, %x)\n out y = %0\n}\n")
    assert node(graph, "gradient").op is gradient
    verify_graph(graph)
    with pytest.raises(VerifyError, match="is a pseudo op, which differentiate should have removed"):
        verify_graph(graph, pseudo=False)


KERNEL = parse_kernel("""kernel k
  axes i:4, j:5
  read x: f32[4, 5], n: i64[4]
  write y: f32[4, 5]
  index row[i] = max(min(n[i], 3), 0)
  reduce s[i] = add over j of x[i, j]
  store y[i, j] = x[row, j] + s
""")
AT_I, AT_J = Aff.of("i"), Aff.of("j")
X = Load("x", (AT_I, AT_J), f32)


def with_store(expr: object, **changes: object) -> Kernel:
    return replace(KERNEL, equations=(*KERNEL.equations[:2], replace(KERNEL.equations[2], expr=expr, **changes)))


@pytest.mark.parametrize(("kernel", "message"), [
    (with_store(Load("z", (AT_I, AT_J), f32)), "z is not an array of the kernel"),
    (with_store(Load("x", (AT_I,), f32)), r"x is f32\[4, 5\], read with 1 indices as f32"),
    (with_store(Load("x", (AT_I, AT_J), f64)), "read with 2 indices as f64"),
    (with_store(Load("x", (AT_I, Aff.of("q")), f32)), "q is neither an axis nor an earlier index equation"),
    (with_store(Load("x", (AT_I, AT_J + 1), f32)), r"index j \+ 1 runs from 1 to 5, outside of 0..4"),
    (with_store(Load("x", (AT_I, AT_J + 1), f32, (Guard(AT_J + 1, 0, 5),))), "a guarded load of x needs a value of f32 for outside"),
    (with_store(Ref("t", f32)), "t is not an earlier equation"),
    (with_store(Ref("s", f64)), "s is f32, used as f64"),
    (with_store(Const(0.0, f64)), r"a value of f64 stored in f32\[4, 5\]"),
    (with_store(Apply("add", (X, Const(1.0, f64)), f32)), "add of f32, f64 is stated as f32"),
    (with_store(Apply("select", (X, X, X), f32)), "the condition of select is f32, not bool"),
    (with_store(Apply("sinh", (X,), f32)), "sinh is no scalar op"),
    (with_store(Apply("exp", (X, X), f32)), "exp takes 1 arguments, given 2"),
    (with_store(Apply("lt", (X, X), f32)), "lt of f32, f32 is stated as f32"),
    (with_store(X, index=(AT_I,)), r"f32\[4, 5\] stored with 1 indices"),
    (with_store(X, index=(AT_I, AT_J + 1)), "outside of 0..4"),
    (with_store(X, index=(AT_I, Aff.of(0)), free=("i", "j")), "y is stored again and again along j"),
    (with_store(X, free=("i",), over=("j",)), "only reduce and accumulate have axes they reduce"),
    (with_store(X, free=("i", "q")), "axis q is not one of i, j"),
    (with_store(X, free=("i", "i")), "an axis is named twice"),
    (with_store(X, name="u"), "not an array of the kernel"),
    (with_store(X, kind="keep"), "an unknown kind of equation"),
    (replace(KERNEL, equations=(Eq("let", "i", X, ("i", "j")), *KERNEL.equations)), "the name is taken"),
    (replace(KERNEL, equations=(Eq("let", "a", X, ("i",)), *KERNEL.equations)), "index variable j varies along j"),
    (replace(KERNEL, equations=(Eq("reduce", "a", X, ("i",), ("j",), "mean"), *KERNEL.equations)), "the reducer 'mean' is not one of"),
    (replace(KERNEL, equations=(Eq("reduce", "a", X, ("i", "j"), (), "add"), *KERNEL.equations)), "a reduction over no axis"),
    (replace(KERNEL, equations=(Eq("index", "a", X, ("i", "j")), *KERNEL.equations)), "an index must be an integer, not f32"),
    (replace(KERNEL, equations=(*KERNEL.equations, Eq("store", "y", Ref("s", f32), ("j",), index=(Aff.of(0), AT_J)))),
     "s varies along i, which the equation does not"),
    (replace(KERNEL, equations=(*KERNEL.equations, KERNEL.equations[2])), "40 elements of y are stored"),
    (replace(KERNEL, in_place={"x": "y"}), "in_place x = y"),
])
def test_spoiled_kernels(kernel: Kernel, message: str) -> None:
    verify_kernel(KERNEL)
    with pytest.raises(VerifyError, match=message):
        verify_kernel(kernel)


def test_axis_values_are_checked() -> None:
    verify_kernel(with_store(Apply("cast", (AxisValue(AT_I + AT_J, i64),), f32)))
    with pytest.raises(VerifyError, match="q is neither an axis"):
        verify_kernel(with_store(Apply("cast", (AxisValue(Aff.of("q"), i64),), f32)))
    assert boolean.kind == "b"


PROGRAM = """program p {
  param x: f32[B, 4]
  state w: f32[4]  role=weight
  temp t: f32[B, 4]  steps=0..1
  view v: f32[4, B]  of=t
  output y: f32[B, 4]
  step 0
    kernel k0
      axes i:B, j:4
      read x: f32[B, 4]
      write t: f32[B, 4]
      store t[i, j] = x[i, j] * 2.0
  step 1 barrier
    kernel k1
      axes i:B, j:4
      read t: f32[B, 4], w: f32[4]
      write y: f32[B, 4]
      store y[i, j] = t[i, j] + w[j]
  out y = y
}
"""


def test_a_good_program() -> None:
    verify_program(parse_program(PROGRAM))


def without_step(program: Program) -> Program:
    return replace(program, steps=program.steps[1:])


def buffers(**changes: object) -> Callable[[Program], Program]:
    def change(program: Program) -> Program:
        return replace(program, buffers={**program.buffers, **{k: replace(program.buffers[k], **v) for k, v in changes.items()}})
    return change


@pytest.mark.parametrize(("spoil", "message"), [
    (without_step, r"step 0 \(k1\): reads t, which nothing has written"),
    (lambda p: replace(p, steps=p.steps[:1]), "output y is in y, which nothing has written"),
    (lambda p: replace(p, outputs={"y": "q"}), "output y is in q, which does not exist"),
    (lambda p: replace(p, lifetimes={"t": replace(p.lifetimes["t"], last=0)}), r"uses t, but t lives in steps 0..0"),
    (buffers(v={"of": "q"}), "buffer v lies in q, which does not exist"),
    (buffers(v={"of": ""}), "view v does not say of what"),
    (buffers(v={"type": parse_type("f32[B, 5]")}), r"buffer v \(f32\[B, 5\]\) cannot lie in t"),
    (buffers(t={"kind": "param"}), "writes param t, which is the caller's"),
    (buffers(t={"kind": "heap"}), "is recorded as heap 't'"),
    (buffers(w={"type": parse_type("f32[5]")}), r"w is f32\[4\], but the buffer is f32\[5\]"),
    (lambda p: replace(p, buffers={k: b for k, b in p.buffers.items() if k != "w"}), "array w is no buffer"),
])
def test_spoiled_programs(spoil: Callable[[Program], Program], message: str) -> None:
    with pytest.raises(VerifyError, match=message):
        verify_program(spoil(parse_program(PROGRAM)))


def test_half_an_output_is_found() -> None:
    half = PROGRAM.replace("      axes i:B, j:4\n      read t", "      axes i:B, j:3\n      read t")
    with pytest.raises(VerifyError, match=r"3\*B elements of y are stored, but f32\[B, 4\] has 4\*B"):
        verify_program(parse_program(half))

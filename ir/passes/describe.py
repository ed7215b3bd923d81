"""Graph -> program with one kernel a node: every op's own description over named buffers. Nothing is fused yet.

    %2 = dot(%x, %w) ; %3 = add(%2, %1)        becomes        k0 "dense" writes t2 ; k1 "dense" writes t3
"""

from __future__ import annotations

from collections.abc import Hashable

from kcompile.common.struct import replace

from ..extents import numbered
from ..forms import Form, Placed, identity, over
from ..graph import Graph, Node, Value
from ..kernel import Kernel
from ..kernel_edit import rename_arrays
from ..op import OpaqueKernel
from ..program import Buffer, Program, unfused
from ..types import TensorType
from ..value_table import frozen

SOURCES = ("param", "state")


class DescribeError(ValueError):
    """A graph that cannot become a program; the message names the layer."""


class _Describer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.buffers: dict[str, Buffer] = {}
        self.placed: list[Placed] = []
        self.names: dict[Value, str] = {}
        self.known: dict[Hashable, list[_Part]] = {}  # what ops have said of themselves
        self.forms: dict[Hashable, Form] = {}

    def run(self) -> Program:
        for name, value in self.graph.params.items():
            self.source(name, value, "param", "")
        for path, value in self.graph.states.items():
            self.source(path, value, "state", self.graph.role(path))
        for node in self.graph.nodes():
            if node.op.name not in SOURCES:
                self.node(node)
        outputs = {name: self.names[value] for name, value in self.graph.outputs.items()}
        updates = {path: self.names[value] for path, value in self.graph.updates.items()
                   if value != self.graph.states[path]}
        return unfused(self.graph.name, self.buffers, tuple(self.placed), outputs, updates)

    def source(self, name: str, value: Value, kind: str, role: str) -> None:
        if name in self.buffers:
            raise DescribeError(f"two inputs of graph {self.graph.name} are named {name!r}")
        self.buffers[name] = Buffer(name, value.type, kind, role=role)
        self.names[value] = name

    def fresh(self, type_: TensorType, kind: str = "temp", of: str = "") -> str:
        name = f"t{len(self.buffers)}"
        while name in self.buffers:  # a user's input may be called t7
            name += "_"
        self.buffers[name] = Buffer(name, type_, kind, of=of)
        return name

    def node(self, node: Node) -> None:
        kernel = node.op.kernel
        if isinstance(kernel, OpaqueKernel):
            if not kernel.view:
                raise DescribeError(f"{node.op.name} in layer {node.path or '(top)'} cannot be compiled: {kernel.why}"
                                    + (f" ({node.source})" if node.source else ""))
            for value in node.outputs:
                self.names[value] = self.fresh(value.type, "view", of=self.names[node.inputs[0]])
            return
        types = tuple([v.type for v in node.inputs])
        same = tuple([node.inputs.index(v) for v in node.inputs])  # x * x reads one array
        key = node.op.name, types, node.types, same, tuple([(name, frozen(value)) for name, value in node.attrs.items()])
        parts = self.known.get(key)
        if parts is None:  # an optimizer asks the same for each weight
            parts = self.known[key] = [_Part(part, same, self.forms) for part in kernel(types, node.types, node.attrs)]
        names = {f"in{n}": self.names[v] for n, v in enumerate(node.inputs)}
        for n, value in enumerate(node.outputs):
            self.names[value] = names[f"out{n}"] = self.fresh(value.type)
        for part in parts:
            for array, type_ in part.kernel.arrays.items():
                if array.startswith("tmp") and array not in names:
                    names[array] = self.fresh(type_)
        label = f"{node.path}/{node.op.name}" if node.path else node.op.name
        self.placed += [part.placed(names, label, node.source) for part in parts]


class _Part:
    """What an op says of itself over in0, in1, out0, tmp, ...: all nodes of which it says this have kernels of one form, and so do those
    that differ in extents alone."""

    def __init__(self, kernel: Kernel, same: tuple[int, ...], forms: dict[Hashable, Form]) -> None:
        """`same`: for each operand the first one that is the same value. `forms`: those that there are, and will be."""
        again = {f"in{n}": f"in{first}" for n, first in enumerate(same) if n != first}
        one = rename_arrays(kernel, again) if again else kernel
        used = {*one.reads, *one.writes}
        self.kernel = one if used == set(one.arrays) else replace(one, arrays={a: t for a, t in one.arrays.items() if a in used})
        self._numbered, self._extents = numbered(self.kernel)
        self._forms = forms
        self._form: Form | None = None

    def placed(self, names: dict[str, str], label: str, source: str) -> Placed:
        arrays = tuple([names[a] for a in self.kernel.arrays])
        form = self._form
        if form is None:
            key = identity(self._numbered)
            form = self._forms.get(key)
            if form is None:
                form = self._forms[key] = Form(over(self._numbered, arrays))
            self._form = form
        return Placed(form, arrays, self._extents, label, source)


def describe(graph: Graph) -> Program:
    """One kernel (or a few) a node, in the graph's order. Raises DescribeError for an op with no native kernel."""
    return _Describer(graph).run()

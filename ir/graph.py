"""Graph, Node and Value.

`node.inputs` is the truth for operand order, the links between nodes for users; only `add`, `replace_uses` and
`remove` touch both. Nodes hash by creation number, so no text depends on an address.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .digraph import Digraph
from .op import Op
from .types import DType, Shape, TensorType

if TYPE_CHECKING:
    import networkx as nx

Attrs = Mapping[str, Any]
ROLES = ("weight", "statistic", "slot", "metric", "rng", "counter", "hyper", "constant")


class GraphError(ValueError):
    """A graph that breaks a rule of the IR."""


class Node:
    """One application of an op. `path` is the layer that made it, `source` the user's own `file:line`."""

    __slots__ = ("attrs", "graph", "inputs", "number", "op", "outputs", "path", "source", "types")

    def __init__(self, graph: Graph, number: int, op: Op, inputs: tuple[Value, ...], attrs: Attrs,
                 types: tuple[TensorType, ...], path: str, source: str) -> None:
        self.graph, self.number, self.op, self.inputs, self.attrs = graph, number, op, inputs, attrs
        self.types, self.path, self.source = types, path, source
        self.outputs: tuple[Value, ...] = tuple([Value(self, i) for i in range(len(types))])

    def __hash__(self) -> int:
        return self.number

    def __lt__(self, other: Node) -> bool:
        return self.number < other.number

    def __repr__(self) -> str:
        return f"<{self.op.name} #{self.number}>"

    @property
    def output(self) -> Value:
        """The only output of a node that has one."""
        (value,) = self.outputs
        return value


class Value:
    """One output of a node, made with it: two are equal when they are one object. Arithmetic operators build nodes (see
    build.py); Python scalars become constants."""

    __slots__ = ("index", "node")

    def __init__(self, node: Node, index: int) -> None:
        self.node, self.index = node, index

    def __hash__(self) -> int:
        return self.node.number + self.index  # not the address: sets of values have the same order in every run

    @property
    def type(self) -> TensorType:
        return self.node.types[self.index]

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    @property
    def graph(self) -> Graph:
        return self.node.graph

    if TYPE_CHECKING:  # build.py installs these
        def __add__(self, other: Value | float) -> Value: ...
        def __radd__(self, other: float) -> Value: ...
        def __sub__(self, other: Value | float) -> Value: ...
        def __rsub__(self, other: float) -> Value: ...
        def __mul__(self, other: Value | float) -> Value: ...
        def __rmul__(self, other: float) -> Value: ...
        def __truediv__(self, other: Value | float) -> Value: ...
        def __rtruediv__(self, other: float) -> Value: ...
        def __neg__(self) -> Value: ...

    def __bool__(self) -> bool:
        raise TypeError("an ir Value has no truth value; build a select instead")

    def __repr__(self) -> str:
        return f"<%{self.node.number}{'.' + str(self.index) if self.index else ''} {self.type}>"


class Graph:
    """A pure dataflow graph with explicit state.

    params   name -> Value      given at each call
    states   path -> Value      the value a state has when the call begins (node.attrs: path, role)
    outputs  name -> Value
    updates  path -> Value      the value the state has when the call ends
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.params: dict[str, Value] = {}
        self.states: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}
        self.updates: dict[str, Value] = {}
        self.links: Digraph[Node] = Digraph()
        self._next = 0
        self._path = ""  # of the nodes that are made next
        self._source = ""

    # -- building ---------------------------------------------------------------------------------------------
    def add(self, op: Op, inputs: Sequence[Value] = (), attrs: Attrs | None = None,
            types: Sequence[TensorType] | None = None) -> tuple[Value, ...]:
        """Append a node; its types are inferred here. Raises GraphError (or the op's TypeError) on misuse."""
        attrs = dict(attrs or {})
        for value in inputs:
            if value.node.graph is not self:
                raise GraphError(f"{op.name}: operand {value!r} belongs to another graph")
        inferred = tuple(op.infer(tuple([v.type for v in inputs]), attrs))
        if types is not None and tuple(types) != inferred:
            raise GraphError(f"{op.name}: inferred {inferred}, but {tuple(types)} was stated")
        return self._append(op, tuple(inputs), attrs, inferred)

    def copy(self, node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...]:
        """Append a node as another graph has it; its types are inferred anew only where those of its operands have changed."""
        for value, old in zip(inputs, node.inputs, strict=True):
            if value.node.graph is not self or (value.type is not old.type and value.type != old.type):
                return self.add(node.op, inputs, node.attrs)
        return self._append(node.op, inputs, node.attrs, node.types)

    def _append(self, op: Op, inputs: tuple[Value, ...], attrs: Attrs, types: tuple[TensorType, ...]) -> tuple[Value, ...]:
        node = Node(self, self._next, op, inputs, attrs, types, self._path, self._source)
        self._next += 1
        self.links.append(node, [value.node for value in inputs])
        return node.outputs

    def replace_uses(self, old: Value, new: Value) -> None:
        """Make every reader of `old` (nodes, outputs, updates) read `new`; types must be equal."""
        if old.type != new.type:
            raise GraphError(f"cannot replace {old!r} by {new!r}: the types differ")
        for user in list(self.links.successors(old.node)):
            if user is new.node or old not in user.inputs:
                continue
            user.inputs = tuple(new if v == old else v for v in user.inputs)
            self.links.add_edge(new.node, user)
            if all(v.node is not old.node for v in user.inputs):
                self.links.remove_edge(old.node, user)
        for table in (self.outputs, self.updates):
            for key, value in table.items():
                if value == old:
                    table[key] = new

    def remove(self, node: Node) -> None:
        """Delete a node that nothing reads."""
        if any(True for _ in self.links.successors(node)):
            raise GraphError(f"{node!r} still has users")
        self.links.remove_node(node)

    def dissolve(self) -> None:
        """Take apart a graph that nobody will read again: nodes and the graph refer to each other, so that only a collector of cycles would
        free it otherwise."""
        for node in self.links:
            node.outputs = ()
        self.links = Digraph()
        self.params, self.states, self.outputs, self.updates = {}, {}, {}, {}

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Nodes made inside carry this path component (a layer's name)."""
        saved = self._path
        self._path = f"{saved}/{name}" if saved else name
        try:
            yield
        finally:
            self._path = saved

    @contextmanager
    def located(self, path: str, source: str) -> Iterator[None]:
        """Nodes made inside carry exactly this path and source line (used by passes that replace nodes)."""
        saved = self._path, self._source
        self._path, self._source = path, source
        try:
            yield
        finally:
            self._path, self._source = saved

    def locate(self, path: str, source: str) -> None:
        """Nodes made from here on carry exactly this path and source line."""
        self._path, self._source = path, source

    def set_source(self, source: str) -> None:
        self._source = source

    # -- reading ----------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self.links)

    def users(self, value: Value) -> list[Node]:
        """Nodes that read this value, in creation order."""
        return sorted(n for n in self.links.successors(value.node) if value in n.inputs)

    def nodes(self) -> list[Node]:
        """Topological order; among ready nodes the one created first comes first."""
        created = list(self.links)
        if all(value.node.number < node.number for node in created for value in node.inputs):
            return created  # nothing was replaced by what was made later: the order of creation is that order
        waiting = {node: len({v.node for v in node.inputs}) for node in self.links}
        ready = [node for node, count in waiting.items() if count == 0]
        heapq.heapify(ready)
        order: list[Node] = []
        while ready:
            node = heapq.heappop(ready)
            order.append(node)
            for user in self.links.successors(node):
                waiting[user] -= 1
                if waiting[user] == 0:
                    heapq.heappush(ready, user)
        if len(order) != len(self.links):
            raise GraphError(f"graph {self.name} has a cycle")
        return order

    def roots(self) -> Iterable[Value]:
        """What keeps nodes alive: outputs, then updates."""
        yield from self.outputs.values()
        yield from self.updates.values()

    def role(self, path: str) -> str:
        role: str = self.states[path].node.attrs["role"]
        return role

    def symbols(self) -> frozenset[str]:
        return frozenset().union(*(t.symbols for node in self.links for t in node.types))

    @property
    def digraph(self) -> nx.DiGraph[Node]:
        """The graph as networkx has it, for all of its algorithms: nodes and edges as they are now. Changing it changes nothing here."""
        import networkx as nx

        found: nx.DiGraph[Node] = nx.DiGraph()
        found.add_nodes_from(self.links)
        found.add_edges_from(self.links.edges())
        return found

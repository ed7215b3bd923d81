"""Graphs as text.

    graph mlp.train {
      param %x: f32[B, 784]
      state %dense/kernel: f32[784, 128]  role=weight
      %0 = dot(%x, %dense/kernel, contract=((1), (0))): f32[B, 128]
      %1 = constant(0.5): f32[]
      out loss = %41
      update dense/kernel = %58
    }

Nodes are numbered by position. Types may be left out of hand-written text, but for params, states and the ops that are
given their type (`constant`): they are inferred. With `locations`, lines end in the node's `# path source`.
"""

from __future__ import annotations

import re
from typing import Any

from ..graph import ROLES, Graph, GraphError, Node, Value
from ..op import OPS
from ..types import TensorType
from .attributes import attribute_text, parse_attribute
from .tokens import Cursor, ParseError, Token, name_text, quote, unquote

SOURCES = ("param", "state")
# Attributes that are left out of the text when they have these values.
DEFAULTS: dict[str, dict[str, Any]] = {
    "dot": {"batch": ((), ())},
    "conv": {"groups": 1, "border": ()},
    "conv_input_grad": {"groups": 1, "padding": ()},
    "conv_filter_grad": {"groups": 1, "border": ()},
}
_BARE_VALUE = re.compile(r"[A-Za-z_][\w./-]*")


def print_graph(graph: Graph, locations: bool = False, names: bool = True) -> str:
    """The text of a graph; byte for byte the same for equal graphs, whatever they were made from. Without `names`, the
    graph, params, states and outputs are called by their positions: how to compare graphs of differently named models."""
    written = value_names(graph, names)
    lines = [f"graph {name_text(graph.name) if names else 'graph'} {{"]
    for kind, key, table in (("param", "name", graph.params), ("state", "path", graph.states)):
        lines.extend(f"  {kind} {written[value]}: {value.type}{_extras(value.node, (key, 'type'))}" for value in table.values())
    for node in graph.nodes():
        if node.op.name not in SOURCES:
            lines.append(f"  {node_text(node, written)}{_location(node) if locations else ''}")
    for number, (name, value) in enumerate(graph.outputs.items()):
        lines.append(f"  out {name_text(name) if names else f'out{number}'} = {written[value]}")
    for path, value in graph.updates.items():
        lines.append(f"  update {name_text(path) if names else written[graph.states[path]][1:]} = {written[value]}")
    return "\n".join([*lines, "}"]) + "\n"


def value_names(graph: Graph, names: bool = True) -> dict[Value, str]:
    """How each value is written: %param, %state/path, %number. Without `names`: %param0, %state0, ..."""
    written: dict[Value, str] = {}
    taken: set[str] = set()
    for kind, table in (("param", graph.params), ("state", graph.states)):
        for number, (name, value) in enumerate(table.items()):
            name = name if names else f"{kind}{number}"
            while name in taken:  # a state with the path of a param: x and x'
                name += "'"
            taken.add(name)
            written[value] = "%" + (name if _BARE_VALUE.fullmatch(name.rstrip("'")) else quote(name))
    number = 0
    for node in graph.nodes():
        if node.op.name not in SOURCES:
            for value in node.outputs:
                written[value] = f"%{number}"
                number += 1
    return written


def node_text(node: Node, names: dict[Value, str]) -> str:
    """One line: `%3, %4 = op(%1, %2, attribute=...): type, type`."""
    arguments = [names[value] for value in node.inputs]
    defaults = DEFAULTS.get(node.op.name, {})
    for name, value in node.attrs.items():
        if name in defaults and defaults[name] == value:
            continue
        if name == "type" and not node.inputs and value == node.types[0]:
            continue  # written as the result's type
        positional = name == "value" and node.op.name == "constant"
        arguments.append(attribute_text(value) if positional else f"{name}={attribute_text(value)}")
    results = ", ".join(names[value] for value in node.outputs)
    return f"{results} = {node.op.name}({', '.join(arguments)}): {', '.join(map(str, node.types))}"


def _extras(node: Node, hidden: tuple[str, ...]) -> str:
    return "".join(f"  {name}={value if name == 'role' else attribute_text(value)}"
                   for name, value in node.attrs.items() if name not in hidden)


def _location(node: Node) -> str:
    return f"  # {node.path or '-'} {node.source}".rstrip() if node.path or node.source else ""


def parse_graph(text: str, file: str = "<text>", first_line: int = 1) -> Graph:
    """The graph of a text. Raises ParseError: file:line:column, what was expected, what was found."""
    cursor = Cursor(text, file, first_line)
    graph = parse_graph_at(cursor)
    if cursor.token.kind != "end":
        raise cursor.error("the end of the text")
    return graph


def parse_graph_at(cursor: Cursor) -> Graph:
    """The graph that begins at the cursor, which stands behind it afterwards. Raises ParseError."""
    cursor.skip_lines()
    cursor.expect("graph")
    graph = Graph(cursor.name("the graph's name"))
    cursor.expect("{")
    cursor.end_line()
    values: dict[str, Value] = {}
    while not cursor.accept("}"):
        token = cursor.token
        if token.kind == "value":
            _parse_node(cursor, graph, values)
        elif token.kind == "name" and token.text in SOURCES:
            _parse_source(cursor, graph, values)
        elif cursor.accept("out") or cursor.accept("update"):
            _parse_root(cursor, graph, values, token.text)
        else:
            raise cursor.error("param, state, a node, out, update or '}'")
    cursor.end_line()
    return graph


def _parse_source(cursor: Cursor, graph: Graph, values: dict[str, Value]) -> None:
    kind = cursor.next().text
    token = cursor.token
    name = _new_name(cursor, values)
    cursor.expect(":")
    declared = cursor.type()
    attrs: dict[str, Any] = {}
    while cursor.token.kind == "name":
        key = cursor.next().text
        cursor.expect("=")
        attrs[key] = cursor.name("a role") if key == "role" else parse_attribute(cursor)
    comment = cursor.end_line().comment
    table = graph.params if kind == "param" else graph.states
    own_name = name.rstrip("'") if kind == "state" else name
    if own_name in table:
        raise cursor.error(f"a {kind} that was not declared before", token)
    if kind == "state" and attrs.get("role") not in ROLES:
        raise cursor.error(f"role= one of {', '.join(ROLES)}", token)
    full = {"name" if kind == "param" else "path": own_name, **attrs, "type": declared}
    (values[name],) = table[own_name], = _add(cursor, graph, token, kind, (), full, None, comment)


def _parse_node(cursor: Cursor, graph: Graph, values: dict[str, Value]) -> None:
    tokens = [cursor.token]
    results = [_new_name(cursor, values)]
    while cursor.accept(","):
        tokens.append(cursor.token)
        results.append(_new_name(cursor, values))
    cursor.expect("=")
    op_token = cursor.kind("name", "the name of an op")
    if op_token.text not in OPS:
        raise cursor.error("the name of an op", op_token)
    cursor.expect("(")
    inputs: list[Value] = []
    attrs: dict[str, Any] = {}
    first = True
    while not cursor.accept(")"):
        if not first:
            cursor.expect(",", " or ')'")
        first = False
        if cursor.token.kind == "value":
            if attrs:
                raise cursor.error("an attribute (operands come first)")
            inputs.append(_known(cursor, values))
        elif op_token.text == "constant" and not attrs and not cursor.peek_after("="):
            attrs["value"] = parse_attribute(cursor)
        else:
            key = cursor.kind("name", "an operand such as %0, or name=value").text
            cursor.expect("=")
            attrs[key] = parse_attribute(cursor)
    attrs.update({name: value for name, value in DEFAULTS.get(op_token.text, {}).items() if name not in attrs})
    types: list[TensorType] | None = None
    type_token = cursor.token
    if cursor.accept(":"):
        type_token = cursor.token
        types = cursor.several(cursor.type)
        if not inputs and "type" not in attrs and op_token.text in ("constant", "cotangent"):
            attrs["type"] = types[0]
    comment = cursor.end_line().comment
    made = _add(cursor, graph, op_token, op_token.text, tuple(inputs), attrs, None, comment)
    if types is not None and types != [value.type for value in made]:
        raise cursor.error(f"the inferred {', '.join(str(value.type) for value in made)}", type_token,
                    ", ".join(map(str, types)))
    if len(made) != len(results):
        raise cursor.error(f"{len(made)} results of {op_token.text}", tokens[-1], str(len(results)))
    values.update(zip(results, made, strict=True))


def _parse_root(cursor: Cursor, graph: Graph, values: dict[str, Value], kind: str) -> None:
    token = cursor.token
    name = cursor.name("the name of an output" if kind == "out" else "the path of a state")
    table = graph.outputs if kind == "out" else graph.updates
    if name in table:
        raise cursor.error(f"an {kind} that was not given before", token)
    cursor.expect("=")
    value_token = cursor.token
    value = _known(cursor, values)
    if kind == "update":
        if name not in graph.states:
            raise cursor.error("the path of a state", token)
        if graph.states[name].type != value.type:
            raise cursor.error(f"a value of the state's type {graph.states[name].type}", value_token, str(value.type))
    table[name] = value
    cursor.end_line()


def _add(cursor: Cursor, graph: Graph, token: Token, op: str, inputs: tuple[Value, ...], attrs: dict[str, Any],
         types: list[TensorType] | None, comment: str) -> tuple[Value, ...]:
    path, _, source = comment.partition(" ")
    try:
        with graph.located("" if path == "-" else path, source):
            return graph.add(OPS[op], inputs, attrs, types)
    except KeyError as error:
        raise cursor.error(f"{op} to have the attribute {error.args[0]}", token, f"{', '.join(attrs) or 'none'}") from None
    except (TypeError, ValueError, GraphError) as error:
        raise ParseError(f"{cursor.place(token)}: {error}") from error


def _value_name(text: str) -> str:
    return unquote(text[1:]) if text.startswith('%"') else text[1:]


def _new_name(cursor: Cursor, values: dict[str, Value]) -> str:
    token = cursor.kind("value", "a value such as %0")
    name = _value_name(token.text)
    if name in values:
        raise cursor.error("a name that is not taken", token)
    return name


def _known(cursor: Cursor, values: dict[str, Value]) -> Value:
    token = cursor.kind("value", "a value such as %0")
    name = _value_name(token.text)
    if name not in values:
        raise cursor.error("a value that is defined above", token)
    return values[name]

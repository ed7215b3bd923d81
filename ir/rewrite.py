"""The rewrite engine: rules, their registry, and the sweep that applies them.

A rule is an equation (see patterns.py), or, where an equation cannot say it, a procedure that looks at a node and returns
what stands for it. A sweep rebuilds the graph from its sources up. Every node it adds is first looked up among the
nodes there are (equal computations merge), then offered to the rules of its op, in the order in which they were defined;
what a rule builds goes the same way. Rules look at operands only, and those are final by then: one sweep is a fixpoint.

A rule that may change bits is `inexact` and must be asked for by name; `rules.DEFAULT` names those that always are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from types import CodeType
from typing import Any

from kcompile.common.lazy import lazy
from kcompile.common.struct import struct

from .graph import Graph, GraphError, Node, Value
from .op import OPS
from .patterns import (
    COMMUTATIVE,
    AnyOp,
    Applied,
    Attr,
    Bindings,
    Equation,
    Make,
    Pat,
    Splat,
    Term,
    Variable,
    instantiate,
    match,
    pattern_text,
)
from .rebuild import prune, rebuild
from .value_table import ValueTable

Procedure = Callable[[Make, Node], "Value | None"]
Example = Mapping[str, Any]
LONGEST_CHAIN = 64  # rules applied to one another's results; a loop of rules is an error that names them


@struct(frozen=True)
class Rule:
    """One rewrite. Equations have `left` and `right`, procedures a `procedure`; both say on which ops they start.

    `examples`: for an equation, what its variables may be in a test (a type text for a value, (number, type) for a splat,
    the attribute itself); for a procedure, graph texts on which it applies. `close`: the reference may sum in another
    order on the two sides (numpy's matrix products do), so tests compare with a tolerance.
    """

    name: str
    doc: str
    family: str
    roots: tuple[str, ...]
    left: Term = 0
    right: Term = 0
    where: Callable[..., bool] | None = None
    variables: Mapping[str, Variable | Attr | AnyOp] = field(default_factory=dict)
    procedure: Procedure | None = None
    inexact: bool = False
    close: bool = False
    examples: tuple[Any, ...] = ()

    def describe(self) -> str:
        """One line: the equation (or what a procedure does), and whether bits may change."""
        text = f"{pattern_text(self.left)} = {pattern_text(self.right)}" if self.procedure is None else self.doc.splitlines()[0]
        return text + ("  (inexact)" if self.inexact else "")

    @lazy
    def guard_names(self) -> tuple[str, ...]:
        return _parameters(self.where) if self.where else ()

    @lazy
    def operands(self) -> list[tuple[int, frozenset[str]]]:
        """(position, the ops it may be) of each operand that the left side says something of."""
        assert isinstance(self.left, Applied)
        return [(n, wanted) for n, arg in enumerate(self.left.args) if (wanted := _ops_of(arg)) is not None]

    def may_match(self, node: Node) -> bool:
        """A quick look at the operands' ops, before the matcher is set up."""
        inputs = node.inputs
        if len(inputs) != len(self.left.args):  # type: ignore[union-attr]
            return False
        for n, wanted in self.operands:
            if inputs[n].node.op.name not in wanted:
                break
        else:
            return True
        return len(inputs) == 2 and node.op.name in COMMUTATIVE and all(
            inputs[1 - n].node.op.name in wanted for n, wanted in self.operands)


@struct(frozen=True)
class Application:
    """One use of a rule: `node` is the creation number of the node, in the graph before, that was being copied."""

    rule: str
    op: str
    node: int
    path: str
    source: str


RULES: dict[str, Rule] = {}


def all_rules() -> list[Rule]:
    """Every rule there is, in the order in which they are tried."""
    from . import rules  # noqa: F401  defines them
    return list(RULES.values())


def rule(*, where: Callable[..., bool] | None = None, ops: Mapping[str, Sequence[str]] | None = None,
         inexact: bool = False, close: bool = False,
         examples: Sequence[Example] = ()) -> Callable[[Callable[..., Equation]], Callable[..., Equation]]:
    """Define a rule by a function that returns (left, right). `where` is a guard; its parameters are named like the
    rule's. `ops` gives the family of each `AnyOp`. Raises ValueError for a rule that cannot be tried or tested."""
    def define(function: Callable[..., Equation]) -> Callable[..., Equation]:
        variables: dict[str, Variable | Attr | AnyOp] = {}
        for name in _parameters(function):
            kind = function.__annotations__.get(name)
            if kind not in ("Pat", "Splat", "Attr", "AnyOp"):
                raise ValueError(f"rule {function.__name__}: annotate {name} as Pat, Splat, Attr or AnyOp")
            variables[name] = (AnyOp(name, (ops or {})[name]) if kind == "AnyOp" else Attr(name) if kind == "Attr"
                               else Splat(name) if kind == "Splat" else Variable(name))
        left, right = function(**variables)
        if not isinstance(left, Applied):
            raise ValueError(f"rule {function.__name__}: the left side is not an op applied to something")
        if any(isinstance(v, Attr) for v in variables.values()) and not examples:
            raise ValueError(f"rule {function.__name__}: give examples of its attributes, or no test can try it")
        _enter(Rule(function.__name__, _doc(function), function.__module__.rpartition(".")[2], tuple(sorted(left.ops)), left,
                    right, where, variables, None, inexact, close, tuple(examples) or ({},)))
        return function
    return define


def procedure(roots: Sequence[str], examples: Sequence[str], *, inexact: bool = False,
              close: bool = False) -> Callable[[Procedure], Procedure]:
    """Define a rule by a function from a node of one of the `roots` to the value that stands for it, or None."""
    def define(function: Procedure) -> Procedure:
        name = getattr(function, "__name__", "")
        unknown = [root for root in roots if root not in OPS]
        if unknown or not examples:
            raise ValueError(f"rule {name}: no op is named {unknown[0]!r}" if unknown else f"rule {name} has no examples")
        _enter(Rule(name, _doc(function), function.__module__.rpartition(".")[2], tuple(roots), procedure=function,
                    inexact=inexact, close=close, examples=tuple(examples)))
        return function
    return define


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Their names: `inspect` would take half as long as all else that rules do when they are defined."""
    code: CodeType = function.__code__
    return code.co_varnames[:code.co_argcount]


def _doc(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip()


def _enter(new: Rule) -> None:
    if new.name in RULES:
        raise ValueError(f"rule {new.name} is defined twice")
    RULES[new.name] = new


class Rewriter:
    """Applies a set of rules to graphs; `log` tells which rule was applied where, in order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.by_root: dict[str, list[Rule]] = {}
        for entry in rules:
            for root in entry.roots:
                self.by_root.setdefault(root, []).append(entry)
        self._candidates: dict[tuple[str, ...], list[Rule]] = {}
        self.log: list[Application] = []

    def candidates(self, node: Node) -> list[Rule]:
        """The rules that may match a node: its op and those of its operands tell, and most nodes have the same."""
        key = node.op.name, *[value.node.op.name for value in node.inputs]
        found = self._candidates.get(key)
        if found is None:
            found = self._candidates[key] = [entry for entry in self.by_root.get(node.op.name, ())
                                             if entry.procedure is not None or entry.may_match(node)]
        return found

    def run(self, graph: Graph) -> Graph:
        """A rewritten copy. Raises GraphError naming the rules when some rewrite one another's results forever."""
        sweep: list[_Sweep] = []

        def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
            if not sweep:
                sweep.append(_Sweep(self, new))
            sweep[0].old = node
            return sweep[0].add(node.op.name, inputs, node.attrs)

        result = rebuild(graph, change)
        prune(result)
        return result


class _Sweep:
    """One rebuild: the new graph, its table of values, and the chain of rules being applied."""

    def __init__(self, rewriter: Rewriter, graph: Graph) -> None:
        self.rewriter, self.graph = rewriter, graph
        self.table = ValueTable(graph)
        self.chain: list[str] = []
        self.old: Node | None = None

    def make(self, op: str, /, *inputs: Value, **attrs: Any) -> Value:
        return self.add(op, inputs, attrs)[0]

    def add(self, op: str, inputs: Sequence[Value], attrs: Mapping[str, Any]) -> tuple[Value, ...]:
        key = self.table.key(OPS[op], inputs, attrs)
        values = self.table.known.get(key)
        if values is not None:
            return values
        values = self.table.add(OPS[op], inputs, attrs, key)
        rules = self.rewriter.candidates(values[0].node)
        if not rules or len(values) != 1:
            return values
        replaced = self.apply(rules, values[0])
        if replaced is None:
            return values
        self.table.known[key] = (replaced,)
        return (replaced,)

    def apply(self, rules: list[Rule], value: Value) -> Value | None:
        for entry in rules:
            self.chain.append(entry.name)
            if len(self.chain) > LONGEST_CHAIN:
                raise GraphError(f"rules rewrite one another's results without end: {' -> '.join(self.chain[-6:])}")
            result = self.attempt(entry, value)
            self.chain.pop()
            if result is None or result == value:
                continue
            if result.type != value.type:
                raise GraphError(f"rule {entry.name} turns {value.type} into {result.type}")
            old = self.old
            if old is not None:
                self.rewriter.log.append(Application(entry.name, value.node.op.name, old.number, old.path, old.source))
            return result
        return None

    def attempt(self, entry: Rule, value: Value) -> Value | None:
        if entry.procedure is not None:
            return entry.procedure(self.make, value.node)
        bindings: Bindings = {}
        for _ in match(entry.left, value, bindings):
            if entry.where is None or entry.where(**{name: bindings[name] for name in entry.guard_names}):
                return instantiate(entry.right, bindings, self.make, value.type)
        return None


_CONSTANT = frozenset({"constant"})


def _ops_of(arg: Term) -> frozenset[str] | None:
    if isinstance(arg, Applied):
        return arg.ops
    return None if isinstance(arg, Variable) and not isinstance(arg, Splat) else _CONSTANT if not isinstance(arg, Pat) or \
        isinstance(arg, Splat) else None

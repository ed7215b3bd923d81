"""The language in which rewrite rules are written: pattern variables, ops on them, attributes computed from others.

    def merge_reshapes(x: Pat, s: Attr, t: Attr) -> Equation:
        return p.reshape(p.reshape(x, shape=s), shape=t), p.reshape(x, shape=t)

A parameter annotated `Pat` stands for any value, `Splat` for a constant that repeats one number, `Attr` for an attribute, `AnyOp`
for one of a family of ops (with its attributes). A Python number stands for a splat constant of that value: on the left
of any type, on the right of its neighbour's. `derive(f, ...)` is an attribute computed when the rule applies; `built(f,
...)` a right side that is built by a function, where an equation cannot say it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Union

from .build import plain_constant
from .graph import Node, Value
from .op import OPS
from .types import TensorType, boolean
from .value_table import frozen

COMMUTATIVE = frozenset({"add", "mul", "eq", "ne", "logical_and", "logical_or", "logical_xor", "bit_and", "bit_or", "bit_xor"})
Number = Union[int, float, bool]
Bindings = dict[str, Any]  # variable name -> Value, attribute, or (AnyOp) the matched Node


class Make(Protocol):
    """How a right side is built: make("reshape", x, shape=...)."""

    def __call__(self, op: str, /, *inputs: Value, **attrs: Any) -> Value: ...


class Pat:
    """A pattern of a value."""

    def __add__(self, other: Term) -> Pat:
        return Applied("add", (self, other))

    def __radd__(self, other: Number) -> Pat:
        return Applied("add", (other, self))

    def __sub__(self, other: Term) -> Pat:
        return Applied("sub", (self, other))

    def __rsub__(self, other: Number) -> Pat:
        return Applied("sub", (other, self))

    def __mul__(self, other: Term) -> Pat:
        return Applied("mul", (self, other))

    def __rmul__(self, other: Number) -> Pat:
        return Applied("mul", (other, self))

    def __truediv__(self, other: Term) -> Pat:
        return Applied("div", (self, other))

    def __rtruediv__(self, other: Number) -> Pat:
        return Applied("div", (other, self))

    def __neg__(self) -> Pat:
        return Applied("neg", (self,))

    @property
    def type(self) -> Attr:
        return derive(lambda x: x.type, self)

    @property
    def shape(self) -> Attr:
        return derive(lambda x: x.shape, self)

    @property
    def dtype(self) -> Attr:
        return derive(lambda x: x.dtype, self)


Term = Union[Pat, Number]
Equation = tuple[Term, Term]


class Variable(Pat):
    def __init__(self, name: str) -> None:
        self.name = name


class Splat(Variable):
    """A constant that repeats one number; `.value` is the number."""

    @property
    def value(self) -> Attr:
        return derive(splat_value, self)


class Attr:
    """An attribute: a variable when it has a name, else computed from `terms` by `function`."""

    def __init__(self, name: str = "", function: Callable[..., Any] | None = None, terms: tuple[Any, ...] = ()) -> None:
        self.name, self.function, self.terms = name, function, terms


class AnyOp:
    """One op of a family: called on patterns it matches any of them, and on the right side builds the one matched."""

    def __init__(self, name: str, ops: Sequence[str]) -> None:
        self.name, self.ops = name, tuple(ops)

    def __call__(self, *args: Term, **attrs: Any) -> Pat:
        return Applied("", args, attrs, self)


class Applied(Pat):
    """An op applied to patterns."""

    def __init__(self, op: str, args: tuple[Term, ...], attrs: dict[str, Any] | None = None, any_op: AnyOp | None = None) -> None:
        if not any_op and op not in OPS:
            raise ValueError(f"no op is named {op!r}")
        self.args, self.attrs, self.any_op = args, attrs or {}, any_op
        self.ops = frozenset(any_op.ops) if any_op else frozenset({op})
        self.op = op

    @property
    def computed(self) -> list[tuple[str, Attr]]:
        """Attributes that are computed from others: compared once the operands are bound."""
        return [(name, term) for name, term in self.attrs.items() if isinstance(term, Attr) and term.function is not None]


class Built(Pat):
    """A right side that a function builds: function(make, *bound terms)."""

    def __init__(self, function: Callable[..., Value], terms: tuple[Any, ...]) -> None:
        self.function, self.terms = function, terms


class _Ops:
    def __getattr__(self, name: str) -> Callable[..., Pat]:
        return lambda *args, **attrs: Applied(name, args, attrs)


p = _Ops()


def derive(function: Callable[..., Any], *terms: Any) -> Attr:
    """An attribute computed from bound terms: values for `Pat`, attributes for `Attr`, the matched node for `AnyOp`."""
    return Attr("", function, terms)


def built(function: Callable[..., Value], *terms: Any) -> Pat:
    """A right side that a function makes of the values and attributes that the left one has bound."""
    return Built(function, terms)


def splat(value: Any, type: Any) -> Pat:
    """A constant that repeats `value`; both may be attributes."""
    exact = derive(plain_constant, value, type) if isinstance(value, Attr) or isinstance(type, Attr) else plain_constant(value, type)
    return Applied("constant", (), {"value": exact, "type": type})


def splat_like(value: Any, shape: Any, dtype: Any) -> Pat:
    """A constant that repeats `value`, of a shape and a dtype that are attributes; it may be one, too."""
    return splat(value, derive(lambda s, d: TensorType(tuple(s), d), shape, dtype))


def _equal(a: Any, b: Any) -> bool:
    return frozen(a) == frozen(b)


# -- matching ---------------------------------------------------------------------------------------------------
def is_splat(value: Value) -> bool:
    """Whether a value is a constant that repeats one number."""
    return value.node.op.name == "constant" and not isinstance(value.node.attrs["value"], tuple)


def splat_value(value: Value) -> Number:
    """The number of such a constant."""
    number: Number = value.node.attrs["value"]
    return number


def _same_number(given: Number, wanted: Number) -> bool:
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    return given == wanted and (given != 0 or math.copysign(1, given) == math.copysign(1, wanted))


def match(pattern: Term, value: Value, bindings: Bindings) -> Iterator[None]:
    """Every way in which the pattern matches; `bindings` holds it until the iterator goes on."""
    if isinstance(pattern, Variable):
        known = bindings.get(pattern.name)
        if known is not None:
            if known == value:
                yield
        elif not isinstance(pattern, Splat) or is_splat(value):
            bindings[pattern.name] = value
            yield
            del bindings[pattern.name]
    elif not isinstance(pattern, Applied):
        if is_splat(value) and not isinstance(pattern, Pat) and _same_number(splat_value(value), pattern):
            yield
    else:
        node = value.node
        if node.op.name not in pattern.ops or len(pattern.args) != len(node.inputs):
            return
        added = _match_attributes(pattern, node, bindings)
        if added is None:
            return
        orders = [node.inputs]
        if len(pattern.args) == 2 and node.op.name in COMMUTATIVE and node.inputs[0] != node.inputs[1]:
            orders.append(node.inputs[::-1])
        for inputs in orders:
            for _ in _match_operands(pattern.args, inputs, bindings):
                if all(_equal(bound(term, bindings), node.attrs[name]) for name, term in pattern.computed):
                    yield
        for name in added:
            del bindings[name]


def _match_operands(args: Sequence[Term], values: Sequence[Value], bindings: Bindings) -> Iterator[None]:
    if not args:
        yield
        return
    for _ in match(args[0], values[0], bindings):
        yield from _match_operands(args[1:], values[1:], bindings)


def _match_attributes(pattern: Applied, node: Node, bindings: Bindings) -> list[str] | None:
    """Names newly bound, or None when an attribute differs."""
    added: list[str] = []
    ok = True
    if pattern.any_op is not None:
        known = bindings.get(pattern.any_op.name)
        if known is None:
            bindings[pattern.any_op.name] = node
            added.append(pattern.any_op.name)
        else:
            ok = known.op is node.op and all(_equal(value, node.attrs[name]) for name, value in known.attrs.items()
                                             if name not in pattern.attrs)
    for name, term in pattern.attrs.items():
        if not ok:
            break
        if isinstance(term, Attr) and term.function is not None:
            continue
        given = node.attrs[name]
        if isinstance(term, Attr) and term.name and term.name not in bindings:
            bindings[term.name] = given
            added.append(term.name)
        else:
            ok = _equal(bound(term, bindings), given)
    if ok:
        return added
    for name in added:
        del bindings[name]
    return None


# -- building ---------------------------------------------------------------------------------------------------
def bound(term: Any, bindings: Bindings) -> Any:
    """What a term of `derive`, `built` or an attribute stands for under the bindings."""
    if isinstance(term, (Variable, AnyOp)):
        return bindings[term.name]
    if isinstance(term, Attr):
        if term.function is None:
            return bindings[term.name]
        return term.function(*[bound(t, bindings) for t in term.terms])
    return term


def instantiate(term: Term, bindings: Bindings, make: Make, type_: TensorType | None = None) -> Value:
    """Build a pattern's value; a bare number becomes a splat constant of `type_`."""
    if isinstance(term, Variable):
        value: Value = bindings[term.name]
        return value
    if isinstance(term, Built):
        return term.function(make, *[bound(t, bindings) for t in term.terms])
    if not isinstance(term, Applied):
        if isinstance(term, Pat) or type_ is None:
            raise TypeError(f"{term!r} cannot be built here: nothing tells its type")
        number = bool(term) if type_.dtype.kind == "b" else float(term) if type_.dtype.is_float else int(term)
        return make("constant", value=number, type=type_)
    operands: list[Value | None] = [instantiate(arg, bindings, make) if isinstance(arg, Pat) else None for arg in term.args]
    node: Node | None = bindings[term.any_op.name] if term.any_op else None
    op = node.op.name if node else term.op
    siblings = operands[1:] if op == "select" else operands
    sibling = next((value.type for value in siblings if value is not None), type_)
    expected = [sibling] * len(operands)
    if op == "select" and sibling is not None:
        expected[0] = sibling.with_dtype(boolean)
    inputs = [value if value is not None else instantiate(arg, bindings, make, wanted)
              for arg, value, wanted in zip(term.args, operands, expected, strict=True)]
    attrs = dict(node.attrs) if node else {}
    attrs.update({name: bound(attr, bindings) for name, attr in term.attrs.items()})
    return make(op, *inputs, **attrs)


# -- text -------------------------------------------------------------------------------------------------------
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def pattern_text(term: Any, inner: bool = False) -> str:
    """A side of an equation for people: `x * 1`, `reshape(x, shape=s)`; what a function computes is written `f(x)`."""
    if isinstance(term, (Variable, AnyOp)):
        return term.name
    if isinstance(term, Attr):
        return term.name if term.function is None else "..."
    if isinstance(term, Built):
        return f"{term.function.__name__.strip('_')}({', '.join(pattern_text(t) for t in term.terms)})"
    if not isinstance(term, Applied):
        return repr(term)
    if term.op in _SIGNS:
        text = f"{pattern_text(term.args[0], True)} {_SIGNS[term.op]} {pattern_text(term.args[1], True)}"
        return f"({text})" if inner else text
    if term.op == "neg":
        return f"-{pattern_text(term.args[0], True)}"
    if term.op == "constant":
        value = term.attrs["value"]
        number = value.terms[0] if isinstance(value, Attr) and value.function is plain_constant else value
        return "constant" if isinstance(number, Attr) else repr(number)
    parts = [pattern_text(arg) for arg in term.args] + [f"{name}={pattern_text(attr)}" for name, attr in term.attrs.items()]
    return f"{term.any_op.name if term.any_op else term.op}({', '.join(parts)})"

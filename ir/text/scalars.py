"""Scalar expressions as infix text, with Python's precedences.

    max(acc + b[j], 0.0)          (x[i - 1, c] if 0 <= i - 1 < 28 else 0.0)          f32(a[i])          index(2*i + 1, i64)

`f32(e)` is a cast. A constant is written bare where its neighbours tell its type, else as `0.0:f32`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..scalar import SCALAR_OPS, Aff, Apply, AxisValue, Const, Expr, Guard, Load, Ref
from ..types import DTYPES, DimLike, DType, TensorType, boolean
from .attributes import float_text
from .tokens import Cursor, Token, name_text

# (scalar op, mark, binding strength); equal strength associates to the left, comparisons do not associate at all
INFIX = {"or": ("|", 2), "xor": ("^", 3), "and": ("&", 4), "shl": ("<<", 5), "shr": (">>", 5), "add": ("+", 6),
         "sub": ("-", 6), "mul": ("*", 7), "div": ("/", 7), "floordiv": ("//", 7), "mod": ("%", 7),
         "eq": ("==", 1), "ne": ("!=", 1), "lt": ("<", 1), "le": ("<=", 1), "gt": (">", 1), "ge": (">=", 1)}
_BY_MARK = {mark: (fn, strength) for fn, (mark, strength) in INFIX.items()}
_TIGHTEST = 8


# -- printing ---------------------------------------------------------------------------------------------------
def expr_text(expr: Expr, expected: DType | None = None) -> str:
    """The text of an expression; `expected` is the dtype that the place it stands in tells a reader."""
    return _text(expr, expected)[0]


def _text(expr: Expr, expected: DType | None) -> tuple[str, int]:
    if isinstance(expr, Const):
        return _const_text(expr, expected), _TIGHTEST
    if isinstance(expr, Ref):
        return name_text(expr.name), _TIGHTEST
    if isinstance(expr, AxisValue):
        return f"index({aff_text(expr.index)}, {expr.dtype})", _TIGHTEST
    if isinstance(expr, Load):
        return _load_text(expr), _TIGHTEST
    if expr.fn == "cast":
        return f"{expr.dtype}({expr_text(expr.args[0])})", _TIGHTEST
    texts = [_text(arg, dtype) for arg, dtype in zip(expr.args, _argument_types(expr, expected), strict=True)]
    if expr.fn not in INFIX:
        return f"{expr.fn}({', '.join(text for text, _ in texts)})", _TIGHTEST
    mark, strength = INFIX[expr.fn]
    (left, left_strength), (right, right_strength) = texts
    if left_strength < strength or (strength == 1 and left_strength == 1):
        left = f"({left})"
    if right_strength <= strength:
        right = f"({right})"
    return f"{left} {mark} {right}", strength


def _argument_types(expr: Apply, expected: DType | None) -> list[DType | None]:
    """What a reader knows of each argument's dtype from its neighbours and from the place of the whole."""
    op = SCALAR_OPS[expr.fn]
    group = expr.args[1:] if op.result == "second" else expr.args
    known = next((arg.dtype for arg in group if self_typed(arg)), None if op.result == "bool" else expected)
    if known is None and group:  # no neighbour tells: the first constant is written with its type, which then tells
        types: list[DType | None] = [None] + [group[0].dtype] * (len(group) - 1)
    else:
        types = [known] * len(group)
    return [boolean, *types] if op.result == "second" else types


def self_typed(expr: Expr) -> bool:
    """Whether a reader of the bare text knows the dtype without its surroundings."""
    if isinstance(expr, Const):
        return False
    if not isinstance(expr, Apply) or expr.fn == "cast":
        return True
    rule = SCALAR_OPS[expr.fn].result
    return rule == "bool" or any(self_typed(arg) for arg in (expr.args[1:] if rule == "second" else expr.args))


def _const_text(const: Const, expected: DType | None) -> str:
    if const.dtype == boolean:
        text = "true" if const.value else "false"
    else:
        text = float_text(float(const.value)) if const.dtype.is_float else str(int(const.value))
    return text if expected == const.dtype else f"{text}:{const.dtype}"


def aff_text(aff: Aff) -> str:
    """2*i + k - 1"""
    text = ""
    for variable, factor in aff.terms:
        negative = isinstance(factor, int) and factor < 0
        size = abs(factor) if isinstance(factor, int) else factor
        body = name_text(variable) if size == 1 else f"{_dim_text(size)}*{name_text(variable)}"
        text += (" - " if negative else " + ") + body if text else f"-{body}" if negative else body
    if aff.const != 0 or not text:
        negative = isinstance(aff.const, int) and aff.const < 0 and bool(text)
        body = _dim_text(-aff.const if negative else aff.const)
        text += (" - " if negative else " + ") + body if text else body
    return text


def _dim_text(dim: DimLike) -> str:
    """A dim inside an affine index: in brackets unless it is a number, so that its symbols are no variables."""
    return str(dim) if isinstance(dim, int) else f"[{dim}]"


def index_text(index: tuple[Aff, ...]) -> str:
    return f"[{', '.join(map(aff_text, index))}]"


def guard_text(guard: Guard) -> str:
    return f"{guard.lo} <= {aff_text(guard.index)} < {guard.hi}"


def _load_text(load: Load) -> str:
    access = f"{name_text(load.array)}{index_text(load.index)}"
    if not load.guards:
        return access
    conditions = " and ".join(map(guard_text, load.guards))
    other = "none" if load.other is None else _const_text(load.other, load.dtype)
    return f"({access} if {conditions} else {other})"


# -- parsing ----------------------------------------------------------------------------------------------------
@dataclass
class Scope:
    """The names an expression may use: arrays, axes and index equations, and the dtypes of earlier equations."""

    arrays: Mapping[str, TensorType]
    variables: set[str] = field(default_factory=set)
    results: dict[str, DType] = field(default_factory=dict)


@dataclass
class _Call:
    """An application or a bare constant whose dtype is not known yet."""

    fn: str  # "" for a constant
    args: list[_Call | Expr]
    token: Token
    value: float | int | bool = 0


def parse_expr(cursor: Cursor, scope: Scope, expected: DType | None) -> Expr:
    """An expression over the names of a scope; `expected`: the dtype of its constants where nothing else tells it. Raises ParseError."""
    return _resolve(cursor, _parse(cursor, scope, 1), expected)


def _parse(cursor: Cursor, scope: Scope, least: int) -> _Call | Expr:
    left = _primary(cursor, scope)
    while cursor.token.kind == "mark" and cursor.token.text in _BY_MARK:
        fn, strength = _BY_MARK[cursor.token.text]
        if strength < least:
            break
        token = cursor.next()
        left = _Call(fn, [left, _parse(cursor, scope, strength + 1)], token)
        if strength == 1 and cursor.token.text in _BY_MARK and _BY_MARK[cursor.token.text][1] == 1:
            raise cursor.error("parentheses around one of two comparisons")
    return left


def _primary(cursor: Cursor, scope: Scope) -> _Call | Expr:
    token = cursor.token
    if cursor.accept("("):
        inner = _parse(cursor, scope, 1)
        if isinstance(inner, Load) and cursor.peek("if"):
            inner = _guarded(cursor, scope, inner)
        cursor.expect(")")
        return inner
    if token.kind in ("int", "float") or token.text in ("-", "inf", "nan", "true", "false"):
        return _constant(cursor)
    name = cursor.name("an expression")
    if cursor.peek("("):
        return _application(cursor, scope, name, token)
    if cursor.peek("["):
        if name not in scope.arrays:
            raise cursor.error("an array that the kernel reads or writes", token)
        return Load(name, parse_index(cursor, scope), scope.arrays[name].dtype)
    if name not in scope.results:
        raise cursor.error("the name of an earlier equation, an array with its index, or a function", token)
    return Ref(name, scope.results[name])


def _application(cursor: Cursor, scope: Scope, name: str, token: Token) -> _Call | Expr:
    cursor.expect("(")
    if name == "index":
        aff = parse_aff(cursor, scope)
        cursor.expect(",")
        dtype = parse_dtype(cursor)
        cursor.expect(")")
        return AxisValue(aff, dtype)
    if name in DTYPES:
        inner = parse_expr(cursor, scope, None)
        cursor.expect(")")
        return Apply("cast", (inner,), DTYPES[name])
    if name not in SCALAR_OPS or name == "cast":
        raise cursor.error("the name of a scalar op", token)
    args: list[_Call | Expr] = []
    while not cursor.accept(")"):
        if args:
            cursor.expect(",", " or ')'")
        args.append(_parse(cursor, scope, 1))
    if len(args) != SCALAR_OPS[name].arity:
        raise cursor.error(f"{SCALAR_OPS[name].arity} arguments of {name}", token, str(len(args)))
    return _Call(name, args, token)


def parse_dtype(cursor: Cursor) -> DType:
    """The element type that stands here. Raises ParseError."""
    token = cursor.kind("name", "an element type")
    if token.text not in DTYPES:
        raise cursor.error("an element type", token)
    return DTYPES[token.text]


def _constant(cursor: Cursor) -> _Call | Expr:
    token = cursor.token
    negative = cursor.accept("-")
    word = cursor.next()
    value: float | int | bool
    if word.text in ("true", "false") and not negative:
        value = word.text == "true"
    elif word.kind == "int":
        value = -int(word.text) if negative else int(word.text)
    elif word.kind == "float" or word.text in ("inf", "nan"):
        value = -float(word.text) if negative else float(word.text)
    else:
        raise cursor.error("a number", word)
    call = _Call("", [], token, value)
    return _resolve(cursor, call, parse_dtype(cursor)) if cursor.accept(":") else call


def _guarded(cursor: Cursor, scope: Scope, load: Load) -> Load:
    cursor.expect("if")
    guards = [parse_guard(cursor, scope)]
    while cursor.accept("and"):
        guards.append(parse_guard(cursor, scope))
    cursor.expect("else")
    if cursor.accept("none"):
        return Load(load.array, load.index, load.dtype, tuple(guards), None)
    other = _resolve(cursor, _constant(cursor), load.dtype)
    if not isinstance(other, Const):
        raise cursor.error("a constant")
    return Load(load.array, load.index, load.dtype, tuple(guards), other)


def parse_guard(cursor: Cursor, scope: Scope) -> Guard:
    """`lo <= index < hi`. Raises ParseError."""
    lo = cursor.dim()
    cursor.expect("<=")
    index = parse_aff(cursor, scope)
    cursor.expect("<")
    return Guard(index, lo, cursor.dim())


def parse_index(cursor: Cursor, scope: Scope) -> tuple[Aff, ...]:
    """One affine index a dimension, in brackets. Raises ParseError."""
    cursor.expect("[")
    index: list[Aff] = []
    while not cursor.accept("]"):
        if index:
            cursor.expect(",", " or ']'")
        index.append(parse_aff(cursor, scope))
    return tuple(index)


def parse_aff(cursor: Cursor, scope: Scope) -> Aff:
    """An affine index such as 32*i + k - 1 over the variables of a scope. Raises ParseError."""
    total = Aff()
    sign = -1 if cursor.accept("-") else 1
    while True:
        total = total + _aff_term(cursor, scope, sign)
        if cursor.peek("+") or cursor.peek("-"):
            sign = -1 if cursor.next().text == "-" else 1
        else:
            return total


def _aff_term(cursor: Cursor, scope: Scope, sign: int) -> Aff:
    factor: DimLike = sign
    number = True
    if cursor.accept("["):
        factor = factor * cursor.dim()
        cursor.expect("]")
    elif cursor.token.kind == "int":
        factor = factor * cursor.integer()
    else:
        number = False
    if number and not cursor.accept("*"):
        return Aff((), factor)
    token = cursor.token
    variable = cursor.name("an axis")
    if variable not in scope.variables:
        raise cursor.error("an axis or an index equation of the kernel", token)
    return Aff.of({variable: factor})


# -- types of bare constants ------------------------------------------------------------------------------------
def _known_dtype(part: _Call | Expr) -> DType | None:
    if not isinstance(part, _Call):
        return part.dtype
    if not part.fn:
        return None
    rule = SCALAR_OPS[part.fn].result
    if rule == "bool":
        return boolean
    return next((d for d in map(_known_dtype, part.args[1:] if rule == "second" else part.args) if d), None)


def _resolve(cursor: Cursor, part: _Call | Expr, expected: DType | None) -> Expr:
    if not isinstance(part, _Call):
        return part
    if not part.fn:
        if expected is None:
            raise cursor.error("a constant with its type, as in 0.0:f32", part.token)
        if expected == boolean and not isinstance(part.value, bool):
            raise cursor.error("true or false", part.token)
        if expected.is_integer and not isinstance(part.value, int):
            raise cursor.error(f"an integer for {expected}", part.token)
        return Const(float(part.value) if expected.is_float else part.value, expected)
    rule = SCALAR_OPS[part.fn].result
    group = part.args[1:] if rule == "second" else part.args
    dtype = next((d for d in map(_known_dtype, group) if d), None if rule == "bool" else expected)
    resolved = [_resolve(cursor, arg, dtype) for arg in group]
    wrong = next((arg for arg in resolved if arg.dtype != resolved[0].dtype), None)
    if wrong is not None:
        raise cursor.error(f"operands of one type for {part.fn}", part.token, f"{resolved[0].dtype} and {wrong.dtype}")
    if rule == "second":
        condition = _resolve(cursor, part.args[0], boolean)
        resolved = [condition, *resolved]
    result = boolean if rule == "bool" else resolved[-1].dtype
    return Apply(part.fn, tuple(resolved), result)

"""Pseudo ops: what a traced graph may hold and the pass `differentiate` removes.

    g0, g1 = gradient(loss, w0, w1)
    y = custom_gradient(y', x, c, g; outputs=1)      with c = cotangent(name): where the cotangent of y will come in
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..graph import GraphError
from ..op import Attrs, NoGradient, Op, OpaqueKernel, register
from ..types import TensorType

_REMOVED = "a pseudo op: the pass differentiate removes it before any kernel is made"


def _gradient_infer(types: tuple[TensorType, ...], attrs: Attrs) -> tuple[TensorType, ...]:
    if len(types) < 2:
        raise TypeError("gradient takes a loss and at least one value to differentiate by")
    if types[0].shape != () or not types[0].dtype.is_float:
        raise TypeError(f"gradient: the loss must be a float scalar, not {types[0]}")
    for number, wanted in enumerate(types[1:]):
        if not wanted.dtype.is_float:
            raise TypeError(f"gradient: value {number} is {wanted}: only floats have a gradient")
    return types[1:]


def _not_expanded(name: str) -> Any:
    def reference(*arrays: Any, **attrs: Any) -> NoReturn:
        raise GraphError(f"{name} is no computation of its own: run the pass differentiate first (evaluate does)")
    return reference


gradient = register(Op(
    name="gradient",
    doc="The derivatives of a float scalar (the first operand) by each of the other operands, of whose types they are. "
        "An operand that the loss does not depend on gets zeros.",
    infer=_gradient_infer,
    reference=_not_expanded("gradient"),
    vjp=NoGradient("an inner gradient is expanded before an outer one is taken, so this is never asked"),
    kernel=OpaqueKernel(_REMOVED),
    samples=(),
))


def custom_gradient_parts(count: int, outputs: int) -> tuple[int, int]:
    """(number of outputs m, number of inputs n) of a custom_gradient with `count` operands. Raises TypeError."""
    inputs, rest = divmod(count - 2 * outputs, 2)
    if outputs < 1 or inputs < 0 or rest:
        raise TypeError(f"custom_gradient: {count} operands do not fit outputs={outputs} "
                        "(m values, n inputs, m cotangents, n gradients)")
    return outputs, inputs


def _custom_gradient_infer(types: tuple[TensorType, ...], attrs: Attrs) -> tuple[TensorType, ...]:
    m, n = custom_gradient_parts(len(types), attrs["outputs"])
    for what, given, expected in (("cotangent", types[m + n:2 * m + n], types[:m]),
                                  ("gradient", types[2 * m + n:], types[m:m + n])):
        for number, (a, b) in enumerate(zip(given, expected, strict=True)):
            if a != b:
                raise TypeError(f"custom_gradient: {what} {number} is {a}, expected {b}")
    return types[:m]


custom_gradient = register(Op(
    name="custom_gradient",
    doc="m values with a gradient of the caller's own. Operands: the m values, the n inputs that get a gradient, m "
        "cotangent placeholders, and n gradients computed from the placeholders. The results are the values; when a "
        "cotangent arrives, the gradients are computed with it in place of its placeholder and go to the inputs, and "
        "nothing flows into the values themselves. `outputs` is m.",
    infer=_custom_gradient_infer,
    reference=_not_expanded("custom_gradient"),
    vjp=NoGradient("the pass differentiate reads it off the operands"),
    kernel=OpaqueKernel(_REMOVED),
    samples=(),
))

cotangent = register(Op(
    name="cotangent",
    doc="Where the cotangent of a custom_gradient's result comes in. Two are never the same value; `name` tells them apart.",
    infer=lambda types, attrs: (attrs["type"],),
    reference=_not_expanded("cotangent"),
    vjp=NoGradient("a source"),
    kernel=OpaqueKernel(_REMOVED),
    samples=(),
))

PSEUDO_OPS = frozenset(op.name for op in (gradient, custom_gradient, cotangent))

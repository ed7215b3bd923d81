"""What a primitive op is: one block of fields, and the registry that holds them all.

An op is defined once, in ir/ops/<family>.py, always in this order: docstring, `infer` (shape and dtype), `reference`
(numpy), `vjp`, `kernel`, `samples`. A missing field is an error at import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from kcompile.common.lazy import lazy
from kcompile.common.struct import struct

from .types import TensorType

if TYPE_CHECKING:
    from .graph import Value
    from .kernel import Kernel

Attrs = Mapping[str, Any]


@struct(frozen=True)
class NoGradient:
    """Said explicitly by an op that has no gradient."""

    why: str


@struct(frozen=True)
class OpaqueKernel:
    """Said by an op that is no computation of its own: a source, a view (`view=True`: output shares its input's memory)."""

    why: str
    view: bool = False


@struct(frozen=True)
class Sample:
    """One test case: operand shapes and dtypes ("B" is bound to several batch sizes), attributes, and value ranges."""

    inputs: tuple[TensorType, ...]
    attrs: Attrs = field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    integer_low: int = 0  # integer operands are drawn from [integer_low, integer_high)
    integer_high: int = 4
    nan_every: int = 0  # when n > 0, every n-th element of the float operands is a NaN
    name: str = ""


Infer = Callable[[tuple[TensorType, ...], Attrs], Sequence[TensorType]]
# vjp(ct, inputs, outputs, attrs): `ct` holds one cotangent (or None) an output; returns one cotangent (or None) an input
Vjp = Callable[[tuple["Value | None", ...], tuple["Value", ...], tuple["Value", ...], Attrs], Sequence["Value | None"]]
# kernel(input types, output types, attrs): arrays are named in0, in1, ... and out0, out1, ...; temporaries tmp0, ...
Describe = Callable[[tuple[TensorType, ...], tuple[TensorType, ...], Attrs], "Sequence[Kernel]"]


@struct(frozen=True)
class Op:
    """A primitive. `doc` is the docstring; `reference(*arrays, **attrs)` returns an array or a tuple of arrays.

    Attributes may hold Dims (shapes with the symbolic batch); they are bound to ints before `reference` is called.
    """

    name: str
    doc: str
    infer: Infer
    reference: Callable[..., Any]
    vjp: Vjp | NoGradient
    kernel: Describe | OpaqueKernel
    samples: tuple[Sample, ...]

    @lazy
    def text(self) -> str:
        """The docstring; its first line ends with what native code does to subnormal numbers."""
        from .subnormals import said
        first, line, rest = self.doc.strip().partition("\n")
        return f"{first}{said(self)}{line}{rest}"

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __hash__(self) -> int:
        return hash(self.name)


OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Enter an op in the registry. Raises ValueError for a duplicate or an op without docstring."""
    if op.name in OPS:
        raise ValueError(f"op {op.name} is defined twice")
    if not op.doc.strip():
        raise ValueError(f"op {op.name} has no docstring")
    OPS[op.name] = op
    return op

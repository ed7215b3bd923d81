"""What an op says of subnormal numbers, found in its own kernel description.

Native code runs with subnormal operands taken for 0 and subnormal results given as 0 (many processors compute with them a hundred
times slower). An op that only moves or looks at bits keeps them, and so do parts of others (sin x is x for a tiny x). The numpy
references keep them always.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .kernel import ACCUMULATE, REDUCE, Eq
from .scalar import Apply, walk

if TYPE_CHECKING:
    from .op import Op, Sample

FLUSHED = " Native code may take a subnormal f32 operand for 0 and give 0 for a subnormal f32 result; the reference keeps them."
KEEPING = frozenset({"neg", "abs", "is_nan", "is_finite", "select"})  # scalar words that look at bits and compute nothing


def said(op: Op) -> str:
    """The sentence for an op's text: FLUSHED, or nothing."""
    return FLUSHED if any(_computes(op, sample) for sample in op.samples) else ""


def _computes(op: Op, sample: Sample) -> bool:
    from .op import OpaqueKernel
    if isinstance(op.kernel, OpaqueKernel) or all(t.dtype.name != "f32" for t in sample.inputs):
        return False
    kernels = op.kernel(sample.inputs, tuple(op.infer(sample.inputs, sample.attrs)), sample.attrs)
    return any(_flushes(q) for kernel in kernels for q in kernel.equations)


def _flushes(q: Eq) -> bool:
    """Whether an equation computes with f32 numbers: adds them up, or applies a word that is not among KEEPING."""
    if q.kind in (REDUCE, ACCUMULATE) and q.expr.dtype.name == "f32":
        return True
    return any(isinstance(e, Apply) and e.fn not in KEEPING and any(t.name == "f32" for t in (e.dtype, *(a.dtype for a in e.args)))
               for e in walk(q.expr))

"""The primitive ops, one module a family; importing this package fills the registry `ir.op.OPS`."""

from . import binary, contract, conv, gather, pseudo, reduce, shape, sources, unary, window, winograd

__all__ = ["binary", "contract", "conv", "gather", "pseudo", "reduce", "shape", "sources", "unary", "window", "winograd"]

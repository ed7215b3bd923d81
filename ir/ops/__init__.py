"""The primitive ops, one module a family; importing this package fills the registry `ir.op.OPS`."""

from . import binary, contract, gather, pseudo, reduce, shape, sources, unary

__all__ = ["binary", "contract", "gather", "pseudo", "reduce", "shape", "sources", "unary"]

"""The intermediate representation: typed graphs, primitive ops, kernel descriptions and the passes between them.

Imports numpy and the standard library, ml_dtypes and networkx for who asks for them; never code generation, never the front end.
"""

if __name__ != "kcompile.ir":  # a second copy of every class would compare unequal to the first
    raise ImportError(f"import this package as 'kcompile.ir', not as {__name__!r}")

from . import ops  # fills the registry of ops, whichever module of ir is imported first

__all__ = ["ops"]

"""Code generation: kernel descriptions become loop nests, schedules, LLVM IR, object code and running threads.

Imports kcompile.ir and llvmlite; never the front end.
"""

if __name__ != "kcompile.codegen":  # a second copy of every class would compare unequal to the first
    raise ImportError(f"import this package as 'kcompile.codegen', not as {__name__!r}")

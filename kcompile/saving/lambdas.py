"""Owns the bodies of Python lambdas in files: the one place where a file may hold code, reached only with safe_mode=False."""

from __future__ import annotations

import base64
import types
from typing import Any


def lambda_record(function: types.FunctionType) -> dict[str, Any]:
    """A lambda as Keras writes it: byte code in base64, default values, values of closed-over variables."""
    import marshal

    closure = [cell.cell_contents for cell in function.__closure__] if function.__closure__ else None
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    config = {"code": code, "defaults": function.__defaults__, "closure": closure}  # so Keras's Lambda layer reads it
    return {"class_name": "__lambda__", "config": {**config, "value": [code, function.__defaults__, closure]}}  # and so all the rest


def lambda_of(config: dict[str, Any]) -> Any:
    """The function of a record. It sees keras, ops, tf, np and the builtins. The caller has made sure that code is allowed."""
    import builtins
    import importlib
    import marshal

    import numpy as np

    package = importlib.import_module(__name__.partition(".")[0])
    value = config.get("value", config)
    if isinstance(value, (list, tuple)):
        code_text, defaults, closure = value
    else:
        code_text, defaults, closure = value["code"], value["defaults"], value["closure"]
    code = marshal.loads(base64.decodebytes(code_text.encode("ascii")))
    names = {"keras": package, "ops": package.ops, "tf": importlib.import_module(f"{package.__name__}.compat.tf"), "np": np,
             "numpy": np, "K": package.backend, "backend": package.backend, "__builtins__": builtins}
    cells = tuple(types.CellType(item) for item in closure) if closure else None
    return types.FunctionType(code, names, "<lambda>", tuple(defaults) if defaults else None, cells)

"""Which code is the user's: for the line that a node, an error or a warning is told of."""

from __future__ import annotations

import os
import sys
import warnings
from types import CodeType


def _folder(file: str) -> str:
    return os.path.dirname(os.path.abspath(file)) + os.sep


# Frames in these files are nobody's own code: this package, the standard library, and numpy, if there is one in this process.
_OURS = (_folder(_folder(__file__)[:-1]), "<frozen")
_LIBRARY = _folder(os.__file__)
_INSTALLED = os.path.join(_LIBRARY, "site-packages") + os.sep
_KNOWN: dict[str, bool] = {}


def is_users(code: CodeType) -> bool:
    """Whether code is the user's own."""
    name = code.co_filename
    found = _KNOWN.get(name)
    if found is None:
        ours = name.startswith(_OURS) or (name.startswith(_LIBRARY) and not name.startswith(_INSTALLED)) or _is_numpys(name)
        found = _KNOWN[name] = not ours
    return found


def _is_numpys(name: str) -> bool:
    file = getattr(sys.modules.get("numpy"), "__file__", None)
    return file is not None and name.startswith(_folder(file))


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the innermost line of the user's, as `skip_file_prefixes` has it from Python 3.12 on; in a thread that runs none, at
    the caller's."""
    caller = sys._getframe(1)
    frame = caller
    while not is_users(frame.f_code):
        if frame.f_back is None:
            frame = caller
            break
        frame = frame.f_back
    space = frame.f_globals
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, space.get("__name__", "<string>"),
                           space.setdefault("__warningregistry__", {}))

"""Keras's configuration file and its four values: floatx, epsilon, image_data_format, backend.

`keras.json` lies in `$KERAS_HOME`, or in `~/.keras`. It is read when the first value is asked for, and made with Keras's
defaults where it is absent. Setters change this process, not the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from .options import option
from .suggest import suggest_names

_DEFAULTS: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-07,
    # The file is shared with a real Keras 3, which starts the back end it names.
    "backend": "tensorflow",
    "image_data_format": "channels_last",
}
_BACKENDS = ("tensorflow", "jax", "torch", "numpy", "openvino")
_DATA_FORMATS = ("channels_last", "channels_first")
_FLOATX = ("bfloat16", "float16", "float32", "float64")

_values: dict[str, Any] = {}
_switches: dict[str, Any] = {"interactive_logging": True, "traceback_filtering": True, "flash_attention": None,
                             "max_epochs": None, "max_steps_per_epoch": None}


def keras_home() -> str:
    """The folder of `keras.json`, data sets and downloaded models."""
    return os.path.expanduser(os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"))


def load() -> dict[str, Any]:
    """The values in force; reads the file, or makes it, the first time."""
    if not _values:
        _values.update(_DEFAULTS)
        _values.update(_read_file(os.path.join(keras_home(), "keras.json")))
        if option("KERAS_BACKEND") is not None:
            _values["backend"] = option("KERAS_BACKEND")
    return _values


def _read_file(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        _write_defaults(path)
        return {}
    except OSError:  # not readable for this user: the defaults hold, as in Keras
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(found).__name__}")
    checks: dict[str, Callable[[Any], Any]] = {"floatx": _check_floatx, "epsilon": _check_epsilon, "backend": str,
                                                "image_data_format": _check_data_format}
    values = {}
    for key, check in checks.items():
        if key in found:
            try:
                values[key] = check(found[key])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: {error}") from None
    return values


def _write_defaults(path: str) -> None:
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(_DEFAULTS, indent=4))
        os.replace(temporary, path)
    except OSError:  # a read-only home: nothing is lost, the defaults hold
        return


def _check_floatx(value: Any) -> str:
    name = str(getattr(value, "name", value))
    if name not in _FLOATX:
        raise ValueError(f"Unknown `floatx` value: {value}. Expected one of {', '.join(_FLOATX)}")
    return name


def _check_epsilon(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise ValueError(f"`epsilon` must be a positive number, received {value!r}")
    return float(value)


def _check_data_format(value: Any) -> str:
    name = str(value).lower()
    if name not in _DATA_FORMATS:
        raise ValueError(f"Unknown `image_data_format` value: {value!r}. Expected 'channels_last' or 'channels_first'")
    return name


def floatx() -> str:
    """The default float type, such as 'float32'."""
    value: str = load()["floatx"]
    return value


def set_floatx(value: Any) -> None:
    """Set the default float type: 'bfloat16', 'float16', 'float32' or 'float64'. Raises ValueError."""
    load()["floatx"] = _check_floatx(value)


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite."""
    value: float = load()["epsilon"]
    return value


def set_epsilon(value: float) -> None:
    """Set epsilon(). Raises ValueError for what is no positive number."""
    load()["epsilon"] = _check_epsilon(value)


def image_data_format() -> str:
    """'channels_last' or 'channels_first'."""
    value: str = load()["image_data_format"]
    return value


def set_image_data_format(data_format: str) -> None:
    """Set the default of `data_format` arguments. Raises ValueError."""
    load()["image_data_format"] = _check_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    """The given data format, checked, or the default. Raises ValueError."""
    if data_format is None:
        return image_data_format()
    name = str(data_format).lower()
    if name not in _DATA_FORMATS:
        raise ValueError("The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
                         f"Received: data_format={data_format}")
    return name


def backend() -> str:
    """The back end that keras.json (or KERAS_BACKEND) names. kcompile computes by itself whichever that is."""
    value: str = load()["backend"]
    return value


def set_backend(backend: str) -> None:
    """Set what backend() says. Raises ValueError for a name Keras does not know."""
    if backend not in _BACKENDS:
        raise ValueError(f"Cannot set the backend to {backend!r}: expected one of {', '.join(_BACKENDS)}")
    load()["backend"] = backend


def enable_interactive_logging() -> None:
    """Print the progress bar to the terminal (the default)."""
    _switches["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Send progress to the logger instead of the terminal."""
    _switches["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress is printed to the terminal."""
    return bool(_switches["interactive_logging"])


def enable_traceback_filtering() -> None:
    """Accepted for compatibility: errors of kcompile name the user's own line either way."""
    _switches["traceback_filtering"] = True


def disable_traceback_filtering() -> None:
    """Accepted for compatibility: errors of kcompile name the user's own line either way."""
    _switches["traceback_filtering"] = False


def is_traceback_filtering_enabled() -> bool:
    """What the last of the two functions above has set; nothing depends on it."""
    return bool(_switches["traceback_filtering"])


def enable_flash_attention() -> None:
    """Accepted for compatibility: attention has one implementation here."""
    _switches["flash_attention"] = True


def disable_flash_attention() -> None:
    """Accepted for compatibility: attention has one implementation here."""
    _switches["flash_attention"] = False


def is_flash_attention_enabled() -> bool | None:
    """What the last of the two functions above has set, None before; nothing depends on it."""
    value: bool | None = _switches["flash_attention"]
    return value


def is_nnx_enabled() -> bool:
    """False: flax's NNX belongs to Keras's JAX back end."""
    return False


def max_epochs() -> int | None:
    """A cap on the epochs of any `fit`, from set_max_epochs() or KERAS_MAX_EPOCHS."""
    return _cap("max_epochs", "KERAS_MAX_EPOCHS")


def max_steps_per_epoch() -> int | None:
    """A cap on the steps of any epoch, from set_max_steps_per_epoch() or KERAS_MAX_STEPS_PER_EPOCH."""
    return _cap("max_steps_per_epoch", "KERAS_MAX_STEPS_PER_EPOCH")


def set_max_epochs(max_epochs: int | None) -> None:
    """Cap the epochs of every later `fit`; None lifts the cap."""
    _switches["max_epochs"] = max_epochs


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Cap the steps of every later epoch; None lifts the cap."""
    _switches["max_steps_per_epoch"] = max_steps_per_epoch


def _cap(key: str, variable: str) -> int | None:
    value: int | None = option(variable) if _switches[key] is None else _switches[key]
    return value


def dtype_policy() -> Any:
    """The default dtype policy of new layers."""
    from . import dtype_policies

    return dtype_policies.dtype_policy()


def set_dtype_policy(policy: Any) -> None:
    """Set the default dtype policy of new layers: a name such as 'mixed_float16', or a DTypePolicy."""
    from . import dtype_policies

    dtype_policies.set_dtype_policy(policy)


suggest_names(__name__)

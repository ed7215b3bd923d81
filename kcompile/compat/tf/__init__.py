"""What tf.keras programs take from `tf` itself, over kcompile.ops. Anything else is an AttributeError that names the nearest."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
from typing import Any

import kcompile as keras

from . import config, dtypes, image, io, linalg, math, nn, random
from .arrays import (
    argmax,
    argmin,
    argsort,
    boolean_mask,
    broadcast_to,
    cast,
    clip_by_value,
    concat,
    constant,
    convert_to_tensor,
    expand_dims,
    eye,
    fill,
    gather,
    identity,
    linspace,
    meshgrid,
    newaxis,
    one_hot,
    ones,
    ones_like,
    pad,
    range,
    rank,
    repeat,
    reshape,
    reverse,
    shape,
    size,
    sort,
    split,
    squeeze,
    stack,
    stop_gradient,
    tile,
    transpose,
    unstack,
    where,
    zeros,
    zeros_like,
)
from .dtypes import (
    DType,
    as_dtype,
    bfloat16,
    bool,
    complex64,
    complex128,
    double,
    float16,
    float32,
    float64,
    half,
    int8,
    int16,
    int32,
    int64,
    qint8,
    qint16,
    qint32,
    quint8,
    quint16,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .linalg import einsum, matmul, norm, tensordot
from .math import (
    abs,
    acos,
    acosh,
    add,
    add_n,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    cumsum,
    divide,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
    round,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    truediv,
)
from .variable import Tensor, TensorShape, TensorSpec, Variable, executing_eagerly, function

__version__ = "2.21.0"

__all__ = [
    "DType", "Tensor", "TensorShape", "TensorSpec", "Variable", "abs", "acos", "acosh", "add", "add_n", "argmax", "argmin", "argsort",
    "as_dtype", "asin", "asinh", "atan", "atan2", "atanh", "bfloat16", "bool", "boolean_mask", "broadcast_to", "cast", "clip_by_value",
    "complex64", "complex128", "concat", "config", "constant", "convert_to_tensor", "cos", "cosh", "cumsum", "divide", "double", "dtypes",
    "einsum", "equal", "executing_eagerly", "exp", "expand_dims", "eye", "fill", "float16", "float32", "float64", "floor", "function",
    "gather", "greater", "greater_equal", "half", "identity", "image", "int8", "int16", "int32", "int64", "io", "is_tensor", "keras",
    "less", "less_equal", "linalg", "linspace", "logical_and", "logical_not", "logical_or", "math", "matmul", "maximum", "meshgrid",
    "minimum", "multiply", "negative", "newaxis", "nn", "norm", "not_equal", "one_hot", "ones", "ones_like", "pad", "pow", "qint8",
    "qint16", "qint32", "quint8", "quint16", "random", "range", "rank", "reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max",
    "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum", "repeat", "reshape", "reverse", "round", "shape", "sigmoid", "sign", "sin",
    "sinh", "size", "sort", "split", "sqrt", "square", "squeeze", "stack", "stop_gradient", "string", "subtract", "tan", "tanh",
    "tensordot", "tile", "transpose", "truediv", "uint8", "uint16", "uint32", "uint64", "unstack", "where", "zeros", "zeros_like",
]


_KERAS_MODULES = ("data", "initializers", "losses", "metrics", "optimizers")  # the same in tf as in tf.keras, or a module of ours
_INITIALIZERS = {
    "constant_initializer": "Constant", "ones_initializer": "Ones", "random_normal_initializer": "RandomNormal",
    "random_uniform_initializer": "RandomUniform", "zeros_initializer": "Zeros",
}


def is_tensor(x: Any) -> builtins.bool:
    """Whether `x` is a tensor, eager or symbolic, or a variable."""
    return isinstance(x, (Tensor, keras.Variable))


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _KERAS_MODULES and importlib.util.find_spec(f"kcompile.{name}") is not None:
        return importlib.import_module(f"kcompile.{name}")
    if name in _INITIALIZERS:
        return getattr(keras.initializers, _INITIALIZERS[name])
    from kcompile.suggest import missing_attribute
    raise missing_attribute(__name__, name)

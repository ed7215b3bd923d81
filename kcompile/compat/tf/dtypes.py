"""tf.dtypes: names of element types. Each is a string, equal to Keras's name of it."""

from __future__ import annotations

from typing import Any

from kcompile.dtypes import DType as DType
from kcompile.dtypes import standardize_dtype
from kcompile.ops import cast as _cast
from kcompile.suggest import suggest_names

float16 = half = DType("float16")
bfloat16 = DType("bfloat16")
float32 = DType("float32")
float64 = double = DType("float64")
int8 = DType("int8")
int16 = DType("int16")
int32 = DType("int32")
int64 = DType("int64")
uint8 = DType("uint8")
uint16 = DType("uint16")
uint32 = DType("uint32")
uint64 = DType("uint64")
bool = DType("bool")
complex64 = DType("complex64")
complex128 = DType("complex128")
string = DType("string")
# names only: quantized types exist so that programs which list them import
qint8 = DType("qint8")
qint16 = DType("qint16")
qint32 = DType("qint32")
quint8 = DType("quint8")
quint16 = DType("quint16")


def as_dtype(type_value: Any) -> DType:
    """The DType of a name, a numpy dtype or a DType."""
    return standardize_dtype(type_value)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """tf.cast."""
    return _cast(x, as_dtype(dtype))


suggest_names(__name__)

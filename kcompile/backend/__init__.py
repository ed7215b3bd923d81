"""`keras.backend`: Keras 3's settings and checks, and the functions of Keras 2's `K` that tutorials use.

Importing it reads `keras.json` (and makes it where it is absent), as importing Keras does.
"""

# ruff: noqa: F401, F403 - a namespace; each family lists its names in __all__
from typing import Any

from ..config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    load,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from ..dtypes import is_float_dtype, is_int_dtype, result_type, standardize_dtype
from ..naming import clear_session, get_uid, name_scope
from ..suggest import suggest_names
from ..tensor import is_keras_tensor, is_tensor
from ..tracing import compute_output_spec
from ..variables import Variable
from .arrays import *
from .mathematics import *
from .networks import *
from .state import *

load()


suggest_names(__name__)

"""`keras.ops`: every operation works on eager tensors, in a trace, and on the KerasTensors of a functional model."""

# ruff: noqa: F401, F403 - each family lists its names in __all__
from ..suggest import suggest_names
from .activation import *
from .arithmetic import *
from .contraction import *
from .convolution import *
from .core import *
from .creation import *
from .crossentropy import *
from .elementwise import *
from .extra import *
from .host import *
from .indexing import *
from .normalization import *
from .reductions import *
from .repetition import *
from .shapes import *
from .sorting import *

suggest_names(__name__)

from . import linalg, nn, numpy  # noqa: E402 - namespaces over the families above

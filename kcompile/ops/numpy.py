"""`keras.ops.numpy`: the operations that numpy has too."""

# ruff: noqa: F401, F403 - each family lists its names in __all__
from .arithmetic import *
from .contraction import *
from .core import array, size
from .creation import *
from .elementwise import *
from .extra import *
from .host import *
from .indexing import *
from .reductions import *
from .repetition import *
from .shapes import *
from .sorting import *

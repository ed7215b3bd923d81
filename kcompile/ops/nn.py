"""`keras.ops.nn`: what neural networks are made of."""

# ruff: noqa: F401, F403 - each family lists its names in __all__
from .activation import *
from .convolution import *
from .creation import multi_hot, one_hot
from .crossentropy import binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy
from .extra import depth_to_space, psnr, space_to_depth
from .normalization import *
from .reductions import moments
from .sorting import sparsemax

"""Owns the tables of names that older versions of Keras and TensorFlow gave to layers, arguments, initializers and functions."""

from __future__ import annotations

CLASSES = {"Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D", "SeparableConvolution1D": "SeparableConv1D",
           "SeparableConvolution2D": "SeparableConv2D", "Convolution3DTranspose": "Conv3DTranspose",
           "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D",
           "Deconvolution2D": "Conv2DTranspose", "Convolution2DTranspose": "Conv2DTranspose", "BatchNormalizationV1": "BatchNormalization",
           "BatchNormalizationV2": "BatchNormalization", "MaxPool1D": "MaxPooling1D", "MaxPool2D": "MaxPooling2D",
           "AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D",
           "MaxPool3D": "MaxPooling3D", "AvgPool3D": "AveragePooling3D"}
MERGES = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum", "dot": "Dot"}

# arguments of Keras 1 -> today's
ARGUMENTS = {
    "nb_filter": "filters", "border_mode": "padding", "dim_ordering": "data_format", "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer", "b_regularizer": "bias_regularizer", "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint", "bias": "use_bias", "subsample": "strides", "subsample_length": "strides", "p": "rate",
    "sigma": "stddev", "pool_length": "pool_size", "stride": "strides", "filter_length": "kernel_size", "atrous_rate": "dilation_rate",
    "gamma_init": "gamma_initializer", "beta_init": "beta_initializer", "batch_input_shape": "batch_input_shape",
}
RENAMED_BY_CLASS = {
    "Dense": {"output_dim": "units"},
    "Embedding": {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer", "W_constraint": "embeddings_constraint"},
    "UpSampling1D": {"length": "size"},
    "PReLU": {"init": "alpha_initializer"},
    "InputLayer": {"batch_input_shape": "batch_shape", "input_dtype": "dtype"},
    "LeakyReLU": {"alpha": "negative_slope"},
}
DROPPED = {
    "*": ("input_dtype", "mode", "create_input_layer", "weights", "implementation", "batch_size"),
    "Dense": ("input_dim", "input_length"),
    "Embedding": ("dropout", "input_length", "activity_regularizer"),
    "BatchNormalization": ("virtual_batch_size", "fused", "adjustment", "renorm", "renorm_clipping", "renorm_momentum"),
    "InputLayer": ("trainable",),
    "SpatialDropout1D": ("trainable", "noise_shape"), "SpatialDropout2D": ("trainable", "noise_shape"),
    "SpatialDropout3D": ("trainable", "noise_shape"),
    "Conv1D": ("input_dim", "input_length"),
    # Keras 2 writes of these what it inherits and does not use
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), ("groups",)),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")),
}
INITIALIZERS = {"uniform": "random_uniform", "normal": "random_normal", "zero": "zeros", "one": "ones"}
FUNCTIONS = {"acc": "acc", "cosine_proximity": "cosine_similarity", "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh"}

# functions of TensorFlow that Keras 2 keeps in functional models -> names in keras.ops
TF_FUNCTIONS = {
    "__operators__.add": "add", "__operators__.getitem": "get_item", "add": "add", "subtract": "subtract", "multiply": "multiply",
    "divide": "divide", "truediv": "divide", "divide_no_nan": "divide_no_nan", "floordiv": "floor_divide", "mod": "mod", "pow": "power",
    "maximum": "maximum", "minimum": "minimum", "abs": "abs", "negative": "negative", "exp": "exp", "log": "log", "sqrt": "sqrt",
    "rsqrt": "rsqrt", "square": "square", "sin": "sin", "cos": "cos", "tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu",
    "relu6": "relu6", "elu": "elu", "softmax": "softmax", "softplus": "softplus", "gelu": "gelu", "silu": "silu", "reduce_sum": "sum",
    "reduce_mean": "mean", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod", "argmax": "argmax", "reshape": "reshape",
    "transpose": "transpose", "expand_dims": "expand_dims", "squeeze": "squeeze", "concat": "concatenate", "stack": "stack",
    "cast": "cast", "clip_by_value": "clip", "greater": "greater", "less": "less", "equal": "equal", "floor": "floor", "round": "round",
    "identity": "identity",
}
TF_ARGUMENTS = {"y": "x2", "perm": "axes", "shape": "newshape", "clip_value_min": "x_min", "clip_value_max": "x_max"}

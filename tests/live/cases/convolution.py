"""Convolutions, transposed, depthwise and separable ones: padding, strides, dilation, groups, odd and even sizes."""
from ..data import integers, normal
from ..spec import add, case

CONV2D = {
    "valid": dict(filters=4, kernel_size=3),
    "same": dict(filters=4, kernel_size=3, padding="same"),
    "pointwise": dict(filters=4, kernel_size=1),
    "rectangular": dict(filters=4, kernel_size=(2, 3), strides=(1, 2)),
    "strides": dict(filters=4, kernel_size=3, strides=2),
    "strides_same": dict(filters=4, kernel_size=3, strides=2, padding="same"),
    "even_kernel_same": dict(filters=4, kernel_size=4, strides=2, padding="same"),
    "stride_over_kernel": dict(filters=4, kernel_size=2, strides=3, padding="same"),
    "dilation": dict(filters=4, kernel_size=3, dilation_rate=2),
    "dilation_same": dict(filters=4, kernel_size=3, dilation_rate=(2, 1), padding="same"),
    "groups": dict(filters=4, kernel_size=3, groups=2),
    "depthwise_groups": dict(filters=8, kernel_size=3, groups=4, padding="same"),
    "no_bias": dict(filters=4, kernel_size=3, use_bias=False),
    "activation": dict(filters=4, kernel_size=3, activation="relu"),
}

CONV1D = {
    "valid": dict(filters=4, kernel_size=3),
    "same": dict(filters=4, kernel_size=3, padding="same"),
    "causal": dict(filters=4, kernel_size=3, padding="causal"),
    "causal_dilation": dict(filters=4, kernel_size=2, padding="causal", dilation_rate=2),
    "causal_strides": dict(filters=4, kernel_size=3, padding="causal", strides=2),
    "strides_same": dict(filters=4, kernel_size=4, strides=3, padding="same"),
    "dilation": dict(filters=4, kernel_size=3, dilation_rate=2),
    "groups": dict(filters=4, kernel_size=3, groups=2, activation="tanh"),
}

CONV3D = {
    "valid": dict(filters=3, kernel_size=2),
    "strides_same": dict(filters=3, kernel_size=(3, 2, 3), strides=(1, 2, 2), padding="same"),
}

TRANSPOSE2D = {
    "valid": dict(filters=3, kernel_size=3),
    "same": dict(filters=3, kernel_size=3, padding="same"),
    "strides": dict(filters=3, kernel_size=3, strides=2, activation="relu"),
    "strides_same": dict(filters=3, kernel_size=3, strides=2, padding="same"),
    "even_kernel": dict(filters=3, kernel_size=4, strides=2),
    "even_kernel_same": dict(filters=3, kernel_size=4, strides=2, padding="same"),
    "rectangular": dict(filters=3, kernel_size=(2, 3), strides=(3, 1), padding="same"),
    "stride_over_kernel": dict(filters=3, kernel_size=2, strides=3),
    "stride_over_kernel_same": dict(filters=3, kernel_size=2, strides=3, padding="same"),
    "output_padding": dict(filters=3, kernel_size=3, strides=2, output_padding=1),
    "output_padding_same": dict(filters=3, kernel_size=3, strides=2, padding="same", output_padding=1),
    "no_output_padding_same": dict(filters=3, kernel_size=5, strides=(2, 3), padding="same", output_padding=(1, 0)),
    "one_channel": dict(filters=1, kernel_size=3, strides=2, padding="same", use_bias=False),
}

TRANSPOSE1D = {
    "valid": dict(filters=3, kernel_size=3, strides=2),
    "same": dict(filters=3, kernel_size=4, strides=3, padding="same", activation="tanh"),
    "output_padding": dict(filters=3, kernel_size=3, strides=3, output_padding=2),
}

TRANSPOSE3D = {
    "valid": dict(filters=2, kernel_size=2, strides=2),
    "same": dict(filters=2, kernel_size=3, strides=(1, 2, 2), padding="same"),
}

DEPTHWISE2D = {
    "valid": dict(kernel_size=3),
    "same": dict(kernel_size=3, padding="same", activation="relu"),
    "multiplier": dict(kernel_size=(2, 3), depth_multiplier=3),
    "strides": dict(kernel_size=3, strides=2),
    "strides_same": dict(kernel_size=3, strides=2, padding="same", use_bias=False),
    "multiplier_strides_same": dict(kernel_size=4, strides=2, padding="same", depth_multiplier=2),
    "dilation": dict(kernel_size=2, dilation_rate=2),
    "dilation_strides_same": dict(kernel_size=3, dilation_rate=2, strides=2, padding="same"),
}

DEPTHWISE1D = {
    "valid": dict(kernel_size=3, depth_multiplier=2),
    "strides_same": dict(kernel_size=3, strides=2, padding="same"),
}

SEPARABLE2D = {
    "valid": dict(filters=5, kernel_size=3),
    "same": dict(filters=5, kernel_size=3, padding="same", activation="relu"),
    "multiplier_strides": dict(filters=5, kernel_size=(3, 2), strides=2, depth_multiplier=2),
    "dilation_same": dict(filters=5, kernel_size=3, dilation_rate=2, padding="same", use_bias=False),
}

SEPARABLE1D = {
    "valid": dict(filters=5, kernel_size=3, depth_multiplier=2),
    "strides_same": dict(filters=5, kernel_size=3, strides=2, padding="same"),
}


def two_layers(keras, first, second, shape):
    """A layer before the one in question, so that its gradient by the input is needed too."""
    L = keras.layers
    model = keras.Sequential([keras.Input(shape), first, second, L.Flatten(), L.Dense(1)])
    data = dict(x=normal(*shape), y=normal(1), evaluate=False)
    return model, dict(optimizer=keras.optimizers.SGD(0.005), loss="mse"), data


IMAGES, STEPS, VOLUMES = (8, 7, 3), (9, 3), (5, 4, 5, 2)
FAMILIES = (
    ("conv1d", "Conv1D", CONV1D, STEPS), ("conv2d", "Conv2D", CONV2D, IMAGES), ("conv3d", "Conv3D", CONV3D, VOLUMES),
    ("conv1d_transpose", "Conv1DTranspose", TRANSPOSE1D, STEPS), ("conv2d_transpose", "Conv2DTranspose", TRANSPOSE2D, (5, 4, 3)),
    ("conv3d_transpose", "Conv3DTranspose", TRANSPOSE3D, (3, 4, 3, 2)),
    ("depthwise1d", "DepthwiseConv1D", DEPTHWISE1D, STEPS), ("depthwise2d", "DepthwiseConv2D", DEPTHWISE2D, IMAGES),
    ("separable1d", "SeparableConv1D", SEPARABLE1D, STEPS), ("separable2d", "SeparableConv2D", SEPARABLE2D, IMAGES),
)


def after_a_convolution(name, arguments, shape):
    def build(keras):
        first = getattr(keras.layers, f"Conv{len(shape) - 1}D")
        return two_layers(keras, first(4, 2, activation="tanh"), getattr(keras.layers, name)(**arguments), shape)
    return build


for family, class_name, table, input_shape in FAMILIES:
    for kind, given in table.items():
        add(f"{family}_{kind}", after_a_convolution(class_name, given, input_shape))


@case
def conv2d_classifier(keras):
    """Convolution, pooling, convolution, pooling, dense."""
    L = keras.layers
    model = keras.Sequential([keras.Input((10, 10, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2),
                              L.Conv2D(6, 3, activation="relu", padding="same"), L.MaxPooling2D(2), L.Flatten(),
                              L.Dense(8, activation="relu"), L.Dense(4, activation="softmax")])
    compiled = dict(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, compiled, dict(x=normal(10, 10, 1), y=integers(4))


@case
def upsampling_autoencoder(keras):
    """Down by strides, up by transposed convolution and by UpSampling2D, with cropping to the size of the input."""
    L = keras.layers
    inputs = keras.Input((7, 6, 1))
    x = L.ZeroPadding2D(((0, 1), (0, 0)))(inputs)
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = L.DepthwiseConv2D(3, padding="same")(x)
    up = L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu")(x)
    x = L.Concatenate()([up, L.UpSampling2D(2)(x)])
    x = L.Conv2D(1, 3, padding="same", activation="sigmoid")(L.Cropping2D(((0, 1), (0, 0)))(x))
    return keras.Model(inputs, x), dict(optimizer=keras.optimizers.Adam(0.003), loss="mse"), dict(x=normal(7, 6, 1), y=normal(7, 6, 1))

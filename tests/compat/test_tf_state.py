"""tf.Variable, tf.function, tf.random, tf.image and tf.config: what holds state or looks at the machine."""

import numpy as np
import pytest

import kcompile as keras
import kcompile.compat.tf as tf


def test_variable_is_assigned_and_read():
    variable = tf.Variable([[1, 2], [3, 4]], name="block/counts:0")
    assert variable.dtype == tf.int32 and variable.shape == (2, 2) and variable.trainable
    variable.assign_add([[1, 1], [1, 1]])
    variable.assign_sub(np.array([[0, 0], [0, 4]]))
    np.testing.assert_array_equal(variable.numpy(), [[2, 3], [4, 1]])
    np.testing.assert_array_equal((variable * 2 + 1).numpy(), [[5, 7], [9, 3]])
    np.testing.assert_array_equal(tf.reduce_sum(variable, axis=0), [6, 4])
    assert "counts" in variable.name


@pytest.mark.parametrize("value, dtype", [(1.5, "float32"), (3, "int32"), (True, "bool"), (np.zeros(2), "float64")])
def test_variable_has_the_dtype_of_its_value(value, dtype):
    assert tf.Variable(value).dtype == dtype
    assert tf.Variable(value, dtype=tf.float16).dtype == tf.float16


def test_variable_from_a_function_and_from_nothing():
    assert tf.Variable(lambda: tf.ones([2])).numpy().tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="initial_value"):
        tf.Variable()


class Linear(keras.layers.Layer):
    """The layer of TensorFlow's guide: variables of tf, initializers of tf, made in `build`."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        initial = tf.random_normal_initializer(seed=1)
        self.w = tf.Variable(initial_value=initial(shape=(input_shape[-1], self.units), dtype="float32"), trainable=True)
        self.b = tf.Variable(tf.zeros_initializer()(shape=(self.units,)), trainable=True)
        self.seen = tf.Variable(0, trainable=False)

    def call(self, inputs):
        self.seen.assign_add(1)
        return tf.nn.tanh(tf.matmul(inputs, self.w) + self.b)


def test_variables_of_a_layer_are_tracked_and_trained():
    layer = Linear(1)
    model = keras.Sequential([keras.Input((3,)), layer])
    assert layer.trainable_variables == [layer.w, layer.b]
    assert layer.non_trainable_variables == [layer.seen]
    model.compile(tf.optimizers.SGD(0.1), tf.losses.MeanSquaredError())
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    before = layer.w.numpy()
    history = model.fit(x, np.tanh(x[:, :1]), batch_size=8, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert not np.array_equal(before, layer.w.numpy())
    assert layer.seen.numpy() == 12  # 3 epochs of 4 batches
    np.testing.assert_allclose(model.predict(x, verbose=0), np.tanh(x @ layer.w.numpy() + layer.b.numpy()), rtol=1e-5, atol=1e-6)


class Mixed(keras.layers.Layer):
    """Shapes, masks and reductions of tf on a batch of unknown size."""

    def call(self, x):
        batch = tf.shape(x)[0]
        grid = tf.reshape(x, [batch, 2, -1])
        positions = tf.cast(tf.range(tf.shape(grid)[2]), tf.float32)
        top = tf.one_hot(tf.argmax(grid, axis=-1), depth=3)
        picked = tf.where(top > 0.5, grid, tf.zeros_like(grid)) + positions
        joined = tf.concat([picked, tf.ones(tf.stack([batch, 2, 1]))], axis=-1)
        flat = tf.reshape(joined, tf.concat([tf.shape(x)[:1], [8]], axis=0))
        return tf.reduce_max(flat, axis=1, keepdims=True) + tf.cast(batch, tf.float32)


def test_a_layer_of_tf_functions_compiles_for_any_batch():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, Mixed()(inputs))
    for rows in (1, 5):
        x = np.random.default_rng(rows).normal(size=(rows, 6)).astype("float32")
        grid = x.reshape(rows, 2, 3)
        picked = np.where(grid == grid.max(-1, keepdims=True), grid, 0) + np.arange(3)
        want = np.maximum(picked.max((1, 2)), 1)[:, None] + rows
        np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-6)


def test_function_is_the_function_itself():
    @tf.function
    def double(x):
        return x * 2

    @tf.function(jit_compile=True, reduce_retracing=True)
    def triple(x):
        return x * 3

    assert double(tf.constant(2)).numpy() == 4 and triple(tf.constant(2)).numpy() == 6
    assert tf.executing_eagerly()


def test_functions_inside_a_functional_model_are_layers():
    inputs = tf.keras.Input((4,))
    outputs = tf.nn.relu(tf.reduce_sum(tf.square(inputs), axis=1, keepdims=True) - 1.0)
    model = tf.keras.Model(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), np.maximum((x ** 2).sum(1, keepdims=True) - 1, 0), rtol=1e-6)


def test_an_activation_of_tf_has_the_name_of_keras_own():
    layer = tf.keras.layers.Dense(2, activation=tf.nn.softmax)
    assert layer.get_config()["activation"] == "softmax"
    assert tf.keras.layers.Dense(2, activation=tf.nn.relu).get_config()["activation"] == "relu"


def test_random_shapes_dtypes_and_ranges():
    tf.random.set_seed(3)
    normal = tf.random.normal([200, 50], mean=2.0, stddev=0.5).numpy()
    assert normal.shape == (200, 50) and normal.dtype == np.float32
    assert abs(normal.mean() - 2) < 0.02 and abs(normal.std() - 0.5) < 0.02
    uniform = tf.random.uniform((1000,), 2, 5).numpy()
    assert uniform.dtype == np.float32 and uniform.min() >= 2 and uniform.max() < 5
    whole = tf.random.uniform([1000], maxval=4, dtype=tf.int32).numpy()
    assert whole.dtype == np.int32 and set(whole.tolist()) == {0, 1, 2, 3}
    assert np.abs(tf.random.truncated_normal([1000]).numpy()).max() <= 2
    assert tf.random.normal([2], dtype=tf.float64).dtype == tf.float64
    rows = tf.random.shuffle(tf.reshape(tf.range(20), (10, 2))).numpy()
    assert sorted(rows.tolist()) == np.arange(20).reshape(10, 2).tolist()
    classes = tf.random.categorical(tf.constant([[0.0, 100.0], [100.0, 0.0]]), 4)
    assert classes.dtype == tf.int64 and classes.numpy().tolist() == [[1] * 4, [0] * 4]
    with pytest.raises(ValueError, match="maxval"):
        tf.random.uniform([2], dtype=tf.int32)


def test_random_seeds():
    tf.random.set_seed(5)
    np.random.seed(1)
    first = [tf.random.normal([3]).numpy(), tf.random.normal([3], seed=2).numpy(), tf.random.normal([3], seed=2).numpy()]
    tf.random.set_seed(5)
    again = [tf.random.normal([3]).numpy(), tf.random.normal([3], seed=2).numpy(), tf.random.normal([3], seed=2).numpy()]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[1], first[2]), "an operation's seed starts a sequence"
    drawn = np.random.rand()
    np.random.seed(1)
    assert drawn == np.random.rand(), "numpy's generator is not TensorFlow's to seed"


class Noise(keras.layers.Layer):
    def call(self, x):
        return x + tf.random.uniform(tf.shape(x), seed=11)


def test_random_numbers_in_a_layer_differ_from_step_to_step():
    model = keras.Sequential([keras.Input((4,)), Noise()])
    x = np.zeros((6, 4), "float32")
    first, second = model.predict(x, batch_size=3, verbose=0), model.predict(x, batch_size=3, verbose=0)
    assert len({row.tobytes() for row in (*first, *second)}) == 12
    assert first.min() >= 0 and first.max() < 1


def test_random_flips_mirror_about_half_of_the_images():
    images = np.random.default_rng(0).normal(size=(200, 4, 6, 2)).astype("float32")
    for flip, mirrored in ((tf.image.random_flip_left_right, images[:, :, ::-1]), (tf.image.random_flip_up_down, images[:, ::-1])):
        flipped = flip(images, seed=1).numpy()
        same = (flipped == images).all((1, 2, 3))
        np.testing.assert_array_equal(flipped[~same], mirrored[~same])
        assert 60 < same.sum() < 140
        one = flip(images[0]).numpy()
        assert one.shape == (4, 6, 2) and (np.array_equal(one, images[0]) or np.array_equal(one, mirrored[0]))
    with pytest.raises(ValueError, match="rank 3"):
        tf.image.random_flip_left_right(images[0, 0])


def test_devices():
    assert [device.device_type for device in tf.config.list_physical_devices()] == ["CPU"]
    assert tf.config.list_physical_devices("GPU") == []
    assert len(tf.config.list_physical_devices("CPU")) == 1


def test_dtypes_are_names():
    for name in ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                 "bool", "complex64", "complex128", "string"):
        assert getattr(tf, name) == name and getattr(tf.dtypes, name) is getattr(tf, name)
    for name in ["qint8", "qint16", "qint32", "quint8", "quint16"]:
        assert hasattr(tf, name)
    assert tf.half == tf.float16 and tf.double == tf.float64
    assert tf.as_dtype(np.float32) == tf.float32 and tf.float32.as_numpy_dtype is np.float32
    assert tf.float32 == np.float32 and tf.int64.is_integer and tf.float16.is_floating
    assert (tf.int8.min, tf.int8.max) == (-128, 127)


def test_shapes_behave_like_tensorflows():
    shape = tf.TensorShape([None, 3])
    assert shape.as_list() == [None, 3] and shape.rank == 2 and shape == (None, 3)
    assert tf.constant([[1.0, 2.0]]).shape.as_list() == [1, 2]
    assert tf.TensorSpec((None, 2)).dtype == tf.float32
    assert tf.is_tensor(tf.constant(1)) and tf.is_tensor(tf.Variable(1)) and not tf.is_tensor(np.zeros(2))
    assert isinstance(tf.constant(1), tf.Tensor) and isinstance(tf.keras.Input((2,)), tf.Tensor) and not isinstance(1, tf.Tensor)
    assert np.zeros((2, 3))[..., tf.newaxis].shape == (2, 3, 1)


def test_constant_that_does_not_fill_its_shape():
    with pytest.raises(ValueError, match=r"3 values, of shape \(3,\), do not fill shape \(2, 2\)"):
        tf.constant([1, 2, 3], shape=[2, 2])

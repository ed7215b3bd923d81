"""Calling a layer: at once, symbolically, in a trace; `training`, masks, losses, checks, and what an error says."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from kcompile import layers, ops
from kcompile.tensor import KerasTensor, Tensor, TracedTensor
from kcompile.tracing import Trace


def line_of(function, text):
    """The line number in this file of the line of `function` that holds `text`."""
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


class Noting(layers.Layer):
    """Remembers what it was called with."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        with self._tracker.paused():
            self.seen = []

    def call(self, x, training=None, mask=None):
        self.seen.append((training, mask))
        return x


class Outer(layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


# -- kinds of call ------------------------------------------------------------------------------------------------
def test_a_layer_on_arrays_gives_values():
    y = layers.Dense(2)(np.ones((3, 4)))
    assert isinstance(y, Tensor) and y.shape == (3, 2)


def test_a_layer_on_symbols_gives_symbols_and_is_recorded():
    x = layers.Input((4,))
    layer = layers.Dense(2)
    y = layer(x)
    assert isinstance(y, KerasTensor) and y.shape == (None, 2) and y.dtype == "float32"
    assert layer.built and layer.output is y and layer.input is x
    assert y._keras_history.operation is layer


def test_a_layer_in_a_trace_makes_nodes_with_its_name_and_line():
    with Trace() as trace:
        x = trace.input("x", (None, 4), "float32")
        y = layers.Dense(2, name="mine")(x)
    assert isinstance(y, TracedTensor)
    made = [node for node in trace.graph.nodes() if node.op.name == "dot"]
    here = line_of(test_a_layer_in_a_trace_makes_nodes_with_its_name_and_line, 'name="mine"')
    assert [(node.path, node.source) for node in made] == [("mine", f"{__file__}:{here}")]


def test_symbolic_dtypes_follow_the_policy():
    assert layers.Dense(2, dtype="mixed_float16")(layers.Input((4,))).dtype == "float16"
    assert layers.Flatten()(layers.Input((4,), dtype="int32")).dtype == "int32"


def test_unknown_sizes_stay_unknown():
    y = layers.Conv2D(4, 3, padding="same", strides=2)(layers.Input((None, 8, 3)))
    assert y.shape == (None, None, 4, 4)
    assert layers.Dense(3)(layers.Input((None, 5))).shape == (None, None, 3)
    assert layers.GlobalMaxPooling2D()(layers.Input((None, None, 5))).shape == (None, 5)


def test_compute_output_shape():
    assert layers.Conv2D(4, 3).compute_output_shape((None, 8, 8, 3)) == (None, 6, 6, 4)
    inner = layers.Dense(5)
    outer = Outer(inner)
    assert outer.compute_output_shape((None, 3)) == (None, 5)
    assert inner.built and inner.kernel.shape == (3, 5)


def test_numpy_inputs_take_the_compute_dtype():
    assert layers.Identity()(np.ones(3)).dtype == "float32"
    assert layers.Identity(dtype="float64")(np.ones(3, "float32")).dtype == "float64"
    assert layers.Identity(autocast=False)(np.ones(3)).dtype == "float64"
    assert layers.Identity()(np.ones(3, "int16")).dtype == "int16"


def test_several_inputs_build_by_name():
    class Pair(layers.Layer):
        def build(self, a_shape, b_shape):
            self.a_seen, self.b_seen = a_shape, b_shape

        def call(self, a, b=None):
            return a

    pair = Pair()
    pair(np.ones((2, 3)), b=np.ones((4, 5)))
    assert (tuple(pair.a_seen), tuple(pair.b_seen)) == ((2, 3), (4, 5))
    assert pair.get_build_config() == {"shapes_dict": {"a_shape": (2, 3), "b_shape": (4, 5)}}


def test_several_inputs_need_names_for_their_shapes():
    class Wrong(layers.Layer):
        def build(self, shape, other):
            raise AssertionError("not reached")

        def call(self, a, b):
            return a

    with pytest.raises(ValueError, match="received `build\\(\\)` argument `shape`, which does not end in `_shape`"):
        Wrong()(np.ones(2), np.ones(3))


def test_structures_of_inputs_build_with_structures_of_shapes():
    class Seeing(layers.Layer):
        def build(self, input_shape):
            self.note = str(input_shape)

        def call(self, x):
            return x

    layer = Seeing()
    layer({"a": np.ones((2, 3)), "b": np.ones((4,))})
    assert layer.note == "{'a': (2, 3), 'b': (4,)}"


# -- training -----------------------------------------------------------------------------------------------------
def test_training_argument_over_context_over_default():
    inner = Noting()
    outer = Outer(inner)
    x = np.ones(3)
    outer(x)
    outer(x, training=True)
    inner(x, training=False)
    assert [training for training, _ in inner.seen] == [None, True, False]

    class Insisting(Outer):
        def call(self, x):
            return self.inner(x, training=False)

    Insisting(inner)(x, training=True)
    assert inner.seen[-1][0] is False


def test_training_of_one_call_does_not_reach_the_next():
    inner = Noting()
    outer = Outer(inner)
    outer(np.ones(3), training=True)
    outer(np.ones(3))
    assert inner.seen[-1][0] is None


# -- masks --------------------------------------------------------------------------------------------------------
def test_masks_travel_with_tensors():
    x = layers.Embedding(5, 3, mask_zero=True)(np.array([[1, 2, 0]]))
    noting = Noting()
    y = layers.Dense(4)(noting(layers.Dropout(0.5)(x), training=True))
    assert np.asarray(noting.seen[0][1]).tolist() == [[True, True, False]]
    assert np.asarray(y._keras_mask).tolist() == [[True, True, False]]


def test_masks_survive_the_cast_to_another_dtype():
    x = layers.Embedding(5, 3, mask_zero=True)(np.array([[1, 0]]))
    assert np.asarray(layers.Dense(4, dtype="float16")(x)._keras_mask).tolist() == [[True, False]]


def test_an_explicit_mask_wins():
    x = layers.Embedding(5, 3, mask_zero=True)(np.array([[1, 0]]))
    noting = Noting()
    noting(x, mask=np.array([[False, True]]))
    assert np.asarray(noting.seen[0][1]).tolist() == [[False, True]]


def test_a_layer_that_would_lose_a_mask_says_so():
    x = layers.Embedding(5, 3, mask_zero=True)(np.array([[1, 0]]))
    with pytest.warns(UserWarning, match="Layer 'flatten' .* does not support masking and will therefore destroy"):
        y = layers.Flatten()(x)
    assert getattr(y, "_keras_mask", None) is None


def masked(values, mask):
    tensor = ops.convert_to_tensor(np.array(values, "float32").reshape(1, -1, 1))
    tensor._keras_mask = ops.convert_to_tensor(np.array([mask]))
    return tensor


@pytest.mark.parametrize(("layer", "wanted"), [
    (layers.Add, [7, 7, 16]), (layers.Multiply, [12, 2, 0]), (layers.Maximum, [4, 2, 7]), (layers.Minimum, [3, 2, 7]),
    (layers.Average, [3.5, 3.5, 8])])
def test_merges_of_masked_inputs(layer, wanted):
    y = layer()([masked([3, 5, 7], [True, False, False]), masked([4, 2, 9], [True, True, False])])
    assert np.asarray(y).ravel().tolist() == wanted
    assert np.asarray(y._keras_mask).tolist() == [[True, True, False]]


def test_merges_with_an_unmasked_input_have_no_mask():
    y = layers.Add()([masked([3], [False]), np.ones((1, 1, 1))])
    assert getattr(y, "_keras_mask", None) is None


def test_concatenated_masks():
    a, b = masked([1, 2, 3], [True, False, False]), masked([3, 4, 5], [True, True, False])
    assert np.asarray(layers.Concatenate(axis=1)([a, b])._keras_mask).tolist() == [[True, False, False, True, True, False]]
    assert np.asarray(layers.Concatenate()([a, b])._keras_mask).tolist() == [[True, True, False]]
    assert np.asarray(layers.Concatenate()([a, np.ones((1, 3, 1))])._keras_mask).tolist() == [[True, True, True]]


# -- losses -------------------------------------------------------------------------------------------------------
def test_losses_of_the_last_call_only():
    class Adding(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x))
            return x

    outer = Outer(Adding())
    outer(np.ones(3))
    outer(np.ones(5))
    assert [float(loss) for loss in outer.losses] == [5.0]
    outer(layers.Input((2,)))
    assert outer.losses == [], "a definition leaves no loss behind"


def test_regularizers_of_weights_and_of_outputs():
    layer = layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l1")
    y = np.asarray(layer(np.ones((4, 2))))
    activity, weight = (float(loss) for loss in layer.losses)
    np.testing.assert_allclose(activity, 0.01 * np.abs(y).sum() / 4, rtol=1e-5)
    np.testing.assert_allclose(weight, 0.01 * (layer.kernel.numpy() ** 2).sum(), rtol=1e-5)
    layer.trainable = False
    assert len(layer.losses) == 1, "a frozen weight is not regularized"


def test_losses_in_a_trace_are_traced():
    layer = layers.Dense(3, kernel_regularizer="l2")
    with Trace() as trace:
        layer(trace.input("x", (None, 2), "float32"))
        (loss,) = layer.losses
        assert isinstance(loss, TracedTensor) and loss.shape == ()


def test_losses_of_a_finished_trace_are_gone():
    layer = layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l1")
    with Trace() as trace:
        layer(trace.input("x", (None, 2), "float32"))
        assert len(layer.losses) == 2
    assert [isinstance(loss, Tensor) for loss in layer.losses] == [True]


@pytest.mark.parametrize("wrong", [lambda: 0.0, "loss"])
def test_add_loss_takes_tensors(wrong):
    with pytest.raises(ValueError, match="`add_loss`"):
        layers.Layer().add_loss(wrong)


def test_add_loss_takes_scalars():
    with pytest.raises(ValueError, match=r"Received a tensor of shape \(2,\) in layer 'x'"):
        layers.Layer(name="x").add_loss(ops.ones((2,)))


# -- checks and errors --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("make", "shape", "message"), [
    (lambda: layers.Dense(3), (4,), r"Input 0 of layer 'dense' is incompatible with the layer: expected min_ndim=2, found ndim=1"),
    (lambda: layers.Conv2D(3, 3), (4, 5, 5), r"expected min_ndim=4, found ndim=3. Full shape received: \(4, 5, 5\)"),
    (lambda: layers.Permute((2, 1)), (2, 3, 4, 5), r"expected ndim=3, found ndim=4"),
    (lambda: layers.Conv2D(3, 7), (4, 5, 5, 3), r"Computed output size would be zero or negative.*shape=\(4, 5, 5, 3\)"),
    (lambda: layers.MaxPooling2D(3), (1, 2, 2, 1), r"Computed output size would be zero or negative"),
    (lambda: layers.Conv2D(4, 3, groups=2), (1, 5, 5, 3), r"Received groups=2, but the input has 3 channels"),
    (lambda: layers.Reshape((2, -1)), (2, 5), r"input_shape=\(5,\), target_shape=\(2, -1\)"),
    (lambda: layers.Reshape((4,)), (2, 5), r"total size of the tensor must be unchanged"),
    (lambda: layers.Add(), (2, 3), r"should be called on a list of inputs"),
    (lambda: layers.Cropping1D(3), (1, 4, 2), r"must be smaller than the input"),
])
def test_wrong_shapes(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(np.ones(shape))


def test_another_size_than_the_layer_was_built_for():
    layer = layers.Dense(3)
    layer.build((None, 4))
    with pytest.raises(ValueError, match=r"expected axis -1 of input shape to have value 4, but received input with shape \(2, 5\)"):
        layer(np.ones((2, 5)))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: layers.add([np.ones((2, 3)), np.ones((2, 4))]), r"incompatible shapes. Received shapes \(3,\) and \(4,\)"),
    (lambda: layers.concatenate([np.ones((2, 3)), np.ones((3, 3))]), r"matching shapes except for the concatenation axis"),
    (lambda: layers.dot([np.ones((2, 3)), np.ones((2, 4))], axes=1), r"axis values 3 \(at axis 1\) != 4 \(at axis 1\)"),
    (lambda: layers.Embedding(5, 3)(np.array([[1, 7]])), r"Embedding index 7 is not in \[0, 5\)"),
    (lambda: layers.Dense(3)([1, 2, 3]), r"Only input tensors may be passed as positional arguments"),
])
def test_wrong_inputs(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: layers.Dense(0), "expected a positive integer. Received: units=0"),
    (lambda: layers.Dense(3.5), "expected a positive integer. Received: units=3.5"),
    (lambda: layers.Dense(3, foo=1), "Unrecognized keyword arguments passed to Dense: {'foo': 1}"),
    (lambda: layers.Dropout(1.5), "Expected a float value between 0 and 1. Received: rate=1.5"),
    (lambda: layers.Conv2D(0, 3), "Expected a strictly positive value. Received filters=0"),
    (lambda: layers.Conv2D(3, 3, groups=2), "groups=2, filters=3"),
    (lambda: layers.Conv2D(3, (3, 3, 3)), "must be a tuple of 2 integers"),
    (lambda: layers.Conv2D(3, 3, padding="foo"), "The `padding` argument must be one of"),
    (lambda: layers.Conv2D(3, 3, padding="causal"), "Received: causal"),
    (lambda: layers.Conv2D(3, 3, strides=2, dilation_rate=2), "`strides > 1` not supported in conjunction with"),
    (lambda: layers.MaxPooling2D(0), "do not satisfy `value > 0`"),
    (lambda: layers.Conv2D(3, 3, data_format="nchw"), "`data_format` argument must be one of"),
    (lambda: layers.Permute((1, 3)), "must be consecutive and start from 1"),
    (lambda: layers.ReLU(-1), "cannot be a negative value"),
    (lambda: layers.LeakyReLU(None), "cannot be None or negative"),
    (lambda: layers.Embedding(0, 3), "`input_dim` must be a positive integer"),
    (lambda: layers.Reshape((-1, -1)), "at most one unknown dimension"),
    (lambda: layers.Dense(3, activation="relo"), "relo"),
    (lambda: layers.InputLayer(), "You must pass a `shape` argument"),
    (lambda: layers.Input((3,), batch_shape=(2, 3)), "both `shape` and `batch_shape`"),
])
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_error_names_layer_path_definition_call_and_arguments():
    class Failing(layers.Layer):
        def call(self, x):
            raise ValueError("no luck")

    outer = Outer(Failing(name="bad"))
    with pytest.raises(ValueError) as caught:
        outer(np.ones((2, 3)))
    text = str(caught.value)
    test = test_an_error_names_layer_path_definition_call_and_arguments
    assert text.startswith("no luck\nin layer 'outer/bad' (Failing)")
    assert f"written at {__file__}:{line_of(test, 'outer = Outer')}" in text
    assert f"called at {__file__}:{line_of(test, 'raise ValueError')}" in text
    assert "Tensor(shape=(2, 3), dtype=float32)" in text
    assert text.count("in layer") == 1


def test_a_python_if_on_a_symbol_names_the_line_and_the_remedy():
    class Branching(layers.Layer):
        def call(self, x):
            return x if ops.sum(x) > 0 else -x

    with pytest.raises(TypeError, match=r"ops\.where") as caught:
        Branching()(layers.Input((3,)))
    here = line_of(test_a_python_if_on_a_symbol_names_the_line_and_the_remedy, "return x if")
    assert f"{__file__}:{here}" in str(caught.value)
    assert Branching()(np.ones(3)).shape == (3,)  # with values at hand it is fine


def test_input_spec_is_checked():
    layer = layers.Identity()
    layer.input_spec = layers.InputSpec(shape=(None, 3), dtype="float32")
    layer(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"expected shape=\(None, 3\), found shape=\(2, 4\)"):
        layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="expected dtype=float32, found dtype=int64"):
        layer(np.ones((2, 3), "int64"))
    with pytest.raises(TypeError, match="must be an instance of InputSpec"):
        layer.input_spec = (None, 3)


def test_a_base_layer_without_call():
    with pytest.raises(NotImplementedError, match="Layer Layer does not have a `call"):
        layers.Layer()(np.ones(3))

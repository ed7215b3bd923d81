"""One call of `fit`: the History's keys and numbers, validation, a last batch which is smaller, callbacks."""
from ..data import integers, normal, one_hot, uniform, zero_or_one
from ..spec import case
from .outputs import lists, two_headed

EPOCHS = dict(epochs=4)
ONLY_FIT = dict(predict=False, evaluate=False)
RAGGED = 36   # four batches of 8, and one of 4


def regression(keras, optimizer="sgd", **compiled):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.Dense(2)])
    return model, dict(optimizer=optimizer, loss="mse", **compiled)


def classifier(keras, **compiled):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.Dense(4, activation="softmax")])
    arguments = dict(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, arguments | compiled


def numbers(**more):
    return dict(x=normal(6), y=normal(2), **ONLY_FIT, **more)


def labels(**more):
    return dict(x=normal(6), y=integers(4), **ONLY_FIT, **more)


@case
def fit_loss_only(keras):
    return *regression(keras), numbers(fit=EPOCHS)


@case
def fit_ragged(keras):
    return *regression(keras, metrics=["mae"]), numbers(fit=EPOCHS, rows=RAGGED)


@case
def fit_classifier_ragged(keras):
    return *classifier(keras), labels(fit=EPOCHS, rows=RAGGED)


@case
def fit_batch_larger_than_data(keras):
    return *classifier(keras), labels(fit=dict(epochs=20), rows=7)


@case
def fit_validation_data(keras):
    return *classifier(keras), labels(fit=EPOCHS, validation=True, rows=RAGGED)


@case
def fit_validation_split(keras):
    return *classifier(keras), labels(fit=dict(epochs=4, validation_split=0.25), rows=52)


@case
def fit_validation_freq(keras):
    return *regression(keras), numbers(fit=dict(epochs=4, validation_freq=2), validation=True)


@case
def fit_sample_weight(keras):
    return *classifier(keras), labels(fit=EPOCHS, sample_weight=uniform(high=2.0), validation=True, rows=RAGGED)


@case
def fit_class_weight(keras):
    weights = {0: 0.5, 1: 2.0, 2: 1.0, 3: 0.25}
    return *classifier(keras), labels(fit=EPOCHS, class_weight=weights, rows=RAGGED)


@case
def fit_one_hot(keras):
    compiled = dict(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    return *classifier(keras, **compiled), dict(x=normal(6), y=one_hot(4), fit=EPOCHS, validation=True)


@case
def fit_binary(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="relu"), L.Dense(1, activation="sigmoid")])
    compiled = dict(optimizer=keras.optimizers.RMSprop(0.02), loss="binary_crossentropy", metrics=["accuracy"])
    return model, compiled, dict(x=normal(6), y=zero_or_one(1), fit=EPOCHS, rows=RAGGED)


@case
def fit_initial_epoch(keras):
    return *regression(keras), numbers(fit=dict(epochs=6, initial_epoch=2))


@case
def fit_steps_per_epoch(keras):
    """The second epoch goes on where the first one stopped."""
    return *regression(keras), numbers(fit=dict(epochs=2, steps_per_epoch=3), rows=48)


@case
def fit_steps_per_execution(keras):
    return *regression(keras, steps_per_execution=3), numbers(fit=EPOCHS)


@case
def fit_schedule(keras):
    """The optimizer's step count goes on from epoch to epoch."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=5, decay_rate=0.5)
    return *regression(keras, keras.optimizers.Adam(schedule)), numbers(fit=EPOCHS)


@case
def fit_learning_rate_scheduler(keras):
    """A callback sets the learning rate, and the History gains a key."""
    callback = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 * 0.5 ** epoch)
    return *regression(keras), numbers(fit=dict(epochs=4, callbacks=[callback]))


@case
def fit_batch_normalization(keras):
    """Moving statistics move in training, serve in validation, and a smaller batch counts as one."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Dense(2)])
    compiled = dict(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    return model, compiled, numbers(fit=EPOCHS, rows=RAGGED, validation=True)


@case
def fit_regularizer_ragged(keras):
    """The penalty counts once per step, weighted by the batch's rows in the epoch's mean."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, kernel_regularizer="l2", activation="tanh"), L.Dense(2)])
    return model, dict(optimizer="sgd", loss="mse"), numbers(fit=EPOCHS, rows=RAGGED)


def fit_two_heads(keras, rows):
    compiled = dict(metrics=[["mae"], ["accuracy"]], loss_weights=[0.5, 1.0])
    return *two_headed(keras, **compiled), lists(fit=EPOCHS, validation=True, rows=rows, **ONLY_FIT)


@case
def fit_two_outputs(keras):
    return fit_two_heads(keras, 40)


@case(reference="jax")
def fit_two_outputs_ragged(keras):
    """A smaller batch counts less, in the total and in the parts, so that the parts add up to the total.
    On TensorFlow, where the graph does not know the size of a batch, Keras 3.15 leaves this out in the parts."""
    return fit_two_heads(keras, RAGGED)


@case
def fit_convolution_ragged(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((7, 7, 1)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(2), L.Flatten(),
                              L.Dense(3, activation="softmax")])
    compiled = dict(optimizer=keras.optimizers.SGD(0.05), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, compiled, dict(x=normal(7, 7, 1), y=integers(3), fit=EPOCHS, rows=RAGGED)

"""Embeddings: repeated tokens, weight decay and clipping over the whole table, masks.

Keras on TensorFlow (3.15) has sparse gradients here, and where a token occurs twice in a batch
squares the parts before it adds them: Adam's and RMSprop's second moment, and the norm for
clipping, are not those of the gradient. Such cases follow Keras on JAX.
"""
import numpy as np

from ..data import integers, normal, zero_or_one
from ..spec import BATCH, case

FEW_TOKENS = integers(9, 6)


def over_tokens(keras, layers, optimizer, tokens=FEW_TOKENS):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers, L.Dense(1)])
    return model, dict(optimizer=optimizer, loss="mse"), dict(x=tokens, y=normal(1))


@case
def embedding_flatten(keras):
    L = keras.layers
    return over_tokens(keras, [L.Embedding(9, 4), L.Flatten()], keras.optimizers.SGD(0.05))


def all_different(rng, rows):
    """No token twice in a batch: with BATCH rows of 6, of a table of 60."""
    batches = [rng.permutation(60)[:6 * BATCH].reshape(BATCH, 6) for _ in range(rows // BATCH)]
    return np.concatenate(batches).astype("int32")


@case
def embedding_adam(keras):
    """Rows which do not occur in a batch move as well: their momentum does."""
    L = keras.layers
    return over_tokens(keras, [L.Embedding(60, 4), L.GlobalAveragePooling1D()], keras.optimizers.Adam(0.02), all_different)


@case(reference="jax")
def embedding_adam_repeated(keras):
    """A token twice in a batch has one gradient, the sum; its square belongs in the second moment."""
    L = keras.layers
    return over_tokens(keras, [L.Embedding(9, 4), L.GlobalAveragePooling1D()], keras.optimizers.Adam(0.02))


@case(reference="jax")
def embedding_clip_decay(keras):
    L = keras.layers
    optimizer = keras.optimizers.AdamW(0.02, weight_decay=0.05, global_clipnorm=0.1)
    return over_tokens(keras, [L.Embedding(9, 4), L.GlobalMaxPooling1D()], optimizer)


@case
def embedding_convolution(keras):
    L = keras.layers
    layers = [L.Embedding(9, 4), L.Conv1D(5, 3, padding="causal", activation="relu"), L.GlobalMaxPooling1D()]
    return over_tokens(keras, layers, keras.optimizers.SGD(0.02))


@case
def embedding_mask_zero(keras):
    """Token 0 is padding, and does not count in the average."""
    L = keras.layers
    return over_tokens(keras, [L.Embedding(9, 4, mask_zero=True), L.GlobalAveragePooling1D()], keras.optimizers.SGD(0.1),
                       integers(4, 6))


@case(reference="jax")
def embedding_classifier(keras):
    L = keras.layers
    model = keras.Sequential([keras.Input((6,), dtype="int32"), L.Embedding(9, 4), L.GlobalAveragePooling1D(),
                              L.Dense(5, activation="relu"), L.Dense(1, activation="sigmoid")])
    compiled = dict(optimizer=keras.optimizers.RMSprop(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    return model, compiled, dict(x=FEW_TOKENS, y=zero_or_one(1))

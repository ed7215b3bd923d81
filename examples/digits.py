"""Train a classifier on real handwritten digits that come with scikit-learn: nothing is downloaded.

    pip install -e '.[examples]' && python examples/digits.py
"""

import numpy as np
from sklearn.datasets import load_digits

import kcompile as keras
from kcompile import layers


def build():
    """A small convolutional network for 8x8 images in ten classes."""
    return keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.25),
        layers.Dense(10, activation="softmax"),
    ])


def main():
    keras.utils.set_random_seed(0)
    digits = load_digits()
    x = (digits.images / 16.0)[..., None].astype("float32")
    y = digits.target
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1500], order[1500:]

    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    model.fit(x[train], y[train], batch_size=32, epochs=12, validation_split=0.1)
    loss, accuracy = model.evaluate(x[test], y[test], verbose=0)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()

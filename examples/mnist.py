"""The MNIST classifier: 60,000 training images, a dense network with dropout, ten epochs.

    python examples/mnist.py            downloads mnist.npz once; KCOMPILE_DATASETS names a folder that already has it
"""

import kcompile as keras
from kcompile import layers


def build():
    """784 pixels, 512 hidden units, ten classes."""
    return keras.Sequential([
        keras.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ])


def main():
    keras.utils.set_random_seed(0)
    (train_x, train_y), (test_x, test_y) = keras.datasets.mnist.load_data()
    train_x, test_x = (train_x / 255.0).astype("float32"), (test_x / 255.0).astype("float32")
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    model.fit(train_x, train_y, batch_size=32, epochs=10)
    loss, accuracy = model.evaluate(test_x, test_y, verbose=0)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()

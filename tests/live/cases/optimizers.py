"""Optimizers: every argument of the first release, on one network with a few kinds of weight."""
from ..data import normal
from ..spec import add

OPTIMIZERS = {
    "sgd": lambda o: o.SGD(0.05),
    "sgd_string": lambda o: "sgd",
    "sgd_momentum": lambda o: o.SGD(0.02, momentum=0.9),
    "sgd_nesterov": lambda o: o.SGD(0.02, momentum=0.9, nesterov=True),
    "sgd_weight_decay": lambda o: o.SGD(0.05, weight_decay=0.1),
    "sgd_clipnorm": lambda o: o.SGD(0.1, clipnorm=0.2),
    "sgd_clipvalue": lambda o: o.SGD(0.1, clipvalue=0.05),
    "sgd_global_clipnorm": lambda o: o.SGD(0.1, global_clipnorm=0.3),
    "rmsprop": lambda o: o.RMSprop(0.005),
    "rmsprop_string": lambda o: "rmsprop",
    "rmsprop_rho_epsilon": lambda o: o.RMSprop(0.005, rho=0.5, epsilon=0.01),
    "rmsprop_momentum": lambda o: o.RMSprop(0.003, momentum=0.8),
    "rmsprop_centered": lambda o: o.RMSprop(0.003, centered=True),
    "rmsprop_centered_momentum": lambda o: o.RMSprop(0.002, centered=True, momentum=0.5, weight_decay=0.05),
    "rmsprop_clipnorm": lambda o: o.RMSprop(0.005, clipnorm=0.2),
    "adam": lambda o: o.Adam(0.01),
    "adam_string": lambda o: "adam",
    "adam_betas_epsilon": lambda o: o.Adam(0.02, beta_1=0.7, beta_2=0.9, epsilon=0.01),
    "adam_amsgrad": lambda o: o.Adam(0.02, beta_2=0.8, amsgrad=True),
    "adam_weight_decay": lambda o: o.Adam(0.01, weight_decay=0.1),
    "adam_clipnorm": lambda o: o.Adam(0.01, clipnorm=0.1, epsilon=0.01),
    "adam_clipvalue": lambda o: o.Adam(0.01, clipvalue=0.05),
    "adam_global_clipnorm": lambda o: o.Adam(0.01, global_clipnorm=0.2, epsilon=0.01),
    "adamw": lambda o: o.AdamW(0.01),
    "adamw_string": lambda o: "adamw",
    "adamw_weight_decay": lambda o: o.AdamW(0.01, weight_decay=0.3),
    "adamw_amsgrad": lambda o: o.AdamW(0.02, weight_decay=0.1, beta_2=0.8, amsgrad=True),
    "adamw_exclude": lambda o: without_bias_decay(o.AdamW(0.01, weight_decay=0.3)),
    "sgd_ema": lambda o: o.SGD(0.05, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5),
    "adam_accumulation": lambda o: o.Adam(0.02, gradient_accumulation_steps=3),
    "sgd_accumulation_decay": lambda o: o.SGD(0.05, weight_decay=0.1, gradient_accumulation_steps=2),
}


def without_bias_decay(optimizer):
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def net(keras, optimizer):
    """Matrices, biases, and the scale and offset of a normalization, far from a minimum."""
    L = keras.layers
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="tanh"), L.LayerNormalization(), L.Dense(2)])
    return model, dict(optimizer=optimizer, loss="mse"), dict(x=normal(6), y=normal(2, scale=2.0), predict=False, evaluate=False)


for name, optimizer in OPTIMIZERS.items():
    add(f"optimizer_{name}", lambda keras, optimizer=optimizer: net(keras, optimizer(keras.optimizers)))

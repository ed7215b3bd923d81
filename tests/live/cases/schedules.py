"""Learning-rate schedules, steep enough that one step too early or too late shows in the loss."""
from ..spec import add
from .optimizers import net

SCHEDULES = {
    "exponential": lambda s: s.ExponentialDecay(0.1, decay_steps=5, decay_rate=0.5),
    "exponential_staircase": lambda s: s.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5, staircase=True),
    "inverse_time": lambda s: s.InverseTimeDecay(0.1, decay_steps=2, decay_rate=0.5),
    "inverse_time_staircase": lambda s: s.InverseTimeDecay(0.1, decay_steps=4, decay_rate=0.5, staircase=True),
    "piecewise": lambda s: s.PiecewiseConstantDecay([3, 9], [0.1, 0.05, 0.01]),
    "polynomial": lambda s: s.PolynomialDecay(0.1, decay_steps=12, end_learning_rate=0.01, power=2.0),
    "polynomial_cycle": lambda s: s.PolynomialDecay(0.1, decay_steps=6, end_learning_rate=0.01, cycle=True),
    "cosine": lambda s: s.CosineDecay(0.1, decay_steps=15, alpha=0.1),
    "cosine_warmup": lambda s: s.CosineDecay(0.01, decay_steps=10, warmup_target=0.1, warmup_steps=5),
    "cosine_restarts": lambda s: s.CosineDecayRestarts(0.1, first_decay_steps=4, t_mul=1.5, m_mul=0.8, alpha=0.05),
}

for name, schedule in SCHEDULES.items():
    add(f"schedule_{name}", lambda keras, schedule=schedule: net(
        keras, keras.optimizers.SGD(schedule(keras.optimizers.schedules), momentum=0.5)))

add("schedule_adam", lambda keras: net(
    keras, keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=5, decay_rate=0.5))))

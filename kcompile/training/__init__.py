"""Training: compile's losses and metrics, step graphs, data, and the loops of fit, evaluate and predict."""

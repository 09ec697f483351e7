"""Steps of a single layer, for tests that look at one rule alone."""

from __future__ import annotations

from copi_np.steps import States


def step_layer(layer, x, a, delta, eta_W, eta_R, x_R=None):
    """Move the weights of a layer from one batch, as `Network.step` does; y and y_out are not looked at."""
    layer.step(States(layer, x, x, a, a, delta, eta_R, x_R), eta_W, eta_R)

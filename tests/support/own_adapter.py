"""The package itself under the names of the known answers: its pure functions, and `Network.step` in place."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from copi_np import Network, family, rules
from copi_np.activations import ACTIVATIONS
from copi_np.algorithm import LayerWeights, forward
from copi_np.conformance import known_answers
from copi_np.error_signals import Trace, output_signal, reconstruction_update
from copi_np.losses import LOSSES
from copi_np.more_signals import ALL_SIGNALS

LEAKY, QUADRATIC = ACTIVATIONS["leaky_relu"], LOSSES["quadratic"]


def public(module):
    own = {name: f for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__}
    return {name: f for name, f in own.items() if callable(f)}


def trace_of(a, y=None):
    """Return a trace of which an error signal reads these states alone."""
    return Trace(np.zeros((len(a[0]), 1)), [None] * len(a), a, a if y is None else y)


def layers_of(a, W=None, R=None):
    nothing = [None] * len(a)
    return [LayerWeights(*pair) for pair in zip(W or nothing, R or nothing, strict=True)]


def perturbation(signal):
    """Return a signal whose noise is given; its generator hands that noise out."""

    def with_noise(W, R, noise, y0, targets, sigma=1.0):
        draws = iter(noise)
        rng = SimpleNamespace(standard_normal=lambda shape: next(draws) / sigma)
        layers = layers_of(W, W, R)
        return signal(layers, forward(layers, y0), targets, QUADRATIC, rng, sigma=sigma)

    return with_noise


SIGNALS = {name: signal.deltas for name, signal in ALL_SIGNALS.items()}


class FastPath:
    """`Network.step`, in place, on the weights of a known answer."""

    def __init__(self):
        self.settings = {"rule": "copi", "error_signal": "bp", "decorrelation": "matrix"}

    def network(self, W, R, F):
        form = self.settings["decorrelation"]
        options = self.settings | {"decorrelation": None if form == "none" else form}
        sizes = [W[0].shape[1], *(len(W_k) for W_k in W)]
        network = Network(sizes, rng=np.random.default_rng(0), dtype="float64", **options)
        for layer, W_k, R_k in zip(network.layers, W, R, strict=True):
            layer.W, layer.R = W_k, R_k
        if F:
            network.feedback = [*F, None]
        return network

    def train(self, W, R, *rest, eta_W, eta_R, batch_size):
        *feedback, y0, targets = rest
        network = self.network(W, R, feedback[0] if feedback else [])
        for start in range(0, len(y0), batch_size):
            rows = slice(start, start + batch_size)
            network.step(y0[rows].copy(), targets[rows].copy(), eta_W=eta_W, eta_R=eta_R)
        learned = [F for F in network.feedback if F is not None]
        weights = [layer.W for layer in network.layers], [layer.R for layer in network.layers]
        return (*weights, learned) if self.settings["error_signal"] in ("tp", "dtp") else weights

    def step(self, W, R, *rest, eta_W, eta_R):
        return self.train(W, R, *rest, eta_W=eta_W, eta_R=eta_R, batch_size=len(rest[-1]))


def fast_path(settings):
    """Return the fast path by these settings, as an adapter."""
    path = FastPath()
    path.settings = path.settings | settings
    return path


def by_settings():
    """Return every combination of settings that has known answers."""
    names = ("rule", "error_signal", "decorrelation")
    found = [{name: case.settings[name] for name in names} for case in known_answers() if case.name == "step"]
    return [settings for at, settings in enumerate(found) if settings not in found[:at]]


OWN = {
    **public(rules),
    **public(family),
    **{name: activation.f for name, activation in ACTIVATIONS.items()},
    **{f"{name}_derivative": activation.df for name, activation in ACTIVATIONS.items()},
    **{name: loss.values for name, loss in LOSSES.items()},
    **{f"{name}_gradient": loss.gradient for name, loss in LOSSES.items()},
    "output_signal": lambda a, y, targets: output_signal(QUADRATIC, LEAKY, a, y, targets),
    "reconstruction_update": lambda F, y_above, y: reconstruction_update(F, LEAKY, y_above, y),
    "backpropagation": lambda W, R, a, delta_L: SIGNALS["bp"](layers_of(a, W, R), trace_of(a), (), delta_L),
    "feedback_alignment": lambda F, a, delta_L: SIGNALS["fa"](layers_of(a), trace_of(a), F, delta_L),
    "direct_feedback_alignment": lambda F, a, delta_L: SIGNALS["dfa"](layers_of(a), trace_of(a), F, delta_L),
    "target_propagation": lambda F, a, y, delta_L: SIGNALS["tp"](layers_of(a), trace_of(a, y), F, delta_L),
    "difference_target_propagation": lambda F, a, y, delta_L: SIGNALS["dtp"](layers_of(a), trace_of(a, y), F, delta_L),
    "kolen_pollack": lambda R, F, a, delta_L: SIGNALS["kp"](layers_of(a, R=R), trace_of(a), F, delta_L),
    "sign_symmetry": lambda W, R, a, delta_L: SIGNALS["ss"](layers_of(a, W, R), trace_of(a), delta_L),
    "node_perturbation": perturbation(SIGNALS["node"]),
    "activity_perturbation": perturbation(SIGNALS["activity"]),
    "step": FastPath().step,
    "train": FastPath().train,
}
"""Every function that has known answers."""

"""Algorithm 1 put together from parts, so that the kit can replace one by a faulty one and see what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from copi_np import rules
from copi_np.arrays import NDArray
from copi_np.conformance.signals import SIGNALS, carry_back, hidden_signal, leaky_relu
from copi_np.error_signals import ETA_INVERSE

Parts = Mapping[str, Callable[..., Any]]


def adam_update(memory: dict[str, Any], dW: NDArray) -> NDArray:
    """Return Adam's move in units of the step size; `memory` holds its running means."""
    memory["t"] = memory.get("t", 0) + 1
    memory["mean"] = 0.9 * memory.get("mean", 0.0) + 0.1 * dW
    memory["square"] = 0.99 * memory.get("square", 0.0) + 0.01 * dW**2
    mean, square = memory["mean"] / (1 - 0.9 ** memory["t"]), memory["square"] / (1 - 0.99 ** memory["t"])
    return np.asarray(mean / (np.sqrt(square) + 1e-8))


def momentum_update(memory: dict[str, Any], dW: NDArray) -> NDArray:
    """Return the move of gradient descent with momentum."""
    memory["move"] = 0.9 * memory.get("move", 0.0) + dW
    return np.asarray(memory["move"])


SIGNAL_OF: Final = {
    "bp": "backpropagation",
    "fa": "feedback_alignment",
    "dfa": "direct_feedback_alignment",
    "tp": "target_propagation",
    "dtp": "difference_target_propagation",
}
"""The function of each error signal that steps have known answers of."""
PARTS: Final[Parts] = MappingProxyType(
    {
        "decorrelate": rules.decorrelate,
        "transform": rules.transform,
        "leaky_relu": leaky_relu,
        **{name: SIGNALS[name] for name in ("output_signal", "reconstruction_update", *SIGNAL_OF.values())},
        "carry_back": carry_back,
        "hidden_signal": hidden_signal,
        "copi_update": rules.copi_update,
        "sgd_update": rules.sgd_update,
        "adam_update": adam_update,
        "momentum_update": momentum_update,
        "decorrelation_update": rules.decorrelation_update,
        "local_decorrelation_update": rules.local_decorrelation_update,
        "rates": lambda eta_W, eta_R: (eta_W, eta_R),
        "rows": lambda x, y, a, delta: (x, x, a + delta),
        "order": lambda: "together",
        "batches": lambda n: range(n),
    }
)
"""What a step is made of. `rows` returns what the updates see: x for W, x for R, and z."""


class Learner:
    """Algorithm 1 on lists of weights, by these settings and of these parts.

    Parameters
    ----------
    settings : mapping          rule, error_signal and decorrelation
    parts : mapping             `PARTS`, or with a fault in one of them
    """

    def __init__(self, settings: Mapping[str, Any], parts: Parts = PARTS) -> None:
        self.settings = settings
        self.parts = parts
        self.memories: dict[int, dict[str, Any]] = {}

    def step(self, W: Any, R: Any, *rest: Any, eta_W: float, eta_R: float) -> list[Any]:
        """Return new W and R, and F if it learns; the rest are y0 and targets, after F if signals need feedback."""
        *feedback, y0, targets = rest
        parts, W, R = self.parts, list(W), list(R)
        eta_W, eta_R = parts["rates"](eta_W, eta_R)
        ys, xs, activations = [y0], [], []
        for k in range(len(W)):
            xs.append(parts["decorrelate"](R[k], ys[-1]))
            activations.append(parts["transform"](W[k], xs[-1]))
            ys.append(parts["leaky_relu"](activations[-1]))
        delta = parts["output_signal"](activations[-1], ys[-1], targets)
        deltas = self._others(W, R, feedback, activations, ys[1:], delta)
        order = parts["order"]()
        for k in reversed(range(len(W))):
            W_before, R_before = W[k], R[k]
            if deltas is not None:
                delta = deltas[k]
            x_W, x_R, z = parts["rows"](xs[k], ys[k], activations[k], delta)
            R[k] = R[k] + eta_R * self._lateral(R[k], x_R)
            if order == "R first":
                x_W = parts["decorrelate"](R[k], ys[k])
                z = parts["transform"](W[k], x_W) + delta
            W[k] = W[k] + eta_W * self._forward(k, W[k], x_W, z, delta)
            if k and deltas is None:
                W_back = W[k] if order == "back through both" else W_before
                R_back = R[k] if order in ("back through both", "back through R") else R_before
                carried = parts["carry_back"](W_back, R_back, delta)
                delta = parts["hidden_signal"](activations[k - 1], ys[k], carried)
        return [W, R, *self._feedback(feedback, ys)]

    def train(self, W: Any, R: Any, *rest: Any, eta_W: float, eta_R: float, batch_size: int) -> list[Any]:
        """Return the same after one epoch, whose batches are taken in order."""
        *feedback, y0, targets = rest
        learned: list[Any] = []
        for batch in self.parts["batches"](len(y0) // batch_size):
            rows = slice(batch * batch_size, (batch + 1) * batch_size)
            W, R, *learned = self.step(W, R, *feedback, y0[rows], targets[rows], eta_W=eta_W, eta_R=eta_R)
            feedback = learned or feedback
        return [W, R, *learned]

    def _others(self, W: Any, R: Any, feedback: Sequence[Any], a: Any, y: Any, delta: NDArray) -> Any:
        """Return the deltas of all layers, or None for backpropagation by its parts."""
        name = SIGNAL_OF[self.settings["error_signal"]]
        if name == "backpropagation":  # by its parts, unless it was replaced as a whole
            return None if self.parts[name] is PARTS[name] else self.parts[name](W, R, a, delta)
        states = (a, y) if "target" in name else (a,)
        return self.parts[name](*feedback, *states, delta)

    def _feedback(self, feedback: Sequence[Any], ys: Sequence[NDArray]) -> list[Any]:
        """Return new feedback matrices in a list, or nothing if they do not learn."""
        if self.settings["error_signal"] not in ("tp", "dtp"):
            return []
        update = self.parts["reconstruction_update"]
        return [[F + ETA_INVERSE * update(F, ys[k + 2], ys[k + 1]) for k, F in enumerate(feedback[0])]]

    def _forward(self, k: int, W: NDArray, x: NDArray, z: NDArray, delta: NDArray) -> NDArray:
        rule = self.settings["rule"]
        if rule == "copi":
            return np.asarray(self.parts["copi_update"](W, x, z))
        dW = self.parts["sgd_update"](x, delta)
        if rule == "sgd":
            return np.asarray(dW)
        return np.asarray(self.parts[f"{rule}_update"](self.memories.setdefault(k, {}), dW))

    def _lateral(self, R: NDArray, x: NDArray) -> Any:
        form = self.settings["decorrelation"]
        if form == "none":
            return 0.0
        return self.parts["decorrelation_update" if form == "matrix" else "local_decorrelation_update"](R, x)

"""Algorithm 1 put together from parts, so that the kit can replace one by a faulty one and see what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from copi_np import rules
from copi_np.arrays import NDArray
from copi_np.conformance.reference import (
    carry_back,
    difference_target_propagation,
    direct_feedback_alignment,
    feedback_alignment,
    hidden_signal,
    leaky_relu,
    output_signal,
    target_propagation,
)

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


PARTS: Final[Parts] = MappingProxyType(
    {
        "decorrelate": rules.decorrelate,
        "transform": rules.transform,
        "leaky_relu": leaky_relu,
        "output_signal": output_signal,
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
        """Return new W and R from one batch; the rest are y0 and targets, after F if signals need feedback."""
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
        return [W, R]

    def train(self, W: Any, R: Any, *rest: Any, eta_W: float, eta_R: float, batch_size: int) -> list[Any]:
        """Return new W and R after one epoch, whose batches are taken in order."""
        *feedback, y0, targets = rest
        for batch in self.parts["batches"](len(y0) // batch_size):
            rows = slice(batch * batch_size, (batch + 1) * batch_size)
            W, R = self.step(W, R, *feedback, y0[rows], targets[rows], eta_W=eta_W, eta_R=eta_R)
        return [W, R]

    def _others(self, W: Any, R: Any, feedback: Sequence[Any], a: Any, y: Any, delta: NDArray) -> Any:
        """Return the deltas of an error signal that needs feedback, or None for backpropagation by its parts."""
        if "backpropagation" in self.parts:
            return self.parts["backpropagation"](W, R, a, delta)
        match self.settings["error_signal"]:
            case "fa":
                return feedback_alignment(feedback[0], a, delta)
            case "dfa":
                return direct_feedback_alignment(feedback[0], a, delta)
            case "tp":
                return target_propagation(feedback[0], a, y, delta)
            case "dtp":
                return difference_target_propagation(feedback[0], a, y, delta)
        return None

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

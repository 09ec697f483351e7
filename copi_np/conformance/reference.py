"""The right answers on any input: the equations of this package, under the names and arguments of the known answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from copi_np import family, rules
from copi_np.activations import ACTIVATIONS
from copi_np.conformance.signals import SIGNALS
from copi_np.losses import LOSSES


def _of(module: Any) -> dict[str, Callable[..., Any]]:
    """Return the public functions of a module."""
    return {
        name: f for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__ and callable(f)
    }


REFERENCE: Final[dict[str, Callable[..., Any]]] = {
    **_of(rules),
    **_of(family),
    **{name: activation.f for name, activation in ACTIVATIONS.items()},
    **{f"{name}_derivative": activation.df for name, activation in ACTIVATIONS.items()},
    **{name: loss.values for name, loss in LOSSES.items()},
    **{f"{name}_gradient": loss.gradient for name, loss in LOSSES.items()},
    **SIGNALS,
}
"""The right function for every name that has known answers, but for steps."""

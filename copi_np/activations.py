"""Activation functions y = f(a), each with its derivative df(a) (Section 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from array_api_compat import array_namespace

from copi_np.arrays import Array


class Activation(NamedTuple):
    """An activation function and its derivative, both elementwise.

    For your own, pass ``Activation("softplus", f, df)`` wherever a built-in name is accepted.
    """

    name: str
    f: Callable[[Array], Array]
    """Maps pre-activations (B, O) to outputs (B, O)."""
    df: Callable[[Array], Array]
    """Maps pre-activations (B, O) to the derivative of f there, (B, O)."""


LEAK = 0.1
"""Slope of the leaky ReLU for negative input."""


def leaky_relu(a: Array) -> Array:
    """Return the leaky ReLU of a: a where a > 0, else ``LEAK * a``."""
    return array_namespace(a).maximum(a, LEAK * a)  # `where` takes five times as long if signs are random


def leaky_relu_derivative(a: Array) -> Array:
    """Return 1 where a > 0, else ``LEAK``: at the kink, the derivative from the left."""
    xp = array_namespace(a)
    return LEAK + (1 - LEAK) * xp.astype(a > 0, a.dtype)


def relu(a: Array) -> Array:
    """Return a where a > 0, else 0."""
    xp = array_namespace(a)
    return xp.maximum(a, xp.zeros_like(a))


def relu_derivative(a: Array) -> Array:
    """Return 1 where a > 0, else 0."""
    xp = array_namespace(a)
    return xp.astype(a > 0, a.dtype)


def tanh(a: Array) -> Array:
    """Return the hyperbolic tangent of a."""
    return array_namespace(a).tanh(a)


def tanh_derivative(a: Array) -> Array:
    """Return 1 - tanh(a)^2."""
    return 1 - tanh(a) ** 2


def linear(a: Array) -> Array:
    """Return a itself."""
    return a


def linear_derivative(a: Array) -> Array:
    """Return 1 everywhere."""
    return array_namespace(a).ones_like(a)


ACTIVATIONS = {
    "leaky_relu": Activation("leaky_relu", leaky_relu, leaky_relu_derivative),
    "relu": Activation("relu", relu, relu_derivative),
    "tanh": Activation("tanh", tanh, tanh_derivative),
    "linear": Activation("linear", linear, linear_derivative),
}

"""COPI, ported line by line from the paper: what the conformance kit is tried on.

It shares no code with the package. `load_port` turns it from NumPy to PyTorch or JAX, by the few lines that differ.
"""

from __future__ import annotations

import numpy as np

settings = {"rule": "copi", "error_signal": "bp", "decorrelation": "matrix"}


def asarray(array):
    return np.array(array)


def to_numpy(array):
    return array


def mean_square(x):
    return (x * x).mean(0)


def decorrelate(R, y):
    return y @ R.T


def transform(W, x):
    return x @ W.T


def leaky_relu(a):
    return np.where(a > 0, a, 0.1 * a)


def leaky_relu_derivative(a):
    return np.where(a > 0, 1.0, 0.1)


def quadratic_gradient(y, targets):
    return 2 * (y - targets)


def copi_update(W, x, z):
    return z.T @ x / len(x) - W * mean_square(x)


def sgd_update(x, delta):
    return delta.T @ x / len(delta)


def decorrelation_update(R, x):
    return -(x.T @ (x @ R) / len(x) - mean_square(x)[:, None] * R)


def local_decorrelation_update(R, x):
    q = x @ R.T
    return -(q.T @ x / len(x) - R * mean_square(x))


def output_signal(a, y, targets):
    return -leaky_relu_derivative(a) * quadratic_gradient(y, targets)


def backpropagation(W, R, a, delta_L):
    deltas = [delta_L]
    for k in reversed(range(len(a) - 1)):
        carried = deltas[0] @ W[k + 1] @ R[k + 1]
        deltas.insert(0, leaky_relu_derivative(a[k]) * carried)
    return deltas


def forward(W, R, y0):
    y, xs, activations = y0, [], []
    for W_k, R_k in zip(W, R, strict=True):
        x = decorrelate(R_k, y)
        a = transform(W_k, x)
        y = leaky_relu(a)
        xs.append(x)
        activations.append(a)
    return xs, activations, y


def step(W, R, y0, targets, eta_W, eta_R):
    xs, a, y = forward(W, R, y0)
    deltas = backpropagation(W, R, a, output_signal(a[-1], y, targets))
    rows = list(zip(W, R, xs, a, deltas, strict=True))
    W_new = [W_k + eta_W * copi_update(W_k, x, a_k + delta) for W_k, _, x, a_k, delta in rows]
    R_new = [R_k + eta_R * decorrelation_update(R_k, x) for _, R_k, x, _, _ in rows]
    return W_new, R_new


def train(W, R, y0, targets, eta_W, eta_R, batch_size):
    for start in range(0, len(y0), batch_size):
        rows = slice(start, start + batch_size)
        W, R = step(W, R, y0[rows], targets[rows], eta_W, eta_R)
    return W, R


def adam(dW, mean, square, t):
    mean = 0.9 * mean + 0.1 * dW
    square = 0.99 * square + 0.01 * dW * dW
    direction = mean / (1 - 0.9**t)
    return direction / ((square / (1 - 0.99**t)) ** 0.5 + 1e-8), mean, square


def train_by_adam(W, R, y0, targets, eta_W, eta_R, batch_size):
    means, squares = [0 * W_k for W_k in W], [0 * W_k for W_k in W]
    for t, start in enumerate(range(0, len(y0), batch_size), 1):
        xs, a, y = forward(W, R, y0[start : start + batch_size])
        delta_L = output_signal(a[-1], y, targets[start : start + batch_size])
        deltas = backpropagation(W, R, a, delta_L)
        moved = []
        for k, (x, delta) in enumerate(zip(xs, deltas, strict=True)):
            move, means[k], squares[k] = adam(sgd_update(x, delta), means[k], squares[k], t)
            moved.append(W[k] + eta_W * move)
        W = moved
    return W, R


by_adam = {
    "train": train_by_adam,
    "settings": {"rule": "adam", "decorrelation": "none"},
    "asarray": asarray,
    "to_numpy": to_numpy,
}

"""More independent oracles: the equations beyond the paper, as loops over synapses and samples, in float64."""

from __future__ import annotations

import numpy as np
from oracles import LOSS, double, off, over_synapses, second_moment, sgd


def mean_squares(x):
    """Return the mean of x_j^2 over the samples, unit by unit."""
    (x,) = double(x)
    return np.array([sum(row[j] ** 2 for row in x) / len(x) for j in range(x.shape[1])])


def kappa_decorrelation(R, x, kappa):
    """Every row i of R: -sum_k c_ik r_kj (1 - kappa) over k other than i, and -kappa (c_ii - 1) r_ij."""
    R, x = double(R, x)
    C = second_moment(x)
    return -((1 - kappa) * off(C) + kappa * np.diag(np.diag(C) - 1)) @ R


def kappa_forward(W, x, a, delta, kappa):
    """delta_i x_j + (1 - kappa) a_i x_j - (1 - 2 kappa) w_ij x_j^2 - kappa w_ij."""
    W, x, a, delta = double(W, x, a, delta)

    def value(n, i, j):
        hebb = (delta[n, i] + (1 - kappa) * a[n, i]) * x[n, j]
        return hebb - (1 - 2 * kappa) * W[i, j] * x[n, j] ** 2 - kappa * W[i, j]

    return over_synapses(*W.shape, len(x), value)


def gain_controlled(R, x, y, eta):
    """(g R - eta g R C - R) / eta with g^2 the ratio of the summed squares of y and x."""
    R, x, y = double(R, x, y)
    g = np.sqrt(sum(row @ row for row in y) / sum(row @ row for row in x))
    return (g * R - eta * g * R @ second_moment(x) - R) / eta


def normalised_decorrelation(R, x, damping):
    """Minus the sum over k other than i of c_ik r_kj / (c_kk + damping)."""
    R, x = double(R, x)
    C = second_moment(x)
    return -off(C) @ np.diag(1 / (np.diag(C) + damping)) @ R


def normalised_forward(W, x, z, damping):
    """(z_i x_j - w_ij x_j^2) / (<x_j^2> + damping)."""
    W, x, z = double(W, x, z)
    power = mean_squares(x)
    return over_synapses(
        *W.shape, len(x), lambda n, i, j: (z[n, i] * x[n, j] - W[i, j] * x[n, j] ** 2) / (power[j] + damping)
    )


def natural(x, delta, C, damping):
    """<delta x^T> (C + damping I)^-1."""
    C = double(C)[0]
    return sgd(x, delta) @ np.linalg.inv(C + damping * np.eye(len(C)))


def centred_decorrelation(R, x):
    """-off(C) R, without the row of the last input, which is the constant 1."""
    R, x = double(R, x)
    dR = -off(second_moment(x)) @ R
    dR[-1] = 0
    return dR


def foldiak_outputs(L, y):
    """The x of every sample that solves x = y - L x."""
    L, y = double(L, y)
    return np.array([np.linalg.solve(np.eye(len(L)) + L, row) for row in y])


def learned_feedback(network, B, y0, target):
    """Kolen and Pollack: R^T B in place of R^T W^T on the way back; one delta per layer for one sample."""
    _, a, y = network.forward(y0)
    deltas = [-network.df[-1](a[-1]) * 2 * (y[-1] - target)]
    for k in range(len(network.W) - 2, -1, -1):
        deltas.insert(0, np.diag(network.df[k](a[k])) @ network.R[k + 1].T @ B[k] @ deltas[0])
    return deltas


def signs_of_weights(network, y0, target):
    """Sign symmetry: the signs of W R, times the root of the mean square of W R."""
    _, a, y = network.forward(y0)
    deltas = [-network.df[-1](a[-1]) * 2 * (y[-1] - target)]
    for k in range(len(network.W) - 2, -1, -1):
        M = network.W[k + 1] @ network.R[k + 1]
        size = np.sqrt(sum(m**2 for m in M.ravel()) / M.size)
        deltas.insert(0, np.diag(network.df[k](a[k])) @ (size * np.sign(M)).T @ deltas[0])
    return deltas


def perturbed(network, noise, y0, target):
    """Return what noise s_k on the pre-activations changes for one sample: the loss, and every a_k."""
    _, clean, ys = network.forward(y0)
    y, changes = np.asarray(y0, dtype=np.float64), []
    for k, s in enumerate(noise):
        a = network.W[k] @ (network.R[k] @ y) + s
        changes.append(a - clean[k])
        y = network.f[k](a)
    loss = LOSS[network.loss]
    return loss(y, target) - loss(ys[-1], target), changes


def node_perturbation(network, noise, y0, target, sigma):
    """-(dL / sigma^2) s_k, one delta per layer for one sample."""
    dL, _ = perturbed(network, noise, y0, target)
    return [-dL / sigma**2 * s for s in noise]


def activity_perturbation(network, noise, y0, target):
    """-sqrt(N) (dL / |da|^2) da_k with da of all N units, one delta per layer for one sample."""
    dL, changes = perturbed(network, noise, y0, target)
    every = np.concatenate(changes)
    return [-np.sqrt(len(every)) * dL / (every @ every) * da for da in changes]

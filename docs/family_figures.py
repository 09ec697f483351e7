"""The figures of Theorems 13 to 16 and 19; `theory_figures.py` makes them, with the others."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from copi_np import Network, load_dataset
from copi_np.analysis import alignment_angles, decorrelation_path, natural_cosines
from copi_np.datasets import as_float, one_hot
from copi_np.error_signals import backpropagation, output_signal
from copi_np.family import (
    gain_controlled_update,
    kappa_decorrelation_update,
    normalised_decorrelation_update,
)
from copi_np.more_signals import activity_perturbation, node_perturbation
from copi_np.plotting import FIGURE_WIDTH, looks
from copi_np.rules import decorrelation_update, sgd_update
from copi_np.whitening import hadamard_defect, off_diagonal, second_moment

Measured = dict[str, Any]
Array = np.ndarray[Any, np.dtype[np.float64]]


def axes_of(n: int) -> tuple[Figure, list[Any]]:
    """Return a figure with n panels side by side."""
    figure = Figure(figsize=(min(4.2 * n, FIGURE_WIDTH), 3.4), layout="constrained")
    return figure, list(figure.subplots(1, n, squeeze=False)[0])


def batch_of(sigma: Array) -> Array:
    """Return a batch whose second moments are sigma."""
    return np.sqrt(len(sigma)) * np.linalg.cholesky(sigma).T


def kappa_and_gain() -> tuple[Figure, Measured]:
    """Theorem 13: variances and covariances of 100 equally correlated inputs, while R learns by each rule."""
    n, eta, n_steps = 100, 0.01, 300
    y = batch_of(0.25 * (0.5 * np.ones((n, n)) + 0.5 * np.eye(n)))
    rules: dict[str, Any] = {
        f"$\\kappa$ = {kappa}": partial(kappa_decorrelation_update, kappa=kappa) for kappa in (0.0, 0.1, 0.52, 1.0)
    }
    rules["gain-controlled"] = gain_controlled_update
    figure, (variances, covariances) = axes_of(2)
    measured = {}
    for (name, rule), look in zip(rules.items(), looks(len(rules), n_steps), strict=True):
        moments = [second_moment(y @ R.T) for R in decorrelation_path(y, eta, n_steps, rule)]
        variance = [float(np.mean(np.diag(C))) for C in moments]
        covariance = [float(np.abs(off_diagonal(C)).sum()) / (n * (n - 1)) for C in moments]
        variances.plot(variance, label=name, **look)
        covariances.semilogy(covariance, **look)
        measured[name.replace("$\\kappa$", "kappa")] = {"variance": variance[-1], "covariance": covariance[-1]}
    variances.set(xlabel="step", ylabel="mean variance")
    covariances.set(xlabel="step", ylabel="mean |covariance|")
    figure.legend(loc="outside lower center", ncols=5)
    return figure, measured


def normalised() -> tuple[Figure, Measured]:
    """Theorem 14: the Hadamard defect of inputs whose mean squares span four orders of magnitude."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(6, 8))
    scale = np.logspace(0, -2, 6)
    y = batch_of(A @ A.T / 8 * np.outer(scale, scale))
    largest = float(np.linalg.eigvalsh(second_moment(y))[-1])
    rules: dict[str, Any] = {
        "COPI, at half its bound": (decorrelation_update, 1 / largest),
        "normalised": (partial(normalised_decorrelation_update, damping=0.0), 0.1),
    }
    figure, (axes,) = axes_of(1)
    measured = {}
    for (name, (rule, eta)), look in zip(rules.items(), looks(2, 200), strict=True):
        defect = [float(hadamard_defect(second_moment(y @ R.T))) for R in decorrelation_path(y, eta, 200, rule)]
        axes.semilogy(np.maximum(defect, 1e-12), label=name, **look)
        measured[name] = {"after 50 steps": defect[50], "at first": defect[0]}
    axes.set(xlabel="step", ylabel="Hadamard defect", ylim=(1e-10, None))
    axes.legend()
    return figure, measured


METHODS: dict[str, dict[str, Any]] = {
    "gradient descent": {"rule": "sgd", "decorrelation": None, "eta": 0.01},
    "with decorrelation": {"rule": "sgd", "decorrelation": "matrix", "eta": 0.01},
    "COPI": {"rule": "copi", "decorrelation": "matrix", "eta": 0.01},
    "normalised": {"rule": "normalised", "decorrelation": "normalised", "eta": 0.01},
    "FOOF": {"rule": "foof", "decorrelation": None, "eta": 0.01},
}
"""The methods that Theorem 15 compares, with the step size of both kinds of weights."""


def natural_gradient() -> tuple[Figure, Measured]:
    """Theorem 15: how far each method's step of W R points along the natural step, while a network learns digits."""
    data, rng = load_dataset("mnist-5k"), np.random.default_rng(0)
    inputs, targets = as_float(data.train.inputs, "float64"), one_hot(data.train.labels, 10, "float64")
    batches = [rng.choice(len(inputs), 50, replace=False) for _ in range(400)]
    figure, panels = axes_of(2)
    measured: Measured = {}
    for (name, options), look in zip(METHODS.items(), looks(len(METHODS), 16), strict=True):
        network = Network(
            [784, 100, 10],
            rng=np.random.default_rng(1),
            dtype="float64",
            rule=options["rule"],
            decorrelation=options["decorrelation"],
        )
        measured[name], steps = [], []
        rates = {"eta_W": options["eta"], "eta_R": options["eta"]}
        for k, rows in enumerate(batches):
            if k % 25 == 0:
                measured[name].append(natural_cosines(network, inputs[:1000], targets[:1000], **rates))
                steps.append(k)
            network.step(inputs[rows], targets[rows], **rates)
        for axes, values in zip(panels, np.transpose(measured[name]), strict=True):
            axes.plot(steps, values, label=name if axes is panels[0] else None, **look)
    for k, axes in enumerate(panels, start=1):
        axes.set(xlabel="step", ylabel="cosine with the natural step", title=f"layer {k}")
    figure.legend(loc="outside lower center", ncols=5)
    return figure, {name: {"at first": values[0], "at last": values[-1]} for name, values in measured.items()}


def gradients(network: Network, inputs: Any, targets: Any) -> list[Array]:
    """Return the gradient <delta y^T> of W R in each layer, in float64."""
    trace = network.forward(inputs)
    deltas = network.error_signals(trace, targets)
    return [sgd_update(y, delta).astype(np.float64) for y, delta in zip(trace.y_in, deltas, strict=True)]


def carried_over(step: Array, seen: Array, unseen: Array) -> float:
    """Return which share of what a step gains on the samples it is made from it gains on others too, to first order.

    <step, G'> / <step, G>,     G, G': the gradients of W R on seen and on unseen samples
    """
    return float(np.sum(step * unseen) / np.sum(step * seen))


def generalisation() -> tuple[Figure, Measured]:
    """What steps of the first layer on training digits gain on test digits: by direction, and by damping."""
    data, rng = load_dataset("mnist-5k"), np.random.default_rng(1)
    (inputs, targets), others = (
        (as_float(split.inputs, "float32"), one_hot(split.labels, 10, "float32")) for split in (data.train, data.test)
    )
    network = Network([784, 200, 200, 10], rng=np.random.default_rng(0))
    sigma = second_moment(as_float(data.train.inputs, "float64"))
    values, vectors = (part[..., 784 - 540 :] for part in np.linalg.eigh(sigma))  # the others are of dead pixels
    groups, dampings = np.split(np.arange(540), 9), np.logspace(-3, 1, 9)
    figure, (by_direction, by_damping) = axes_of(2)
    measured: Measured = {}
    for epoch, look in zip(range(5), looks(5), strict=True):
        if epoch % 2 == 0:
            seen, unseen = gradients(network, inputs, targets)[0], gradients(network, *others)[0]
            R = network.layers[0].R.astype(np.float64)
            a, b = seen @ vectors, unseen @ vectors
            shares = [carried_over(a[:, group], a[:, group], b[:, group]) for group in groups]
            natural = [carried_over(a / (values + damping), a, b) for damping in dampings]
            copi = carried_over(seen @ R.T @ R, seen, unseen)
            by_direction.semilogx([np.mean(values[group]) for group in groups], shares, label=f"epoch {epoch}", **look)
            by_damping.semilogx(dampings, natural, **look)
            by_damping.axhline(copi, color=look["color"], linestyle=":")
            known = {"gradient": carried_over(seen, seen, unseen), "COPI": copi, "natural": natural[2]}
            measured[f"epoch {epoch}"] = known | {"smallest": shares[0], "largest": shares[-1], "undamped": natural[0]}
        for rows in np.split(rng.permutation(len(inputs)), len(inputs) // 50):
            eta_W = 1e-3 if epoch else 0.0
            network.step(inputs[rows], targets[rows], eta_W=eta_W, eta_R=1e-3, delta_scale=500)
    by_direction.set(xlabel="eigenvalue of $\\Sigma$", ylabel="share carried over to test digits")
    by_damping.set(xlabel="damping $\\gamma$ of the natural step; dotted: COPI")
    figure.legend(loc="outside lower center", ncols=3)
    return figure, measured


def perturbations() -> tuple[Figure, Measured]:
    """Theorem 16: the angle between a mean over noises and the signal of backpropagation, against their number."""
    network = Network([784, 100, 100, 10], rng=np.random.default_rng(0), dtype="float64")
    data = load_dataset("mnist-5k")
    y0, targets = as_float(data.train.inputs[:20], "float64"), one_hot(data.train.labels[:20], 10, "float64")
    trace = network.forward(y0)
    delta_L = output_signal(network.loss, network.layers[-1].activation, trace.a[-1], trace.y[-1], targets)
    exact = np.concatenate(backpropagation(network.layers, trace, [], delta_L), axis=1)
    figure, (cosine, size) = axes_of(2)
    numbers = [1, 4, 16, 64, 256, 1024, 4096]
    measured: Measured = {}
    for (name, signal), look in zip(
        {"node": node_perturbation, "activity": activity_perturbation}.items(), looks(2), strict=True
    ):
        rng, total, done, values = np.random.default_rng(1), 0.0, 0, []
        for number in numbers:
            noises = number - done
            mean = signal(network.layers, trace, targets, network.loss, rng, sigma=1e-4, n_noises=noises)
            total, done = total + noises * np.concatenate(mean, axis=1), number
            u, v = total / done, exact
            lengths = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
            values.append((np.mean(np.sum(u * v, axis=1) / lengths[0] / lengths[1]), np.mean(lengths[0] / lengths[1])))
        for axes, line in zip((cosine, size), np.transpose(values), strict=True):
            axes.semilogx(numbers, line, label=name if axes is cosine else None, **look)
        measured[name] = {str(number): list(map(float, both)) for number, both in zip(numbers, values, strict=True)}
    cosine.set(xlabel="noises", ylabel="cosine with backpropagation", ylim=(0, 1.02))
    size.set(xlabel="noises", ylabel="length, in units of its", yscale="log")
    figure.legend(loc="outside lower center", ncols=2)
    return figure, measured


def learned_feedback() -> tuple[Figure, Measured]:
    """Theorem 19: angles to backpropagation while a network learns digits by COPI, with each kind of feedback."""
    data, rng = load_dataset("mnist-5k"), np.random.default_rng(0)
    inputs, targets = as_float(data.train.inputs, "float32"), one_hot(data.train.labels, 10, "float32")
    batches = [rng.choice(len(inputs), 50, replace=False) for _ in range(800)]
    figure, (axes,) = axes_of(1)
    measured: Measured = {}
    names = {"kp": "Kolen-Pollack", "ss": "signs", "fa": "feedback alignment"}
    for (kind, name), look in zip(names.items(), looks(len(names), 20), strict=True):
        network = Network([784, 200, 200, 10], rng=np.random.default_rng(1), error_signal=kind)
        angles, steps = [], []
        for k, rows in enumerate(batches):
            if k % 40 == 0:
                angles.append(float(np.mean(alignment_angles(network, inputs[:500], targets[:500]))))
                steps.append(k)
            eta = 0.01 if k < 80 else 0.05
            network.step(inputs[rows], targets[rows], eta_W=eta, eta_R=eta)
        axes.plot(steps, angles, label=name, **look)
        measured[kind] = {"at first": angles[0], "at last": angles[-1]}
    axes.set(xlabel="step", ylabel="mean angle to backpropagation (°)", ylim=(0, None))
    axes.legend()
    return figure, measured


FIGURES = {
    "13-kappa-and-gain": kappa_and_gain,
    "14-normalised": normalised,
    "15-natural-gradient": natural_gradient,
    "15-generalisation": generalisation,
    "16-perturbations": perturbations,
    "19-learned-feedback": learned_feedback,
}

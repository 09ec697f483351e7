"""The figures with settings draw what plain loops compute from the raw inputs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from copi_np import Network
from copi_np.course.animation import animate_cloud, cloud_strip
from copi_np.course.sliders import (
    batch_with,
    decorrelation_figure,
    decorrelation_grid,
    learn,
    learning_rate_figure,
    learning_rate_grid,
    two_inputs,
)


def decorrelated(y, eta_R, n_steps, form="matrix"):
    """R after every step, by the rule written out in loops over weights."""
    R, path = np.eye(2), []
    for _ in range(n_steps + 1):
        path.append(R)
        x = y @ R.T
        C = np.mean(x[:, :, None] * x[:, None, :], axis=0)
        dR = np.zeros((2, 2))
        for i in range(2):
            for j in range(2):
                dR[i, j] = -sum(C[i, k] * R[k, j] for k in range(2) if k != i)
                if form == "local":
                    q = np.mean((x @ R.T)[:, i] * x[:, j])
                    dR[i, j] = -(q - R[i, j] * C[j, j])
        R = R + eta_R * dR
    return path


@pytest.mark.parametrize(("correlation", "eta_R", "form"), [(0.9, 0.1, "matrix"), (-0.5, 0.3, "local")])
def test_the_curves_of_decorrelation_are_second_moments_step_by_step(correlation, eta_R, form):
    y, (cloud, curves) = two_inputs(correlation), decorrelation_figure(correlation, eta_R, 7, form).axes
    path = decorrelated(y, eta_R, 7, form)
    xs = [y @ R.T for R in path]
    expected = {
        "$C_{11}$": [np.mean(x[:, 0] ** 2) for x in xs],
        "$C_{22}$": [np.mean(x[:, 1] ** 2) for x in xs],
        "$C_{12}$": [np.mean(x[:, 0] * x[:, 1]) for x in xs],
    }
    found = {line.get_label(): line for line in curves.get_lines() if line.get_label() in expected}
    assert found.keys() == expected.keys()
    for name, line in found.items():
        assert line.get_xdata().tolist() == list(range(8))
        assert line.get_ydata() == pytest.approx(expected[name])
    assert [text.get_text() for text in curves.texts] == list(expected)
    before, _, after, _ = (line.get_xydata() for line in cloud.get_lines())
    assert before == pytest.approx(y)
    assert after == pytest.approx(xs[-1])
    assert cloud.get_title() == "after 7 steps"


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.5, 0.95])
def test_the_bound_of_the_step_is_that_of_the_raw_inputs(correlation):
    """2 over the larger eigenvalue of [[1.5, c], [c, 0.75]], by the formula for two rows."""
    c = correlation * np.sqrt(1.5 * 0.75)
    largest = (2.25 + np.sqrt(0.75**2 + 4 * c**2)) / 2
    title = decorrelation_figure(correlation, 0.2, 30).axes[1].get_title()
    assert title == rf"$\eta$ = 0.2, $2/\lambda$ = {2 / largest:.2f}"


def test_every_panel_of_the_grid_is_of_its_settings():
    figure = decorrelation_grid((0.2, 0.9), (0.05, 0.1, 0.2), 5)
    for axes, (correlation, eta_R) in zip(
        figure.axes, [(c, eta) for c in (0.2, 0.9) for eta in (0.05, 0.1, 0.2)], strict=True
    ):
        after = axes.get_lines()[2].get_xydata()
        y = two_inputs(correlation)
        assert after == pytest.approx(y @ decorrelated(y, eta_R, 5)[-1].T)
        assert axes.get_title() == f"$\\eta$ = {eta_R:g}\nafter 5 steps"


def learned(eta_W, eta_R, correlation, rule, n_steps):
    """Loss and mean absolute correlation before every step, in plain NumPy."""
    y = batch_with((1 - correlation) * np.eye(5) + correlation, 100)
    targets = y @ np.random.default_rng(1).normal(size=(3, 5)).T
    W = np.array(Network([5, 3], rng=np.random.default_rng(2), dtype="float64").layers[0].W)
    R, losses, correlations = np.eye(5), [], []
    for _ in range(n_steps + 1):
        x = y @ R.T
        C, z = x.T @ x / 100, x @ W.T
        losses.append(np.mean(np.sum((z - targets) ** 2, axis=1)))
        r = C / np.sqrt(np.outer(np.diag(C), np.diag(C)))
        correlations.append(np.mean(np.abs(r[~np.eye(5, dtype=bool)])))
        # COPI moves towards the target, and its weights decay; SGD follows the error
        dW = targets.T @ x / 100 - W * np.diag(C) if rule == "copi" else (targets - z).T @ x / 100
        W, R = W + eta_W * dW, R - eta_R * (C - np.diag(np.diag(C))) @ R
    return losses, correlations


@pytest.mark.parametrize("rule", ["copi", "sgd"])
@pytest.mark.parametrize(("eta_W", "eta_R", "correlation"), [(0.1, 0.05, 0.8), (0.03, 0.0, 0.4)])
def test_learning_is_that_of_plain_numpy(rule, eta_W, eta_R, correlation):
    losses, correlations = learned(eta_W, eta_R, correlation, rule, 12)
    run = learn(eta_W, eta_R, correlation, rule, 12)
    assert run.losses == pytest.approx(losses)
    assert run.correlations == pytest.approx(correlations)
    figure = learning_rate_figure(eta_W, eta_R, correlation, rule, 12)
    for axes, values in zip(figure.axes, (losses, correlations), strict=True):
        (line,) = axes.get_lines()
        assert line.get_xdata().tolist() == list(range(13))
        assert line.get_ydata() == pytest.approx(values)
    assert figure.axes[0].get_title() == f"loss {losses[-1]:.2g}"
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "mean absolute correlation of x"]


def test_the_grid_of_learning_rates_has_a_curve_for_each_pair():
    rates_W, rates_R = (0.01, 0.1), (0.0, 0.01, 0.1)
    figure = learning_rate_grid(rates_W, rates_R, 0.6, 9)
    assert [axes.get_title() for axes in figure.axes] == [rf"$\eta_R$ = {eta_R:g}" for eta_R in rates_R]
    for axes, eta_R in zip(figure.axes, rates_R, strict=True):
        for line, eta_W in zip(axes.get_lines(), rates_W, strict=True):
            assert line.get_label() == rf"$\eta_W$ = {eta_W:g}"
            assert line.get_ydata() == pytest.approx(learned(eta_W, eta_R, 0.6, "copi", 9)[0])


def test_the_strip_shows_clouds_and_correlations_of_its_steps():
    y = two_inputs(0.7)
    path = decorrelated(y, 0.2, 6)
    figure = cloud_strip(y, path, [0, 3, 6])
    for axes, step in zip(figure.axes, (0, 3, 6), strict=True):
        x = y @ path[step].T
        r = np.sum(x[:, 0] * x[:, 1]) / np.sqrt(np.sum(x[:, 0] ** 2) * np.sum(x[:, 1] ** 2))
        assert axes.get_title() == f"step {step}\ncorrelation {r:.2f}"
        assert axes.get_lines()[0].get_xydata() == pytest.approx(x)
        (arrows,) = axes.collections
        assert np.array([arrows.U, arrows.V]) == pytest.approx(path[step])
        assert axes.get_xlim()[1] == pytest.approx(3 * np.sqrt(1.5))


def test_an_animation_tells_the_correlations_at_its_ends():
    y = two_inputs(0.7)
    path = decorrelated(y, 0.2, 6)
    ends = []
    for R in (path[1], path[5]):
        x = y @ R.T
        ends.append(np.sum(x[:, 0] * x[:, 1]) / np.sqrt(np.sum(x[:, 0] ** 2) * np.sum(x[:, 1] ** 2)))
    description = animate_cloud(y, path, [1, 3, 5]).description
    assert re.search(r"from ([\d.]+) to ([\d.]+)\.$", description).groups() == tuple(f"{end:.2f}" for end in ends)

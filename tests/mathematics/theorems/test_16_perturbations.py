"""Theorem 16. Noise instead of a backward pass: what the signals of perturbation learning are on average.

Let s ~ N(0, sigma^2) be the noise of all N units, delta the signals of backpropagation in one vector, and J the
derivative of all pre-activations in s: da = J s, with identities on its diagonal and the paths from below beneath it.
As sigma becomes small, (a) the mean of node perturbation is delta; its error falls as 1/sqrt(K) with K noises, and does
not change if two noisy passes are compared. (b) The mean of activity perturbation is

    sqrt(N) J M delta,      M = E[s s^T / |J s|^2] = V diag(m) V^T,
                            m_i = integral over t > 0 of prod_j (1 + 2 l_j t)^(-1/2) / (1 + 2 l_i t)

where J^T J = V diag(l) V^T. It does not depend on sigma. (c) With a single layer J = I, and it is delta / sqrt(N). With
several it is not parallel to delta, not even in the first layer, though nearly so; roughly layer k has
sqrt(N) K_k delta_k / sum_m tr K_m, K_k = Cov(da_k) / sigma^2. (d) For any noise it goes downhill if the change of the
loss is linear: its product with the noise's effect has the sign of -dL.

Proof. The loss changes by dL = -delta^T s. (a) E[s s^T] = sigma^2 I. (b) The mean of -dL da / |da|^2 is J E[s s^T /
|J s|^2] delta; in the basis V the signs of the s_i are independent, so only the diagonal remains, and 1 / q is the
integral of exp(-q t). (c) J = I gives m_i = 1/N for all i.                          Not in the paper; arXiv 2310.00965.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from scipy.integrate import quad
from strategies import SEEDS

from copi_np import Network, more_signals
from copi_np.error_signals import backpropagation, output_signal
from copi_np.more_signals import activity_perturbation, node_perturbation, noisy_pass

SIGNALS = {"node": node_perturbation, "activity": activity_perturbation}


class Setting:
    """A network in float64, one sample repeated, and its signals of backpropagation."""

    def __init__(self, sizes=(4, 6, 3), n_rows=1, seed=0, loss="quadratic"):
        rng = np.random.default_rng(seed)
        self.network = Network(sizes, rng=rng, dtype="float64", activation="tanh", loss=loss)
        for layer in self.network.layers:
            layer.R = np.eye(layer.n_inputs) + 0.2 * rng.normal(size=(layer.n_inputs, layer.n_inputs))
        y0, targets = rng.normal(size=(1, sizes[0])), np.eye(sizes[-1])[:1]
        self.targets = np.repeat(targets, n_rows, axis=0)
        self.trace = self.network.forward(np.repeat(y0, n_rows, axis=0))
        output = self.network.layers[-1]
        delta_L = output_signal(self.network.loss, output.activation, self.trace.a[-1], self.trace.y[-1], self.targets)
        self.bp = backpropagation(self.network.layers, self.trace, [], delta_L)

    @property
    def arguments(self):
        return self.network.layers, self.trace, self.targets, self.network.loss

    def mean(self, signal, rng=0, **options):
        """The mean of a signal over the rows, with noise for each, in one vector."""
        deltas = SIGNALS[signal](*self.arguments, np.random.default_rng(rng), **options)
        return np.concatenate([delta.mean(axis=0) for delta in deltas])

    @property
    def delta(self):
        return np.concatenate([delta[0] for delta in self.bp])

    def jacobian(self):
        """J (N, N), by passing small noise of one unit at a time."""
        sizes = [a.shape[1] for a in self.trace.a]
        columns = []
        for unit in range(sum(sizes)):
            s = np.split(1e-6 * np.eye(sum(sizes))[unit], np.cumsum(sizes)[:-1])
            da, _ = noisy_pass(self.network.layers, self.trace, [np.tile(part, (len(self.targets), 1)) for part in s])
            columns.append(np.concatenate([change[0] for change in da]) / 1e-6)
        return np.array(columns).T


def cosine(u, v):
    return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


@pytest.mark.parametrize("sizes", [(3, 4), (4, 6, 3), (3, 5, 4, 2)])
@pytest.mark.parametrize("loss", ["quadratic", "cross_entropy"])
def test_a_the_mean_of_node_perturbation_is_backpropagation(sizes, loss, monkeypatch):
    """Over noise of one unit at a time, sigma sqrt(N) e_i, whose covariance is sigma^2 I: no chance is involved."""
    n_units = sum(sizes[1:])
    setting = Setting(sizes, n_rows=n_units, loss=loss)
    rows = np.split(1e-5 * np.sqrt(n_units) * np.eye(n_units), np.cumsum(sizes[1:])[:-1], axis=1)
    monkeypatch.setattr(more_signals, "draw_noise", lambda trace, sigma, rng: rows)
    assert_near(setting.mean("node", sigma=1e-5), setting.delta, size=1.0, ulps=1e12)  # 2e-4, of derivatives


@pytest.mark.parametrize("two_noisy", [False, True])
def test_a_its_error_falls_with_the_root_of_the_number_of_noises(two_noisy):
    """Means of 64 repetitions each: 16 times as many noises, a quarter of the error."""

    def error(n_rows, n_noises):
        means = [
            Setting(n_rows=n_rows).mean("node", rng=k, sigma=1e-4, n_noises=n_noises, two_noisy=two_noisy)
            for k in range(64)
        ]
        return np.sqrt(np.mean((np.array(means) - Setting().delta) ** 2))

    few = error(100, 1)
    assert error(1600, 1) / few == pytest.approx(1 / 4, rel=0.15)
    assert error(100, 16) / few == pytest.approx(1 / 4, rel=0.15)  # rows or noises are the same
    # one sample: the variance of -(dL / sigma^2) s_i is |delta|^2 + delta_i^2
    delta = Setting().delta
    assert few == pytest.approx(np.sqrt(np.mean((delta @ delta + delta**2) / 100)), rel=0.1)


def exact_mean(J, delta):
    """sqrt(N) J M delta, with the integral of each eigenvalue by quadrature."""
    values, V = np.linalg.eigh(J.T @ J)

    def m(i):
        return quad(lambda t: np.prod((1 + 2 * values * t) ** -0.5) / (1 + 2 * values[i] * t), 0, np.inf)[0]

    M = (V * [m(i) for i in range(len(values))]) @ V.T
    return np.sqrt(len(delta)) * J @ M @ delta


@pytest.mark.parametrize("two_noisy", [False, True])
@pytest.mark.parametrize("sizes", [(4, 6, 3), (3, 4, 4, 2)])
def test_b_the_mean_of_activity_perturbation(sizes, two_noisy):
    """Over 200,000 noises, as near as chance allows; at one thousandth of the noise, too."""
    setting = Setting(sizes, n_rows=200_000)
    expected = exact_mean(Setting(sizes).jacobian(), setting.delta)
    for sigma in (1e-3, 1e-6):
        found = setting.mean("activity", sigma=sigma, two_noisy=two_noisy)
        assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)


@given(seed=SEEDS, n_outputs=st.integers(1, 6))
def test_c_a_single_layer_has_the_same_direction(seed, n_outputs):
    delta = Setting((4, n_outputs), seed=seed).delta
    assert_near(exact_mean(np.eye(n_outputs), delta), delta / np.sqrt(n_outputs), size=1.0, ulps=1e9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_c_with_two_layers_it_is_nearly_parallel_and_smaller(seed):
    setting = Setting((4, 8, 3), seed=seed)
    J, delta = setting.jacobian(), setting.delta
    mean = exact_mean(J, delta)
    covariance = J @ J.T
    roughly = np.sqrt(11) * np.concatenate([covariance[:8, :8] @ delta[:8], covariance[8:, 8:] @ delta[8:]])
    roughly /= np.trace(covariance)
    sizes = []
    for layer in (slice(0, 8), slice(8, 11)):
        assert 0.9 < cosine(mean[layer], delta[layer]) < 1 - 1e-6
        sizes.append(np.linalg.norm(mean[layer]) / np.linalg.norm(delta[layer]))
        assert np.linalg.norm(mean[layer]) / np.linalg.norm(roughly[layer]) == pytest.approx(1, abs=0.35)
    assert max(sizes) < 0.9
    assert sizes[0] < sizes[1]


@given(seed=SEEDS)
def test_d_a_single_activity_perturbation_points_downhill(seed):
    """da times its signal, summed over units, is -sqrt(N) dL."""
    setting = Setting(seed=0, n_rows=5)
    noises = []
    draw = more_signals.draw_noise
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(more_signals, "draw_noise", lambda *args: noises.append(draw(*args)) or noises[-1])
        signals = activity_perturbation(*setting.arguments, np.random.default_rng(seed), sigma=0.3)
    da, y = noisy_pass(setting.network.layers, setting.trace, noises[0])
    loss, targets = setting.network.loss, setting.targets
    dL = loss.values(y, targets) - loss.values(setting.trace.y[-1], targets)
    work = sum(np.sum(change * signal, axis=1) for change, signal in zip(da, signals, strict=True))
    assert_near(work, -np.sqrt(9) * dL, size=10.0)


def test_the_noisy_pass_is_a_pass_with_noise():
    """Against a loop over layers, which adds the noise to every pre-activation."""
    setting, rng = Setting(), np.random.default_rng(3)
    noise = [0.3 * rng.normal(size=a.shape) for a in setting.trace.a]
    changes, y = noisy_pass(setting.network.layers, setting.trace, noise)
    states = setting.trace.y0
    for k, layer in enumerate(setting.network.layers):
        a = states @ layer.R.T @ layer.W.T + noise[k]
        assert_near(changes[k], a - setting.trace.a[k], size=10.0)
        states = layer.activation.f(a)
    assert_near(y, states, size=10.0)


def test_every_network_draws_its_own_noise_and_repeats_it():
    deltas = []
    for seed in (0, 0, 1):
        network = Network([4, 6, 3], rng=np.random.default_rng(seed), error_signal="node", dtype="float64")
        trace = network.forward(np.ones((2, 4)))
        deltas.append(network.error_signals(trace, np.eye(3)[:2])[0])
    np.testing.assert_array_equal(deltas[0], deltas[1])
    assert np.abs(deltas[0] - deltas[2]).max() > 1e-3
    rng = np.random.default_rng(0)
    signal = partial(node_perturbation, *Setting().arguments)
    assert np.abs(signal(rng)[0] - signal(rng)[0]).max() > 1e-3

"""The equations of the family around COPI against loops over units, and the steps that networks take by them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near, off, second_moment
from strategies import FAMILY_AXES, SEEDS, family_function, forward_passes, lateral_passes

from copi_np import InputError, Network, family, load_network, save_network
from copi_np.analysis import decorrelation_path
from copi_np.steps import FORWARD_FAMILY, LATERAL_FAMILY, NaturalStep
from copi_np.whitening import mean_absolute_correlation

LENGTH_OF = {"B": 6, "I": 3, "O": 4}


def example(words, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=[LENGTH_OF[letter] for letter in word]).astype(dtype) for word in words.split()]


# ------------------------------------------------------------------------------------------------------- equations


def test_every_public_equation_is_in_the_table():
    public = {name for name, f in vars(family).items() if getattr(f, "__module__", "") == family.__name__}
    assert public == set(FAMILY_AXES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FAMILY_AXES)
def test_results_have_the_shape_and_dtype_of_the_weights_and_nothing_is_changed(name, dtype):
    arguments = example(FAMILY_AXES[name], dtype)
    for argument in arguments:
        argument.flags.writeable = False
    result = family_function(name)(*arguments)
    shape = {"natural_update": (4, 3), "foldiak_decorrelate": (6, 3)}.get(name, arguments[0].shape)
    assert (result.shape, result.dtype) == (shape, np.dtype(dtype))


@pytest.mark.parametrize(
    ("name", "k"), [(name, k) for name, words in FAMILY_AXES.items() for k in range(len(words.split()))]
)
def test_arguments_that_do_not_fit_are_refused(name, k):
    arguments = example(FAMILY_AXES[name])
    arguments[k] = np.ones(tuple(n + 1 for n in arguments[k].shape))
    with pytest.raises(InputError, match="do not fit"):
        family_function(name)(*arguments)


@given(forward_passes(st.just(np.float64)), st.floats(0, 1))
def test_kappa_update_by_loops(forward, kappa):
    """dw_ij = <delta_i x_j> + (1 - kappa) <a_i x_j> - (1 - 2 kappa) w_ij <x_j^2> - kappa w_ij."""
    W, x, a, delta = forward
    expected = np.empty(W.shape)
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            hebb = np.mean([(d[i] + (1 - kappa) * p[i]) * v[j] for d, p, v in zip(delta, a, x, strict=True)])
            expected[i, j] = hebb - W[i, j] * ((1 - 2 * kappa) * np.mean(x[:, j] ** 2) + kappa)
    size = (1 + np.max(np.abs(x))) ** 2 * (1 + np.max(np.abs(W))) + np.max(np.abs(x)) * np.max(
        np.abs(a) + np.abs(delta)
    )
    assert_near(family.kappa_update(W, x, a, delta, kappa), expected, size)


@given(lateral_passes(st.just(np.float64)), SEEDS, st.sampled_from([0.01, 0.3]))
def test_a_gain_controlled_step_by_loops(passes, seed, eta):
    R, x = passes
    x = x + 0.1
    y = np.random.default_rng(seed).normal(size=x.shape)
    gain = np.sqrt(sum(np.sum(row**2) for row in y) / sum(np.sum(row**2) for row in x))
    expected = gain * R - eta * gain * R @ second_moment(x)
    moved = R + eta * family.gain_controlled_update(R, x, y, eta)
    assert_near(moved, expected, (1 + gain) * len(R) * (1 + np.max(np.abs(R))) * (1 + np.max(x**2)))


@given(lateral_passes(st.just(np.float64)))
def test_centred_leaves_the_row_of_the_constant(passes):
    R, x = passes
    x = np.hstack([x[:, :-1], np.ones((len(x), 1))])
    expected = -off(second_moment(x)) @ R
    expected[-1] = 0
    assert_near(family.centred_decorrelation_update(R, x), expected, len(R) * np.max(np.abs(R)) * (1 + np.max(x**2)))


def test_centred_is_what_layers_with_biases_learn_by():
    network = Network([3, 2], rng=np.random.default_rng(0), bias=True, dtype="float64")
    y0, targets = np.random.default_rng(1).normal(size=(8, 3)) + 1, np.ones((8, 2))
    for _ in range(3):
        R, x = network.layers[0].R.copy(), network.forward(y0).x[0]
        network.step(y0, targets, eta_W=0.01, eta_R=0.1)
        assert_near(network.layers[0].R, R + 0.1 * family.centred_decorrelation_update(R, x), size=10.0)


@given(SEEDS, st.integers(1, 5))
def test_recurrent_inhibition_settles_at_its_solution(seed, n):
    """x = y - L x, by iteration where that converges; and the update by loops."""
    rng = np.random.default_rng(seed)
    y, L = rng.normal(size=(6, n)), off(rng.uniform(-1, 1, size=(n, n))) / (2 * n)
    x = np.zeros_like(y)
    for _ in range(200):
        x = y - x @ L.T
    assert_near(family.foldiak_decorrelate(L, y), x, size=10.0)
    expected = [[0.0 if i == j else np.mean(x[:, i] * x[:, j]) for j in range(n)] for i in range(n)]
    assert_near(family.foldiak_update(L, x), expected, size=10.0)


def test_foldiaks_rule_rests_where_outputs_are_decorrelated():
    rng = np.random.default_rng(0)
    y, L = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)) / 2, np.zeros((4, 4))
    for _ in range(3000):
        L = L + 0.05 * family.foldiak_update(L, family.foldiak_decorrelate(L, y))
    x = family.foldiak_decorrelate(L, y)
    assert mean_absolute_correlation(second_moment(y)) > 0.3
    assert mean_absolute_correlation(second_moment(x)) < 1e-6
    np.testing.assert_allclose(L, L.T, atol=1e-12)


# ------------------------------------------------------------------------------------------------------- in networks


def network(sizes=(4, 3, 2), **options):
    return Network(sizes, rng=np.random.default_rng(0), dtype="float64", **options)


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(9, 4)), rng.normal(size=(9, 2))


@pytest.mark.parametrize("name", sorted({*FORWARD_FAMILY, *LATERAL_FAMILY}))
def test_names_stand_for_the_equations(name):
    """A step by name is one by the function, and is recorded by name either way."""
    options = {}
    if name in FORWARD_FAMILY:
        options["rule"] = FORWARD_FAMILY[name]
    if name in LATERAL_FAMILY:
        options["decorrelation"] = LATERAL_FAMILY[name]
    named, given = network(**dict.fromkeys(options, name)), network(**options)
    for net in (named, given):
        assert {kind: net.config[kind] for kind in options} == dict.fromkeys(options, name)
        for k in range(4):
            net.step(*batch(k), eta_W=0.01, eta_R=0.02)
    for one, other in zip(named.layers, given.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)
        np.testing.assert_array_equal(one.R, other.R)
    plain = network()
    for k in range(4):
        plain.step(*batch(k), eta_W=0.01, eta_R=0.02)
    assert any(np.abs(one.W - other.W).max() > 1e-6 for one, other in zip(named.layers, plain.layers, strict=True))


def test_another_kappa_is_given_as_a_partial(tmp_path):
    rules = {
        "rule": partial(family.kappa_update, kappa=0.1),
        "decorrelation": partial(family.kappa_decorrelation_update, kappa=0.1),
    }
    net = network(**rules)
    assert net.config["rule"] == "copi_np.family:kappa_update(kappa=0.1)"
    save_network(tmp_path / "net.npz", net)
    loaded, _ = load_network(tmp_path / "net.npz", **rules)
    for each in (net, loaded):
        each.step(*batch(), eta_W=0.01)
    np.testing.assert_array_equal(net.layers[0].W, loaded.layers[0].W)


def test_foof_follows_its_equation_over_many_steps():
    """Against an explicit running mean, whose inverse is renewed at every third step."""
    net = network(rule=NaturalStep(beta=0.8, every=3), decorrelation=None)
    W, C, used = [layer.W.copy() for layer in net.layers], [None, None], [None, None]
    for step in range(8):
        y0, targets = batch(step)
        trace = net.forward(y0)
        deltas = net.error_signals(trace, targets)
        net.step(y0, targets, eta_W=0.05)
        for k, (x, delta) in enumerate(zip(trace.x, deltas, strict=True)):
            now = second_moment(x)
            C[k] = now if C[k] is None else 0.8 * C[k] + 0.2 * now
            used[k] = C[k].copy() if step % 3 == 0 else used[k]
            W[k] = W[k] + 0.05 * family.natural_update(x, delta, used[k])
            assert_near(net.layers[k].W, W[k], size=1e4)


def test_foof_goes_on_from_a_file_as_if_nothing_had_happened(tmp_path):
    net = network(rule="foof", decorrelation=None)
    assert net.config["rule"] == "foof"
    for k in range(12):
        net.step(*batch(k), eta_W=0.01)
    save_network(tmp_path / "net.npz", net)
    loaded, _ = load_network(tmp_path / "net.npz")
    for k in range(12):
        for each in (net, loaded):
            each.step(*batch(k), eta_W=0.01)
    for one, other in zip(net.layers, loaded.layers, strict=True):
        np.testing.assert_array_equal(one.W, other.W)


def test_the_normalised_pair_learns_a_map_of_badly_scaled_inputs_faster_than_copi():
    """Mean squares from 1e-4 to 1: the largest bounds COPI's step, which hardly moves the weights of the others."""
    rng = np.random.default_rng(0)
    scale = 10.0 ** -np.arange(3)
    target_map = rng.normal(size=(2, 3)) / scale

    def error(**rules):
        net = Network([3, 2], rng=np.random.default_rng(1), dtype="float64", activation="linear", **rules)
        for _ in range(400):
            y0 = rng.normal(size=(20, 3)) * scale
            net.step(y0, y0 @ target_map.T, eta_W=0.1)
        y0 = rng.normal(size=(1000, 3)) * scale
        return np.mean((net.predict(y0) - y0 @ target_map.T) ** 2)

    rule = partial(family.normalised_update, damping=1e-6)
    decorrelation = partial(family.normalised_decorrelation_update, damping=1e-6)
    assert error(rule=rule, decorrelation=decorrelation) < 1e-3 * error()


def test_every_rule_decorrelates_along_a_path():
    """Each from R = I on the same correlated batch; those that whiten reach second moments of I, up to a factor."""
    rng = np.random.default_rng(2)
    y = rng.normal(size=(60, 4)) @ (np.eye(4) + 0.4 * rng.normal(size=(4, 4)))
    assert mean_absolute_correlation(second_moment(y)) > 0.1
    for name, rule in LATERAL_FAMILY.items():
        *_, R = decorrelation_path(y, 0.05, 2000, rule)
        C = second_moment(y @ R.T)
        assert mean_absolute_correlation(C) < 1e-6, name
        if name != "normalised":
            np.testing.assert_allclose(C / C[0, 0], np.eye(4), atol=1e-6)

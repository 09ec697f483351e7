"""Biases: against equations written for x = A y + b and a = V x + c, and what becomes of the theorems.

R = [[A, b], [0, 1]] and W = [V, c]. Nothing below mentions a constant unit: the equations follow from those of
`copi_np.bias` by multiplying them out.
"""

from __future__ import annotations

import copy
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import adam_move, assert_near, off, second_moment
from strategies import SEEDS, SMOOTH, tasks

from copi_np import Dataset, DivergenceError, InputError, Network, Schedule, Split, fit, get_backend, rules
from copi_np.activations import ACTIVATIONS
from copi_np.analysis import alignment_angles, compress, least_squares_map, receptive_fields, stack_map
from copi_np.bias import BiasedLayer, append_one
from copi_np.diagnostics import diagnose
from copi_np.error_signals import ERROR_SIGNALS, ErrorSignal, backpropagation, output_signal
from copi_np.layer import Layer
from copi_np.steps import AdamStep, States, Step

RATES = {"eta_W": 0.03, "eta_R": 0.02, "delta_scale": 0.7}
SIGNALS = ["bp", "fa", "dfa", "tp", "dtp"]


def with_biases(network, rng):
    """The network of these parts with biases, its weights and biases all random."""
    network = Network(**network.parts | {"bias": True}, rng=rng)
    for layer in network.layers:
        n, W = layer.n_inputs, layer.W.copy()
        W[:, -1] = rng.normal(size=len(W))
        layer.W, R = W, np.eye(n + 1)
        R[:n] += 0.3 * rng.normal(size=(n, n + 1))
        layer.R = R.astype(W.dtype)
    return network


def pieces(layer):
    """A, b, V and c of a layer."""
    n = layer.n_inputs
    return layer.R[:n, :n].copy(), layer.R[:n, n].copy(), layer.W[:, :n].copy(), layer.W[:, n].copy()


def moved(rule, form, layer, y, delta, weights=None):
    """A, b, V and c after one step from input y and error signal delta, all means weighted."""
    A, b, V, c = pieces(layer)
    w = np.ones(len(y)) if weights is None else weights
    x = y @ A.T + b
    S, m = (x * w[:, None]).T @ x / len(y), w @ x / len(y)
    dA, db = {"matrix": (-off(S) @ A, -off(S) @ b - m), "local": (-A @ off(S), -m), None: (0 * A, 0 * b)}[form]
    dV, dc = (delta * w[:, None]).T @ x / len(y), w @ delta / len(y)
    if rule == "copi":
        dV, dc = dV + V @ off(S), dc + V @ m
    if rule == "adam":
        dV, dc = adam_move([dV]), adam_move([dc])
    eta_W, eta_R = RATES["eta_W"], RATES["eta_R"]
    return A + eta_R * dA, b + eta_R * db, V + eta_W * dV, c + eta_W * dc


def assert_moved_by_the_equations(rule, form, signal, task, weights=None):
    network = with_biases(task.network, np.random.default_rng(0))
    network = Network(**network.parts | {"rule": rule, "decorrelation": form, "error_signal": signal}, rng=RNG())
    network = with_biases(network, np.random.default_rng(0)) if form else network
    before = [pieces(layer) for layer in network.layers]
    y, trace = task.y0, network.forward(task.y0)
    for k, (A, b, V, c) in enumerate(before):
        a = (y @ A.T + b) @ V.T + c
        assert_near(trace.a[k], a, 1e3)
        y = network.layers[k].activation.f(a)
        assert_near(trace.y[k], y, 1e3)
    assert_near(network.predict(task.y0), y, 1e3)
    output = network.layers[-1]
    deltas = [output_signal(network.loss, output.activation, trace.a[-1], trace.y[-1], task.targets)]
    if signal == "bp":
        for k in reversed(range(len(before) - 1)):
            A, _, V, _ = before[k + 1]
            deltas.insert(0, network.layers[k].activation.df(trace.a[k]) * (deltas[0] @ V @ A))
    else:  # the others use no forward weights
        deltas = ERROR_SIGNALS[signal].deltas(network.layers, trace, network.feedback, deltas[0])
    for got, delta in zip(network.error_signals(trace, task.targets), deltas, strict=True):
        assert_near(got, delta, 1e4)
    expected = [
        moved(rule, form, layer, y, RATES["delta_scale"] * delta, weights)
        for layer, y, delta in zip(network.layers, trace.y_in, deltas, strict=True)
    ]
    network.step(task.y0, task.targets, **RATES, sample_weight=weights)
    for layer, matrices in zip(network.layers, expected, strict=True):
        for got, matrix in zip(pieces(layer), matrices, strict=True):
            assert_near(got, matrix, 1e4, ulps=1000)
        np.testing.assert_array_equal(layer.R[-1], np.eye(layer.n_inputs + 1)[-1])  # at rest, to the last bit


RNG = partial(np.random.default_rng, 1)


@pytest.mark.parametrize("form", ["matrix", "local", None])
@pytest.mark.parametrize("rule", ["copi", "sgd", "adam"])
@given(task=tasks(lateral=False))
def test_a_step_moves_weights_and_biases_by_the_equations(rule, form, task):
    assert_moved_by_the_equations(rule, form, "bp", task)


@pytest.mark.parametrize("signal", SIGNALS)
@given(task=tasks(lateral=False))
def test_every_error_signal_leaves_the_constant_out(signal, task):
    assert_moved_by_the_equations("copi", "matrix", signal, task)


@pytest.mark.parametrize("form", ["matrix", "local"])
@pytest.mark.parametrize("rule", ["copi", "adam"])
@given(task=tasks(lateral=False), seed=SEEDS)
def test_sample_weights_count_in_biases_too(rule, form, task, seed):
    weights = np.random.default_rng(seed).uniform(0.1, 2, len(task.y0))
    assert_moved_by_the_equations(rule, form, "bp", task, weights)


PURE = {"copi": rules.copi_update, "sgd": rules.sgd_update}
FORMS = {"matrix": rules.decorrelation_update, "local": rules.local_decorrelation_update}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", PURE)
@given(task=tasks(lateral=False, activations=SMOOTH))
def test_the_functions_of_rules_are_the_steps_of_their_names(rule, form, task):
    named = Network(**task.network.parts | {"rule": rule, "decorrelation": form, "bias": True}, rng=RNG())
    given_ = Network(**task.network.parts | {"rule": PURE[rule], "decorrelation": FORMS[form], "bias": True}, rng=RNG())
    for network in (named, given_):
        for _ in range(3):
            network.step(task.y0, task.targets, eta_W=0.01, eta_R=0.01)
    for one, other in zip(named.layers, given_.layers, strict=True):
        for got, expected in zip(pieces(one), pieces(other), strict=True):
            assert_near(got, expected, 1e4, ulps=1000)


# ---------------------------------------------------------------------------------------------- theorems


def layer_of(seed, rule="copi", form="matrix"):
    """A linear layer of random weights and biases, and a batch whose means are not 0."""
    rng = np.random.default_rng(seed)
    n, n_outputs, B = rng.integers(1, 6), rng.integers(1, 5), rng.integers(1, 7)
    layer = BiasedLayer(rng.normal(size=(n_outputs, n)), ACTIVATIONS["linear"], rule, form, get_backend("numpy"))
    layer.W = rng.normal(size=(n_outputs, n + 1))
    R = np.eye(n + 1)
    R[:n] += 0.3 * rng.normal(size=(n, n + 1))
    layer.R = R
    return layer, rng.normal(size=(B, n)) + 1, rng.normal(size=(B, n_outputs))


def step(layer, y, delta, eta):
    x, a, y_out = layer.forward(y)
    layer.step(States(layer, y, x, a, y_out, delta, eta), eta, eta)


@given(SEEDS, st.floats(1e-6, 1))
def test_copi_cancels_the_motion_of_R_with_biases_too(seed, eta):
    """Theorem 2, exactly: W R += eta G R - eta^2 (G + W P off(C)) P off(C) R with G = <delta x^T>."""
    layer, y, delta = layer_of(seed)
    W, R, x = layer.W.copy(), layer.R.copy(), layer.forward(y)[0]
    G, off_C = delta.T @ x / len(y), off(second_moment(x))
    off_C[-1] = 0  # P off(C)
    step(layer, y, delta, eta)
    expected = eta * G @ R - eta**2 * (G + W @ off_C) @ off_C @ R
    assert_near(layer.folded() - W @ R, expected, size=1e4)


@given(SEEDS)
def test_the_condition_on_the_forward_rule_is_needed(seed):
    """The COPI rule for W and z as they are leaves c <x>^T R behind, at first order, until the means of x are 0."""
    layer, y, delta = layer_of(seed)
    W, R, x = layer.W, layer.R, layer.forward(y)[0]
    a = x @ W.T
    off_C = off(second_moment(x))
    motion = rules.copi_update(W, x, a + delta) @ R - W @ np.vstack([off_C[:-1], 0 * off_C[-1:]]) @ R
    left_over = motion - (delta.T @ x / len(y)) @ R
    means = np.append(x.mean(axis=0)[:-1], 0)
    assert_near(left_over, np.outer(W[:, -1], means @ R), size=1e3)


@given(SEEDS)
def test_copi_is_sgd_where_inputs_are_centred_and_decorrelated(seed):
    """Theorem 1: dW_copi = dW_sgd + W P off(C), so that P off(C) = 0 makes them equal."""
    layer, y, delta = layer_of(seed)
    W, x = layer.W.copy(), layer.forward(y)[0]
    off_C = off(second_moment(x))
    off_C[-1] = 0
    step(layer, y, delta, 0.1)
    assert_near((layer.W - W) / 0.1, delta.T @ x / len(y) + W @ off_C, size=1e4)


@pytest.mark.parametrize("mean", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("form", ["matrix", "local"])
def test_inputs_become_centred_and_decorrelated(form, mean):
    """Whatever their means; what the layer computes stays the same under the matrix form."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=(200, 5)) @ (np.eye(5) + 0.2 * rng.normal(size=(5, 5))) + mean * rng.normal(size=5)
    layer = BiasedLayer(rng.normal(size=(3, 5)), ACTIVATIONS["linear"], "copi", form, get_backend("numpy"))
    before = layer.forward(y)[1]
    for _ in range(3000):
        step(layer, y, np.zeros_like(before), 0.01)
    x, after, _ = layer.forward(y)
    assert np.abs(x.mean(axis=0)[:-1]).max() < 1e-6
    assert np.abs(off(second_moment(x))).max() < 1e-6
    np.testing.assert_array_equal(x[:, -1], 1)
    if form == "matrix":
        drift = np.linalg.norm(after - before) / np.linalg.norm(before)
        assert drift < 0.02 * (1 + mean)
        assert np.linalg.norm(layer.R - np.eye(6)) > 0.5


@given(SEEDS)
def test_the_volume_is_conserved(seed):
    """Theorem 4: P off(C) has no trace either, so det R changes by det(1 - eta P off(C)) = 1 + O(eta^2)."""
    layer, y, delta = layer_of(seed)
    R, off_C = layer.R.copy(), off(second_moment(layer.forward(y)[0]))
    off_C[-1] = 0
    step(layer, y, delta, 0.01)
    assert_near(np.linalg.det(layer.R) / np.linalg.det(R), np.linalg.det(np.eye(len(R)) - 0.01 * off_C), size=1e3)
    assert np.trace(off_C) == 0


@given(tasks(activations=SMOOTH, lateral=False))
def test_the_gradient_of_biases_by_differences(task):
    """Theorem 7: <delta> is minus the gradient of the mean loss with respect to the biases."""
    network = with_biases(task.network, np.random.default_rng(5))
    trace = network.forward(task.y0)
    deltas = network.error_signals(trace, task.targets)
    for layer, delta in zip(network.layers, deltas, strict=True):
        W, h = layer.W.copy(), 1e-5
        losses = []
        for sign in (1, -1):
            layer.W = W + sign * h * np.eye(layer.n_inputs + 1)[-1]
            losses.append(float(network.loss.mean(network.forward(task.y0).y[-1], task.targets)))
        layer.W = W
        slope = (losses[0] - losses[1]) / (2 * h)
        assert slope == pytest.approx(-delta.mean(axis=0).sum(), rel=1e-4, abs=1e-4)


# ------------------------------------------------------------------------------------- networks with a bias


def biased(**options):
    return Network([4, 6, 5, 3], **{"rng": np.random.default_rng(0), "bias": True, "dtype": "float64", **options})


def data(n=40):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 4)) + 0.5, np.eye(3)[rng.integers(0, 3, n)]


def test_it_starts_as_the_network_without_biases():
    """The same weights, so that the two can be compared seed by seed; biases start at 0."""
    plain, network = biased(bias=False, error_signal="fa"), biased(error_signal="fa")
    for one, other in zip(plain.layers, network.layers, strict=True):
        np.testing.assert_array_equal(other.W[:, :-1], one.W)
        np.testing.assert_array_equal(other.W[:, -1], 0)
        np.testing.assert_array_equal(other.R, np.eye(one.n_inputs + 1))
        assert (other.n_inputs, other.n_outputs) == (one.n_inputs, one.n_outputs)
    np.testing.assert_array_equal(plain.feedback[0], network.feedback[0])
    y0, _ = data()
    assert_near(network.predict(y0), plain.predict(y0))


def test_shapes_and_description():
    network = biased()
    assert [layer.W.shape for layer in network.layers] == [(6, 5), (5, 7), (3, 6)]
    assert [layer.R.shape for layer in network.layers] == [(5, 5), (7, 7), (6, 6)]
    assert [layer.n_inputs for layer in network.layers] == [4, 6, 5]
    assert network.config["bias"] is network.parts["bias"] is True
    assert "bias=True" in repr(network)
    assert "bias" not in biased(bias=False).config
    assert type(biased(bias=False).layers[0]) is Layer


@pytest.mark.parametrize("bias", [1, 0, None, "yes", [True]])
def test_a_bias_that_is_neither_true_nor_false_is_refused(bias):
    with pytest.raises(InputError, match="bias must be True or False, got"):
        biased(bias=bias)
    assert biased(bias=np.True_).config["bias"] is True


def test_the_row_of_the_constant_cannot_be_changed():
    layer = biased().layers[0]
    R = layer.R.copy()
    R[-1, 0] = 0.1
    with pytest.raises(InputError, match=r"the last row of R belongs to the constant unit of the bias: it must be 0"):
        layer.R = R
    R[-1] = np.eye(5)[-1]
    R[0, -1] = 0.3
    layer.R = R
    with pytest.raises(InputError, match=r"R must have shape \(5, 5\)"):
        layer.R = np.eye(4)
    with pytest.raises(InputError, match=r"W must have shape \(6, 5\)"):
        layer.W = np.zeros((6, 4))


@pytest.mark.parametrize("kind", ["rule", "decorrelation"])
def test_a_rule_that_fails_leaves_the_biases_as_they_were(kind):
    def fails(x):
        raise ZeroDivisionError

    network = biased(**{kind: fails}, **({"decorrelation": "local"} if kind == "rule" else {}))
    network.layers[0].W = np.ones((6, 5))
    before = [array.copy() for layer in network.layers for array in (layer.W, layer.R)]
    with pytest.raises(ZeroDivisionError):
        network.step(*data(), eta_W=0.0 if kind == "decorrelation" else 0.1, eta_R=0.1)
    for array, old in zip((a for layer in network.layers for a in (layer.W, layer.R)), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_own_rules_see_the_constant_but_not_the_biases_of_W():
    seen = {}

    def rule(W, R, x, y, a, z, delta, y_out):
        seen.update(W=W.copy(), R=R.copy(), x=x, y=y, a=a.copy(), z=z.copy(), delta=delta, y_out=y_out)
        return 0 * W + 0.5

    def decorrelation(R, x, y):
        seen.update(R_of_R=R.copy())
        return 0 * R + 0.5

    network = with_biases(Network([4, 3], rng=RNG(), dtype="float64"), RNG())
    network.layers[0].forward_step, network.layers[0].lateral_step = rule, decorrelation
    y0, targets = data()
    (layer,), trace = network.layers, network.forward(y0)
    W, R = layer.W.copy(), layer.R.copy()
    network.step(y0, targets, eta_W=0.1)
    V = np.column_stack([W[:, :-1], np.zeros(3)])
    np.testing.assert_array_equal(seen["W"], V)
    np.testing.assert_array_equal(seen["R"], R)
    np.testing.assert_array_equal(seen["R_of_R"], R)
    np.testing.assert_array_equal(seen["y"], np.column_stack([y0, np.ones(len(y0))]))
    assert_near(seen["x"], seen["y"] @ R.T)
    assert_near(seen["a"], seen["x"] @ V.T, 10)
    assert_near(seen["z"], seen["a"] + seen["delta"], 10)
    np.testing.assert_array_equal(seen["y_out"], trace.y[0])
    assert_near(layer.W, W + 0.05)
    assert_near(layer.R[:-1], R[:-1] + 0.05)


class Momentum(Step):
    """A step with a memory of the shape of its weights."""

    def start(self, weights, backend):
        super().start(weights, backend)
        self.v = 0 * weights

    def step(self, weights, states, eta):
        self.v = 0.9 * self.v + rules.copi_update(states.W, states.x, states.z)
        weights += eta * self.v


@pytest.mark.parametrize(("rule", "eta_W"), [(Momentum(), 0.003), (AdamStep(), 0.01)])
def test_rules_with_a_memory_learn_biases(rule, eta_W):
    network = biased(rule=rule)
    y0, targets = data()
    losses = [float(network.step(y0, targets + 3, eta_W=eta_W, eta_R=0.01)) for _ in range(500)]
    assert losses[-1] < 0.2 * losses[0]
    assert np.abs(network.layers[-1].W[:, -1]).max() > 0.1


def test_a_bias_learns_what_no_network_without_one_can():
    """The same output for inputs of 0: without a bias, 0 stays 0."""
    y0, targets = np.zeros((10, 4)), np.ones((10, 3))
    for bias, expected in ((True, 0.0), (False, 3.0)):
        network = biased(bias=bias)
        for _ in range(300):
            loss = network.step(y0, targets, eta_W=0.1)
        assert float(loss) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_continue_alike(clone):
    network = biased(rule="adam", error_signal="dtp")
    for _ in range(3):
        network.step(*data(), eta_W=0.01)
    copied = clone(network)
    assert copied.config == network.config
    for each in (network, copied):
        each.step(*data(), eta_W=0.01)
    np.testing.assert_array_equal(copied.predict(data()[0]), network.predict(data()[0]))


# ------------------------------------------------------------------------------------------------ what measures


def learned():
    network = biased()
    for _ in range(200):
        network.step(*data(), eta_W=0.01, eta_R=0.02)
    return network


def test_diagnostics_leave_the_constant_out():
    network, (y0, targets) = learned(), data()
    trace = network.forward(y0)
    for layer, measured, y, x in zip(network.layers, diagnose(network, y0, targets), trace.y_in, trace.x, strict=True):
        A, _, _, _ = pieces(layer)
        x = x[:, :-1]
        C = second_moment(x)
        n = len(C)
        assert measured.decorrelation_loss == pytest.approx(np.mean(off(C)[~np.eye(n, dtype=bool)] ** 2))
        for got, states in ((measured.power_before, y), (measured.power, x)):
            powers = np.mean(states**2, axis=0)
            assert (got[0], got[-1]) == pytest.approx((powers.min(), powers.max()))
        singular = np.linalg.svd(A, compute_uv=False)
        assert (measured.spectrum[0], measured.spectrum[-1]) == pytest.approx((singular[0], singular[-1]))
        assert measured.log_volume == pytest.approx(np.log(np.abs(np.linalg.det(A))) / n)
        assert measured.asymmetry == pytest.approx(np.linalg.norm(A - A.T) / np.linalg.norm(A))
    assert alignment_angles(network, y0, targets) == pytest.approx([0, 0], abs=1e-5)


def test_receptive_fields_are_of_the_inputs():
    network, (y0, _) = learned(), data()
    trace = network.forward(y0)
    x = trace.x[0][:, :-1]
    expected = trace.y[2].T @ x / np.sum(x**2, axis=0)
    assert_near(receptive_fields(network, y0), expected, 10)


@pytest.mark.parametrize("linear_map", [stack_map, least_squares_map])
def test_compression_keeps_the_biases(linear_map):
    """The map from [x, 1]; least squares is the affine fit, by numpy."""
    network, (y0, _) = learned(), data()
    compressed = compress(network, y0, 2, linear_map=linear_map)
    assert compressed.config["bias"] is True
    trace = network.forward(y0)
    x, y = trace.x[1], trace.y[2]
    formula, affine = y.T @ x / np.sum(x**2, axis=0), np.linalg.lstsq(x, y, rcond=None)[0].T
    W = formula if linear_map is stack_map else affine
    assert_near(compressed.predict(y0), x @ W.T, 10, ulps=1e5)
    np.testing.assert_array_equal(compressed.layers[0].W, network.layers[0].W)
    np.testing.assert_array_equal(compressed.layers[1].R, network.layers[1].R)


def test_backpropagation_as_a_function_leaves_the_constant_out():
    network, (y0, targets) = learned(), data()
    trace = network.forward(y0)
    delta_L = output_signal(network.loss, network.layers[-1].activation, trace.a[-1], trace.y[-1], targets)
    for got, expected in zip(
        backpropagation(network.layers, trace, (), delta_L), network.error_signals(trace, targets), strict=True
    ):
        assert_near(got, expected, 10)


def test_append_one():
    np.testing.assert_array_equal(append_one(np.array([[2.0, 3.0]], np.float32)), [[2, 3, 1]])
    assert append_one(np.ones((4, 2), np.float32)).dtype == np.float32


def test_own_error_signals_see_no_constant():
    """So what is written for networks without biases works: here backpropagation, and a feedback that learns from x."""
    shapes = []

    def deltas(layers, trace, feedback, delta_L):
        shapes.append([(layer.W.shape, layer.R.shape, x.shape) for layer, x in zip(layers, trace.x, strict=True)])
        signals = [delta_L]
        for k in (1, 0):
            carried = signals[0] @ layers[k + 1].W @ layers[k + 1].R
            signals.insert(0, layers[k].activation.df(trace.a[k]) * carried)
        return signals

    def updates(trace, deltas):
        return [trace.x[k + 1].T @ deltas[k + 1] for k in (0, 1)] + [None]

    own, exact = biased(error_signal=ErrorSignal("own", deltas, "above", updates)), biased()
    for network in (own, exact):
        for layer in network.layers:
            layer.W = layer.W + 0.1
        network.step(*data(), eta_W=0.05)
    assert shapes == [[((6, 4), (4, 4), (40, 4)), ((5, 6), (6, 6), (40, 6)), ((3, 5), (5, 5), (40, 5))]]
    for one, other in zip(own.layers, exact.layers, strict=True):
        assert_near(one.W, other.W, 10)


def test_the_history_measures_the_inputs_without_the_constant():
    X, targets = data()
    split = Split(X, targets.argmax(axis=1))
    network = biased()
    (record,) = fit(network, Dataset("own", split, split, 3), epochs=1, schedule=Schedule(0.01, 0.01), rng=RNG())
    trace = network.forward(X)
    for loss, x in zip(record.decorrelation_loss, trace.x, strict=True):
        C = second_moment(x[:, :-1])
        assert loss == pytest.approx(np.mean(off(C)[~np.eye(len(C), dtype=bool)] ** 2))


def test_a_divergence_names_a_step_size_that_is_stable_with_the_constant():
    network, (y0, targets) = Network([4, 3], rng=RNG(), bias=True, dtype="float64"), data()
    stable = len(y0) / np.linalg.norm(append_one(y0), 2) ** 2
    network.step(y0, targets, eta_W=0.0, eta_R=1e4)
    with pytest.raises(DivergenceError, match=rf"R of layer 0 \(4 -> 3\): .*about {stable:.1g} is stable"):
        network.step(y0, targets, eta_W=0.0, eta_R=1e4)

"""Networks with convolutions: one step against loops over positions, what layers know, and what is refused."""

from __future__ import annotations

import loops_of_convolution as loops
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import SEEDS

from copi_np import Conv, Dense, ErrorSignal, InputError, Network, Pool, more_signals, rules
from copi_np.analysis import natural_cosines
from copi_np.family import DAMPING
from copi_np.layer import ReadOnlyLayer
from copi_np.more_signals import activity_perturbation, node_perturbation, noisy_pass
from copi_np.patches import carry_back, to_units
from copi_np.steps import SparseStep, Step

SHAPE = (2, 6, 5)
SIZES = [Conv(3, 2, padding=1), Conv(4, 3, stride=2), Dense(6), Dense(3)]
POOLED = [Conv(3, 3), Conv(4, 2, padding=1), Pool(2), Dense(3)]
POOLED_SHAPE = (1, 5, 7)


def network(sizes=SIZES, shape=SHAPE, seed=0, **options):
    rng = np.random.default_rng(seed)
    net = Network(sizes, input_shape=shape, rng=rng, **{"activation": "tanh", "dtype": "float64", **options})
    for layer in net.layers:
        R = np.eye(len(layer.R))
        R[: layer.n_inputs] += 0.2 * rng.normal(size=(layer.n_inputs, len(R)))
        if not net.layers[0].has_bias:
            layer.R = R
    return net


def batch(net, seed=0, n=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *net.input_shape)), rng.normal(size=(n, net.n_outputs))


def described(net, sizes):
    """Return the layers as the oracle takes them."""
    convolutions = [each for each in sizes if isinstance(each, Conv)]
    found = []
    for k, layer in enumerate(net.layers):
        shape = {}
        if k < len(convolutions):
            each = convolutions[k]
            shape = {"kernel": each.kernel, "stride": each.stride, "padding": each.padding}
            after = sizes[sizes.index(each) + 1]
            shape |= {"pool": after.size} if isinstance(after, Pool) else {}
        found.append({"W": layer.W * 1, "R": layer.R * 1, **shape})
    return found


@pytest.mark.parametrize(("sizes", "shape"), [(SIZES, SHAPE), (POOLED, POOLED_SHAPE)], ids=["strided", "pooled"])
@pytest.mark.parametrize("signal", ["bp", "fa", "dfa", "kp"])
@pytest.mark.parametrize(("rule", "decorrelation"), [("copi", "matrix"), ("copi", "local"), ("sgd", "matrix")])
def test_a_step_is_that_of_loops_over_positions(sizes, shape, signal, rule, decorrelation):
    net = network(sizes, shape, rule=rule, decorrelation=decorrelation, error_signal=signal)
    y0, targets = batch(net, n=2)
    options = {"rule": rule, "decorrelation": decorrelation, "signal": signal, "feedback": net.feedback}
    expected, outputs = loops.step(described(net, sizes), y0, targets, 0.1, 0.05, **options)
    assert_near(net.predict(y0), outputs)
    loss = net.step(y0, targets, eta_W=0.1, eta_R=0.05)
    assert_near(loss, np.mean(np.sum((outputs - targets) ** 2, axis=1)))
    for layer, (W, R, *_) in zip(net.layers, expected, strict=True):
        assert_near(layer.W, W, size=20)
        assert_near(layer.R, R, size=20)
    if signal == "kp":
        for F, (*_, learned) in zip(net.feedback, expected[1:], strict=False):
            assert_near(F, learned, size=20)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("sizes", "shape"), [(SIZES, SHAPE), (POOLED, POOLED_SHAPE)], ids=["strided", "pooled"])
def test_the_noisy_pass_is_that_of_loops_with_noise_at_every_position(sizes, shape, bias):
    """Changes in the paper's units and positions; the constant of a bias does not change."""
    net, rng = network(sizes, shape, bias=bias), np.random.default_rng(1)
    y0, targets = batch(net, n=2)
    net.step(y0, targets, eta_W=0.1)  # biases start at 0
    trace = net.forward(y0)
    noise = [0.3 * rng.normal(size=a.shape) for a in trace.a]
    changes, outputs = noisy_pass([ReadOnlyLayer(layer) for layer in net.layers], trace.read_only(), noise)
    layers = described(net, sizes)
    for n, image in enumerate(y0):
        y = image
        for k, (layer, plan) in enumerate(zip(layers, net.plans, strict=True)):
            positions = (1, 1) if plan.patches is None else plan.patches.positions
            added = noise[k][n].reshape(-1, *positions)
            b = net.layers[k].W @ net.layers[k].R[:, -1] if bias else 0.0
            if bias:
                layer = layer | {"W": layer["W"][:, :-1], "R": layer["R"][:-1, :-1]}
                added = added + b[:, None, None]
            _, activations, y = loops.forward(layer, y, np.tanh, added)
            a = np.array([activations[at] for at in np.ndindex(positions)]).T.ravel()
            assert_near(changes[k][n], a - trace.a[k][n], size=10)
        assert_near(outputs[n], y.ravel(), size=10)


@pytest.mark.parametrize(("sizes", "shape"), [(SIZES, SHAPE), (POOLED, POOLED_SHAPE)], ids=["strided", "pooled"])
def test_the_mean_of_node_perturbation_is_backpropagation(sizes, shape, monkeypatch):
    """As in Theorem 16, over noise of one unit at one position at a time: no chance is involved."""
    net = network(sizes, shape)
    n_units = [plan.n_units for plan in net.plans]
    y0, targets = (np.repeat(each, sum(n_units), axis=0) for each in batch(net, n=1))
    expected = net.error_signals(net.forward(y0), targets)
    size = 1e-5 * np.sqrt(sum(n_units))
    noise = np.split(size * np.eye(sum(n_units)), np.cumsum(n_units)[:-1], axis=1)
    monkeypatch.setattr(more_signals, "draw_noise", lambda trace, sigma, rng: noise)
    found = node_perturbation(net.layers, net.forward(y0), targets, net.loss, None, sigma=1e-5)
    for one, other in zip(found, expected, strict=True):
        assert_near(one.mean(axis=0), other[0], size=1.0, ulps=1e12)  # 2e-4, of derivatives


def test_activity_perturbation_counts_all_units_and_points_downhill(monkeypatch):
    """The changes of all units at all positions, times their signals, add up to -sqrt(N) dL."""
    net = network(POOLED, POOLED_SHAPE)
    y0, targets = batch(net)
    trace = net.forward(y0)
    noise = more_signals.draw_noise(trace, 0.3, np.random.default_rng(2))
    assert [s.shape for s in noise] == [(3, 45), (3, 96), (3, 3)]
    monkeypatch.setattr(more_signals, "draw_noise", lambda trace, sigma, rng: noise)
    found = activity_perturbation(net.layers, trace, targets, net.loss, None)
    changes, y = noisy_pass(net.layers, trace, noise)
    dL = net.loss.values(y, targets) - net.loss.values(trace.y[-1], targets)
    work = sum(np.sum(change * signal, axis=1) for change, signal in zip(changes, found, strict=True))
    assert_near(work, -np.sqrt(45 + 96 + 3) * dL, size=100)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("signal", ["bp", "fa", "dfa", "node", "activity", "kp", "ss"])
def test_states_have_the_shapes_of_the_contract(signal, bias):
    net = network(POOLED, POOLED_SHAPE, error_signal=signal, bias=bias)
    y0, targets = batch(net)
    trace = net.forward(y0)
    assert [x.shape for x in trace.x_of_units] == [(3 * 15, 9), (3 * 24, 12), (3, 24)]
    assert [layer.W.shape for layer in net.layers] == [(3, 9 + bias), (4, 12 + bias), (3, 24 + bias)]
    assert [layer.R.shape for layer in net.layers] == [(9 + bias,) * 2, (12 + bias,) * 2, (24 + bias,) * 2]
    assert [a.shape[1] for a in trace.a] == [3 * 15, 4 * 24, 3]
    assert [y.shape[1] for y in trace.y] == [3 * 15, 24, 3]
    shapes = {"fa": [(12, 4), (24, 3)], "kp": [(12, 4), (24, 3)], "dfa": [(45, 3), (96, 3)]}.get(signal)
    if shapes is not None:
        assert [F.shape for F in net.feedback[:-1]] == shapes
    assert [delta.shape[1] for delta in net.error_signals(trace, targets)] == [3 * 15, 4 * 24, 3]
    net.step(y0, targets, eta_W=0.1)
    assert_near(net.predict(y0), net.forward(y0).y[-1])


def test_images_may_be_flat_rows():
    one, other = network(), network()
    y0, targets = batch(one)
    flat = y0.reshape(3, -1)
    assert one.step(y0, targets, eta_W=0.1) == other.step(flat, targets, eta_W=0.1)
    np.testing.assert_array_equal(one.predict(y0), other.predict(flat))
    np.testing.assert_array_equal(one.forward(y0).y[-1], other.forward(flat).y[-1])
    assert_near(one.predict(y0, batch_size=2), one.predict(y0))


def test_text_and_numbers_mean_the_same_as_descriptions():
    written = ["conv3k2p1", "conv4k3s2", 6, 3]
    assert [str(each) for each in SIZES] == ["conv3k2p1", "conv4k3s2", "6", "3"]
    one, other = network(), network(written)
    for a, b in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(a.W, b.W)
    assert one.parts["sizes"] == one.config["sizes"] == written
    assert one.config["input_shape"] == [2, 6, 5]
    assert "input_shape" not in Network([3, 2], rng=np.random.default_rng(0)).config
    dense = Network([4, 3], input_shape=(5, 2), rng=np.random.default_rng(0))
    assert (dense.n_inputs, dense.input_shape, dense.layers[0].W.shape) == (10, (1, 5, 2), (4, 10))


# ------------------------------------------------------------------------------------------------------- own rules


@pytest.mark.parametrize("bias", [False, True])
def test_own_rules_get_patches_and_their_weights(bias):
    """Rules by name, and all of the states; each is that of `rules` on rows."""
    seen = {}

    def look(W, R, x, y, a, z, delta, y_out, sample_weight):
        seen.update(x=x, y=y, a=a, z=z, delta=delta, y_out=y_out, sample_weight=sample_weight, R=R)
        return rules.sgd_update(x, delta)

    net = network(POOLED, POOLED_SHAPE, rule=[look, "copi", "copi"], bias=bias)
    y0, targets = batch(net)
    trace = net.forward(y0)
    deltas = net.error_signals(trace, targets)
    R = net.layers[0].R * 1
    net.step(y0, targets, eta_W=0.1, sample_weight=np.array([1.0, 0.0, 2.0]))
    n_positions = 15
    np.testing.assert_array_equal(seen["sample_weight"], np.repeat([1.0, 0.0, 2.0], n_positions))
    assert seen["y"].shape == (3 * n_positions, 9 + bias)
    assert_near(seen["x"], seen["y"] @ R.T)
    np.testing.assert_array_equal(seen["delta"], n_positions * net.layers[0].patches.as_rows(deltas[0]))
    assert_near(seen["z"], seen["a"] + seen["delta"])
    np.testing.assert_array_equal(seen["y_out"], np.tanh(net.layers[0].patches.as_rows(trace.a[0])))


def test_patches_of_the_inputs_are_cut_for_the_update_only_if_a_rule_asks():
    net = network()
    cut, layer = [], net.layers[0]
    original = layer.patches.cut
    layer.patches.cut = lambda *arguments: cut.append(1) or original(*arguments)
    net.step(*batch(net), eta_W=0.1)
    assert len(cut) == 1
    layer.lateral_step = lambda R, x, y: 0 * R
    net.step(*batch(net), eta_W=0.1)
    assert len(cut) == 3


class Looking(Step):
    """Keeps what it is given."""

    def step(self, weights, states, eta):
        self.states = states


def test_cheap_decorrelation_counts_samples_and_takes_all_their_patches():
    net = network(POOLED, POOLED_SHAPE, decorrelation=Looking(), decorrelation_samples=2)
    y0, targets = batch(net, n=5)
    net.step(y0, targets, eta_W=0.1, sample_weight=np.arange(1.0, 6.0))
    trace = network(POOLED, POOLED_SHAPE).forward(y0)
    for layer, x, n_rows in zip(net.layers, trace.x, (2 * 15, 2 * 24, 2), strict=True):
        assert isinstance(layer.lateral_step, SparseStep)
        assert layer.lateral_step.inner.states.x.shape == (n_rows, x.shape[1])
        counts = np.repeat([1.0, 2.0], n_rows // 2)
        roots = np.sqrt(counts)[:, None]
        assert_near(layer.lateral_step.inner.states.x, x[:n_rows] * roots, size=10)


@given(seed=SEEDS, n=st.integers(1, 3))
def test_weights_count_samples_as_copies_do(seed, n):
    """Twice the weight is the sample twice, in every rule and signal."""
    one, other = network(seed=seed % 100), network(seed=seed % 100)
    y0, targets = batch(one, seed)
    counts = np.array([n, 0, 1])
    one.step(y0, targets, eta_W=0.1, sample_weight=counts * 3 / (n + 1))
    other.step(np.repeat(y0, counts, axis=0), np.repeat(targets, counts, axis=0), eta_W=0.1)
    for a, b in zip(one.layers, other.layers, strict=True):
        assert_near(a.W, b.W, size=30)
        assert_near(a.R, b.R, size=30)


def test_an_own_signal_goes_back_by_the_same_two_functions():
    """Backpropagation, written as a user would."""

    def mine(layers, trace, delta_L):
        deltas = [delta_L]
        for k in reversed(range(len(layers) - 1)):
            sent = carry_back(layers[k + 1], deltas[0], layers[k + 1].W @ layers[k + 1].R)
            deltas.insert(0, layers[k].activation.df(trace.a[k]) * to_units(layers[k], sent, trace.a[k]))
        return deltas

    for bias in (False, True):
        one = network(POOLED, POOLED_SHAPE, bias=bias)
        other = network(POOLED, POOLED_SHAPE, bias=bias, error_signal=ErrorSignal("mine", mine))
        y0, targets = batch(one)
        for _ in range(2):
            one.step(y0, targets, eta_W=0.1)
            other.step(y0, targets, eta_W=0.1)
        for a, b in zip(one.layers, other.layers, strict=True):
            assert_near(a.W, b.W)


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([Conv(3, 9), 10], "a kernel of 9 x 9 does not fit into 6 x 5 pixels"),
        ([Conv(3, 2), Pool(3), 10], "squares of 3 x 3 do not cover 5 x 4 pixels: pool by a divisor"),
        ([Pool(2), 10], "pool2 must come after a convolution, whose outputs it pools"),
        ([Conv(3, 3), Pool(1), Pool(1), 10], "pool1 must come after a convolution, whose outputs it pools"),
        ([5, Conv(3, 1), 10], "conv3k1 comes after a dense layer, which returns no images: put it before them"),
        ([5, Pool(1), 10], "pool1 comes after a dense layer, which returns no images: put it before them"),
        ([Conv(3, 3), Pool(1)], "the last layer must not be pooled: the loss needs its own outputs, as of Dense(10)"),
        ([], "sizes must be a list of layers such as [Conv(32, 5), Pool(2), Dense(10)], got []"),
        ("conv3k3", "sizes must be a list of layers such as [Conv(32, 5), Pool(2), Dense(10)], got 'conv3k3'"),
        (["conf3k3", 10], "sizes holds 'conf3k3': write conv32k5s2p1 (stride and padding as needed), pool2, or 10"),
        ([Conv(3, 3), 0], "n_units of Dense must be at least 1, got 0"),
        ([Conv(3, 3), 2.5], "n_units of Dense must be an integer, got 2.5"),
        ([Conv(3, 3), 10**7], "n_units of Dense must be at most 1000000, got 10000000"),
        (["conv0k3", 10], "filters of Conv must be at least 1, got 0"),
        (["pool0", 10], "size of Pool must be at least 1, got 0"),
    ],
)
def test_layers_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(InputError) as error:
        network(sizes)
    assert str(error.value) == message


@pytest.mark.parametrize("shape", [(28,), 28, "28", (1, 2, 3, 4), (0, 5, 5), (1.5, 5, 5)])
def test_shapes_that_are_none_are_refused(shape):
    with pytest.raises(InputError, match="input_shape"):
        network(shape=shape)


def test_convolutions_need_the_shape_of_the_inputs():
    with pytest.raises(InputError, match=r"input_shape=\(1, 28, 28\)"):
        Network([Conv(3, 3), 10], rng=np.random.default_rng(0))
    with pytest.raises(InputError, match=r"input_shape=\(1, 28, 28\)"):
        Network(["conv3k3", 10], rng=np.random.default_rng(0))


@pytest.mark.parametrize("signal", ["tp", "dtp"])
def test_signals_of_dense_layers_are_refused(signal):
    message = (
        f"error signal {signal!r} is for dense layers only: with convolutions, use bp, fa, dfa, node, activity, kp, ss"
    )
    with pytest.raises(InputError) as error:
        network(error_signal=signal)
    assert str(error.value) == message
    net = network()
    with pytest.raises(InputError, match="dense layers only"):
        net.error_signal = signal
    assert Network([4, 3], input_shape=SHAPE, rng=np.random.default_rng(0), error_signal=signal).n_inputs == 60


def test_inputs_of_another_shape_are_refused():
    net = network()
    y0, targets = batch(net)
    for wrong in (y0[:, :1], y0.reshape(3, 6, 5, 2)):
        with pytest.raises(InputError, match=r"images must be \(2, 6, 5\) each for this network, got \("):
            net.step(wrong, targets, eta_W=0.1)
    for wrong in (y0[0], y0.reshape(3, 60)[:, 1:]):
        with pytest.raises(InputError, match=r"inputs must have shape \(B, 60\) for this network, got \("):
            net.predict(wrong)
    with pytest.raises(InputError, match="x0 is of a dense first layer"):
        net.step(y0, targets, eta_W=0.1, x0=y0.reshape(3, -1))


def test_the_natural_step_of_a_kernel_sees_a_row_for_every_patch():
    """The kernel as large as the image is the dense layer; with more positions, W moves by its rows' gradient."""
    rng = np.random.default_rng(3)
    y0, targets, rates = rng.normal(size=(8, 18)), np.eye(3)[rng.integers(0, 3, 8)], {"eta_W": 1e-3, "eta_R": 1e-3}
    dense = Network([18, 4, 3], rng=np.random.default_rng(0), dtype="float64")
    whole = Network([Conv(4, 3), Dense(3)], input_shape=(2, 3, 3), rng=np.random.default_rng(0), dtype="float64")
    expected = natural_cosines(dense, y0, targets, **rates)
    np.testing.assert_allclose(natural_cosines(whole, y0, targets, **rates), expected)

    options = {"rule": "sgd", "decorrelation": None, "dtype": "float64"}
    network = Network([Conv(4, 2), Dense(3)], input_shape=(2, 3, 3), rng=np.random.default_rng(0), **options)
    patches, deltas = network.plans[0].patches, network.error_signals(network.forward(y0), targets)
    rows, delta = patches.cut(y0), patches.as_rows(deltas[0])
    step, moment = delta.T @ rows, rows.T @ rows / len(rows)
    natural = step @ np.linalg.inv(moment + DAMPING * np.eye(len(moment)))
    cosine = np.sum(step * natural) / np.linalg.norm(step) / np.linalg.norm(natural)
    assert natural_cosines(network, y0, targets, **rates)[0] == pytest.approx(cosine, rel=1e-6)

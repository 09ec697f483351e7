"""The path of the lateral weights, angles between error signals and steps, receptive fields, and compression."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import F, assert_near, decorrelation_local, decorrelation_matrix, least_squares, oracle_of
from strategies import SEEDS, arrays, batches, tasks

from copi_np import InputError, Network, load_network, save_network
from copi_np.activations import Activation
from copi_np.analysis import (
    alignment_angle,
    alignment_angles,
    compress,
    cosine,
    decorrelation_path,
    least_squares_map,
    natural_cosines,
    receptive_fields,
    stack_map,
)
from copi_np.error_signals import ErrorSignal
from copi_np.losses import Loss
from copi_np.rules import decorrelation_update, linear_map, local_decorrelation_update

# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("update", "oracle"),
    [(decorrelation_update, decorrelation_matrix), (local_decorrelation_update, decorrelation_local)],
)
@given(y=batches(), eta=st.floats(0, 0.01))
def test_the_path_follows_the_rule(update, oracle, y, eta):
    """Starting from the identity, R += eta dR at x = R y, in the dtype of the batch; earlier matrices do not change."""
    path = list(decorrelation_path(y, eta, 3, update))
    R = np.eye(y.shape[1])
    assert len(path) == 4
    for actual in path:
        assert actual.dtype == y.dtype
        assert_near(actual, R, size=10)
        R = R + eta * oracle(R, y.astype(float) @ R.T)


@pytest.mark.parametrize(
    ("y", "eta_R", "n_steps", "message"),
    [
        (np.ones(3), 0.1, 2, "do not fit 'BI'"),
        (np.ones((2, 3)), -0.1, 2, "eta_R must be a finite number, at least 0"),
        (np.ones((2, 3)), 0.1, 0, "n_steps must be at least 1"),
    ],
)
def test_bad_paths_are_refused(y, eta_R, n_steps, message):
    with pytest.raises(InputError, match=message):
        list(decorrelation_path(y, eta_R, n_steps))


def cubic_rule(R, y, eta_R, x, strength=2.0):
    """A lateral rule of your own: names in any order, one setting, and more than the second moments of a batch."""
    return strength * ((x**3).T @ y / len(y)) / (1 + eta_R) - R


def test_a_path_follows_a_rule_of_your_own():
    y = 0.5 * np.random.default_rng(0).normal(size=(7, 3))
    R = np.eye(3)
    for actual in decorrelation_path(y, 0.1, 3, cubic_rule):
        assert_near(actual, R, size=10)
        R = R + 0.1 * (2 * sum(np.outer((R @ sample) ** 3, sample) for sample in y) / 7 / 1.1 - R)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (lambda W, x: W, "^update .*<lambda> asks for 'W': name its parameters, any of R, x, y, eta_R, sample_weight$"),
        (int, "^update must be an instance, not the class int"),
        ("matrix", "^update must be a function of any of R, x, y, eta_R, sample_weight: got 'matrix'$"),
    ],
)
def test_a_rule_that_cannot_be_called_is_refused_at_the_call(update, message):
    with pytest.raises(InputError, match=message):
        decorrelation_path(np.ones((2, 3)), 0.1, 2, update)


def test_a_rule_that_returns_something_else_is_named():
    path = decorrelation_path(np.ones((2, 3)), 0.1, 2, lambda R: R[0])
    with pytest.raises(InputError, match=r"^update .*<lambda> returned an array of shape \(3,\), where \(3, 3\) is"):
        list(path)


# ---------------------------------------------------------------- angles


@given(SEEDS, st.floats(0, 180), st.floats(0.1, 10))
def test_the_angle_between_two_signals(seed, degrees, size):
    """cos u + sin v, with orthonormal u and v, is at that angle to u, whatever its size."""
    u, v = np.linalg.qr(np.random.default_rng(seed).normal(size=(12, 2)))[0].T.reshape(2, 4, 3)
    turned = np.cos(np.radians(degrees)) * u + np.sin(np.radians(degrees)) * v
    # the arc cosine loses half of the digits near 0 and 180
    assert alignment_angle(size * turned, u) == pytest.approx(degrees, abs=1e-5)


@given(arrays((2, 3), elements=st.floats(0.1, 3)), st.floats(0.01, 100))
def test_parallel_signals_are_at_0_and_180_degrees(delta, c):
    """Never NaN, though rounding may push the cosine beyond 1."""
    assert alignment_angle(c * delta, delta) == pytest.approx(0, abs=1e-5)
    assert alignment_angle(-c * delta, delta) == pytest.approx(180, abs=1e-5)


@pytest.mark.parametrize("arguments", [(None, 0.1, 2), (np.ones((2, 3)), -1, 2), (np.ones((2, 3)), 0.1, "x")])
def test_an_invalid_path_is_refused_at_the_call(arguments):
    """Not only when it is iterated, which may be much later."""
    with pytest.raises(InputError):
        decorrelation_path(*arguments)


def test_a_zero_or_infinite_signal_has_no_angle():
    for size in (0, np.nan, np.inf):
        for pair in ((np.full((2, 3), float(size)), np.ones((2, 3))), (np.ones((2, 3)), np.full((2, 3), float(size)))):
            with pytest.raises(InputError, match="zero everywhere, or not finite, has no direction"):
                alignment_angle(*pair)


# ---------------------------------------------------------------- steps


def test_a_cosine_by_hand():
    """(3 + 8) / (sqrt(1 + 4) sqrt(9 + 16)), and its sign."""
    u, v = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    assert cosine(u, v) == pytest.approx(11 / (5**0.5 * 5))
    assert cosine(-u, v) == pytest.approx(-11 / (5**0.5 * 5))


def a_batch(seed=0, n=30):
    """Correlated inputs of the second of which the mean square is small, and targets."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) @ np.diag([1, 0.1, 2, 1]) @ rng.normal(size=(4, 4)), np.eye(3)[np.arange(n) % 3]


STEPS = {
    "copi": {},
    "sgd": {"rule": "sgd"},
    "raw": {"rule": "sgd", "decorrelation": None},
    "normalised": {"rule": "normalised", "decorrelation": "normalised"},
    "adam": {"rule": "adam", "decorrelation": None},
    "node": {"error_signal": "node"},
    "bias": {"bias": True},
}


@pytest.mark.parametrize("name", STEPS)
def test_natural_cosines_are_those_of_the_step_that_follows(name):
    """By inverses and long vectors, from the weights before and after it; asking for them changes nothing."""
    network = Network([4, 5, 3], rng=np.random.default_rng(0), dtype="float64", **STEPS[name])
    y0, targets = a_batch()
    rates = {"eta_W": 0.02, "eta_R": 0.01, "delta_scale": 3.0}
    network.step(y0, targets, **rates)
    found = natural_cosines(network, y0, targets, **rates)
    trace = network.forward(y0)
    deltas = network.error_signals(trace, targets)
    before = [layer.W @ layer.R for layer in network.layers]
    network.step(y0, targets, **rates)
    for k, layer in enumerate(network.layers):
        y = np.hstack([trace.y_in[k], np.ones((len(y0), 1))]) if name == "bias" else trace.y_in[k]
        step = (layer.W @ layer.R - before[k]).ravel()
        inverse = np.linalg.inv(y.T @ y / len(y) + 0.01 * np.eye(y.shape[1]))
        natural = (deltas[k].T @ y / len(y) @ inverse).ravel()
        assert found[k] == pytest.approx(step @ natural / (step @ step) ** 0.5 / (natural @ natural) ** 0.5, abs=1e-9)
        assert abs(found[k]) < 0.9999


def test_the_first_step_of_foof_is_the_natural_one():
    """In every layer; that of gradient descent too where the inputs are white."""
    y0, targets = a_batch()
    network = Network([4, 5, 3], rng=np.random.default_rng(0), dtype="float64", rule="foof", decorrelation=None)
    assert natural_cosines(network, y0, targets, eta_W=0.1) == pytest.approx([1, 1])
    white = np.linalg.qr(y0)[0] * len(y0) ** 0.5
    network = Network([4, 5, 3], rng=np.random.default_rng(0), dtype="float64", rule="sgd", decorrelation=None)
    first, second = natural_cosines(network, white, targets, eta_W=0.1)
    assert first == pytest.approx(1)
    assert second < 0.99


def test_no_step_has_no_cosine():
    network = Network([4, 5, 3], rng=np.random.default_rng(0), dtype="float64")
    with pytest.raises(InputError, match="has no direction"):
        natural_cosines(network, *a_batch(), eta_W=0, eta_R=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("power", [-30, -20, 20, 30])
def test_signals_of_any_size_have_an_angle(dtype, power):
    """Float32 can hold the signals, but neither their squares nor the product of their norms."""
    u, v = np.array([[1, 0], [0, 0]], dtype), np.array([[1, 0], [0, 1]], dtype)
    size = np.asarray(10.0**power, dtype)
    for pair in ((size * u, size * v), (u, size * v), (size * u, v)):
        assert alignment_angle(*pair) == pytest.approx(45, abs=1e-3)


@given(tasks(n_layers=st.integers(2, 4), error_signal="fa", activations=("leaky_relu", "linear")))
def test_angles_of_a_network(task):
    """One per hidden layer: 0 with the true feedback, and 180 in the first layer once its feedback changes sign."""
    network, y0, targets = task
    for k, above in enumerate(network.layers[1:]):
        network.feedback[k] = (above.W @ above.R).T
    angles = alignment_angles(network, y0, targets)
    assert angles == pytest.approx([0] * (len(network.layers) - 1), abs=1e-5)
    network.feedback[0] = -network.feedback[0]
    assert alignment_angles(network, y0, targets)[0] == pytest.approx(180, abs=1e-5)


def test_angles_need_a_batch_that_fits():
    network = Network([4, 3, 2], rng=np.random.default_rng(0), error_signal="fa", dtype="float64")
    with pytest.raises(InputError, match="inputs must have shape"):
        alignment_angles(network, np.ones((5, 3)), np.ones((5, 2)))


def skewed(trace, delta_L, layers, rng):
    """Error signals of your own: noise in hidden layers, and a rotated signal in the output layer."""
    noise = [rng.normal(size=a.shape).astype(a.dtype) for a in trace.a[:-1]]
    return [*noise, np.roll(delta_L, 1, axis=1)]


def bent(a):
    return np.sqrt(1 + a**2) - 1


def bent_slope(a):
    return a / np.sqrt(1 + a**2)


BENT = Activation("bent", bent, bent_slope)
SKEWED = ErrorSignal("skewed", skewed)


def test_angles_of_own_signals_are_to_true_backpropagation_and_leave_the_noise_as_it_was():
    """Also where a signal changes that of the output layer; the next training step draws the same noise."""
    network, y0 = network_of((4, 5, 3), error_signal=SKEWED, activation=BENT)
    targets = np.random.default_rng(0).normal(size=(11, 3))
    twin = deepcopy(network)
    (angle,) = alignment_angles(network, y0, targets)
    assert alignment_angles(network, y0, targets) == [angle]
    first, last = network.layers
    trace = network.forward(y0)
    delta_L = -bent_slope(trace.a[-1]) * 2 * (trace.y[-1] - targets)
    exact = bent_slope(trace.a[0]) * (delta_L @ last.W @ last.R)
    own = deepcopy(network.noise_rng).normal(size=exact.shape)
    cosine = np.sum(own * exact) / np.sqrt(np.sum(own**2) * np.sum(exact**2))
    assert angle == pytest.approx(np.degrees(np.arccos(cosine)))
    for each in (network, twin):
        each.step(y0, targets, eta_W=0.1)
    assert np.array_equal(first.W, twin.layers[0].W)


# ---------------------------------------------------------------- receptive fields and compression


def trace_of(network, y0):
    """Return x and y of every layer, (B, I_k) and (B, O_k), sample by sample from the oracle."""
    passes = [oracle_of(network).forward(sample) for sample in y0]
    depth = range(len(network.layers))
    return [np.array([xs[k] for xs, _, _ in passes]) for k in depth], [
        np.array([ys[k] for *_, ys in passes]) for k in depth
    ]


def map_between(x, y):
    """Appendix B, unit by unit: the sum of y_i x_j over the sum of x_j^2, or 0 if x_j is always 0."""
    W = np.zeros((y.shape[1], x.shape[1]))
    for i, j in np.ndindex(*W.shape):
        power = sum(x_j**2 for x_j in x[:, j])
        W[i, j] = 0 if power == 0 else sum(y_i * x_j for y_i, x_j in zip(y[:, i], x[:, j], strict=True)) / power
    return W


def network_of(sizes=(6, 5, 4, 3, 2), n_samples=11, **options):
    """Make a network with lateral weights that are not symmetric, and a batch whose input 2 is always zero."""
    rng = np.random.default_rng(5)
    network = Network(list(sizes), rng=rng, dtype="float64", **options)
    for layer in network.layers:
        layer.R = np.eye(layer.n_inputs) + 0.3 * rng.normal(size=(layer.n_inputs, layer.n_inputs))
    # R mixes inputs: x_2 stays zero only if no other input is mixed into it
    R = np.array(network.layers[0].R)
    R[2] = np.eye(sizes[0])[2]
    network.layers[0].R = R
    return network, rng.normal(size=(n_samples, sizes[0])) * (np.arange(sizes[0]) != 2)


STACKS = [(0, 0), (0, 3), (1, 1), (1, 2), (1, 3), (2, 3), (3, 3)]
# all widths different, which reveals swapped axes; or all equal, where a transposed matrix would fit
SIZES = [(6, 5, 4, 3, 2), (4, 4, 4, 4, 4)]


@pytest.mark.parametrize("batch_size", [1, 4, 11, 1000])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("first", "last"), STACKS)
def test_the_map_of_a_stack(first, last, sizes, batch_size):
    """From x of the first layer to y of the last, over all samples, wherever chunks end."""
    network, y0 = network_of(sizes)
    x, y = trace_of(network, y0)
    W = stack_map(network, y0, first, last, batch_size)
    assert_near(W, map_between(x[first], y[last]), size=100)
    assert_near(W, linear_map(x[first], y[last]), size=100)


@pytest.mark.parametrize("batch_size", [1, 4, 16, 1000])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("first", "last"), STACKS)
def test_the_least_squares_map_of_a_stack(first, last, sizes, batch_size):
    """It equals `numpy.linalg.lstsq` on the live inputs of all samples; dead inputs get no weight."""
    network, y0 = network_of(sizes, n_samples=16)
    x, y = trace_of(network, y0)
    alive = np.any(x[first] != 0, axis=0)
    expected = np.zeros((sizes[last + 1], sizes[first]))
    expected[:, alive] = least_squares(x[first][:, alive], y[last])
    W = least_squares_map(network, y0, first, last, batch_size)
    assert_near(W, expected, size=1e5)  # of the order of the condition of <x x^T>
    assert np.linalg.norm(y[last] - x[first] @ W.T) < np.linalg.norm(
        y[last] - x[first] @ map_between(x[first], y[last]).T
    )


def test_inputs_that_hardly_vary_count_in_least_squares():
    """Input sizes over nine decades, whose squares exceed the precision of float64: all weights are found."""
    rng = np.random.default_rng(0)
    network = Network([4, 2], rng=rng, activation="linear", decorrelation=None, dtype="float64")
    y0 = rng.normal(size=(50, 4)) @ (np.eye(4) + 0.5 * rng.normal(size=(4, 4))) * [1e4, 1, 1e-2, 1e-5]
    assert np.allclose(least_squares_map(network, y0, 0, 0), network.layers[0].W, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_that_depend_on_others_add_nothing_to_least_squares(dtype):
    """They differ from a linear combination of the others by rounding errors only, which are not fitted."""
    rng = np.random.default_rng(0)
    network = Network([5, 2], rng=rng, activation="tanh", decorrelation=None, dtype=dtype)
    free = rng.normal(size=(40, 3))
    y0 = np.concatenate([free, free @ rng.normal(size=(3, 2))], axis=1)
    y0 = (y0 * (1 + 2 * np.finfo(dtype).eps * rng.normal(size=(40, 5)))).astype(dtype)
    W = least_squares_map(network, y0, 0, 0)
    assert W.dtype == y0.dtype
    assert np.max(np.abs(W)) < 10
    expected = free @ least_squares(free, network.predict(y0)).T
    assert np.allclose(y0 @ W.T, expected, atol=1e-5 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("k", range(4))
def test_a_receptive_field_is_the_map_from_the_first_inputs(k):
    """In the coordinates of x_0, or of pixels after multiplying by R; standardised, for inputs of mean square 1."""
    network, y0 = network_of()
    x, y = trace_of(network, y0)
    fields = receptive_fields(network, y0, k, batch_size=4)
    assert_near(fields, map_between(x[0], y[k]), size=100)
    assert np.all(fields[:, 2] == 0)
    root = np.array([np.mean([x_j**2 for x_j in column]) ** 0.5 for column in x[0].T])
    in_units = x[0] / np.where(root > 0, root, 1)
    assert_near(
        receptive_fields(network, y0, k, standardized=True, batch_size=4), map_between(in_units, y[k]), size=100
    )
    prediction = y0 @ (fields @ network.layers[0].R).T
    assert_near(prediction, x[0] @ fields.T, size=100)
    assert np.array_equal(receptive_fields(network, y0, k - 4, batch_size=4), fields)


def test_fields_are_those_of_the_output_layer_by_default():
    network, y0 = network_of()
    assert np.array_equal(receptive_fields(network, y0), receptive_fields(network, y0, 3))


def test_the_fields_of_linear_units_are_their_weights():
    """For decorrelated inputs to a linear layer, with any weights."""
    network = Network([3, 2], rng=np.random.default_rng(0), activation="linear", dtype="float64")
    y0 = np.array([[2.0, 1, 0], [-2, 1, 0], [2, -1, 3], [-2, -1, 3]]) * [1, 1, 0]
    assert_near(receptive_fields(network, y0, 0), network.layers[0].W * [1, 1, 0])


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("first", "last"), STACKS)
def test_a_compressed_network_contains_the_map(first, last, sizes):
    """Layers before and after compute what they did; R and one linear map replace the stack."""
    network, y0 = network_of(sizes, activation="tanh", output_activation="relu")
    small = compress(network, y0, 4 - (last - first), first=first, batch_size=4)
    x, y = trace_of(network, y0)
    W = map_between(x[first], y[last])
    expected = []
    for sample in y0:
        state = sample
        for k, layer in enumerate(network.layers):
            if k == first:
                state = W @ (layer.R @ state)
            elif not first < k <= last:
                state = F["relu" if k == 3 else "tanh"](layer.W @ (layer.R @ state))
        expected.append(state)
    assert_near(small.predict(y0), expected, size=100)
    assert_near(small.forward(y0).y[-1], expected, size=100)
    assert len(small.layers) == 4 - (last - first)
    assert small.layers[first].activation.name == "linear"


def test_the_first_layer_is_kept_unless_asked():
    network, y0 = network_of()
    small = compress(network, y0, keep=2)
    assert np.array_equal(small.layers[0].W, network.layers[0].W)
    assert_near(small.layers[1].W, stack_map(network, y0, 1, 3))


def test_any_linear_map_can_replace_the_layers():
    """It is called once: with the network, all samples, the layers to replace, and the given chunk size."""
    network, y0 = network_of()
    asked = []

    def zeros(*arguments):
        asked.append(arguments)
        return np.zeros((3, 5))

    small = compress(network, y0, 3, linear_map=zeros, batch_size=7)
    assert len(asked) == 1
    assert asked[0][0] is network
    assert asked[0][1] is y0
    assert asked[0][2:] == (1, 2, 7)
    assert np.all(small.layers[1].W == 0)
    exact = compress(network, y0, 3, linear_map=least_squares_map)
    assert np.array_equal(exact.layers[1].W, least_squares_map(network, y0, 1, 2))


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "sgd", "decorrelation": "local"},
        {"rule": "adam", "decorrelation": None},
        {"loss": "cross_entropy"},
        {"error_signal": "fa"},
        {"error_signal": "dtp"},
        {"activation": ["tanh", "relu", "linear", "leaky_relu"]},
    ],
)
def test_a_compressed_network_can_be_saved_and_trained(options, tmp_path):
    """It has the settings of the network, except for the error signal, and shares no memory with it."""
    network, y0 = network_of(**options)
    before = network.predict(y0)
    small = compress(network, y0, 3)
    assert small.config["sizes"] == [6, 5, 3, 2]
    assert small.config["error_signal"] == "bp"
    kept = {"rule", "decorrelation", "loss", "dtype", "output_activation"}
    assert all(small.config[name] == network.config[name] for name in kept)
    assert [layer.activation.name for layer in small.layers] == [
        network.layers[0].activation.name,
        "linear",
        network.layers[3].activation.name,
    ]
    save_network(tmp_path / "small.npz", small)
    loaded, _ = load_network(tmp_path / "small.npz")
    assert loaded.config == small.config
    assert np.array_equal(loaded.predict(y0), small.predict(y0))
    small.step(y0, np.ones((len(y0), 2)), eta_W=0.01)
    assert not np.array_equal(loaded.predict(y0), small.predict(y0))
    assert np.array_equal(network.predict(y0), before)


def half_hebb(W, x, z):
    return 0.5 * (z.T @ x / len(x) - W * np.mean(x**2, axis=0))


def absolute(y, targets):
    return np.sum(np.abs(y - targets), axis=1)


def absolute_gradient(y, targets):
    return np.sign(y - targets)


def test_a_compressed_network_keeps_its_own_parts(tmp_path):
    """Those of the layers that stay, also where layers differ, and where they were assigned later."""
    network, y0 = network_of(
        rule=["sgd", half_hebb, "copi", "adam"],
        decorrelation=[cubic_rule, "matrix", "local", cubic_rule],
        error_signal=SKEWED,
        loss=Loss("absolute", absolute, absolute_gradient),
    )
    network.layers[0].activation = network.layers[3].activation = BENT
    small = compress(network, y0, 3, batch_size=4)  # layers 1 and 2 become one
    module = __name__
    assert small.config["rule"] == ["sgd", f"{module}:half_hebb", "adam"]
    assert small.config["decorrelation"] == [f"{module}:cubic_rule", "matrix", f"{module}:cubic_rule"]
    assert small.config["activation"] == [f"{module}:bent", "linear", f"{module}:bent"]
    assert small.config["loss"] == f"{module}:absolute"
    x = network.forward(y0).x[1] @ stack_map(network, y0, 1, 2).T
    assert_near(small.predict(y0), bent(x @ network.layers[3].folded().T), size=100)
    save_network(tmp_path / "small.npz", small)
    own = {"rule": half_hebb, "decorrelation": cubic_rule, "activation": BENT, "loss": network.loss}
    loaded, _ = load_network(tmp_path / "small.npz", **own)
    for each in (small, loaded):
        each.step(y0, np.ones((len(y0), 2)), eta_W=0.01)
    assert np.array_equal(loaded.predict(y0), small.predict(y0))


def test_the_fields_of_own_activations():
    network, y0 = network_of(activation=["tanh", BENT, BENT, "linear"], decorrelation=cubic_rule)
    x, y = y0, None
    for k, f in enumerate((np.tanh, bent)):
        layer = network.layers[k]
        y = f((x if y is None else y) @ layer.R.T @ layer.W.T)
    assert_near(receptive_fields(network, y0, 1), map_between(y0 @ network.layers[0].R.T, y), size=100)


def test_layers_without_lateral_weights_are_compressed_without():
    network = Network([4, 3, 3, 2], rng=np.random.default_rng(0), decorrelation=None, dtype="float64")
    small = compress(network, np.random.default_rng(1).normal(size=(9, 4)), 2)
    assert not any(layer.has_lateral_weights for layer in small.layers)


BAD_SAMPLES = [
    ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ({"y0": np.ones((5, 4))}, r"inputs must have shape \(B, 6\) for this network, got \(5, 4\)"),
    ({"y0": np.ones(6)}, "do not fit 'BI'"),
    ({"y0": np.ones((0, 6))}, "an array is empty"),
    ({"y0": [[1.0] * 6]}, "need arrays of one library"),
    ({"y0": np.ones((5, 6), dtype=np.float32)}, "inputs must be float64 like the weights"),
    ({"y0": np.full((5, 6), np.nan)}, "inputs hold NaN or infinite values"),
]


def assert_refused(message, use, arguments):
    network, y0 = network_of()
    with pytest.raises(InputError, match=message) as error:
        use(network, **({"y0": y0} | arguments))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("use", [stack_map, least_squares_map])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": 2, "last": 1}, "last layer must be at least 2, got 1"),
        ({"first": -1}, "first layer must be at least 0, got -1"),
        ({"first": 1.0}, "first layer must be an integer, got 1.0"),
        ({"last": 4}, "last layer must be at most 3 in this network, got 4"),
        ({"last": "3"}, "last layer must be an integer, got '3'"),
        *BAD_SAMPLES,
    ],
)
def test_invalid_stacks_are_refused(use, arguments, message):
    assert_refused(message, use, {"first": 1, "last": 2} | arguments)


@pytest.mark.parametrize("linear_map", [stack_map, least_squares_map])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": 1}, "keep must be at least 2, got 1"),
        ({"keep": 3, "first": 4}, "first layer must be at most 3 in this network, got 4"),
        ({"keep": 2, "first": 2}, "keep must be at least 3, got 2"),
        ({"keep": 5}, "keep must be at most 4, the number of layers, got 5"),
        ({"keep": 2.0}, "keep must be an integer, got 2.0"),
        ({"first": -1}, "first layer must be at least 0, got -1"),
        ({"first": "1"}, "first layer must be an integer, got '1'"),
        *BAD_SAMPLES,
    ],
)
def test_invalid_compressions_are_refused(linear_map, arguments, message):
    assert_refused(message, compress, {"keep": 3, "linear_map": linear_map} | arguments)


@pytest.mark.parametrize("layer", [-5, 4, 1.5, None])
def test_fields_of_missing_layers_are_refused(layer):
    assert_refused(r"layer must be .*, got", receptive_fields, {"layer": layer})


@pytest.mark.parametrize(("arguments", "message"), BAD_SAMPLES)
def test_fields_of_bad_samples_are_refused(arguments, message):
    assert_refused(message, receptive_fields, arguments)

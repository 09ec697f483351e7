"""A network: whole training steps against Algorithm 1 written again, then every refusal."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_equal_to, oracle_of
from strategies import ALL_ACTIVATIONS, SEEDS, tasks

from copi_np import DivergenceError, InputError, Network
from copi_np.backend import DTYPES
from copi_np.network import glorot_normal

RULES = ("copi", "sgd", "momentum", "adam")
KINDS = ("bp", "fa", "dfa")
FORMS = ("matrix", "local", None)
PRECISION = {"float32": 1e-5, "float64": 1e-10}


def make_network(sizes=(4, 3, 2), seed=0, **options):
    return Network(list(sizes), rng=np.random.default_rng(seed), **{"dtype": "float64", **options})


def weights_of(network):
    """Copies of all that learning may change."""
    lateral = [layer.R.copy() for layer in network.layers]
    forward = [layer.W.copy() for layer in network.layers]
    memory = [copy.deepcopy(getattr(layer.forward_step, "__dict__", {})) for layer in network.layers]
    return forward, lateral, copy.deepcopy(network.feedback), memory


def assert_follows(network, y0, targets, n_steps, relative, **rates):
    """`n_steps` of learning agree with the oracle in everything: loss, states, signals, W, R and feedback."""
    oracle = oracle_of(network)
    for _ in range(n_steps):
        trace = network.forward(y0)
        passes = [oracle.forward(sample) for sample in y0]
        for k in range(len(network.layers)):
            for name, state in zip(("x", "a", "y"), zip(*passes, strict=True), strict=True):
                assert_equal_to(relative, getattr(trace, name)[k], [sample[k] for sample in state])
        deltas = network.error_signals(trace, targets, rates.get("delta_scale", 1.0))
        loss = network.step(y0, targets, **rates)
        eta_R = rates.get("eta_R")
        eta_R = rates["eta_W"] if eta_R is None else eta_R
        true_loss, true_deltas = oracle.step(y0, targets, rates["eta_W"], eta_R, rates.get("delta_scale", 1.0))
        assert_equal_to(relative, loss, true_loss)
        for k, layer in enumerate(network.layers):
            assert_equal_to(relative, deltas[k], true_deltas[k])
            assert_equal_to(relative, layer.W, oracle.W[k])
            assert_equal_to(relative, layer.R, oracle.R[k])
            if oracle.B[k] is not None:
                assert_equal_to(relative, network.feedback[k], oracle.B[k])


def regression_batch(dtype="float64", n_inputs=5, n_outputs=3, seed=1):
    """Correlated inputs and one-hot targets, as numbers of moderate size."""
    rng = np.random.default_rng(seed)
    y0 = 0.3 + 0.5 * rng.normal(size=(6, n_inputs)) @ rng.normal(size=(n_inputs, n_inputs)) / np.sqrt(n_inputs)
    return y0.astype(dtype), np.eye(n_outputs, dtype=dtype)[rng.integers(0, n_outputs, 6)]


# ---------------------------------------------------------------- training against Algorithm 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decorrelation", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_twelve_steps_follow_algorithm_1(rule, kind, decorrelation, dtype):
    """Every rule, error signal and form of decorrelation; step sizes differ and the signal is scaled."""
    rates = {"eta_W": 1e-3, "eta_R": 3e-3} if rule == "adam" else {"eta_W": 0.02, "eta_R": 0.05, "delta_scale": 1.5}
    network = make_network([5, 4, 6, 3], rule=rule, error_signal=kind, decorrelation=decorrelation, dtype=dtype)
    assert_follows(network, *regression_batch(dtype), 12, PRECISION[dtype], **rates)


@pytest.mark.parametrize("kind", ["tp", "dtp"])
@pytest.mark.parametrize("rule", ["copi", "sgd"])
def test_target_propagation_learns_its_inverse_along_the_way(rule, kind):
    """The feedback moves after the signals went through it, also where W rests."""
    network = make_network([5, 4, 6, 3], rule=rule, error_signal=kind)
    assert_follows(network, *regression_batch(), 8, 1e-10, eta_W=0.01, eta_R=0.02)
    assert_follows(network, *regression_batch(), 3, 1e-10, eta_W=0.0, eta_R=0.02)


@pytest.mark.parametrize("rule", RULES)
@given(data=st.data(), eta_W=st.sampled_from([0.0, 1e-3, 0.05, 1.0]), eta_R=st.sampled_from([None, 0.0, 1e-3, 1.0]))
def test_a_step_from_anywhere_follows_algorithm_1(rule, data, eta_W, eta_R):
    """Any depth, width, activation and batch; R anywhere, also where it is frozen."""
    options = {"error_signal": data.draw(st.sampled_from(KINDS)), "decorrelation": data.draw(st.sampled_from(FORMS))}
    network, y0, targets = data.draw(tasks(rule=rule, **options))
    # Adam's first move is eta g / |g|, which has no accurate value where g is a rounding error: the first loss has
    relative = 1e-10 if rule != "adam" else 1e-6
    assert_follows(network, y0, targets, 1, relative, eta_W=eta_W, eta_R=eta_R, delta_scale=0.5)


@pytest.mark.parametrize("loss", oracles.LOSS)
@pytest.mark.parametrize("activation", ALL_ACTIVATIONS)
def test_other_losses_and_activations_follow_it_too(loss, activation):
    """Cross-entropy has a linear output layer unless told otherwise."""
    network = make_network([5, 4, 3], loss=loss, activation=activation)
    assert network.config["output_activation"] == ("linear" if loss == "cross_entropy" else activation)
    assert_follows(network, *regression_batch(), 5, 1e-10, eta_W=0.02)


def test_the_output_activation_is_that_of_the_last_layer_only():
    network = make_network([5, 4, 3], activation="tanh", output_activation="linear")
    assert [layer.activation.name for layer in network.layers] == ["tanh", "linear"]
    assert_follows(network, *regression_batch(), 3, 1e-10, eta_W=0.02)


def test_every_layer_may_have_an_activation_of_its_own():
    network = make_network([5, 4, 4, 3], activation=["tanh", "linear", "relu"])
    assert [layer.activation.name for layer in network.layers] == ["tanh", "linear", "relu"]
    assert network.config["activation"] == ["tanh", "linear", "relu"]
    assert network.config["output_activation"] == "relu"


def test_the_output_activation_goes_before_a_list():
    for options in ({"output_activation": "linear"}, {"loss": "cross_entropy"}):
        network = make_network([5, 4, 3], activation=("tanh", "relu"), **options)
        assert [layer.activation.name for layer in network.layers] == ["tanh", "linear"]
        assert network.config["activation"] == "tanh"  # what the hidden layers hold
        assert network.config["output_activation"] == "linear"


@pytest.mark.parametrize("decorrelation", FORMS)
def test_assigned_weights_are_those_that_learn(decorrelation):
    """W, R and feedback assigned before and between steps; without decorrelation R stays what it was set to."""
    network = make_network([5, 4, 3], error_signal="fa", decorrelation=decorrelation)
    y0, targets = regression_batch()
    rng = np.random.default_rng(3)
    for _ in range(2):
        for layer in network.layers:
            layer.W = rng.normal(size=layer.W.shape)
            layer.R = np.eye(layer.n_inputs) + 0.1 * rng.normal(size=layer.R.shape)
        network.feedback[0] = rng.normal(size=(4, 3))
        frozen = [layer.R.copy() for layer in network.layers]
        assert_follows(network, y0, targets, 2, 1e-10, eta_W=0.02)
        if decorrelation is None:
            np.testing.assert_array_equal(network.layers[0].R, frozen[0])


def test_fixed_feedback_stays_fixed():
    for kind in ("fa", "dfa"):
        network = make_network(error_signal=kind)
        before = network.feedback[0].copy()
        network.step(np.ones((3, 4)), np.ones((3, 2)), eta_W=0.1)
        np.testing.assert_array_equal(network.feedback[0], before)


# ---------------------------------------------------------------- step sizes


@given(tasks(error_signal="fa"))
def test_each_step_size_moves_its_own_matrix(task):
    """eta_W = 0 leaves W to the bit, eta_R = 0 leaves R."""
    network, y0, targets = task
    forward, *_ = weights_of(network)
    network.step(y0, targets, eta_W=0.0, eta_R=0.01)
    for layer, W in zip(network.layers, forward, strict=True):
        np.testing.assert_array_equal(layer.W, W)
    _, lateral, *_ = weights_of(network)
    network.step(y0, targets, eta_W=0.01, eta_R=0.0)
    for layer, R in zip(network.layers, lateral, strict=True):
        np.testing.assert_array_equal(layer.R, R)


def test_in_copi_delta_scale_is_no_step_size():
    """It scales delta, not the decay: dW(s) - dW(0) = s (dW(1) - dW(0))."""
    y0, targets = regression_batch()
    moved = []
    for scale in (0.0, 1.0, 500.0):
        network = make_network([5, 4, 3])
        start = network.layers[0].W.copy()
        network.step(y0, targets, eta_W=1e-3, delta_scale=scale)
        moved.append(network.layers[0].W - start)
    np.testing.assert_allclose(moved[2] - moved[0], 500 * (moved[1] - moved[0]), rtol=1e-9)
    assert np.max(np.abs(moved[0])) > 1e-6


@pytest.mark.parametrize("rule", RULES)
def test_updates_do_not_depend_on_the_order_or_number_of_copies_of_samples(rule):
    """A batch twice over, shuffled, is the same batch."""
    y0, targets = regression_batch()
    order = np.random.default_rng(0).permutation(np.tile(np.arange(len(y0)), 2))
    one, other = (make_network([5, 4, 3], rule=rule) for _ in range(2))
    for _ in range(3):
        one.step(y0, targets, eta_W=0.01)
        other.step(y0[order], targets[order], eta_W=0.01)
    for a, b in zip(one.layers, other.layers, strict=True):
        np.testing.assert_allclose(a.W, b.W, atol=1e-12)
        np.testing.assert_allclose(a.R, b.R, atol=1e-12)


COPIES = np.array([1, 2, 0, 3, 1, 5])


@pytest.mark.parametrize("loss", oracles.LOSS)
@pytest.mark.parametrize("decorrelation", FORMS)
@pytest.mark.parametrize("kind", [*KINDS, "tp", "dtp"])
@pytest.mark.parametrize("rule", RULES)
def test_a_weight_counts_as_so_many_copies_of_its_sample(rule, kind, decorrelation, loss):
    """In everything: forward, lateral and feedback weights, and the loss."""
    y0, targets = regression_batch()
    rows = np.repeat(np.arange(len(y0)), COPIES)
    options = {"rule": rule, "error_signal": kind, "decorrelation": decorrelation, "loss": loss}
    weighted, copied = (make_network([5, 4, 3], **options) for _ in range(2))
    for _ in range(3):
        losses = weighted.step(y0, targets, eta_W=0.01, sample_weight=COPIES / COPIES.mean())
        assert losses == pytest.approx(copied.step(y0[rows], targets[rows], eta_W=0.01), rel=1e-12)
    for one, other in zip(weights_of(weighted)[:3], weights_of(copied)[:3], strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9) if a is not None else None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", oracles.LOSS)
def test_weights_of_one_change_nothing(rule, loss):
    y0, targets = regression_batch("float32")
    weighted, plain = (make_network([5, 4, 3], rule=rule, loss=loss, dtype="float32") for _ in range(2))
    ones = np.ones(len(y0), "float32")
    assert weighted.step(y0, targets, eta_W=0.01, sample_weight=ones) == plain.step(y0, targets, eta_W=0.01)
    for a, b in zip(weighted.layers, plain.layers, strict=True):
        assert np.array_equal(a.W, b.W)
        assert np.array_equal(a.R, b.R)


def test_learning_lowers_the_loss():
    y0, targets = regression_batch()
    for rule, eta_W in (("copi", 0.05), ("sgd", 0.05), ("adam", 0.01)):
        network = make_network([5, 4, 3], rule=rule)
        losses = [float(network.step(y0, targets, eta_W=eta_W, eta_R=0.05)) for _ in range(100)]
        assert losses[-1] < 0.5 * losses[0], rule


# ---------------------------------------------------------------- predicting


@given(tasks(), st.integers(1, 7))
def test_predict_is_forward_in_chunks(task, batch_size):
    """Folded W R, for any number of samples per chunk, also where it does not divide their number."""
    network, y0, _ = task
    y0 = np.tile(y0, (2, 1))
    expected = network.forward(y0).y[-1]
    assert_equal_to(1e-12, network.predict(y0, batch_size), expected)
    assert_equal_to(1e-12, network.predict(y0), expected)


@pytest.mark.parametrize("decorrelation", FORMS)
def test_predict_sees_what_was_learned(decorrelation):
    y0, targets = regression_batch()
    network = make_network([5, 4, 3], decorrelation=decorrelation)
    for _ in range(5):
        network.step(y0, targets, eta_W=0.05)
    assert_equal_to(1e-12, network.predict(y0), [oracle_of(network).forward(sample)[2][-1] for sample in y0])


@given(tasks())
def test_neither_batch_nor_targets_nor_trace_change(task):
    network, y0, targets = task
    originals = y0.copy(), targets.copy()
    y0.flags.writeable = targets.flags.writeable = False
    trace = network.forward(y0)
    states = copy.deepcopy(trace)
    network.predict(y0)
    network.step(y0, targets, eta_W=0.01)
    np.testing.assert_array_equal(y0, originals[0])
    np.testing.assert_array_equal(targets, originals[1])
    for name in ("x", "a", "y"):
        for now, before in zip(getattr(trace, name), getattr(states, name), strict=True):
            np.testing.assert_array_equal(now, before)


# ---------------------------------------------------------------- initial weights


@given(SEEDS)
def test_the_same_seed_gives_the_same_network(seed):
    """Feedback has a stream of its own: with or without it, the forward weights are the same."""
    one, other = make_network(seed=seed, error_signal="fa"), make_network(seed=seed, error_signal="fa")
    without = make_network(seed=seed, error_signal="bp", decorrelation=None, rule="adam")
    for a, b, c in zip(one.layers, other.layers, without.layers, strict=True):
        np.testing.assert_array_equal(a.W, b.W)
        np.testing.assert_array_equal(a.W, c.W)
        np.testing.assert_array_equal(a.R, np.eye(a.n_inputs))
    np.testing.assert_array_equal(one.feedback[0], other.feedback[0])
    assert not np.array_equal(one.layers[0].W, make_network(seed=seed + 1).layers[0].W)


def test_initial_weights_are_glorot_normal():
    """Mean 0, variance 2 / (I + O), normal tails; feedback by its own fan-in and fan-out."""
    network = make_network([300, 400, 200], error_signal="dfa")
    for matrix in (*(layer.W for layer in network.layers), network.feedback[0]):
        scaled = matrix * np.sqrt(sum(matrix.shape) / 2)
        assert np.mean(scaled) == pytest.approx(0, abs=0.02)
        assert np.var(scaled) == pytest.approx(1, abs=0.02)
        assert np.mean(scaled**4) == pytest.approx(3, abs=0.1)
    assert network.feedback[0].shape == (400, 200)
    assert glorot_normal(np.random.default_rng(0), 2, 3).shape == (2, 3)


def test_float32_weights_are_the_float64_ones_rounded():
    for one, other in zip(make_network(dtype="float32").layers, make_network().layers, strict=True):
        assert one.W.dtype == one.R.dtype == np.float32
        np.testing.assert_array_equal(one.W, other.W.astype(np.float32))


def test_the_loss_of_a_step_is_that_before_it():
    y0, targets = regression_batch()
    network = make_network([5, 4, 3])
    before = oracle_of(network).mean_loss(y0, targets)
    loss = network.step(y0, targets, eta_W=0.1)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(before, rel=1e-12)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": []}, "sizes must be two or more positive integers"),
        ({"sizes": [4]}, "sizes must be two or more positive integers"),
        ({"sizes": [4, 0, 2]}, "sizes must be two or more positive integers"),
        ({"sizes": [4, -3, 2]}, "sizes must be two or more positive integers"),
        ({"sizes": [4, 2.5]}, "sizes must be two or more positive integers"),
        (
            {"activation": ["tanh"] * 5000},
            r"activation must be one for all layers, or a list of 2, one per layer: got \[.{119}\.\.$",
        ),
        ({"rng": np.ones((9, 9))}, r"rng must be a numpy.random.Generator.* got .{120}\.\.$"),
        ({"rng": 0}, "rng must be a numpy.random.Generator.*got 0"),
        ({"rng": np.random.RandomState(0)}, "rng must be a numpy.random.Generator"),
        ({"dtype": "float16"}, "unknown dtype 'float16'.*known: float32, float64"),
        ({"dtype": np.float32}, "unknown dtype"),
        ({"dtype": np.zeros(2)}, r"unknown dtype array\(\[0., 0.\]\): known: float32"),
        ({"decorrelation": "locl"}, "unknown decorrelation 'locl': did you mean 'local'"),
        ({"rule": "cop"}, "unknown rule 'cop': did you mean 'copi'"),
        (
            {"rule": None},
            "rule must be one of copi, sgd, momentum, adam, foof, kappa, normalised, a function .*: got None",
        ),
        ({"error_signal": "BP"}, "unknown error signal 'BP': did you mean 'bp'"),
        ({"activation": "leakyrelu"}, "unknown activation 'leakyrelu': did you mean 'leaky_relu'"),
        ({"activation": None}, "activation must be one of leaky_relu, .*: got None"),
        (
            {"activation": ["tanh"]},
            r"activation must be one for all layers, or a list of 2, one per layer: got \['tanh'\]",
        ),
        ({"activation": ["tanh", "rel"]}, "unknown activation 'rel': did you mean 'relu'"),
        ({"output_activation": "softmax"}, "unknown activation 'softmax'"),
        ({"loss": "mse"}, "unknown loss 'mse'.*known: quadratic, cross_entropy"),
        ({"backend": "tensorflow"}, "unknown backend 'tensorflow'.*known: auto, numpy, cupy"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(options, message):
    arguments = {"sizes": [4, 3, 2], "rng": np.random.default_rng(0), **options}
    with pytest.raises(InputError, match=message):
        Network(arguments.pop("sizes"), **arguments)


@pytest.mark.parametrize(
    "sizes", [[4.0, 2.0], [float("nan"), 2], [float("inf"), 2], ["a", 2], [None, 2], [True, 2], 5, [[4], 2]]
)
def test_sizes_of_other_types_are_refused_or_taken_never_a_crash(sizes):
    """Either a whole number of units in any numeric type works, or the package's own error says what is needed."""
    try:
        network = Network(sizes, rng=np.random.default_rng(0))
    except InputError as error:
        assert "sizes must be" in str(error)  # noqa: PT017
    else:
        assert [network.layers[0].n_inputs, network.layers[0].n_outputs] == sizes


BAD_INPUTS = [
    (np.ones((5, 4)).tolist(), "must be an array of backend 'numpy', got list"),
    (np.ones((5, 3)), r"must have shape \(.*, 4\) for this network, got \(5, 3\)"),
    (np.ones(4), r"must have shape \(.*, 4\) for this network, got \(4,\)"),
    (np.ones((5, 4, 1)), r"must have shape \(.*, 4\) for this network, got \(5, 4, 1\)"),
    (np.ones((5, 4), np.float32), "must be float64 like the weights, got float32"),
    (np.ones((5, 4), np.uint8), "must be float64 like the weights, got uint8"),
    (np.full((5, 4), np.nan), "hold NaN or infinite values"),
    (np.where(np.eye(5, 4) > 0, np.inf, 1.0), "hold NaN or infinite values"),
]


@pytest.mark.parametrize(("y0", "message"), [*BAD_INPUTS, (np.ones((0, 4)), "are empty")])
def test_inputs_that_do_not_fit_are_refused(y0, message):
    network = make_network([4, 4])
    for use in (network.forward, network.predict, lambda y0: network.step(y0, np.ones((5, 4)), eta_W=0.1)):
        with pytest.raises(InputError, match=f"^inputs {message}"):
            use(y0)


@pytest.mark.parametrize(
    ("targets", "message"), [*BAD_INPUTS, (np.ones((3, 4)), r"must have shape \(5, 4\) for this network, got \(3, 4\)")]
)
def test_targets_that_do_not_fit_are_refused_before_anything_moves(targets, message):
    network = make_network([4, 4])
    W = network.layers[0].W.copy()
    with pytest.raises(InputError, match=f"^targets {message}"):
        network.step(np.ones((5, 4)), targets, eta_W=0.1)
    np.testing.assert_array_equal(network.layers[0].W, W)
    np.testing.assert_array_equal(network.layers[0].R, np.eye(4))


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        ([1.0] * 6, "sample_weight must be an array of backend 'numpy', got list"),
        (np.ones(5), r"sample_weight must have shape \(6,\), got \(5,\)"),
        (np.ones((6, 1)), r"sample_weight must have shape \(6,\), got \(6, 1\)"),
        (np.ones(6, "float32"), "sample_weight must be float64 like the weights, got float32"),
        (-np.eye(6)[0], "sample_weight holds negative, NaN or infinite values: give each sample 0 or more$"),
        (np.full(6, np.nan), "^sample_weight holds negative, NaN"),
        (np.full(6, np.inf), "sample_weight holds negative, NaN"),
    ],
)
def test_weights_of_samples_that_do_not_fit_are_refused_before_anything_moves(sample_weight, message):
    network, fresh = make_network([5, 4, 3]), make_network([5, 4, 3])
    with pytest.raises(InputError, match=message):
        network.step(*regression_batch(), eta_W=0.1, sample_weight=sample_weight)
    assert all(np.array_equal(a.W, b.W) for a, b in zip(network.layers, fresh.layers, strict=True))


def test_the_message_shows_the_shape_that_fits():
    """Any number of samples in a batch of inputs, written B; as many targets as inputs."""
    network = make_network([4, 2])
    with pytest.raises(InputError, match=r"^inputs must have shape \(B, 4\) for this network, got \(5, 3\)$"):
        network.forward(np.ones((5, 3)))
    with pytest.raises(InputError, match=r"^targets must have shape \(5, 2\) for this network, got \(3, 2\)$"):
        network.step(np.ones((5, 4)), np.ones((3, 2)), eta_W=0.1)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["eta_W", "eta_R", "delta_scale"])
def test_step_sizes_are_finite_and_not_negative(name, value):
    rates = {"eta_W": 0.1, name: value}
    with pytest.raises(InputError, match=f"^{name} must be a finite number, at least 0, got {value}"):
        make_network().step(np.ones((5, 4)), np.ones((5, 2)), **rates)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_chunks_hold_at_least_one_sample(batch_size):
    with pytest.raises(InputError, match="batch_size must be at least 1"):
        make_network().predict(np.ones((5, 4)), batch_size)


@pytest.mark.parametrize("eta_W", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["tp", "dtp"])
def test_a_missing_inverse_is_named_also_where_W_rests(kind, eta_W):
    network = make_network(error_signal=kind)
    network.feedback[0] = None
    with pytest.raises(InputError, match="layer 0 has no feedback matrix"):
        network.step(np.ones((5, 4)), np.ones((5, 2)), eta_W=eta_W, eta_R=0.1)


# ---------------------------------------------------------------- divergence


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e5, 1e30])
@pytest.mark.parametrize(("matrix", "rate"), [("W", r"eta_W \(now 0.25\)"), ("R", r"eta_R \(now 0.125\)")])
@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("rule", RULES)
def test_divergence_names_layer_and_step_size_and_moves_nothing(rule, k, matrix, rate, size, dtype):
    """One matrix grew out of bounds: in float32 the loss overflows, in float64 it is only huge."""
    network = make_network([4, 3, 5, 2], rule=rule, error_signal="dtp", dtype=dtype)
    y0, targets = np.ones((6, 4), dtype), np.ones((6, 2), dtype)
    network.step(y0, targets, eta_W=0.001, eta_R=0.01)
    layer = network.layers[k]
    setattr(layer, matrix, getattr(layer, matrix) * size)
    before = weights_of(network)
    shape = rf"\({layer.n_inputs} -> {layer.n_outputs}\)"
    with pytest.raises(DivergenceError, match=rf"training diverged.* {matrix} of layer {k} {shape}: lower {rate}"):
        network.step(y0, targets, eta_W=0.25, eta_R=0.125)
    for now, then in zip(weights_of(network), before, strict=True):
        np.testing.assert_equal(now, then)


def test_without_eta_R_the_message_says_what_it_was():
    network = make_network()
    network.layers[1].R = 1e8 * np.eye(3)
    with pytest.raises(DivergenceError, match=r"R of layer 1 .*: lower eta_R \(now 0.5\)"):
        network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=0.5)


def test_weights_that_are_not_numbers_count_as_divergence():
    network = make_network()
    network.layers[1].W[0, 0] = np.nan
    with pytest.raises(DivergenceError, match=r"loss nan.*W of layer 1"):
        network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["W", "R"])
def test_weights_that_are_not_numbers_cannot_be_assigned(name, value):
    layer = make_network().layers[0]
    before = getattr(layer, name).copy()
    with pytest.raises(InputError, match=f"{name} holds NaN or infinite values"):
        setattr(layer, name, np.full(before.shape, value))
    np.testing.assert_array_equal(getattr(layer, name), before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_feedback_that_is_no_list_of_finite_matrices_is_named(value):
    network = make_network(error_signal="fa")
    before = network.feedback[0].copy()
    for matrices in (5, None, "ab"):
        with pytest.raises(InputError, match=f"^feedback must be a list with one item per layer, got {matrices!r}$"):
            network.feedback = matrices
    with pytest.raises(InputError, match=r"^feedback\[0\] holds NaN or infinite values: assign finite weights$"):
        network.feedback = [np.full(before.shape, value), None]
    np.testing.assert_array_equal(network.feedback[0], before)


def test_feedback_has_one_item_a_layer():
    network = make_network(error_signal="dtp")
    with pytest.raises(InputError, match="one item per layer"):
        network.feedback = network.feedback[:-1]
    network.feedback = tuple(network.feedback)
    network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=0.01)  # learns its feedback, so it must be a list


def test_the_advice_names_every_size_that_may_be_too_large():
    network = make_network()
    network.layers[1].W = 1e10 * np.ones_like(network.layers[1].W)
    with pytest.raises(DivergenceError, match=r"lower eta_W \(now 0.5\) or delta_scale \(now 20\), .*COPI needs eta_R"):
        network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=0.5, eta_R=0.1, delta_scale=20)
    with pytest.raises(DivergenceError, match="scale the inputs down"):
        network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=0, eta_R=0.1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_learns_alike_and_apart(copied):
    network = make_network(rule="adam", error_signal="fa")
    twin = copied(network)
    y0, targets = np.ones((6, 4)), np.ones((6, 2))
    network.step(y0, targets, eta_W=0.1)
    assert not np.array_equal(network.layers[0].W, twin.layers[0].W)
    twin.step(y0, targets, eta_W=0.1)
    np.testing.assert_array_equal(network.layers[0].W, twin.layers[0].W)


def test_a_network_shows_how_it_was_made():
    assert repr(make_network()) == (
        "Network([4, 3, 2], rule='copi', error_signal='bp', decorrelation='matrix', activation='leaky_relu', "
        "output_activation='leaky_relu', loss='quadratic', dtype='float64', backend='numpy')"
    )


def test_the_blame_falls_on_a_matrix_that_exists():
    """Without decorrelation there is no R to blame and no eta_R to lower."""
    network = make_network(decorrelation=None, rule="sgd")
    for layer in network.layers:
        layer.W = 0.5 * np.eye(*layer.W.shape)  # no gain above 1 anywhere: only the targets' error is large
    with pytest.raises(DivergenceError) as error:
        network.step(np.full((6, 4), 1e9), np.ones((6, 2)), eta_W=0.5)
    assert "eta_R" not in str(error.value)


def test_copi_that_does_not_decorrelate_is_told_to():
    """Without decorrelation eta_R moves nothing, however large it is."""
    network = make_network(decorrelation=None)
    network.layers[1].W = 1e10 * np.ones_like(network.layers[1].W)
    with pytest.raises(DivergenceError, match="COPI needs eta_R no smaller than eta_W"):
        network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=0.5, eta_R=0.5)


def test_the_limit_of_the_loss_is_still_below_divergence():
    """Silence costs 0 here, so the limit is 1e6 (1 + 0); it is reached at y = 1000, and passed beyond."""
    network = make_network([1, 1], activation="linear")
    y0, targets = np.ones((1, 1)), np.zeros((1, 1))
    network.layers[0].W = np.array([[1000.0]])
    assert network.step(y0, targets, eta_W=0.0) == 1e6
    network.layers[0].W = np.array([[1000.001]])
    with pytest.raises(DivergenceError):
        network.step(y0, targets, eta_W=0.0)


def test_a_large_but_finite_loss_is_no_divergence():
    """Below a million times that of a silent network a step is taken."""
    network = make_network()
    network.layers[1].W = 100 * network.layers[1].W
    assert np.isfinite(network.step(np.ones((6, 4)), np.ones((6, 2)), eta_W=1e-6))

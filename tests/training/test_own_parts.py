"""Rules, error signals, activations and losses of your own: they train, and nothing is lost silently."""

from __future__ import annotations

import copy
import functools
import pickle
import sys

import numpy as np
import pytest
from oracles import assert_near

from copi_np import (
    Dataset,
    DivergenceError,
    InputError,
    Network,
    Schedule,
    Split,
    fit,
    load_network,
    rules,
    save_network,
)
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.analysis import alignment_angles
from copi_np.callbacks import BestCheckpoint
from copi_np.datasets import hold_out
from copi_np.error_signals import ERROR_SIGNALS, ErrorSignal, backpropagation
from copi_np.export import export_onnx
from copi_np.losses import LOSSES, Loss
from copi_np.steps import AdamStep, Step, describe_step

SIZES = [6, 5, 4, 3]


def sign_rule(W, x, delta, shrink=0.5):
    return shrink * np.sign(rules.sgd_update(x, delta)) - 0.01 * W


def kappa(R, x, y, c=0.3):
    C = x.T @ x / len(x)
    return -((1 - c) * (C - np.diag(np.diag(C))) + c * (np.diag(np.diag(C)) - np.eye(len(R), dtype=R.dtype))) @ R


def softplus(a):
    return np.logaddexp(np.zeros((), a.dtype), a)


def logistic(a):
    return 1 / (1 + np.exp(-a))


def half(layers, trace, feedback, delta_L):
    return [delta / 2 for delta in backpropagation(layers, trace, feedback, delta_L)]


def noisy(layers, trace, delta_L, rng):
    return [rng.normal(size=a.shape).astype(a.dtype) for a in trace.a[:-1]] + [delta_L]


def absolute(y, targets):
    return np.sum(np.abs(y - targets), axis=1)


def absolute_gradient(y, targets):
    return np.sign(y - targets)


SOFTPLUS = Activation("softplus", softplus, logistic)
HALF = ErrorSignal("half", half)
NOISY = ErrorSignal("noisy", noisy)
ABSOLUTE = Loss("absolute", absolute, absolute_gradient)
OWN = {"rule": sign_rule, "decorrelation": kappa, "activation": SOFTPLUS, "error_signal": HALF, "loss": ABSOLUTE}


class Momentum(Step):
    """A rule with a memory."""

    def __init__(self, beta=0.9):
        self.beta = beta

    def start(self, weights, backend):
        super().start(weights, backend)
        self.mean = np.zeros_like(weights)
        self.count = 0

    def step(self, weights, states, eta):
        self.mean = self.beta * self.mean + rules.sgd_update(states.x, states.delta)
        self.count += 1
        weights += eta * self.mean

    def state(self):
        return {"mean": self.mean, "count": self.count}

    def restore(self, state):
        assert state.keys() == {"mean", "count"}
        self.mean, self.count = state["mean"], state["count"]


def make_network(seed=0, **options):
    return Network(SIZES, rng=np.random.default_rng(seed), **{"dtype": "float64"} | options)


def batch(seed=1, dtype="float64", n=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, SIZES[0])).astype(dtype), np.eye(3, dtype=dtype)[np.arange(n) % 3]


def trained(network, n_steps=3, **options):
    for seed in range(n_steps):
        network.step(*batch(seed, network.dtype), eta_W=0.05, **options)
    return network


def data_of(n=40):
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    split = Split(np.eye(3, SIZES[0])[labels] + rng.normal(0, 0.3, (n, SIZES[0])), labels)
    return Dataset("own", split, split, 3)


def weights_of(network):
    return [array for layer in network.layers for array in (layer.W, layer.R)]


def assert_same_weights(one, other, ulps=0):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        assert_near(a, b, 10, ulps=ulps)


# ------------------------------------------------------------------------------------------ they are what they say


@pytest.mark.parametrize(
    ("given", "built_in"),
    [
        ({"rule": rules.copi_update, "decorrelation": rules.decorrelation_update}, {}),
        ({"decorrelation": rules.local_decorrelation_update}, {"decorrelation": "local"}),
        ({"rule": rules.sgd_update}, {"rule": "sgd"}),
        ({"rule": lambda W, x, a, delta: rules.copi_update(W, x, a + delta)}, {}),
        ({"rule": lambda W, z, x: rules.copi_update(W, x, z)}, {}),
        ({"decorrelation": lambda y, R: rules.decorrelation_update(R, y @ R.T)}, {}),
        ({"activation": Activation("mine", *ACTIVATIONS["tanh"][1:])}, {"activation": "tanh"}),
        ({"error_signal": ErrorSignal("m", lambda trace, layers, delta_L: backpropagation(layers, trace, (), delta_L))},
         {}),
        ({"loss": Loss("mine", *LOSSES["cross_entropy"][1:]), "output_activation": "linear"},
         {"loss": "cross_entropy"}),
        ({"rule": AdamStep(), "decorrelation": None}, {"rule": "adam", "decorrelation": None}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_part_given_as_an_object_does_what_its_name_does(given, built_in, dtype):
    weights = np.linspace(0.5, 2, 8, dtype=dtype)
    one, other = (make_network(dtype=dtype, **options) for options in (given, built_in))
    for network in (one, other):
        trained(network)
        trained(network, 1, sample_weight=weights)
    assert_same_weights(one, other, ulps=200)


def test_whitened_update_is_a_rule_as_it_stands():
    """dW = <z x^T> - W, by hand for one step."""
    network = make_network(rule=rules.whitened_update, decorrelation=None)
    y0, targets = batch()
    trace = network.forward(y0)
    deltas = network.error_signals(trace, targets)
    before = [layer.W.copy() for layer in network.layers]
    network.step(y0, targets, eta_W=0.1)
    for layer, W, x, a, delta in zip(network.layers, before, trace.x, trace.a, deltas, strict=True):
        assert_near(layer.W, W + 0.1 * ((a + delta).T @ x / len(x) - W), 10)


def test_a_rule_gets_what_it_names():
    """y is the input before R, y_out the output f(a), z the target, R as it was before the step."""
    seen = []

    def rule(W, R, x, y, a, z, delta, y_out, sample_weight):
        seen.append({"R": R.copy(), "x": x, "y": y, "a": a, "z": z, "delta": delta, "y_out": y_out, "w": sample_weight})
        return 0 * W

    network = make_network(rule=rule)
    y0, targets = batch()
    trained(network, 1)
    seen.clear()
    lateral = [layer.R.copy() for layer in network.layers]
    trace = network.forward(y0)
    deltas = network.error_signals(trace, targets)
    network.step(y0, targets, eta_W=0.1)
    assert len(seen) == 3
    for k, states in enumerate(seen):
        assert states["w"] is None
        assert_near(states["R"], lateral[k])
        assert_near(states["y"], trace.y_in[k])
        assert_near(states["x"], trace.y_in[k] @ lateral[k].T)
        assert_near(states["a"], trace.a[k])
        assert_near(states["y_out"], trace.y[k])
        assert_near(states["delta"], deltas[k])
        assert_near(states["z"], trace.a[k] + deltas[k])


def test_a_lateral_rule_may_name_its_step_size():
    """R + eta_R * (gR - R) / eta_R = gR."""
    network = make_network(decorrelation=lambda R, x, y, eta_R: R / eta_R)
    trained(network, 1, eta_R=0.25)
    for layer in network.layers:
        assert_near(layer.R, 2 * np.eye(layer.n_inputs))


def test_a_rule_that_names_the_weights_of_samples_gets_plain_rows():
    weights = np.array([0.0, 1, 2, 3, 0.5, 1, 1, 0])

    seen = []

    def named(x, delta, sample_weight):
        seen.append(sample_weight)
        w = np.ones(len(x)) if sample_weight is None else sample_weight
        return (w[:, None] * delta).T @ x / len(x)

    one, other = make_network(rule=named), make_network(rule="sgd")
    for network in (one, other):
        network.step(*batch(), eta_W=0.1, sample_weight=weights)
        network.step(*batch(2), eta_W=0.1)
    assert all(np.array_equal(each, weights) for each in seen[:3])
    assert seen[3:] == [None] * 3
    assert_same_weights(one, other, ulps=200)


def test_a_lateral_rule_that_names_the_weights_of_samples_gets_plain_rows():
    weights = np.array([0.0, 1, 2, 3, 0.5, 1, 1, 0])

    def named(R, x, sample_weight):
        return rules.decorrelation_update(R, np.sqrt(sample_weight)[:, None] * x)

    one, other = make_network(decorrelation=named), make_network()
    for network in (one, other):
        network.step(*batch(), eta_W=0.1, sample_weight=weights)
    assert_same_weights(one, other, ulps=200)


def test_a_rule_that_does_not_name_them_gets_weighted_rows():
    """Each state, times the root of its sample's weight; plain ones without weights."""
    weights = np.array([0.0, 1, 4, 9, 0.25, 1, 1, 0])
    seen = []

    class Recording(Step):
        def step(self, weights, states, eta):
            seen.append((states, [getattr(states, name) for name in ("x", "y", "a", "delta", "y_out", "z", "power")]))

    network = make_network(rule=Recording(), decorrelation=None)
    network.step(*batch(), eta_W=0.1)
    network.step(*batch(), eta_W=0.1, sample_weight=weights)
    for (_, plain), (states, weighted) in zip(seen[:3], seen[3:], strict=True):
        assert states.sample_weight is None
        for one, other in zip(weighted[:-1], plain[:-1], strict=True):
            assert_near(one, np.sqrt(weights)[:, None] * other)
        assert_near(plain[-1], np.mean(plain[0] ** 2, axis=0))
        assert_near(weighted[-1], np.mean(weights[:, None] * plain[0] ** 2, axis=0))


@pytest.mark.parametrize("uses_x_R", [True, False])
def test_a_step_that_uses_the_product_x_R_gets_it_weighted(uses_x_R):
    """From backpropagation, where a layer lies below; otherwise the step makes it."""
    weights = np.array([0.0, 1, 4, 9, 0.25, 1, 1, 0])
    seen = []

    class Lateral(Step):
        def step(self, weights, states, eta):
            seen.append(states.x_R)
            if states.x_R is not None:
                assert_near(states.x_R, states.x @ weights)

    Lateral.uses_x_R = uses_x_R
    network = make_network(decorrelation=Lateral())
    network.step(*batch(), eta_W=0.1)
    network.step(*batch(), eta_W=0.1, sample_weight=weights)
    assert [x_R is not None for x_R in seen] == [False, uses_x_R, uses_x_R] * 2


def test_a_step_size_of_zero_asks_no_rule():
    """A memory does not advance where the weights rest."""
    network = make_network(rule=Momentum(), decorrelation=[None, Momentum(), Momentum()])
    network.step(*batch(), eta_W=0.1, eta_R=0)
    network.step(*batch(), eta_W=0.1, eta_R=0)
    assert [layer.forward_step.count for layer in network.layers] == [2, 2, 2]
    assert [layer.lateral_step.count for layer in network.layers[1:]] == [0, 0]
    network = make_network(rule=Momentum())
    network.step(*batch(), eta_W=0, eta_R=0.1)
    assert [layer.forward_step.count for layer in network.layers] == [0, 0, 0]


def test_what_no_parameter_asks_for_is_left_alone():
    network = make_network(rule=lambda x, delta, W=None, eta=3.0: rules.sgd_update(x, delta) * (1 if W is None else 0))
    assert_same_weights(trained(network), trained(make_network(rule="sgd")), ulps=200)


@functools.lru_cache
def _wrapped(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Callable:
    def __call__(self, W, x, delta):
        return sign_rule(W, x, delta)

    def method(self, W, x, delta):
        return sign_rule(W, x, delta)


@pytest.mark.parametrize(
    "rule",
    [sign_rule, functools.partial(sign_rule, shrink=0.5), _wrapped(sign_rule), Callable(), Callable().method],
    ids=["function", "partial", "wrapped", "instance", "method"],
)
def test_whatever_can_be_called_by_name_is_a_rule(rule):
    assert_same_weights(trained(make_network(rule=rule)), trained(make_network(rule=sign_rule)))


def test_one_part_per_layer():
    network = make_network(
        rule=["copi", sign_rule, "sgd"], decorrelation=[None, kappa, "local"], activation=["tanh", SOFTPLUS, "linear"]
    )
    assert network.config["rule"] == ["copi", f"{__name__}:sign_rule", "sgd"]
    assert network.config["decorrelation"] == [None, f"{__name__}:kappa", "local"]
    assert not network.layers[0].has_lateral_weights
    trained(network)


def test_noise_comes_from_the_third_child_of_the_network_s_generator():
    network = make_network(error_signal=NOISY)
    reference = make_network()
    for layer, other in zip(network.layers, reference.layers, strict=True):
        assert_near(layer.W, other.W)  # the weights are drawn as without noise
    trace = network.forward(batch()[0])
    delta = network.error_signals(trace, batch()[1])[0]
    expected = np.random.default_rng(0).spawn(3)[2].normal(size=delta.shape)
    np.testing.assert_array_equal(delta, expected)
    np.testing.assert_array_equal(network.error_signals(trace, batch()[1])[0], expected)  # looking draws nothing


def test_looking_at_noisy_signals_changes_no_training():
    looked_at, left_alone = make_network(error_signal=NOISY), make_network(error_signal=NOISY)
    for _ in range(3):
        alignment_angles(looked_at, *batch())
        trained(looked_at, 1)
        trained(left_alone, 1)
    assert_same_weights(looked_at, left_alone)


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        (lambda layers: [], "must return a list of 3, one per layer: got 0"),
        (lambda: None, "must return a list of 3, one per layer: got None"),
        (lambda feedback: [feedback[0].T, None, None], r"of error signal kp returned for layer 0 an array of shape"),
    ],
)
def test_updates_of_feedback_that_do_not_fit_are_named(updates, message):
    network = make_network(error_signal=ErrorSignal("kp", ERROR_SIGNALS["fa"].deltas, "above", updates))
    with pytest.raises(InputError, match=message):
        trained(network, 1)


def test_updates_of_feedback_that_need_signals_rest_while_W_rests():
    updates = [lambda deltas, feedback: [0 * feedback[0] + deltas[0].sum(), None, None]]
    network = make_network(error_signal=ErrorSignal("kp", ERROR_SIGNALS["fa"].deltas, "above", updates[0]))
    before = network.feedback[0].copy()
    network.step(*batch(), eta_W=0, eta_R=0.1)
    np.testing.assert_array_equal(network.feedback[0], before)
    network.step(*batch(), eta_W=0.1)
    assert not np.array_equal(network.feedback[0], before)


def test_feedback_may_learn_by_a_rule_of_ones_own():
    """dB = eta_W <x z^T>-like updates by name; None rests."""

    def deltas(layers, trace, feedback, delta_L):
        return ERROR_SIGNALS["fa"].deltas(layers, trace, feedback, delta_L)

    def updates(feedback, deltas, eta_W):
        return [eta_W * np.ones_like(feedback[0]), None, None]

    network = make_network(error_signal=ErrorSignal("kp", deltas, "above", updates))
    before = [None if B is None else B.copy() for B in network.feedback]
    network.step(*batch(), eta_W=0.25)
    assert_near(network.feedback[0], before[0] + 0.25)
    assert_near(network.feedback[1], before[1])


def test_feedback_learns_from_the_step_as_it_is_taken():
    """Step sizes, weights of samples and scaled signals by name; what is returned is added to a new matrix."""
    seen = {}

    def updates(layers, trace, feedback, deltas, targets, sample_weight, eta_W, eta_R):
        seen.update(locals())
        return [np.full_like(feedback[0], 2), np.full_like(feedback[1], 3), None]

    y0, targets = batch()
    network = make_network(error_signal=ErrorSignal("kp", ERROR_SIGNALS["fa"].deltas, "above", updates))
    before, given = network.feedback[:2], np.linspace(0, 2, 8)
    expected = network.error_signals(network.forward(y0), targets, 3.0)
    values = [B.copy() for B in before]
    network.step(y0, targets, eta_W=0.25, eta_R=0.5, delta_scale=3.0, sample_weight=given)
    assert (seen["eta_W"], seen["eta_R"]) == (0.25, 0.5)
    assert np.array_equal(seen["sample_weight"], given)
    assert np.array_equal(seen["targets"], targets)
    for delta, other in zip(seen["deltas"], expected, strict=True):
        assert_near(delta, other)
    for B, old, added in zip(network.feedback, values, (2, 3), strict=False):
        assert_near(B, old + added)
    for B, old in zip(before, values, strict=True):
        np.testing.assert_array_equal(B, old)  # an array that was assigned is not changed in place


def test_an_error_signal_is_given_targets_and_loss():
    def deltas(trace, targets, loss):
        return [0 * a for a in trace.a[:-1]] + [-loss.gradient(trace.y[-1], targets)]

    y0, targets = batch()
    network = make_network(error_signal=ErrorSignal("own", deltas), output_activation="linear")
    plain = make_network(output_activation="linear")
    trace = network.forward(y0)
    assert_near(network.error_signals(trace, targets)[-1], plain.error_signals(trace, targets)[-1])


def test_another_error_signal_asks_for_other_arguments():
    network = make_network(error_signal=HALF)
    network.error_signal = ErrorSignal("zero", lambda trace: [0 * a for a in trace.a])
    assert not any(delta.any() for delta in network.error_signals(network.forward(batch()[0]), batch()[1]))


# ---------------------------------------------------------------------------------------- nothing is lost silently


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_of_own_parts_comes_back_from_a_file(tmp_path, dtype):
    network = trained(make_network(dtype=dtype, **OWN))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", **OWN)
    assert loaded.config == network.config
    assert repr(loaded) == repr(network)
    y0 = batch(dtype=dtype)[0]
    np.testing.assert_array_equal(loaded.predict(y0), network.predict(y0))
    assert_same_weights(trained(loaded), trained(network))


def test_without_them_it_is_refused_with_the_way_out(tmp_path):
    save_network(tmp_path / "net.npz", make_network(**OWN))
    with pytest.raises(InputError) as caught:
        load_network(tmp_path / "net.npz")
    call = (
        "load_network(path, rule=sign_rule, error_signal=half, decorrelation=kappa, activation=softplus, loss=absolute)"
    )
    assert call in str(caught.value)
    assert f"rule sign_rule (from {__name__})" in str(caught.value)


@pytest.mark.parametrize("kind", OWN)
def test_one_that_is_missing_is_named(tmp_path, kind):
    save_network(tmp_path / "net.npz", make_network(**OWN))
    with pytest.raises(InputError, match=rf"load_network\(path, {kind}=\w+\)$"):
        load_network(tmp_path / "net.npz", **{name: part for name, part in OWN.items() if name != kind})


def test_several_that_are_missing_are_all_named(tmp_path):
    save_network(tmp_path / "net.npz", make_network(**OWN))
    with pytest.raises(InputError, match=r"load_network\(path, rule=sign_rule, decorrelation=kappa\)$"):
        load_network(tmp_path / "net.npz", **{name: OWN[name] for name in ("activation", "error_signal", "loss")})


def test_one_of_another_module_is_found_by_its_name(tmp_path):
    """A notebook's function may have moved into a file since."""

    def moved(W, x, delta):
        return sign_rule(W, x, delta)

    moved.__module__, moved.__qualname__ = "__main__", "sign_rule"
    network = trained(make_network(rule=moved))
    save_network(tmp_path / "net.npz", network)
    with pytest.raises(InputError, match=r"rule sign_rule \(from __main__\)"):
        load_network(tmp_path / "net.npz", rule=[kappa, Momentum()])  # of one module, but named differently
    loaded, _ = load_network(tmp_path / "net.npz", rule=sign_rule)
    assert_same_weights(trained(loaded), trained(network))


def test_the_output_layer_s_activation_is_given_as_others_are(tmp_path):
    network = make_network(output_activation=SOFTPLUS)
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", activation=SOFTPLUS)
    assert [layer.activation.name for layer in loaded.layers] == ["leaky_relu", "leaky_relu", "softplus"]


def test_one_of_another_name_is_refused(tmp_path):
    save_network(tmp_path / "net.npz", make_network(rule=sign_rule))
    with pytest.raises(InputError, match=r"load_network\(path, rule=sign_rule\)"):
        load_network(tmp_path / "net.npz", rule=kappa)
    save_network(tmp_path / "plain.npz", make_network())
    with pytest.raises(InputError, match="not saved with rule sign_rule: leave out rule="):
        load_network(tmp_path / "plain.npz", rule=sign_rule)


def test_functions_of_the_rules_load_by_themselves(tmp_path):
    network = trained(make_network(rule=rules.copi_update, decorrelation=rules.local_decorrelation_update))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz")
    assert loaded.config["rule"] == "copi_np.rules:copi_update"
    assert_same_weights(trained(loaded), trained(network))


def test_nothing_else_is_ever_imported(tmp_path):
    """A file names what it wants, but only public functions of `rules` are looked up."""
    for recorded in (
        "os:system",
        "copi_np.rules:InputError",
        "copi_np.rules:_is_invertible",
        "copi_np.rules:mean_outer.x",
    ):
        network = make_network(rule=sign_rule)
        module, _, name = recorded.partition(":")
        function = lambda W: W  # noqa: E731
        function.__module__, function.__qualname__ = module, name
        network = make_network(rule=function)
        save_network(tmp_path / "net.npz", network)
        with pytest.raises(InputError, match="saved with your own"):
            load_network(tmp_path / "net.npz")


def test_a_lambda_is_saved_too(tmp_path):
    network = make_network(rule=lambda W, x, delta: -W)
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", rule=lambda W, x, delta: -W)
    assert_same_weights(trained(loaded), trained(network))


@pytest.mark.parametrize("change", ["activation", "error_signal", "loss", "rule", "decorrelation", "named like one"])
def test_what_is_assigned_later_is_saved_too(tmp_path, change):
    """What the layers hold, not what they were made with."""
    network = make_network()
    own = {name: part for name, part in OWN.items() if name == change}
    if change == "activation":
        network.layers[0].activation = SOFTPLUS
    elif change == "rule":
        network.layers[1].forward_step = sign_rule
    elif change == "decorrelation":
        network.layers[2].lateral_step = kappa
    elif change == "named like one":
        own = {"activation": Activation("tanh", softplus, logistic)}
        network.layers[0].activation = own["activation"]
    else:
        setattr(network, change, OWN[change])
    save_network(tmp_path / "net.npz", network)
    with pytest.raises(InputError, match="saved with your own"):
        load_network(tmp_path / "net.npz")
    loaded, _ = load_network(tmp_path / "net.npz", **own)
    assert loaded.config == network.config != make_network().config
    np.testing.assert_array_equal(loaded.predict(batch()[0]), network.predict(batch()[0]))
    assert_same_weights(trained(loaded), trained(network))


def test_the_settings_of_a_part_belong_to_its_name(tmp_path):
    save_network(tmp_path / "net.npz", make_network(rule=functools.partial(sign_rule, shrink=2)))
    with pytest.raises(InputError, match=r"sign_rule\(shrink=2\)"):
        load_network(tmp_path / "net.npz", rule=functools.partial(sign_rule, shrink=3))
    save_network(tmp_path / "adam.npz", make_network(rule=AdamStep(beta1=0.5)))
    with pytest.raises(InputError, match=r"AdamStep\(beta1=0.5, beta2=0.99, epsilon=1e-08\)"):
        load_network(tmp_path / "adam.npz")
    loaded, _ = load_network(tmp_path / "adam.npz", rule=AdamStep(beta1=0.5))
    assert loaded.layers[0].forward_step.beta1 == 0.5


def test_a_rule_with_a_memory_continues_where_it_was(tmp_path):
    network = trained(make_network(rule=Momentum(0.5), decorrelation=None))
    assert network.layers[0].forward_step is not network.layers[1].forward_step
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", rule=Momentum(0.5))
    assert loaded.layers[0].forward_step.count == 3
    assert_same_weights(trained(loaded), trained(network))
    fresh = make_network(rule=network.layers[0].forward_step)
    assert fresh.layers[0].forward_step.count == 0


class LateralMomentum(Momentum):
    """A rule of R with a memory."""

    def step(self, weights, states, eta):
        self.mean = self.beta * self.mean + rules.decorrelation_update(weights, states.x)
        self.count += 1
        weights += eta * self.mean


def test_a_lateral_rule_with_a_memory_continues_where_it_was(tmp_path):
    """Both memories of a layer at once."""
    own = {"rule": Momentum(), "decorrelation": LateralMomentum(0.5)}
    network = trained(make_network(**own))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", **own)
    for layer, other in zip(loaded.layers, network.layers, strict=True):
        assert layer.lateral_step.count == 3
        np.testing.assert_array_equal(layer.lateral_step.mean, other.lateral_step.mean)
        np.testing.assert_array_equal(layer.forward_step.mean, other.forward_step.mean)
    assert_same_weights(trained(loaded), trained(network))
    fresh = make_network(rule=network.layers[0].forward_step, decorrelation=network.layers[0].lateral_step)
    assert_same_weights(trained(fresh), trained(make_network(**own)))


def test_memories_of_many_layers_are_kept_apart(tmp_path):
    """Layer 1 of twelve is not layer 11."""
    for rule in (Momentum(), "adam"):
        network = Network([3] * 13, rng=np.random.default_rng(0), rule=rule, decorrelation=None, dtype="float64")
        targets = np.eye(3)[[0, 1, 2]]
        network.step(targets, targets, eta_W=0.01)
        save_network(tmp_path / "net.npz", network)
        loaded, _ = load_network(tmp_path / "net.npz", **({} if rule == "adam" else {"rule": rule}))
        for layer, other in zip(loaded.layers, network.layers, strict=True):
            assert layer.forward_step.count == 1
            np.testing.assert_array_equal(layer.forward_step.mean, other.forward_step.mean)


def test_adam_forgets_what_it_learned_from_other_weights():
    used = trained(make_network(rule="adam")).layers[0].forward_step
    assert_same_weights(trained(make_network(rule=used)), trained(make_network(rule="adam")))


def test_lateral_weights_that_were_assigned_are_saved_without_decorrelation(tmp_path):
    network = make_network(decorrelation=None)
    network.layers[1].R = np.random.default_rng(0).normal(size=(5, 5))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz")
    assert [layer.has_lateral_weights for layer in loaded.layers] == [False, True, False]
    assert_same_weights(loaded, network)


def test_noise_of_an_unknown_bit_generator_starts_again(tmp_path):
    """A file names no class to be imported."""

    class Bits(np.random.PCG64):
        @property
        def state(self):
            return super().state | {"bit_generator": "Bits"}

    network = make_network(error_signal=NOISY)
    network.noise_rng = np.random.Generator(Bits(0))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", error_signal=NOISY)
    assert isinstance(loaded.noise_rng.bit_generator, np.random.PCG64)


def test_a_class_derived_from_a_built_in_step_has_its_own_name():
    class Mine(AdamStep):
        pass

    assert describe_step(Mine()).startswith(f"{__name__}:")
    assert describe_step(AdamStep()) == "adam"


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_noise_continues_where_it_was(tmp_path, bits):
    network = trained(Network(SIZES, rng=np.random.Generator(bits(3)), error_signal=NOISY, dtype="float64"))
    save_network(tmp_path / "net.npz", network)
    loaded, _ = load_network(tmp_path / "net.npz", error_signal=NOISY)
    assert_same_weights(trained(loaded), trained(network))


@pytest.mark.parametrize("own", [OWN, {"rule": Momentum()}, {"error_signal": NOISY}], ids=["all", "memory", "noise"])
def test_training_resumes_to_the_bit(tmp_path, own):
    """Interrupted after two epochs of four, with a new network of the same parts."""
    schedule = Schedule(0.01, 0.01)

    def train(epochs, path, resume=False):
        network = make_network(**own)
        rng = np.random.default_rng(5)
        fit(network, data_of(), epochs=epochs, schedule=schedule, rng=rng, batch_size=7, checkpoint=path, resume=resume)
        return network

    straight = train(4, tmp_path / "a.npz")
    train(2, tmp_path / "b.npz")
    assert_same_weights(train(4, tmp_path / "b.npz", resume=True), straight)
    with pytest.raises(InputError, match=r"belongs to another training run: .*(was |saved with )"):
        fit(make_network(), data_of(), epochs=4, schedule=schedule, rng=np.random.default_rng(5), batch_size=7,
            checkpoint=tmp_path / "b.npz", resume=True)  # fmt: skip


def test_the_best_epoch_is_kept_with_own_parts(tmp_path):
    data = hold_out(data_of(), 0.3, np.random.default_rng(0))
    network = make_network(**OWN)
    best = tmp_path / "best.npz"
    for epochs, resume in ((2, False), (3, True)):
        fit(network, data, epochs=epochs, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(0),
            callbacks=[BestCheckpoint(best)], checkpoint=tmp_path / "c.npz", resume=resume)  # fmt: skip
    load_network(best, **OWN)


def test_copies_and_pickles_hold_the_same_parts():
    network = trained(make_network(**OWN | {"rule": Momentum(), "error_signal": NOISY}))
    copied, pickled = copy.deepcopy(network), pickle.loads(pickle.dumps(network))
    expected = trained(network)
    assert_same_weights(trained(copied), expected)
    assert_same_weights(trained(pickled), expected)
    assert pickled.config == network.config


def test_a_lambda_can_be_copied_but_not_pickled():
    network = make_network(rule=lambda W: -W)
    assert_same_weights(trained(copy.deepcopy(network)), trained(network))
    with pytest.raises(InputError, match=r"rule .*<lambda> cannot be pickled, .*: define it with def"):
        pickle.dumps(network)
    activation = Activation("mine", lambda a: a, np.ones_like)
    with pytest.raises(InputError, match="activation mine cannot be pickled"):
        pickle.dumps(make_network(activation=activation))


def test_onnx_refuses_what_it_cannot_say(tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match="ONNX has no operator for activation softplus"):
        export_onnx(tmp_path / "net.onnx", make_network(activation=SOFTPLUS))
    export_onnx(tmp_path / "net.onnx", make_network(rule=sign_rule, decorrelation=kappa))  # rules are not exported


def test_divergence_is_blamed_on_own_rules_too():
    network = make_network(decorrelation=lambda R: 1e8 * R)
    with pytest.raises(DivergenceError, match=r"R of layer 0 \(6 -> 5\): lower eta_R"):
        trained(network, 5)


# --------------------------------------------------------------------------------------------- one clear error each


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": lambda w, x: w}, r"rule .*<lambda> asks for 'w': name its parameters, any of W, R, x, y, a, z, "),
        ({"rule": lambda *args: 0}, r"rule .*<lambda> takes \*args: name its parameters"),
        ({"rule": lambda W, **others: 0}, r"rule .*<lambda> takes \*\*others: name its parameters"),
        ({"rule": lambda W, /: 0}, r"rule .*<lambda> takes 'W' by position only"),
        ({"rule": Momentum}, r"rule must be an instance, not the class Momentum: pass Momentum\(\.\.\)"),
        ({"rule": Callable}, r"rule must be an instance, not the class Callable"),
        ({"rule": np.add}, r"(cannot read the parameters of rule add|rule add takes|rule add asks)"),
        ({"rule": 3}, "rule must be one of copi, sgd, momentum, .*, a function of any of W, .*: got 3"),
        ({"rule": "cop"}, "unknown rule 'cop': did you mean 'copi'"),
        ({"decorrelation": lambda W: W}, "decorrelation .*<lambda> asks for 'W': name its parameters, any of R, x, y"),
        ({"decorrelation": 0.5}, "decorrelation must be one of matrix, local, kappa, gain, normalised, a function"),
        ({"activation": np.tanh}, "activation must be one of leaky_relu, .*, or Activation"),
        ({"activation": Activation("f", lambda a: a[0], np.ones_like)}, "f of activation f returned an array of shape"),
        ({"activation": Activation("f", np.tanh, lambda a: 1.0)}, "df of activation f returned builtins.float"),
        ({"error_signal": half}, r"error_signal must be one of bp, .*, or ErrorSignal\(name, deltas\): got <function"),
        ({"error_signal": ErrorSignal("s", lambda b: 0)}, "error signal .*<lambda> asks for 'b': name its .* layers"),
        ({"error_signal": ErrorSignal("s", half, "below")}, "feedback_from of error signal 's' must be 'above'"),
        ({"error_signal": ErrorSignal("s", half, None, lambda B: 0)}, "feedback_updates .* asks for 'B'"),
        ({"loss": absolute}, r"loss must be one of quadratic, cross_entropy, or Loss\(name, values, gradient\)"),
        ({"loss": Loss("l", lambda y, t: np.mean(y - t), absolute_gradient)}, "values of loss l returned numpy.float"),
        ({"loss": Loss("l", absolute, absolute)}, r"gradient of loss l returned an array of shape \(2,\)"),
        ({"activation": Activation("tanh", lambda a: a[0], np.ones_like)}, "f of activation tanh returned an array of"),
        ({"loss": Loss("quadratic", absolute, absolute)}, "gradient of loss quadratic returned an array of shape"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_at_once(options, message):
    with pytest.raises(InputError, match=message) as caught:
        make_network(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": lambda W: W.T}, r"^rule .*<lambda> returned an array of shape \(6, 5\), where \(5, 6\) is needed"),
        ({"rule": lambda W: W.astype("float32")}, "returned an array of dtype float32, where float64 is needed"),
        ({"rule": lambda W: W.tolist()}, "returned builtins.list, where numpy.ndarray is needed"),
        ({"rule": lambda W: None}, "returned builtins.NoneType, where numpy.ndarray is needed"),
        ({"decorrelation": lambda R: R[:-1]}, r"^decorrelation .*<lambda> returned an array of shape \(5, 6\)"),
        ({"error_signal": ErrorSignal("few", lambda delta_L: [delta_L])}, "few must return a list of 3, .*: got 1"),
        ({"error_signal": ErrorSignal("no", lambda delta_L: None)}, "signal no must return a list of 3, .*: got None"),
        (
            {"error_signal": ErrorSignal("wide", lambda trace: [a.T for a in trace.a])},
            r"error signal wide returned for layer 0 an array of shape \(5, 8\), where \(8, 5\) is needed",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(options, message):
    network = make_network(**options)
    with pytest.raises(InputError, match=message):
        trained(network, 1)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([np.ones((5, 1)), None, None], r" returned for layer 0 an array of shape \(5, 1\), where \(5, 4\) is needed"),
        ([None, None, np.ones((3, 3))], " returned for layer 2 numpy.ndarray, where builtins.NoneType is needed"),
        ([None] * 4, " must return a list of 3, one per layer: got 4"),
        (None, " must return a list of 3, one per layer: got None"),
    ],
)  # fmt: skip
def test_what_a_rule_of_feedback_returns_is_looked_at(returned, message):
    signal = ErrorSignal("kp", ERROR_SIGNALS["fa"].deltas, "above", lambda eta_W: returned)
    network = make_network(error_signal=signal)
    with pytest.raises(InputError, match="^feedback_updates of error signal kp" + message):
        trained(network, 1)


def test_a_step_of_the_other_kind_is_refused():
    """A function of W cannot move R."""
    network = make_network(rule=sign_rule)
    with pytest.raises(InputError, match="decorrelation sign_rule asks for 'W'"):
        network.layers[0].lateral_step = network.layers[0].forward_step


def test_this_module_can_be_imported_by_pickle():
    assert sys.modules[__name__].sign_rule is sign_rule


# ---------------------------------------------------------------------------------------------- a schedule by epoch


def test_a_schedule_may_be_a_function_of_the_epoch(tmp_path):
    """The same weights as a Schedule that says the same; it is part of what must stay the same."""

    def decaying(epoch):
        return {"eta_W": 0.01 if epoch == 1 else 0.1, "eta_R": 0.02, "delta_scale": 2.0}

    same = Schedule(eta_W=0.1, eta_R=0.02, first_epochs=1, first_eta_W=0.01, first_eta_R=0.02, delta_scale=2.0)
    networks = [make_network(), make_network()]
    for network, schedule, path in zip(networks, (decaying, same), ("a.npz", "b.npz"), strict=True):
        rng = np.random.default_rng(5)
        fit(network, data_of(), epochs=3, schedule=schedule, rng=rng, checkpoint=tmp_path / path)
    assert_same_weights(*networks)
    options = {"rng": np.random.default_rng(5), "checkpoint": tmp_path / "b.npz", "resume": True}
    with pytest.raises(InputError, match="belongs to another training run: schedule was None, now"):
        fit(make_network(), data_of(), epochs=4, schedule=decaying, **options)


def test_eta_R_of_a_schedule_is_eta_W_unless_it_says_otherwise():
    one, other = make_network(), make_network()
    fit(one, data_of(), epochs=1, schedule=lambda epoch: {"eta_W": 0.05 * epoch}, rng=np.random.default_rng(5))
    fit(other, data_of(), epochs=1, schedule=Schedule(eta_W=0.05, eta_R=0.05), rng=np.random.default_rng(5))
    assert_same_weights(one, other)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda epoch: 0.1, r"schedule .*<lambda> must return a dict with eta_W, .*: got 0\.1"),
        (lambda epoch: {"eta_R": 0.1}, "must return a dict with eta_W"),
        (lambda epoch: {"eta_W": 0.1, "eta": 0.1}, "must return a dict with eta_W"),
        (lambda epoch: {"eta_W": -1}, "eta_W must be a finite number, at least 0, got -1"),
        (Schedule, "schedule must be a Schedule, e.g. .*, or a function of the epoch, got <class"),
        (0.1, r"or a function of the epoch, got 0\.1"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_refused_before_training(schedule, message):
    with pytest.raises(InputError, match=message):
        fit(make_network(), data_of(), epochs=1, schedule=schedule, rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ["W", "R", "x", "y", "a", "delta", "y_out"])
def test_a_rule_cannot_change_its_arguments(name):
    """It would corrupt the step silently; NumPy refuses it, and the network stays what it was."""
    code = (
        f"def rule({name}, W):\n    {name}[...] = 0\n    return W" if name != "W" else "def rule(W):\n    W[...] = 0\n"
    )
    namespace = {}
    exec(code, namespace)
    network = make_network(rule=namespace["rule"])
    before = [array.copy() for array in weights_of(network)]
    with pytest.raises(ValueError, match="read-only"):
        trained(network, 1)
    for array, old in zip(weights_of(network), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_a_rule_may_return_the_weights_themselves():
    """dW = W grows every weight by eta: the view that it was handed is not moved while it is added."""
    network = make_network(rule=lambda W: W, decorrelation=None)
    before = [layer.W.copy() for layer in network.layers]
    network.step(*batch(), eta_W=0.5)
    for layer, W in zip(network.layers, before, strict=True):
        assert_near(layer.W, 1.5 * W)

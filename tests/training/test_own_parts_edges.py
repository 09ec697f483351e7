"""Odd parts of one's own: what is wrong is named in one line, and nothing is mixed up, lost or changed silently."""

from __future__ import annotations

import copy
import functools
import pickle
import threading
import types
from dataclasses import dataclass

import numpy as np
import pytest

# another module's helpers: the parts that work
from test_own_parts import (
    HALF,
    SOFTPLUS,
    Momentum,
    assert_same_weights,
    batch,
    data_of,
    make_network,
    noisy,
    sign_rule,
    trained,
    weights_of,
)

from copi_np import InputError, Schedule, fit, load_network, rules, save_network
from copi_np.activations import Activation
from copi_np.analysis import alignment_angles, compress, receptive_fields
from copi_np.callbacks import Callback
from copi_np.diagnostics import diagnose
from copi_np.error_signals import ERROR_SIGNALS, ErrorSignal
from copi_np.export import export_safetensors
from copi_np.losses import Loss
from copi_np.steps import Step

# ------------------------------------------------------------------------------------------ arguments stay as they are


def centring(W, x, delta):
    x -= x.mean(axis=0)
    return rules.sgd_update(x, delta)


def erasing(W, x, z):
    W *= 0
    return rules.copi_update(W, x, z)


def centring_lateral(R, x):
    x -= x.mean(axis=0)
    return rules.decorrelation_update(R, x)


class Centring(Step):
    def step(self, weights, states, eta):
        states.x -= states.x.mean(axis=0)
        weights += eta * rules.sgd_update(states.x, states.delta)


class Erasing(Step):
    def step(self, weights, states, eta):
        states.R[...] = 0


def erasing_signal(layers, trace, delta_L):
    layers[1].W[...] = 0
    return [np.ones_like(a) for a in trace.a]


def scaling_signal(trace, delta_L):
    delta_L *= 2
    return [np.ones_like(a) for a in trace.a[:-1]] + [delta_L]


def signal_that_moves_feedback(trace, feedback):
    feedback[0][...] = 0
    return [np.ones_like(a) for a in trace.a]


def updates_in_place(feedback):
    feedback[0] *= 0
    return [None, None, None]


def updates_deltas(deltas):
    deltas[0] *= 0
    return [None, None, None]


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 8)], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("own", "named"),
    [
        ({"rule": centring}, "rule centring"),
        ({"rule": erasing}, "rule erasing"),
        ({"rule": Centring()}, r"rule Centring\(\)"),
        ({"rule": Erasing()}, r"rule Erasing\(\)"),
        ({"decorrelation": centring_lateral}, "decorrelation centring_lateral"),
        ({"decorrelation": Centring()}, r"decorrelation Centring\(\)"),
        ({"error_signal": ErrorSignal("e", erasing_signal)}, "error signal e"),
        ({"error_signal": ErrorSignal("s", scaling_signal)}, "error signal s"),
        ({"error_signal": ErrorSignal("f", signal_that_moves_feedback, "above")}, "error signal f"),
        ({"error_signal": ErrorSignal("u", ERROR_SIGNALS["fa"].deltas, "above", updates_in_place)},
         "feedback_updates of error signal u"),
        ({"error_signal": ErrorSignal("u", ERROR_SIGNALS["fa"].deltas, "above", updates_deltas)},
         "feedback_updates of error signal u"),
    ],
)  # fmt: skip
def test_a_part_that_changes_its_arguments_is_named(own, named, weights):
    """Neither the user's data nor the weights of any layer change; a later step could not tell that they had."""
    network = make_network(**{"decorrelation": None} | own)
    y0, targets = batch()
    before = [y0.copy(), targets.copy(), *(array.copy() for array in weights_of(network)[:2])]
    with pytest.raises(InputError, match=f"^{named} changes its read-only arguments in place: change copies$"):
        network.step(y0, targets, eta_W=0.1, sample_weight=weights)
    if "decorrelation" not in own:  # W moves before R
        for old, now in zip(before, [y0, targets, *weights_of(network)[:2]], strict=True):
            np.testing.assert_array_equal(now, old)


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ({"activation": Activation("r", lambda a: np.maximum(a, 0, out=a), np.sign)}, "f of activation r"),
        ({"activation": Activation("r", np.tanh, lambda a: np.sign(a, out=a))}, "df of activation r"),
        ({"loss": Loss("l", lambda y, t: np.sum(np.subtract(y, t, out=y) ** 2, 1), np.subtract)}, "values of loss l"),
        ({"loss": Loss("l", lambda y, t: np.sum((y - t) ** 2, 1), lambda y, t: np.subtract(y, t, out=y))},
         "gradient of loss l"),
    ],
)  # fmt: skip
def test_an_elementwise_part_that_changes_its_arguments_is_refused_at_once(own, named):
    with pytest.raises(InputError, match=f"^{named} changes its read-only arguments in place: change copies$"):
        make_network(**own)


def test_a_signal_may_change_the_lists_it_gets():
    """They are copies: the step reads its own."""

    def inserting(trace, feedback):
        signals = [np.ones_like(a) for a in trace.a]
        trace.y.insert(0, trace.y0)
        trace.a.clear()
        feedback[0] = None
        return signals

    def plain(trace):
        return [np.ones_like(a) for a in trace.a]

    one, other = (make_network(error_signal=ErrorSignal("s", deltas, "above")) for deltas in (inserting, plain))
    assert_same_weights(trained(one), trained(other))
    assert one.feedback[0] is not None


def test_an_error_of_a_rule_s_own_is_not_explained_away():
    def failing(W):
        raise ValueError("read me")

    with pytest.raises(ValueError, match="read me") as caught:
        trained(make_network(rule=failing), 1)
    assert not isinstance(caught.value, InputError)


def test_what_is_returned_may_be_an_argument():
    """W + eta W, R + eta R; signals that are the pre-activations themselves; feedback that is doubled."""
    signal = ErrorSignal("a", lambda trace: trace.a, "above", lambda feedback: feedback)
    network = make_network(rule=lambda W: W, decorrelation=lambda R: R, error_signal=signal)
    before = [array.copy() for array in weights_of(network)]
    feedback = network.feedback[0].copy()
    network.step(*batch(), eta_W=0.5)
    for now, old in zip(weights_of(network), before, strict=True):
        np.testing.assert_allclose(now, 1.5 * old)
    np.testing.assert_array_equal(network.feedback[0], 2 * feedback)


def test_a_signal_sees_layers_as_they_are():
    seen = {}

    def looking(layers, trace):
        seen.update(n=[layer.n_outputs for layer in layers], f=layers[0].activation.name, copy=copy.deepcopy(layers[0]))
        return [np.ones_like(a) for a in trace.a]

    network = make_network(error_signal=ErrorSignal("l", looking), decorrelation=None)
    network.error_signals(network.forward(batch()[0]), batch()[1])
    assert seen["n"] == [5, 4, 3]
    assert seen["f"] == "leaky_relu"
    np.testing.assert_array_equal(seen["copy"].W, network.layers[0].W)


# --------------------------------------------------------------------------------------------- what cannot be used


class Returning(Step):
    def step(self, weights, states, eta):
        return weights + eta * rules.sgd_update(states.x, states.delta)


def test_a_step_that_returns_new_weights_would_learn_nothing():
    with pytest.raises(InputError, match=r"step\(\) of rule Returning\(\) must change the weights in place"):
        trained(make_network(rule=Returning()), 1)


class OnlyState(Returning):
    def state(self):
        return {"a": 1.0}


class OnlyRestore(Returning):
    def restore(self, state):
        pass


class Locked(Returning):
    def __init__(self):
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"rule": OnlyState()}, r"rule OnlyState\(\) needs both state\(\) and restore\(\), or neither"),
        ({"decorrelation": OnlyRestore()}, r"decorrelation OnlyRestore\(\) needs both state\(\) and restore\(\)"),
        ({"rule": Locked()}, r"rule Locked\(.*\) cannot be copied for each layer: TypeError: cannot pickle"),
        ({"activation": Activation("x", 3, None)}, "f of activation x must be a function: got 3"),
        ({"activation": Activation(["x"], np.tanh, np.ones_like)}, r"name of your activation must be a .*\['x'\]"),
        ({"loss": Loss("x", None, None)}, "values of loss x must be a function: got None"),
        ({"loss": Loss(3, None, None)}, "the name of your loss must be a string: got 3"),
        ({"error_signal": ErrorSignal(None, noisy)}, "the name of your error_signal must be a string: got None"),
        ({"rule": [sign_rule]}, r"rule must be one for all layers, or a list of 3, one per layer: got \[<function"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(own, message):
    with pytest.raises(InputError, match=message) as caught:
        make_network(**own)
    assert "\n" not in str(caught.value)


def test_an_activation_may_have_a_setting_per_unit():
    slopes = np.linspace(0.5, 1, 5)
    own = Activation("slopes", lambda a: a * slopes, lambda a: slopes + 0 * a)
    trained(make_network(activation=[own, "tanh", "linear"]))
    with pytest.raises(ValueError, match="could not be broadcast"):
        make_network(activation=own)


# -------------------------------------------------------------------------------------------------------- losses


def cosine(y, targets):
    return 1 - np.sum(y * targets, axis=1) / np.linalg.norm(y, axis=1)


def cosine_gradient(y, targets):
    norm = np.linalg.norm(y, axis=1, keepdims=True)
    return y * np.sum(y * targets, axis=1, keepdims=True) / norm**3 - targets / norm


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "loss",
    [
        Loss("cosine", cosine, cosine_gradient),  # not a number where all outputs are zero
        Loss("log", lambda y, t: np.log(np.sum(y**2, axis=1)), lambda y, t: 0 * y),  # minus infinity there
        Loss("likelihood", lambda y, t: np.sum((y - t) ** 2, axis=1) - 5e3, lambda y, t: 2 * (y - t)),  # negative
    ],
    ids=lambda loss: loss.name,
)
def test_a_loss_need_not_be_finite_or_positive_for_a_silent_network(loss):
    fit(make_network(loss=loss), data_of(), epochs=2, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(0))


# ------------------------------------------------------------------------------------------- parts of the same name


def reloaded(path, network, **own):
    save_network(path / "net.npz", network)
    return load_network(path / "net.npz", **own)[0]


def of_module(name, factor):
    """A function f of a module."""
    namespace = {"__name__": name}
    exec(f"def f(W, x, delta):\n    return {factor} * delta.T @ x", namespace)
    return namespace["f"]


def test_functions_of_two_modules_keep_their_layers(tmp_path):
    """Whichever order they are given in."""
    one, other = of_module("a", 1), of_module("b", -2)
    network = make_network(rule=[one, other, "copi"])
    expected = trained(copy.deepcopy(network))
    for given in ([one, other, "copi"], (one, other, "copi"), [other, one]):
        loaded = reloaded(tmp_path, network, rule=given)
        assert loaded.config == network.config
        assert_same_weights(trained(loaded), expected)


def test_two_lambdas_keep_their_layers_or_are_refused(tmp_path):
    own = [lambda W: -W, lambda W: W, lambda W: 0 * W]
    network = make_network(rule=own)
    assert isinstance(network.config["rule"], list)
    loaded = reloaded(tmp_path, network, rule=own)
    assert [layer.forward_step.function for layer in loaded.layers] == own
    with pytest.raises(InputError, match=r"several parts passed as rule are called .*<lambda>: pass a list with one"):
        load_network(tmp_path / "net.npz", rule=own[:2])
    assert_same_weights(trained(loaded), trained(network))


def assert_resumes_as_if_never_interrupted(rule, folder):
    """Three epochs at once, and one followed by two from its checkpoint, give the same weights."""

    def train(epochs, path, resume=False):
        network = make_network(rule=rule())
        fit(network, data_of(), epochs=epochs, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(5),
            checkpoint=path, resume=resume)  # fmt: skip
        return network

    straight = train(3, folder / "a.npz")
    train(1, folder / "b.npz")
    assert_same_weights(train(3, folder / "b.npz", resume=True), straight)


def test_training_with_lambdas_per_layer_resumes(tmp_path):
    own = [lambda x, delta: delta.T @ x, lambda x, delta: -delta.T @ x, lambda W: 0 * W]
    assert_resumes_as_if_never_interrupted(lambda: own, tmp_path)


def test_activations_of_one_name_keep_their_layers(tmp_path):
    own = [Activation("mine", lambda a, c=c: c * a, lambda a, c=c: c + 0 * a) for c in (1, 2, 3)]
    loaded = reloaded(tmp_path, make_network(activation=own), activation=own)
    assert [layer.activation for layer in loaded.layers[:2]] == own[:2]


@pytest.mark.parametrize("given", ["sgd", "copi", 3, object()])
def test_a_name_is_not_a_part_to_load_with(tmp_path, given):
    """The file says which built-in rule it is; another name would be ignored silently."""
    save_network(tmp_path / "net.npz", make_network())
    with pytest.raises(InputError, match=r"rule must be your own part that the file names, got .*: leave out rule="):
        load_network(tmp_path / "net.npz", rule=given)


# --------------------------------------------------------------------------------------------------- names and settings


class Scaled:
    def __init__(self, c):
        self.c = c

    def __call__(self, W):
        return -self.c * W

    def method(self, W):
        return -self.c * W

    @classmethod
    def of_class(cls, W):
        return -W

    @staticmethod
    def plain(W):
        return -W


@pytest.mark.parametrize("make", [Scaled, lambda c: Scaled(c).method, lambda c: functools.partial(shrinking, c=c)])
def test_settings_are_compared_wherever_they_are_kept(tmp_path, make):
    network = make_network(rule=make(0.5))
    with pytest.raises(InputError, match=r"\(c=0.5\)"):
        reloaded(tmp_path, network, rule=make(0.25))
    assert_same_weights(trained(reloaded(tmp_path, network, rule=make(np.float64(0.5)))), trained(network))


def shrinking(W, c):
    return -c * W


@pytest.mark.parametrize("rule", [Scaled.of_class, Scaled.plain])
def test_methods_of_classes_are_rules(tmp_path, rule):
    network = pickle.loads(pickle.dumps(make_network(rule=rule)))
    assert network.config["rule"] == f"{__name__}:Scaled.{rule.__name__}"
    reloaded(tmp_path, network, rule=rule)


class Wrapping(Step):
    """A rule around another one, with an array and an object for settings."""

    def __init__(self, rule=rules.copi_update, gains=None, anything=None):
        self.rule, self.gains, self.anything = rule, gains, anything

    def step(self, weights, states, eta):
        weights += eta * self.rule(states.W, states.x, states.z)


def test_a_name_holds_no_address(tmp_path):
    """It is compared in other processes, where objects lie elsewhere."""
    own = Wrapping(rules.copi_update, np.arange(50.0), [object(), sign_rule])
    network = make_network(rule=own)
    assert " at 0x" not in network.config["rule"]
    assert network.config["rule"].startswith(f"{__name__}:Wrapping(rule=copi_update, gains=array ")
    reloaded(tmp_path, network, rule=Wrapping(rules.copi_update, np.arange(50.0), [object(), sign_rule]))
    with pytest.raises(InputError, match="saved with your own rule Wrapping"):
        load_network(
            tmp_path / "net.npz", rule=Wrapping(rules.copi_update, np.arange(50.0) % 49, [object(), sign_rule])
        )


@dataclass
class Data(Step):
    """A rule with a memory, as a dataclass: equality compares arrays."""

    beta: float = 0.9
    mean: object = None

    def start(self, weights, backend):  # without the start of its base
        self.mean = np.zeros_like(weights)

    def step(self, weights, states, eta):
        self.mean = self.beta * self.mean + rules.sgd_update(states.x, states.delta)
        weights += eta * self.mean

    def state(self):
        return {"mean": self.mean}

    def restore(self, state):
        self.mean = state["mean"]


class Annealed(Step):
    """A rule that changes a setting as it learns."""

    def __init__(self, beta=0.8):
        self.beta = beta

    def step(self, weights, states, eta):
        self.beta *= 0.5
        weights += eta * self.beta * rules.sgd_update(states.x, states.delta)

    def state(self):
        return {"beta": self.beta}

    def restore(self, state):
        self.beta = state["beta"]


@pytest.mark.parametrize("kind", ["rule", "decorrelation"])
@pytest.mark.parametrize("make", [Data, Annealed])
def test_a_step_is_recorded_with_the_settings_it_was_given(tmp_path, make, kind):
    """However often it has been copied since, and whatever it has learned."""
    if kind == "decorrelation":
        make = type("Lateral", (make,), {"step": lambda self, weights, states, eta: None})
    network = make_network(**{kind: make()})
    fresh = network.config
    trained(network)
    loaded = reloaded(tmp_path, network, **{kind: make()})
    assert fresh == network.config == loaded.config == copy.deepcopy(network).config
    assert_same_weights(trained(loaded), trained(network))
    with pytest.raises(InputError, match=r"beta=0\.[89]"):
        load_network(tmp_path / "net.npz", **{kind: make(0.1)})


def test_training_with_a_step_that_changes_its_setting_resumes(tmp_path):
    assert_resumes_as_if_never_interrupted(Annealed, tmp_path)


# ------------------------------------------------------------------------------------------------- states in a file


class Stateful(Step):
    kept = None
    got = "nothing"

    def step(self, weights, states, eta):
        weights += eta * rules.sgd_update(states.x, states.delta)

    def state(self):
        return self.kept

    def restore(self, state):
        self.got = state


def keeping(state):
    step = Stateful()
    step.kept = state
    return step


@pytest.mark.parametrize("kind", ["rule", "decorrelation"])
@pytest.mark.parametrize(
    "state",
    [
        {"mean": np.arange(5.0), "square": np.ones((2, 2, 2)), "mean_of_x": 1},  # named like those of Adam
        {"m_1": np.ones(2), "m_0": 2, "m": 3.0, "_": 4, "1": 5, "": 6, "a/b": 7, "W": 8, "R_0": 9, "feedback": 10},
        {"flag": True, "int": 2**40, "float": 0.1, "complex": 1j, "nan": float("nan"), "numpy": np.float32(0.5)},
        {"int": np.arange(3), "bool": np.ones(2, bool), "half": np.ones(2, "float16"), "empty": np.zeros((0, 3))},
        {},
    ],
)
def test_states_of_many_kinds_come_back(tmp_path, state, kind):
    loaded = reloaded(tmp_path, make_network(**{kind: keeping(state)}), **{kind: keeping({})})
    for layer in loaded.layers:
        got = (layer.forward_step if kind == "rule" else layer.lateral_step).got
        if not state:
            assert got == "nothing"
            continue
        assert got.keys() == state.keys()
        for name, value in state.items():
            np.testing.assert_array_equal(got[name], value)
            assert isinstance(value, np.generic) or type(got[name]) is type(value)
            assert not isinstance(value, np.ndarray) or got[name].dtype == value.dtype


@pytest.mark.parametrize(
    ("state", "got"),
    [
        (None, "None"),
        ([1], r"\[1\]"),
        ({"a": "text"}, "'text' for 'a'"),
        ({"a": {"b": 1}}, r"\{'b': 1\} for 'a'"),
        ({"a": [1.0]}, r"\[1.0\] for 'a'"),
        ({"a": 2**70}, "1180591620717411303424 for 'a'"),
        ({"a": np.array(["x"])}, r"array\(\['x'\].* for 'a'"),
        ({"a": np.array([None])}, r"array\(\[None\].* for 'a'"),
        ({1: 2.0}, "2.0 for 1"),
    ],
)
def test_a_state_that_no_file_can_hold_is_refused_before_it_is_written(tmp_path, state, got):
    with pytest.raises(
        InputError, match=rf"^state\(\) of Stateful\(\) must be a dict of arrays and numbers: got {got}"
    ):
        save_network(tmp_path / "net.npz", make_network(rule=keeping(state)))
    assert not (tmp_path / "net.npz").exists()


class Forgetful(Stateful):
    def restore(self, state):
        self.velocity = state["velocity"]


def test_an_error_in_restore_is_no_damage_of_the_file(tmp_path):
    """The file stays where it is, too, when training resumes."""
    step = Forgetful()
    step.kept = {"speed": 1.0}
    schedule, rng = Schedule(0.01, 0.01), np.random.default_rng(0)
    path = tmp_path / "net.npz"
    fit(make_network(rule=step), data_of(), epochs=1, schedule=schedule, rng=rng, checkpoint=path)
    message = r"restore\(\) of Forgetful\(\) cannot continue from speed \(KeyError: 'velocity'\): correct it"
    with pytest.raises(InputError, match=message):
        load_network(path, rule=Forgetful())
    with pytest.raises(InputError, match=message):
        fit(make_network(rule=step), data_of(), epochs=2, schedule=schedule, rng=rng, checkpoint=path, resume=True)
    assert path.exists()


def test_a_memory_is_safe_to_export(tmp_path):
    pytest.importorskip("safetensors")
    export_safetensors(tmp_path / "net.safetensors", trained(make_network(rule=Momentum())))


# ----------------------------------------------------------------------------------------------------- feedback


@pytest.mark.parametrize("signal", ["fa", ErrorSignal("own", ERROR_SIGNALS["fa"].deltas, "above")])
def test_a_network_without_its_feedback_can_be_saved(tmp_path, signal):
    """Assigning an error signal leaves feedback as it is: here, none."""
    network = make_network()
    network.error_signal = signal
    own = {} if isinstance(signal, str) else {"error_signal": signal}
    loaded = reloaded(tmp_path, network, **own)
    assert loaded.feedback == [None] * 3
    with pytest.raises(InputError, match="layer 1 has no feedback matrix: assign one"):
        trained(loaded, 1)


# ------------------------------------------------------------------------------------------------- in daily use


class Copying(Callback):
    """Copies the network in the middle of an epoch."""

    def on_start(self, network, history):
        self.network, self.copies = network, []

    def on_batch(self, batch, n_batches):
        self.copies.append(copy.deepcopy(self.network))


def test_a_copy_in_the_middle_of_training_is_independent():
    copying = Copying()
    network, alone = make_network(rule=Momentum()), make_network(rule=Momentum())
    for each, callbacks in ((network, [copying]), (alone, [])):
        fit(each, data_of(), epochs=1, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(0), batch_size=10,
            callbacks=callbacks)  # fmt: skip
    trained(copying.copies[0])
    assert [layer.forward_step.count for layer in network.layers] == [4, 4, 4]
    assert_same_weights(network, alone)


def test_networks_of_one_instance_train_side_by_side_in_threads():
    own = {"rule": Momentum(), "error_signal": ErrorSignal("noisy", noisy), "activation": SOFTPLUS}
    networks = [make_network(seed, **own) for seed in range(4)]
    alone = [trained(make_network(seed, **own), 20) for seed in range(4)]
    threads = [threading.Thread(target=trained, args=(network, 20)) for network in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for network, other in zip(networks, alone, strict=True):
        assert_same_weights(network, other)


def test_networks_of_own_parts_are_compressed_and_measured():
    own = {"rule": [Momentum(), Data(), sign_rule], "decorrelation": [None, "local", "matrix"]}
    network = trained(make_network(**own, activation=SOFTPLUS, error_signal=HALF))
    y0, targets = batch(n=30)
    assert len(alignment_angles(network, y0, targets)) == 2
    assert [layer.angle is None for layer in diagnose(network, y0, targets)] == [False, False, True]
    assert receptive_fields(network, y0).shape == (3, 6)
    compressed = compress(network, y0, 2)
    assert [type(layer.forward_step).__name__ for layer in compressed.layers] == ["Momentum", "Data"]
    trained(compressed)


def test_a_function_without_a_module_is_recorded_too(tmp_path):
    function = types.FunctionType(shrinking_alone.__code__, {}, "orphan")
    function.__module__ = None
    network = make_network(rule=function)
    assert network.config["rule"].startswith("unknown:")
    reloaded(tmp_path, network, rule=function)


def shrinking_alone(W):
    return -W

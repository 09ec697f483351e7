"""The pure functions on arrays of JAX and PyTorch, eagerly and inside `jax.jit`, `grad` and `vmap`.

Run by `make test-tracing`; skipped where a library is missing (extra ``tracing``).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from oracles import assert_equal_to, directional_derivative
from strategies import FAMILY_AXES, RULE_AXES, family_function

from copi_np import InputError, Network, rules
from copi_np.activations import ACTIVATIONS
from copi_np.algorithm import LayerWeights, error_signals, forward, train_batch
from copi_np.arrays import is_concrete, weigh
from copi_np.error_signals import ERROR_SIGNALS, reconstruction_update
from copi_np.losses import LOSSES, log_softmax

WHY = "install the extra 'tracing'"


class Library(NamedTuple):
    """Functions that have different names in JAX and PyTorch."""

    asarray: Callable
    jit: Callable
    """With PyTorch, returns the function as it is."""
    grad: Callable
    vmap: Callable
    """Takes a function and, for each of its arguments, the axis to map over, or None."""


@pytest.fixture
def jax():
    """JAX in float64, with two devices."""
    jax = pytest.importorskip("jax", reason=WHY)
    if not jax.config.jax_enable_x64:
        jax.config.update("jax_num_cpu_devices", 2)  # refused once there is an array
        jax.config.update("jax_enable_x64", True)
    return jax


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason=WHY)


@pytest.fixture(params=["jax", "torch"])
def library(request):
    module = request.getfixturevalue(request.param)
    if request.param == "jax":
        return Library(module.numpy.asarray, module.jit, module.grad, module.vmap)
    return Library(module.asarray, lambda function: function, module.func.grad, module.func.vmap)


# ---------------------------------------------------------------- every function

LENGTH_OF = {"B": 7, "I": 3, "O": 4, "M": 2, "N": 5, "K": 4}
FUNCTIONS = {
    **{name: (getattr(rules, name), words) for name, words in RULE_AXES.items()},
    **{name: (family_function(name), words) for name, words in FAMILY_AXES.items()},
    **{f"{name}.f": (activation.f, "BO") for name, activation in ACTIVATIONS.items()},
    **{f"{name}.df": (activation.df, "BO") for name, activation in ACTIVATIONS.items()},
    **{f"{name}.values": (loss.values, "BK BK") for name, loss in LOSSES.items()},
    **{f"{name}.mean": (loss.mean, "BK BK B") for name, loss in LOSSES.items()},
    **{f"{name}.gradient": (loss.gradient, "BK BK") for name, loss in LOSSES.items()},
    "log_softmax": (log_softmax, "BK"),
    "weigh": (weigh, "BN B"),
    "reconstruction_update": (
        lambda B, y_above, y: reconstruction_update(B, ACTIVATIONS["tanh"], y_above, y),
        "ON BN BO",
    ),
}
every_function = pytest.mark.parametrize(("function", "words"), FUNCTIONS.values(), ids=FUNCTIONS)


def example_arrays(words, seed=0):
    """Normal numbers; positive ones for weights of samples, which have one axis."""
    rng = np.random.default_rng(seed)
    examples = [rng.normal(size=[LENGTH_OF[letter] for letter in word]) for word in words.split()]
    return [np.abs(example) if example.ndim == 1 else example for example in examples]


@every_function
def test_functions_agree_with_numpy(function, words, library):
    """The same numbers, in the library of the arguments, still in float64."""
    values = example_arrays(words)
    arguments = [library.asarray(value) for value in values]
    result = function(*arguments)
    assert type(result) is type(arguments[0])
    assert result.dtype == arguments[0].dtype
    assert_equal_to(1e-12, np.asarray(result), function(*values))


@every_function
def test_functions_agree_with_numpy_in_jit(function, words, jax):
    values = example_arrays(words)
    result = jax.jit(function)(*map(jax.numpy.asarray, values))
    assert_equal_to(1e-12, np.asarray(result), function(*values))


@every_function
def test_vmap_gives_one_result_per_example(function, words, library):
    examples = [example_arrays(words, seed) for seed in range(3)]
    stacked = [library.asarray(np.stack(values)) for values in zip(*examples, strict=True)]
    result = library.vmap(function, (0,) * len(stacked))(*stacked)
    assert_equal_to(1e-12, np.asarray(result), [function(*values) for values in examples])


@every_function
def test_grad_is_the_derivative(function, words, library):
    """Of a weighted sum of the results, in each argument: against central differences with NumPy."""
    values = example_arrays(words)
    arguments = [library.asarray(value) for value in values]
    weights = np.random.default_rng(1).normal(size=np.shape(function(*values)))

    def weighted_sum(given, weights, k, argument):
        return (function(*given[:k], argument, *given[k + 1 :]) * weights).sum()

    for k, value in enumerate(values):
        gradient = library.grad(partial(weighted_sum, arguments, library.asarray(weights), k))(arguments[k])
        direction = np.random.default_rng(2).normal(size=value.shape)
        expected = directional_derivative(partial(weighted_sum, values, weights, k), value, direction)
        assert np.sum(np.asarray(gradient) * direction) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_grad_of_an_activation_is_df(activation, library):
    (a,) = map(library.asarray, example_arrays("BO"))
    gradient = library.grad(lambda a: activation.f(a).sum())(a)
    assert_equal_to(1e-12, np.asarray(gradient), np.asarray(activation.df(a)))


MEANS = ["copi_update", "whitened_update", "sgd_update", "decorrelation_update", "local_decorrelation_update"]


@pytest.mark.parametrize("name", MEANS)
def test_updates_are_means_over_samples(name, library):
    """In vmap, each sample is a batch of its own; the mean of their updates is the update of the batch."""
    update, words = FUNCTIONS[name]
    values = example_arrays(words)
    is_batch = [word.startswith("B") for word in words.split()]
    arguments = [
        library.asarray(value[:, None] if of_samples else value)
        for value, of_samples in zip(values, is_batch, strict=True)
    ]
    updates = library.vmap(update, tuple(0 if of_samples else None for of_samples in is_batch))(*arguments)
    assert_equal_to(1e-12, np.asarray(updates).mean(axis=0), update(*values))


# ---------------------------------------------------------------- what cannot be read


def test_values_can_be_read_except_in_jit_and_vmap(jax, torch):
    seen = []

    def look(array):
        seen.append(is_concrete(array))
        return array.sum()

    for asarray, transformations in {
        jax.numpy.asarray: [lambda f: f, jax.grad, jax.jit, jax.vmap],
        torch.asarray: [lambda f: f, torch.func.grad, torch.func.vmap],
    }.items():
        for transform in transformations:
            transform(look)(asarray(np.zeros(3)))
    assert seen == [True, True, False, False, True, True, False]


def test_singular_inputs_are_refused_where_values_can_be_read(library):
    """In grad as well."""
    W, x, z = map(library.asarray, example_arrays("OI BI BO"))
    x = 0 * x
    for call in (rules.inference_update, library.grad(lambda W, x, z: rules.inference_update(W, x, z).sum())):
        with pytest.raises(InputError, match="cannot be inverted"):
            call(W, x, z)


def test_singular_inputs_give_no_finite_update_in_jit(jax):
    W, x, z = map(jax.numpy.asarray, example_arrays("OI BI BO"))
    assert not np.isfinite(np.asarray(jax.jit(rules.inference_update)(W, 0 * x, z))).any()


# ---------------------------------------------------------------- what must not mix


def test_arrays_of_several_libraries_are_refused(jax, torch):
    """Also if one of the arrays is traced."""
    W, x = example_arrays("OI BI")
    kinds = [np.asarray, jax.numpy.asarray, torch.asarray]
    for one, other in permutations(kinds, 2):
        with pytest.raises(InputError, match="need arrays of one library"):
            rules.transform(one(W), other(x))
    for transformation, asarray in ((jax.jit, jax.numpy.asarray), (torch.func.vmap, torch.asarray)):
        with pytest.raises(InputError, match="need arrays of one library"):
            transformation(lambda x: rules.mean_outer(W, x))(asarray(x))


def test_dtypes_and_shapes_are_checked_in_jit(jax):
    W, x = map(jax.numpy.asarray, example_arrays("OI BI"))
    with pytest.raises(InputError, match="mixed dtypes float64 and float32"):
        jax.jit(rules.transform)(W, x.astype("float32"))
    with pytest.raises(InputError, match=r"shapes \(4, 3\) \(7, 2\) do not fit 'OI BI'"):
        jax.jit(rules.transform)(W, x[:, :2])


def test_shapes_within_vmap_are_those_of_one_example(library):
    W, x = map(library.asarray, example_arrays("OI BI"))
    with pytest.raises(InputError, match=r"shapes \(4, 3\) \(3,\) do not fit 'OI BI'"):
        library.vmap(rules.transform, (None, 0))(W, x)


def test_arrays_on_several_devices_are_refused(jax, torch):
    W, x = example_arrays("OI BI")
    elsewhere = jax.device_put(x, jax.devices()[1])
    with pytest.raises(InputError, match="mixed devices"):
        rules.transform(jax.numpy.asarray(W), elsewhere)
    with pytest.raises(InputError, match="mixed devices cpu and meta"):
        rules.transform(torch.asarray(W), torch.asarray(x, device="meta"))


def test_a_traced_array_fits_any_device(jax):
    """It has none until JAX runs the function. The devices of the other arrays are still compared."""
    W, x, z = map(jax.numpy.asarray, example_arrays("OI BI BO"))
    expected = np.asarray(rules.transform(W, x))
    for f, argument in ((lambda W: rules.transform(W, x), W), (lambda x: rules.transform(W, x), x)):
        assert_equal_to(1e-12, np.asarray(jax.jit(f)(argument)), expected)
        assert_equal_to(1e-12, np.asarray(jax.vmap(f)(argument[None])), expected[None])
        assert_equal_to(1e-12, np.asarray(jax.linearize(f, argument)[0]), expected)
    elsewhere = jax.device_put(z, jax.devices()[1])
    with pytest.raises(InputError, match="mixed devices"):
        jax.jit(lambda W: rules.copi_update(W, x, elsewhere))(W)


# ---------------------------------------------------------------- losses, error signals and Algorithm 1

LAYERS = [("tanh", 3, 5), ("leaky_relu", 5, 4), ("linear", 4, 2)]
SIGNALS = pytest.mark.parametrize("kind", ERROR_SIGNALS)


def example_weights(seed=0):
    """W and R of three layers; R is neither the identity nor symmetric."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(n_out, n_in)) / n_in, np.eye(n_in) + 0.1 * rng.normal(size=(n_in, n_in)))
        for _, n_in, n_out in LAYERS
    ]


def example_feedback(kind):
    """Feedback matrices that an error signal needs."""
    rng = np.random.default_rng(3)
    source = ERROR_SIGNALS[kind].feedback_from
    if source is None:
        return [None, None, None]
    sizes = {"above": [(5, 4), (4, 2)], "output": [(5, 2), (4, 2)]}[source]
    return [*(rng.normal(size=size) for size in sizes), None]


def example_batch():
    """Seven samples and one-hot targets."""
    rng = np.random.default_rng(4)
    return rng.normal(size=(7, 3)), np.eye(2)[rng.integers(0, 2, 7)]


def layers_of(weights):
    """Layers for Algorithm 1. Traced functions take their matrices instead: an activation is not an array."""
    return [LayerWeights(W, R, ACTIVATIONS[name]) for (W, R), (name, _, _) in zip(weights, LAYERS, strict=True)]


def moved(library, arrays):
    """The same nested lists and tuples of arrays, in another library."""
    if isinstance(arrays, (list, tuple)):
        return type(arrays)(moved(library, each) for each in arrays)
    return None if arrays is None else library.asarray(arrays)


def assert_all_equal(actual, expected):
    """To 1e-12, one array after the other."""
    for one, other in zip(actual, expected, strict=True):
        assert_equal_to(1e-12, np.asarray(one), other)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_grad_of_a_loss_is_its_gradient(loss, library):
    """The gradient of the sum, and of one sample after another in vmap."""
    y0, targets = moved(library, list(example_batch()))
    y = y0[:, :2]
    expected = np.asarray(loss.gradient(y, targets))
    gradient = library.grad(lambda y: loss.values(y, targets).sum())(y)
    assert_equal_to(1e-12, np.asarray(gradient), expected)
    of_one = library.grad(lambda y, target: loss.values(y[None], target[None])[0])
    assert_equal_to(1e-12, np.asarray(library.vmap(of_one, (0, 0))(y, targets)), expected)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_grad_through_the_forward_rules_is_backpropagation(loss, library):
    """Every delta_k is minus the gradient of the loss in a_k. Each a_k is nudged, by zeros that grad can move."""
    weights, (y0, targets) = moved(library, example_weights()), moved(library, list(example_batch()))

    def total_loss(nudges):
        y = y0
        for layer, nudge in zip(layers_of(weights), nudges, strict=True):
            y = layer.activation.f(rules.transform(layer.W, rules.decorrelate(layer.R, y)) + nudge)
        return loss.values(y, targets).sum()

    gradients = library.grad(total_loss)([library.asarray(np.zeros((7, n_out))) for _, _, n_out in LAYERS])
    layers = layers_of(weights)
    deltas = error_signals(layers, forward(layers, y0), targets, loss)
    assert_all_equal(deltas, [-np.asarray(gradient) for gradient in gradients])


def signals_of(kind, weights, feedback, y0, targets):
    layers = layers_of(weights)
    signal = ERROR_SIGNALS[kind].deltas
    return error_signals(layers, forward(layers, y0), targets, signal=signal, feedback=feedback)


@SIGNALS
def test_error_signals_agree_with_numpy(kind, library):
    """For a whole batch, eagerly and in jit, and sample by sample in vmap."""
    weights, feedback, (y0, targets) = example_weights(), example_feedback(kind), example_batch()
    expected = signals_of(kind, weights, feedback, y0, targets)
    there = moved(library, [weights, feedback, y0, targets])
    assert_all_equal(signals_of(kind, *there), expected)
    assert_all_equal(library.jit(partial(signals_of, kind))(*there), expected)
    weights, feedback, y0, targets = there
    of_one = library.vmap(lambda y, target: signals_of(kind, weights, feedback, y[None], target[None]), (0, 0))
    assert_all_equal([deltas[:, 0] for deltas in of_one(y0, targets)], expected)


@pytest.mark.parametrize("kind", ["tp", "dtp"])
def test_inverse_models_learn_as_with_numpy(kind, library):
    def updates(weights, feedback, y0):
        layers = layers_of(weights)
        return ERROR_SIGNALS[kind].feedback_updates(layers, forward(layers, y0), feedback, None)[:-1]

    arguments = [example_weights(), example_feedback(kind), example_batch()[0]]
    assert_all_equal(updates(*moved(library, arguments)), updates(*arguments))


FORWARD = {"copi": rules.copi_update, "sgd": rules.sgd_update}
LATERAL = {"matrix": rules.decorrelation_update, "local": rules.local_decorrelation_update, None: None}


def example_network(kind, rule, decorrelation, weights):
    """A network on NumPy with these weights, and the feedback of the examples."""
    names = [name for name, _, _ in LAYERS]
    parts = {"rule": rule, "decorrelation": decorrelation, "error_signal": kind, "activation": names}
    network = Network([3, 5, 4, 2], rng=np.random.default_rng(0), dtype="float64", backend="numpy", **parts)
    for layer, (W, R) in zip(network.layers, weights, strict=True):
        layer.W, layer.R = W, R
    network.feedback = example_feedback(kind)
    return network


def weights_after(kind, rule, decorrelation, weights, feedback, y0, targets, eta_W=0.1):
    """W and R of every layer after one batch of Algorithm 1, as one list."""
    options = {"rule": FORWARD[rule], "decorrelation": LATERAL[decorrelation], "feedback": feedback}
    options |= {"eta_W": eta_W, "eta_R": 0.05, "signal": ERROR_SIGNALS[kind].deltas}
    layers = train_batch(layers_of(weights), y0, targets, **options)
    return [matrix for layer in layers for matrix in (layer.W, layer.R)]


@SIGNALS
@pytest.mark.parametrize(("rule", "decorrelation"), [("copi", "matrix"), ("copi", "local"), ("sgd", None)])
def test_a_batch_gives_the_weights_of_a_network(kind, rule, decorrelation, library):
    """In jit, where the library has one: the same W and R as `Network.step` with NumPy."""
    arguments = [example_weights(), example_feedback(kind), *example_batch()]
    network = example_network(kind, rule, decorrelation, arguments[0])
    network.step(*arguments[2:], eta_W=0.1, eta_R=0.05)
    weights = library.jit(partial(weights_after, kind, rule, decorrelation))(*moved(library, arguments))
    assert_all_equal(weights, [matrix for layer in network.layers for matrix in (layer.W, layer.R)])


@SIGNALS
def test_vmap_trains_several_networks_at_once(kind, library):
    """From different weights, on the same batch."""
    feedback, (y0, targets) = example_feedback(kind), example_batch()
    of_networks = [example_weights(seed) for seed in range(3)]
    train = partial(weights_after, kind, "copi", "matrix")
    expected = [train(weights, feedback, y0, targets) for weights in of_networks]
    stacked = [
        tuple(np.stack(matrices) for matrices in zip(*layer, strict=True)) for layer in zip(*of_networks, strict=True)
    ]
    trained = library.vmap(train, (0, None, None, None))(*moved(library, [stacked, feedback, y0, targets]))
    assert_all_equal(trained, [np.stack(matrices) for matrices in zip(*expected, strict=True)])


def test_sgd_with_backpropagation_descends_the_gradient(library):
    """A step of Algorithm 1 with R at rest is -eta_W times grad of the mean loss in W."""
    weights, (y0, targets) = moved(library, example_weights()), moved(library, list(example_batch()))

    def mean_loss(Ws):
        layers = layers_of([(W, R) for W, (_, R) in zip(Ws, weights, strict=True)])
        return LOSSES["quadratic"].mean(forward(layers, y0).y[-1], targets)

    gradients = library.grad(mean_loss)([W for W, _ in weights])
    after = weights_after("bp", "sgd", None, weights, [], y0, targets)[::2]
    expected = [np.asarray(W) - 0.1 * np.asarray(gradient) for (W, _), gradient in zip(weights, gradients, strict=True)]
    assert_all_equal(after, expected)


def test_grad_passes_through_a_batch(library):
    """The derivative of the loss after a batch in its step size, against differences of a network on NumPy."""
    weights, batch = example_weights(), list(example_batch())

    def loss_after(eta_W, weights, y0, targets):
        new = weights_after("bp", "copi", "matrix", weights, [], y0, targets, eta_W)
        layers = layers_of(zip(new[::2], new[1::2], strict=True))
        return LOSSES["quadratic"].mean(forward(layers, y0).y[-1], targets)

    def true_loss_after(eta_W):
        network = example_network("bp", "copi", "matrix", weights)
        network.step(*batch, eta_W=float(eta_W), eta_R=0.05)
        return float(network.loss.mean(network.predict(batch[0]), batch[1]))

    gradient = library.grad(loss_after)(library.asarray(np.array(0.1)), *moved(library, [weights, *batch]))
    assert float(gradient) == pytest.approx(directional_derivative(true_loss_after, 0.1, 1.0), rel=1e-6)


def test_rules_may_be_made_with_jit_and_grad(library):
    """Minus the gradient of half the squared distance between W x and the target state z, which is SGD's update."""

    def half_distance(W, x, z):
        return ((rules.transform(W, x) - z) ** 2).sum() / (2 * x.shape[0])

    gradient = library.grad(half_distance)
    rule = library.jit(lambda W, x, z: -gradient(W, x, z))
    weights, y0, targets = moved(library, [example_weights(), *example_batch()])
    step = {"eta_W": 0.1, "eta_R": 0.05}
    layers = train_batch(layers_of(weights), y0, targets, rule=rule, **step)
    expected = train_batch(layers_of(weights), y0, targets, rule=rules.sgd_update, **step)
    assert_all_equal([layer.W for layer in layers], [np.asarray(layer.W) for layer in expected])


def test_the_benchmark_in_pytorch_trains_as_bp_adam_does(torch, monkeypatch):
    """From the same weights, in one batch per epoch, whose order does not matter."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    benchmark = importlib.import_module("pytorch_accuracy")
    network = Network([6, 5, 3], rng=np.random.default_rng(0), rule="adam", decorrelation=None)
    model = benchmark.network((6, 5, 3))
    with torch.no_grad():
        for linear, layer in zip(model[::2], network.layers, strict=True):
            linear.weight.copy_(torch.from_numpy(layer.W.copy()))
    adam = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-8)
    rng = np.random.default_rng(1)
    inputs, labels = rng.normal(size=(9, 6)).astype("float32"), rng.integers(0, 3, 9)
    targets = np.eye(3, dtype="float32")[labels]
    for _ in range(5):
        network.step(inputs, targets, eta_W=0.01)
        benchmark.train_epoch(model, adam, (torch.from_numpy(inputs), torch.from_numpy(targets)), 9)
    for linear, layer in zip(model[::2], network.layers, strict=True):
        np.testing.assert_allclose(linear.weight.detach().numpy(), layer.W, rtol=1e-3, atol=1e-6)
    share = np.mean(network.predict(inputs).argmax(axis=1) == labels)
    assert benchmark.accuracy_of(model, torch.from_numpy(inputs), torch.from_numpy(labels)) == pytest.approx(share)

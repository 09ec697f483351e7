"""The pure functions on arrays of JAX and PyTorch, eagerly and inside `jax.jit`, `grad` and `vmap`.

Run by `make test-tracing`; skipped where a library is missing (extra ``tracing``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pytest
from oracles import assert_equal_to, directional_derivative
from strategies import RULE_AXES

from copi_np import InputError, rules
from copi_np.activations import ACTIVATIONS
from copi_np.arrays import is_concrete, weigh
from copi_np.error_signals import reconstruction_update
from copi_np.losses import LOSSES, log_softmax

WHY = "install the extra 'tracing'"


class Library(NamedTuple):
    """What JAX and PyTorch call by different names."""

    asarray: Callable
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
        return Library(module.numpy.asarray, module.grad, module.vmap)
    return Library(module.asarray, module.func.grad, module.func.vmap)


# ---------------------------------------------------------------- every function

LENGTH_OF = {"B": 7, "I": 3, "O": 4, "M": 2, "N": 5, "K": 4}
FUNCTIONS = {
    **{name: (getattr(rules, name), words) for name, words in RULE_AXES.items()},
    **{f"{name}.f": (activation.f, "BO") for name, activation in ACTIVATIONS.items()},
    **{f"{name}.df": (activation.df, "BO") for name, activation in ACTIVATIONS.items()},
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
    """Normal, or positive where there is one axis: weights of samples."""
    rng = np.random.default_rng(seed)
    examples = [rng.normal(size=[LENGTH_OF[letter] for letter in word]) for word in words.split()]
    return [np.abs(example) if example.ndim == 1 else example for example in examples]


@every_function
def test_functions_agree_with_numpy(function, words, library):
    """The same numbers, in the same library, still float64."""
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
    """In each argument, of a weighted sum of the results: against central differences of NumPy's."""
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
    """vmap over samples, each a batch of its own, then averaged: the update of the batch."""
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
    """Under grad as well; under vmap, nothing can look at them."""
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
    """Also where one of them is traced."""
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
    """It is on none until JAX runs the function; the other arrays are still compared."""
    W, x, z = map(jax.numpy.asarray, example_arrays("OI BI BO"))
    expected = np.asarray(rules.transform(W, x))
    for f, argument in ((lambda W: rules.transform(W, x), W), (lambda x: rules.transform(W, x), x)):
        assert_equal_to(1e-12, np.asarray(jax.jit(f)(argument)), expected)
        assert_equal_to(1e-12, np.asarray(jax.vmap(f)(argument[None])), expected[None])
        assert_equal_to(1e-12, np.asarray(jax.linearize(f, argument)[0]), expected)
    elsewhere = jax.device_put(z, jax.devices()[1])
    with pytest.raises(InputError, match="mixed devices"):
        jax.jit(lambda W: rules.copi_update(W, x, elsewhere))(W)

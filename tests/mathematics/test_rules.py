"""Every rule of the paper against what defines it. Its theorems stand in theorems/."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import (
    DTYPES,
    RULE_AXES,
    SEEDS,
    arrays,
    batches,
    correlated_batches,
    decorrelated_batches,
    forward_passes,
    lateral_passes,
    size_of,
    spd_matrices,
    whitened_batches,
)

from copi_np import InputError, rules

# ---------------------------------------------------------------- statistics and the forward pass


@given(st.data(), DTYPES)
def test_mean_outer_is_the_mean_over_samples_of_products(data, dtype):
    """<u v^T>_ij is the mean of u_i v_j."""
    u = data.draw(batches(dtypes=st.just(dtype)))
    v = data.draw(batches(n_samples=st.just(len(u)), dtypes=st.just(dtype)))
    assert_near(rules.mean_outer(u, v), oracles.sgd(v, u), size_of(u, v))


@given(batches())
def test_mean_square_is_the_diagonal_of_the_second_moments(x):
    """<x^2> = diag <x x^T>, not centred."""
    assert_near(rules.mean_square(x), np.diag(oracles.second_moment(x)), size_of(x, x))


@given(lateral_passes())
def test_decorrelate_is_R_times_every_sample(lateral):
    """x = R y."""
    R, y = lateral
    expected = [np.asarray(R, float) @ np.asarray(sample, float) for sample in y]
    assert_near(rules.decorrelate(R, y), expected, size_of(R, y))


@given(forward_passes())
def test_transform_is_W_times_every_sample(forward):
    """a = W x."""
    expected = [np.asarray(forward.W, float) @ np.asarray(sample, float) for sample in forward.x]
    assert_near(rules.transform(forward.W, forward.x), expected, size_of(forward.W, forward.x))


@given(forward_passes())
def test_target_state_is_the_perturbed_activation(forward):
    """z = a + delta: for delta = z - a it gives z back."""
    _, _, a, delta = forward
    assert_near(rules.target_state(a, delta) - a, delta, size_of(a))


# ---------------------------------------------------------------- SGD; the others: theorems/test_10_single_synapse.py


@given(forward_passes())
def test_sgd_update(forward):
    """dw_ij = <delta_i x_j> (Section 2.7)."""
    _, x, _, delta = forward
    assert_near(rules.sgd_update(x, delta), oracles.sgd(x, delta), size_of(x, delta))


# ---------------------------------------------------------------- from Eq. 1 to Eq. 3


@given(forward_passes())
def test_decay_stops_where_the_desired_weights_are(forward):
    """W + (D - W) = D (Eq. 1)."""
    W = forward.W
    D = W[::-1] + 1
    assert_near(W + rules.decay_towards(W, D), D, size_of(W))


@given(correlated_batches(), SEEDS)
def test_inference_update_leads_to_the_least_squares_map(x, seed):
    """W + dW minimises the squared error, whatever the correlation (Eq. 2)."""
    rng = np.random.default_rng(seed)
    z, W = rng.normal(size=(len(x), 3)), rng.normal(size=(3, x.shape[1]))
    # the condition of C is at most 100^2
    assert_near(W + rules.inference_update(W, x, z), oracles.least_squares(x, z), ulps=1e7)


def a_sum(n_samples, dtype):
    """A batch whose last input is made of two others: of rank 4, but for rounding."""
    x = np.random.default_rng(0).normal(size=(n_samples, 5)).astype(dtype)
    x[:, 4] = dtype(0.3) * x[:, 3] + x[:, 2]
    return x


SINGULAR = {
    "equal inputs": np.ones((6, 5)),
    "no numbers": np.full((6, 5), np.nan),
    "B < I": np.random.default_rng(0).normal(size=(4, 5)),
    "dead": np.random.default_rng(0).normal(size=(20, 5)) * (np.arange(5) != 2),
    **{f"a sum, B = {n}": a_sum(n, np.float64) for n in (5, 50, 2000)},
    **{f"a sum, B = {n}, float32": a_sum(n, np.float32) for n in (5, 50, 2000)},
}


@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR)
@given(seed=SEEDS)
def test_second_moments_that_have_no_inverse_are_refused(x, seed):
    """Rounding hides most of them from a solver, which gives weights of any size then."""
    rng = np.random.default_rng(seed)
    W, z = rng.normal(size=(3, 5)).astype(x.dtype), rng.normal(size=(len(x), 3)).astype(x.dtype)
    with pytest.raises(InputError, match=r"^<x x\^T> cannot be inverted: give more samples, or drop inputs that are "):
        rules.inference_update(W, x, z)


def test_singular_is_what_rounding_cannot_tell_from_it():
    """Thirty inputs that are nearly the same: the smallest eigenvalue is a hundred times the rounding of one number."""
    n, eps = 30, np.finfo(np.float64).eps
    for factor, is_singular in ((100, True), (10_000, False)):
        alike = np.full((n, n), 1 / n)
        x = np.sqrt(n) * (np.sqrt(n) * alike + np.sqrt(factor * eps) * (np.eye(n) - alike))
        with pytest.raises(InputError, match="cannot be inverted") if is_singular else nullcontext():
            rules.inference_update(np.zeros((1, n)), x, x[:, :1])


@given(correlated_batches(), SEEDS)
def test_inputs_of_any_size_can_be_inferred_from(x, seed):
    """Orders of magnitude between the largest and the smallest make <x x^T> look singular, which it is not."""
    rng = np.random.default_rng(seed)
    z, W = rng.normal(size=(len(x), 3)), np.zeros((3, x.shape[1]))
    size = np.logspace(-9, 3, x.shape[1])
    assert_near(rules.inference_update(W, x * size, z) * size, oracles.least_squares(x, z), ulps=1e7)


@given(whitened_batches(), SEEDS)
def test_on_whitened_inputs_all_forms_agree(x, seed):
    """C = I makes Eq. 2, the whitened rule and COPI (Eq. 3) the same."""
    rng = np.random.default_rng(seed)
    z, W = rng.normal(size=(len(x), 3)), rng.normal(size=(3, x.shape[1]))
    expected = oracles.least_squares(x, z) - W
    for update in (rules.inference_update, rules.whitened_update, rules.copi_update):
        assert_near(update(W, x, z), expected, size_of(W, x, x, z))


@given(forward_passes())
def test_whitened_update_decays_every_weight_alike(forward):
    """dw_ij = <z_i x_j> - w_ij, also where the inputs are not white."""
    W, x, z, _ = forward
    assert_near(rules.whitened_update(W, x, z), oracles.sgd(x, z) - W, size_of(W, x, z))


# ---------------------------------------------------------------- decorrelated inputs


@given(decorrelated_batches(), SEEDS)
def test_decorrelation_rests_on_decorrelated_inputs(x, seed):
    """off(C) = 0: neither form moves R."""
    n = x.shape[1]
    R = np.random.default_rng(seed).normal(size=(n, n))
    for update in (rules.decorrelation_update, rules.local_decorrelation_update):
        assert_near(update(R, x), np.zeros_like(R), size_of(R, x, x))


# ---------------------------------------------------------------- Appendix B


@given(decorrelated_batches(), SEEDS)
def test_linear_map_gives_dead_inputs_no_weight(x, seed):
    """A unit that is always zero gets a column of zeros; the others are as without it."""
    z = np.random.default_rng(seed).normal(size=(len(x), 3))
    dead = np.concatenate([np.zeros((len(x), 1)), x], axis=1)
    W = rules.linear_map(dead, z)
    np.testing.assert_array_equal(W[:, 0], 0)
    assert_near(W[:, 1:], rules.linear_map(x, z))


@given(spd_matrices(), SEEDS)
def test_linear_map_undoes_scaling(sigma, seed):
    """Units of x cancel: scaling input j by c_j divides column j by c_j."""
    rng = np.random.default_rng(seed)
    x, z, c = rng.normal(size=(6, len(sigma))), rng.normal(size=(6, 2)), np.diag(sigma)
    assert_near(rules.linear_map(x * c, z) * c, rules.linear_map(x, z))


# ---------------------------------------------------------------- purity and refusal

LENGTH_OF = {"B": 7, "I": 3, "O": 4, "M": 2, "N": 5}


def example_arrays(word_list, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=[LENGTH_OF[letter] for letter in word]).astype(dtype) for word in word_list.split()]


def test_every_public_rule_is_in_the_table():
    """A rule added to `rules.py` must be added to the tests below, too."""
    own = {name for name, f in vars(rules).items() if getattr(f, "__module__", "") == rules.__name__}
    public = {name for name in own if not name.startswith("_")}
    assert public == set(RULE_AXES)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RULE_AXES)
def test_rules_are_pure_and_keep_the_dtype(name, dtype):
    """No argument changes, no result shares memory with one, and float32 in gives float32 out."""
    arguments = example_arrays(RULE_AXES[name], dtype)
    copies = [argument.copy() for argument in arguments]
    for argument in arguments:
        argument.flags.writeable = False
    result = getattr(rules, name)(*arguments)
    assert result.dtype == dtype
    for argument, original in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(argument, original)
        assert not np.shares_memory(result, argument)


@pytest.mark.parametrize(
    ("name", "k"), [(name, k) for name, words in RULE_AXES.items() for k in range(len(words.split()))]
)
def test_rules_refuse_wrong_shapes(name, k):
    """An extra axis nowhere, and where letters are shared an extra length neither; the message shows the letters."""
    arguments = example_arrays(RULE_AXES[name])
    good = arguments[k]
    arguments[k] = good[None]
    misfit = f"do not fit {RULE_AXES[name]!r}"
    with pytest.raises(InputError, match=misfit):
        getattr(rules, name)(*arguments)
    words = RULE_AXES[name].split()
    others = [letter for position, word in enumerate(words) if position != k for letter in word]
    for axis, letter in enumerate(words[k]):
        if letter in others or words[k].count(letter) > 1:
            arguments[k] = np.concatenate([good, np.take(good, [0], axis)], axis)
            with pytest.raises(InputError, match=misfit):
                getattr(rules, name)(*arguments)


@given(st.data())
def test_updates_of_zero_inputs(data):
    """Silence teaches nothing: x = 0 moves neither W nor R."""
    W = data.draw(arrays((3, 2)))
    R = data.draw(arrays((2, 2)))
    x, z = np.zeros((4, 2)), data.draw(arrays((4, 3)))
    for update in (
        rules.copi_update(W, x, z),
        rules.sgd_update(x, z),
        rules.decorrelation_update(R, x),
        rules.local_decorrelation_update(R, x),
        rules.oja_update(W, x),
    ):
        np.testing.assert_array_equal(update, 0)

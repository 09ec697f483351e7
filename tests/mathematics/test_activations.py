"""Activation functions against their definitions, entry by entry, and derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_near
from strategies import ALL_ACTIVATIONS, DTYPES, arrays, batches

from copi_np.activations import ACTIVATIONS, LEAK

named = pytest.mark.parametrize("name", ALL_ACTIVATIONS)


def test_the_table_holds_every_activation_under_its_name():
    assert {name: activation.name for name, activation in ACTIVATIONS.items()} == {n: n for n in ALL_ACTIVATIONS}


def test_the_leak_is_a_tenth():
    """Section 1 of the specification: negative slope 0.1."""
    assert LEAK == 0.1
    np.testing.assert_array_equal(ACTIVATIONS["leaky_relu"].f(np.array([-20.0, 0.0, 20.0])), [-2.0, 0.0, 20.0])


@named
@given(a=batches())
def test_values_and_slopes_follow_the_definition(name, a):
    """f(a) and f'(a), and the dtype of a."""
    for computed, formula in ((ACTIVATIONS[name].f(a), oracles.F), (ACTIVATIONS[name].df(a), oracles.DF)):
        assert computed.dtype == a.dtype
        assert_near(computed, formula[name](a.astype(float)), ulps=10)


@named
@given(a=arrays((3, 2), elements=st.floats(0.01, 3) | st.floats(-3, -0.01)))
def test_the_derivative_is_the_slope(name, a):
    """df(a) = (f(a + h) - f(a - h)) / 2h away from the kink."""
    _, f, df = ACTIVATIONS[name]
    np.testing.assert_allclose(df(a), (f(a + 1e-5) - f(a - 1e-5)) / 2e-5, atol=1e-8)


@pytest.mark.parametrize(("name", "slope"), [("leaky_relu", 0.1), ("relu", 0.0)])
def test_at_the_kink_the_slope_is_that_from_the_left(name, slope):
    np.testing.assert_array_equal(ACTIVATIONS[name].df(np.zeros((1, 2))), slope)


@named
@given(a=arrays((2, 3), np.float64, st.floats(-1e300, 1e300)))
def test_large_values_give_finite_results(name, a):
    """Neither f nor df overflows where its value is finite."""
    assert np.isfinite(ACTIVATIONS[name].f(a)).all()
    assert np.isfinite(ACTIVATIONS[name].df(a)).all()


@named
@given(st.data(), DTYPES)
def test_arguments_stay_as_they_are(name, data, dtype):
    a = data.draw(arrays((2, 3), dtype))
    original = a.copy()
    a.flags.writeable = False
    ACTIVATIONS[name].f(a)
    ACTIVATIONS[name].df(a)
    np.testing.assert_array_equal(a, original)

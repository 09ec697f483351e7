"""What every array function starts with: what fits together, slices, weighted rows, and divisors."""

from __future__ import annotations

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copi_np import InputError
from copi_np.arrays import check_like, safe_divisor, slices, weigh

LIKE = np.ones((2, 3))


@given(n=st.integers(0, 20), size=st.integers(1, 25))
def test_slices_cover_every_row_once(n, size):
    """In order, each of `size` but the last; none reaches beyond the end."""
    parts = list(slices(n, size))
    assert [k for part in parts for k in range(part.start, part.stop)] == list(range(n))
    assert all(part.stop - part.start == size for part in parts[:-1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_safe_divisor_replaces_zeros_only(dtype):
    """However small the others are."""
    divisor = safe_divisor(np.array([0.0, 1e-30, 0.25, 3.0], dtype))
    assert divisor.dtype == dtype
    np.testing.assert_array_equal(divisor, np.array([1.0, 1e-30, 0.25, 3.0], dtype))


def test_rows_are_multiplied_by_the_root_of_their_weight():
    np.testing.assert_array_equal(weigh(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([4.0, 0.0])), [[2, 4], [0, 0]])
    assert weigh(None, np.ones(2)) is None
    assert weigh(LIKE, None) is LIKE


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((3, 2)), r"f returned an array of shape \(3, 2\), where \(2, 3\) is needed"),
        (np.ones((1, 3)), r"f returned an array of shape \(1, 3\), where \(2, 3\) is needed"),
        (np.ones((2, 3), "float32"), "f returned an array of dtype float32, where float64 is needed"),
        (np.ones((2, 3), "complex128"), "f returned an array of dtype complex128, where float64 is needed"),
        (np.float64(1), "f returned numpy.float64, where numpy.ndarray is needed"),
        (1.0, "f returned builtins.float, where numpy.ndarray is needed"),
        (None, "f returned builtins.NoneType, where numpy.ndarray is needed"),
        ([[1.0] * 3] * 2, "f returned builtins.list, where numpy.ndarray is needed"),
        (array_api_strict.ones((2, 3)), r"f returned array_api_strict\..*, where numpy.ndarray is needed"),
    ],
    ids=["shape", "broadcast", "float32", "complex", "scalar", "float", "None", "list", "library"],
)
def test_an_array_that_is_not_like_another_is_refused(array, message):
    """Whatever NumPy would broadcast or convert."""
    with pytest.raises(InputError, match=f"^{message}$"):
        check_like("f returned", array, LIKE)


def test_a_numpy_scalar_is_not_an_array_without_axes():
    check_like("f returned", np.array(1.0), np.array(2.0))
    with pytest.raises(InputError, match=r"f returned numpy\.float64, where"):
        check_like("f returned", np.float64(1), np.array(2.0))


def test_an_array_like_another_fits():
    check_like("f returned", LIKE + 1, LIKE)


def test_another_device_is_refused():
    here, there = (array_api_strict.ones(2, device=array_api_strict.Device(name)) for name in ("CPU_DEVICE", "device1"))
    check_like("f returned", there, there)
    with pytest.raises(InputError, match=r"f returned an array of device .*CPU_DEVICE.*, where .*device1.* is needed"):
        check_like("f returned", here, there)


def test_a_traced_array_has_no_device_to_compare(monkeypatch):
    """As inside `jax.jit`, where only shape and dtype are known."""
    monkeypatch.setattr("copi_np.arrays.device", lambda array: None if array is LIKE else "cpu")
    check_like("f returned", LIKE + 1, LIKE)
    check_like("f returned", LIKE, LIKE + 1)

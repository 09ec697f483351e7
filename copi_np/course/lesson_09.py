"""Judge the exercises of 09, The same code on two devices."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from types import CodeType
from typing import Any, Final

import numpy as np

from copi_np.arrays import Array
from copi_np.backend import Backend, get_backend
from copi_np.course.exercises import Hint, NotDone, as_array, call, close, exercise, expect
from copi_np.datasets import Dataset, Split
from copi_np.network import Network
from copi_np.schedule import Schedule
from copi_np.training import fit

# ------------------------------------------------------------------------------------------------ 09.1

WAITS: Final = {
    "A": "A shape is known on the host: Python can read it without waiting.",
    "B": "A product is asked for, and Python continues: nothing needs its values yet.",
    "C": "This line computes on the host only: labels and weights are NumPy arrays.",
    "D": "The largest value stays on the device, as an array without axes. What needs its value?",
    "F": "Dividing by an array without axes is just one more request, and does not wait. Look further up.",
    "G": "This line comes too late: something above it already needs a value.",
}
RAISES: Final = {
    "A": "A shape is a tuple of Python integers: no arrays meet here.",
    "B": "x is combined with itself and with a Python number: both are fine on the device.",
    "C": "This line uses NumPy on arrays of the host, where they belong.",
    "D": "C was computed from x, and xp is the library of x: they match.",
    "E": "The comparison gives an array with one value, and Python may ask for a value: it waits, but raises nothing.",
    "F": "C and largest are both on the device.",
}


@exercise("09.1", "For each line, ask: where are its operands? And does Python need a value before it can continue?")
def predict(answer: Any) -> str:
    """Judge two letters: the line that waits, and the line that raises an error."""
    letters = answer.strip().upper() if isinstance(answer, str) else ""
    if len(letters) != 2 or not set(letters) <= set("ABCDEFG"):
        raise Hint("Answer with two letters from A to G in one string: the line that waits, then the line that raises.")
    if letters[0] != "E":
        raise Hint(f"First letter: {WAITS[letters[0]]}")
    if letters[1] != "G":
        raise Hint(f"Second letter: {RAISES[letters[1]]}")
    return (
        "The 'if' in E needs a value, so Python waits. G multiplies an array on the device by one on the host, so it "
        "raises an error. Nothing else here makes Python wait."
    )


# ------------------------------------------------------------------------------------------------ 09.2

LIBRARIES: Final = {"np", "numpy", "cp", "cupy"}
STRICT: Final = "array_api_strict"


class StrictBackend(Backend):
    """array-api-strict, on a device that is not its default device."""

    def __init__(self) -> None:
        library = import_module(STRICT)
        self.host = library.Device("CPU_DEVICE")
        super().__init__("strict", library, library.Device("device1"))

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """Copy an array of the device to a NumPy array."""
        return np.array(self.xp.asarray(array, device=self.host))


@exercise("09.2", "First line: xp = array_namespace(x). Then compute <x x^T> with @, and build a mask with xp.eye.")
def make_it_portable(answer: Any) -> str:
    """Judge a function that should run on every backend."""
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])) for shape in ((9, 4), (6, 3))]
    for x in batches:
        _expect_mean_covariance(call(answer, x), x)
    single = batches[0].astype(np.float32)
    found = call(answer, single)
    if not hasattr(found, "dtype"):
        raise Hint(
            f"The number is right, but it is a Python {type(found).__name__}: on a device, float(...) waits. Return "
            "what xp.sum gives."
        )
    if found.dtype != np.float32:
        raise Hint(f"For a float32 batch the result is {found.dtype}: create every new array with dtype=x.dtype.")
    named = sorted(LIBRARIES & set(_names(getattr(answer, "__code__", None))))
    if named:
        raise Hint(f"The numbers are right, but the function still uses {named[0]}: take every function from xp.")
    if find_spec(STRICT) is None:
        return "It names no library. (Nothing more can be checked here, since array-api-strict is not installed.)"
    _expect_portable(answer, batches[0])
    return (
        "It ran with NumPy and on another device of array-api-strict, with no special code for either. With CuPy it "
        "would leave its result on the GPU."
    )


def _expect_mean_covariance(found: Any, x: np.ndarray[Any, Any]) -> None:
    """Raise a `Hint` unless `found` is the mean |<x_i x_j>| over all pairs i != j, for x (B, I)."""
    n_samples, n = x.shape
    C = x.T @ x / n_samples
    off = np.abs(C - np.diag(np.diag(C)))
    right = np.asarray(off.sum() / (n * (n - 1)))
    expect(
        found,
        right,
        {
            "The diagonal is still included: only pairs i != j count.": np.asarray(np.abs(C).sum() / (n * (n - 1))),
            "There are n (n - 1) pairs i != j, not n^2: xp.mean over the whole matrix divides by too much.": right
            * (n - 1)
            / n,
            "<x_i x_j> is a mean over the samples: divide by B.": right * n_samples,
            "Take the absolute value before the sum, or covariances of opposite sign cancel.": np.asarray(
                (C - np.diag(np.diag(C))).sum() / (n * (n - 1))
            ),
            "This is the whole matrix: take the sum over it.": off,
            "The sum is right, the mean is not: divide by the number of pairs.": np.asarray(off.sum()),
            "Every pair is in the matrix twice, and counts twice in n (n - 1): do not halve or double.": 2 * right,
            "Every pair is in it twice, and counts twice in n (n - 1): do not halve.": right / 2,
        },
        "It should equal mean_covariance_of_numpy(x). Compare <x x^T> first, then the matrix without its diagonal, "
        "then the mean.",
    )


def _expect_portable(answer: Any, x: np.ndarray[Any, Any]) -> None:
    """Raise a `Hint` unless an answer that is right with NumPy also works with nothing but the standard."""
    strict = StrictBackend()
    try:
        found = answer(strict.asarray(x))
    except Exception as error:  # whatever a student's code may raise
        raise Hint(
            f"Right with NumPy. On array-api-strict it raised {type(error).__name__}: {_advice(error)}"
        ) from error
    if not strict.owns(found):
        raise Hint(f"On a device it must return an array of that device, but it returned {type(found).__name__}.")
    _expect_mean_covariance(strict.to_host(found), x)


def _advice(error: Exception) -> str:
    """Return the first line of an error message, with advice where the cause is known."""
    message = (str(error).splitlines() or [""])[0]
    for sign, advice in {
        "two different devices": "An array was created on the default device: give xp.eye a device, "
        "device(x) from array_api_compat.",
        "has no attribute": "The standard does not have it: look for a function of xp, or for an operator.",
        "has no len": "Use x.shape[0].",
        "to a NumPy array": "Something converted it to a NumPy array.",
    }.items():
        if sign in message:
            return f"{message}. {advice}"
    return message


def _names(code: CodeType | None) -> Iterator[str]:
    """Yield the global names and attributes that a function uses, including nested functions."""
    if code is not None:
        yield from code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from _names(constant)


# ------------------------------------------------------------------------------------------------ 09.3


class _Counting(Backend):
    """NumPy as if it were a device; counts in `asked` how often the host reads a value from it."""

    def __init__(self) -> None:
        super().__init__("counting", get_backend("numpy").xp)
        self.asked = 0

    def scalar(self, array: Array) -> float:
        """Count one read, and return the value."""
        self.asked += 1
        return super().scalar(array)

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """Count one read, and return the copy."""
        self.asked += 1
        return super().to_host(array)


def _count(n_epochs: int, n_layers: int, n_batches: int) -> int:
    """Return how often `fit` reads a value from the backend, with batches of one sample."""
    labels = np.arange(n_batches + 3) % 3
    inputs = np.eye(3)[labels]
    train, test = Split(inputs[:n_batches], labels[:n_batches]), Split(inputs[n_batches:], labels[n_batches:])
    counting, rng = _Counting(), np.random.default_rng(0)
    network = Network([3] * (n_layers + 1), rng=rng, backend=counting)
    rates = Schedule(0.01, 0.01)
    fit(network, Dataset("tiny", train, test, 3), epochs=n_epochs, schedule=rates, rng=rng, batch_size=1)
    return counting.asked


@exercise("09.3", "Change one number at a time: count_asked(1, ...), (2, ...), (3, ...), and keep the others fixed.")
def how_often_does_fit_look(answer: Any) -> str:
    """Judge a formula for how often `fit` asks for values."""
    per_layer = _count(1, 3, 4) - _count(1, 2, 4)
    for n_epochs, n_layers, n_batches in product((1, 2, 3), (1, 2, 3), (4, 6)):
        right = _count(n_epochs, n_layers, n_batches)
        found = call(answer, n_epochs, n_layers, n_batches)
        case = f"{n_epochs} epochs, {n_layers} layers, {n_batches} batches"
        value = as_array(found, ())
        if close(value, np.asarray(float(right))):
            continue
        if _depends_on_batches(answer):
            raise Hint("Your formula depends on the number of batches. Halve batch_size in count_asked: what happens?")
        if n_epochs > 1 and close(value, np.asarray(float(_count(1, n_layers, n_batches)))):
            raise Hint("Your formula is right for one epoch only. What does a second epoch add?")
        once = right - (n_epochs - 1) * per_layer * n_layers
        if n_epochs > 1 and close(value, np.asarray(float(once))):
            raise Hint("The layers are checked again in every epoch: multiply their part by the number of epochs too.")
        raise Hint(f"For {case}, count_asked gives {right}, but your function gives {float(value):g}.")
    return (
        f"Per epoch {_count(1, 1, 4) - per_layer} values, and {per_layer} more for every layer (the largest weights of "
        "W and R, to see whether they exploded). The measure of decorrelation reads two more per layer with "
        "float(array), which is not counted here. No batch makes Python wait."
    )


def _depends_on_batches(answer: Any) -> bool:
    """Return whether a formula gives another result for another number of batches."""
    try:
        return bool(call(answer, 1, 2, 4) != call(answer, 1, 2, 6))
    except (Hint, NotDone):
        return False

"""What judges the exercises of 09, One code, two devices."""

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
from copi_np.training import Schedule, fit

# ------------------------------------------------------------------------------------------------ 09.1

WAITS: Final = {
    "A": "A shape is known on the host: looking at it waits for nothing.",
    "B": "A product is asked for, and Python goes on: nobody needs its values yet.",
    "C": "This line computes on the host only: labels and weights never left it.",
    "D": "The largest value stays on the device, as an array without axes. Who needs to know it?",
    "F": "Dividing by an array without axes is one more request: it waits for nothing. Look further up.",
    "G": "This line comes too late: something above it cannot go on without a value.",
}
RAISES: Final = {
    "A": "A shape is a tuple of Python's own numbers: nothing meets here.",
    "B": "x meets itself and a Python number: both are welcome on the device.",
    "C": "This line computes with NumPy on arrays of the host, where they belong.",
    "D": "C came from x, and xp is the library of x: they fit.",
    "E": "The comparison gives an array of one value, and a value may be asked for: it waits, and goes on.",
    "F": "C and largest both lie on the device.",
}


@exercise("09.1", "For every line ask: where do its operands lie? And does Python need a value to go on?")
def predict(answer: Any) -> str:
    """Two letters: the line that waits, and the line that raises."""
    letters = answer.strip().upper() if isinstance(answer, str) else ""
    if len(letters) != 2 or not set(letters) <= set("ABCDEFG"):
        raise Hint("Answer with a string of two letters from A to G: the line that waits, then the line that raises.")
    if letters[0] != "E":
        raise Hint(f"First letter: {WAITS[letters[0]]}")
    if letters[1] != "G":
        raise Hint(f"Second letter: {RAISES[letters[1]]}")
    return (
        "The 'if' needs a value, and so Python waits; an array of the host meets one of the device, and so the device "
        "refuses. Nothing else here makes Python wait."
    )


# ------------------------------------------------------------------------------------------------ 09.2

LIBRARIES: Final = {"np", "numpy", "cp", "cupy"}
STRICT: Final = "array_api_strict"


class StrictBackend(Backend):
    """array-api-strict on a device that is not its default one."""

    def __init__(self) -> None:
        library = import_module(STRICT)
        self.host = library.Device("CPU_DEVICE")
        super().__init__("strict", library, library.Device("device1"))

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """Copy an array of the device to a NumPy array."""
        return np.array(self.xp.asarray(array, device=self.host))


@exercise("09.2", "First line: xp = array_namespace(x). Then <x x^T> with @, and a mask made of xp.eye.")
def make_it_portable(answer: Any) -> str:
    """A function that runs on every backend."""
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])) for shape in ((9, 4), (6, 3))]
    for x in batches:
        _expect_mean_covariance(call(answer, x), x)
    single = batches[0].astype(np.float32)
    found = call(answer, single)
    if not hasattr(found, "dtype"):
        raise Hint(
            f"The number is right, but it is Python's {type(found).__name__}: on a device, float(...) waits. Return "
            "what xp.sum gives."
        )
    if found.dtype != np.float32:
        raise Hint(f"For a float32 batch the result is {found.dtype}: make every new array with dtype=x.dtype.")
    named = sorted(LIBRARIES & set(_names(getattr(answer, "__code__", None))))
    if named:
        raise Hint(f"The numbers are right, but the function still names {named[0]}: take every function from xp.")
    if find_spec(STRICT) is None:
        return "It names no library. (That is all that can be checked here: array-api-strict is not installed.)"
    _expect_portable(answer, batches[0])
    return (
        "It ran on NumPy and on another device of array-api-strict, without a line for either: on CuPy it would run as "
        "well, and leave its result on the GPU."
    )


def _expect_mean_covariance(found: Any, x: np.ndarray[Any, Any]) -> None:
    n_samples, n = x.shape
    C = x.T @ x / n_samples
    off = np.abs(C - np.diag(np.diag(C)))
    right = np.asarray(off.sum() / (n * (n - 1)))
    expect(
        found,
        right,
        {
            "The diagonal is still in it: only pairs i != j count.": np.asarray(np.abs(C).sum() / (n * (n - 1))),
            "There are n (n - 1) pairs i != j, not n^2: xp.mean over the matrix divides by too much.": right
            * (n - 1)
            / n,
            "<x_i x_j> is a mean over the samples: divide by B.": right * n_samples,
            "Take the absolute value before the sum, or covariances of opposite sign cancel.": np.asarray(
                (C - np.diag(np.diag(C))).sum() / (n * (n - 1))
            ),
            "This is the whole matrix: sum over it.": off,
            "The sum is right, the mean is not: divide by the number of pairs.": np.asarray(off.sum()),
            "Every pair stands twice in the matrix, and counts twice in n (n - 1): do not halve or double.": 2 * right,
            "Every pair stands twice, and counts twice in n (n - 1): do not halve.": right / 2,
        },
        "It should equal mean_covariance_of_numpy(x). Compare <x x^T>, then the matrix without its diagonal, then the "
        "mean.",
    )


def _expect_portable(answer: Any, x: np.ndarray[Any, Any]) -> None:
    """Judge an answer, right on NumPy, by a library that has nothing but the standard."""
    strict = StrictBackend()
    try:
        found = answer(strict.asarray(x))
    except Exception as error:  # whatever a student's code may raise
        raise Hint(f"Right on NumPy. On array-api-strict it raised {type(error).__name__}: {_advice(error)}") from error
    if not strict.owns(found):
        raise Hint(f"On a device it must return an array of that device, and gave {type(found).__name__}.")
    _expect_mean_covariance(strict.to_host(found), x)


def _advice(error: Exception) -> str:
    """The message, and what most likely helps."""
    message = (str(error).splitlines() or [""])[0]
    for sign, advice in {
        "two different devices": "An array was made on the default device: give xp.eye a device, "
        "device(x) of array_api_compat.",
        "has no attribute": "The standard has no such name: look for a function of xp, or for an operator.",
        "has no len": "Use x.shape[0].",
        "to a NumPy array": "Something turned it into a NumPy array.",
    }.items():
        if sign in message:
            return f"{message}. {advice}"
    return message


def _names(code: CodeType | None) -> Iterator[str]:
    """The global names and attributes that a function uses, nested ones included."""
    if code is not None:
        yield from code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from _names(constant)


# ------------------------------------------------------------------------------------------------ 09.3


class _Counting(Backend):
    """NumPy as if it were a device, with a count of the values that are asked for."""

    def __init__(self) -> None:
        super().__init__("counting", get_backend("numpy").xp)
        self.asked = 0

    def scalar(self, array: Array) -> float:
        self.asked += 1
        return super().scalar(array)

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        self.asked += 1
        return super().to_host(array)


def _count(n_epochs: int, n_layers: int, n_batches: int) -> int:
    """How often `fit` asks the backend for values."""
    labels = np.arange(n_batches + 3) % 3
    inputs = np.eye(3)[labels]
    train, test = Split(inputs[:n_batches], labels[:n_batches]), Split(inputs[n_batches:], labels[n_batches:])
    counting, rng = _Counting(), np.random.default_rng(0)
    network = Network([3] * (n_layers + 1), rng=rng, backend=counting)
    rates = Schedule(0.01, 0.01)
    fit(network, Dataset("tiny", train, test, 3), epochs=n_epochs, schedule=rates, rng=rng, batch_size=1)
    return counting.asked


@exercise("09.3", "Change one number at a time: count_asked(1, ...), (2, ...), (3, ...), all else equal.")
def how_often_does_fit_look(answer: Any) -> str:
    """A law for how often values come to the host."""
    per_layer = _count(1, 3, 4) - _count(1, 2, 4)
    for n_epochs, n_layers, n_batches in product((1, 2, 3), (1, 2, 3), (4, 6)):
        right = _count(n_epochs, n_layers, n_batches)
        found = call(answer, n_epochs, n_layers, n_batches)
        case = f"{n_epochs} epochs, {n_layers} layers, {n_batches} batches"
        value = as_array(found, ())
        if close(value, np.asarray(float(right))):
            continue
        if _depends_on_batches(answer):
            raise Hint("Yours depends on the number of batches. Halve batch_size in count_asked: what happens?")
        if n_epochs > 1 and close(value, np.asarray(float(_count(1, n_layers, n_batches)))):
            raise Hint("Yours is right for one epoch only. What does a second epoch add?")
        once = right - (n_epochs - 1) * per_layer * n_layers
        if n_epochs > 1 and close(value, np.asarray(float(once))):
            raise Hint("The layers are looked at in every epoch anew: they belong inside what the epochs multiply.")
        raise Hint(f"For {case}, count_asked gives {right}, and your function {float(value):g}.")
    return (
        f"Per epoch {_count(1, 1, 4) - per_layer} values, and {per_layer} for every layer (the largest weight of W and "
        "of R, to see whether they exploded). Past the backend, by float(array), the measure of decorrelation asks for "
        "two more in every layer. No batch makes Python wait."
    )


def _depends_on_batches(answer: Any) -> bool:
    try:
        return bool(call(answer, 1, 2, 4) != call(answer, 1, 2, 6))
    except (Hint, NotDone):
        return False

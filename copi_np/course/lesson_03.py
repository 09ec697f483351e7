"""Lesson 03, error signals: the functions that judge the exercises, and the four suspects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from copi_np.activations import leaky_relu, leaky_relu_derivative
from copi_np.course.exercises import Array, Hint, call, equals, exercise, expect
from copi_np.error_signals import Feedback, Trace, backpropagation
from copi_np.layer import Layer
from copi_np.losses import cross_entropy_gradient

# ------------------------------------------------------------------------------------------------ 03.1


@exercise("03.1", "Write log p_i as y_i - log(sum_j exp(y_j)), and differentiate it with respect to y_k.")
def another_loss(answer: Any) -> str:
    """Judge the output signal of the cross-entropy."""
    rng = np.random.default_rng(0)
    for n_samples, n_classes in ((4, 4), (6, 4), (5, 3)):  # square first: a wrong sum shows in numbers, not in shapes
        y = rng.normal(size=(n_samples, n_classes))
        targets = np.eye(n_classes)[rng.integers(0, n_classes, n_samples)]
        right = -cross_entropy_gradient(y, targets)
        p = targets - right
        growth = np.exp(y)
        unnormalised, over_everything = targets - growth, targets - growth / growth.sum()
        over_samples = targets - growth / growth.sum(axis=0)
        only_right_class, slope_twice = targets * (1 - p), right * p * (1 - p)
        mistakes = {
            "The sign is reversed: the unit of the right class must be pushed up, against the gradient.": -right,
            "The signal belongs to a single sample: do not divide by B.": right / n_samples,
            "The factor 2 belongs to the quadratic loss; there is none here.": 2 * right,
            "This compares the targets with the logits: the loss depends on their softmax p.": targets - y,
            "This is the signal of the quadratic loss: here the loss is the cross-entropy of p.": 2 * (targets - y),
            "exp(y) is not yet a probability: divide by its sum over the classes of each sample.": unnormalised,
            "The softmax sums over the classes of one sample (axis=1, keepdims=True), not over samples.": over_samples,
            "The softmax sums over the classes of one sample (axis=1, keepdims=True), not over all.": over_everything,
            "This differentiates log p only through y_i: every y_k is also in the sum inside p_i.": only_right_class,
            "This is -dl/dp, the slope in the probabilities: apply the chain rule through p.": targets / p,
            "This is dl/dp, the slope in the probabilities: apply the chain rule through p; check the sign.": -targets
            / p,
            "This is p, the output: the signal is how far it is from the target.": p,
            "The factor p (1 - p) does not belong here: it cancels with the 1 / p of the logarithm.": slope_twice,
        }
        if n_samples == n_classes:
            flat_sums = targets - growth / growth.sum(axis=1)
            mistakes["The sums must form a column to divide the rows: keepdims=True."] = flat_sums
        expect(
            call(answer, y, targets),
            right,
            mistakes,
            "Check it with central differences of the loss, as in Section 2. Every row of the right answer sums to 0.",
        )
    return (
        "Target minus probability: the slopes of softmax and logarithm cancel, so a confident mistake still gets a "
        "full-sized signal. In copi_np this is loss='cross_entropy'."
    )


# ------------------------------------------------------------------------------------------------ 03.2


@exercise("03.2", "For hidden layer k, send delta_L through F[k] (samples are rows), then multiply by df(a[k]).")
def direct_feedback(answer: Any) -> str:
    """Judge the signals of all layers, where widths differ and where they are equal."""
    for sizes in ((3, 3, 3, 3), (4, 5, 3), (6, 3)):  # equal first: a mistake shows in numbers, not in shapes
        _expect_direct_feedback(answer, sizes)
    return (
        "No layer has to wait for the one above: all signals can be sent at once. Each is a different random view of "
        "the same K errors."
    )


def _expect_direct_feedback(answer: Any, sizes: Sequence[int]) -> None:
    """Judge the answer for layers of these sizes, the output's last, and a batch of 7."""
    rng = np.random.default_rng(len(sizes))
    n_classes = sizes[-1]
    a = [rng.normal(size=(7, size)) for size in sizes]
    F = [rng.normal(size=(size, n_classes)) for size in sizes[:-1]]
    delta_L = rng.normal(size=(7, n_classes))
    given = [array.copy() for array in (*a, *F)]
    try:
        found = call(answer, a, F, delta_L)
    except Hint as hint:
        raised = str(hint).removesuffix(".")
        raise Hint(f"{raised}. Samples are rows, and F has one matrix fewer than there are layers.") from hint.__cause__
    if not all(np.array_equal(one, other) for one, other in zip((*a, *F), given, strict=True)):
        raise Hint("Your function changes a or F in place: build new arrays.")
    _expect_list_of_signals(found, len(a), delta_L)
    chained = delta_L
    for k in reversed(range(len(a) - 1)):
        slope, sent = leaky_relu_derivative(a[k]), delta_L @ F[k].T
        mistakes = {
            "f' is missing: where a < 0, a change in a changes the output only a tenth as much.": sent,
            "Multiply by the slope f'(a), not by the output f(a).": leaky_relu(a[k]) * sent,
            "Multiply by the slope f'(a), not by a itself.": a[k] * sent,
        }
        if sizes[k] == n_classes:
            not_transposed = slope * (delta_L @ F[k])
            other_slope = leaky_relu_derivative(a[k + 1]) * sent
            mistakes["F delta is delta @ F.T here: your matrix is not transposed."] = not_transposed
            mistakes["f' is that of another layer: use a[k], of the units that receive the signal."] = other_slope
        if chained.shape[1] == F[k].shape[1] and k < len(a) - 2:
            alignment = slope * (chained @ F[k].T)
            mistakes["This is feedback alignment, layer by layer: here every layer gets delta_L itself."] = alignment
        otherwise = f"Layer {k} is wrong: it should be df(a[{k}]) times delta_L sent through F[{k}]."
        expect(found[k], slope * sent, mistakes, otherwise)
        chained = slope * sent


def _expect_list_of_signals(found: Any, n_layers: int, delta_L: Array) -> None:
    """Judge whether there is one signal per layer, and whether the last is `delta_L`."""
    if not isinstance(found, list | tuple):
        raise Hint(f"Return a list with one array per layer; this is of type {type(found).__name__}.")
    if len(found) == n_layers - 1:
        raise Hint("Return the signal of the output layer too, as the last item: it is delta_L itself.")
    if len(found) != n_layers:
        raise Hint(f"There are {n_layers} layers, but your list has {len(found)} items.")
    if equals(found[0], delta_L) and not equals(found[-1], delta_L):
        raise Hint("The list is in reverse order: the first layer's signal comes first, the output's last.")
    if not equals(found[-1], delta_L):
        raise Hint("The last item must be delta_L itself: it already includes the f' of the output layer.")


# ------------------------------------------------------------------------------------------------ 03.3

Deltas = list[Any]

# neither names nor docstrings say what the suspects do: that would give the answer away


def _backward(layers: Sequence[Layer], trace: Trace, delta_L: Any, carry: Callable[[Layer, Any], Any]) -> Deltas:
    deltas = [delta_L]
    for k in reversed(range(len(layers) - 1)):
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * carry(layers[k + 1], deltas[0]))
    return deltas


def _first(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Any) -> Deltas:
    def carry(above: Layer, delta: Any) -> Any:
        M = above.folded()
        return delta @ (M.T if M.shape[0] == M.shape[1] else M)

    return _backward(layers, trace, delta_L, carry)


def _second(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Any) -> Deltas:
    deltas = [delta_L]
    for above, x in zip(reversed(layers[1:]), reversed(trace.x[1:]), strict=True):
        deltas.insert(0, above.carry_back(deltas[0], x, eta_R=0)[0])
    return deltas


def _fourth(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Any) -> Deltas:
    return _backward(layers, trace, delta_L, lambda above, delta: delta @ above.W)


suspects: Final = {"A": _first, "B": _second, "C": backpropagation, "D": _fourth}
"""Backward passes, three of them with a bug; their signature is that of `error_signals.backpropagation`."""

RIGHT: Final = "CDBA"
# none for the last letter: if the others are right, it is right too
EXPERIMENTS: Final = (
    "Which one is right? In the first line-up, its errors are at the level of rounding in every layer.",
    "Which one forgets R? Make R the identity, line_up(decorrelation=None): this one becomes right, the others do not.",
    "Which one leaves out f'? Make f' one everywhere, line_up(activation='linear'): this one becomes right.",
)


@exercise("03.3", "Start with line_up(decorrelation=None), where R is the identity: which suspect becomes right?")
def four_suspects(answer: Any) -> str:
    """Judge which of four backward passes has which bug."""
    letters = answer.strip().upper() if isinstance(answer, str) else ""
    if sorted(letters) != sorted(RIGHT):
        raise Hint("Answer with a string of the four letters A, B, C and D, each of them once.")
    wrong = [place for place, letter in enumerate(letters) if letter != RIGHT[place]]
    if wrong:
        raise Hint(f"{4 - len(wrong)} of 4 are right. {EXPERIMENTS[wrong[0]]}")
    return (
        "You found each bug without reading a line of code: change one thing so that a suspected bug can make no "
        "difference, and see which suspect becomes right."
    )

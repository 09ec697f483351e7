"""What judges the exercises of 03, Error signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from copi_np.activations import leaky_relu_derivative
from copi_np.course.exercises import Hint, call, equals, exercise, expect
from copi_np.error_signals import Feedback, Trace, backpropagation
from copi_np.layer import Layer
from copi_np.losses import cross_entropy_gradient

# ------------------------------------------------------------------------------------------------ 03.1


@exercise("03.1", "Write log p_i as y_i - log(sum_j exp(y_j)), and differentiate that in y_k.")
def another_loss(answer: Any) -> str:
    """The output signal of the cross-entropy."""
    rng = np.random.default_rng(0)
    for n_samples, n_classes in ((4, 4), (6, 4), (5, 3)):  # square first: a wrong sum shows in numbers, not shapes
        y = rng.normal(size=(n_samples, n_classes))
        targets = np.eye(n_classes)[rng.integers(0, n_classes, n_samples)]
        right = -cross_entropy_gradient(y, targets)
        p = targets - right
        growth = np.exp(y)
        expect(
            call(answer, y, targets),
            right,
            {
                "The sign is reversed: the unit of the right class must be pushed up, against the gradient.": -right,
                "The signal belongs to each sample alone: do not divide by B.": right / n_samples,
                "The factor 2 belongs to the quadratic loss; here there is none.": 2 * right,
                "This compares targets with the logits themselves: the loss sees their softmax p.": targets - y,
                "This is the signal of the quadratic loss: the loss is the cross-entropy of p here.": 2 * (targets - y),
                "exp(y) is not yet a probability: divide by its sum over the classes of each sample.": targets - growth,
                "The softmax sums over the classes of one sample (axis=1, keepdims=True), not over samples.": targets
                - growth / growth.sum(axis=0),
                "The softmax sums over the classes of one sample (axis=1, keepdims=True), not over everything.": targets
                - growth / growth.sum(),
                **(
                    {
                        "The sums must stand below each other, to divide rows: keepdims=True.": targets
                        - growth / growth.sum(axis=1)
                    }
                    if n_samples == n_classes
                    else {}
                ),
                "This differentiates the logarithm in the right class only: every y_k also stands in the sum inside "
                "p_i.": targets * (1 - p),
                "This is -dl/dp, the slope in the probabilities: carry it on through p to the logits.": targets / p,
                "This is dl/dp, the slope in the probabilities: carry it on through p; mind the sign.": -targets / p,
                "This is p, the output: the signal is how far it is from the target.": p,
                "A second factor p (1 - p) is one too many: it cancels against the 1 / p of the logarithm.": right
                * p
                * (1 - p),
            },
            "Check it by central differences of the loss, as in Section 2. Every row of the right answer sums to 0.",
        )
    return (
        "Target minus probability: the slopes of softmax and logarithm cancel, so that a confident mistake still gets "
        "a full-sized signal. This is copi_np's loss='cross_entropy'."
    )


# ------------------------------------------------------------------------------------------------ 03.2


@exercise("03.2", "For hidden layer k, carry delta_L through B[k] (samples are rows), then multiply by df(a[k]).")
def direct_feedback(answer: Any) -> str:
    """The signals of all layers, where widths differ and where they agree."""
    for sizes in ((3, 3, 3, 3), (4, 5, 3), (6, 3)):  # equal widths first: there a mistake shows in numbers, not shapes
        _expect_direct_feedback(answer, sizes)
    return (
        "No layer waits for the one above: all signals can be sent at once. Each is another random view of the same "
        "K errors."
    )


def _expect_direct_feedback(answer: Any, sizes: Sequence[int]) -> None:
    """Judge the answer for layers of these sizes, the output's last, and a batch of 7."""
    rng = np.random.default_rng(len(sizes))
    n_classes = sizes[-1]
    a = [rng.normal(size=(7, size)) for size in sizes]
    B = [rng.normal(size=(size, n_classes)) for size in sizes[:-1]]
    delta_L = rng.normal(size=(7, n_classes))
    given = [array.copy() for array in (*a, *B)]
    try:
        found = call(answer, a, B, delta_L)
    except Hint as hint:
        raise Hint(f"{hint}. Samples are rows, and B has one matrix fewer than there are layers.") from hint
    if not all(np.array_equal(one, other) for one, other in zip((*a, *B), given, strict=True)):
        raise Hint("Your function changes a or B in place: build new arrays.")
    if not isinstance(found, list | tuple):
        raise Hint(f"Return a list with one array for each layer; this is {type(found).__name__}.")
    if len(found) == len(a) - 1:
        raise Hint("Return the signal of the output layer too, as the last item: it is delta_L itself.")
    if len(found) != len(a):
        raise Hint(f"There are {len(a)} layers, and your list has {len(found)} items.")
    if equals(found[0], delta_L) and not equals(found[-1], delta_L):
        raise Hint("The list is in reverse order: the first layer's signal comes first, the output's last.")
    if not equals(found[-1], delta_L):
        raise Hint("The last item is the output's own signal, delta_L as it was given: its f' is in it already.")
    chained = delta_L
    for k in reversed(range(len(a) - 1)):
        slope = leaky_relu_derivative(a[k])
        sent = delta_L @ B[k].T
        mistakes = {
            "f' is missing: a unit where a < 0 moves its output by a tenth only.": sent,
            "Multiply by the slope f'(a), not by the output f(a).": np.where(a[k] > 0, a[k], 0.1 * a[k]) * sent,
            "Multiply by the slope f'(a), not by a itself.": a[k] * sent,
        }
        if sizes[k] == n_classes:
            mistakes["A product B delta of the paper reads delta @ B.T here: yours is not transposed."] = slope * (
                delta_L @ B[k]
            )
            mistakes["f' is that of another layer: it belongs to the units that receive the signal, a[k]."] = (
                leaky_relu_derivative(a[k + 1]) * sent
            )
        if chained.shape[1] == B[k].shape[1] and k < len(a) - 2:
            chained_here = slope * (chained @ B[k].T)
            mistakes["This is feedback alignment, from layer to layer: here every layer gets delta_L itself."] = (
                chained_here
            )
        expect(
            found[k],
            slope * sent,
            mistakes,
            f"Layer {k} is wrong: it should be df(a[{k}]) times what B[{k}] makes of delta_L.",
        )
        chained = slope * sent


# ------------------------------------------------------------------------------------------------ 03.3

Deltas = list[Any]


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
        deltas.insert(0, above.carry_back(deltas[0], x)[0])
    return deltas


def _fourth(layers: Sequence[Layer], trace: Trace, feedback: Feedback, delta_L: Any) -> Deltas:
    return _backward(layers, trace, delta_L, lambda above, delta: delta @ above.W)


suspects: Final = {"A": _first, "B": _second, "C": backpropagation, "D": _fourth}
"""Backward passes, three of them with a fault; their signature is that of `error_signals.backpropagation`."""

RIGHT: Final = "CDBA"
# none for the last: where the others are in their place, so is it
EXPERIMENTS: Final = (
    "Who is right? Its numbers are at the level of rounding in every layer of the first line-up.",
    "Who forgets R? Make R the identity, line_up(decorrelation=None): it becomes right, the others stay wrong.",
    "Who leaves out f'? Make f' one everywhere, line_up(activation='linear'): it becomes right.",
)


@exercise("03.3", "Begin with line_up(decorrelation=None), in which R is the identity: who becomes right?")
def four_suspects(answer: Any) -> str:
    """A fault for each of four backward passes."""
    letters = answer.strip().upper() if isinstance(answer, str) else ""
    if sorted(letters) != sorted(RIGHT):
        raise Hint("Answer with a string of the four letters A, B, C and D, each of them once.")
    wrong = [place for place, letter in enumerate(letters) if letter != RIGHT[place]]
    if wrong:
        raise Hint(f"{4 - len(wrong)} of 4 are in their place. {EXPERIMENTS[wrong[0]]}")
    return (
        "You found each fault without reading a line of code: change one thing, so that a suspected fault can make no "
        "difference, and see who is right then."
    )

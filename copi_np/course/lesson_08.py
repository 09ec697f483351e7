"""What judges the exercises of 08, One synapse: Hebb, Oja, COPI."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from copi_np.course.exercises import Array, Hint, as_array, call, exercise, expect, expect_choice

MOMENTS: Final = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]])
"""Second moments of the inputs of 08.2."""


@exercise("08.1", "Where does each rule rest? Write down both places, and put 2x for x.")
def louder_inputs(answer: Any) -> str:
    """A letter: what becomes of the weights when inputs double."""
    expect_choice(
        answer,
        "b",
        {
            "a": "Oja's weights rest at unit eigenvectors of C. What does doubling the inputs do to C, and what to the "
            "length of its unit eigenvectors?",
            "c": "It is the other way round: which of the two lengths depends on the targets?",
            "d": "COPI looks for the weights that make z out of x. The inputs are louder, the targets are not.",
        },
    )
    return (
        "COPI infers the scale that makes z out of x, <z x^T> / <x^2> = 2/4 of what it was; Oja's rule normalises, "
        "whatever the inputs are: C is four times as large, its unit eigenvectors are the same."
    )


@exercise("08.2", "Take a few hundred steps W = W + eta * copi_update(W, x, z) with z = W x, and divide two lengths.")
def how_fast_does_it_run_away(answer: Any) -> str:
    """A growth factor, found by experiment."""
    growth, eta = float(as_array(answer, ())), 0.1

    def largest(C: Array) -> float:
        """The largest eigenvalue."""
        return float(np.linalg.eigvalsh(C)[-1])

    own = largest(MOMENTS - np.diag(np.diag(MOMENTS)))
    right = 1 + eta * own
    mistakes = {
        1 + eta * largest(MOMENTS): "This is how fast Hebb's rule grows: COPI's decay takes something away.",
        own: "This is the eigenvalue; the factor of a step is what the step leaves, and what it adds.",
        eta * own: "This is what a step adds: the factor has what was there before, as well.",
        100 * eta * own: "This is in per cent: give the factor, the new length divided by the old one.",
        1.0: "It would rest on decorrelated inputs; these are correlated.",
        1 + own: "This is the factor for eta = 1: the steps are eta = 0.1.",
        np.exp(eta * own): "This is the growth in continuous time; steps are a little slower.",
        right**10: "This is the growth over ten steps: give that of one.",
        1 + eta * 0.6: "This counts the largest correlation only: there are three.",
    }
    nearest = min([*mistakes, right], key=lambda number: abs(number - growth))
    if nearest != right and abs(nearest - growth) <= 0.002 and abs(right - growth) > 0.002:
        raise Hint(mistakes[nearest])
    if abs(growth - right) > 0.002:
        raise Hint(
            "Divide the length after a step by that before, late enough for the quotient not to change any more; start "
            "from small weights, so that the numbers stay small."
        )
    return (
        "It is 1 + eta times the largest eigenvalue of off(C). The decay removes the diagonal, the part of each input "
        "itself; what runs away are the inputs that feed each other's weights."
    )


@exercise("08.3", "a = x @ W.T, one step of Hebb, then divide every row by its length.")
def where_ojas_decay_comes_from(answer: Any) -> str:
    """A step of Hebb, then weights of length 1."""
    for seed, eta in ((0, 0.5), (1, 0.1)):
        rng = np.random.default_rng(seed)
        W, x = rng.normal(size=(3, 4)), rng.normal(size=(12, 4))
        hebbian = x.T @ x / len(x)
        grown = W + eta * W @ hebbian
        length = np.linalg.norm(grown, axis=1, keepdims=True)
        oja = eta * (W @ hebbian - W * np.mean((x @ W.T) ** 2, axis=0)[:, None])
        summed = W + eta * W @ hebbian * len(x)
        step = eta * W @ hebbian
        expect(
            call(answer, W, x, eta),
            grown / length,
            {
                "This is Hebb's step: now scale every unit's weights to length 1.": grown,
                "This is one step of Oja's rule, which comes close for a small eta: here, scale to length 1 exactly.": W
                + oja,
                "These are the weights' lengths: divide by them.": np.broadcast_to(length, W.shape),
                "The columns have length 1: a unit's weights are a row.": grown
                / np.linalg.norm(grown, axis=0, keepdims=True),
                "The matrix as a whole has length 1: scale the weights of each unit on their own.": grown
                / np.linalg.norm(grown),
                "This divides by the square of the length: take the root.": grown / length**2,
                "This divides by the sum of absolute weights: the length is the root of the sum of their squares.": (
                    grown / np.abs(grown).sum(axis=1, keepdims=True)
                ),
                "This divides by the sum of the weights: the length is the root of the sum of their squares.": grown
                / grown.sum(axis=1, keepdims=True),
                "This divides by the length that the weights had before the step.": grown
                / np.linalg.norm(W, axis=1, keepdims=True),
                "Hebb's term is a mean over the samples: divide by B.": summed
                / np.linalg.norm(summed, axis=1, keepdims=True),
                "eta is missing.": (W + step / eta) / np.linalg.norm(W + step / eta, axis=1, keepdims=True),
                "The sign of Hebb's term is reversed.": (W - step) / np.linalg.norm(W - step, axis=1, keepdims=True),
                "The step itself is scaled to length 1: scale the weights after the step.": step
                / np.linalg.norm(step, axis=1, keepdims=True),
                "This is how far the weights have moved: return the new weights.": grown / length - W,
                "The step of Hebb is missing: these are the old weights, scaled.": W
                / np.linalg.norm(W, axis=1, keepdims=True),
            },
            "Do it in two lines: new = W + eta * <a x^T>, with a = W x; then each row of new divided by its length, "
            "the root of the sum of its squares. Mind the shape (O, 1) of the lengths.",
        )
    return (
        "For weights of length 1, dividing by the length is subtracting eta <a^2> w, up to terms of eta squared: Oja's "
        "decay is this scaling, made local. To divide, a unit must add up all its weights; to decay, a synapse needs "
        "its own."
    )

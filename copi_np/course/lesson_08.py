"""Judge the exercises of 08, One synapse: Hebb, Oja, COPI."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from copi_np.course.exercises import Array, call, exercise, expect, expect_choice

MOMENTS: Final = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]])
"""Second moments of the inputs of 08.2."""


@exercise("08.1", "Where are the fixed points of the two rules? Write both down, and replace x by 2x.")
def louder_inputs(answer: Any) -> str:
    """Judge a letter: what happens to the weights if the inputs double."""
    expect_choice(
        answer,
        "b",
        {
            "a": "Oja's weights converge to unit eigenvectors of C. If the inputs double, what happens to C, and to "
            "the length of its unit eigenvectors?",
            "c": "It is the other way round: which of the two lengths depends on the targets?",
            "d": "COPI looks for the weights that map x to z. The inputs are larger now, but the targets are not.",
        },
    )
    return (
        "COPI infers the scale that maps x to z: <z x^T> / <x^2> is now 2/4 of what it was. Oja's rule normalises, "
        "whatever the inputs are: C is four times as large, but its unit eigenvectors are the same."
    )


@exercise("08.2", "Take a few hundred steps W = W + eta * copi_update(W, x, z) with z = W x, and divide two lengths.")
def how_fast_does_it_run_away(answer: Any) -> str:
    """Judge a growth factor, found by experiment."""
    eta = 0.1

    def largest(C: Array) -> float:
        """Return the largest eigenvalue."""
        return float(np.linalg.eigvalsh(C)[-1])

    own = largest(MOMENTS - np.diag(np.diag(MOMENTS)))
    right = 1 + eta * own
    mistakes = {
        "This is how fast Hebb's rule grows: COPI's decay subtracts something.": 1 + eta * largest(MOMENTS),
        "This is the eigenvalue. A step keeps the old weights, and adds eta times the eigenvalue.": own,
        "This is what a step adds: the factor also includes the old weights.": eta * own,
        "This is in per cent: give the factor, the new length divided by the old.": 100 * eta * own,
        "The weights would not change on decorrelated inputs; these are correlated.": 1.0,
        "This is the factor for eta = 1; here eta = 0.1.": 1 + own,
        "This is the growth in continuous time; discrete steps are a little slower.": np.exp(eta * own),
        "This is the growth over ten steps: give the growth of one step.": right**10,
        "This counts the largest correlation only: there are three.": 1 + eta * 0.6,
    }
    otherwise = (
        "Divide the length after a step by the length before it, late enough that the ratio no longer changes. Start "
        "from small weights, so that the numbers stay small."
    )
    expect(answer, right, mistakes, otherwise, rtol=0.002 / right)
    return (
        "It is 1 + eta times the largest eigenvalue of off(C). The decay removes the diagonal, each input's own part. "
        "The weights explode because correlated inputs strengthen each other's weights."
    )


@exercise("08.3", "Compute a = x @ W.T, take one Hebbian step, and then divide every row by its length.")
def where_ojas_decay_comes_from(answer: Any) -> str:
    """Judge a Hebbian step, followed by scaling the weights to length 1."""
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
                "This is the Hebbian step: now scale every unit's weights to length 1.": grown,
                "This is one step of Oja's rule, which is close for a small eta: here, scale to length 1 exactly.": W
                + oja,
                "These are the lengths of the weights: divide by them.": np.broadcast_to(length, W.shape),
                "Your columns have length 1, but a unit's weights are a row.": grown
                / np.linalg.norm(grown, axis=0, keepdims=True),
                "Your matrix as a whole has length 1: scale the weights of each unit separately.": grown
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
                "The Hebbian step is missing: these are the old weights, scaled.": W
                / np.linalg.norm(W, axis=1, keepdims=True),
            },
            "Do it in two lines: new = W + eta * <a x^T>, with a = W x. Then divide each row of new by its length, the "
            "root of the sum of its squares. The lengths need the shape (O, 1).",
        )
    return (
        "For weights of length 1, dividing by the length means subtracting eta <a^2> w, up to terms in eta squared. So "
        "Oja's decay is this scaling in a local form. To divide, a unit must add up the squares of all its weights; "
        "to decay, a synapse needs only its own weight and the output of its unit."
    )

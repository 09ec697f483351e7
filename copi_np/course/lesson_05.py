"""Judge the exercises of 05: COPI's extra term, the motion of W R in the local form, three suspects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from copi_np.course.exercises import Array, Hint, call, exercise, expect
from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update
from copi_np.whitening import off_diagonal as off

Step = Callable[[Array, Array, Array, Array, float], tuple[Array, Array]]


def draw_layer(seed: int, B: int, n_inputs: int, n_outputs: int) -> tuple[Array, Array, Array, Array]:
    """Return W, R, x and delta of a layer with correlated inputs; R is neither symmetric nor near the identity."""
    rng = np.random.default_rng(seed)
    W, R = rng.normal(size=(n_outputs, n_inputs)), np.eye(n_inputs) + 0.4 * rng.normal(size=(n_inputs, n_inputs))
    x = rng.normal(size=(B, n_inputs)) @ rng.normal(size=(n_inputs, n_inputs))
    return W, R, x, rng.normal(size=(B, n_outputs))


LAYERS: Final = (draw_layer(0, 9, 5, 3), draw_layer(1, 6, 4, 7))


# ------------------------------------------------------------------------------------------- 05.1 The extra term


@exercise("05.1", "C = <x x^T> is a mean over the batch. How do you remove its diagonal?")
def judge_extra_term(answer: Any) -> str:
    """Judge W off(C), for two layers of different shapes."""
    for W, _, x, _ in LAYERS:
        C = x.T @ x / len(x)
        centred = np.cov(x.T, bias=True)
        expect(
            call(answer, W, x),
            W @ off(C),
            {
                "This is W C: remove the diagonal of C, since the decay of the COPI rule subtracts it.": W @ C,
                "This is W diag(C), the part that the decay subtracts. The extra term is the other part.": W
                * np.diag(C),
                "The sign is reversed: COPI has SGD's update PLUS W off(C).": -W @ off(C),
                "The mean over the batch is missing: divide by B.": W @ off(C) * len(x),
                "You divide by the number of inputs: the mean is over the samples, B = len(x).": W
                @ off(C)
                * len(x)
                / x.shape[1],
                "COPI does not centre C: use x.T @ x / B, not np.cov.": W @ off(centred),
                "You used correlations. C holds second moments, which are not normalised.": W
                @ off(C / np.sqrt(np.outer(np.diag(C), np.diag(C)))),
                "This is off(C) alone: multiply by W.": off(C),
                "Your result is transposed: W off(C) has the shape of W.": off(C) @ W.T,
                "W off(C) is a matrix product, @; np.diag, given a matrix, returns a vector.": W @ (C - np.diag(C)),
            },
            "The shape is right, the values are not. Compare with rules.copi_update(W, x, z) - rules.sgd_update(x, "
            "delta), where z = x @ W.T + delta.",
        )
    return "The off-diagonal part of C is the only difference between the two rules: on decorrelated inputs they agree."


# ------------------------------------------------------------------------------------------- 05.2 Unequal steps


@exercise("05.2", "Write down W' and R', multiply them, and keep the terms that contain only one step size.")
def judge_first_order(answer: Any) -> str:
    """Judge the first-order change of W R in the local form; either step size may be the larger one."""
    for (W, R, x, delta), (eta_W, eta_R) in zip(LAYERS, ((0.1, 0.3), (0.5, 0.2)), strict=True):
        A, G = off(x.T @ x / len(x)), delta.T @ x / len(x)
        learning, of_W, of_R = G @ R, W @ A @ R, W @ R @ A
        right = eta_W * (learning + of_W) - eta_R * of_R
        expect(
            call(answer, W, R, x, delta, eta_W, eta_R),
            right,
            {
                "This is for the matrix form. In the local form off(C) is on the other side of R.": eta_W
                * (learning + of_W)
                - eta_R * of_W,
                "The changes of W and R do not cancel here: their factors and their step sizes differ.": (
                    eta_W * learning
                ),
                "Both W and R change: the term from R, -eta_R W R off(C), is missing.": eta_W * (learning + of_W),
                "Both W and R change: the extra term, +eta_W W off(C) R, is missing. Without it this is SGD.": eta_W
                * learning
                - eta_R * of_R,
                "The signs are reversed: the term from W is positive, the term from R is negative.": eta_W
                * (learning - of_W)
                + eta_R * of_R,
                "Both terms are positive in yours, but R changes by MINUS eta_R R off(C).": eta_W * (learning + of_W)
                + eta_R * of_R,
                "The factor R on the right is missing: M = W R, so a change dW contributes dW R.": eta_W * (G + W @ A)
                - eta_R * of_R,
                "W changes by W off(C), and R is multiplied from the right: W off(C) R.": eta_W * (learning + of_R)
                - eta_R * of_R,
                "The step sizes are swapped: the update of W is multiplied by eta_W.": eta_R * (learning + of_W)
                - eta_W * of_R,
                "The first term comes from the update of W, so its step size is eta_W, not eta_R.": eta_R * learning
                + eta_W * of_W
                - eta_R * of_R,
                "This is the new M; the exercise asks for its change.": W @ R + right,
                "This includes the second order: leave out products of two step sizes.": (W + eta_W * (G + W @ A))
                @ (R - eta_R * R @ A)
                - W @ R,
                "The means over the batch are missing: G and C are divided by B.": right * len(x),
            },
            "With W' = W + eta_W (G + W off(C)) and R' = R - eta_R R off(C), multiply out W' R', one term at "
            "a time, and keep the order of the factors.",
            rtol=1e-9,
        )
    return (
        "off(C) R and R off(C) are different matrices, so in general no ratio of the step sizes makes them cancel. "
        "You need the matrix form and equal steps, or an R that commutes with off(C)."
    )


# ------------------------------------------------------------------------------------------- 05.3 Three suspects


def _suspect(lateral_update: Callable[[Array, Array], Array], ratio: float) -> Step:
    """Return a step of a linear layer whose W learns with `ratio` times the step size."""

    def step(W: Array, R: Array, y: Array, delta: Array, eta: float) -> tuple[Array, Array]:
        x = y @ R.T
        new_W = W + ratio * eta * copi_update(W, x, x @ W.T + delta)
        return new_W, R + eta * lateral_update(R, x)

    return step


suspects: Final[dict[str, Step]] = {
    "A": _suspect(decorrelation_update, 0.8),
    "B": _suspect(decorrelation_update, 1.0),
    "C": _suspect(local_decorrelation_update, 1.0),
}
"""Three implementations of a COPI step: functions of W, R, y, delta and eta that return the new W and R."""


@exercise(
    "05.3",
    "For each suspect, halve eta and see how much ||W' R' - W R - eta G R|| shrinks: by a factor of 2 or of 4? Do this "
    "once with a random R, and once with the identity.",
)
def judge_suspects(answer: Any) -> str:
    """Judge two letters: which suspect always cancels the motion, and which does so only at the identity."""
    if not isinstance(answer, (tuple, list, str)) or len(answer) != 2 or not all(isinstance(a, str) for a in answer):
        raise Hint('Answer with two letters, such as ("A", "B").')
    letters = tuple(letter.strip().upper() for letter in answer)
    if not set(letters) <= set(suspects):
        raise Hint(f"The suspects are {', '.join(suspects)}.")
    if letters == ("C", "B"):
        raise Hint("The right two, but in the wrong order: measure both again with the random R, not the identity.")
    if letters[0] == "C":
        raise Hint("C has order 2 at the identity. Does it have order 2 from the random R of section 1 as well?")
    if letters[0] == "A":
        raise Hint("A has order 1 for every R. Did you subtract eta G R, and compare two step sizes?")
    if letters[1] == "A":
        raise Hint("The first is right. A has order 1 even if R is the identity: look at the other one.")
    if letters[1] == "B":
        raise Hint("The first is right, so B cannot be the second as well. Measure the others at the identity.")
    return (
        "C is the local form: off(C) R and R off(C) are the same if R is the identity, so a test that starts there "
        "finds nothing. Test from a state in which a bug can show."
    )

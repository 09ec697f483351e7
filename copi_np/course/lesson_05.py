"""Judges of notebook 05: COPI's extra term, the motion of W R with local form and unequal steps, three suspects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from copi_np.course.exercises import Array, Hint, call, exercise, expect
from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update
from copi_np.whitening import off_diagonal as off

Step = Callable[[Array, Array, Array, Array, float], tuple[Array, Array]]


def draw_layer(seed: int, B: int, n_inputs: int, n_outputs: int) -> tuple[Array, Array, Array, Array]:
    """W, R, x and delta of a layer with correlated inputs, R far from the identity and not symmetric."""
    rng = np.random.default_rng(seed)
    W, R = rng.normal(size=(n_outputs, n_inputs)), np.eye(n_inputs) + 0.4 * rng.normal(size=(n_inputs, n_inputs))
    x = rng.normal(size=(B, n_inputs)) @ rng.normal(size=(n_inputs, n_inputs))
    return W, R, x, rng.normal(size=(B, n_outputs))


LAYERS: Final = (draw_layer(0, 9, 5, 3), draw_layer(1, 6, 4, 7))


# ------------------------------------------------------------------------------------------- 05.1 The extra term


@exercise("05.1", "C = <x x^T> is a mean over the batch. How do you take its diagonal away?")
def judge_extra_term(answer: Any) -> str:
    """W off(C), for two layers of different shapes."""
    for W, _, x, _ in LAYERS:
        C = x.T @ x / len(x)
        centred = np.cov(x.T, bias=True)
        expect(
            call(answer, W, x),
            W @ off(C),
            {
                "This is W C: the diagonal of C has to go, since the decay of the COPI rule takes it away.": W @ C,
                "This is W diag(C), the part that the decay takes away. The extra term is the other part.": W
                * np.diag(C),
                "The sign is reversed: COPI has SGD's update PLUS W off(C).": -W @ off(C),
                "The mean over the batch is missing: divide by B.": W @ off(C) * len(x),
                "You divide by the number of inputs: the mean is over the samples, B = len(x).": W
                @ off(C)
                * len(x)
                / x.shape[1],
                "C is not centred in COPI: use x.T @ x / B, not the covariance of NumPy.": W @ off(centred),
                "These are correlations; C holds second moments, which are not divided by any root.": W
                @ off(C / np.sqrt(np.outer(np.diag(C), np.diag(C)))),
                "This is off(C) alone: multiply by W.": off(C),
                "Your result is transposed: W off(C) has the shape of W.": off(C) @ W.T,
                "W off(C) is a matrix product, @; np.diag, given a matrix, returns a vector.": W @ (C - np.diag(C)),
            },
            "The shape is right, the values are not. Compare with rules.copi_update(W, x, z) - rules.sgd_update(x, "
            "delta), where z = x @ W.T + delta.",
        )
    return "Off the diagonal, C is all that lies between the two rules: on decorrelated inputs they are the same."


# ------------------------------------------------------------------------------------------- 05.2 Unequal steps


@exercise("05.2", "Write W' and R', multiply them out, and keep the terms with one step size in them.")
def judge_first_order(answer: Any) -> str:
    """First order of the motion of W R with the local form; the step sizes are given in both orders of size."""
    for (W, R, x, delta), (eta_W, eta_R) in zip(LAYERS, ((0.1, 0.3), (0.5, 0.2)), strict=True):
        A, G = off(x.T @ x / len(x)), delta.T @ x / len(x)
        learning, of_W, of_R = G @ R, W @ A @ R, W @ R @ A
        right = eta_W * (learning + of_W) - eta_R * of_R
        expect(
            call(answer, W, R, x, delta, eta_W, eta_R),
            right,
            {
                "This is for the matrix form. In the local form off(C) stands on the other side of R.": eta_W
                * (learning + of_W)
                - eta_R * of_W,
                "The moves of W and R do not cancel here: neither their factors nor their steps agree.": (
                    eta_W * learning
                ),
                "Both factors move: the term of R, -eta_R W R off(C), is missing.": eta_W * (learning + of_W),
                "Both factors move: the extra term of W, +eta_W W off(C) R, is missing. Without it this is SGD.": eta_W
                * learning
                - eta_R * of_R,
                "The signs are reversed: the term of W comes with a plus, that of R with a minus.": eta_W
                * (learning - of_W)
                + eta_R * of_R,
                "Both moves have a plus in your formula: R moves by MINUS eta_R R off(C).": eta_W * (learning + of_W)
                + eta_R * of_R,
                "The factor R on the right is missing: M is W R, so that dW counts as dW R.": eta_W * (G + W @ A)
                - eta_R * of_R,
                "W moves by W off(C), and R comes to the right of that: W off(C) R.": eta_W * (learning + of_R)
                - eta_R * of_R,
                "The step sizes have changed places: what moves W goes with eta_W.": eta_R * (learning + of_W)
                - eta_W * of_R,
                "The first term moves with W, so with eta_W, not eta_R.": eta_R * learning
                + eta_W * of_W
                - eta_R * of_R,
                "This is the new M; the exercise asks for how far it moves.": W @ R + right,
                "This holds the second order as well: leave out products of two step sizes.": (W + eta_W * (G + W @ A))
                @ (R - eta_R * R @ A)
                - W @ R,
                "The means over the batch are missing: G and C are divided by B.": right * len(x),
            },
            "With W' = W + eta_W (G + W off(C)) and R' = R - eta_R R off(C), multiply W' R' out, one term at "
            "a time, and mind the order of the factors.",
            rtol=1e-9,
        )
    return (
        "off(C) R and R off(C) are different matrices, so that no ratio of the step sizes makes them cancel in "
        "general. It takes the matrix form and equal steps, or an R that commutes with off(C)."
    )


# ------------------------------------------------------------------------------------------- 05.3 Three suspects


def _suspect(lateral_update: Callable[[Array, Array], Array], ratio: float) -> Step:
    """One step of a linear layer that moves W by `ratio` times the step size."""

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
"""Three implementations of a COPI step: W, R, y, delta and eta in, new W and R out."""


@exercise(
    "05.3",
    "For each suspect, halve eta and see by how much ||W' R' - W R - eta G R|| shrinks: by 2 or by 4? Once from the "
    "random R, once from the identity.",
)
def judge_suspects(answer: Any) -> str:
    """Two letters: who cancels from anywhere, and who seems to from the identity."""
    if not isinstance(answer, (tuple, list, str)) or len(answer) != 2 or not all(isinstance(a, str) for a in answer):
        raise Hint('Answer with two letters, such as ("A", "B").')
    letters = tuple(letter.strip().upper() for letter in answer)
    if not set(letters) <= set(suspects):
        raise Hint(f"The suspects are {', '.join(suspects)}.")
    if letters == ("C", "B"):
        raise Hint("The right two, in the wrong order: measure both again with the random R, not the identity.")
    if letters[0] == "C":
        raise Hint("C is of order 2 from the identity. Is it so from the random R of section 1 as well?")
    if letters[0] == "A":
        raise Hint("A is of order 1 from anywhere. Did you measure without an error signal, and take the slope?")
    if letters[1] == "A":
        raise Hint("The first is right. A leaves a first order even where R is the identity: look at the third.")
    if letters[1] == "B":
        raise Hint("The first is right, and so B cannot be the second as well. Measure the others from the identity.")
    return (
        "C is the local form: off(C) R and R off(C) are the same where R is the identity, so that a test which starts "
        "there sees nothing. Test from a state in which a bug can show."
    )

"""Notebook 02, decorrelation: what judges its exercises."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np.analysis import decorrelation_path
from copi_np.course.exercises import Array, Hint, as_array, call, exercise, expect, expect_choice
from copi_np.rules import decorrelation_update, local_decorrelation_update
from copi_np.whitening import off_diagonal, second_moment


@exercise(
    "02.1",
    "Multiply out: -(C - I) R = R - C R. The second term is <x x^T> R, which Section 2 computes without building C.",
)
def whitening(answer: Any) -> str:
    """The update -(C - I) R, on two sets of inputs that fit no other formula by accident."""
    rng = np.random.default_rng(201)
    for n_samples, n_inputs in ((7, 4), (3, 6)):
        R, x = rng.normal(size=(n_inputs, n_inputs)), rng.normal(size=(n_samples, n_inputs))
        C, identity = second_moment(x), np.eye(n_inputs)
        mistakes = {
            "This is the rule of Section 2, which leaves the diagonal of C alone. Here it must aim at 1.": (
                decorrelation_update(R, x)
            ),
            "The sign is reversed: this would drive C away from I.": (C - identity) @ R,
            "This is -C R. It lacks the term of the identity, and drives C to zero.": -C @ R,
            "A mean over the samples is wanted: divide by the number of rows of x.": R - n_samples * C @ R,
            "R belongs on the right, behind C - I: with rows as samples, C R is x.T @ (x @ R) / B.": (
                -R @ (C - identity)
            ),
            "R stands at the wrong place: use x @ R, not x @ R.T, since C R = <x (x^T R)>.": R - C @ R.T,
            "Nearly. The term of the identity is multiplied by R as well: -(C - I) R = R - C R.": identity - C @ R,
            "This is -(C - I). What is missing is R, by which it is multiplied.": identity - C,
            "Only the change is asked for, not R plus the change.": 2 * R - C @ R,
            "C is not centred (Section 1), and np.cov subtracts the mean: use x.T @ x / B.": R
            - np.cov(x.T, bias=True) @ R,
            "C is not centred (Section 1), and np.cov subtracts the mean, and divides by B - 1.": R - np.cov(x.T) @ R,
            "x @ x.T compares samples, and is (B, B). Second moments of inputs are x.T @ x / B.": x @ x.T / n_samples,
        }
        otherwise = "The numbers are not those of -(C - I) R. Compare with C = x.T @ x / len(x) on a small example."
        expect(call(answer, R, x), R - C @ R, mistakes, otherwise)
    return (
        "This rests only where C = I. With the same inputs at every step R stays symmetric, and converges to ZCA, "
        "Sigma^(-1/2), exactly (Theorem 3). It has to amplify quiet inputs, which COPI need not."
    )


@exercise("02.2", "Run decorrelation_path with y = np.ones((1, 2)) for a few thousand steps, and print x and R.")
def twins(answer: Any) -> str:
    """Two equal inputs."""
    expect_choice(
        answer,
        "b",
        {
            "a": "The two start alike, and the rule treats all inputs alike. Can it ever tell them apart?",
            "c": "Nothing moves only where off(C) = 0. What is C_12 while x_1 = x_2 is not zero?",
            "d": "log|det R| is conserved to first order (Section 4), so R cannot shrink to zero. Look at the x.",
        },
    )
    return (
        "x_1 = x_2 at every step, so C_12 = C_11, and decorrelated they can only be zero. Sigma is not invertible, "
        "which Theorem 4 assumes. R does not collapse: it grows along (1, -1), where there are no data."
    )


def largest_rise(sigma: Array, local: bool) -> float:
    """By what share a variance rises above its lowest value so far, at most."""
    y = np.sqrt(len(sigma)) * np.linalg.cholesky(sigma).T
    update = local_decorrelation_update if local else decorrelation_update
    path = decorrelation_path(y, 0.1 / float(np.trace(sigma)), 1000, update)
    variances = np.array([np.diag(R @ sigma @ R.T) for R in path])
    return float(np.max(variances / np.minimum.accumulate(variances))) - 1


@exercise(
    "02.3",
    "Few matrices do it, so let the computer look: in a loop over seeds, draw A = rng.normal(size=(3, 5)), "
    "and try A @ A.T / 5.",
)
def rising_variance(answer: Any) -> str:
    """Second moments of three inputs for which the local form raises a variance by a hundredth."""
    sigma = as_array(answer, (3, 3))
    size = float(np.max(np.abs(sigma)))
    if not np.max(np.abs(sigma - sigma.T)) <= 1e-9 * size:
        raise Hint("Your matrix is not symmetric. Second moments are: <x_i x_j> = <x_j x_i>.")
    sigma = (sigma + sigma.T) / 2
    if not np.linalg.eigvalsh(sigma)[0] > 1e-9 * size:
        raise Hint(
            "Your matrix is not positive definite: no inputs have such second moments, or they depend on each other."
        )
    if not np.max(np.abs(off_diagonal(sigma))) > 1e-9 * size:
        raise Hint("Your inputs are decorrelated from the start, so nothing moves.")
    rise = largest_rise(sigma, local=True)
    if rise < 0.01:
        raise Hint(
            f"No variance rises by more than {rise:.2%} above its lowest value. Strong correlations and very different "
            "variances help; of random matrices A A^T / 5 with A (3, 5), about one in twenty does it."
        )
    return (
        f"A variance rises by {rise:.1%} above its lowest value; with the matrix form, by "
        f"{largest_rise(sigma, local=False):.1%}. So the variances' part of the proof in Section 4 does not carry over "
        "to the local form."
    )

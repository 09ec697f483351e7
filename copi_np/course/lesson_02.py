"""Lesson 02, decorrelation: the functions that judge the exercises."""

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
    """Judge the update -(C - I) R, on two sets of inputs for which no other formula gives the same result."""
    rng = np.random.default_rng(201)
    for n_samples, n_inputs in ((7, 4), (3, 6)):
        R, x = rng.normal(size=(n_inputs, n_inputs)), rng.normal(size=(n_samples, n_inputs))
        C, identity = second_moment(x), np.eye(n_inputs)
        decorrelation = decorrelation_update(R, x)
        R_on_the_left = -R @ (C - identity)
        with_cov, with_biased_cov = R - np.cov(x.T) @ R, R - np.cov(x.T, bias=True) @ R
        mistakes = {
            "This is the rule of Section 2, which leaves the diagonal of C alone. Here drive it to 1.": decorrelation,
            "The sign is reversed: this would drive C away from I.": (C - identity) @ R,
            "This is -C R. The term from the identity is missing, so it drives C to zero.": -C @ R,
            "Take the mean over the samples: divide by the number of rows of x.": R - n_samples * C @ R,
            "R belongs on the right, after C - I: with samples in rows, C R is x.T @ (x @ R) / B.": R_on_the_left,
            "R is in the wrong place: use x @ R, not x @ R.T, since C R = <x (x^T R)>.": R - C @ R.T,
            "Almost. R multiplies the term from the identity too: -(C - I) R = R - C R.": identity - C @ R,
            "This is -(C - I). You still have to multiply it by R.": identity - C,
            "Return only the change, not R plus the change.": 2 * R - C @ R,
            "C is not centred (Section 1), but np.cov subtracts the mean: use x.T @ x / B.": with_biased_cov,
            "C is not centred (Section 1), but np.cov subtracts the mean, and divides by B - 1.": with_cov,
            "x @ x.T compares samples, and is (B, B). Second moments of inputs are x.T @ x / B.": x @ x.T / n_samples,
        }
        otherwise = "This is not -(C - I) R. On a small example, compare it with C = x.T @ x / len(x)."
        expect(call(answer, R, x), R - C @ R, mistakes, otherwise)
    return (
        "This stops only where C = I. With the same inputs at every step R stays symmetric, and converges exactly to "
        "ZCA, Sigma^(-1/2) (Theorem 3). It has to amplify weak inputs, which COPI does not."
    )


@exercise("02.2", "Run decorrelation_path with y = np.ones((1, 2)) for a few thousand steps, and print x and R.")
def twins(answer: Any) -> str:
    """Judge what happens to two equal inputs."""
    expect_choice(
        answer,
        "b",
        {
            "a": "The two start out equal, and the rule treats all inputs the same. Can it ever tell them apart?",
            "c": "R stops changing only where off(C) = 0. What is C_12 as long as x_1 = x_2 is not zero?",
            "d": "log|det R| is conserved to first order (Section 4), so R cannot shrink to zero. Look at x.",
        },
    )
    return (
        "x_1 = x_2 at every step, so C_12 = C_11, and only zero inputs are decorrelated. Theorem 4 assumes that Sigma "
        "is invertible; here it is not. R does not collapse: it grows along (1, -1), where there are no data."
    )


def largest_rise(sigma: Array, local: bool) -> float:
    """Return the largest rise of a variance above its lowest value so far, relative to that value."""
    y = np.sqrt(len(sigma)) * np.linalg.cholesky(sigma).T
    update = local_decorrelation_update if local else decorrelation_update
    path = decorrelation_path(y, 0.1 / float(np.trace(sigma)), 1000, update)
    variances = np.array([np.diag(R @ sigma @ R.T) for R in path])
    return float(np.max(variances / np.minimum.accumulate(variances))) - 1


@exercise(
    "02.3",
    "Few matrices do this, so let the computer search: in a loop over seeds, draw y = rng.normal(size=(5, 3)) "
    "and try y.T @ y / 5.",
)
def rising_variance(answer: Any) -> str:
    """Judge second moments of three inputs for which the local form raises a variance by 1 %."""
    sigma = as_array(answer, (3, 3))
    size = float(np.max(np.abs(sigma)))
    if not np.max(np.abs(sigma - sigma.T)) <= 1e-9 * size:
        raise Hint("Your matrix is not symmetric. Second moments are: <x_i x_j> = <x_j x_i>.")
    sigma = (sigma + sigma.T) / 2
    if not np.linalg.eigvalsh(sigma)[0] > 1e-9 * size:
        raise Hint(
            "Your matrix is not positive definite: no inputs have such second moments, or they are linearly dependent."
        )
    if not np.max(np.abs(off_diagonal(sigma))) > 1e-9 * size:
        raise Hint("Your inputs are decorrelated from the start, so nothing changes.")
    rise = largest_rise(sigma, local=True)
    if rise < 0.01:
        raise Hint(
            f"No variance rises by more than {rise:.2%} above its lowest value. Strong correlations and very different "
            "variances help. Of random matrices y.T @ y / 5 with y (5, 3), about one in twenty works."
        )
    return (
        f"A variance rises by {rise:.1%} above its lowest value; with the matrix form, by "
        f"{largest_rise(sigma, local=False):.1%}. So what Section 4 proves about the variances does not hold for the "
        "local form."
    )

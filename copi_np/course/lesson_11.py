"""Judge the exercises of 11, One family."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from copi_np.analysis import decorrelation_path
from copi_np.course.exercises import call, exercise, expect, expect_choice
from copi_np.family import gain_controlled_update
from copi_np.rules import copi_update, sgd_update
from copi_np.whitening import second_moment

MOMENTS: Final = np.array([[2.0, 0.6, 0.3], [0.6, 1.0, 0.2], [0.3, 0.2, 0.5]])
"""Second moments of the inputs of 11.3."""
ETA_R: Final = 0.3
"""Step size of 11.3."""


@exercise("11.1", "What is A here? Section 5 has the partner of -A R; and W C is <a x^T>, with a = x @ W.T.")
def partner_of_whitening(answer: Any) -> str:
    """Judge the forward rule that cancels the motion of R under whitening."""
    rng = np.random.default_rng(111)
    for n_samples, n_outputs, n_inputs in ((9, 3, 4), (4, 5, 6)):
        W, x = rng.normal(size=(n_outputs, n_inputs)), rng.normal(size=(n_samples, n_inputs))
        delta = rng.normal(size=(n_samples, n_outputs))
        C, identity, G = second_moment(x), np.eye(n_inputs), sgd_update(x, delta)
        mistakes = {
            "This is COPI's rule (Eq. 3), the partner of off(C). Here A also contains the diagonal of C.": copi_update(
                W, x, x @ W.T + delta
            ),
            "This is gradient descent. The term that cancels the motion of R is missing.": G,
            "The sign of A is reversed: R learns by -A R, and W by +W A.": G - W @ (C - identity),
            "This is <delta x^T> + W C: either W is missing, or you returned W plus the change.": G + W @ C,
            "The error signal is missing: this only cancels the motion of R.": W @ (C - identity),
            "Take the mean over the samples: divide by the number of rows of x.": n_samples * (G + W @ C) - W,
            "Of the two means, one is not divided by B.": n_samples * G + W @ (C - identity),
            "The sign of the error signal is reversed: delta points towards lower loss.": -G + W @ (C - identity),
            "This is half of the term with A, the partner of kappa = 1/2.": G + W @ (C - identity) / 2,
        }
        otherwise = "It should be <delta x^T> + W A, with A = C - I and C = x.T @ x / B."
        expect(call(answer, W, x, delta), G + W @ (C - identity), mistakes, otherwise)
    return (
        "W R now moves by <delta x^T> R only, to first order. Each lateral rule needs its own partner: with COPI's "
        "rule, whitening would disturb what the layer computes."
    )


@exercise("11.2", "How does C change if the inputs become ten times as large? And off(C) V^-1?")
def other_units(answer: Any) -> str:
    """Judge a letter: how step sizes depend on the units of the inputs."""
    expect_choice(
        answer,
        "b",
        {
            "a": "Second moments are products of two inputs: by which factor does C change?",
            "c": "What happens to off(C) V^-1, if both change by the same factor?",
            "d": "It is the other way round: which of the two divides by the variances?",
        },
    )
    return (
        "C is quadratic in the inputs, so COPI's step must be a hundredth. In off(C) V^-1 the factor cancels: the "
        "normalised rule has no units."
    )


@exercise("11.3", "Run decorrelation_path(three, 0.3, 1000, family.gain_controlled_update), and look at C at the end.")
def where_the_gain_rests(answer: Any) -> str:
    """Judge a variance, found by experiment."""
    three = np.sqrt(3) * np.linalg.cholesky(MOMENTS).T
    *_, R = decorrelation_path(three, ETA_R, 1000, gain_controlled_update)
    right = float(second_moment(three @ R.T)[0, 0])
    mean = float(np.trace(MOMENTS)) / 3
    mistakes = {
        "This is the mean variance of the inputs, where the rule rests for very small steps. Here eta_R is 0.3.": mean,
        "This is where kappa and whitening rest. The gain does not know about 1.": 1.0,
        "This is the standard deviation: give the variance.": np.sqrt(right),
        "This is the sum of the three variances.": 3 * right,
        "Almost: in m (1 - eta c)^2, c is the variance at rest, on both sides.": mean * (1 - ETA_R * mean) ** 2,
        "This keeps the determinant, as COPI does. The gain does not.": np.linalg.det(MOMENTS) ** (1 / 3),
    }
    otherwise = "Take more steps, until the three variances are equal and no longer change."
    expect(answer, right, mistakes, otherwise, rtol=0.005 / right)
    return (
        "The gain restores the mean variance m, and the step that follows takes some of it away again: "
        "c = m (1 - eta c)^2. The smaller the step, the closer c is to m (Theorem 13)."
    )

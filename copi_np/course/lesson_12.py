"""Judge the exercises of 12, Learning without a backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np.course.exercises import Array, call, exercise, expect
from copi_np.rules import mean_outer, mean_square


@exercise("12.1", "Call loss_of twice, with a + noise and a - noise. It returns one loss per sample, (B,).")
def two_noisy_passes(answer: Any) -> str:
    """Judge node perturbation from two opposite noises."""
    rng = np.random.default_rng(121)
    for n_samples, n_units, sigma in ((7, 4, 0.5), (3, 5, 0.1)):
        goal, a = rng.normal(size=(n_samples, n_units)), rng.normal(size=(n_samples, n_units))
        noise = sigma * rng.normal(size=a.shape)

        def loss_of(a: Array, goal: Array = goal) -> Array:
            return np.asarray(np.sum(np.exp(a - goal), axis=1))

        up, down = loss_of(a + noise)[:, None], loss_of(a - noise)[:, None]
        right = -(up - down) / (2 * sigma**2) * noise
        one_sided = -(up - loss_of(a)[:, None]) / sigma**2 * noise
        mistakes = {
            "The sign is reversed: this points uphill.": -right,
            "The two passes are 2 noises apart: divide by 2 as well.": 2 * right,
            "Divide by the square of sigma, not by sigma.": right * sigma,
            "Divide by 2 sigma^2.": right * sigma**2,
            "This compares a noisy pass with the one without noise, as in Section 1. Here both are noisy.": one_sided,
            "Compare each sample with itself only: the change of the loss is (B,), not a sum over the batch.": (
                -(up - down).sum() / (2 * sigma**2) * noise
            ),
            "Compare each sample with itself only: do not average the change over the batch.": (
                -(up - down).mean() / (2 * sigma**2) * noise
            ),
            "Almost: multiply by the noise.": np.broadcast_to(-(up - down) / (2 * sigma**2), noise.shape),
            "This is a mean over the batch. A signal belongs to one sample.": right / n_samples,
        }
        otherwise = "It should be -(loss with a + noise, minus loss with a - noise) / (2 sigma^2), times the noise."
        expect(call(answer, loss_of, a, noise, sigma), right, mistakes, otherwise)
    return (
        "Terms of even order in the noise cancel, so the curvature of the loss no longer adds to the estimate. It "
        "still has the same SNR for small noise: twice the passes, and still one number for all units."
    )


@exercise("12.2", "With n noises the SNR is n / (N + 1). Which SNR belongs to a cosine of one half?")
def how_many_noises(answer: Any) -> str:
    """Judge a number of noises."""
    n_units = 300
    mistakes = {
        "This gives an SNR of 1: signal and noise are equally long, and the cosine is 0.71.": n_units + 1,
        "This gives an SNR of 1/2. With which angle do a signal of length 1 and a noise of length 1.4 add up?": (
            (n_units + 1) / 2
        ),
        "The cosine is the signal over the length of signal *and* noise together.": (n_units + 1) / 4,
        "This is SNR = 3, a cosine of 0.87: it is the other way round.": 3 * (n_units + 1),
        "The cosine grows with the root of the number of noises at first, not linearly.": np.sqrt(n_units),
    }
    otherwise = (
        "Signal and noise are nearly perpendicular, so cosine^2 = SNR / (1 + SNR). Or find it by experiment: average n "
        "random estimates (delta . xi) xi of a vector delta with 300 entries."
    )
    expect(answer, (n_units + 1) / 3, mistakes, otherwise, rtol=0.1)
    return (
        "A cosine of 1/2 means SNR = 1/3, so n = (N + 1) / 3, about 100 forward passes. Backpropagation would reach a "
        "cosine of 1 with one pass back."
    )


@exercise("12.3", "It is COPI's rule with the roles of x and z exchanged, but the decay stays with x: diag<x^2> F.")
def learned_feedback(answer: Any) -> str:
    """Judge the update of feedback that follows the forward weights."""
    rng = np.random.default_rng(123)
    for n_samples, n_inputs, n_outputs in ((8, 4, 3), (5, 3, 6)):
        F = rng.normal(size=(n_inputs, n_outputs))
        x, z = rng.normal(size=(n_samples, n_inputs)), rng.normal(size=(n_samples, n_outputs))
        hebbian, decay = mean_outer(x, z), mean_square(x)[:, None] * F
        mistakes = {
            "The decay is missing: then F - W^T stays as it is.": hebbian,
            "The decay belongs to x, the input of W, as it does for W. This one uses z.": hebbian - F * mean_square(z),
            "The sign of the decay is reversed.": hebbian + decay,
            "Take the mean over the samples: divide by B.": n_samples * (hebbian - decay),
            "Hebb's term is a mean too: divide by B.": n_samples * hebbian - decay,
            "The decay is a mean too: divide by B.": hebbian - n_samples * decay,
            "This is the update of W. F has the shape of its transpose.": (hebbian - decay).T,
            "Return only the change, not F plus the change.": F + hebbian - decay,
            "This is a plain decay. For F to follow W, it must be that of W: diag<x^2>.": hebbian - F,
        }
        otherwise = (
            "It should be <x z^T> - diag<x^2> F, which is x.T @ z / B minus the mean squares times the rows of F."
        )
        expect(call(answer, F, x, z), hebbian - decay, mistakes, otherwise)
    return (
        "F and W now learn from the same two activities, and forget at the same rate. So all that ever happens to "
        "F - W^T is decay, whatever the error signals are (Theorem 19)."
    )

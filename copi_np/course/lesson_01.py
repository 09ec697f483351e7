"""Lesson 01, from gradient descent to inferring parameters: the functions that judge the exercises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from copi_np import rules
from copi_np.course.exercises import Array, Hint, as_array, call, close, exercise, expect

B, I, O = 12, 4, 3  # noqa: E741


def decorrelated_task(seed: int, n_outputs: int) -> tuple[Array, Array, Array]:
    """Return W (O, I), exactly decorrelated x (B, I) of unequal mean squares, and z (B, O)."""
    rng = np.random.default_rng(seed)
    x = np.linalg.qr(rng.normal(size=(B, I)))[0] * np.sqrt(B) * rng.uniform(0.5, 2, I)
    return rng.normal(size=(n_outputs, I)), x, rng.normal(size=(B, n_outputs))


def mistakes_with_rows(W: Array, zx: Array, power: Array) -> dict[str, Array]:
    """Return the results of mistaking rows for columns, which raises no error where W is square."""
    by_row = power[:, None]
    return {
        "This divides the rows; <x_j^2> belongs to input j, and that is column j.": (zx - W * power) / by_row,
        "This divides the rows of <z x^T>; <x_j^2> belongs to input j, and that is column j.": zx / by_row - W,
        "x.T @ z has inputs in its rows: <z x^T> is z.T @ x / B.": zx.T / power - W,
        "x.T @ z has inputs in its rows: <z x^T> is z.T @ x / B, and input j is column j.": zx.T / by_row - W,
    }


@exercise("01.1", "What do you have to divide Eq. 3 by? A row of W belongs to an output, a column to an input.")
def undo_the_rescaling(answer: Any) -> str:
    """Judge Eq. 2 on decorrelated inputs, without an inverse."""
    for seed, n_outputs in enumerate((I, O)):  # a square W first: there a mistake shows in numbers, not in shapes
        W, x, z = decorrelated_task(seed, n_outputs)
        zx, power, power_of_z = z.T @ x / B, np.mean(x**2, axis=0), np.mean(z**2, axis=0)[:, None]
        D = zx / power
        copi = zx - W * power
        by_squared_mean, by_variance = zx / np.mean(x, axis=0) ** 2 - W, zx / np.var(x, axis=0) - W
        only_hebbian, only_decay = D - W * power, zx - W
        mistakes = {
            "This is Eq. 3 itself: the columns are still multiplied by <x_j^2>.": copi,
            "The columns are multiplied by <x_j^2> twice: you multiply where you should divide.": copi * power,
            "This is D, where the weights should end; the update is the difference between D and W.": D,
            "The sign is reversed: the update is added to W, so it must point towards <z x^T> / <x^2>.": W - D,
            "The mean squares on the diagonal are those of the inputs x, not of the targets z.": copi / power_of_z,
            "This divides by the square of the mean of x; C has the mean square on its diagonal.": by_squared_mean,
            "Only the Hebbian term is divided: in Eq. 3 the decay has the factor <x_j^2> as well.": only_hebbian,
            "Only the decay is divided: the Hebbian term needs the division as well.": only_decay,
            "This divides by the root of the mean square: leave out the root.": copi / np.sqrt(power),
            "<z x^T> is a mean over the samples: divide by B.": B * D - W,
            "<x^2> is a mean over the samples: divide by B.": D / B - W,
            "Rows of dW belong to outputs, columns to inputs: yours is transposed.": (D - W).T,
            "np.var subtracts the mean first: <x^2> is the mean of the plain squares.": by_variance,
            "np.mean(x**2) is one number for all inputs, but each has its own: use axis=0.": zx / np.mean(x**2) - W,
        }
        if n_outputs == I:
            mistakes |= mistakes_with_rows(W, zx, power)
        expect(
            call(answer, W, x, z),
            D - W,
            mistakes,
            "On decorrelated inputs it should equal rules.inference_update(W, x, z). Write down Eq. 2 for one synapse; "
            "inverting the diagonal C is a division.",
        )
    rng = np.random.default_rng(3)
    W, x, z = rng.normal(size=(O, I)), rng.normal(size=(B, I)), rng.normal(size=(B, O))  # correlated
    if close(as_array(call(answer, W, x, z), W.shape), rules.inference_update(W, x, z)):
        raise Hint("The numbers are right, but this is Eq. 2 with its inverse. Use one division per input instead.")
    return (
        "Without correlations, inverting <x x^T> takes one division per input. COPI drops even that. The price is that "
        "weak inputs learn slowly; the benefit is that a silent input causes no division by zero."
    )


@exercise("01.2", "Start with a copy, W = W.copy(), and loop over the samples: for b in range(len(x)).")
def one_sample_at_a_time(answer: Any) -> str:
    """Judge an epoch of Eq. 5, with a square W and another one."""
    for n_outputs in (I, O):  # a square W first
        _expect_one_sample_at_a_time(answer, n_outputs)
    return (
        "Eq. 5: no sample has to wait for the others, so a synapse can learn online. On average over the samples the "
        "update is that of Eq. 3; single samples add noise, in proportion to eta."
    )


def _expect_one_sample_at_a_time(answer: Any, n_outputs: int) -> None:
    """Raise a `Hint` unless the answer is right for a layer with this many outputs."""
    rng = np.random.default_rng(2)
    W, x, z = rng.normal(size=(n_outputs, I)), rng.normal(size=(B, I)), rng.normal(size=(B, n_outputs))
    eta = 0.1

    def epoch(update: Callable[[Array, Array, Array], Array], order: Iterable[int] = range(B)) -> Array:
        """Return the weights after one pass, with an update of V, x_b and z_b."""
        V = W.copy()
        for b in order:
            V = V + eta * update(V, x[b], z[b])
        return V

    def eq_5(V: Array, u: Array, t: Array) -> Array:
        """Return the update of Eq. 5 for weights V, one input u and its target t."""
        return np.asarray(np.outer(t, u) - V * u**2)

    right = epoch(eq_5)
    batch = eta * rules.copi_update(W, x, z)
    only_last = W + eta * rules.copi_update(W, x[-1:], z[-1:])
    divided_by_B = epoch(lambda V, u, t: eq_5(V, u, t) / B)
    eta_once = epoch(lambda V, u, t: np.outer(t, u) - V * u**2 / eta)
    without_eta = epoch(lambda V, u, t: eq_5(V, u, t) / eta)
    decay_by_target = epoch(lambda V, u, t: np.outer(t, u) - V * (t**2)[:, None])
    decay_not_squared = epoch(lambda V, u, t: np.outer(t, u) - V * u)
    without_decay = epoch(lambda V, u, t: np.outer(t, u))
    growth = epoch(lambda V, u, t: np.outer(t, u) + V * u**2)
    whole_C = epoch(lambda V, u, t: np.outer(t - V @ u, u))
    a_added = epoch(lambda V, u, t: np.outer(t + V @ u, u) - V * u**2)
    mistakes = {
        "This is one step with the mean over the batch: here W changes after every sample.": W + batch,
        "You use the initial W for all samples: use the W that the previous sample left.": W + B * batch,
        "This is how much the weights have changed: return the new weights.": right - W,
        "These are the weights after the update of the last sample alone: keep the other updates too.": only_last,
        "Every sample is a step of its own, with the full eta: do not divide by B.": divided_by_B,
        "eta multiplies the whole update, including the decay: check the brackets.": eta_once,
        "eta is missing.": without_eta,
        "The decay has the square of the input x_j, column by column, not that of the target.": decay_by_target,
        "The decay is missing the square: w_ij x_j^2.": decay_not_squared,
        "The decay is missing: without it this is just Hebb's rule.": without_decay,
        "The decay has the wrong sign: it makes the weights smaller.": growth,
        "This decays with all of x x^T, which makes it gradient descent: COPI keeps only its diagonal.": whole_C,
        "z is already the target state: do not add a.": a_added,
        "Take the samples in order, the first one first.": epoch(eq_5, reversed(range(B))),
    }
    if n_outputs == I:
        outer_turned = epoch(lambda V, u, t: np.outer(u, t) - V * u**2)
        decay_by_row = epoch(lambda V, u, t: np.outer(t, u) - V * (u**2)[:, None])
        mistakes["np.outer(x, z) has inputs in its rows: z comes first."] = outer_turned
        mistakes["The decay belongs to columns: multiply W by x ** 2 as a row."] = decay_by_row
    expect(
        call(answer, W, x, z, eta),
        right,
        mistakes,
        "Check one sample first: with b = 0 alone, entry ij of W changes by eta * (z[0, i] * x[0, j] - W[i, j] * "
        "x[0, j] ** 2).",
    )


@exercise(
    "01.3",
    "With z = x_shared @ D.T, rules.linear_map(x_shared, z) gives the weights that COPI converges to. Try several rho, "
    "for example by bisection.",
)
def how_decorrelated_is_enough(answer: Any) -> str:
    """Judge a correlation that was found by experiment."""
    D = np.array([1.0, 2.0, 3.0])

    def relative_error(rho: float) -> float:
        """Return the relative distance between D and the weights that COPI converges to."""
        return float(abs(rho) * np.linalg.norm(D.sum() - D) / np.linalg.norm(D))

    largest = 0.1 / relative_error(1)
    rho = float(as_array(answer, ()))
    if abs(rho - 100 * largest) <= 5 * largest:
        raise Hint("Give the correlation as a number between 0 and 1, not in per cent.")
    if not 0 <= rho <= 1:
        raise Hint("Any two of the three inputs have this correlation, so here it is a number between 0 and 1.")
    if abs(rho / largest - 1) > 0.05:
        raise Hint(
            f"At rho = {rho:.3g} COPI converges to weights {100 * relative_error(rho):.3g} % away from D: the largest "
            f"rho that stays within 10 % is {'smaller' if rho > largest else 'larger'}."
        )
    return (
        "Here a correlation of 5 % already causes an error of 10 %: the error is proportional to the correlation, and "
        "every input takes credit from all the others. A little decorrelation is not enough."
    )

"""What judges the exercises of 01, From gradient descent to inferring parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np import rules
from copi_np.course.exercises import Array, Hint, as_array, call, close, exercise, expect

B, I, O = 12, 4, 3  # noqa: E741


def decorrelated_task(seed: int, n_outputs: int) -> tuple[Array, Array, Array]:
    """W (O, I), exactly decorrelated x (B, I) of unequal mean squares, and z (B, O)."""
    rng = np.random.default_rng(seed)
    x = np.linalg.qr(rng.normal(size=(B, I)))[0] * np.sqrt(B) * rng.uniform(0.5, 2, I)
    return rng.normal(size=(n_outputs, I)), x, rng.normal(size=(B, n_outputs))


def mistakes_with_rows(W: Array, zx: Array, power: Array) -> dict[str, Array]:
    """What comes of mistaking rows for columns, which shows in numbers where W is square."""
    return {
        "This divides the rows; <x_j^2> belongs to input j, and that is column j.": (zx - W * power) / power[:, None],
        "This divides the rows of <z x^T>; <x_j^2> belongs to input j, and that is column j.": zx / power[:, None] - W,
        "x.T @ z has inputs in its rows: <z x^T> is z.T @ x / B.": zx.T / power - W,
        "x.T @ z has inputs in its rows: <z x^T> is z.T @ x / B, and input j is column j.": zx.T / power[:, None] - W,
    }


@exercise("01.1", "Eq. 3 divided by what? A row of W belongs to an output, a column to an input.")
def undo_the_rescaling(answer: Any) -> str:
    """Eq. 2 on decorrelated inputs, without an inverse."""
    for seed, n_outputs in enumerate((I, O)):  # a square W first: there a mistake shows in numbers, not shapes
        W, x, z = decorrelated_task(seed, n_outputs)
        zx, power, outputs = z.T @ x / B, np.mean(x**2, axis=0), np.mean(z**2, axis=0)[:, None]
        D = zx / power
        copi = zx - W * power
        expect(
            call(answer, W, x, z),
            D - W,
            {
                "This is Eq. 3 itself: the columns are still multiplied by <x_j^2>.": copi,
                "The columns are multiplied by <x_j^2> twice: divide, where you multiply.": copi * power,
                "These are the weights to go to; the update is the way there from W.": D,
                "The sign is reversed: the update is to be added to W, and must lead towards <z x^T> / <x^2>.": W - D,
                "The mean squares on the diagonal are those of the inputs x, not of the targets z.": copi / outputs,
                "This divides by the mean of x, squared; C has the mean of the squares on its diagonal.": zx
                / np.mean(x, axis=0) ** 2
                - W,
                "Only the Hebbian term is divided: in Eq. 3 the decay carries the factor <x_j^2> as well.": D
                - W * power,
                "Only the decay is divided: the Hebbian term needs the division as well.": zx - W,
                "This divides by the root of the mean square: leave out the root.": copi / np.sqrt(power),
                "<z x^T> is a mean over the samples: divide by B.": B * D - W,
                "<x^2> is a mean over the samples: divide by B.": D / B - W,
                "Rows of dW belong to outputs, columns to inputs: yours is transposed.": (D - W).T,
                "np.var subtracts the mean first: <x^2> is the mean of the squares as they are.": zx / np.var(x, axis=0)
                - W,
                "np.mean(x**2) is one number for all inputs: each has its own, axis=0.": zx / np.mean(x**2) - W,
                **(mistakes_with_rows(W, zx, power) if n_outputs == I else {}),
            },
            "On decorrelated inputs it should equal rules.inference_update(W, x, z). Write down Eq. 2 for one synapse, "
            "where the inverse of the diagonal C is a division.",
        )
    rng = np.random.default_rng(3)
    W, x, z = rng.normal(size=(O, I)), rng.normal(size=(B, I)), rng.normal(size=(B, O))  # correlated
    if close(as_array(call(answer, W, x, z), W.shape), rules.inference_update(W, x, z)):
        raise Hint("The numbers are right, but this is Eq. 2 with its inverse. Do it with a division for each input.")
    return (
        "Without correlations, inverting <x x^T> is one division for each input. COPI leaves even that out, and pays "
        "with a slow start for weak inputs; what it gains is that a silent input does not divide by zero."
    )


@exercise("01.2", "Begin with a copy, W = W.copy(), and a loop over the samples: for b in range(len(x)).")
def one_sample_at_a_time(answer: Any) -> str:
    """An epoch of Eq. 5, for layers that are square and not."""
    for n_outputs in (I, O):  # a square W first
        _expect_one_sample_at_a_time(answer, n_outputs)
    return (
        "Eq. 5: no sample needs to wait for the others, so a synapse can learn on line. On average over the samples "
        "the direction is that of Eq. 3; what single samples add is noise, in proportion to eta."
    )


def _expect_one_sample_at_a_time(answer: Any, n_outputs: int) -> None:
    rng = np.random.default_rng(2)
    W, x, z = rng.normal(size=(n_outputs, I)), rng.normal(size=(B, I)), rng.normal(size=(B, n_outputs))
    eta = 0.1

    def epoch(update: Any, order: Any = range(B)) -> Array:
        V = W.copy()
        for b in order:
            V = V + eta * update(V, x[b], z[b])
        return V

    right = epoch(lambda V, u, t: np.outer(t, u) - V * u**2)
    batch = eta * rules.copi_update(W, x, z)
    expect(
        call(answer, W, x, z, eta),
        right,
        {
            "This is one step with the mean over the batch: here W moves after every sample.": W + batch,
            "All samples see the W of the start: use the W that the sample before has left.": W + B * batch,
            "This is how far the weights have moved: return the new weights.": right - W,
            "These are the weights with the update of the last sample alone: keep what the others did.": W
            + eta * rules.copi_update(W, x[-1:], z[-1:]),
            "Every sample is a step of its own, with the full eta: do not divide by B.": epoch(
                lambda V, u, t: (np.outer(t, u) - V * u**2) / B
            ),
            "eta multiplies the whole update, decay included: mind the brackets.": epoch(
                lambda V, u, t: np.outer(t, u) - V * u**2 / eta
            ),
            "eta is missing.": epoch(lambda V, u, t: (np.outer(t, u) - V * u**2) / eta),
            "The decay has the square of the input x_j, column by column, not that of the target.": epoch(
                lambda V, u, t: np.outer(t, u) - V * (t**2)[:, None]
            ),
            "The decay is missing the square: w_ij x_j^2.": epoch(lambda V, u, t: np.outer(t, u) - V * u),
            "The decay is missing: without it the rule is Hebb's alone.": epoch(lambda V, u, t: np.outer(t, u)),
            "The decay has the wrong sign: it takes away from the weights.": epoch(
                lambda V, u, t: np.outer(t, u) + V * u**2
            ),
            "This decays with the whole x x^T, which makes it gradient descent: COPI keeps its diagonal only.": epoch(
                lambda V, u, t: np.outer(t - V @ u, u)
            ),
            **(
                {
                    "np.outer(x, z) has inputs in its rows: z comes first.": epoch(
                        lambda V, u, t: np.outer(u, t) - V * u**2
                    ),
                    "The decay belongs to columns: multiply W by x ** 2 as a row.": epoch(
                        lambda V, u, t: np.outer(t, u) - V * (u**2)[:, None]
                    ),
                }
                if n_outputs == I
                else {}
            ),
            "z is the target state already: there is no a to be added.": epoch(
                lambda V, u, t: np.outer(t + V @ u, u) - V * u**2
            ),
            "Take the samples in their order, the first one first.": epoch(
                lambda V, u, t: np.outer(t, u) - V * u**2, reversed(range(B))
            ),
        },
        "Check one sample first: with b = 0 alone, entry ij of W changes by eta * (z[0, i] * x[0, j] - W[i, j] * "
        "x[0, j] ** 2).",
    )


@exercise(
    "01.3", "Let z = x_shared @ D.T; rules.linear_map(x, z) is where COPI comes to rest. Try several t, by bisection."
)
def how_decorrelated_is_enough(answer: Any) -> str:
    """A correlation, found by experiment."""
    D = np.array([1.0, 2.0, 3.0])

    def miss(t: float) -> float:
        """Relative distance between D and where COPI rests."""
        return float(abs(t) * np.linalg.norm(D.sum() - D) / np.linalg.norm(D))

    largest = 0.1 / miss(1)
    t = float(as_array(answer, ()))
    if abs(t - 100 * largest) <= 5 * largest:
        raise Hint("Give the correlation as a number between 0 and 1, not in per cent.")
    if not 0 <= t <= 1:
        raise Hint("A correlation of inputs of mean square 1 that all share it is a number between 0 and 1 here.")
    if abs(t / largest - 1) > 0.05:
        raise Hint(
            f"At t = {t:.3g} COPI comes to rest {100 * miss(t):.3g} % away from D: the largest t that stays within "
            f"10 % is {'smaller' if t > largest else 'larger'}."
        )
    return (
        "A correlation of 5 % already costs 10 % here: the miss is proportional to the correlation, and every input "
        "takes credit from all the others. Decorrelation has to be good, not just attempted."
    )

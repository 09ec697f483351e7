"""Judge the exercises of 07, Compression."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from copi_np.course.exercises import Array, Hint, call, exercise, expect, expect_choice
from copi_np.rules import linear_map

B, I, O, SILENT = 30, 5, 3, 2  # noqa: E741


@exercise("07.1", "Take a layer with I inputs and O outputs: R maps inputs to inputs, and W maps inputs to outputs.")
def learned_weights(answer: Any) -> str:
    """Judge a function that counts the weights of a network."""
    for sizes in ([784, 200, 10], [5, 4, 3, 2], [7, 3]):
        lateral, forward = sum(n * n for n in sizes[:-1]), sum(n * m for n, m in pairwise(sizes))
        expect(
            call(answer, sizes),
            np.array(lateral + forward),
            {
                "These are only the forward weights: every layer has an R as well.": np.array(forward),
                "These are only the lateral weights: every layer has a W as well.": np.array(lateral),
                "R acts on the inputs of a layer, not its outputs: the pixels have an R, the last outputs do not.": (
                    np.array(sum(n * n for n in sizes[1:]) + forward)
                ),
                "The outputs of the last layer do not need an R: nothing comes after them.": (
                    np.array(sum(n * n for n in sizes) + forward)
                ),
                "The pixels are inputs as well: the first layer has an R too, the largest one.": (
                    np.array(lateral - sizes[0] ** 2 + forward)
                ),
                "R has a diagonal too, which starts at 1 and learns like the rest: count I times I.": (
                    np.array(lateral - sum(sizes[:-1]) + forward)
                ),
                "R need not stay symmetric: count all of it, not one triangle.": (
                    np.array(sum(n * (n - 1) // 2 for n in sizes[:-1]) + forward)
                ),
                "There are no biases in COPI's layers.": np.array(lateral + forward + sum(sizes[1:])),
            },
            f"Take a network of one layer, such as [7, 3]: R is 7 by 7, W is 3 by 7. (Here sizes is {sizes}.)",
        )
    return "Most of them are in the R of the pixels. To use the network, fold R into W: only O times I numbers remain."


def stack(seed: int) -> tuple[Array, Array, Array]:
    """Return y_in (B, I) with an input that is zero before and after R (I, I), R itself, and y_out (B, O)."""
    rng = np.random.default_rng(seed)
    y_in = rng.normal(size=(B, I)) @ rng.normal(size=(I, I)) + 0.5
    R = np.eye(I) + 0.4 * rng.normal(size=(I, I))
    y_in[:, SILENT] = 0
    R[SILENT] = np.eye(I)[SILENT]
    return y_in, R, rng.normal(size=(B, O)) + np.abs(y_in[:, :O])


@exercise("07.2", "Take two steps: compute the map from x = R y_in to y_out, then fold R into it. (W x = W R y_in.)")
def folded_map(answer: Any) -> str:
    """Judge the linear map between outputs, with R folded in."""
    for seed in (0, 1):
        y_in, R, y_out = stack(seed)
        with np.errstate(all="ignore"):  # a division by zero is handled below
            M = call(answer, y_in, R, y_out)
        expect_guarded(M)
        x, x_turned = y_in @ R.T, y_in @ R
        W = linear_map(x, y_out)
        power = np.mean(x**2, axis=0)
        expect(
            M,
            W @ R,
            {
                "This is the map from x, so it still needs R y_in. Fold R into it.": W,
                "This is the map from y_in itself, whose inputs are correlated: decorrelate them first.": (
                    linear_map(y_in, y_out)
                ),
                "You fitted the map to y_in, not to x = R y_in. Folding R in afterwards does not fix that.": (
                    linear_map(y_in, y_out) @ R
                ),
                "R is folded in transposed: W x = W R y_in, so M = W R.": W @ R.T,
                "If samples are rows, x = R y_in is y_in @ R.T; yours has R transposed.": (
                    linear_map(x_turned, y_out) @ R
                ),
                "R is transposed in both places: samples are rows, so x = y_in @ R.T, and M = W R.": (
                    linear_map(x_turned, y_out) @ R.T
                ),
                "You undo R instead of applying it: M acts on y_in, and W acts on R y_in.": W @ np.linalg.inv(R),
                "These are only the mean products: divide column j by <x_j^2>.": (y_out.T @ x / B) @ R,
                "This is least squares. It is right for any inputs, but needs an inverse: use COPI's formula.": (
                    np.linalg.lstsq(x, y_out, rcond=None)[0].T @ R
                ),
                "This is least squares from y_in: right, but it needs an inverse. Use COPI's formula, on R y_in.": (
                    np.linalg.lstsq(y_in, y_out, rcond=None)[0].T
                ),
                "<y x> and <x^2> are both means, or both sums: yours differ by the number of samples.": B * W @ R,
                "If <y x> is a mean, <x^2> is one too: yours differ by the number of samples.": W @ R / B,
                "This divides by the root mean square: take the mean square.": (W * np.sqrt(power)) @ R,
                "M has one row per output and one column per input: yours is transposed.": (W @ R).T,
            },
            "Check that y_in @ M.T equals (y_in @ R.T) @ W.T, with W = linear_map(x, y_out).",
        )
    return "One product replaces several layers: y_in @ M.T. This is what predict computes in a compressed network."


def expect_guarded(M: Any) -> None:
    """Raise a `Hint` if an input that is always zero has led to NaN."""
    try:
        finite = np.isfinite(np.asarray(M, dtype=np.float64)).all()
    except (TypeError, ValueError):
        return  # not an array: `expect` has a hint for this
    if not finite:
        raise Hint("One input is zero in all samples, and 0/0 is NaN: divide by 1 if the mean square is 0.")


@exercise("07.3", "The mean is linear: what is <a_3 x_2^T>, if a_3 = W_3 R_3 y_2?")
def pre_activation(answer: Any) -> str:
    """Judge a letter: what a map to pre-activations computes."""
    expect_choice(
        answer,
        "c",
        {
            "a": "Is it different? Compare its accuracy, to the last digit, with that of replacing layer 2 alone.",
            "b": "Measure it: it is better than mapping to y_3. Which network of `compress` is just as good?",
        },
    )
    return (
        "a_3 is linear in y_2, so the best map to it is W_3 R_3 times the map to y_2. So layer 3 is still there, in "
        "disguise, and you save one layer fewer than it seems."
    )

"""Judge the exercises of 13, Images."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np.architecture import Conv, Dense, Pool, plan_layers
from copi_np.course.exercises import call, exercise, expect, expect_choice
from copi_np.patches import Patches


@exercise("13.1", "Two loops over the top left corners, then image[:, i : i + kernel, j : j + kernel].ravel().")
def patches_in_colour(answer: Any) -> str:
    """Judge a function that cuts an image (C, H, W) into patches."""
    rng = np.random.default_rng(131)
    for shape, kernel, stride in (((3, 7, 9), 3, 2), ((2, 8, 5), 2, 3)):
        image = rng.normal(size=shape)
        patches, flat = Patches(shape, kernel, stride), image.reshape(1, -1)
        right = patches.cut(flat)
        parts = right.reshape(*patches.positions, shape[0], kernel, kernel)
        mistakes = {
            "Go from left to right first, and then down: your patches are ordered by columns.": np.swapaxes(
                parts, 0, 1
            ).reshape(right.shape),
            "The values of a patch are in the order channel, row, column: yours begin with the pixels.": np.moveaxis(
                parts, 2, -1
            ).reshape(right.shape),
            "Rows before columns: your patches are transposed.": np.swapaxes(parts, 3, 4).reshape(right.shape),
            "One row per patch: yours has a column per patch.": right.T,
            "Almost: flatten each patch, so that the result is (P, C k^2).": parts.reshape(
                -1, shape[0], kernel, kernel
            ),
            "Move by the stride, not by one pixel.": Patches(shape, kernel).cut(flat),
            "Move by the stride, not by the size of the kernel.": Patches(shape, kernel, kernel).cut(flat),
            "The last windows are missing: range excludes its end.": Patches(
                (shape[0], shape[1] - 1, shape[2] - 1), kernel, stride
            ).cut(image[:, :-1, :-1].reshape(1, -1)),
            "A patch holds all channels: yours is cut from the first only.": parts[:, :, 0].reshape(-1, kernel**2),
        }
        otherwise = "Row number r holds image[:, i : i + kernel, j : j + kernel], flattened, with i and j multiples of "
        expect(call(answer, image, kernel, stride), right, mistakes, otherwise + "the stride. No window may stick out.")
    return "That is all the geometry there is in a convolution: from here on, a patch is a sample like any other."


@exercise(
    "13.2", "R is square: one row per value of a patch, or per input of the dense layer. What does Pool(2) leave?"
)
def where_the_lateral_weights_are(answer: Any) -> str:
    """Judge the number of lateral weights of a small convolutional network."""
    plans = plan_layers([Conv(8, 5), Pool(2), Conv(16, 3), Dense(10)], (3, 16, 16))
    first, second, last = (plan.n_inputs for plan in plans)
    forward = sum(plan.n_inputs * plan.n_outputs for plan in plans)
    unpooled = plan_layers([Conv(8, 5), Conv(16, 3), Dense(10)], (3, 16, 16))[-1].n_inputs
    right = first**2 + second**2 + last**2
    mistakes = {
        "These are the numbers of inputs: R is square.": first + second + last,
        "These are the weights W. R is (I, I), whatever the number of filters is.": forward,
        "These are W and R together: count R only.": right + forward,
        "The dense layer has an R too.": first**2 + second**2,
        "The second convolution has 8 channels: its patches hold 8 x 3 x 3 values.": first**2 + 9**2 + last**2,
        "The images have three channels: the first patches hold 3 x 5 x 5 values.": 25**2 + second**2 + last**2,
        "Pool(2) halves height and width, so the second convolution sees 6 x 6 pixels.": (
            first**2 + second**2 + unpooled**2
        ),
        "All positions share one R: do not multiply by their number.": sum(
            plan.n_values * plan.n_inputs for plan in plans
        ),
        "This is a dense network's first R: here it has a row per value of a patch.": (3 * 16 * 16) ** 2,
    }
    otherwise = (
        "Add up three squares: of the values in a patch of each convolution, and of the inputs of the dense layer."
    )
    expect(answer, right, mistakes, otherwise)
    return (
        f"It is {first}^2 + {second}^2 + {last}^2. The dense layer has {last**2 / right:.0%} of them, even in this "
        "small network: R of a convolution does not grow with the image, but R of the dense layer after it does. "
        "Pooling keeps it small."
    )


@exercise(
    "13.3", "Add the variance of the noise to the diagonal: sigma + 0.1 * np.eye(25). Then proceed as in Section 4."
)
def at_night(answer: Any) -> str:
    """Judge a letter: what noise does to the surround."""
    expect_choice(
        answer,
        "b",
        {
            "a": "What is subtracted is what neighbours predict. How well does a noisy neighbour predict?",
            "c": "It does not change off(C) at the first step. But R also depends on the variances: by how much must a "
            "louder neighbour be multiplied to remove the same covariance?",
            "d": "Averaging would make the pixels more correlated, and R rests where they are not correlated at all.",
        },
    )
    return (
        "A noisy neighbour predicts less, so less of it is subtracted. With very much noise R is nearly the identity. "
        "In the eye it is similar: in the dark, the surround of cells in the retina fades (Barlow, FitzHugh and "
        "Kuffler, 1957)."
    )

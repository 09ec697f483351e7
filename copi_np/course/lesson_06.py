"""Judge the exercises of 06, Reading a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np.course.exercises import Array, Hint, call, exercise, expect, expect_choice

I, O, DEAD = 5, 3, 2  # noqa: E741


def samples(seed: int, n_samples: int) -> tuple[Array, Array]:
    """Return x (B, I), in which one input is always zero and the others have nonzero means, and y (B, O)."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n_samples, I)) + 0.5) * rng.uniform(0.5, 2, I)
    x[:, DEAD] = 0
    return x, rng.normal(size=(n_samples, O))


def or_one(power: Any) -> Array:
    """Return the power, but 1 where an input is always zero: what to divide by."""
    return np.where(power > 0, power, 1.0)


def expect_guarded(fields: Any) -> None:
    """Raise a `Hint` if an input that is always zero has a column of NaN."""
    try:
        column = np.asarray(fields, dtype=np.float64)[:, DEAD]
    except (TypeError, ValueError, IndexError):
        return  # not an array (O, I): `expect` has a hint for this
    if not np.isfinite(column).all():
        raise Hint("One input is zero in all samples, and its column is NaN: divide by 1 if its mean square is 0.")


@exercise("06.1", "The mean product is y.T @ x / len(x). What must you do before you divide by a root that may be 0?")
def standardized_fields(answer: Any) -> str:
    """Judge receptive fields in units of the root mean square, with dead inputs."""
    for seed, n_samples in ((0, 9), (1, 7)):
        x, y = samples(seed, n_samples)
        with np.errstate(all="ignore"):  # a division by zero is handled below
            fields = call(answer, x, y)
        expect_guarded(fields)
        power = np.mean(x**2, axis=0)
        alive = or_one(power)
        deviation = np.where(power > 0, np.std(x, axis=0), 1)
        products = y.T @ x / n_samples
        expect(
            fields,
            products / np.sqrt(alive),
            {
                "This divides by the mean square itself: these are the weights, not yet the standardized ones.": (
                    products / alive
                ),
                "This multiplies by the root. You would multiply the weights by it, but divide the mean products.": (
                    products * np.sqrt(power)
                ),
                "These are only the mean products: divide by the root mean square of each input.": products,
                "This divides by the standard deviation, but nothing is centred here: the mean square is <x^2>.": (
                    products / deviation
                ),
                "<y x> is a mean over the samples: divide by B.": n_samples * products / np.sqrt(alive),
                "<x^2> is a mean over the samples, under the root as well: divide by B.": (
                    products / np.sqrt(n_samples * alive)
                ),
                "Yours is transposed: you need one row per unit, one column per input.": (products / np.sqrt(alive)).T,
                "This is x.T @ y, of shape (I, O): you need one row per unit, y.T @ x.": products.T,
                "This divides by the root mean square of the unit as well: use only that of the input.": (
                    products / np.sqrt(alive) / np.sqrt(np.mean(y**2, axis=0))[:, None]
                ),
            },
            "Compare with linear_map(x, y) * np.sqrt(mean_square(x)) from copi_np.rules, entry by entry.",
        )
    return "Two lines, for any unit in any layer: the formula only needs the outputs, not the layers that compute them."


@exercise("06.2", "Two running sums are enough: y.T @ x, and x**2 summed over the samples of all chunks.")
def fields_in_chunks(answer: Any) -> str:
    """Judge the fields of all samples, from chunks of unequal size."""
    for seed, lengths in ((2, (6, 6, 3)), (3, (5, 4))):
        chunks = [samples(seed + 10 * k, n_samples) for k, n_samples in enumerate(lengths)]
        chunks[0][0][:, 0] = 0  # zero in one chunk is not dead
        with np.errstate(all="ignore"):
            fields = call(answer, chunks)
        expect_guarded(fields)
        products = [y.T @ x for x, y in chunks]
        powers = [np.sum(x**2, axis=0) for x, _ in chunks]
        total = or_one(np.sum(powers, axis=0))
        right = np.sum(products, axis=0) / total
        means = [(p / n, q / n) for p, q, n in zip(products, powers, lengths, strict=True)]
        each = [p / or_one(q) for p, q in zip(products, powers, strict=True)]
        expect(
            fields,
            right,
            {
                "This is the mean of the fields of the chunks; a ratio of sums is not a mean of ratios.": np.mean(
                    each, axis=0
                ),
                "This is a weighted mean of the fields of the chunks; divide only once, at the end.": np.average(
                    each, axis=0, weights=lengths
                ),
                "Here a chunk with fewer samples counts as much as the others: add up sums, not means.": (
                    np.sum([p for p, _ in means], axis=0) / or_one(np.sum([q for _, q in means], axis=0))
                ),
                "This is the last chunk alone: keep the sums from one chunk to the next.": each[-1],
                "This is the first chunk alone: return after the loop.": each[0],
                "One of your two sums is divided by the number of samples: divide both or neither.": (
                    right / sum(lengths)
                ),
                "These are standardized fields: here, divide by the mean square, without the root.": (
                    np.sum(products, axis=0) / np.sqrt(total * sum(lengths))
                ),
                "Yours is transposed: you need one row per unit, one column per input.": right.T,
                "These are only the summed products: divide by the sums of squares, once, at the end.": np.sum(
                    products, axis=0
                ),
            },
            "Join two small chunks with np.concatenate, and compare with linear_map of the result.",
        )
    return "Every sample counts the same, wherever the chunks end, and 60,000 digits need no more memory than 4,000."


@exercise("06.3", "Write down the formula for the first copy only. Does it know about the second?")
def same_pixel_twice(answer: Any) -> str:
    """Judge a letter: which weights the formula gives to an input that appears twice."""
    expect_choice(
        answer,
        "b",
        {
            "a": "That is what least squares does. The formula looks at one input at a time: can it split the weight?",
            "c": "The two copies are the same numbers: can one formula give them different weights?",
        },
    )
    return (
        "What two inputs have in common is counted twice. In images, where hundreds of pixels are correlated, it is "
        "counted hundreds of times: hence the mean image in section 6."
    )

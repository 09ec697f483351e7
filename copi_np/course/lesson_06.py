"""What judges the exercises of 06, Reading a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np

from copi_np.course.exercises import Array, Hint, call, exercise, expect, expect_choice

I, O, DEAD = 5, 3, 2  # noqa: E741


def samples(seed: int, n_samples: int) -> tuple[Array, Array]:
    """x (B, I), of which one input is always zero and all others have a mean, and y (B, O)."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n_samples, I)) + 0.5) * rng.uniform(0.5, 2, I)
    x[:, DEAD] = 0
    return x, rng.normal(size=(n_samples, O))


def or_one(power: Any) -> Array:
    """What to divide by: 1 where an input is always zero."""
    return np.where(power > 0, power, 1.0)


def expect_guarded(fields: Any) -> None:
    """A `Hint` where an input that is always zero has made NaN of its column."""
    try:
        column = np.asarray(fields, dtype=np.float64)[:, DEAD]
    except (TypeError, ValueError, IndexError):
        return  # no array (O, I), which `expect` has words for
    if not np.isfinite(column).all():
        raise Hint("One input is zero in all samples, and its column holds NaN: divide by 1 where its power is 0.")


@exercise("06.1", "The mean product is y.T @ x / len(x). What has to be done before dividing by a root that may be 0?")
def standardized_fields(answer: Any) -> str:
    """Receptive fields in units of the root mean square, guarded against dead inputs."""
    for seed, n_samples in ((0, 9), (1, 7)):
        x, y = samples(seed, n_samples)
        with np.errstate(all="ignore"):  # a student's division by zero is no news of this function
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
                "This divides by the mean square itself: those are the weights, not yet the standardized ones.": (
                    products / alive
                ),
                "This multiplies by the root: the weights were to be multiplied, the mean products are divided.": (
                    products * np.sqrt(power)
                ),
                "The mean products alone: divide by the root mean square of each input.": products,
                "This divides by the standard deviation; here nothing is centred: the mean square is <x^2>.": (
                    products / deviation
                ),
                "<y x> is a mean over the samples: divide by B.": n_samples * products / np.sqrt(alive),
                "<x^2> is a mean over the samples, under the root as well: divide by B.": (
                    products / np.sqrt(n_samples * alive)
                ),
                "A row for each unit, a column for each input: yours is transposed.": (products / np.sqrt(alive)).T,
                "These are products of x.T @ y, (I, O): a row for each unit is wanted, y.T @ x.": products.T,
                "This divides by the root mean square of the unit as well: only that of the input is asked for.": (
                    products / np.sqrt(alive) / np.sqrt(np.mean(y**2, axis=0))[:, None]
                ),
            },
            "Compare with linear_map(x, y) * np.sqrt(mean_square(x)) from copi_np.rules, entry by entry.",
        )
    return "Two lines, for any unit in any layer: the formula asks for outputs alone, not for the way that led to them."


@exercise("06.2", "Two running sums are enough: of y.T @ x and of x**2, over the samples of all chunks.")
def fields_in_chunks(answer: Any) -> str:
    """The fields of all samples, from chunks of unequal size."""
    for seed, lengths in ((2, (6, 6, 3)), (3, (5, 4))):
        chunks = [samples(seed + 10 * k, n_samples) for k, n_samples in enumerate(lengths)]
        chunks[0][0][:, 0] = 0  # silent in one chunk is not dead
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
                "This is the mean of the chunks' own fields; a ratio of sums is not a mean of ratios.": np.mean(
                    each, axis=0
                ),
                "This is a weighted mean of the chunks' own fields; divide once, at the end.": np.average(
                    each, axis=0, weights=lengths
                ),
                "A chunk with fewer samples counts as much as the others here: add up sums, not means.": (
                    np.sum([p for p, _ in means], axis=0) / or_one(np.sum([q for _, q in means], axis=0))
                ),
                "This is the last chunk alone: the sums must survive from one chunk to the next.": each[-1],
                "This is the first chunk alone: return after the loop.": each[0],
                "The sum of products lacks its division, or the one of squares: both or none are means.": (
                    right / sum(lengths)
                ),
                "These are standardized: here the mean square is asked for, without the root.": (
                    np.sum(products, axis=0) / np.sqrt(total * sum(lengths))
                ),
                "A row for each unit, a column for each input: yours is transposed.": right.T,
                "The summed products alone: divide by the sums of squares, once, at the end.": np.sum(products, axis=0),
            },
            "Join two small chunks with np.concatenate and compare with linear_map of the whole.",
        )
    return "Each sample counts the same, wherever chunks end, and 60,000 digits need no more memory than 4,000."


@exercise("06.3", "Write the formula down for the first copy alone. Does it know of the second?")
def same_pixel_twice(answer: Any) -> str:
    """A letter: what the formula makes of an input that comes twice."""
    expect_choice(
        answer,
        "b",
        {
            "a": "That is what least squares does. The formula looks at one input at a time: can it share?",
            "c": "The two copies are the same numbers: can one formula give them different weights?",
        },
    )
    return (
        "What two inputs have in common counts twice. In images, where hundreds of pixels go together, it counts "
        "hundreds of times: hence the mean image in section 6."
    )

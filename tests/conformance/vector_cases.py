"""What all known answers share: inputs that are multiples of 1/8, and the form of an entry."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

TOLERANCE = 1e-12
SEVERAL_STEPS = 1e-10
"""Tolerance after ten steps, in which roundings add up."""

Arrays = dict[str, Any]


def eighths(rng: random.Random, *shape: int, largest: int = 12) -> np.ndarray:
    """Return random multiples of 1/8; only `random()` is the same in every version of Python."""
    entries = [int(rng.random() * (2 * largest + 1)) - largest for _ in range(int(np.prod(shape)))]
    return np.array(entries).reshape(shape) / 8


def case(name: str, edge: str, equation: str, formula: str, inputs: Arrays, outputs: Arrays, **more: Any) -> Arrays:
    """Return one entry of a file."""
    given, expected = (
        {key: np.asarray(value, dtype=np.float64) for key, value in arrays.items()} for arrays in (inputs, outputs)
    )
    return {
        "id": f"{name}/{edge}",
        "name": name,
        "equation": equation,
        "formula": formula,
        "settings": more.pop("settings", {}),
        "inputs": {key: array.tolist() for key, array in given.items()},
        "outputs": {key: array.tolist() for key, array in expected.items()},
        "shapes": {key: list(array.shape) for key, array in (given | expected).items()},
        "tolerance": more.pop("tolerance", TOLERANCE),
    }


def inputs_of(words: str, edge: str, lengths: dict[str, int], seed: str) -> list[np.ndarray]:
    """Return arrays of these shapes; those with an axis of samples have what `edge` says."""
    rng = random.Random(seed)
    arrays = []
    for word in words.split():
        array = eighths(rng, *(lengths[letter] for letter in word))
        if word[0] == "B" and edge == "dead input":
            array[:, 0] = 0
        if word[0] == "B" and edge == "rank one":
            array = np.outer(np.resize([1.0, -0.5, 0.5, -1.0], len(array)), array[0])
        if word[0] == "B" and edge == "large mean":
            array = array + 4
        arrays.append(array)
    return arrays

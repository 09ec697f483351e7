"""What judges the exercises of 00, the tour; and its drawing of a layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from copi_np.course.exercises import Array, Hint, as_array, call, exercise, expect, has_shape
from copi_np.plotting import COLOURS, STYLE


def draw_layer() -> Figure:
    """One layer of COPI, y -> R -> x -> W -> a -> f -> y, and where the error signal enters."""
    parts = {
        "input": "y",
        "lateral\nweights": "R",
        "decorrelated\ninput": "x",
        "forward\nweights": "W",
        "pre-\nactivation": "a",
        "activation\nfunction": "f",
        "output": "y",
    }
    error, learning = COLOURS[2], COLOURS[0]
    with rc_context(STYLE):
        figure = Figure(figsize=(8.5, 3.1), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(-0.6, 6.6), ylim=(-1.25, 1.7))
        axes.axis("off")
        for place, (name, symbol) in enumerate(parts.items()):
            shape = "square,pad=0.5" if symbol in "RWf" else "circle,pad=0.4"
            frame = {"boxstyle": shape, "facecolor": "white"}
            axes.text(place, 0, f"${symbol}$", size=16, ha="center", va="center", bbox=frame)
            axes.text(place, -0.55, name, size=10, ha="center", va="top")
        for place in range(6):
            axes.annotate("", (place + 0.69, 0), (place + 0.31, 0), arrowprops={"arrowstyle": "->"})
        into_a = {"arrowstyle": "->", "color": error, "lw": 2}
        axes.annotate("error signal $\\delta$", (4, 0.42), (4, 1.45), color=error, ha="center", arrowprops=into_a)
        axes.text(4.1, 0.8, "$z = a + \\delta$", color=error, size=12)
        for (start, bend), end in {(2, 0.5): 1, (1.9, -0.5): 3, (4.1, 0.5): 3}.items():
            arrow = {"arrowstyle": "->", "color": learning, "linestyle": "--", "connectionstyle": f"arc3,rad={bend}"}
            axes.annotate("", (end, 0.42), (start, 0.42), arrowprops=arrow)
        axes.text(1.4, 1.2, "what $R$ and $W$ learn from", color=learning, ha="center")
    return figure


@exercise("00.1", "R is as wide as the layer has inputs; W has a row for each output and a column for each input.")
def shapes_of_the_second_layer(answer: Any) -> str:
    """Four shapes."""
    R, W, x, a = (300, 300), (100, 300), (50, 300), (50, 100)
    if isinstance(answer, list | tuple) and len(answer) == 4 and not has_shape(answer, (4, 2)):
        raise Hint("Each of the four is a matrix, with two numbers to its shape: a batch has one row for each sample.")
    expect(
        np.array(answer, dtype=object) if has_shape(answer, (4, 2)) else answer,
        np.array([R, W, x, a], dtype=float),
        {
            "Those are the shapes of the first layer; the second one takes the 300 hidden units.": np.array(
                [(784, 784), (300, 784), (50, 784), (50, 300)], dtype=float
            ),
            "R is as wide as the layer has inputs, not outputs: it mixes the inputs before W sees them.": np.array(
                [(100, 100), W, x, a], dtype=float
            ),
            "W is transposed: the paper writes a = W x, so W has a row for each output.": np.array(
                [R, W[::-1], x, a], dtype=float
            ),
            "In the paper a sample is a column; in the code it is a row, so x and a have 50 rows.": np.array(
                [R, W, x[::-1], a[::-1]], dtype=float
            ),
            "Both W and the samples are the other way round: W has a row for each output, x and a one for each "
            "sample.": np.array([R, W[::-1], x[::-1], a[::-1]], dtype=float),
            "Those are the shapes of the third layer: the layers are counted from 1 here.": np.array(
                [(100, 100), (10, 100), (50, 100), (50, 10)], dtype=float
            ),
            "x and a hold the states of every sample of the batch: one row for each of the 50.": np.array(
                [R, W, (1, 300), (1, 100)], dtype=float
            ),
            "x is the input of the layer behind R, with 300 units; a, which it computes from it, has 100.": np.array(
                [R, W, a, x], dtype=float
            ),
        },
        "Not all four fit. The second layer takes 300 inputs to 100 outputs, and sees 50 samples: which of these "
        "three numbers do R, W, x and a have, and in which order?",
    )
    return (
        "R mixes inputs with inputs, W takes inputs to outputs, and the states have one row for each sample. "
        "R does not change the number of units, so x is shaped like the y before it."
    )


def weights_of(sizes: list[int]) -> Array:
    """How many lateral and how many forward weights a network has."""
    return np.array([sum(i * i for i in sizes[:-1]), sum(i * o for i, o in pairwise(sizes))], dtype=float)


@exercise("00.2", "Each layer has inputs I and outputs O, neighbours in the list. How many entries have R and W?")
def the_price_of_R(answer: Any) -> str:
    """A function that counts the weights of R and of W."""
    for sizes in ([7, 5, 3], [784, 200, 10], [20, 30, 10, 4]):
        right = weights_of(sizes)
        result = call(answer, list(sizes))
        if has_shape(result, ()):
            raise Hint("Return two numbers: `return n_lateral, n_forward`.")
        first = np.array([sizes[0] ** 2, sizes[0] * sizes[1]], dtype=float)
        outputs = np.array([sum(o * o for o in sizes[1:]), right[1]], dtype=float)
        everything = np.array([sum(n * n for n in sizes), right[1]], dtype=float)
        as_vectors = np.array([sum(sizes[:-1]), right[1]], dtype=float)
        biases = np.array([right[0], right[1] + sum(sizes[1:])], dtype=float)
        hidden = np.array([sum(n * n for n in sizes[1:-1]), right[1]], dtype=float)
        halved = np.array([sum(n * (n + 1) // 2 for n in sizes[:-1]), right[1]], dtype=float)
        expect(
            result,
            right,
            {
                "Those are the right numbers in the wrong order: first the lateral, then the forward weights.": right[
                    ::-1
                ],
                "That is the first layer alone: add up all layers.": first,
                "R mixes the inputs of a layer, not its outputs: the last units have no R behind them.": outputs,
                "The output units have no R: count one R for each layer, as wide as its inputs.": everything,
                "R is a matrix: it has a weight from every input to every input.": as_vectors,
                "There are no biases here: f(a) with a = W x, and nothing is added.": biases,
                "The first layer has an R as well: it decorrelates the pixels.": hidden,
                "R is a full matrix: r_ij and r_ji are two weights.": halved,
            },
            f"For sizes {sizes} something is missing or counted twice. Draw the layers: each has one R and one W.",
        )
    return (
        "In the network of this tour R has 654,656 weights and W 158,800: decorrelation is paid for with four times "
        "as many lateral weights as forward ones. After training, W R is one matrix of the size of W, and R is free."
    )


RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


@exercise("00.3", "A loop over the six step sizes, with a new network in each round, and fit in a try .. except.")
def the_largest_step_that_trains(answer: Any) -> str:
    """A step size, found by trying."""
    given = float(as_array(answer, ()))
    eta = min(RATES, key=lambda rate: abs(rate - given))
    if not np.isclose(eta, given):  # which float32 is
        raise Hint(f"Answer with one of the six step sizes, {', '.join(map(str, RATES))}.")
    if eta > 0.03:
        raise Hint(
            "This one diverges within the first batches. Make a new network in every round, and read what `fit` "
            "raises; remember 2 / lambda."
        )
    if eta < 0.03:
        raise Hint(
            "This one trains, and so does a larger one. Make a new network in every round: one that has diverged, or "
            "learned already, says nothing of the next step size."
        )
    return (
        "0.03 is below 2 / lambda, which is about 0.05 for raw digits, and 0.1 above. It learns by far the fastest, "
        "too: too small a step learns far less in the same time, and raises no error."
    )

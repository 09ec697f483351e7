"""Lesson 00, the tour: a drawing of a layer, and the functions that judge the exercises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from copi_np.course.exercises import Array, Hint, as_array, call, exercise, expect, has_shape
from copi_np.plotting import COLOURS, StyledFigure, own_style


def draw_layer() -> Figure:
    """Draw one layer of COPI, y -> R -> x -> W -> a -> f -> y, and where the error signal enters."""
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
    with own_style():
        figure = StyledFigure(figsize=(10, 3.5), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(-0.6, 6.6), ylim=(-1.2, 1.7))
        axes.axis("off")
        for place, (name, symbol) in enumerate(parts.items()):
            shape = "square,pad=0.5" if symbol in "RWf" else "circle,pad=0.4"
            frame = {"boxstyle": shape, "facecolor": "white"}
            axes.text(place, 0, f"${symbol}$", size=18, ha="center", va="center", bbox=frame)
            axes.text(place, -0.5, name, size=12, ha="center", va="top")
        for place in range(6):
            axes.annotate("", (place + 0.69, 0), (place + 0.31, 0), arrowprops={"arrowstyle": "->"})
        into_a = {"arrowstyle": "->", "color": error, "lw": 2}
        axes.annotate("error signal $\\delta$", (4, 0.42), (4, 1.45), color=error, ha="center", arrowprops=into_a)
        axes.text(4.1, 0.8, "$z = a + \\delta$", color=error)
        for (start, bend), end in {(2, 0.5): 1, (1.9, -0.5): 3, (4.1, 0.5): 3}.items():
            arrow = {"arrowstyle": "->", "color": learning, "linestyle": "--", "connectionstyle": f"arc3,rad={bend}"}
            axes.annotate("", (end, 0.42), (start, 0.42), arrowprops=arrow)
        axes.text(1.4, 1.2, "what $R$ and $W$ learn from", color=learning, ha="center")
    return figure


@exercise("00.1", "R is as wide as the layer has inputs; W has one row per output and one column per input.")
def shapes_of_the_second_layer(answer: Any) -> str:
    """Judge four shapes."""
    if isinstance(answer, list | tuple) and len(answer) == 4 and not has_shape(answer, (4, 2)):
        raise Hint("Each of the four is a matrix, so its shape is two numbers: a batch has one row per sample.")
    R, W, x, a = (300, 300), (100, 300), (50, 300), (50, 100)
    W_turned, x_turned, a_turned = W[::-1], x[::-1], a[::-1]
    first = (784, 784), (300, 784), (50, 784), (50, 300)
    third = (100, 100), (10, 100), (50, 100), (50, 10)
    of_outputs, one_sample = (third[0], W, x, a), (R, W, (1, 300), (1, 100))
    in_columns = R, W, x_turned, a_turned
    both_turned = "Both W and the samples are transposed: W has one row per output, x and a have one row per sample."
    mistakes = {
        "These are the shapes of the first layer; the second one takes the 300 hidden units.": first,
        "R is as wide as the layer has inputs, not outputs: it mixes the inputs before W sees them.": of_outputs,
        "W is transposed: the paper writes a = W x, so W has one row per output.": (R, W_turned, x, a),
        "In the paper a sample is a column, but in the code it is a row, so x and a have 50 rows.": in_columns,
        both_turned: (R, W_turned, x_turned, a_turned),
        "These are the shapes of the third layer: here the first layer is number 1.": third,
        "x and a hold the states of all the samples in the batch: one row for each of the 50.": one_sample,
        "x is the layer's input after R, with 300 units; a is computed from it, and has 100.": (R, W, a, x),
    }
    expect(
        np.array(answer, dtype=object) if has_shape(answer, (4, 2)) else answer,
        np.array([R, W, x, a], dtype=float),
        {hint: np.array(shapes, dtype=float) for hint, shapes in mistakes.items()},
        "Not all four are right. The second layer takes 300 inputs to 100 outputs, and sees 50 samples: which of these "
        "three numbers belong to R, W, x and a, and in which order?",
    )
    return (
        "R mixes inputs with inputs, W maps inputs to outputs, and the states have one row per sample. "
        "R does not change the number of units, so x has the same shape as the layer's input y."
    )


def count_weights(sizes: list[int]) -> Array:
    """Return the numbers of lateral and of forward weights of a network."""
    return np.array([sum(i * i for i in sizes[:-1]), sum(i * o for i, o in pairwise(sizes))], dtype=float)


@exercise("00.2", "Each layer has I inputs and O outputs, neighbours in the list. How many entries do R and W have?")
def the_price_of_R(answer: Any) -> str:
    """Judge a function that counts the weights of R and of W."""
    for sizes in ([7, 5, 3], [784, 200, 10], [20, 30, 10, 4]):
        n_lateral, n_forward = right = count_weights(sizes)
        result = call(answer, list(sizes))
        if has_shape(result, ()):
            raise Hint("Return two numbers: `return n_lateral, n_forward`.")
        first_layer = (sizes[0] ** 2, sizes[0] * sizes[1])
        of_outputs = sum(o * o for o in sizes[1:])
        of_all_units = sum(n * n for n in sizes)
        of_hidden_units = sum(n * n for n in sizes[1:-1])
        triangles = sum(n * (n + 1) // 2 for n in sizes[:-1])
        with_biases = n_forward + sum(sizes[1:])
        mistakes = {
            "The numbers are right, but in the wrong order: lateral weights first, then forward weights.": right[::-1],
            "This is the first layer alone: add up all layers.": first_layer,
            "R mixes the inputs of a layer, not its outputs: the output units have no R.": (of_outputs, n_forward),
            "The output units have no R: count one R per layer, as wide as its inputs.": (of_all_units, n_forward),
            "R is a matrix: it has a weight from every input to every input.": (sum(sizes[:-1]), n_forward),
            "There are no biases here: the output is f(a) with a = W x.": (n_lateral, with_biases),
            "The first layer has an R as well: it decorrelates the pixels.": (of_hidden_units, n_forward),
            "R is a full matrix: r_ij and r_ji are two different weights.": (triangles, n_forward),
        }
        expect(
            result,
            right,
            {hint: np.array(numbers, dtype=float) for hint, numbers in mistakes.items()},
            f"For sizes {sizes} something is missing or counted twice. Draw the layers: each has one R and one W.",
        )
    return (
        "In the network of this tour there are 654,656 lateral weights and 158,800 forward ones: R takes four times as "
        "many weights as W. After training you can multiply W and R into one matrix of the size of W, and R costs "
        "nothing."
    )


RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


@exercise(
    "00.3", "Write a loop over the six step sizes. In each round make a new network, and call fit in a try .. except."
)
def the_largest_step_that_trains(answer: Any) -> str:
    """Judge a step size that was found by experiment."""
    given = float(as_array(answer, ()))
    eta = min(RATES, key=lambda rate: abs(rate - given))
    if not np.isclose(eta, given):  # not ==, since a float32 is right too
        raise Hint(f"Answer with one of the six step sizes, {', '.join(map(str, RATES))}.")
    if eta > 0.03:
        raise Hint(
            "With this one, training diverges within the first few batches. Make a new network in every round, and "
            "read the error that `fit` raises; remember 2 / lambda."
        )
    if eta < 0.03:
        raise Hint(
            "With this one the network trains, but a larger one works too. Make a new network in every round: one that "
            "has diverged, or has already learned, tells you nothing about the next step size."
        )
    return (
        "0.03 is below 2 / lambda, which is about 0.05 for raw digits, and 0.1 is above. It is also by far the "
        "fastest: a step that is too small learns far less in the same time, and raises no error."
    )

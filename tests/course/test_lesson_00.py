"""Lesson 00, the tour: right answers pass, and typical mistakes get the hint that fits."""

from itertools import pairwise

import numpy as np

from copi_np import DivergenceError, Network, Schedule, fit, load_dataset
from copi_np.course.lesson_00 import RATES, draw_layer

R, W, X, A = (300, 300), (100, 300), (50, 300), (50, 100)


def lateral(sizes):
    return sum(n * n for n in sizes[:-1])


def forward(sizes):
    return sum(i * o for i, o in pairwise(sizes))


def by_loop(sizes):
    n_lateral = n_forward = 0
    for k in range(len(sizes) - 1):
        n_lateral += sizes[k] * sizes[k]
        n_forward += sizes[k] * sizes[k + 1]
    return [n_lateral, n_forward]


def of_a_network(sizes):
    layers = Network(sizes, rng=np.random.default_rng(0)).layers
    return np.array([sum(layer.R.size for layer in layers), sum(layer.W.size for layer in layers)])


WRONG = [
    ("00.1", ..., "not done yet"),
    ("00.1", [(784, 784), (300, 784), (50, 784), (50, 300)], "shapes of the first layer"),
    ("00.1", [(100, 100), W, X, A], "not outputs"),
    ("00.1", [R, (300, 100), X, A], "W is transposed"),
    ("00.1", [R, W, (300, 50), (100, 50)], "in the code it is a row"),
    ("00.1", [R, W, (1, 300), (1, 100)], "one row for each of the 50"),
    ("00.1", [R, W, A, X], "input after R"),
    ("00.1", [R, (300, 100), (300, 50), (100, 50)], "Both W and the samples"),
    ("00.1", [(100, 100), (10, 100), (50, 100), (50, 10)], "the third layer"),
    ("00.1", [R, W, X, (50, 10)], "Not all four are right"),
    ("00.1", [R, W, (300,), (100,)], "its shape is two numbers"),
    ("00.1", [R, W, X], "Expected shape (4, 2)"),
    ("00.1", [("a", "b")] * 4, "Expected an array of shape (4, 2)"),
    ("00.1", [(None, None)] * 4, "Your answer contains NaN"),
    ("00.1", "300 x 300", "Expected an array of shape (4, 2)"),
    ("00.2", lambda sizes: None, "not done yet"),
    ("00.2", lambda sizes: ..., "not done yet"),
    ("00.2", lambda sizes: lateral(sizes) + forward(sizes), "Return two numbers"),
    ("00.2", lambda sizes: (forward(sizes), lateral(sizes)), "wrong order"),
    ("00.2", lambda sizes: (sizes[0] ** 2, sizes[0] * sizes[1]), "first layer alone"),
    ("00.2", lambda sizes: (sum(n * n for n in sizes[1:]), forward(sizes)), "not its outputs"),
    ("00.2", lambda sizes: (sum(n * n for n in sizes), forward(sizes)), "output units have no R"),
    ("00.2", lambda sizes: (sum(sizes[:-1]), forward(sizes)), "R is a matrix"),
    ("00.2", lambda sizes: (lateral(sizes), forward(sizes) + sum(sizes[1:])), "no biases"),
    ("00.2", lambda sizes: (sum(n * n for n in sizes[1:-1]), forward(sizes)), "The first layer has an R"),
    ("00.2", lambda sizes: (sum(n * (n + 1) // 2 for n in sizes[:-1]), forward(sizes)), "a full matrix"),
    ("00.2", lambda sizes: (lateral(sizes), 0), "something is missing or counted twice"),
    ("00.2", lambda sizes: (lateral(sizes), "many"), "Expected an array of shape (2,)"),
    ("00.2", lambda sizes: (1, 2, 3), "Expected shape (2,)"),
    ("00.2", lambda sizes: sizes.shape, "raised AttributeError"),
    ("00.2", (654656, 158800), "asks for a function"),
    ("00.3", ..., "not done yet"),
    ("00.3", 0.001, "a larger one works too"),
    ("00.3", 0.01, "a larger one works too"),
    ("00.3", 0.1, "diverges within the first few batches"),
    ("00.3", 0.3, "diverges within the first few batches"),
    ("00.3", 0.05, "one of the six step sizes"),
    ("00.3", "0.1?", "Expected a number"),
    ("00.3", [0.03, 0.1], "Expected a number"),
    ("00.3", float("nan"), "NaN"),
]
RIGHT = [
    ("00.1", [R, W, X, A]),
    ("00.1", [list(shape) for shape in (R, W, X, A)]),
    ("00.1", np.array([R, W, X, A])),
    ("00.2", lambda sizes: (lateral(sizes), forward(sizes))),
    ("00.2", by_loop),
    ("00.2", of_a_network),
    ("00.3", 0.03),
    ("00.3", np.float32(0.03)),
    ("00.3", "0.03"),
]


def trains(eta):
    network = Network([784, 200, 10], rng=np.random.default_rng(3))
    try:
        fit(
            network,
            load_dataset("mnist-5k"),
            epochs=1,
            schedule=Schedule(eta_W=eta, eta_R=eta),
            rng=np.random.default_rng(4),
        )
    except DivergenceError:
        return False
    return True


def test_the_largest_step_that_trains_is_what_the_judge_says():
    """With another seed than the notebook's."""
    assert [eta for eta in RATES if eta >= 0.01 and trains(eta)] == [0.01, 0.03]


def test_the_layer_is_drawn():
    assert {text.get_text() for text in draw_layer().axes[0].texts} >= {"$R$", "$W$", "$z = a + \\delta$"}

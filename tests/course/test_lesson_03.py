"""Lesson 03: right answers pass in any style, and typical mistakes get the hint that fits."""

from __future__ import annotations

import numpy as np
import pytest

from copi_np import Network
from copi_np.course.lesson_03 import suspects


def softmax(y, axis=1):
    return np.exp(y) / np.exp(y).sum(axis=axis, keepdims=True)


def df(a):
    return np.where(a > 0, 1.0, 0.1)


def by_loops(y, targets):
    delta = np.zeros_like(y)
    for b in range(len(y)):
        total = sum(np.exp(value) for value in y[b])
        for k in range(y.shape[1]):
            delta[b, k] = targets[b, k] - np.exp(y[b, k]) / total
    return delta


def direct(a, B, delta_L):
    return [*(df(a[k]) * (delta_L @ B[k].T) for k in range(len(B))), delta_L]


def direct_by_einsum(a, B, delta_L):
    return (*(np.einsum("bo,bk,ok->bo", df(a_k), delta_L, B_k) for a_k, B_k in zip(a, B, strict=False)), delta_L)


def chained(a, B, delta_L):
    deltas = [delta_L]
    for k in reversed(range(len(B))):
        deltas.insert(0, df(a[k]) * (deltas[0] @ B[k].T))
    return deltas


def in_place(a, B, delta_L):
    a[0] *= 0
    return direct(a, B, delta_L)


RIGHT = [
    ("03.1", lambda y, targets: targets - softmax(y)),
    ("03.1", by_loops),
    ("03.1", lambda y, targets: targets - softmax(y - y.max(axis=1, keepdims=True))),
    ("03.2", direct),
    ("03.2", direct_by_einsum),
    ("03.3", "CDBA"),
    ("03.3", " cdba "),
]


WRONG = [
    ("03.1", ..., "not done yet. Write log p_i"),
    ("03.1", lambda y, targets: None, "not done yet"),
    ("03.1", lambda y, targets: softmax(y) - targets, "sign is reversed"),
    ("03.1", lambda y, targets: (targets - softmax(y)) / len(y), "do not divide by B"),
    ("03.1", lambda y, targets: 2 * (targets - softmax(y)), "factor 2"),
    ("03.1", lambda y, targets: targets - y, "targets with the logits"),
    ("03.1", lambda y, targets: 2 * (targets - y), "quadratic loss"),
    ("03.1", lambda y, targets: targets - np.exp(y), "not yet a probability"),
    ("03.1", lambda y, targets: targets - softmax(y, axis=0), "not over samples"),
    ("03.1", lambda y, targets: targets - np.exp(y) / np.exp(y).sum(), "not over all"),
    ("03.1", lambda y, targets: targets - np.exp(y) / np.exp(y).sum(axis=1), "divide the rows: keepdims=True"),
    ("03.1", lambda y, targets: targets * (1 - softmax(y)), "only through y_i"),
    ("03.1", lambda y, targets: targets / softmax(y), "-dl/dp"),
    ("03.1", lambda y, targets: -targets / softmax(y), "check the sign"),
    ("03.1", lambda y, targets: softmax(y), "how far it is from the target"),
    ("03.1", lambda y, targets: (targets - softmax(y)) * softmax(y) * (1 - softmax(y)), "does not belong here"),
    ("03.1", lambda y, targets: np.sum(targets - softmax(y), axis=0), "Expected shape"),
    ("03.1", lambda y, targets: "targets - p", "Expected an array"),
    ("03.1", lambda y, targets: np.full_like(y, np.nan), "NaN"),
    ("03.1", lambda y, targets: np.zeros_like(y), "central differences"),
    ("03.1", lambda y: y, "raised TypeError"),
    ("03.1", 0.5, "asks for a function"),
    ("03.2", ..., "not done yet. For hidden layer k"),
    ("03.2", lambda a, B, d: [*(df(a[k]) * (B[k] @ d) for k in range(len(B))), d], "Samples are rows"),
    ("03.2", lambda a, B, d: [df(a[k]) * (d @ B[k].T) for k in range(len(a))], "one matrix fewer"),
    ("03.2", lambda a, B, d: direct(a, B, d)[:-1], "output layer too"),
    ("03.2", lambda a, B, d: direct(a, B, d)[:1], "your list has 1 items"),
    ("03.2", lambda a, B, d: direct(a, B, d)[::-1], "reverse order"),
    ("03.2", lambda a, B, d: [*direct(a, B, d)[:-1], df(a[-1]) * d], "already includes the f'"),
    ("03.2", lambda a, B, d: np.stack(direct(a, B, d)), "Return a list"),
    ("03.2", lambda a, B, d: [*(d @ B_k.T for B_k in B), d], "f' is missing"),
    ("03.2", lambda a, B, d: [*(np.maximum(a[k], 0.1 * a[k]) * (d @ B[k].T) for k in range(len(B))), d], "slope f'(a)"),
    ("03.2", lambda a, B, d: [*(a[k] * (d @ B[k].T) for k in range(len(B))), d], "not by a itself"),
    ("03.2", lambda a, B, d: [*(df(a[k]) * (d @ B[k]) for k in range(len(B))), d], "not transposed"),
    ("03.2", lambda a, B, d: [*(df(a[k + 1]) * (d @ B[k].T) for k in range(len(B))), d], "that of another layer"),
    ("03.2", chained, "This is feedback alignment"),
    ("03.2", lambda a, B, d: [*(-s for s in direct(a, B, d)[:-1]), d], "is wrong: it should be df"),
    ("03.2", in_place, "in place"),
    ("03.2", lambda a, B, d: [*("x" for _ in B), d], "Expected an array"),
    ("03.3", ..., "not done yet. Start with line_up"),
    ("03.3", "C", "each of them once"),
    ("03.3", "AABC", "each of them once"),
    ("03.3", 3, "each of them once"),
    ("03.3", "DCBA", "2 of 4 are right. Which one is right?"),
    ("03.3", "CBDA", "2 of 4 are right. Which one forgets R?"),
    ("03.3", "CDAB", "2 of 4 are right. Which one leaves out f'?"),
    ("03.3", "CABD", "2 of 4 are right. Which one forgets R?"),
]


def symmetric_middle(network):
    network.layers[1].W = network.layers[1].W + network.layers[1].W.T


@pytest.mark.parametrize(
    ("innocent", "options", "prepare"),
    [
        ("C", {}, None),
        ("CD", {"decorrelation": None}, None),
        ("BC", {"activation": "linear"}, None),
        ("ACD", {"decorrelation": None}, symmetric_middle),
    ],
)
def test_each_experiment_finds_its_suspect(innocent, options, prepare):
    """The suspects whose bug makes no difference are right in every layer; the others are far off."""
    rng = np.random.default_rng(0)
    y0, targets = rng.normal(size=(8, 5)) @ rng.normal(size=(5, 5)), np.eye(3)[rng.integers(0, 3, 8)]
    network = Network([5, 4, 4, 3], rng=rng, dtype="float64", **options)
    for _ in range(100):
        network.step(y0, targets, eta_W=0.0, eta_R=0.02)
    if prepare:
        prepare(network)
    trace = network.forward(y0)
    right = network.error_signals(trace, targets)
    for name, send in suspects.items():
        found = send(network.layers, trace, network.feedback, right[-1])
        assert len(found) == 3
        largest = max(np.abs(one - other).max() for one, other in zip(found, right, strict=True))
        assert largest < 1e-12 if name in innocent else largest > 0.01

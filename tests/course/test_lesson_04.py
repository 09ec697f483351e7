"""Lesson 04: right answers pass, and typical mistakes get the hint that fits."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from copi_np import algorithm
from copi_np.error_signals import backpropagation
from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update, sgd_update


def f(a, slope=0.1):
    return np.where(a > 0, a, slope * a)


def df(a):
    return np.where(a > 0, 1.0, 0.1)


def output(W, R, y0):
    y = y0
    for R_k, W_k in zip(R, W, strict=True):
        y = f(y @ R_k.T @ W_k.T)
    return y


def output_folded(W, R, y0):
    y = y0.T
    for k in range(len(W)):
        y = f(W[k] @ R[k] @ y)
    return y.T


def output_by_sample(W, R, y0):
    outputs = []
    for y in y0:
        for k in range(len(W)):
            y = f(W[k] @ (R[k] @ y))
        outputs.append(y)
    return outputs


def output_without_R(W, R, y0):
    y = y0
    for W_k in W:
        y = f(y @ W_k.T)
    return y


def output_with_R_transposed(W, R, y0):
    y = y0
    for k in range(len(W)):
        y = f(y @ R[k] @ W[k].T)
    return y


def output_with_slope(slope):
    def wrong(W, R, y0):
        y = y0
        for k in range(len(W)):
            y = f(y @ R[k].T @ W[k].T, slope)
        return y

    return wrong


def output_linear_at_the_top(W, R, y0):
    y = output(W[:-1], R[:-1], y0)
    return y @ R[-1].T @ W[-1].T


def output_of_three_layers(W, R, y0):
    return output(W[:3], R[:3], y0)


def output_in_place(W, R, y0):
    y0 *= 2
    return output(W, R, y0 / 2)


def single_loop(W, R, x, a, delta, eta):
    for k in reversed(range(len(W))):
        below = delta @ W[k] @ R[k]
        W[k] = W[k] + eta * copi_update(W[k], x[k], a[k] + delta)
        R[k] = R[k] + eta * decorrelation_update(R[k], x[k])
        if k > 0:
            delta = df(a[k - 1]) * below
    return W, R


def single_loop_in_new_lists(W, R, x, a, delta, eta):
    new_W, new_R = [], []
    for k in range(len(W) - 1, -1, -1):
        z, C = a[k] + delta, np.einsum("bi,bj->ij", x[k], x[k]) / len(x[k])
        new_W.insert(0, W[k] + eta * (z.T @ x[k] / len(z) - W[k] * np.diag(C)))
        new_R.insert(0, R[k] - eta * (C - np.diag(np.diag(C))) @ R[k])
        if k > 0:
            delta = df(a[k - 1]) * (delta @ W[k] @ R[k])
    return new_W, new_R


def wrong_loop(
    stale_W=False, stale_R=False, lateral=True, slope=df, dR=decorrelation_update, z="a + delta", bottom=True
):
    def loop(W, R, x, a, delta, eta):
        for k in reversed(range(len(W))):
            if k == 0 and not bottom:
                break
            old_W, old_R = W[k], R[k]
            state = {"a + delta": a[k] + delta, "delta": delta, "a - delta": a[k] - delta}.get(z)
            dW = sgd_update(x[k], delta) if z == "sgd" else copi_update(W[k], x[k], state)
            W[k], R[k] = W[k] + eta * dW, R[k] + eta * dR(R[k], x[k])
            if k > 0:
                below = delta @ (W[k] if stale_W else old_W)
                below = below @ (R[k] if stale_R else old_R) if lateral else below
                delta = slope(a[k - 1]) * below
        return W, R

    return loop


def loop_without_eta(W, R, x, a, delta, eta):
    return single_loop(W, R, x, a, delta, 1)


def loop_that_updates_after_the_swap(W, R, x, a, delta, eta):
    for k in reversed(range(len(W))):
        if k > 0:
            delta = df(a[k - 1]) * (delta @ W[k] @ R[k])
        W[k] = W[k] + eta * copi_update(W[k], x[k], a[k] + delta)
        R[k] = R[k] + eta * decorrelation_update(R[k], x[k])
    return W, R


def loop_that_returns_W(*arguments):
    return single_loop(*arguments)[0]


RIGHT = [
    ("04.1", output),
    ("04.1", output_folded),
    ("04.1", output_by_sample),
    ("04.2", single_loop),
    ("04.2", single_loop_in_new_lists),
    ("04.2", lambda *arguments: list(single_loop(*arguments))),
    ("04.3", (0.03, 1)),
    ("04.3", [0.03, 1.0]),
    ("04.3", np.array([0.03, 1.0])),
]

WRONG = [
    ("04.1", ..., "not done yet"),
    ("04.1", lambda W, R, y0: ..., "not done yet"),
    ("04.1", 3, "asks for a function"),
    ("04.1", output_without_R, "lateral weights are missing"),
    ("04.1", output_with_R_transposed, "transposed"),
    ("04.1", output_with_slope(1), "activation function is missing"),
    ("04.1", output_with_slope(0), "plain ReLU"),
    ("04.1", output_with_slope(0.01), "not 0.01"),
    ("04.1", output_linear_at_the_top, "output layer has an activation"),
    ("04.1", output_of_three_layers, "Expected shape (6, 2)"),
    ("04.1", output_in_place, "in place"),
    ("04.1", lambda W, R, y0: (output(W, R, y0), y0), "only the output of the last layer"),
    ("04.1", lambda W, R, y0: "yes", "Expected an array"),
    ("04.1", lambda W, R, y0: np.nan * output(W, R, y0), "NaN"),
    ("04.1", lambda W, R, y0: 2 * output(W, R, y0), "Print x, a and y"),
    ("04.1", lambda W, R, y0: y0 @ W[0], "raised ValueError"),
    ("04.2", ..., "not done yet"),
    ("04.2", lambda *arguments: None, "not done yet"),
    ("04.2", wrong_loop(stale_W=True, stale_R=True), "already learned from it"),
    ("04.2", wrong_loop(stale_W=True), "the new W"),
    ("04.2", wrong_loop(stale_R=True), "the new R"),
    ("04.2", wrong_loop(lateral=False), "R lies between"),
    ("04.2", wrong_loop(slope=np.ones_like), "derivative of the activation"),
    ("04.2", wrong_loop(dR=local_decorrelation_update), "local form"),
    ("04.2", wrong_loop(z="sgd"), "SGD rule"),
    ("04.2", wrong_loop(z="delta"), "not delta alone"),
    ("04.2", wrong_loop(z="a - delta"), "W of layer 3 is the first"),
    ("04.2", wrong_loop(slope=lambda a: -df(a)), "W of layer 2 is the first"),
    ("04.2", wrong_loop(dR=lambda R, x: -decorrelation_update(R, x)), "R of layer 3 is the first"),
    ("04.2", wrong_loop(bottom=False), "first layer did not learn"),
    ("04.2", loop_without_eta, "step size is missing"),
    ("04.2", loop_that_returns_W, "Return both lists"),
    ("04.2", lambda *arguments: (1, 2), "Return both lists"),
    ("04.2", lambda *arguments: single_loop(*arguments)[::-1], "Return W first"),
    ("04.2", loop_that_updates_after_the_swap, "Which layer does each signal belong to"),
    ("04.2", lambda *arguments: (*single_loop(*arguments), 1), "Return both lists"),
    ("04.2", lambda *arguments: tuple([m.T for m in part] for part in single_loop(*arguments)), "Expected shape"),
    ("04.3", ..., "not done yet"),
    ("04.3", 0.03, "two numbers"),
    ("04.3", "0.03", "two numbers"),
    ("04.3", (0.03,), "two numbers"),
    ("04.3", (1, 0.03), "Choose the first step"),
    ("04.3", (0.02, 1), "Choose the first step"),
    ("04.3", (np.nan, 1), "Choose the first step"),
    ("04.3", (0.1, 1), "above 2 / 38"),
    ("04.3", (0.01, 1), "a larger one of the four does too"),
    ("04.3", (0.03, 3), "does not survive"),
    ("04.3", (0.03, 0.1), "a larger one may too"),
]


NOTEBOOK = Path(__file__).parents[2] / "tutorials" / "teachers" / "04_deep_network.ipynb"


@pytest.mark.parametrize("function", [algorithm.forward, backpropagation, algorithm.train_batch])
def test_the_notebook_quotes_the_code_as_it_is(function):
    """Otherwise run: python tools/notebooks.py build 04."""
    code = re.sub(r' *""".*?"""\n', "", inspect.getsource(function), count=1, flags=re.DOTALL)
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    printed = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    assert any(text.strip() == code.strip() for text in printed)

"""Judges of notebook 04: the forward pass of a network, one backward loop, and how large a step may be."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.activations import leaky_relu, leaky_relu_derivative
from copi_np.course.exercises import Array, Hint, as_array, call, exercise, expect
from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update, sgd_update

ETA: Final = 0.1


class Case(NamedTuple):
    """A network of three layers, a batch, and what a forward pass leaves of it."""

    R: list[Array]
    W: list[Array]
    y0: Array
    x: list[Array]
    a: list[Array]
    delta: Array


def draw_case(sizes: tuple[int, ...], batch_size: int) -> Case:
    """Random weights, far from the identity, and states that belong to them."""
    rng = np.random.default_rng(4)
    R = [np.eye(n) + 0.4 * rng.normal(size=(n, n)) for n in sizes[:-1]]
    W = [rng.normal(size=(o, i)) / np.sqrt(i) for i, o in pairwise(sizes)]
    y = y0 = rng.normal(size=(batch_size, sizes[0]))
    x, a = [], []
    for R_k, W_k in zip(R, W, strict=True):
        x.append(y @ R_k.T)
        a.append(x[-1] @ W_k.T)
        y = leaky_relu(a[-1])
    return Case(R, W, y0, x, a, rng.normal(size=y.shape))


CASE: Final = draw_case((6, 5, 4, 3), 7)
DEEPER: Final = draw_case((4, 7, 5, 3, 2), 6)


# ------------------------------------------------------------------------------------------- 04.1 The whole network


def output(case: Case, slope: float = 0.1, last: bool = True, lateral: str = "R") -> Array:
    """Output of the network, or of one with a typical mistake."""
    y = case.y0
    for k, (R, W) in enumerate(zip(case.R, case.W, strict=True)):
        x = {"R": y @ R.T, "transposed": y @ R, "forgotten": y}[lateral]
        y = x @ W.T
        if last or k < len(case.W) - 1:
            y = np.where(y > 0, y, slope * y)
    return y


@exercise("04.1", "Loop over the layers. In each, y becomes x = R y, then a = W x, then f(a); rows are samples.")
def judge_output(answer: Any) -> str:
    """The forward pass, on networks of three and four layers."""
    for case in (CASE, DEEPER):
        y = call(answer, list(map(np.array, case.W)), list(map(np.array, case.R)), case.y0)
        if isinstance(y, tuple):
            raise Hint("Return the output of the last layer alone, one array.")
        expect(
            y,
            output(case),
            {
                "The lateral weights are missing: the input of W is x = R y, not y.": output(case, lateral="forgotten"),
                "Your R acts transposed: x = R y for a column is y @ R.T for samples in rows.": output(
                    case, lateral="transposed"
                ),
                "The output layer has an activation function as well.": output(case, last=False),
                "The activation function is missing: y = f(a).": output(case, slope=1),
                "This is a plain rectifier: a leaky one returns 0.1 a for negative a.": output(case, slope=0),
                "The slope for negative a is 0.1 here, not 0.01.": output(case, slope=0.01),
            },
            "The shape is right, the values are not. Print x, a and y of the first layer, and compare them with "
            "forward(W, R, y0).",
        )
    return "With R and W folded into one matrix W R this is an ordinary network: COPI changes how it learns."


# ------------------------------------------------------------------------------------------- 04.2 The single loop


class Loop(NamedTuple):
    """How the single loop is done; the defaults are right."""

    stale: str = ""
    lateral: bool = True
    slope: bool = True
    local: bool = False
    rule: str = "copi"
    bottom: bool = True
    eta: float = ETA


def one_loop(case: Case, how: Loop) -> Array:
    """All new weights as one vector, the top layer first, W before R."""
    delta, new = case.delta, []
    for k in reversed(range(len(case.W))):
        W, R, x, a = case.W[k], case.R[k], case.x[k], case.a[k]
        dW = (
            sgd_update(x, delta) if how.rule == "sgd" else copi_update(W, x, a + delta if how.rule == "copi" else delta)
        )
        dR = (local_decorrelation_update if how.local else decorrelation_update)(R, x)
        new_W, new_R = (W + how.eta * dW, R + how.eta * dR) if how.bottom or k > 0 else (W, R)
        new += [new_W, new_R]
        if k > 0:
            below = delta @ (new_W if "W" in how.stale else W)
            below = below @ (new_R if "R" in how.stale else R) if how.lateral else below
            delta = below * leaky_relu_derivative(case.a[k - 1]) if how.slope else below
    return flat(new)


def flat(matrices: list[Array]) -> Array:
    """Matrices as one vector."""
    return np.concatenate([matrix.ravel() for matrix in matrices])


LOOP_MISTAKES: Final = {
    "Your signal passes through weights that have already learned from it. Keep what it needs, or compute the signal "
    "for the layer below, before you update.": Loop(stale="WR"),
    "Your signal passes through the new W, although the old R: send it down before either of them learns.": Loop(
        stale="W"
    ),
    "Your signal passes through the new R, although the old W: send it down before either of them learns.": Loop(
        stale="R"
    ),
    "The signal passes through W only: R lies between the layers too.": Loop(lateral=False),
    "The derivative of the activation function is missing where the signal arrives: df(a) of the layer below.": Loop(
        slope=False
    ),
    "R moves by the local form here: use decorrelation_update.": Loop(local=True),
    "This is the SGD rule: use copi_update, with the target state z = a + delta.": Loop(rule="sgd"),
    "copi_update wants the target state z = a + delta, not delta alone.": Loop(rule="z = delta"),
    "The first layer did not learn: no signal goes below it, but its weights move too.": Loop(bottom=False),
    "The step size is missing: add eta times the update.": Loop(eta=1),
}


@exercise(
    "04.2",
    "Which matrices must the signal for the layer below pass through? And which signal does the update of a layer "
    "need? To swap two lines of the loop is not enough.",
)
def judge_one_loop(answer: Any) -> str:
    """New weights of every layer, with one signal in memory."""
    for case in (CASE, DEEPER):
        lists = [list(map(np.array, matrices)) for matrices in (case.W, case.R, case.x, case.a)]
        try:
            result = call(answer, *lists, case.delta, ETA)
        except Hint as hint:  # shapes clash where a signal or a slope is that of another layer
            if "ValueError" in str(hint):
                raise Hint(f"{hint}. Which layer does each signal belong to, and each df(a)?") from None
            raise
        n = len(case.W)
        if not (isinstance(result, (tuple, list)) and len(result) == 2 and all(_holds(part, n) for part in result)):
            raise Hint(f"Return both lists, W and R, with one matrix a layer: here {n} each.")
        if all(np.shape(result[0][k]) == case.R[k].shape != case.W[k].shape for k in range(n)):
            raise Hint("Return W first, then R.")
        new = []
        for k in reversed(range(n)):
            new += [as_array(result[0][k], case.W[k].shape), as_array(result[1][k], case.R[k].shape)]
        right = one_loop(case, Loop())
        mistakes = {hint: one_loop(case, how) for hint, how in LOOP_MISTAKES.items()}
        expect(flat(new), right, mistakes, _first_wrong(new, case), rtol=1e-9)
    return (
        "The same weights as with two loops, and one signal in memory instead of one a layer. What counts is not how "
        "many loops there are, but that a signal passes through the weights that the forward pass used."
    )


def _holds(part: Any, n: int) -> bool:
    return isinstance(part, (tuple, list)) and len(part) == n


def _first_wrong(new: list[Array], case: Case) -> str:
    """Where, from the top down, the weights begin to be wrong."""
    start = 0
    right = one_loop(case, Loop())
    for i, matrix in enumerate(new):
        if not np.allclose(matrix.ravel(), right[start : start + matrix.size], rtol=1e-9, atol=1e-12):
            name = f"{'WR'[i % 2]} of layer {len(case.W) - i // 2}"
            return f"From the top down, {name} is the first to come out wrong. Look at what happens just before it."
        start += matrix.size
    return "Some weights come out wrong, by little."


# ------------------------------------------------------------------------------------------- 04.3 How large a step


FIRST_STEPS: Final = (0.01, 0.03, 0.1, 0.3)
SECOND_STEPS: Final = (0.1, 0.3, 1.0, 3.0)


@exercise("04.3", "Call survives with each step in turn, and write down the largest that gives True.")
def judge_steps(answer: Any) -> str:
    """The largest first step that survives, and the largest second one; each of four."""
    try:
        first, second = (float(step) for step in answer)
    except (TypeError, ValueError):
        raise Hint("Give two numbers, the first step and the second: answer = (0.3, 3).") from None
    if first not in FIRST_STEPS or second not in SECOND_STEPS:
        raise Hint(f"Choose the first step from {FIRST_STEPS}, and the second from {SECOND_STEPS}.")
    if first > 0.03:
        raise Hint("That first step is above 2 / 38 = 0.05, the bound of raw digits. What does survives(...) say?")
    if first < 0.03:
        raise Hint("That first step survives, but it is not the largest of the four that does.")
    if second > 1:
        raise Hint("That second step does not survive: try survives(0.03, ...) with it.")
    if second < 1:
        raise Hint("That second step survives, but is it the largest of the four? R has taken the large moments away.")
    return (
        "One epoch of small steps makes steps possible that are thirty times larger, since it takes the largest "
        "eigenvalue of the inputs down. This is why the paper starts small; its later step, 0.1, is on the safe side."
    )

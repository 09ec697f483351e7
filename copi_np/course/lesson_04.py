"""Lesson 04, a deep network: the functions that judge the exercises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.activations import leaky_relu_derivative
from copi_np.algorithm import LayerWeights, forward
from copi_np.course.exercises import Array, Hint, as_array, call, exercise, expect
from copi_np.rules import copi_update, decorrelation_update, local_decorrelation_update, sgd_update

ETA: Final = 0.1


class Case(NamedTuple):
    """The weights of a network, a batch, and the states of a forward pass."""

    R: list[Array]
    W: list[Array]
    y0: Array
    x: list[Array]
    a: list[Array]
    delta: Array


def draw_case(sizes: tuple[int, ...], batch_size: int) -> Case:
    """Return random weights, with R far from the identity, and the states that they give."""
    rng = np.random.default_rng(4)
    R = [np.eye(n) + 0.4 * rng.normal(size=(n, n)) for n in sizes[:-1]]
    W = [rng.normal(size=(o, i)) / np.sqrt(i) for i, o in pairwise(sizes)]
    y0 = rng.normal(size=(batch_size, sizes[0]))
    trace = forward([LayerWeights(*pair) for pair in zip(W, R, strict=True)], y0)
    return Case(R, W, y0, trace.x, trace.a, rng.normal(size=trace.a[-1].shape))


CASE: Final = draw_case((6, 5, 4, 3), 7)
DEEPER: Final = draw_case((4, 7, 5, 3, 2), 6)


# ------------------------------------------------------------------------------------------- 04.1 The whole network


def output(case: Case, slope: float = 0.1, activate_last: bool = True, lateral: str = "R") -> Array:
    """Return the output of the network, or of one with a typical mistake."""
    y = case.y0
    for k, (R, W) in enumerate(zip(case.R, case.W, strict=True)):
        x = {"R": y @ R.T, "transposed": y @ R, "forgotten": y}[lateral]
        y = x @ W.T
        if activate_last or k < len(case.W) - 1:
            y = np.where(y > 0, y, slope * y)
    return y


@exercise("04.1", "Loop over the layers. In each, compute x = R y, then a = W x, then y = f(a); samples are rows.")
def judge_output(answer: Any) -> str:
    """Judge the forward pass, on networks of three and four layers."""
    for case in (CASE, DEEPER):
        y = call(answer, list(map(np.array, case.W)), list(map(np.array, case.R)), case.y0)
        if isinstance(y, tuple):
            raise Hint("Return only the output of the last layer, one array.")
        without_R, transposed_R = output(case, lateral="forgotten"), output(case, lateral="transposed")
        mistakes = {
            "The lateral weights are missing: the input of W is x = R y, not y.": without_R,
            "Your R is transposed: x = R y for a column is y @ R.T for samples in rows.": transposed_R,
            "The output layer has an activation function too.": output(case, activate_last=False),
            "The activation function is missing: y = f(a).": output(case, slope=1),
            "This is a plain ReLU: a leaky one returns 0.1 a for negative a.": output(case, slope=0),
            "The slope for negative a is 0.1 here, not 0.01.": output(case, slope=0.01),
        }
        otherwise = (
            "The shape is right, but the values are not. Print x, a and y of the first layer, and compare them with "
            "the trace that `algorithm.forward` returns."
        )
        expect(y, output(case), mistakes, otherwise)
    return "Multiply W and R of each layer, and this is an ordinary network: what COPI changes is how it learns."


# ------------------------------------------------------------------------------------------- 04.2 The single loop


class Variant(NamedTuple):
    """A way to write the single loop; the defaults are right."""

    stale: str = ""
    """Weights that the signal passes through after they have learned: "W", "R" or "WR"."""
    lateral: bool = True
    slope: bool = True
    local: bool = False
    rule: str = "copi"
    first_layer_learns: bool = True
    eta: float = ETA


def one_loop(case: Case, how: Variant) -> Array:
    """Return all new weights as one vector, the top layer first, W before R."""
    delta, new = case.delta, []
    update_R = local_decorrelation_update if how.local else decorrelation_update
    for k in reversed(range(len(case.W))):
        W, R, x, a = case.W[k], case.R[k], case.x[k], case.a[k]
        z = delta if how.rule == "z = delta" else a + delta
        dW = sgd_update(x, delta) if how.rule == "sgd" else copi_update(W, x, z)
        learns = how.first_layer_learns or k > 0
        new_W, new_R = (W + how.eta * dW, R + how.eta * update_R(R, x)) if learns else (W, R)
        new += [new_W, new_R]
        if k > 0:
            below = delta @ (new_W if "W" in how.stale else W)
            below = below @ (new_R if "R" in how.stale else R) if how.lateral else below
            delta = below * leaky_relu_derivative(case.a[k - 1]) if how.slope else below
    return flat(new)


def flat(matrices: list[Array]) -> Array:
    """Return matrices as one vector."""
    return np.concatenate([matrix.ravel() for matrix in matrices])


LEARNED_ALREADY: Final = (
    "Your signal passes through weights that have already learned from it. Keep what it needs, or compute the signal "
    "for the layer below, before you update."
)
LOOP_MISTAKES: Final = {
    LEARNED_ALREADY: Variant(stale="WR"),
    "Your signal passes through the new W, but the old R: send it down before either of them learns.": Variant("W"),
    "Your signal passes through the new R, but the old W: send it down before either of them learns.": Variant("R"),
    "The signal passes only through W: R lies between the layers too.": Variant(lateral=False),
    "The derivative of the activation function is missing: use df(a) of the layer below.": Variant(slope=False),
    "R learns by the local form here: use decorrelation_update.": Variant(local=True),
    "This is the SGD rule: use copi_update, with the target state z = a + delta.": Variant(rule="sgd"),
    "copi_update needs the target state z = a + delta, not delta alone.": Variant(rule="z = delta"),
    "The first layer did not learn: there is no layer below it, but it has weights.": Variant(first_layer_learns=False),
    "The step size is missing: add eta times the update.": Variant(eta=1),
}


@exercise(
    "04.2",
    "Which matrices must the signal for the layer below pass through? And which signal does the update of a layer "
    "need? Swapping two lines of the loop is not enough.",
)
def judge_one_loop(answer: Any) -> str:
    """Judge the new weights of every layer, computed with one signal at a time."""
    for case in (CASE, DEEPER):
        lists = [list(map(np.array, matrices)) for matrices in (case.W, case.R, case.x, case.a)]
        try:
            result = call(answer, *lists, case.delta, ETA)
        except Hint as hint:  # shapes clash if a signal or a slope belongs to another layer
            if "ValueError" in str(hint):
                raise Hint(f"{hint}. Which layer does each signal belong to, and each df(a)?") from None
            raise
        n = len(case.W)
        if not (
            isinstance(result, (tuple, list)) and len(result) == 2 and all(_has_length(part, n) for part in result)
        ):
            raise Hint(f"Return both lists, W and R, with one matrix per layer: here {n} each.")
        if all(np.shape(result[0][k]) == case.R[k].shape != case.W[k].shape for k in range(n)):
            raise Hint("Return W first, then R.")
        new = []
        for k in reversed(range(n)):
            new += [as_array(result[0][k], case.W[k].shape), as_array(result[1][k], case.R[k].shape)]
        right = one_loop(case, Variant())
        mistakes = {hint: one_loop(case, how) for hint, how in LOOP_MISTAKES.items()}
        expect(flat(new), right, mistakes, _first_wrong(new, case), rtol=1e-9)
    return (
        "The same weights as with two loops, with one signal in memory instead of one per layer. The number of loops "
        "does not matter, as long as every signal passes through the weights of the forward pass."
    )


def _has_length(part: Any, n: int) -> bool:
    """Return whether part of an answer is a list or tuple of n items."""
    return isinstance(part, (tuple, list)) and len(part) == n


def _first_wrong(new: list[Array], case: Case) -> str:
    """Say which weights are the first wrong ones, from the top layer down."""
    start = 0
    right = one_loop(case, Variant())
    for i, matrix in enumerate(new):
        if not np.allclose(matrix.ravel(), right[start : start + matrix.size], rtol=1e-9, atol=1e-12):
            name = f"{'WR'[i % 2]} of layer {len(case.W) - i // 2}"
            return f"From the top layer down, {name} is the first to be wrong. Look at what happens just before it."
        start += matrix.size
    return "Some weights are slightly wrong."


# ------------------------------------------------------------------------------------------- 04.3 How large a step


FIRST_STEPS: Final = (0.01, 0.03, 0.1, 0.3)
SECOND_STEPS: Final = (0.1, 0.3, 1.0, 3.0)


@exercise("04.3", "Call survives with each step in turn, and note the largest one for which it returns True.")
def judge_steps(answer: Any) -> str:
    """Judge the largest first step that survives and the largest second one, of four each."""
    try:
        first, second = (float(step) for step in answer)
    except (TypeError, ValueError):
        raise Hint("Give two numbers, the first step and the second, such as answer = (0.3, 3).") from None
    if first not in FIRST_STEPS or second not in SECOND_STEPS:
        raise Hint(f"Choose the first step from {FIRST_STEPS} and the second from {SECOND_STEPS}.")
    if first > 0.03:
        raise Hint("That first step is above 2 / 38 = 0.05, the bound for raw digits. What does survives(...) return?")
    if first < 0.03:
        raise Hint("That first step survives, but a larger one of the four does too.")
    if second > 1:
        raise Hint("That second step does not survive: try survives(0.03, ...) with it.")
    if second < 1:
        raise Hint(
            "That second step survives, but a larger one may too: after one epoch, the large eigenvalues of C are gone."
        )
    return (
        "After one epoch of small steps, steps thirty times larger are possible, since the largest eigenvalue of the "
        "inputs' second moments is now much smaller. This is why the paper starts small; its later step, 0.1, is well "
        "within the limit."
    )

"""Known answers of single equations: rules, the family around them, activations and losses."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import family_oracles as family
import numpy as np
import oracles
from oracles import over_synapses
from vector_cases import Arrays, case, eighths, inputs_of

# ------------------------------------------------------------------------------------------------ single equations


EDGES = {
    "general": {"B": 5, "I": 3, "O": 2, "M": 2, "N": 4},
    "square": {"B": 4, "I": 3, "O": 3, "M": 3, "N": 3},
    "one sample": {"B": 1, "I": 3, "O": 2, "M": 2, "N": 3},
    "one unit": {"B": 4, "I": 1, "O": 1, "M": 1, "N": 1},
    "one of everything": dict.fromkeys("BIOMN", 1),
    "dead input": {"B": 5, "I": 3, "O": 2, "M": 2, "N": 3},
    "rank one": {"B": 4, "I": 3, "O": 2, "M": 2, "N": 3},
    "large mean": {"B": 5, "I": 3, "O": 2, "M": 2, "N": 3},
}
INVERTIBLE = ("general", "square", "one unit", "large mean")
"""Edges at which <x x^T> can be inverted."""


def outer(u, v):
    return over_synapses(u.shape[1], v.shape[1], len(u), lambda n, i, j: u[n, i] * v[n, j])


def every_sample(matrix, rows):
    return np.array([matrix @ row for row in rows])


def linear_map(x, z):
    power = family.mean_squares(x)
    return outer(z, x) / np.array([p if p > 0 else 1.0 for p in power])


RULES = [
    ("mean_outer", "u:BM v:BN", "result", "Section 2", "<u v^T>", outer, EDGES),
    ("mean_square", "x:BI", "result", "Section 2", "<x^2>", family.mean_squares, EDGES),
    ("decorrelate", "R:II y:BI", "x", "Section 2.4", "x = R y", every_sample, EDGES),
    ("transform", "W:OI x:BI", "a", "Section 2.1", "a = W x", every_sample, EDGES),
    ("target_state", "a:BO delta:BO", "z", "Section 2.5", "z = a + delta", lambda a, d: a + d, EDGES),
    ("decay_towards", "W:OI D:OI", "dW", "Eq. 1", "dW = D - W", lambda W, D: D - W, EDGES),
    (
        "inference_update",
        "W:OI x:BI z:BO",
        "dW",
        "Eq. 2",
        "dW = <z x^T> <x x^T>^-1 - W",
        lambda W, x, z: oracles.least_squares(x, z) - W,
        INVERTIBLE,
    ),
    (
        "whitened_update",
        "W:OI x:BI z:BO",
        "dW",
        "Eq. 2, whitened",
        "dW = <z x^T> - W",
        lambda W, x, z: outer(z, x) - W,
        EDGES,
    ),
    ("copi_update", "W:OI x:BI z:BO", "dW", "Eq. 3", "dW = <z x^T> - W diag<x^2>", oracles.copi, EDGES),
    ("sgd_update", "x:BI delta:BO", "dW", "Section 2.7", "dW = <delta x^T>", oracles.sgd, EDGES),
    (
        "decorrelation_update",
        "R:II x:BI",
        "dR",
        "Eq. 4, first line",
        "dR = -(<x x^T> - diag<x^2>) R",
        oracles.decorrelation_matrix,
        EDGES,
    ),
    (
        "local_decorrelation_update",
        "R:II x:BI",
        "dR",
        "Eq. 4, second line",
        "dR = -(<q x^T> - R diag<x^2>), q = R x",
        oracles.decorrelation_local,
        EDGES,
    ),
    ("linear_map", "x:BI z:BO", "W", "Appendix B", "W = <z x^T> diag<x^2>^-1, 0 where <x^2> = 0", linear_map, EDGES),
    (
        "oja_update",
        "M:OI x:BI",
        "dM",
        "Appendix C",
        "dM = <y x^T> - diag<y^2> M, y = M x",
        oracles.oja,
        EDGES,
    ),
]
FAMILY = [
    (
        "kappa_decorrelation_update",
        "R:II x:BI",
        "dR",
        "kappa",
        "dR = -((1 - kappa) off(C) + kappa (D - I)) R",
        family.kappa_decorrelation,
        {"kappa": 0.25},
    ),
    (
        "kappa_update",
        "W:OI x:BI a:BO delta:BO",
        "dW",
        "kappa",
        "dW = <delta x^T> + (1 - kappa) <a x^T> - (1 - 2 kappa) W D - kappa W",
        family.kappa_forward,
        {"kappa": 0.25},
    ),
    (
        "gain_controlled_update",
        "R:II x:BI y:BI",
        "dR",
        "gain",
        "R + eta dR = g R - eta (g R) C, g^2 = <|y|^2> / <|x|^2>",
        family.gain_controlled,
        {"eta_R": 0.125},
    ),
    (
        "normalised_decorrelation_update",
        "R:II x:BI",
        "dR",
        "normalised",
        "dR = -off(C) (D + damping)^-1 R",
        family.normalised_decorrelation,
        {"damping": 0.125},
    ),
    (
        "normalised_update",
        "W:OI x:BI z:BO",
        "dW",
        "normalised",
        "dW = (<z x^T> - W D) (D + damping)^-1",
        family.normalised_forward,
        {"damping": 0.125},
    ),
    (
        "centred_decorrelation_update",
        "R:II x:BI",
        "dR",
        "centred",
        "dR = -off(C) R, but for the last row, which is 0",
        family.centred_decorrelation,
        {},
    ),
    (
        "foldiak_decorrelate",
        "L:II y:BI",
        "x",
        "Foldiak",
        "x = (I + L)^-1 y",
        lambda L, y: family.foldiak_outputs(L, y),
        {},
    ),
    (
        "foldiak_update",
        "L:II x:BI",
        "dL",
        "Foldiak",
        "dL = off(C)",
        lambda L, x: oracles.off(oracles.second_moment(x)),
        {},
    ),
]


def equations(table: list[tuple[Any, ...]], edges: Any = None) -> Iterator[Arrays]:
    """Yield the cases of single equations; the last entry of a row is its edges or its settings."""
    for name, signature, output, equation, formula, oracle, last in table:
        names, words = zip(*(part.split(":") for part in signature.split()), strict=True)
        settings = last if edges else {}
        for edge in edges or last:
            arrays = inputs_of(" ".join(words), edge, EDGES[edge], f"{name}/{edge}")
            if name == "foldiak_decorrelate":
                arrays[0] = oracles.off(arrays[0]) / 4  # I + L must be invertible
            if name == "centred_decorrelation_update":
                arrays[1][:, -1] = 1
            outputs = {output: oracle(*arrays, **renamed(name, settings))}
            yield case(name, edge, equation, formula, dict(zip(names, arrays, strict=True)), outputs, settings=settings)


def renamed(name: str, settings: Arrays) -> Arrays:
    """Return settings under the oracle's names."""
    return {"eta": settings["eta_R"]} if name == "gain_controlled_update" else settings


def natural_cases() -> Iterator[Arrays]:
    """Yield the natural step, whose C is that of another batch."""
    for edge in ("general", "one sample", "dead input", "rank one"):
        lengths = EDGES[edge]
        x, delta = inputs_of("BI BO", edge, lengths, f"natural/{edge}")
        C = oracles.second_moment(eighths(random.Random(edge), 6, lengths["I"]))
        formula = "dW = <delta x^T> (C + damping I)^-1"
        outputs = {"dW": family.natural(x, delta, C, 0.125)}
        inputs = {"x": x, "delta": delta, "C": C}
        yield case("natural_update", edge, "natural gradient", formula, inputs, outputs, settings={"damping": 0.125})


# ------------------------------------------------------------------------------------------- activations and losses


def activations() -> Iterator[Arrays]:
    """Yield f and df, with ties at 0."""
    a = np.array([[-1.5, -0.125, 0.0, 0.125, 2.0], [0.0, 2.0**-60, -(2.0**-60), -8.0, 8.0]])
    for name in ("leaky_relu", "relu", "tanh", "linear"):
        yield case(name, "ties at 0", "Section 2.1", "y = f(a)", {"a": a}, {"y": oracles.F[name](a)})
        outputs = {"slope": oracles.DF[name](a)}
        yield case(f"{name}_derivative", "ties at 0", "Section 2.1", "f'(a), at 0 from the left", {"a": a}, outputs)


def losses() -> Iterator[Arrays]:
    """Yield the loss of each sample, its gradient, and the signal of the output layer."""
    for edge in ("general", "one sample", "one unit"):
        y, targets = inputs_of("BO BO", edge, EDGES[edge], f"losses/{edge}")
        one_hot = np.eye(y.shape[1])[np.arange(len(y)) % y.shape[1]]
        for name, wanted in (("quadratic", targets), ("cross_entropy", one_hot)):
            pairs = list(zip(y, wanted, strict=True))
            inputs = {"y": y, "targets": wanted}
            values = [oracles.LOSS[name](*pair) for pair in pairs]
            yield case(name, edge, "Algorithm 1, line 9", "one value per sample", inputs, {"losses": values})
            gradients = [oracles.LOSS_GRADIENT[name](*pair) for pair in pairs]
            yield case(f"{name}_gradient", edge, "Algorithm 1, line 9", "d loss / d y", inputs, {"gradient": gradients})
        a = targets.copy()
        a[0, 0] = 0.0  # a tie
        y = oracles.F["leaky_relu"](a)
        delta = [-oracles.DF["leaky_relu"](row) * 2 * (out - t) for row, out, t in zip(a, y, one_hot, strict=True)]
        inputs = {"a": a, "y": y, "targets": one_hot}
        formula = "delta_L = -f'(a_L) * 2 (y_L - y*)"
        yield case("output_signal", edge, "Algorithm 1, line 11", formula, inputs, {"delta_L": delta})

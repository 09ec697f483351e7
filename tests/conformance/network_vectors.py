"""Known answers of networks: error signals, one step of Algorithm 1, and ten in a row."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import family_oracles as family
import numpy as np
import oracles
from equation_vectors import EDGES
from oracles import OracleNetwork
from vector_cases import SEVERAL_STEPS, TOLERANCE, Arrays, case, eighths, inputs_of

# ------------------------------------------------------------------------------------- networks: signals and steps

NETWORKS = {
    "general": ((4, 3, 2, 3), 5),
    "square": ((3, 3, 3), 4),
    "one sample": ((3, 4, 2), 1),
    "one unit": ((1, 1, 1), 3),
    "dead input": ((4, 3, 2), 5),
    "rank one": ((4, 3, 2), 4),
    "ties at 0": ((3, 4, 2), 4),
    "one layer": ((4, 3), 5),
}


def network(edge: str, n_batches: int = 1, **options: Any) -> tuple[OracleNetwork, np.ndarray, np.ndarray]:
    """Return an oracle with weights of multiples of 1/8, and samples for some batches."""
    sizes, n = NETWORKS[edge]
    rng = random.Random(f"network/{edge}")
    W = [eighths(rng, o, i, largest=8) for i, o in pairwise(sizes)]
    R = [np.eye(i) + eighths(rng, i, i, largest=3) for i in sizes[:-1]]
    if edge == "ties at 0":
        W[0][0] = W[-1][0] = 0.0  # the pre-activations of these units are exactly 0
    lengths = {"B": n * n_batches, "I": sizes[0]}
    (y0,) = inputs_of("BI", edge if edge in EDGES else "general", lengths, f"inputs/{edge}")
    targets = np.eye(sizes[-1])[np.arange(len(y0)) % sizes[-1]]
    width = {"dfa": lambda k: sizes[-1]}.get(options.get("error_signal"), lambda k: sizes[k + 2])
    F = [eighths(rng, sizes[k + 1], width(k), largest=6) for k in range(len(sizes) - 2)]
    names = ["leaky_relu"] * len(W)
    return OracleNetwork(W, R, [*F, None], names, **options), y0, targets


def numbered(**lists: Any) -> Arrays:
    """Return W=[a, b] as W1=a, W2=b; layers count from 1, as in the paper."""
    return {
        f"{name}{k}": array for name, arrays in lists.items() for k, array in enumerate(arrays, 1) if array is not None
    }


SIGNALS = {
    "backpropagation": ("bp", "WRa", "delta_k = f'(a_k) * (W_{k+1} R_{k+1})^T delta_{k+1}"),
    "feedback_alignment": ("fa", "Fa", "delta_k = f'(a_k) * F_k delta_{k+1}"),
    "direct_feedback_alignment": ("dfa", "Fa", "delta_k = f'(a_k) * F_k delta_L"),
    "target_propagation": ("tp", "Fay", "delta_k = t_k - a_k, t_k = f(F_k t_{k+1}), t_L = y_L + delta_L"),
    "difference_target_propagation": (
        "dtp",
        "Fay",
        "delta_k = f'(a_k) * (t_k - y_k) / 0.1, t_k = y_k + f(F_k t_{k+1}) - f(F_k y_{k+1}), t_L = y_L + 0.1 delta_L",
    ),
    "kolen_pollack": ("kp", "RFa", "delta_k = f'(a_k) * R_{k+1}^T F_k delta_{k+1}"),
    "sign_symmetry": ("ss", "WRa", "delta_k = f'(a_k) * s sign(M)^T delta_{k+1}, M = W_{k+1} R_{k+1}, s^2 = mean(M^2)"),
}


def error_signals() -> Iterator[Arrays]:
    """Yield one delta per layer, for every error signal that needs no noise."""
    for name, (kind, needed, formula) in SIGNALS.items():
        for edge in NETWORKS if "F" not in needed else [edge for edge in NETWORKS if edge != "one layer"]:
            net, y0, targets = network(edge, error_signal=kind)
            others = {"kp": partial(family.learned_feedback, net, net.B), "ss": partial(family.signs_of_weights, net)}
            signals = others.get(kind, net.signals)
            deltas = [np.array(of_layer) for of_layer in zip(*map(signals, y0, targets), strict=True)]
            passes = [net.forward(row) for row in y0]
            states = {"W": net.W, "R": net.R, "F": net.B}
            states |= {key: [np.array([p[at][k] for p in passes]) for k in range(len(net.W))] for key, at in
                       (("a", 1), ("y", 2))}  # fmt: skip
            inputs = numbered(**{key: states[key] for key in needed}) | {"delta_L": deltas[-1]}
            equation = "Section 2.5" if len(kind) > 1 and kind not in ("kp", "ss") else "beyond the paper"
            yield case(name, edge, equation, formula, inputs, numbered(delta=deltas))


def perturbations() -> Iterator[Arrays]:
    """Yield the two signals that need noise; it is an input."""
    for edge in ("general", "one sample", "one layer"):
        net, y0, targets = network(edge)
        rng = random.Random(f"noise/{edge}")
        noise = [eighths(rng, len(y0), len(W)) / 8 + 1 / 128 for W in net.W]
        inputs = numbered(W=net.W, R=net.R, noise=noise) | {"y0": y0, "targets": targets}
        for name, formula, signal, settings in (
            ("node_perturbation", "-(dL / sigma^2) s_k", partial(family.node_perturbation, sigma=0.125), 0.125),
            ("activity_perturbation", "-sqrt(N) (dL / |da|^2) da_k", family.activity_perturbation, None),
        ):
            rows = [[s[n] for s in noise] for n in range(len(y0))]
            signals = [signal(net, *sample) for sample in zip(rows, y0, targets, strict=True)]
            outputs = numbered(delta=[np.array(of_layer) for of_layer in zip(*signals, strict=True)])
            given = {} if settings is None else {"sigma": settings}
            yield case(name, edge, "beyond the paper", f"delta_k = {formula}", inputs, outputs, settings=given)


def reconstruction() -> Iterator[Arrays]:
    """Yield the update of an inverse model."""
    for edge in ("general", "square", "one sample", "one unit"):
        F, y_above, y = inputs_of("ON BN BO", edge, EDGES[edge], f"reconstruction/{edge}")
        f, df = oracles.F["leaky_relu"], oracles.DF["leaky_relu"]
        errors = [df(F @ u) * (v - f(F @ u)) for u, v in zip(y_above, y, strict=True)]
        dF = sum(np.outer(e, u) for e, u in zip(errors, y_above, strict=True)) / sum(u @ u for u in y_above)
        formula = "dF = <f'(b) * (y - f(b)) y_above^T> / <|y_above|^2>, b = F y_above"
        inputs = {"F": F, "y_above": y_above, "y": y}
        yield case("reconstruction_update", edge, "Section 2.5", formula, inputs, {"dF": dF})


VARIANTS = [
    {"rule": rule, "error_signal": kind, "decorrelation": form}
    for rule, kind, form in (
        ("copi", "bp", "matrix"),
        ("copi", "bp", "local"),
        ("copi", "fa", "matrix"),
        ("copi", "dfa", "matrix"),
        ("copi", "tp", "matrix"),
        ("copi", "dtp", "matrix"),
        ("sgd", "bp", "matrix"),
        ("sgd", "bp", "none"),
        ("momentum", "bp", "none"),
        ("adam", "bp", "none"),
    )
]
RATES = {"eta_W": 0.0625, "eta_R": 0.046875}


def steps(n_steps: int) -> Iterator[Arrays]:
    """Yield one step of Algorithm 1, or several in a row: step t takes the t-th batch of the rows."""
    for variant in VARIANTS:
        first = variant == VARIANTS[0]
        for edge in NETWORKS if first else ("general", "square", "one sample", "ties at 0"):
            net, y0, targets = network(edge, n_steps, **variant)
            learned = variant["error_signal"] in ("tp", "dtp")
            fed_back = net.B if variant["error_signal"] != "bp" else []
            inputs = numbered(W=net.W, R=net.R, F=fed_back) | {"y0": y0, "targets": targets}
            size, losses = NETWORKS[edge][1], []
            rates = {name: eta / (1 if n_steps == 1 else 8) for name, eta in RATES.items()}
            for t in range(n_steps):
                rows = slice(t * size, (t + 1) * size)
                losses.append(net.step(y0[rows], targets[rows], **rates)[0])
            outputs = numbered(W=net.W, R=net.R, F=net.B if learned else []) | {"losses": losses}
            name = "step" if n_steps == 1 else "train"
            kind = "-".join(variant.values())
            yield case(
                *(name, f"{kind}/{edge}", "Algorithm 1, lines 4 to 16", "all updates from the weights before the step"),
                *(inputs, outputs),
                settings=variant | rates | {"batch_size": size, "steps": n_steps},
                tolerance=TOLERANCE if n_steps == 1 else SEVERAL_STEPS,
            )

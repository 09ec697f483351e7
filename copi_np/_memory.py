"""Check how much memory a network and its training take, before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np._assembly import Assembly
from copi_np._parts import per_layer
from copi_np.architecture import LayerPlan, chunk_size, feedback_shape
from copi_np.backend import Backend
from copi_np.errors import BackendError

GIB: Final = 2**30
SMALL: Final = 2**26
"""Bytes that any machine has, so that small networks need not ask the system."""
MOMENT_ARRAYS: Final = 4
"""Arrays (I, I) that exist at once while the decorrelation loss of a layer's inputs is computed."""
N_REMEMBERED: Final[dict[str | None, int]] = {"momentum": 1, "adam": 2}
"""Arrays of the shape of W that built-in rules remember."""


class Matrix(NamedTuple):
    """One matrix of a network, and how many arrays of its shape there are: with Adam, three."""

    name: str
    shape: tuple[int, int]
    n_arrays: int = 1

    @property
    def n_values(self) -> int:
        """Numbers in all these arrays."""
        return self.shape[0] * self.shape[1] * self.n_arrays


def matrices(
    plans: Sequence[LayerPlan],
    rules: Sequence[Any],
    decorrelations: Sequence[Any],
    *,
    bias: bool = False,
    feedback_from: str | None = None,
) -> Iterator[Matrix]:
    """Yield all matrices of a network: forward, lateral and feedback weights, and the memory of the built-in rules.

    Parameters
    ----------
    plans : sequence of LayerPlan   shapes of all layers
    rules, decorrelations : lists   one per layer, as for `Network`
    bias : bool                     whether each layer has one more input
    feedback_from : str or None     as for `ErrorSignal`
    """
    for k, plan in enumerate(plans):
        n_inputs, n_outputs = plan.n_inputs + bias, plan.n_outputs
        rule = rules[k] if isinstance(rules[k], str) else None  # your own rule may not be hashable
        yield Matrix(f"W of layer {k}", (n_outputs, n_inputs), 1 + N_REMEMBERED.get(rule, 0))
        if plan.patches is not None:
            yield Matrix(f"index of patches of layer {k}", (plan.patches.n_positions, plan.n_inputs), 2)
        if rule == "foof":
            yield Matrix(f"second moments of layer {k}", (n_inputs, n_inputs), 2)
        if decorrelations[k] is not None:
            yield Matrix(f"R of layer {k}", (n_inputs, n_inputs))
        if feedback_from is not None and k < len(plans) - 1:
            yield Matrix(f"feedback of layer {k}", feedback_shape(plans, k, feedback_from))


def check_network_fits(
    plans: Sequence[LayerPlan], rules: Sequence[Any], decorrelations: Sequence[Any], dtype: str, backend: Backend
) -> None:
    """Raise a BackendError if the weights of a network do not fit into memory; parameters as for `matrices`."""
    found = list(matrices(plans, rules, decorrelations))
    itemsize = np.dtype(dtype).itemsize
    largest = max(found, key=lambda matrix: matrix.n_values)
    shape, sizes = " x ".join(map(str, largest.shape)), [plans[0].size_in, *(plan.size_out for plan in plans)]
    what = (
        f"a network of {'-'.join(map(str, sizes))} units in {dtype} takes {{need}}, "
        f"of which {largest.name} ({shape}) takes {largest.n_values * itemsize / GIB:.1f} GiB"
    )
    advice = "use smaller layers"
    if largest.name.startswith("R"):
        advice = "use fewer inputs, since R grows with their square, or a method without decorrelation"
    check_fits(sum(matrix.n_values for matrix in found) * itemsize, what, advice, backend)


def check_fits(n_bytes: int, what: str, advice: str, backend: Backend) -> None:
    """Raise a BackendError unless `n_bytes` are free; `what` has the placeholder ``{need}`` for them."""
    free = backend.free_memory() if n_bytes > SMALL else None
    if free is not None and n_bytes > free:
        need = what.format(need=f"{n_bytes / GIB:.1f} GiB")
        raise BackendError(f"{need}, but {free / GIB:.1f} GiB are free: {advice}")


def check_training_fits(network: Assembly, n_samples: int) -> None:
    """Raise a BackendError if `n_samples`, and what else training needs, do not fit into memory."""
    need = training_bytes(network.plans, bytes_of(network), n_samples, network.dtype)
    what = f"training on {n_samples} samples takes {{need}} more in {network.dtype}"
    check_fits(need, what, "use fewer samples or smaller layers", network.backend)


def bytes_of(network: Assembly) -> int:
    """Return the bytes of all matrices of a network."""
    parts, n_layers = network.parts, len(network.layers)
    rules, decorrelations = (per_layer(kind, parts[kind], n_layers) for kind in ("rule", "decorrelation"))
    source, bias = network.error_signal.feedback_from, parts.get("bias", False)
    found = matrices(network.plans, rules, decorrelations, bias=bias, feedback_from=source)
    return sum(matrix.n_values for matrix in found) * np.dtype(network.dtype).itemsize


def training_bytes(plans: Sequence[LayerPlan], weights: int, n_samples: int, dtype: str) -> int:
    """Return the bytes that training takes in addition to the weights: all samples, and the temporary arrays.

    Temporary arrays are largest when an epoch ends: second moments, chunks of samples that are evaluated, or a copy of
    all weights, for the checkpoint.

    Parameters
    ----------
    plans : sequence of LayerPlan
                                shapes of all layers
    weights : int               bytes of all matrices
    n_samples : int             in all splits
    dtype : str
    """
    samples = n_samples * (plans[0].size_in + plans[-1].size_out)
    chunk, first, last = chunk_size(plans), plans[0].n_values, plans[-1].n_units
    monitored = MOMENT_ARRAYS * max(plan.n_inputs for plan in plans) ** 2
    monitored += 3 * chunk * (sum(plan.n_values for plan in plans) + last)
    folded = sum(plan.n_inputs * plan.n_outputs for plan in plans)
    widest = max([last, *(plan.n_units for plan in plans), *(plan.n_values for plan in plans[1:])])
    evaluated = folded + chunk * (first + 2 * widest)
    itemsize = np.dtype(dtype).itemsize
    return itemsize * samples + max(itemsize * monitored, itemsize * evaluated, weights)

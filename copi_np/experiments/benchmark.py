"""Time a training step against its bare matrix products, on the same machine at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, Final, Protocol

import numpy as np

from copi_np._checks import check_count, check_sizes
from copi_np.algorithm import LayerWeights, train_batch
from copi_np.architecture import chunk_size, needs_images, plain_layers
from copi_np.arrays import Array, slices
from copi_np.backend import Backend, get_backend
from copi_np.errors import InputError, choose
from copi_np.experiments.environment import blas, versions
from copi_np.experiments.methods import METHODS, Method
from copi_np.experiments.options import parse_layers
from copi_np.experiments.products import Product, products_of_step
from copi_np.network import Network

ETA: Final = 1e-6
"""Step size, so small that the weights hardly change however many steps are timed."""
N_EVALUATED: Final = 2000
SHORTEST: Final = 0.2
"""Shortest measurement in seconds, so that clock resolution and interruptions do not matter."""


def prepared(backend: Backend, product: Product, dtype: str, rng: np.random.Generator) -> Callable[[], object]:
    """Return a function that multiplies random matrices into a preallocated one."""

    def matrix(rows: int, columns: int, *, transposed: bool) -> Array:
        shape = (columns, rows) if transposed else (rows, columns)
        values = backend.asarray(rng.normal(size=shape), dtype)
        return values.T if transposed else values

    B = matrix(product.k, product.n, transposed=product.right_transposed)
    A = B.T if product.of_transpose else matrix(product.m, product.k, transposed=product.left_transposed)
    out = backend.asarray(np.zeros((product.m, product.n)), dtype)
    if product.accumulated:
        return partial(backend.matmul_add, out, A, B, ETA)
    return partial(backend.xp.matmul, A, B, out=out)


def candidates(
    sizes: Sequence[Any],
    batch_size: int,
    method: Method,
    backend: Backend,
    dtype: str,
    samples: int | None = None,
    *,
    rest_R: bool = False,
    image_shape: Sequence[int] | None = None,
) -> dict[str, Callable[[], object]]:
    """Return the functions to time, by name."""
    rng = np.random.default_rng(0)
    network = Network(
        sizes,
        rng=rng,
        rule=method.rule,
        error_signal=method.error_signal,
        decorrelation="matrix" if method.decorrelates else None,
        decorrelation_samples=samples,
        input_shape=image_shape,
        backend=backend,
        dtype=dtype,
    )
    n_inputs, n_outputs = network.n_inputs, network.n_outputs
    y0 = backend.asarray(rng.normal(size=(batch_size, n_inputs)), dtype)
    targets = backend.asarray(np.eye(n_outputs)[np.arange(batch_size) % n_outputs], dtype)
    evaluated = backend.asarray(rng.normal(size=(N_EVALUATED, n_inputs)), dtype)
    chunks = [evaluated[rows, :] for rows in slices(N_EVALUATED, chunk_size(network.plans))]
    counted = products_of_step(sizes, batch_size, method, samples, rest_R=rest_R, image_shape=image_shape)
    products = [prepared(backend, product, dtype, rng) for product in counted]
    rates: dict[str, Any] = {
        "eta_W": ETA,
        "eta_R": 0 if rest_R else ETA,
        "x0": y0 if rest_R and method.decorrelates and network.plans[0].patches is None else None,
    }
    found: dict[str, Callable[[], object]] = {
        "floor": lambda: [product() for product in products],
        "step": lambda: network.step(y0, targets, **rates),
        "forward": lambda: network.forward(y0),
        "evaluation": lambda: network.predict(evaluated),
        "evaluation, unfolded": lambda: [network.forward(chunk).y[-1] for chunk in chunks],
    }
    if method == METHODS["copi-bp"] and samples is None and not rest_R and not network.has_convolutions:
        layers = [LayerWeights(layer.W * 1, layer.R * 1, layer.activation) for layer in network.layers]

        def equations() -> None:
            layers[:] = train_batch(layers, y0, targets, eta_W=ETA, eta_R=ETA)

        found["equations"] = equations
    return found


def bench(
    network: str | Sequence[Any] = "mnist",
    batch_size: int = 50,
    method: str = "copi-bp",
    backend: str | Backend = "auto",
    dtype: str = "float32",
    rounds: int = 9,
    decorrelation_samples: int | None = None,
    *,
    rest_r: bool = False,
    image_shape: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Time a training step and its matrix products in turn, so that a busy machine slows both alike.

    Parameters
    ----------
    network : str or sequence           as for `parse_layers`, or layer sizes, or layers for images
    batch_size : int
    method : str                        a name of `METHODS` with BP or FA
    backend : str or Backend
    dtype : {"float32", "float64"}
    rounds : int                        how many times everything is measured
    decorrelation_samples : int or None samples of each batch that R learns from; None: all
    rest_r : bool                       whether R is frozen, with the inputs of a dense first layer decorrelated
                                        beforehand
    image_shape : (C, H, W) or None     shape of the images, for convolutions

    Returns
    -------
    results : dict      plain values, ready for JSON: what was timed on what; "milliseconds" by name, the medians of all
                        rounds; "step_over_floor", "equations_over_floor" and "unfolded_over_folded", the medians of the
                        ratios of each round, and "ratios" of all rounds

    Raises
    ------
    InputError          if an argument cannot be used
    """
    sizes = parse_layers(network) if isinstance(network, str) else network
    if needs_images(sizes) and image_shape is None:
        raise InputError("convolutions need the shape of the images: add --image-shape 1x28x28, for example")
    if image_shape is not None and not needs_images(sizes):
        raise InputError("only convolutions need the shape of images: leave out --image-shape")
    sizes = plain_layers("network", sizes) if needs_images(sizes) else check_sizes("network", sizes)
    batch_size, rounds = check_count("batch_size", batch_size), check_count("rounds", rounds)
    backend = get_backend(backend)
    parts = choose("method", method, METHODS)
    if (rest_r or decorrelation_samples is not None) and not parts.decorrelates:
        raise InputError(f"{method} does not decorrelate: leave out --rest-r and --decorrelation-samples")
    if decorrelation_samples is not None:
        decorrelation_samples = min(check_count("decorrelation_samples", decorrelation_samples), batch_size)
    options: Any = {"rest_R": rest_r, "image_shape": image_shape}
    timed = candidates(sizes, batch_size, parts, backend, dtype, decorrelation_samples, **options)
    counted = products_of_step(sizes, batch_size, parts, decorrelation_samples, **options)
    times = measure(timed, backend, rounds, SHORTEST)
    ratios = {"step_over_floor": ratio(times["step"], times["floor"])}
    ratios["unfolded_over_folded"] = ratio(times["evaluation, unfolded"], times["evaluation"])
    if "equations" in times:
        ratios["equations_over_floor"] = ratio(times["equations"], times["floor"])
    return {
        "sizes": list(sizes),
        "image_shape": None if image_shape is None else list(image_shape),
        "batch_size": batch_size,
        "method": method,
        "dtype": dtype,
        "decorrelation_samples": decorrelation_samples,
        "rest_R": rest_r,
        "gflop": sum(product.gflop for product in counted),
        "backend": backend.name,
        "device": backend.describe(),
        "blas": blas(),
        "versions": versions(),
        "rounds": rounds,
        "milliseconds": {name: 1e3 * median(values) for name, values in times.items()},
        **{name: median(values) for name, values in ratios.items()},
        "ratios": ratios,
    }


class Clock(Protocol):
    """What times calls: a backend, or anything else with this method."""

    def seconds(self, function: Callable[[], object], repeats: int = 1) -> float:
        """Return the seconds that so many calls take together."""


def measure(
    timed: dict[str, Callable[[], object]], clock: Clock, rounds: int, shortest: float
) -> dict[str, list[float]]:
    """Measure the seconds per call of each function, in every round; each round starts with a different function."""
    repeats = {}
    for name, function in timed.items():
        function()  # does one-time work, such as compiling kernels
        repeats[name] = max(1, int(shortest / max(clock.seconds(function), 1e-6)))
    names = list(timed)
    times: dict[str, list[float]] = {name: [] for name in names}
    for k in range(rounds):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            times[name].append(clock.seconds(timed[name], repeats[name]) / repeats[name])
    return times


def ratio(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """Divide two lists of times, round by round."""
    return [one / other for one, other in zip(times, others, strict=True)]


def bench_table(results: dict[str, Any]) -> str:
    """Format the results for a terminal, in at most 80 columns."""
    sizes, samples = "-".join(map(str, results["sizes"])), results["decorrelation_samples"]
    lines = [
        f"{results['method']}, {sizes}, batches of {results['batch_size']}, {results['dtype']}, {results['device']}",
        *(["R frozen"] if results["rest_R"] else []),
        *([f"R learns from {samples} samples of each batch"] if samples and not results["rest_R"] else []),
        f"{results['gflop']:.3g} GFLOP per step; medians of {results['rounds']} rounds",
        "",
    ]
    floor = results["milliseconds"]["floor"]
    for name, value in results["milliseconds"].items():
        per_step = f"{value / floor:9.2f} x floor" if "evaluation" not in name else ""
        lines.append(f"{name:22}{value:10.3f} ms{per_step}")
    lines += ["", f"step / floor: {results['step_over_floor']:.3f}"]
    lines += [f"evaluation is {results['unfolded_over_folded']:.2f} times as fast with W R folded into one matrix"]
    return "\n".join(lines)

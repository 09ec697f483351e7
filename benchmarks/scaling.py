"""Measure a step and its matrix products by width, batch and depth, and when building C would be cheaper.

    python benchmarks/scaling.py results/speed/scaling.json

writes the record, and the figure next to it. The functions of one setting are timed in turns, in one process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from tqdm import tqdm

from copi_np import rules
from copi_np.backend import get_backend
from copi_np.experiments.benchmark import ETA, candidates, measure, ratio
from copi_np.experiments.environment import blas, blas_threads, versions
from copi_np.experiments.methods import METHODS
from copi_np.experiments.products import products_of_step
from copi_np.plotting import FIGURE_WIDTH, STYLE, legend_below, save_figure
from copi_np.storage.atomic import replace_text

WIDTHS = (128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 50, 128, 256, 512, 1024)
DEPTHS = (1, 2, 3, 4, 6, 8)
METHODS_TIMED = ("copi-bp", "bp")
WIDTH, BATCH, DEPTH = 512, 50, 3
"""The sizes that stay fixed while another one varies."""
WIDTHS_OF_C, BATCHES_OF_C = (128, 256, 512, 1024), (50, 128, 256, 512, 1024)
SHORTEST = 0.05


def settings() -> list[dict[str, Any]]:
    """Return all settings, each with the name of the size that varies."""
    varied: dict[str, tuple[int, ...]] = {"width": WIDTHS, "batch": BATCHES, "depth": DEPTHS}
    standard = {"width": WIDTH, "batch": BATCH, "depth": DEPTH}
    return [
        {"varied": name, **standard, name: value, "method": method}
        for name, values in varied.items()
        for value in values
        for method in METHODS_TIMED
    ]


def timed(setting: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Return the setting with its times in milliseconds, its operations, and the ratio of step to products."""
    backend = get_backend("numpy")
    sizes, method = (setting["width"],) * (setting["depth"] + 1), METHODS[setting["method"]]
    functions = candidates(sizes, setting["batch"], method, backend, "float32")
    times = measure({name: functions[name] for name in ("floor", "step")}, backend, rounds, SHORTEST)
    return setting | {
        "gflop": sum(product.gflop for product in products_of_step(sizes, setting["batch"], method)),
        **{name: 1e3 * median(values) for name, values in times.items()},
        "step_over_floor": median(ratio(times["step"], times["floor"])),
    }


def timed_C(width: int, batch_size: int, rounds: int) -> dict[str, Any]:
    """Time the update of R in two ways: by products with the batch, and by the second moments C."""
    backend, rng = get_backend("numpy"), np.random.default_rng(0)
    x = rng.normal(size=(batch_size, width)).astype("float32")
    R, S = np.eye(width, dtype="float32"), np.eye(width, dtype="float32")

    def by_products() -> None:
        x_R = x @ R
        R[...] *= (1 + ETA * rules.mean_square(x))[:, None]
        backend.matmul_add(R, x.T, x_R, -ETA / batch_size)

    def by_C() -> None:
        C = x.T @ x
        np.fill_diagonal(C, 0)
        backend.matmul_add(S, C, S.copy(), -ETA / batch_size)

    functions: dict[str, Callable[[], object]] = {"products": by_products, "C": by_C}
    times = measure(functions, backend, rounds, SHORTEST)
    return {
        "width": width,
        "batch": batch_size,
        **{name: 1e3 * median(values) for name, values in times.items()},
        "products_over_C": median(ratio(times["products"], times["C"])),
    }


def timed_branches(rounds: int) -> dict[str, float]:
    """Time the leaky ReLU of 50 x 500 numbers in two ways, in microseconds."""
    a = np.random.default_rng(0).normal(size=(50, 500)).astype("float32")
    functions: dict[str, Callable[[], object]] = {
        "maximum": lambda: np.maximum(a, 0.1 * a),
        "where": lambda: np.where(a > 0, a, 0.1 * a),
    }
    times = measure(functions, get_backend("numpy"), rounds, SHORTEST)
    return {name: 1e6 * median(values) for name, values in times.items()}


def draw(record: dict[str, Any]) -> Figure:
    """Draw the milliseconds of a step and of its products, by width, batch and depth."""
    with rc_context(STYLE):
        figure = Figure(figsize=(FIGURE_WIDTH, 4), layout="constrained")
        for axes, name in zip(figure.subplots(1, 3), ("width", "batch", "depth"), strict=True):
            for method, marker in zip(METHODS_TIMED, "os", strict=True):
                rows = [row for row in record["steps"] if row["varied"] == name and row["method"] == method]
                values = [row[name] for row in rows]
                label = METHODS[method].label
                (line,) = axes.plot(values, [row["step"] for row in rows], marker=marker, label=f"{label}, step")
                floor = [row["floor"] for row in rows]
                axes.plot(values, floor, "--", color=line.get_color(), label=f"{label}, products alone")
            axes.set(xlabel={"width": "units per layer", "batch": "batch", "depth": "layers"}[name])
            if name != "depth":
                axes.set(xscale="log", yscale="log", xticks=values, xticklabels=list(map(str, values)))
                axes.tick_params(axis="x", rotation=90)
                axes.minorticks_off()
        figure.axes[0].set_ylabel("milliseconds per step")
        legend_below(figure, *figure.axes[0].get_legend_handles_labels())
    return figure


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--threads", default=1, show_default=True)
@click.option("--rounds", default=7, show_default=True)
def main(file: Path, threads: int, rounds: int) -> None:
    """Measure everything, and write FILE and the figure next to it."""
    with blas_threads(threads):
        steps = [timed(setting, rounds) for setting in tqdm(settings())]
        of_C = [timed_C(width, batch, rounds) for width in tqdm(WIDTHS_OF_C) for batch in BATCHES_OF_C]
        record = {"blas": blas(), "versions": versions(), "rounds": rounds, "steps": steps, "C": of_C}
        record["leaky ReLU"] = timed_branches(rounds)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, json.dumps(record, indent=1) + "\n")
    save_figure(draw(record), file.with_suffix(".png"))


if __name__ == "__main__":
    main()

"""The demo: four methods learn the bundled digits, shown as a table and two figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.backend import Backend, get_backend
from copi_np.callbacks import Callback
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.errors import InputError, explain_os_errors
from copi_np.experiments.config import RunConfig, method_name
from copi_np.experiments.environment import blas, versions
from copi_np.experiments.figure3 import N_SAMPLES, whitened_samples
from copi_np.experiments.figures import write_figure
from copi_np.experiments.methods import METHODS
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import RUN_FILE
from copi_np.experiments.runner import DEMO_FILE, train
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.storage.atomic import check_writable, followed, replace_text
from copi_np.training import N_MONITORED, to_device
from copi_np.whitening import mean_absolute_correlation, second_moment

PRESET: Final = "mnist-5k"
DEMO_METHODS: Final = ("copi-bp", "copi-fa", "bp-decor", "bp-adam")
CURVES: Final = "learning-curves.png"
DIGITS: Final = "digits.png"


class DemoResult(NamedTuple):
    """The result of one method; correlations are averaged over layers."""

    method: str
    history: list[EpochRecord]
    correlation_before: float
    """Mean absolute correlation between the inputs of a layer, before its lateral weights."""
    correlation_after: float
    """The same after the lateral weights, which is what the forward weights see."""


def run_demo(
    folder: str | Path,
    epochs: int | None,
    progress: Callable[[str, int], AbstractContextManager[Callback]],
    backend: str | Backend = "auto",
    callbacks: Sequence[Callback] = (),
) -> list[DemoResult]:
    """Train four methods on the bundled digits, and write demo.json, learning-curves.png and digits.png.

    Parameters
    ----------
    folder : path           created if missing; an earlier demo in it is replaced
    epochs : int or None    None: as in the preset
    progress : callable     takes the label and number of epochs of a run; returns a context manager that gives a
                            callback such as a progress bar
    backend : str or Backend
    callbacks : sequence of Callback
                            called in every run

    Returns
    -------
    results : list of DemoResult

    Raises
    ------
    InputError              if the folder holds something else, or cannot be written

    Warns
    -----
    CopiWarning             if a figure cannot be drawn or written; the records are written before
    """
    folder = Path(folder)
    configs = [RunConfig(**load_preset(PRESET, method)) for method in DEMO_METHODS]
    if epochs is not None:
        configs = [replace(config, epochs=epochs) for config in configs]
    backend = get_backend(backend)
    data = load_dataset(configs[0].dataset)
    _prepare(folder)
    results: list[DemoResult] = []
    rows: dict[str, NDArray] = {}
    for config in configs:
        with progress(config.label, config.epochs) as bar:
            network, history = train(config, data, backend, [bar, *callbacks])
        results.append(DemoResult(method_name(config), history, *correlations(network, data)))
        _write_records(folder, configs, results, network)
        if config.method == DEMO_METHODS[0]:
            rows = whitened_samples(network, data, data.test.inputs[:N_SAMPLES])
    histories = {METHODS[result.method].label: result.history for result in results}
    write_figure(folder / CURVES, "learning_curves", histories)
    write_figure(folder / DIGITS, "image_rows", rows, data.image_shape or (1, data.n_inputs))
    return results


def correlations(network: Network, data: Dataset) -> tuple[float, float]:
    """Return the mean absolute correlation of layer inputs before and after the lateral weights, averaged over layers.

    Measured on the first `N_MONITORED` training samples.
    """
    sample = Split(data.train.inputs[:N_MONITORED], data.train.labels[:N_MONITORED])
    trace = network.forward(to_device(network, sample, data.n_classes).inputs)
    before = [mean_absolute_correlation(second_moment(y)) for y in trace.y_in]
    after = [mean_absolute_correlation(second_moment(x)) for x in trace.x]
    return float(np.mean(before)), float(np.mean(after))


def _prepare(folder: Path) -> None:
    """Create the folder; raise an InputError if it holds anything but an earlier demo."""
    advice = "choose another folder with --out"
    with explain_os_errors("write to", folder, advice, InputError):
        followed(folder).mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
        if names and (DEMO_FILE not in names or RUN_FILE in names):
            raise InputError(f"{folder} is not empty and does not hold an earlier demo: {advice}")
        (folder / DEMO_FILE).touch()
    for name in (DEMO_FILE, DIGITS, CURVES):
        check_writable(folder / name)


def _write_records(folder: Path, configs: list[RunConfig], results: list[DemoResult], network: Network) -> None:
    """Write the records of all methods trained so far."""
    runs = [
        {
            "config": config.as_dict(),
            "correlation_before": result.correlation_before,
            "correlation_after": result.correlation_after,
            "history": [record.as_dict() for record in result.history],
        }
        for config, result in zip(configs, results, strict=False)
    ]
    record = {"versions": versions(), "device": network.backend.describe(), "blas": blas(), "runs": runs}
    replace_text(folder / DEMO_FILE, json.dumps(record, indent=1) + "\n")


def demo_table(results: list[DemoResult]) -> str:
    """Format the results as a table of at most 80 columns."""
    lines = [
        f"{'method':20}{'train':>9}{'test':>9}{'seconds':>10}   correlation of layer inputs",
        *(
            f"{METHODS[result.method].label:20}"
            f"{100 * result.history[-1].train_accuracy:7.1f} %{100 * result.history[-1].test_accuracy:7.1f} %"
            f"{sum(record.seconds for record in result.history):10.1f}   {_change(result)}"
            for result in results
        ),
    ]
    return "\n".join(lines)


def _change(result: DemoResult) -> str:
    if not METHODS[result.method].decorrelates:
        return f"{result.correlation_before:.3f} (not decorrelated)"
    return f"{result.correlation_before:.3f} -> {result.correlation_after:.3f}"

"""Estimate how much time and memory a run takes, from a few steps, an evaluation and a checkpoint."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np._cheap_decorrelation import RestingR, has_inputs_to_keep, has_room, kept_bytes
from copi_np._memory import bytes_of, check_training_fits, training_bytes
from copi_np.backend import Backend
from copi_np.checkpoint import Progress, save_progress
from copi_np.datasets import Dataset, Split
from copi_np.experiments.config import RunConfig
from copi_np.experiments.records import CHECKPOINT_FILE, HISTORY_FILE
from copi_np.experiments.runner import first_state, with_validation
from copi_np.network import Network
from copi_np.schedule import rates_of
from copi_np.steps import every_of
from copi_np.storage.jsonl import append_line
from copi_np.training import DeviceSplit, evaluate, monitored, to_device, train_epoch

MIB: Final = 2**20
PROGRAM: Final = 48 * MIB
"""Main memory that Python, NumPy and this package take, without any data."""
STILL: Final = 1e-9
"""Step size of the steps that are timed, so small that they change next to nothing."""
SHORTEST: Final = 0.2
"""Shortest time for which each part is measured, in seconds."""
FIRST_BATCHES: Final = 2
"""Batches that are timed first, to find out how many take long enough."""
EVALUATED: Final = (500, 4000)
"""Numbers of samples that are evaluated, to tell the time per sample from the time per call."""


class Estimate(NamedTuple):
    """The time and memory that a run will take, on an otherwise idle machine.

    Attributes
    ----------
    epochs : int                largest number of epochs left to train
    seconds : float             for all of them
    seconds_per_epoch : float   of an epoch in which all weights learn
    milliseconds_per_step : float
                                of one of its batches
    mebibytes : float           memory at the peak, of the GPU if there is one
    """

    epochs: int
    seconds: float
    seconds_per_epoch: float
    milliseconds_per_step: float
    mebibytes: float


def estimate(config: RunConfig, data: Dataset, backend: str | Backend = "auto", n_done: int = 0) -> Estimate:
    """Estimate the time and memory that a run takes.

    On the CPU this measures the processor time of this thread, which other programs hardly affect.

    Parameters
    ----------
    config : RunConfig
    data : Dataset              the data set ``config.dataset``
    backend : str or Backend
    n_done : int                epochs that are recorded already

    Raises
    ------
    BackendError                if network or data do not fit into memory
    """
    network, _ = first_state(config, backend)
    splits = with_validation(config, data).splits
    check_training_fits(network, sum(len(split.labels) for split in splits.values()))
    on_device = {name: to_device(network, split, data.n_classes) for name, split in splits.items()}
    train = on_device["train"]
    n_batches = -(-len(splits["train"].labels) // config.batch_size)
    kinds = Counter(_kind(rates_of(config.schedule, epoch)) for epoch in range(n_done + 1, config.epochs + 1))
    steps = {kind: _step_seconds(network, train, config.batch_size, kind) for kind in kinds}
    per_call, per_sample = _evaluation_seconds(network, train)
    rest = sum(per_call + per_sample * len(split.labels) for split in splits.values())
    rest += _seconds(network.backend, lambda: monitored(network, train))
    rest += _record_seconds(network) * (2 if config.val_fraction else 1)  # the best network is saved too
    slowest = max(steps.values(), default=0.0)
    return Estimate(
        epochs=kinds.total(),
        seconds=sum(n_epochs * (n_batches * steps[kind] + rest) for kind, n_epochs in kinds.items()),
        seconds_per_epoch=n_batches * slowest + rest,
        milliseconds_per_step=1e3 * slowest,
        mebibytes=(_bytes(network, data, splits) + _kept_bytes(network, train, kinds)) / MIB,
    )


def _kind(rates: Mapping[str, float]) -> tuple[bool, bool]:
    """Return whether the forward and the lateral weights learn, which is what a step's time depends on."""
    return rates["eta_W"] > 0, rates["eta_R"] > 0


def _step_seconds(network: Network, train: DeviceSplit, batch_size: int, kind: tuple[bool, bool]) -> float:
    """Time training steps of this kind; the weights hardly change."""
    eta_W, eta_R = (STILL * learns for learns in kind)
    rates, rng = {"eta_W": eta_W, "eta_R": eta_R, "delta_scale": 1.0}, np.random.default_rng(0)

    def epoch(n_batches: int) -> tuple[float, int]:
        """Time an epoch of the first batches; return its seconds per call, and how many batches there were."""
        rows = DeviceSplit(*(array[: n_batches * batch_size, :] for array in train))
        options: dict[str, Any] = {"rates": rates, "rng": rng, "batch_size": batch_size}
        options["x0"] = RestingR().inputs(network, rows.inputs, eta_R)
        seconds = _seconds(network.backend, lambda: train_epoch(network, rows, **options))
        return seconds, -(-int(rows.inputs.shape[0]) // batch_size)

    seconds, n_batches = epoch(FIRST_BATCHES)
    every = max(every_of(layer.lateral_step) for layer in network.layers)  # so that updates of R are in proportion
    seconds, n_batches = epoch(every * ceil(max(FIRST_BATCHES, SHORTEST * n_batches / seconds) / every))
    return seconds / n_batches


def _evaluation_seconds(network: Network, train: DeviceSplit) -> tuple[float, float]:
    """Return the seconds of an evaluation per call, in which W R is folded, and per sample."""

    def seconds(n_samples: int) -> float:
        rows = DeviceSplit(*(array[:n_samples, :] for array in train))
        return _seconds(network.backend, lambda: evaluate(network, *rows))

    few, many = (min(n, int(train.inputs.shape[0])) for n in EVALUATED)
    if few == many:
        return 0.0, seconds(many) / many
    per_sample = max(0.0, (seconds(many) - (of_few := seconds(few))) / (many - few))
    return max(0.0, of_few - few * per_sample), per_sample


def _record_seconds(network: Network) -> float:
    """Time the writing of an epoch's files, on the disk of the temporary folder."""
    with TemporaryDirectory() as folder:
        progress = Progress(network, {}, [], {})

        def write() -> None:
            save_progress(Path(folder) / CHECKPOINT_FILE, progress)
            append_line(Path(folder) / HISTORY_FILE, {})

        seconds = []
        for _ in range(3):  # the fastest: other programs use the disk too
            start = time.perf_counter()
            write()
            seconds.append(time.perf_counter() - start)
        return min(seconds)


def _seconds(backend: Backend, function: Callable[[], object]) -> float:
    """Return the mean time of a call, after a first one that does any one-time work."""
    n_calls, seconds = 0, 0.0
    function()
    while seconds < SHORTEST:
        backend.synchronize()
        start = _now(backend)
        function()
        backend.synchronize()
        seconds += max(_now(backend) - start, 1e-9)
        n_calls += 1
    return seconds / n_calls


def _now(backend: Backend) -> float:
    """Return the time of a clock: on the CPU, of this thread, which does not wait for other programs."""
    return time.thread_time() if backend.is_host else time.perf_counter()


def _bytes(network: Network, data: Dataset, splits: Mapping[str, Split]) -> int:
    """Return the bytes at the peak: of the GPU, or of main memory, which also holds the data as they were read."""
    n_samples = sum(len(split.labels) for split in splits.values())
    arrays = bytes_of(network) + training_bytes(network.plans, bytes_of(network), n_samples, network.dtype)
    if not network.backend.is_host:
        return arrays
    read = {id(split): split.inputs.nbytes for split in (*data.splits.values(), *splits.values())}  # shared ones once
    return PROGRAM + sum(read.values()) + arrays


def _kept_bytes(network: Network, train: DeviceSplit, kinds: Mapping[tuple[bool, bool], int]) -> int:
    """Return the bytes of the decorrelated inputs that are kept while R is frozen, see `RestingR`."""
    rests = has_inputs_to_keep(network.layers[0]) and not all(learns_R for _, learns_R in kinds)
    if not rests or not has_room(network, train.inputs):
        return 0
    return kept_bytes(network, train.inputs)

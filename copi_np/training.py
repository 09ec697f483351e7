"""The training loop (Algorithm 1): epochs of shuffled batches, evaluation, callbacks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np._cheap_decorrelation import RestingR, check_decorrelation_every
from copi_np._checks import check_count, check_rng
from copi_np._divergence import blame_weights, check_moments, check_weights, located, loss_limit
from copi_np._memory import check_training_fits
from copi_np._parts import describe
from copi_np.architecture import chunk_size
from copi_np.arrays import Array, first_rows, slices
from copi_np.backend import Backend
from copi_np.callbacks import Callback, CheckpointWriter
from copi_np.datasets import Dataset, Split, as_float, one_hot
from copi_np.datasets.dataset import check_dataset
from copi_np.errors import DivergenceError, InputError, shown
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.schedule import Schedule, rates_of
from copi_np.whitening import decorrelation_loss, second_moment

N_MONITORED: Final = 1000
"""Decorrelation of every layer's inputs is measured on the first training samples, this many."""


class DeviceSplit(NamedTuple):
    """A split on the network's device: inputs (N, I) and targets (N, K), one-hot for labels."""

    inputs: Array
    targets: Array


def to_device(network: Network, split: Split, n_classes: int) -> DeviceSplit:
    """Return a split on the device, in the network's dtype."""
    return DeviceSplit(
        network.backend.asarray(as_float(split.inputs, network.dtype), copy=False),
        network.backend.asarray(one_hot(split.labels, n_classes, network.dtype), copy=False),
    )


def fit(
    network: Network,
    data: Dataset,
    *,
    epochs: int,
    schedule: Schedule | Callable[[int], Mapping[str, float]],
    rng: np.random.Generator,
    batch_size: int = 50,
    callbacks: Sequence[Callback] = (),
    history: Sequence[EpochRecord] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> list[EpochRecord]:
    """Train a network.

    Training that was interrupted resumes from its checkpoint and gives the same result as an uninterrupted run: on the
    CPU, bit for bit. (Where R is frozen, only up to rounding, if there was memory to keep the decorrelated inputs in
    one of the two runs but not in the other.)

    Parameters
    ----------
    network : Network           changed in place
    data : Dataset              moved to the device once
    epochs : int                passes through the training samples, including those of `history`
    schedule : Schedule or function
                                step sizes; a function of the epoch, counted from 1, returns the keyword arguments of
                                `Network.step`, such as ``{"eta_W": 0.1, "eta_R": 0.01}``
    rng : numpy.random.Generator
                                shuffles the training samples, on the host
    batch_size : int            the last batch of an epoch may be smaller
    callbacks : sequence of Callback
                                notified in this order; one of them may end training
    history : sequence of EpochRecord
                                of the epochs already done with this network and rng; training continues from there
    checkpoint : path, optional
                                an .npz file, replaced after each epoch; the previous one is kept next to it
    resume : bool               resume from `checkpoint` if it exists: network, rng and history become what they were

    Returns
    -------
    history : list of EpochRecord
                                of all epochs so far

    Raises
    ------
    InputError                  if the data do not fit the network, a number is out of range, or the checkpoint belongs
                                to another training run, or exists and resume=False
    DataError                   if the checkpoint cannot be read or written
    BackendError                if the data do not fit into memory
    DivergenceError             as soon as training blows up; names epoch, batch, layer and the step size to lower
    """
    _check_fit(network, data, schedule, rng)
    epochs, batch_size = check_count("epochs", epochs), check_count("batch_size", batch_size)
    callbacks = _checked_callbacks(data, callbacks)
    records = _checked_history(history)
    if resume and checkpoint is None:
        raise InputError("resume=True needs a checkpoint to resume from: give checkpoint=PATH")
    if checkpoint is not None:
        writer = CheckpointWriter(checkpoint, rng, training_settings(data, schedule, batch_size))
        records = writer.begin(network, records, resume=resume)
        callbacks = [writer, *callbacks]
    check_training_fits(network, sum(len(split.labels) for split in data.splits.values()))
    network.scaling = data.scaling
    splits = {name: to_device(network, split, data.n_classes) for name, split in data.splits.items()}
    train, resting = splits["train"], RestingR()
    if len(records) < epochs:
        check_decorrelation_every(network, train.inputs, rates_of(schedule, len(records) + 1)["eta_R"])
    for callback in callbacks:
        callback.on_start(network, list(records))
    n_batches = -(-len(data.train.labels) // batch_size)
    for epoch in range(len(records) + 1, epochs + 1):
        if any(callback.stop for callback in callbacks):
            break
        start = time.perf_counter()
        rates = rates_of(schedule, epoch)
        x0 = resting.inputs(network, train.inputs, rates["eta_R"])
        with located(f"epoch {epoch}, ", batch_size):
            train_epoch(network, train, rates=rates, rng=rng, batch_size=batch_size, x0=x0, callbacks=callbacks)
            with located(f"batch {n_batches}: "):
                record = _evaluated(network, splits, epoch, start)
                check_losses(network, train, rates, (record.train_loss, record.test_loss, record.val_loss))
                check_moments(record.decorrelation_loss, network.dtype)
        records.append(record)
        for callback in callbacks:
            callback.on_epoch(network, record)
    return records


def training_settings(data: Dataset, schedule: Any, batch_size: int) -> dict[str, Any]:
    """Return what must stay the same when training resumes; the data by their content."""
    rates = asdict(schedule) if isinstance(schedule, Schedule) else {"schedule": describe(schedule)}
    return {**rates, "batch_size": batch_size, "data": data.fingerprint}


def train_epoch(
    network: Network,
    train: DeviceSplit,
    *,
    rates: dict[str, float],
    rng: np.random.Generator,
    batch_size: int = 50,
    sample_weight: Array | None = None,
    x0: Array | None = None,
    callbacks: Sequence[Callback] = (),
) -> float:
    """Train on all samples once, in a new order (Algorithm 1, lines 3 to 17).

    A loss that explodes stops training: on the CPU at once, in `Network.step`; on a device at the end of the epoch,
    since reading a value after every batch would make host and device wait for each other.

    Parameters
    ----------
    network : Network               changed in place
    train : DeviceSplit             on the network's device, in its dtype; the targets need not be one-hot
    rates : dict                    step sizes, as `Schedule.rates` gives them
    rng : numpy.random.Generator    shuffles the samples, on the host
    batch_size : int                the last batch may be smaller
    sample_weight : (N,) array or None
                                    how many times each sample counts, see `Network.step`
    x0 : (N, I) array or None       the inputs after the first layer's lateral weights, if known because R is frozen
    callbacks : sequence of Callback
                                    only their method `on_batch` is called

    Returns
    -------
    loss : float                    mean loss per sample, each taken before its batch updates the weights

    Raises
    ------
    InputError                      if the samples do not fit the network
    DivergenceError                 if training blows up; names batch, layer and the step size to lower
    """
    check_rng(rng)
    batch_size = check_count("batch_size", batch_size)
    xp, backend = network.backend.xp, network.backend
    n_samples = int(train.inputs.shape[0])
    _check_n_rows(backend, "targets", train.targets, n_samples)
    if x0 is not None:
        _check_n_rows(backend, "x0", x0, n_samples)
    if sample_weight is not None:
        _check_n_rows(backend, "sample_weight", sample_weight, n_samples)
        if not bool(xp.all(xp.isfinite(sample_weight) & (sample_weight >= 0))):  # once, not for every batch
            raise InputError("sample_weight holds negative, NaN or infinite values: give each sample 0 or more")
    order = backend.asarray(rng.permutation(n_samples))
    batches = list(slices(n_samples, batch_size))
    losses = []
    for batch, part in enumerate(batches, start=1):  # 3
        rows = order[part]
        inputs, targets = xp.take(train.inputs, rows, axis=0), xp.take(train.targets, rows, axis=0)
        weights = None if sample_weight is None else xp.take(sample_weight, rows, axis=0)
        x0_rows = None if x0 is None else xp.take(x0, rows, axis=0)
        with located(f"batch {batch}: "):
            losses.append(network.step(inputs, targets, **rates, sample_weight=weights, x0=x0_rows))
        for callback in callbacks:
            callback.on_batch(batch, len(batches))
    values = backend.to_host(xp.stack(losses))
    if not backend.is_host:
        exploded = np.flatnonzero(~(values <= loss_limit(backend, network.loss, train.targets)))
        if exploded.size:
            raise DivergenceError(f"batch {exploded[0] + 1}: {blame_weights(network.layers, rates, train.inputs)}")
    with located(f"batch {len(batches)}: "):
        check_weights(network.layers, rates, train.inputs)
    return float(np.average(values, weights=[part.stop - part.start for part in batches]))


def check_losses(network: Network, train: DeviceSplit, rates: dict[str, float], losses: Iterable[float | None]) -> None:
    """Raise a DivergenceError if a loss of an evaluation exploded; None stands for a split that there is not."""
    limit = loss_limit(network.backend, network.loss, train.targets)
    if not all(loss is None or loss <= limit for loss in losses):
        raise DivergenceError(blame_weights(network.layers, rates, train.inputs))


def _evaluated(network: Network, splits: dict[str, DeviceSplit], epoch: int, start: float) -> EpochRecord:
    """Evaluate all splits, and return the record of an epoch that began at `start`."""
    train = splits["train"]
    results = {name: evaluate(network, split.inputs, split.targets) for name, split in splits.items()}
    (train_accuracy, train_loss), (test_accuracy, test_loss) = results["train"], results["test"]
    val_accuracy, val_loss = results.get("validation", (None, None))
    decorrelation = monitored(network, train)
    seconds = round(time.perf_counter() - start, 3)
    return EpochRecord(
        epoch, train_accuracy, test_accuracy, train_loss, test_loss, decorrelation, seconds, val_accuracy, val_loss
    )


def monitored(network: Network, train: DeviceSplit) -> list[float]:
    """Return the decorrelation loss of every layer's inputs, on the first `N_MONITORED` training samples."""
    n_samples = min(N_MONITORED, chunk_size(network.plans))  # patches take more memory, and make more rows
    trace = network.forward(first_rows(train.inputs, n_samples))
    with np.errstate(over="ignore", invalid="ignore"):  # `check_moments` checks the result
        return [decorrelation_loss(second_moment(x)) for x in trace.x_of_units]


def evaluate(network: Network, inputs: Array, targets: Array) -> tuple[float, float]:
    """Return accuracy and mean loss on a set of samples.

    Parameters
    ----------
    network : Network
    inputs : (N, I) array       of the network's backend and dtype
    targets : (N, K) array      one-hot

    Returns
    -------
    accuracy : float            share of samples whose largest output is their class, 0 to 1
    loss : float                mean loss per sample
    """
    xp, backend = network.backend.xp, network.backend
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the loss
        outputs = network.predict(inputs)
        loss = backend.scalar(network.loss.mean(outputs, targets))
    correct = xp.argmax(outputs, axis=1) == xp.argmax(targets, axis=1)
    n_correct = backend.scalar(xp.sum(xp.astype(correct, xp.int64)))
    return n_correct / outputs.shape[0], loss


def _check_fit(network: Network, data: Dataset, schedule: Any, rng: np.random.Generator) -> None:
    """Raise an InputError unless the arguments of `fit` are valid, and the data fit the network."""
    if not isinstance(network, Network):
        raise InputError(f"network must be a copi_np.Network, got {shown(network)}")
    check_dataset(data)
    if not isinstance(schedule, Schedule):
        if not callable(schedule) or isinstance(schedule, type):
            example = "a Schedule, e.g. Schedule(eta=0.01), or a function of the epoch"
            raise InputError(f"schedule must be {example}, got {shown(schedule)}")
        rates_of(schedule, 1)  # fail before anything is computed
    check_rng(rng)
    need = (data.n_inputs, data.n_classes)
    have = (network.n_inputs, network.n_outputs)
    if need != have:
        raise InputError(
            f"the network takes {have[0]} inputs and gives {have[1]} outputs, but data set {data.name!r} has "
            f"{need[0]} features and {need[1]} classes: change the first or last layer size"
        )


def _check_n_rows(backend: Backend, what: str, array: Array, n_samples: int) -> None:
    """Raise an InputError unless there is one row per input: taking rows would hide surplus ones."""
    if not backend.owns(array):
        raise InputError(f"{what} must be an array of backend {backend.name!r}, got {type(array).__name__}")
    if array.ndim == 0 or array.shape[0] != n_samples:
        raise InputError(f"{what} must have one row per input, {n_samples} in all: got shape {tuple(array.shape)}")


def _checked_callbacks(data: Dataset, callbacks: Sequence[Callback]) -> list[Callback]:
    """Return the callbacks as a list, or raise an InputError if one is not a callback, or cannot use these data."""
    if not isinstance(callbacks, Iterable):
        raise InputError(f"callbacks must be a list of callbacks, got {shown(callbacks)}")
    checked = list(callbacks)
    for callback in checked:
        if not isinstance(callback, Callback):
            raise InputError(f"callbacks must derive from copi_np.callbacks.Callback, got {shown(callback)}")
        if callback.needs_validation and data.validation is None:
            raise InputError(
                f"{type(callback).__name__} selects on a validation split, which data set {data.name!r} does not have: "
                "train with hold_out(data, 0.1, rng)"
            )
    return checked


def _checked_history(history: Sequence[EpochRecord]) -> list[EpochRecord]:
    """Return the records as a new list, or raise an InputError unless they cover epochs 1, 2, .. without gaps."""
    records: list[Any] = list(history) if isinstance(history, Iterable) else [None]
    if any(not isinstance(record, EpochRecord) or record.epoch != k for k, record in enumerate(records, start=1)):
        raise InputError("history must hold the EpochRecords of epochs 1, 2, .. in order, as fit returned them")
    return records

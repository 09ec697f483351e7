"""Time how long methods take to reach an accuracy: in one process, in turns, so that a busy machine slows all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from copi_np._cheap_decorrelation import RestingR, check_decorrelation_every
from copi_np._checks import check_rate
from copi_np._memory import check_training_fits
from copi_np.backend import Backend, get_backend
from copi_np.datasets import Dataset
from copi_np.errors import InputError, choose, list_names, one_line
from copi_np.experiments.campaign import FAILURES
from copi_np.experiments.config import RunConfig
from copi_np.experiments.environment import blas, versions
from copi_np.experiments.runner import first_state, naming_own_lines, prepared
from copi_np.experiments.settings import described, varied
from copi_np.experiments.summary import statistic
from copi_np.experiments.tables import plus_minus
from copi_np.network import Network
from copi_np.schedule import rates_of
from copi_np.training import DeviceSplit, check_losses, evaluate, to_device, train_epoch

SPLITS: Final = {"train": "training", "validation": "validation", "test": "test"}
"""The splits whose accuracy can be the goal, as in "training accuracy"."""
LABEL_WIDTH: Final = 31
"""Columns for the labels of a table of 80 columns."""


@dataclass
class TimedRun:
    """A run, with the training time of each of its epochs and the accuracy after it.

    Attributes
    ----------
    config : RunConfig
    label : str                 the method, and its values of settings that vary, such as "COPI (BP), rest_R_after=3"
    seconds : list of float     of every epoch, without evaluation
    accuracies : list of float  after every epoch, 0 to 1
    failure : str               why training blew up; "" if it did not
    """

    config: RunConfig
    label: str
    seconds: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    failure: str = ""

    def epochs_to(self, accuracy: float | None) -> int | None:
        """Return after how many epochs the accuracy was first reached, or None."""
        if accuracy is None:
            return None
        return next((epoch for epoch, value in enumerate(self.accuracies, start=1) if value >= accuracy), None)

    def seconds_to(self, accuracy: float | None) -> float | None:
        """Return after how many seconds of training the accuracy was first reached, or None."""
        epochs = self.epochs_to(accuracy)
        return None if epochs is None else sum(self.seconds[:epochs])

    def as_dict(self, accuracy: float | None) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "label": self.label,
            "config": self.config.as_dict(),
            "epochs": self.epochs_to(accuracy),
            "seconds": self.seconds_to(accuracy),
            "by_epoch": {"seconds": self.seconds, "accuracy": self.accuracies},
            "failure": self.failure,
        }


class _Trainee:
    """A network in training, one epoch at a time."""

    def __init__(self, run: TimedRun, network: Network, rng: Any, splits: dict[str, DeviceSplit]) -> None:
        self.run, self.network, self.rng, self.splits = run, network, rng, splits
        self.resting = RestingR()

    def warm_up(self) -> None:
        """Do one-time work, such as compiling kernels, by a step of a copy."""
        config = self.run.config
        batch = DeviceSplit(*(array[: config.batch_size, :] for array in self.splits["train"]))
        rates, rng = rates_of(config.schedule, 1), np.random.default_rng(0)
        with suppress(*FAILURES), naming_own_lines(config):  # it fails again in training, and says so
            train_epoch(deepcopy(self.network), batch, rates=rates, rng=rng, batch_size=config.batch_size)

    def train(self, split: str) -> None:
        """Train for one epoch, and time it; then evaluate."""
        run, network, train = self.run, self.network, self.splits["train"]
        rates = rates_of(run.config.schedule, len(run.seconds) + 1)

        def epoch() -> None:
            x0 = self.resting.inputs(network, train.inputs, rates["eta_R"])
            train_epoch(network, train, rates=rates, rng=self.rng, batch_size=run.config.batch_size, x0=x0)

        try:
            with naming_own_lines(run.config):
                seconds = network.backend.seconds(epoch)
                accuracy, loss = evaluate(network, *self.splits[split])
            check_losses(network, train, rates, [loss])
        except FAILURES as error:  # the others go on
            run.failure = f"epoch {len(run.seconds) + 1}, {one_line(error)}"
            return
        run.seconds.append(seconds)
        run.accuracies.append(accuracy)


def time_to_accuracy(
    configs: Sequence[RunConfig],
    data: Dataset,
    accuracy: float | None,
    split: str = "test",
    backend: str | Backend = "auto",
    on_epoch: Callable[[TimedRun], None] = lambda run: None,
) -> list[TimedRun]:
    """Train networks until they reach an accuracy.

    Those with the same seed, validation samples, scaling and dtype take turns, one epoch at a time.

    Parameters
    ----------
    configs : sequence of RunConfig     each trains for ``config.epochs`` epochs at most
    data : Dataset                      the data set of the configurations
    accuracy : float or None            0 to 1; None: all train to the end
    split : {"train", "validation", "test"}
                                        the samples whose accuracy counts
    backend : str or Backend
    on_epoch : callable                 called after each epoch of a run, and after the one that failed

    Returns
    -------
    runs : list of TimedRun             in the order of `configs`; one that blew up says so in `failure`

    Raises
    ------
    InputError                          if an argument cannot be used
    BackendError                        if networks or data do not fit into memory
    """
    if accuracy is not None and not 0 < check_rate("accuracy", accuracy) <= 1:
        raise InputError(f"accuracy must be above 0 and at most 1, e.g. 0.95, got {accuracy}")
    choose("split", split, SPLITS)
    if split == "validation" and not all(config.val_fraction for config in configs):
        raise InputError("there is no validation split: hold out samples, e.g. val_fraction=0.1 (--val-fraction 0.1)")
    backend, names = get_backend(backend), varied(configs)
    runs = [TimedRun(config, list_names([config.label, *described(config, names)])) for config in configs]
    if len({(run.label, run.config.seed) for run in runs}) < len(runs):
        raise InputError(
            "two of these runs have the same label and seed: they differ in nothing that is compared, such as epochs "
            "or patience, or in parts of your own with the same name: give each once, or rename one"
        )
    alike: dict[Any, list[TimedRun]] = {}
    for run in runs:
        alike.setdefault((run.config.seed, run.config.val_fraction, run.config.scale, run.config.dtype), []).append(run)
    for run in runs:
        _check_first_step(run.config, data, backend)  # before anything is trained
    for group in alike.values():
        _train_in_turns(group, data, accuracy, split, backend, on_epoch)
    return runs


def _check_first_step(config: RunConfig, data: Dataset, backend: Backend) -> None:
    """Raise an InputError if R would diverge from the start, see `check_decorrelation_every`."""
    if config.decorrelation_every != 1:
        network, _ = first_state(config, backend)
        samples = prepared(config, data)
        train = to_device(network, samples.train, samples.n_classes)
        with naming_own_lines(config):
            check_decorrelation_every(network, train.inputs, rates_of(config.schedule, 1)["eta_R"])


def _train_in_turns(
    runs: Sequence[TimedRun],
    data: Dataset,
    accuracy: float | None,
    split: str,
    backend: Backend,
    on_epoch: Callable[[TimedRun], None],
) -> None:
    """Train runs that learn from the same samples, see `time_to_accuracy`."""
    splits, trainees = None, []
    for run in runs:
        network, rng = first_state(run.config, backend)
        if splits is None:
            samples = prepared(run.config, data)
            check_training_fits(network, sum(len(each.labels) for each in samples.splits.values()))
            splits = {name: to_device(network, each, samples.n_classes) for name, each in samples.splits.items()}
        trainees.append(_Trainee(run, network, rng, splits))
        trainees[-1].warm_up()
    while trainees:
        for trainee in trainees:
            trainee.train(split)
            on_epoch(trainee.run)
        trainees = [each for each in trainees if not _has_ended(each.run, accuracy)]
        trainees = trainees[1:] + trainees[:1]  # another one starts the next round


def _has_ended(run: TimedRun, accuracy: float | None) -> bool:
    return bool(run.failure) or len(run.seconds) >= run.config.epochs or run.epochs_to(accuracy) is not None


# ------------------------------------------------------------------------------------------------------- results


def as_record(runs: Sequence[TimedRun], accuracy: float | None, split: str, backend: Backend) -> dict[str, Any]:
    """Return the results as plain values, ready for JSON."""
    return {
        "accuracy": accuracy,
        "split": split,
        "backend": backend.name,
        "device": backend.describe(),
        "blas": blas(),
        "versions": versions(),
        "interrupted": not all(_has_ended(run, accuracy) for run in runs),
        "runs": [run.as_dict(accuracy) for run in runs],
    }


def by_label(runs: Sequence[TimedRun]) -> dict[str, list[TimedRun]]:
    """Return the runs of each label, one per seed."""
    found: dict[str, list[TimedRun]] = {}
    for run in runs:
        found.setdefault(run.label, []).append(run)
    return found


def curves_of(runs: Sequence[TimedRun]) -> dict[str, list[tuple[list[float], list[float]]]]:
    """Return the seconds and accuracies of every run by label, as `plotting.seconds_curves` draws them."""
    return {label: [(run.seconds, run.accuracies) for run in group] for label, group in by_label(runs).items()}


def ratios(runs: Sequence[TimedRun], others: Sequence[TimedRun], accuracy: float) -> list[float]:
    """Divide the seconds of runs by those of other runs with the same seeds, for pairs that both reach the accuracy."""
    theirs = {other.config.seed: other.seconds_to(accuracy) for other in others}
    pairs = [(run.seconds_to(accuracy), theirs.get(run.config.seed)) for run in runs]
    return [one / other for one, other in pairs if one is not None and other is not None]


def accuracy_table(runs: Sequence[TimedRun], accuracy: float, split: str) -> str:
    """Format the results for a terminal: means over seeds, and the ratios of seconds to the first method's.

    That is the first that reached the accuracy; the last line names it. A long label has a line of its own, so that 80
    columns are enough.
    """
    groups = by_label(runs)
    width = min(max(map(len, groups)) + 2, LABEL_WIDTH)
    first = next((each for each in groups.values() if any(run.epochs_to(accuracy) for run in each)), [])
    lines = [
        f"Until the {SPLITS[split]} accuracy reaches {100 * accuracy:.4g} %",
        f"{'':{width}}{'reached':>8}{'epochs':>13}{'seconds':>15}{'ratio':>13}",
    ]
    for label, group in groups.items():
        reached = [(epochs, run.seconds_to(accuracy)) for run in group if (epochs := run.epochs_to(accuracy))]
        cells = [f"{len(reached)} of {len(group)}"]
        if reached:
            cells += [plus_minus(statistic(values), 1) for values in zip(*reached, strict=True)]
            if pairs := ratios(group, first, accuracy):
                cells.append(plus_minus(statistic(pairs), 2))
        row = "".join(f"{cell:>{w}}" for cell, w in zip(cells, (8, 13, 15, 13), strict=False))
        lines += [f"{label:{width}}{row}"] if len(label) < width else [label, f"{'':{width}}{row}"]
        lines += [f"  {_shortfall(run)}" for run in group if run.epochs_to(accuracy) is None]
    if first:
        lines.append(f"ratio: seconds, divided by those of {first[0].label} with the same seed")
    return "\n".join(lines)


def _shortfall(run: TimedRun) -> str:
    """Say how far a run got that did not reach the accuracy."""
    if run.failure:
        return f"seed {run.config.seed}: {run.failure}"
    best, epochs = 100 * max(run.accuracies), f"{len(run.seconds)} epochs"
    if len(run.seconds) < run.config.epochs:
        epochs = f"the first {len(run.seconds)} of {run.config.epochs} epochs"
    return f"seed {run.config.seed}: {best:.1f} % at best in {epochs}, {sum(run.seconds):.1f} s"

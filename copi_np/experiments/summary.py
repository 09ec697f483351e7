"""Summarise many runs: groups of seeds, means and standard deviations, and comparisons seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np

from copi_np._parts import label as label_of
from copi_np.callbacks import best_epoch
from copi_np.experiments.config import NOT_FROM_TEXT, REPLACING, RunConfig
from copi_np.experiments.methods import METHODS, Method
from copi_np.experiments.own_parts import plain
from copi_np.experiments.records import RunRecord
from copi_np.experiments.settings import BOTH, setting, short, varied
from copi_np.history import EpochRecord

SHARE_OF_PEAK: Final = 0.99
"""The share of the highest training accuracy that `epochs_to_peak` waits for."""


def epochs_to_peak(history: Sequence[EpochRecord]) -> int:
    """Count the epochs until the training accuracy first reaches 99 % of its peak in this history."""
    peak = max(record.train_accuracy for record in history)
    return next(record.epoch for record in history if record.train_accuracy >= SHARE_OF_PEAK * peak)


QUANTITIES: Final[dict[str, Callable[[Sequence[EpochRecord]], float]]] = {
    "train_accuracy": lambda history: history[-1].train_accuracy,
    "test_accuracy": lambda history: history[-1].test_accuracy,
    "train_loss": lambda history: history[-1].train_loss,
    "test_loss": lambda history: history[-1].test_loss,
    "peak_train_accuracy": lambda history: max(record.train_accuracy for record in history),
    "peak_test_accuracy": lambda history: max(record.test_accuracy for record in history),
    "epochs_to_peak": epochs_to_peak,
    "seconds_per_epoch": lambda history: float(np.median([record.seconds for record in history])),
}
"""Summary of a history: the last epoch, the best of each split (chosen on that split, so the best test accuracy is
optimistic), the epochs to 99 % of the peak training accuracy, and the median time of an epoch."""

SELECTED: Final[dict[str, Callable[[Sequence[EpochRecord]], float]]] = {
    "selected_epoch": best_epoch,
    "selected_val_accuracy": lambda history: cast(float, history[best_epoch(history) - 1].val_accuracy),
    "selected_test_accuracy": lambda history: history[best_epoch(history) - 1].test_accuracy,
}
"""The same at the epoch that is best on the validation split, for histories that have one."""


class Statistic(NamedTuple):
    """Mean over seeds, and standard deviation between them (n - 1 in the denominator; None for a single seed)."""

    mean: float
    deviation: float | None


def statistic(values: Iterable[float]) -> Statistic:
    """Return mean and standard deviation of values, one per seed."""
    array = np.array(list(values), dtype=np.float64)
    return Statistic(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else None)


@dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed.

    Attributes
    ----------
    label : str                 the method, and whatever else distinguishes this group from others
    config : RunConfig          of the first run
    runs : tuple of RunRecord   the runs that statistics cover, by seed: as long as the longest one, or ended by their
                                patience; none that failed
    others : tuple of RunRecord shorter runs, and those that failed
    settings : dict             its values of the settings that vary between groups, see `settings.setting`
    grid : str                  the grid of a sweep that the runs belong to; "" if there is only one
    """

    label: str
    config: RunConfig
    runs: tuple[RunRecord, ...]
    others: tuple[RunRecord, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    grid: str = ""

    @property
    def n_epochs(self) -> int:
        """Recorded epochs of each of `runs`; of the shortest, where patience ended them."""
        return min(map(len, self.histories))

    @property
    def quantities(self) -> dict[str, Callable[[Sequence[EpochRecord]], float]]:
        """The quantities of these histories: `QUANTITIES`, and with a validation split also `SELECTED`."""
        return QUANTITIES | SELECTED if self.config.val_fraction else QUANTITIES

    @property
    def histories(self) -> list[list[EpochRecord]]:
        """One history per seed."""
        return [run.history for run in self.runs]

    @property
    def head(self) -> dict[str, Any]:
        """The label, and grid and settings if there are any, ready for JSON."""
        others = {"grid": self.grid, "settings": self.settings}
        return {"label": self.label} | {name: value for name, value in others.items() if value}

    def statistic(self, quantity: str) -> Statistic:
        """Return mean and standard deviation over seeds of one of `quantities`."""
        return statistic(self.quantities[quantity](history) for history in self.histories)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON: the configuration, the seeds, and every quantity by seed."""
        quantities = {}
        for name, quantity in self.quantities.items():
            by_seed = [quantity(history) for history in self.histories]
            quantities[name] = statistic(by_seed)._asdict() | {"by_seed": by_seed}
        config = {name: value for name, value in self.config.as_dict().items() if name not in ("seed", "epochs")}
        seeds = [run.config.seed for run in self.runs]
        return {**self.head, "config": config, "seeds": seeds, "epochs": self.n_epochs, **quantities}


def group_runs(runs: Iterable[RunRecord], names: Sequence[str] | None = None, grid: str = "") -> list[Group]:
    """Group runs that differ only in their seed, in the order of `METHODS`; a group may have no run with a result.

    Parameters
    ----------
    runs : iterable of RunRecord
    names : sequence of str, optional   the settings that groups report; default: those in which the runs differ
    grid : str                          the grid that the runs belong to
    """
    families: dict[Any, list[RunRecord]] = {}
    for run in runs:
        same = run.config.without_folders()
        kind = replace(same, seed=0, epochs=1, patience=0, dataset=Path(run.config.dataset).stem)
        families.setdefault((kind, run.description.get("data_sha256")), []).append(run)
    kinds = sorted(families, key=lambda key: (*_rank(key[0]), str(key[1])))
    if names is None:
        names = varied(config for config, _ in kinds)
    labels = _labels(kinds, {name: BOTH[name] for name in names if name in BOTH})
    groups = []
    for key, label in zip(kinds, labels, strict=True):
        members = sorted(families[key], key=lambda run: run.config.seed)
        sound = [run for run in members if run.history and not run.failure]
        longest = max((len(run.history) for run in sound), default=0)
        full = [run for run in sound if len(run.history) == longest or run.ended_early]
        taken = {run.folder for run in full}
        others = [run for run in members if run.folder not in taken]
        config = (full or others)[0].config
        settings = {name: setting(config, name) for name in names}
        groups.append(Group(label, config, tuple(full), tuple(others), settings, grid))
    return groups


def _rank(config: RunConfig) -> tuple[Any, ...]:
    """Return a key to sort groups by: first in the order of `METHODS`, then your own methods, then by settings."""
    order, values = list(METHODS), config.as_dict()
    place = len(order) if isinstance(config.method, Method) else order.index(config.method)
    settings = [values.get(field.name, getattr(config, field.name)) for field in fields(config)]
    return place, list(map(_sortable, settings))


def _sortable(value: Any) -> tuple[Any, ...]:
    """Return a setting so that it compares with others: None, then numbers, then text; layers one by one."""
    if isinstance(value, (list, tuple)):
        return 1, list(map(_sortable, value))
    return (2, str(value)) if isinstance(value, (str, dict)) else (value is not None, value or 0)


def _code(config: RunConfig) -> str:
    """Return the SHA-256 of the code of all parts of your own: of files, then of objects."""
    return config.code_sha256 + config.source_sha256


def _labels(kinds: Sequence[tuple[RunConfig, str | None]], together: Mapping[str, tuple[str, str]]) -> list[str]:
    """Label each group by its method, and by whatever else distinguishes it from groups of the same method.

    `together` maps the settings that stand for two equal step sizes to their names.
    """
    labels = []
    for kind, data_sha256 in kinds:
        same = [other for other in kinds if other[0].method == kind.method]
        names = [
            field.name
            for field in fields(RunConfig)
            if len({getattr(other, field.name) for other, _ in same}) > 1
            # these are in the label already
            and not (field.name in (*REPLACING, "bias", *NOT_FROM_TEXT) or field.name in kind.own_parts)
        ]
        if "layers" in names:  # which show whether there are images
            names = [name for name in names if name != "image_shape"]
        for eta, (of_W, of_R) in together.items():
            names = [eta if name == of_W else name for name in names if name != of_R or not kind.parts.decorrelates]
        parts = [f"{name}={short(getattr(kind, BOTH.get(name, (name,))[0]))}" for name in names]
        if kind.own_schedule is not None:
            parts.append(f"schedule {label_of(plain(kind.own_schedule))}")
        alike = [other for other, _ in same if (other.label, other.own_schedule) == (kind.label, kind.own_schedule)]
        if len(set(map(_code, alike))) > 1:  # several versions of a part
            parts.append(f"code={_code(kind)[:8]}")
        if len({sha for other, sha in same if other.dataset == kind.dataset}) > 1:  # several files of this name
            parts.append(f"data={str(data_sha256)[:8]}")
        labels.append(", ".join([kind.label, *parts]))
    return labels


class Comparison(NamedTuple):
    """How far one group is ahead of another in test accuracy, seed by seed, at the last epoch that both have."""

    label: str
    other: str
    epoch: int
    difference: Statistic
    n_ahead: int
    n_seeds: int


def compare(group: Group, other: Group) -> Comparison | None:
    """Compare two groups over the seeds that both have; None if they share no seed."""
    epoch = min(group.n_epochs, other.n_epochs)
    theirs = {run.config.seed: run.history[epoch - 1].test_accuracy for run in other.runs}
    differences = [
        run.history[epoch - 1].test_accuracy - theirs[run.config.seed]
        for run in group.runs
        if run.config.seed in theirs
    ]
    if not differences:
        return None
    n_ahead = sum(difference > 0 for difference in differences)
    return Comparison(group.label, other.label, epoch, statistic(differences), n_ahead, len(differences))

"""Diagnostics of a run, recorded after every epoch in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from copi_np._checks import check_count
from copi_np.architecture import chunk_size
from copi_np.callbacks import Callback
from copi_np.datasets import Dataset, Split
from copi_np.diagnostics import RANKS, SHARES, LayerDiagnostics, diagnose
from copi_np.errors import DataError, brief
from copi_np.experiments.records import MOVE_AWAY
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.schedule import rates_of
from copi_np.storage.jsonl import append_line, read_lines, write_lines
from copi_np.storage.untrusted import check_number, check_numbers
from copi_np.training import N_MONITORED, to_device

DIAGNOSTICS_FILE: Final = "diagnostics.jsonl"
LENGTHS: Final = {"power_before": len(SHARES), "power": len(SHARES), "spectrum": len(RANKS)}
"""Length of each list in `LayerDiagnostics`."""
OPTIONAL: Final = ("angle", "spectrum", "log_volume", "asymmetry", "natural_cosine")
"""Fields of `LayerDiagnostics` that may be None."""


@dataclass(frozen=True)
class EpochDiagnostics:
    """The measurements after one epoch; epoch 0 is the untrained network."""

    epoch: int
    layers: list[LayerDiagnostics]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, ready for JSON."""
        return asdict(self)


class DiagnosticsRecorder(Callback):
    """Callback that measures a network before training and after every epoch, on the first `N_MONITORED` samples.

    `read_diagnostics` reads the numbers, `copi_np.plotting.diagnostic_curves` draws them.

    Parameters
    ----------
    folder : path       where diagnostics.jsonl is written
    data : Dataset
    schedule : Schedule or function, optional
                        as for `fit`: the step that the network would take on these samples is measured too, with the
                        step sizes of the epoch that has just ended (before training, those of the first)

    Raises
    ------
    DataError           from `fit`, if earlier measurements cannot be read, or the file cannot be written
    """

    def __init__(self, folder: str | Path, data: Dataset, schedule: Any = None) -> None:
        self.path = Path(folder) / DIAGNOSTICS_FILE
        self.sample = Split(data.train.inputs[:N_MONITORED], data.train.labels[:N_MONITORED])
        self.n_classes = data.n_classes
        self.schedule = schedule

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Drop the measurements of later epochs; measure the latest epoch if its measurement is missing."""
        epoch = len(history)
        snapshots = read_diagnostics(self.path.parent) if epoch else []
        kept = [snapshot for snapshot in snapshots if snapshot.epoch <= epoch]
        write_lines(self.path, [snapshot.as_dict() for snapshot in kept])
        if not kept or kept[-1].epoch < epoch:
            self._measure(network, epoch)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Measure the network after an epoch."""
        self._measure(network, record.epoch)

    def _measure(self, network: Network, epoch: int) -> None:
        n_samples = min(N_MONITORED, chunk_size(network.plans))
        sample = Split(self.sample.inputs[:n_samples], self.sample.labels[:n_samples])
        rates = None if self.schedule is None else rates_of(self.schedule, max(epoch, 1))
        layers = diagnose(network, *to_device(network, sample, self.n_classes), rates)
        append_line(self.path, EpochDiagnostics(epoch, layers).as_dict())


def read_diagnostics(folder: str | Path) -> list[EpochDiagnostics]:
    """Read the diagnostics in a run's folder, one per epoch; an empty list if none were recorded.

    Raises
    ------
    DataError       if they cannot be read
    """
    path = Path(folder) / DIAGNOSTICS_FILE
    try:
        return [_epoch_diagnostics(line) for line in read_lines(path, MOVE_AWAY)]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged ({brief(error)}): move it away") from None


def _epoch_diagnostics(line: dict[str, Any]) -> EpochDiagnostics:
    """Check a line of the file, so that its numbers can be drawn."""
    check_count("epoch", line["epoch"], minimum=0)
    layers = [LayerDiagnostics(**layer) for layer in line["layers"]]
    for layer in layers:
        for name, value in vars(layer).items():
            if value is None and name in OPTIONAL:
                continue
            if name in LENGTHS:
                check_numbers(name, value, LENGTHS[name])
            else:
                check_number(name, value)
    return EpochDiagnostics(line["epoch"], layers)

"""Records of epochs, and the callback that does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from copi_np.errors import InputError
from copi_np.network import Network
from copi_np.reading import check_number, check_numbers


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to; evaluated after it, on all samples.

    Attributes
    ----------
    epoch : int                         counted from 1
    train_accuracy, test_accuracy : float
                                        share of samples whose largest output is their class, 0 to 1
    train_loss, test_loss : float       mean loss of a sample
    decorrelation_loss : list of float  of every layer's inputs x, see `whitening.decorrelation_loss`; measured on the
                                        first `N_MONITORED` training samples
    seconds : float                     wall-clock time of the epoch, evaluation included
    val_accuracy, val_loss : float or None
                                        of the validation split, if the data have one
    """

    epoch: int
    train_accuracy: float
    test_accuracy: float
    train_loss: float
    test_loss: float
    decorrelation_loss: list[float]
    seconds: float
    val_accuracy: float | None = None
    val_loss: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain values, ready for JSON; without what there is not."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_record(values: dict[str, Any]) -> EpochRecord:
    """A record out of a file, checked: whoever draws it may rely on its numbers.

    Raises
    ------
    TypeError, ValueError       if something is missing, too much, or no finite number
    """
    record = EpochRecord(**values)
    for name, value in values.items():
        if name == "decorrelation_loss":
            check_numbers(name, value)
        else:
            check_number(name, value)
    return record


def another_training(path: Path) -> InputError:
    """The error for a file that is there, and not what this training would have written."""
    what = "it is of another training, or of later epochs"
    return InputError(f"{path} exists already: {what}, so move it away, or choose another path")


class Callback:
    """Told of what happens in training; override what you need.

    Attributes
    ----------
    stop : bool                 set it, and no further epoch begins
    needs_validation : bool     whether it is of no use without a validation split, see `copi_np.datasets.hold_out`
    """

    stop: bool = False
    needs_validation: bool = False

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Called once everything is checked, before the first batch; with the epochs that are done already."""

    def on_batch(self, batch: int, n_batches: int) -> None:
        """Called after each batch, counted from 1 in every epoch."""

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Called after each epoch, once it is evaluated."""

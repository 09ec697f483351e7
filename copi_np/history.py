"""The record of one epoch of training, and how it is written to files and read back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from copi_np.storage.untrusted import check_number, check_numbers


@dataclass(frozen=True)
class EpochRecord:
    """The results of one epoch, evaluated on all samples after it.

    Attributes
    ----------
    epoch : int                         counted from 1
    train_accuracy, test_accuracy : float
                                        share of samples whose largest output is their class, 0 to 1
    train_loss, test_loss : float       mean loss per sample
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
        """Return the record as plain values, ready for JSON, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_record(values: dict[str, Any]) -> EpochRecord:
    """Return a record read from a file, with its numbers checked.

    Raises
    ------
    TypeError, ValueError       if a value is missing, unknown, or not a finite number
    """
    record = EpochRecord(**values)
    for name, value in values.items():
        if name == "decorrelation_loss":
            check_numbers(name, value)
        else:
            check_number(name, value)
    return record

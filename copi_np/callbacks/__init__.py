"""Callbacks, which `fit` calls during training: ``fit(.., callbacks=[..])``.

To write your own, derive from `Callback` and override the methods you need.
"""

from copi_np.callbacks.base import Callback
from copi_np.callbacks.checkpoints import CheckpointWriter, ResumeError
from copi_np.callbacks.live import LivePlot
from copi_np.callbacks.logs import CSVLog, TensorBoardLog
from copi_np.callbacks.selection import BestCheckpoint, EarlyStopping, best_epoch
from copi_np.history import EpochRecord, read_record

__all__ = [
    "BestCheckpoint",
    "CSVLog",
    "Callback",
    "CheckpointWriter",
    "EarlyStopping",
    "EpochRecord",
    "LivePlot",
    "ResumeError",
    "TensorBoardLog",
    "best_epoch",
    "read_record",
]

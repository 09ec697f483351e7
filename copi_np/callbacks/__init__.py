"""Callbacks are told of training as it goes: ``fit(.., callbacks=[..])``.

A callback of your own derives from `Callback` and overrides what it needs.
"""

from copi_np.callbacks.base import Callback
from copi_np.callbacks.checkpoints import CheckpointWriter
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
    "TensorBoardLog",
    "best_epoch",
    "read_record",
]

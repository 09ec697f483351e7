"""Write histories for other programs: as comma-separated values, and for TensorBoard."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Self

from copi_np.callbacks.base import Callback, another_training
from copi_np.errors import InputError, explain_os_errors
from copi_np.history import EpochRecord
from copi_np.network import Network
from copi_np.storage.atomic import append_text, check_free, check_writable, replace_text
from copi_np.storage.untrusted import exists, open_file


def flat_record(record: EpochRecord) -> dict[str, float]:
    """Flatten a record into single numbers: "decorrelation_loss_0", .. are the layers' decorrelation losses."""
    values = record.as_dict()
    by_layer = values.pop("decorrelation_loss")
    return values | {f"decorrelation_loss_{k}": value for k, value in enumerate(by_layer)}


class CSVLog(Callback):
    """Callback that writes comma-separated values, one row per epoch, for spreadsheets and R.

    Parameters
    ----------
    path : path         the file; when training resumes, it is rewritten with all epochs

    Raises
    ------
    InputError          from `fit`, if the file exists before the first epoch, or later belongs to another training run
    DataError           from `fit`, if it cannot be written
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Write the epochs done so far."""
        check_writable(self.path)
        if not history:
            check_free(self.path)
            return
        content = _rows(map(flat_record, history), header=True)
        self._check_own(content.encode())
        replace_text(self.path, content)

    def _check_own(self, content: bytes) -> None:
        """Raise an InputError unless the file holds a part of `content`, or one more row if its writer was killed."""
        if not exists(self.path):
            return
        with open_file(self.path, "choose another path") as file:
            found = file.read()
        more = found.removeprefix(content)
        if not content.startswith(found) and (more == found or b"\n" in more[:-1]):
            raise another_training(self.path)

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Add a row."""
        append_text(self.path, _rows([flat_record(record)], header=record.epoch == 1))


def _rows(records: Iterable[dict[str, float]], *, header: bool) -> str:
    text = StringIO()
    records = list(records)
    writer = csv.DictWriter(text, records[0], lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


class TensorBoardLog(Callback):
    """Callback that writes the history for TensorBoard (extra ``tensorboard``); use it in a ``with`` statement.

    ``tensorboard --logdir FOLDER`` shows it. Runs in subfolders are shown together.

    Parameters
    ----------
    folder : path       of this run, created if missing; when training resumes, epochs logged after the checkpoint are
                        replaced

    Raises
    ------
    InputError          if tensorboardX is not installed
    DataError           from `fit`, if the folder cannot be written
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            import tensorboardX  # noqa: F401  # imported here only to fail before training
        except ImportError:
            raise InputError("TensorBoardLog needs tensorboardX: pip install 'copi-np[tensorboard]'") from None
        self.folder = Path(folder)
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Open the file; TensorBoard drops epochs later than the history."""
        from tensorboardX import SummaryWriter

        self._close()  # the writer of an earlier training run
        with explain_os_errors("write", self.folder):
            # without a suffix, a second writer in the same second would use the same file
            self._writer = SummaryWriter(
                str(self.folder),
                purge_step=len(history) + 1 if history else None,
                filename_suffix=f".from{len(history) + 1}",
            )

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Write the numbers of an epoch, such as "accuracy/train" and "decorrelation_loss/layer_0"."""
        with explain_os_errors("write", self.folder):
            for name, value in flat_record(record).items():
                if name != "epoch":
                    self._writer.add_scalar(_tag(name), value, record.epoch)
            self._writer.flush()

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with explain_os_errors("write", self.folder):
                writer.close()


def _tag(name: str) -> str:
    """Return a name with a slash: TensorBoard groups panels by the part before it."""
    head, _, tail = name.rpartition("_")
    if head == "decorrelation_loss":
        return f"{head}/layer_{tail}"
    return f"{tail}/{head}" if head else name

"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Folder(click.Path):
    """A folder to write to."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Refuse the empty name, which would mean the current folder."""
        if value == "":
            self.fail("the name of the folder is empty", parameter, context)
        return super().convert(value, parameter, context)


backend_option = click.option(
    "--backend", default="auto", show_default=True, help="numpy, cupy, or auto: a GPU where one works."
)
# the environment variable is left to `copi_np.datasets`: an old value must not fail a command that needs no data
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one sub-folder per data set.  [default: $COPI_NP_DATA]",
)


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads of BLAS; more are faster for wide layers on an idle machine.",
)

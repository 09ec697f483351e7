"""Learning curves that grow in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from copi_np.callbacks.base import Callback
from copi_np.errors import InputError, warn_if_it_fails
from copi_np.history import EpochRecord
from copi_np.network import Network


class LivePlot(Callback):
    """Callback that redraws the learning curves after each epoch, in the output of a notebook cell.

    Parameters
    ----------
    label : str         the network's name in the legend
    title : str, optional

    Raises
    ------
    InputError          from `fit`, outside a notebook

    Warns
    -----
    CopiWarning         if the curves cannot be drawn; training continues
    """

    def __init__(self, label: str = "network", title: str | None = None) -> None:
        self.label = label
        self.title = title
        self.history: list[EpochRecord] = []
        self._display: Any = None

    def on_start(self, network: Network, history: Sequence[EpochRecord]) -> None:
        """Draw the epochs done so far."""
        if not _in_notebook():
            raise InputError("LivePlot draws in a Jupyter notebook: elsewhere, plot what fit returns")
        self.history = list(history)
        self._display = None  # a second training run gets its own picture
        if history:
            self._draw()

    def on_epoch(self, network: Network, record: EpochRecord) -> None:
        """Draw the epoch."""
        self.history.append(record)
        self._draw()

    def _draw(self) -> None:
        with warn_if_it_fails("no live plot"):
            from IPython.display import Image, display

            from copi_np.plotting import learning_curves  # imports matplotlib

            file = BytesIO()
            learning_curves({self.label: self.history}, self.title).savefig(file, format="png")
            picture = Image(data=file.getvalue())
            if self._display is None:
                self._display = display(picture, display_id=True)
            else:
                self._display.update(picture)


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")

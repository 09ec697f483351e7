"""What goes on in the layers of a network while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from copi_np.diagnostics import RANKS, SHARES, LayerDiagnostics
from copi_np.plotting.style import STYLE, colours


def diagnostic_curves(
    epochs: Sequence[int], layers: Sequence[Sequence[LayerDiagnostics]], title: str | None = None
) -> Figure:
    """Six panels: alignment, correlation, decorrelation loss, variances, asymmetry and the spectrum of R, by layer.

    Parameters
    ----------
    epochs : sequence of int        (E,), 0 for the untrained network
    layers : sequence               (E, L) diagnostics, one for each layer, at each of these epochs
    title : str, optional

    Returns
    -------
    figure : Figure                 panels of R are empty for a network without lateral weights
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 6), layout="constrained")
        if title is not None:
            figure.suptitle(title)
        panels = figure.subplots(2, 3)
        (angle, correlation, loss), (power, asymmetry, spectrum) = panels
        for k, colour in enumerate(colours(len(layers[0]))):
            path = [moment[k] for moment in layers]
            line = {"color": colour, "marker": ".", "label": f"layer {k + 1}"}
            _plot(angle, epochs, [each.angle for each in path], **line)
            _plot(correlation, epochs, [each.correlation for each in path], **line)
            _plot(correlation, epochs, [each.correlation_before for each in path], color=colour, linestyle=":")
            _plot(loss, epochs, [each.decorrelation_loss for each in path], **line)
            _band(power, epochs, np.array([each.power for each in path]), **line)
            _plot(asymmetry, epochs, [each.asymmetry for each in path], **line)
            last = path[-1].spectrum
            if last is not None:
                spectrum.plot(RANKS, last, **line)
        _label(panels)
        handles, labels = correlation.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _label(panels: Any) -> None:
    (angle, correlation, loss), (power, asymmetry, spectrum) = panels
    angle.set(title="angle to backpropagation", ylabel="degrees", ylim=(-3, 93), yticks=(0, 30, 60, 90))
    correlation.set(title="correlation of inputs (dotted: before R)", ylabel="mean absolute")
    correlation.set_ylim(bottom=0)
    loss.set(title="decorrelation loss", yscale="log")
    power.set(title="mean square of x (median; 25 to 75 %)", yscale="log")
    asymmetry.set(title="asymmetry of R", ylabel="‖R - Rᵀ‖ / ‖R‖")
    asymmetry.set_ylim(bottom=0)
    spectrum.set(title="singular values of R, last epoch", xlabel="relative rank", yscale="log")
    for axes in (angle, correlation, loss, power, asymmetry):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)


def _plot(axes: Any, epochs: Sequence[int], values: Sequence[float | None], **line: Any) -> None:
    """A curve with gaps where there is no value; nothing without any."""
    if any(value is not None for value in values):
        axes.plot(epochs, [np.nan if value is None else value for value in values], **line)


def _band(axes: Any, epochs: Sequence[int], quantiles: Any, **line: Any) -> None:
    low, middle, high = (quantiles[:, SHARES.index(share)] for share in (0.25, 0.5, 0.75))
    axes.plot(epochs, middle, **line)
    axes.fill_between(epochs, low, high, color=line["color"], alpha=0.15, linewidth=0)

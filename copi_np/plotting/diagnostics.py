"""Draw how the layers of a network change while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter, StrMethodFormatter

from copi_np.diagnostics import RANKS, SHARES, LayerDiagnostics
from copi_np.plotting.style import FIGURE_WIDTH, StyledFigure, legend_below, looks, own_style, title_above


def diagnostic_curves(
    epochs: Sequence[int], layers: Sequence[Sequence[LayerDiagnostics]], title: str | None = None
) -> Figure:
    """Draw six panels, by layer: alignment, correlation, decorrelation loss, variances, asymmetry and spectrum of R.

    Parameters
    ----------
    epochs : sequence of int        (E,), 0 for the untrained network
    layers : sequence               (E, L) diagnostics, of each layer at each of these epochs
    title : str, optional

    Returns
    -------
    figure : Figure                 without lateral weights, the panels of R say so
    """
    with own_style():
        figure = StyledFigure(figsize=(FIGURE_WIDTH, 5.9), layout="constrained")
        title_above(figure, title)
        panels = figure.subplots(2, 3)
        for k, look in enumerate(looks(len(layers[0]), len(epochs))):
            _draw_layer(panels, epochs, [snapshot[k] for snapshot in layers], label=f"layer {k + 1}", **look)
        _label(panels)
        (angle, correlation, _), (_, asymmetry, spectrum) = panels
        _scale_angles(angle)
        if spectrum.lines:
            asymmetry.set_ylim(bottom=0)
            _scale_spectrum(spectrum)
            correlation.plot([], [], ":", color="gray", label="before R")
        else:
            _mark_empty(asymmetry)
            _mark_empty(spectrum)
        handles, labels = correlation.get_legend_handles_labels()
        legend_below(figure, handles, labels)
    return figure


def _draw_layer(panels: Any, epochs: Sequence[int], path: Sequence[LayerDiagnostics], **line: Any) -> None:
    """Draw one layer into all panels, in the same style and with the same label."""
    (angle, correlation, loss), (power, asymmetry, spectrum) = panels
    _plot(angle, epochs, [each.angle for each in path], **line)
    _plot(correlation, epochs, [each.correlation for each in path], **line)
    before = [each.correlation_before for each in path]
    correlation.plot(epochs, before, color=line["color"], linestyle=":")
    _plot(loss, epochs, [each.decorrelation_loss for each in path], **line)
    _band(power, epochs, np.array([each.power for each in path]), **line)
    _plot(asymmetry, epochs, [each.asymmetry for each in path], **line)
    if path[-1].spectrum is not None:
        spectrum.plot(RANKS, path[-1].spectrum, **line | {"markevery": looks(1, len(RANKS))[0]["markevery"]})


def _label(panels: Any) -> None:
    (angle, correlation, loss), (power, asymmetry, spectrum) = panels
    angle.set(title="angle to backpropagation", ylabel="degrees")
    correlation.set(title="correlation of inputs x", ylabel="mean absolute")
    correlation.set_ylim(bottom=0)
    loss.set(title="decorrelation loss of x", yscale="log")
    power.set(title="mean square of x", ylabel="median, and 25 to 75 %", yscale="log")
    asymmetry.set(title="asymmetry of R", ylabel="‖R - Rᵀ‖ / ‖R‖")
    spectrum.set(title="singular values of R", xlabel="relative rank, last epoch")
    for axes in (angle, correlation, loss, power, asymmetry):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)


def _mark_empty(axes: Any) -> None:
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
    axes.text(0.5, 0.5, "no lateral weights", transform=axes.transAxes, ha="center", color="gray")


def _scale_angles(axes: Any) -> None:
    """Show 0 to 90 degrees, with a line at 90, and more if a signal points away from backpropagation's."""
    axes.axhline(90, color="gray", linestyle="--", linewidth=1)
    axes.set_ylim(-3, max(93, axes.dataLim.y1 + 3))
    axes.yaxis.set_major_locator(MultipleLocator(30))


def _scale_spectrum(axes: Any) -> None:
    """Use a logarithmic axis with plain numbers: singular values often span less than a decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _plot(axes: Any, epochs: Sequence[int], values: Sequence[float | None], **line: Any) -> None:
    """Draw a curve with gaps where values are None, or nothing if all are."""
    if any(value is not None for value in values):
        axes.plot(epochs, [np.nan if value is None else value for value in values], **line)


def _band(axes: Any, epochs: Sequence[int], quantiles: Any, **line: Any) -> None:
    low, middle, high = (quantiles[:, SHARES.index(share)] for share in (0.25, 0.5, 0.75))
    axes.plot(epochs, middle, **line)
    axes.fill_between(epochs, low, high, color=line["color"], alpha=0.12, linewidth=0)
    for edge in (low, high):  # so that overlapping bands can be told apart
        axes.plot(epochs, edge, color=line["color"], linewidth=0.6)

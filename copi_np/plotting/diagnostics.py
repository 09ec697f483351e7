"""Draw how the layers of a network change while it learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter, StrMethodFormatter

from copi_np.diagnostics import RANKS, SHARES, LayerDiagnostics
from copi_np.plotting.style import FIGURE_WIDTH, StyledFigure, legend_below, looks, own_style, title_above


def diagnostic_curves(
    epochs: Sequence[int], layers: Sequence[Sequence[LayerDiagnostics]], title: str | None = None
) -> Figure:
    """Draw a panel per quantity, with a curve per layer: angle to backpropagation, correlation, decorrelation loss,
    variances, asymmetry and spectrum of R, and if it was recorded, alignment with the natural step.

    Parameters
    ----------
    epochs : sequence of int        (E,), 0 for the untrained network
    layers : sequence               (E, L) diagnostics, of each layer at each of these epochs
    title : str, optional

    Returns
    -------
    figure : Figure                 without lateral weights, the panels of R say so
    """
    rows: list[Any] = [["angle", "correlation", "loss"], ["power", "asymmetry", "spectrum"]]
    if any(each.natural_cosine is not None for snapshot in layers for each in snapshot):
        rows = [["angle", "cosine", *rows[0][1:]], [*rows[1], "."]]
    with own_style():
        figure = StyledFigure(figsize=(FIGURE_WIDTH * len(rows[0]) / 3, 5.9), layout="constrained")
        title_above(figure, title)
        panels = figure.subplot_mosaic(rows)
        for k, look in enumerate(looks(len(layers[0]), len(epochs))):
            _draw_layer(panels, epochs, [snapshot[k] for snapshot in layers], label=f"layer {k + 1}", **look)
        _label(panels)
        _scale_angles(panels["angle"])
        if panels["spectrum"].lines:
            panels["asymmetry"].set_ylim(bottom=0)
            _scale_spectrum(panels["spectrum"])
            panels["correlation"].plot([], [], ":", color="gray", label="before R")
        else:
            _mark_empty(panels["asymmetry"])
            _mark_empty(panels["spectrum"])
        handles, labels = panels["correlation"].get_legend_handles_labels()
        legend_below(figure, handles, labels)
    return figure


def _draw_layer(
    panels: Mapping[str, Any], epochs: Sequence[int], path: Sequence[LayerDiagnostics], **line: Any
) -> None:
    """Draw one layer into all panels, in the same style and with the same label."""
    curves: dict[str, Sequence[float | None]] = {
        "angle": [each.angle for each in path],
        "cosine": [each.natural_cosine for each in path],
        "correlation": [each.correlation for each in path],
        "loss": [each.decorrelation_loss for each in path],
        "asymmetry": [each.asymmetry for each in path],
    }
    for name in panels.keys() & curves.keys():
        _plot(panels[name], epochs, curves[name], **line)
    before = [each.correlation_before for each in path]
    panels["correlation"].plot(epochs, before, color=line["color"], linestyle=":")
    _band(panels["power"], epochs, np.array([each.power for each in path]), **line)
    if path[-1].spectrum is not None:
        markers = {"markevery": looks(1, len(RANKS))[0]["markevery"]}
        panels["spectrum"].plot(RANKS, path[-1].spectrum, **line | markers)


def _label(panels: Mapping[str, Any]) -> None:
    panels["angle"].set(title="angle to backpropagation", ylabel="degrees")
    if "cosine" in panels:
        panels["cosine"].set(title="step of W R with natural step", ylabel="cosine")
    panels["correlation"].set(title="correlation of inputs x", ylabel="mean absolute")
    panels["correlation"].set_ylim(bottom=0)
    panels["loss"].set(title="decorrelation loss of x", yscale="log")
    panels["power"].set(title="mean square of x", ylabel="median, and 25 to 75 %", yscale="log")
    panels["asymmetry"].set(title="asymmetry of R", ylabel="‖R - Rᵀ‖ / ‖R‖")
    panels["spectrum"].set(title="singular values of R", xlabel="relative rank, last epoch")
    for name in panels.keys() - {"spectrum"}:
        panels[name].set_xlabel("epoch")
        panels[name].xaxis.get_major_locator().set_params(integer=True)


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

"""Labels at the ends of curves, in place of a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

LINE_HEIGHT: Final = 1.25
"""Distance of two labels, in font sizes."""
PLACE: Final = 1.04
"""Where labels begin, as a share of the width of the axes."""


def label_ends(axes: Any) -> None:
    """Write the label of every curve on the right of the axes, at the height of its last point.

    Labels that would overlap are moved apart, and a thin line leads from each to its curve. Curves without a label stay
    as they are. The scale and the limits of the axes must be set before.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    """
    axes.figure.draw_without_rendering()  # where a point is drawn depends on the layout
    to_share = axes.transData + axes.transAxes.inverted()
    labelled = [(line, np.asarray(line.get_xydata())) for line in axes.get_lines() if line.get_label()[:1] != "_"]
    drawn = [(line, points[np.isfinite(points).all(axis=1)]) for line, points in labelled]
    ends = {line: np.clip(to_share.transform(points[-1]), 0, 1) for line, points in drawn if len(points)}
    size = axes.xaxis.label.get_size()
    gap = LINE_HEIGHT * size / 72 * axes.figure.dpi / axes.bbox.height
    for (line, end), height in zip(ends.items(), apart([end[1] for end in ends.values()], gap), strict=True):
        thin = {"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2}
        place = {"xycoords": "axes fraction", "verticalalignment": "center", "annotation_clip": False}
        text = axes.annotate(line.get_label(), end, (PLACE, height), arrowprops=thin, **place)
        text.set(color=line.get_color(), size=size)


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights until neighbours differ by at least `gap`, with the least squared distance moved."""
    order = np.argsort(heights, kind="stable")
    groups: list[list[float]] = []  # neighbours that touch move together: isotonic regression of heights - rank * gap
    for rank, i in enumerate(order):
        groups.append([heights[i] - rank * gap])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    moved = [float(np.mean(group)) for group in groups for _ in group]
    return [moved[rank] + rank * gap for rank in np.argsort(order)]

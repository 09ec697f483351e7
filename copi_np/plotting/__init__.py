"""The figures of the paper in matplotlib, in one style.

Functions return a `matplotlib.figure.Figure` that is not shown and not part of pyplot's global state.
"""

from copi_np.plotting.curves import learning_curves
from copi_np.plotting.diagnostics import diagnostic_curves
from copi_np.plotting.files import figure_format, save_figure
from copi_np.plotting.labels import label_ends
from copi_np.plotting.representations import as_picture, compression_curves, field_blocks, image_rows
from copi_np.plotting.seconds import seconds_curves
from copi_np.plotting.settings import setting_curves
from copi_np.plotting.style import (
    COLOURS,
    FIGURE_WIDTH,
    MARKERS,
    STYLE,
    StyledFigure,
    legend_below,
    looks,
    own_style,
    title_above,
)

__all__ = [
    "COLOURS",
    "FIGURE_WIDTH",
    "MARKERS",
    "STYLE",
    "StyledFigure",
    "as_picture",
    "compression_curves",
    "diagnostic_curves",
    "field_blocks",
    "figure_format",
    "image_rows",
    "label_ends",
    "learning_curves",
    "legend_below",
    "looks",
    "own_style",
    "save_figure",
    "seconds_curves",
    "setting_curves",
    "title_above",
]

"""Figure 3 of several seeds, from their records: tables of compression and layers, and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from copi_np.errors import InputError
from copi_np.experiments.figure3 import MAPS, QUANTITIES, ROWS, measures_of, pictures_of
from copi_np.experiments.methods import METHODS
from copi_np.experiments.records import read_run
from copi_np.experiments.summary import Statistic, statistic
from copi_np.experiments.tables import markdown_table, percent, plus_minus

NDArray = npt.NDArray[Any]
ABOUT_COMPRESSION: Final = (
    "Layers from the second on, replaced by one matrix without retraining, in {} of these networks: by the formula of "
    "Appendix B, and by least squares for comparison."
)
ABOUT_LAYERS: Final = (
    "The layers of these networks as trained: mean absolute correlation of their inputs x; likeness of the receptive "
    "fields of their units to the class that each fits best (cosine, median of sizes); units against their class."
)


class CompressionRow(NamedTuple):
    """Networks with so many layers replaced by one matrix: means and standard deviations over seeds."""

    linear_map: str
    replaced: int
    train_accuracy: Statistic
    test_accuracy: Statistic
    train_loss: Statistic
    test_loss: Statistic


class LayerRow(NamedTuple):
    """One layer of the networks as trained, counted from 1: means and standard deviations over seeds."""

    layer: int
    correlation: Statistic
    likeness: Statistic
    against: Statistic


def layer_table(run_folders: Iterable[str | Path]) -> list[LayerRow]:
    """How decorrelated the inputs of each layer are, and how digit-like the fields of its units.

    Parameters and errors are those of `compression_table`.
    """
    records = _records(run_folders)
    names = ("correlations", "likeness", "against")
    n_layers = len(records[0]["correlations"]) if records else 0
    return [
        LayerRow(k + 1, *(statistic(record[name][k] for record in records) for name in names)) for k in range(n_layers)
    ]


def compression_table(run_folders: Iterable[str | Path]) -> list[CompressionRow]:
    """What compression comes to over seeds: a row for each of `MAPS` and each number of layers, from 0 on.

    Parameters
    ----------
    run_folders : paths     runs that differ in nothing but their seed; those without a record are left out

    Raises
    ------
    InputError              if the networks have different numbers of layers
    DataError               if a record cannot be read
    """
    curves = _curves(run_folders)
    return [
        CompressionRow(name, replaced, *(statistic(by_quantity[quantity][:, replaced]) for quantity in QUANTITIES))
        for name, by_quantity in curves.items()
        for replaced in range(by_quantity[QUANTITIES[0]].shape[1])
    ]


def draw_figure3(
    folder: str | Path, run_folders: Iterable[str | Path], suffix: str = "", title: str | None = None
) -> list[Path]:
    """Draw fig3a.png, fig3b.png and fig3c.png, as far as there are records for them.

    Pictures are of images alone; there is no curve of compression for a single layer, behind which is nothing to
    replace; and a method without lateral weights has no row of decorrelated samples.

    Parameters
    ----------
    folder : path           where the figures go
    run_folders : paths     runs that differ in nothing but their seed: pictures are of the first that has some, and
                            compression is over all that have it on record
    suffix : str            behind fig3a, fig3b and fig3c
    title : str, optional   above each figure

    Returns
    -------
    files : list of Path    what was written

    Raises
    ------
    InputError              if the networks have different numbers of layers
    DataError               if a record cannot be read, or a file cannot be written
    """
    from matplotlib import rc_context  # slow to load

    from copi_np.plotting import compression_curves, field_blocks, image_rows, save_figure
    from copi_np.plotting.style import STYLE, TITLE_INCHES, title_above

    folder, runs = Path(folder), [Path(run) for run in run_folders]
    figures = {}
    with_pictures = ((run, pictures) for run in runs if (pictures := pictures_of(run)) is not None)
    for run, pictures in islice(with_pictures, 1):
        image_shape = tuple(int(side) for side in pictures["image_shape"])
        figures["fig3a"] = image_rows(_samples(run, pictures), image_shape)
        fields = [array for name, array in pictures.items() if name.startswith("fields_")]
        labels = [f"layer {k}" for k in range(1, len(fields))] + ["output layer"]
        figures["fig3b"] = field_blocks(dict(zip(labels, fields, strict=True)), image_shape)
    curves = _curves(runs)
    if curves and curves["formula"]["test_accuracy"].shape[1] > 1:
        test, train, loss = (
            {name: by_quantity[quantity] for name, by_quantity in curves.items()}
            for quantity in ("test_accuracy", "train_accuracy", "test_loss")
        )
        figures["fig3c"] = compression_curves(test, train, loss)
    with rc_context(STYLE):
        for figure in figures.values() if title else ():
            figure.set_figheight(figure.get_figheight() + TITLE_INCHES)
            title_above(figure, title)
    return [save_figure(figure, folder / f"{name}{suffix}.png") for name, figure in figures.items()]


def _samples(run: Path, pictures: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The rows of Figure 3A, by label."""
    method = METHODS[read_run(run).config.method]
    labels = {name: method.label if name == "COPI" else name for name in ROWS if name != "COPI" or method.decorrelates}
    return {label: pictures[name] for name, label in labels.items()}


def _curves(run_folders: Iterable[str | Path]) -> dict[str, dict[str, NDArray]]:
    """For each of `MAPS`, the `QUANTITIES` (S, K) of S runs with 0 to K - 1 layers replaced; empty without records."""
    records = _records(run_folders)
    return {
        name: {quantity: np.array([record[name][quantity] for record in records]) for quantity in QUANTITIES}
        for name in MAPS
        if records
    }


def _records(run_folders: Iterable[str | Path]) -> list[dict[str, Any]]:
    """What `measure_figure3` returned for these runs, where it is on record; or an error if their depths differ."""
    records = [record for record in map(measures_of, map(Path, run_folders)) if record is not None]
    lengths = {len(record["correlations"]) for record in records}
    if len(lengths) > 1:
        raise InputError(f"networks of {sorted(lengths)} layers: choose runs that differ by seed alone")
    return records


def figure3_parts(folders: Sequence[Path]) -> list[str]:
    """Compression and layers as tables in Markdown; parameters and errors are those of `compression_table`."""
    rows = [
        [
            str(row.replaced),
            row.linear_map if row.replaced else "as trained",
            *(percent(accuracy) for accuracy in (row.train_accuracy, row.test_accuracy)),
            plus_minus(row.test_loss, 4),
        ]
        for row in compression_table(folders)
        if row.replaced or row.linear_map == "formula"
    ]
    layers = [
        [str(row.layer), plus_minus(row.correlation, 4), plus_minus(row.likeness, 2), percent(row.against)]
        for row in layer_table(folders)
    ]
    compression = [
        ABOUT_COMPRESSION.format(len(folders)),
        markdown_table(["layers replaced", "matrix", "train %", "test %", "test loss"], rows),
    ]
    return [
        *(compression if len(rows) > 1 else []),
        ABOUT_LAYERS,
        markdown_table(["layer", "correlation", "likeness", "against %"], layers),
    ]

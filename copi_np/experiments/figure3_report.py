"""Figure 3 over several seeds, from their records: tables of compression and layers, and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np.arrays import NDArray
from copi_np.errors import InputError
from copi_np.experiments.figure3 import BY_LAYER, MAPS, QUANTITIES, ROWS, Figure3
from copi_np.experiments.figures import write_figure
from copi_np.experiments.records import RunRecord
from copi_np.experiments.summary import Statistic, statistic
from copi_np.experiments.tables import markdown_table, percent, plus_minus

ABOUT_COMPRESSION: Final = (
    "Layers from the second on, replaced by one matrix without retraining, in {} of these networks: by the formula of "
    "Appendix B, and by least squares for comparison."
)
ABOUT_LAYERS: Final = (
    "The layers of these networks as trained: mean absolute correlation of their inputs x; likeness of their units' "
    "receptive fields to the class that each matches best (cosine, median of absolute values); share of units with a "
    "negative likeness."
)


class CompressionRow(NamedTuple):
    """Networks with this many layers replaced by one matrix: means and standard deviations over seeds."""

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


def layer_table(records: Iterable[Figure3]) -> list[LayerRow]:
    """Return how decorrelated the inputs of each layer are, and how digit-like its units.

    Parameters and errors are those of `compression_table`.
    """
    measures = _measures(records)
    n_layers = len(measures[0]["correlations"]) if measures else 0
    return [
        LayerRow(k + 1, *(statistic(each[name][k] for each in measures) for name in BY_LAYER)) for k in range(n_layers)
    ]


def compression_table(records: Iterable[Figure3]) -> list[CompressionRow]:
    """Return the results of compression: one row for each of `MAPS` and each number of replaced layers, from 0 on.

    Parameters
    ----------
    records : iterable of Figure3   of runs that differ only in their seed; those without measures are left out

    Raises
    ------
    InputError                      if the networks have different numbers of layers
    """
    curves = _curves(records)
    return [
        CompressionRow(name, replaced, *(statistic(by_quantity[quantity][:, replaced]) for quantity in QUANTITIES))
        for name, by_quantity in curves.items()
        for replaced in range(by_quantity[QUANTITIES[0]].shape[1])
    ]


def draw_figure3(
    folder: str | Path, records: Sequence[Figure3], suffix: str = "", title: str | None = None
) -> list[Path]:
    """Draw fig3a.png, fig3b.png and fig3c.png, where records allow.

    Pictures are drawn only of images, a row of decorrelated samples only for methods with lateral weights, and a curve
    of compression only for networks of several layers.

    Parameters
    ----------
    folder : path                   where the figures go
    records : sequence of Figure3   of runs that differ only in their seed: pictures are those of the first run that has
                                    some, compression covers all runs that have measures
    suffix : str                    added to the names fig3a, fig3b and fig3c
    title : str, optional           above each figure

    Returns
    -------
    files : list of Path            the files written

    Raises
    ------
    InputError                      if the networks have different numbers of layers

    Warns
    -----
    CopiWarning                     if a figure cannot be drawn or written
    """
    files = []

    def write(name: str, kind: str, *contents: Any) -> None:
        files.extend(write_figure(Path(folder) / f"{name}{suffix}.png", kind, *contents, title=title))

    pictured = ((record.run, record.pictures) for record in records if record.pictures is not None)
    for run, pictures in islice(pictured, 1):
        image_shape = tuple(int(side) for side in pictures["image_shape"])
        write("fig3a", "image_rows", _samples(run, pictures), image_shape)
        fields = [array for name, array in pictures.items() if name.startswith("fields_")]
        labels = [f"layer {k}" for k in range(1, len(fields))] + ["output layer"]
        write("fig3b", "field_blocks", dict(zip(labels, fields, strict=True)), image_shape)
    curves = _curves(records)
    if curves and curves["formula"]["test_accuracy"].shape[1] > 1:
        test, train, loss = (
            {name: by_quantity[quantity] for name, by_quantity in curves.items()}
            for quantity in ("test_accuracy", "train_accuracy", "test_loss")
        )
        write("fig3c", "compression_curves", test, train, loss)
    return files


def _samples(run: RunRecord, pictures: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Return the rows of Figure 3A, by label."""
    method = run.config.parts
    labels = {name: method.label if name == "COPI" else name for name in ROWS if name != "COPI" or method.decorrelates}
    return {label: pictures[name] for name, label in labels.items()}


def _curves(records: Iterable[Figure3]) -> dict[str, dict[str, NDArray]]:
    """Return for each of `MAPS` the `QUANTITIES` (S, K) of S runs with 0 to K - 1 layers replaced; {} without runs."""
    measures = _measures(records)
    return {
        name: {quantity: np.array([each[name][quantity] for each in measures]) for quantity in QUANTITIES}
        for name in MAPS
        if measures
    }


def _measures(records: Iterable[Figure3]) -> list[dict[str, Any]]:
    """Return the recorded measures; raise an InputError if the networks have different numbers of layers."""
    measures = [record.measures for record in records if record.measures is not None]
    lengths = {len(each["correlations"]) for each in measures}
    if len(lengths) > 1:
        raise InputError(f"networks of {sorted(lengths)} layers: choose runs that differ only in their seed")
    return measures


def figure3_parts(records: Sequence[Figure3]) -> list[str]:
    """Return compression and layers as tables in Markdown; parameters and errors are those of `compression_table`."""
    rows = [
        [
            str(row.replaced),
            row.linear_map if row.replaced else "as trained",
            *(percent(accuracy) for accuracy in (row.train_accuracy, row.test_accuracy)),
            plus_minus(row.test_loss, 4),
        ]
        for row in compression_table(records)
        if row.replaced or row.linear_map == "formula"
    ]
    layers = [
        [str(row.layer), plus_minus(row.correlation, 4), plus_minus(row.likeness, 2), percent(row.against)]
        for row in layer_table(records)
    ]
    compression = [
        ABOUT_COMPRESSION.format(len(records)),
        markdown_table(["layers replaced", "matrix", "train %", "test %", "test loss"], rows),
    ]
    return [
        *(compression if len(rows) > 1 else []),
        ABOUT_LAYERS,
        markdown_table(["layer", "correlation", "likeness", "against %"], layers),
    ]

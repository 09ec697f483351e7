"""Learning curves (Figure 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from copi_np.plotting.style import STYLE, colours
from copi_np.training import EpochRecord


def learning_curves(histories: Mapping[str, Sequence[EpochRecord]]) -> Figure:
    """Accuracy and loss by epoch, train dashed and test solid (Figure 2); accuracy from the second epoch on in full.

    Parameters
    ----------
    histories : mapping         from a method's label to its history

    Returns
    -------
    figure : Figure
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        accuracy, loss = figure.subplots(1, 2)
        for (label, history), colour in zip(histories.items(), colours(len(histories)), strict=True):
            epochs = [record.epoch for record in history]
            for split, line in (("train", "--"), ("test", "-")):
                percent = [100 * getattr(record, f"{split}_accuracy") for record in history]
                losses = [getattr(record, f"{split}_loss") for record in history]
                name = label if split == "test" else None
                accuracy.plot(epochs, percent, line, color=colour, label=name)
                loss.plot(epochs, losses, line, color=colour)
        accuracy.plot([], [], "-", color="gray", label="test")
        accuracy.plot([], [], "--", color="gray", label="train")
        # the first epoch, at chance where only R learns, would leave no room for the rest
        later = [100 * record.test_accuracy for history in histories.values() for record in history[1:]]
        accuracy.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(min(later) - 2, 100.5) if later else (0, 100.5))
        loss.set(xlabel="epoch", ylabel="loss per sample", yscale="log")
        for axes in (accuracy, loss):
            axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    return figure

"""Train a PyTorch MLP with Adam, with and without decorrelated inputs, on mnist-5k.

    pip install 'copi-np[torch]'
    python benchmarks/decorrelated_adam.py --out results/surveys/torch-adam.json

prints the test accuracy after every epoch, mean and standard deviation over the seeds. The model is PyTorch's own, and
so are loss and optimizer; the only difference is one line, ``decorrelate_(model, eta)``.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import click
import torch
from torch import nn

from copi_np.datasets import as_float, load_dataset
from copi_np.torch import decorrelate_, fold_

SIZES = (784, 200, 200, 10)


def mlp() -> nn.Sequential:
    """Return a network of PyTorch's, with its own initial weights."""
    layers: list[nn.Module] = [nn.Linear(SIZES[0], SIZES[1]), nn.ReLU(), nn.Linear(SIZES[1], SIZES[2]), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(SIZES[2], SIZES[3]))


def train(eta: float | None, learning_rate: float, seed: int, epochs: int) -> tuple[list[float], float]:
    """Return the test accuracy after every epoch, and seconds per epoch; R learns with `eta` unless it is None."""
    data = load_dataset("mnist-5k")
    x, labels, x_test, labels_test = (
        torch.as_tensor(each)
        for split in (data.train, data.test)
        for each in (as_float(split.inputs, "float32"), split.labels.astype("int64"))
    )
    torch.manual_seed(seed)
    model = mlp()
    if eta is not None:
        decorrelate_(model, eta)
    adam = torch.optim.Adam(model.parameters(), learning_rate)
    accuracies, start = [], time.perf_counter()
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(50):
            adam.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), labels[rows]).backward()
            adam.step()
        model.eval()
        with torch.no_grad():
            accuracies.append(float((model(x_test).argmax(dim=1) == labels_test).float().mean()))
    seconds = (time.perf_counter() - start) / epochs
    if eta is not None:
        fold_(model)
        with torch.no_grad():
            folded = float((model(x_test).argmax(dim=1) == labels_test).float().mean())
        assert abs(folded - accuracies[-1]) < 2e-3
    return accuracies, seconds


@click.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--eta", "etas", type=float, multiple=True, default=(1e-3, 1e-2), show_default=True, help="Of R.")
@click.option("--learning-rate", "rates", type=float, multiple=True, default=(1e-4, 1e-3), show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file for the record.")
def main(seeds: int, epochs: int, etas: tuple[float, ...], rates: tuple[float, ...], out: Path | None) -> None:
    """Compare Adam alone with Adam on decorrelated inputs."""
    torch.set_num_threads(1)
    rows = []
    for learning_rate in rates:
        for eta in (None, *etas):
            runs = [train(eta, learning_rate, seed, epochs) for seed in range(seeds)]
            means = [100 * statistics.mean(of_epoch) for of_epoch in zip(*(run for run, _ in runs), strict=True)]
            last = [100 * run[-1] for run, _ in runs]
            deviation = statistics.stdev(last) if seeds > 1 else 0.0
            rows.append(
                {"learning_rate": learning_rate, "eta": eta, "mean_by_epoch": means, "deviation_of_last": deviation}
                | {"seconds_per_epoch": statistics.median(seconds for _, seconds in runs)}
            )
            what = "Adam" if eta is None else f"Adam, R learns with {eta:g}"
            click.echo(f"lr {learning_rate:g}, {what}: " + " ".join(f"{mean:.2f}" for mean in means))
    record = {"dataset": "mnist-5k", "sizes": SIZES, "seeds": seeds, "torch": torch.__version__, "rows": rows}
    if out is not None:
        out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Train the same network in PyTorch with Adam until it reaches an accuracy, as ``copi-np bench --to-accuracy`` does.

    pip install 'copi-np[benchmarks]'
    python benchmarks/pytorch_accuracy.py --accuracy 0.95 --split train --dataset mnist --eta 1e-3

prints the seconds and the accuracy of every epoch as JSON. Samples, layers, initial distribution, loss and constants of
Adam are those of method ``bp-adam``; the step is PyTorch's own, and only training is timed.
"""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import click
import torch
from torch import nn

from copi_np.datasets import Dataset, Split, as_float, load_dataset
from copi_np.experiments.config import RunConfig
from copi_np.experiments.options import config_from_options
from copi_np.experiments.runner import prepared

LEAK = 0.1


def network(sizes: tuple[int, ...]) -> nn.Sequential:
    """Return layers with the leaky ReLU and no biases, and weights drawn as `copi_np.network.glorot_normal` does."""
    layers: list[nn.Module] = []
    for n_inputs, n_outputs in pairwise(sizes):
        layers += [nn.Linear(n_inputs, n_outputs, bias=False), nn.LeakyReLU(LEAK)]
        nn.init.xavier_normal_(layers[-2].weight)
    return nn.Sequential(*layers)


def tensors(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs (N, I) and labels (N,)."""
    inputs = torch.as_tensor(as_float(split.inputs, "float32"))  # images as 0 to 1
    return inputs, torch.as_tensor(split.labels, dtype=torch.int64)


def train_epoch(model: nn.Sequential, adam: torch.optim.Adam, samples: tuple[torch.Tensor, ...], batch: int) -> None:
    """Train on all samples once, in a new order."""
    inputs, targets = samples
    for rows in torch.randperm(len(inputs)).split(batch):
        adam.zero_grad(set_to_none=True)
        loss = (targets[rows] - model(inputs[rows])).square().sum(dim=1).mean()
        loss.backward()
        adam.step()


def accuracy_of(model: nn.Sequential, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of samples whose largest output is their class."""
    with torch.no_grad():
        return float((model(inputs).argmax(dim=1) == labels).float().mean())


def timed(config: RunConfig, data: Dataset, accuracy: float, split: str) -> tuple[list[float], list[float]]:
    """Return the seconds of every epoch, and the accuracy after it, until it is reached."""
    torch.manual_seed(config.seed)
    model = network(config.layers)
    adam = torch.optim.Adam(model.parameters(), lr=config.eta_W, betas=(0.9, 0.99), eps=1e-8)
    splits = {name: tensors(each) for name, each in prepared(config, data).splits.items()}
    inputs, labels = splits["train"]
    samples = inputs, nn.functional.one_hot(labels, data.n_classes).float()
    seconds: list[float] = []
    accuracies: list[float] = []
    while len(seconds) < config.epochs and max(accuracies, default=0.0) < accuracy:
        start = time.perf_counter()
        train_epoch(model, adam, samples, config.batch_size)
        seconds.append(time.perf_counter() - start)
        accuracies.append(accuracy_of(model, *splits[split]))
    return seconds, accuracies


@click.command()
@click.option("--accuracy", type=float, required=True)
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True)
@click.option("--dataset", required=True)
@click.option("--preset", help="As for copi-np train.")
@click.option("--eta", "eta_w", type=float, help="Step size of Adam.  [default: as in the preset]")
@click.option("--epochs", type=int, help="At most.  [default: as in the preset]")
@click.option("--val-fraction", type=float, help="Share of the training samples to hold out.")
@click.option("--seed", default=0, show_default=True)
@click.option("--data-dir", type=click.Path(path_type=Path))
@click.option("--threads", default=1, show_default=True)
def main(accuracy: float, split: str, data_dir: Path | None, threads: int, **options: object) -> None:
    """Train, and print the result as JSON."""
    torch.set_num_threads(threads)
    config, data = config_from_options({**options, "method": "bp-adam"}, lambda name: load_dataset(name, data_dir))
    seconds, accuracies = timed(config, data, accuracy, split)
    reached = bool(accuracies) and accuracies[-1] >= accuracy
    record = {
        "tool": f"PyTorch {torch.__version__}",
        "accuracy": accuracy,
        "split": split,
        "config": config.as_dict(),
        "epochs": len(seconds) if reached else None,
        "seconds": sum(seconds) if reached else None,
        "by_epoch": {"seconds": seconds, "accuracy": accuracies},
    }
    click.echo(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()

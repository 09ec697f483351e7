"""The same training step in PyTorch, twice: written down directly, and tuned by hand.

    python benchmarks/pytorch.py --network cifar10 --kind tuned --seconds 1

prints the milliseconds per step as JSON. It needs PyTorch, but not this package; `benchmarks/compare.py` runs it in
turns with `benchmarks/own.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise

import torch

NETWORKS = {"mnist": (784, 500, 500, 500, 10), "cifar10": (3072, 1000, 1000, 10)}
ETA = 1e-6
LEAK = 0.1


class Straight:
    """COPI with backpropagated errors, one line per equation, and a new tensor for every result."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.Ws = [torch.randn(o, i) * (2 / (i + o)) ** 0.5 for i, o in pairwise(sizes)]
        self.Rs = [torch.eye(i) for i in sizes[:-1]]

    def step(self, y0: torch.Tensor, targets: torch.Tensor) -> None:
        """Algorithm 1 of the paper."""
        B = len(y0)
        y, xs, activations = y0, [], []
        for W, R in zip(self.Ws, self.Rs, strict=True):
            x = y @ R.T
            a = x @ W.T
            y = torch.where(a > 0, a, LEAK * a)
            xs.append(x)
            activations.append(a)
        slopes = [torch.where(a > 0, 1.0, LEAK) for a in activations]
        deltas = [2 * (targets - y) * slopes[-1]]
        for k in range(len(self.Ws) - 1, 0, -1):
            deltas.insert(0, (deltas[0] @ self.Ws[k] @ self.Rs[k]) * slopes[k - 1])
        for k, (x, a, delta) in enumerate(zip(xs, activations, deltas, strict=True)):
            W, R, power = self.Ws[k], self.Rs[k], (x * x).mean(dim=0)
            self.Ws[k] = W + ETA * ((a + delta).T @ x / B - W * power)
            self.Rs[k] = R - ETA * (x.T @ (x @ R) / B - power[:, None] * R)


class Tuned:
    """The same with preallocated buffers, products added in place, and one product with R for inputs and errors."""

    def __init__(self, sizes: tuple[int, ...], batch_size: int) -> None:
        self.Ws = [torch.randn(o, i) * (2 / (i + o)) ** 0.5 for i, o in pairwise(sizes)]
        self.Rs = [torch.eye(i) for i in sizes[:-1]]
        # rows of x, then rows of delta W: both are multiplied by R
        self.stacked = [torch.empty(2 * batch_size, i) for i in sizes[:-1]]
        self.times_R = [torch.empty(2 * batch_size, i) for i in sizes[:-1]]
        self.a = [torch.empty(batch_size, o) for o in sizes[1:]]
        self.y = [torch.empty(batch_size, o) for o in sizes[1:]]

    def step(self, y0: torch.Tensor, targets: torch.Tensor) -> None:
        """Algorithm 1 of the paper."""
        B, n_layers, y = len(y0), len(self.Ws), y0
        for k in range(n_layers):
            x = self.stacked[k][:B]
            torch.mm(y, self.Rs[k].T, out=x)
            torch.mm(x, self.Ws[k].T, out=self.a[k])
            y = torch.maximum(self.a[k], LEAK * self.a[k], out=self.y[k])
        delta = (targets - y).mul_(2).mul_(torch.where(self.a[-1] > 0, 1.0, LEAK))
        for k in range(n_layers - 1, -1, -1):
            x, W, R = self.stacked[k][:B], self.Ws[k], self.Rs[k]
            if k > 0:
                torch.mm(delta, W, out=self.stacked[k][B:])
                torch.mm(self.stacked[k], R, out=self.times_R[k])
            else:
                torch.mm(x, R, out=self.times_R[k][:B])
            power = x.square().mean(dim=0)
            z = self.a[k].add_(delta)
            if k > 0:
                delta = self.times_R[k][B:] * torch.where(self.a[k - 1] > 0, 1.0, LEAK)
            W.mul_(1 - ETA * power).addmm_(z.T, x, alpha=ETA / B)
            R.mul_((1 + ETA * power)[:, None]).addmm_(x.T, self.times_R[k][:B], alpha=-ETA / B)


def milliseconds(sizes: tuple[int, ...], batch_size: int, kind: str, seconds: float) -> float:
    """Return the milliseconds of one step, averaged over at least `seconds`."""
    torch.manual_seed(0)
    network = Straight(sizes) if kind == "straight" else Tuned(sizes, batch_size)
    y0, targets = torch.randn(batch_size, sizes[0]), torch.eye(sizes[-1])[torch.arange(batch_size) % sizes[-1]]
    for _ in range(3):
        network.step(y0, targets)
    n_steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        network.step(y0, targets)
        n_steps += 1
    return 1e3 * (time.perf_counter() - start) / n_steps


def main() -> None:
    """Read the arguments and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="mnist")
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--kind", choices=["straight", "tuned"], required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = NETWORKS.get(options.network) or tuple(map(int, options.network.split("-")))
    with torch.no_grad():
        value = milliseconds(sizes, options.batch_size, options.kind, options.seconds)
    print(json.dumps({"milliseconds": value, "torch": torch.__version__, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()

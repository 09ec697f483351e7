"""The same training step in PyTorch, twice: written down directly, and tuned by hand.

    python benchmarks/pytorch.py --network cifar10 --kind tuned --seconds 1
    python benchmarks/pytorch.py --network conv32k5s2-conv64k3-pool3-10 --image-shape 3x32x32 --kind tuned

prints the milliseconds per step as JSON. It needs PyTorch, but not this package; `benchmarks/compare.py` runs it in
turns with `benchmarks/own.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from itertools import pairwise
from math import prod

import torch
from torch.nn.functional import avg_pool2d, fold, unfold

NETWORKS = {"mnist": (784, 500, 500, 500, 10), "cifar10": (3072, 1000, 1000, 10)}
ETA = 1e-6
LEAK = 0.1


class Dense:
    """A fully connected layer, which takes its inputs as they are."""

    n_positions = 1

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        self.n_inputs, self.n_outputs = n_inputs, n_outputs
        self.size_in, self.size_out = n_inputs, n_outputs

    def cut(self, y: torch.Tensor) -> torch.Tensor:
        """Return the rows that R and W see."""
        return y

    def add_up(self, rows: torch.Tensor) -> torch.Tensor:
        """Bring an error signal of these rows back to the inputs."""
        return rows

    def outputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the outputs, given what the units respond to each row."""
        return rows

    def spread(self, signal: torch.Tensor) -> torch.Tensor:
        """Bring an error signal of the outputs to the units, one row each."""
        return signal


class Conv(Dense):
    """A convolution, which takes patches of images, with means over squares of `pool` x `pool` outputs."""

    def __init__(self, shape: tuple[int, ...], filters: int, kernel: int, stride: int, padding: int, pool: int) -> None:
        self.shape, self.pool, self.options = shape, pool, {"stride": stride, "padding": padding}
        self.kernel = kernel
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in shape[1:])
        self.positions, self.n_positions = (height, width), height * width
        self.out_shape = (filters, height // pool, width // pool)
        super().__init__(shape[0] * kernel**2, filters)
        self.size_in, self.size_out = prod(shape), prod(self.out_shape)

    def cut(self, y: torch.Tensor) -> torch.Tensor:
        """Return patches, (B P, C k^2)."""
        return unfold(y.view(-1, *self.shape), self.kernel, **self.options).mT.reshape(-1, self.n_inputs)

    def add_up(self, rows: torch.Tensor) -> torch.Tensor:
        """Add patches up where they were cut."""
        patches = rows.view(-1, self.n_positions, self.n_inputs).mT
        return fold(patches, self.shape[1:], self.kernel, **self.options).flatten(1)

    def outputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return images of one channel per filter, pooled."""
        images = rows.view(-1, self.n_positions, self.n_outputs).mT.unflatten(2, self.positions)
        return avg_pool2d(images, self.pool).flatten(1)

    def spread(self, signal: torch.Tensor) -> torch.Tensor:
        """Give every unit of a square an equal share, (B P, F)."""
        images = signal.view(-1, *self.out_shape) / self.pool**2
        images = images.repeat_interleave(self.pool, 2).repeat_interleave(self.pool, 3)
        return images.flatten(2).mT.reshape(-1, self.n_outputs)


def read_layers(text: str, image_shape: tuple[int, ...] | None) -> list[Dense]:
    """Return the layers of a network such as "784-500-10", or "conv32k5s2-pool2-10" for images."""
    if image_shape is None:
        sizes = NETWORKS.get(text) or tuple(map(int, text.split("-")))
        return [Dense(*pair) for pair in pairwise(sizes)]
    layers: list[Dense] = []
    shape, size = image_shape, prod(image_shape)
    found = re.findall(r"conv(\d+)k(\d+)(?:s(\d+))?(?:p(\d+))?(?:-pool(\d+))?|(\d+)", text)
    for filters, kernel, stride, padding, pool, units in found:
        if units:
            layers.append(Dense(size, int(units)))
        else:
            conv = Conv(shape, int(filters), int(kernel), int(stride or 1), int(padding or 0), int(pool or 1))
            layers.append(conv)
            shape = conv.out_shape
        size = layers[-1].size_out
    return layers


class Straight:
    """COPI with backpropagated errors, one line per equation, and a new tensor for every result."""

    def __init__(self, layers: list[Dense]) -> None:
        self.layers = layers
        shapes = [(layer.n_outputs, layer.n_inputs) for layer in layers]
        self.Ws = [torch.randn(o, i) * (2 / (i + o)) ** 0.5 for o, i in shapes]
        self.Rs = [torch.eye(i) for _, i in shapes]

    def step(self, y0: torch.Tensor, targets: torch.Tensor) -> None:
        """Algorithm 1 of the paper."""
        y, xs, activations = y0, [], []
        for layer, W, R in zip(self.layers, self.Ws, self.Rs, strict=True):
            x = layer.cut(y) @ R.T
            a = x @ W.T
            y = layer.outputs(torch.where(a > 0, a, LEAK * a))
            xs.append(x)
            activations.append(a)
        slopes = [torch.where(a > 0, 1.0, LEAK) for a in activations]
        deltas = [2 * (targets - y) * slopes[-1]]
        for k in range(len(self.Ws) - 1, 0, -1):
            sent = self.layers[k].add_up(deltas[0] @ self.Ws[k] @ self.Rs[k])
            deltas.insert(0, self.layers[k - 1].spread(sent) * slopes[k - 1])
        for k, (x, a, delta) in enumerate(zip(xs, activations, deltas, strict=True)):
            W, R, power, n_rows = self.Ws[k], self.Rs[k], (x * x).mean(dim=0), len(x)
            z = a + self.layers[k].n_positions * delta
            self.Ws[k] = W + ETA * (z.T @ x / n_rows - W * power)
            self.Rs[k] = R - ETA * (x.T @ (x @ R) / n_rows - power[:, None] * R)


class Tuned:
    """The same with preallocated buffers, products added in place, and fewer products with R.

    Of a dense layer, inputs and errors are multiplied by R in one product; of a convolution, which has many rows, W R
    and x^T x are computed first.
    """

    def __init__(self, layers: list[Dense], batch_size: int) -> None:
        self.layers = layers
        shapes = [(batch_size * layer.n_positions, layer.n_outputs, layer.n_inputs) for layer in layers]
        self.Ws = [torch.randn(o, i) * (2 / (i + o)) ** 0.5 for _, o, i in shapes]
        self.Rs = [torch.eye(i) for _, _, i in shapes]
        # rows of x, then rows of delta W: both are multiplied by R
        self.stacked = [torch.empty(2 * rows, i) for rows, _, i in shapes]
        self.times_R = [torch.empty(2 * rows, i) for rows, _, i in shapes]
        self.a = [torch.empty(rows, o) for rows, o, _ in shapes]
        self.y = [torch.empty(rows, o) for rows, o, _ in shapes]

    def step(self, y0: torch.Tensor, targets: torch.Tensor) -> None:
        """Algorithm 1 of the paper."""
        n_layers, y = len(self.Ws), y0
        for k, layer in enumerate(self.layers):
            rows = layer.cut(y)
            x = self.stacked[k][: len(rows)]
            torch.mm(rows, self.Rs[k].T, out=x)
            torch.mm(x, self.Ws[k].T, out=self.a[k])
            y = layer.outputs(torch.maximum(self.a[k], LEAK * self.a[k], out=self.y[k]))
        delta = (targets - y).mul_(2).mul_(torch.where(self.a[-1] > 0, 1.0, LEAK))
        for k in range(n_layers - 1, -1, -1):
            layer, W, R, B = self.layers[k], self.Ws[k], self.Rs[k], len(self.a[k])
            x, sent = self.stacked[k][:B], None
            if layer.n_positions > 1:
                left, right = x.T @ x, R.clone()
                sent = delta @ (W @ R) if k > 0 else None
            elif k > 0:
                torch.mm(delta, W, out=self.stacked[k][B:])
                torch.mm(self.stacked[k], R, out=self.times_R[k])
                left, right, sent = x.T, self.times_R[k][:B], self.times_R[k][B:]
            else:
                left, right = x.T, torch.mm(x, R, out=self.times_R[k][:B])
            power = x.square().mean(dim=0)
            z = self.a[k].add_(delta, alpha=layer.n_positions)
            if sent is not None:
                slopes = torch.where(self.a[k - 1] > 0, 1.0, LEAK)
                delta = self.layers[k - 1].spread(layer.add_up(sent)) * slopes
            W.mul_(1 - ETA * power).addmm_(z.T, x, alpha=ETA / B)
            R.mul_((1 + ETA * power)[:, None]).addmm_(left, right, alpha=-ETA / B)


def milliseconds(layers: list[Dense], batch_size: int, kind: str, seconds: float) -> float:
    """Return the milliseconds of one step, averaged over at least `seconds`."""
    torch.manual_seed(0)
    network = Straight(layers) if kind == "straight" else Tuned(layers, batch_size)
    n_outputs = layers[-1].size_out
    y0 = torch.randn(batch_size, layers[0].size_in)
    targets = torch.eye(n_outputs)[torch.arange(batch_size) % n_outputs]
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
    parser.add_argument("--image-shape", type=lambda text: tuple(map(int, text.split("x"))))
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--kind", choices=["straight", "tuned"], required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layers = read_layers(options.network, options.image_shape)
    with torch.no_grad():
        value = milliseconds(layers, options.batch_size, options.kind, options.seconds)
    print(json.dumps({"milliseconds": value, "torch": torch.__version__, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()

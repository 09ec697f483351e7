"""What a reader does in a browser: train, draw, save, and load again. The argument is a folder to write to."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from copi_np import Network, Schedule, fit, load_dataset, load_network, save_network
from copi_np.course import check
from copi_np.course.lesson_00 import draw_layer
from copi_np.experiments.environment import blas_threads, versions
from copi_np.plotting import learning_curves

folder = Path(sys.argv[1])
blas_threads(1)
data = load_dataset("mnist-5k")
network = Network([784, 50, 10], rng=np.random.default_rng(0))
schedule = Schedule(eta_W=1e-3, eta_R=1e-3, delta_scale=500, first_epochs=1, first_eta_W=0, first_eta_R=1e-2)
history = fit(network, data, epochs=2, schedule=schedule, rng=np.random.default_rng(1))
assert history[-1].test_accuracy > 0.8, history
path = folder / "checkpoint.npz"
for _ in range(2):  # the second one keeps the first
    save_network(path, network, previous=folder / "previous.npz")
assert (folder / "previous.npz").is_file()
again, _ = load_network(path)
for layer, loaded in zip(network.layers, again.layers, strict=True):
    np.testing.assert_array_equal(layer.W, loaded.W)
    np.testing.assert_array_equal(layer.R, loaded.R)
learning_curves({"COPI": history}).savefig(folder / "curves.png")
draw_layer().savefig(folder / "layer.png")
verdict = check("00.1", [(300, 300), (100, 300), (50, 300), (50, 100)])
print(versions()["copi-np"], verdict)

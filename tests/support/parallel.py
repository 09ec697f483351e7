"""A network that trains briefly, in a module that subprocesses can import without the tests."""

from __future__ import annotations

import numpy as np

from copi_np import Dataset, Network, Schedule, Split, fit

N_NETWORKS = 4


def learn(seed):
    """Return weights and history, without times, of a network trained here; each seed uses another error signal."""
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 3
    split = Split(np.eye(3, 40)[labels] + rng.normal(0, 0.3, (60, 40)), labels)
    signal = ("bp", "fa", "dfa", "dtp")[seed % N_NETWORKS]
    network = Network([40, 30, 20, 3], rng=rng, error_signal=signal)
    history = fit(network, Dataset("own", split, split, 3), epochs=5, schedule=Schedule(0.02, 0.02), rng=rng)
    weights = b"".join(layer.W.tobytes() + layer.R.tobytes() for layer in network.layers)
    return weights, [(record.train_loss, record.test_accuracy, record.decorrelation_loss) for record in history]

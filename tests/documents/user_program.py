"""A user's program. `.ci/run` type-checks it strictly against the installed wheel, and runs it. Every call returns a
specific type, except arrays, which are `Any` since the array API standard has no type for them yet.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from copi_np import Backend, Dataset, EpochRecord, Layer, Network, Schedule, fit, get_backend, load_dataset
from copi_np.datasets import as_float, one_hot
from copi_np.rules import copi_update

data = assert_type(load_dataset("mnist-5k"), Dataset)
inputs = assert_type(as_float(data.train.inputs[:100], "float32"), NDArray[Any])
targets = assert_type(one_hot(data.train.labels[:100], 10, "float32"), NDArray[Any])

backend = assert_type(get_backend("numpy"), Backend)
net = Network([784, 20, 10], rng=np.random.default_rng(0), rule="copi", error_signal="bp")
assert_type(net.layers, list[Layer])
assert_type(net.step(inputs, targets, eta_W=1e-3, eta_R=1e-3, delta_scale=500), Any)
outputs = assert_type(backend.to_host(net.predict(inputs)), NDArray[Any])
print("rule:", copi_update(net.layers[-1].W, outputs @ np.zeros((10, 20), "float32"), outputs).shape)

history = fit(net, data, epochs=1, schedule=Schedule(eta_W=1e-3, eta_R=1e-3), rng=np.random.default_rng(1))
assert_type(history, list[EpochRecord])
print("test accuracy:", assert_type(history[-1].test_accuracy, float))

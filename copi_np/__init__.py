"""Constrained Parameter Inference (COPI): the paper as readable, tested NumPy / CuPy code.

Read the modules in this order: `rules`, `whitening`, `activations`, `losses`, `error_signals`, `layer`, `network`,
`optimizers`, `training`.
"""

from copi_np.backend import Backend, get_backend
from copi_np.errors import BackendError, CopiError, DataError, DivergenceError, InputError
from copi_np.layer import Layer
from copi_np.network import Network

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "BackendError",
    "CopiError",
    "DataError",
    "DivergenceError",
    "InputError",
    "Layer",
    "Network",
    "get_backend",
]

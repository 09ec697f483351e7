"""Constrained Parameter Inference (COPI): the paper as readable, tested NumPy / CuPy code.

Read the modules in this order: `rules`, `algorithm`, then `whitening`, `activations`, `losses`, `error_signals`,
`layer`, `network`, `training`.
"""

from copi_np.activations import Activation
from copi_np.architecture import Conv, Dense, Pool
from copi_np.backend import Backend, get_backend
from copi_np.callbacks import Callback
from copi_np.checkpoint import load_network, save_network
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.error_signals import ErrorSignal
from copi_np.errors import BackendError, CopiError, DataError, DivergenceError, InputError
from copi_np.history import EpochRecord
from copi_np.layer import Layer
from copi_np.losses import Loss
from copi_np.network import Network
from copi_np.schedule import Schedule
from copi_np.steps import Step
from copi_np.training import fit

__version__ = "0.1.0"

__all__ = [
    "Activation",
    "Backend",
    "BackendError",
    "Callback",
    "Conv",
    "CopiError",
    "DataError",
    "Dataset",
    "Dense",
    "DivergenceError",
    "EpochRecord",
    "ErrorSignal",
    "InputError",
    "Layer",
    "Loss",
    "Network",
    "Pool",
    "Schedule",
    "Split",
    "Step",
    "fit",
    "get_backend",
    "load_dataset",
    "load_network",
    "save_network",
]

"""Save and load networks, and training in progress: one .npz file without pickle, written completely or not at all.

`arrays` turns a network into arrays and back, `networks` writes and reads them, and `progress` keeps the latest
checkpoint of a training run and the one before it.
"""

from copi_np.checkpoint.arrays import check_network, content_digest, network_arrays, network_of
from copi_np.checkpoint.networks import load_like, load_network, load_with, save_network
from copi_np.checkpoint.progress import Progress, load_progress, previous_path, save_progress

__all__ = [
    "Progress",
    "check_network",
    "content_digest",
    "load_like",
    "load_network",
    "load_progress",
    "load_with",
    "network_arrays",
    "network_of",
    "previous_path",
    "save_network",
    "save_progress",
]

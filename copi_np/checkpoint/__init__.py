"""Save and load networks, and training in progress: one .npz file without pickle, written completely or not at all.

`networks` turns a network into arrays and a file, and back; `progress` keeps the latest checkpoint of a training and
the one before it.
"""

from copi_np.checkpoint.networks import (
    check_network,
    content_digest,
    load_like,
    load_network,
    load_with,
    network_arrays,
    network_of,
    save_network,
)
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

"""Rules of the family around COPI at other settings than their defaults, for sweeps: `--rule FILE.py:NAME`.

See [Measured results](../results/README.md) for the commands.
"""

from __future__ import annotations

from functools import partial

from copi_np.family import (
    kappa_decorrelation_update,
    normalised_decorrelation_update,
    normalised_update,
)

kappa_02 = partial(kappa_decorrelation_update, kappa=0.2)
kappa_08 = partial(kappa_decorrelation_update, kappa=0.8)

normalised_W_1 = partial(normalised_update, damping=1.0)
normalised_R_1 = partial(normalised_decorrelation_update, damping=1.0)

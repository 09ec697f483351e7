"""A validation split, taken from the samples to train on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from copi_np._checks import check_fraction, check_rng
from copi_np.datasets.dataset import Dataset, check_dataset
from copi_np.datasets.own_arrays import share_of_every_class
from copi_np.errors import InputError


def hold_out(data: Dataset, fraction: float, rng: np.random.Generator) -> Dataset:
    """Take a validation split from the training samples: the same share of every class, rounded.

    Parameters
    ----------
    data : Dataset
    fraction : float                of the training samples, between 0 and 1
    rng : numpy.random.Generator    chooses them

    Returns
    -------
    data : Dataset                  with the same test split; all samples keep their order

    Raises
    ------
    InputError                      if the fraction is out of range, or takes no sample at all or a whole class; or if
                                    the data already have a validation split
    """
    check_dataset(data)
    check_rng(rng)
    if data.validation is not None:
        raise InputError(f"data set {data.name!r} already has a validation split: use it")
    fraction = check_fraction("the fraction to hold out", fraction)
    held_out = share_of_every_class(data.train.labels, fraction, rng, data.name)
    return replace(data, train=data.train.take(~held_out), validation=data.train.take(held_out))

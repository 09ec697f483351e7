"""Samples that do not count alike. The paper has no such weights: there, every sample counts once."""

from __future__ import annotations

from copi_np.arrays import Array, common_namespace


def weigh(rows: Array, sample_weight: Array | None) -> Array:
    """Rows times the square roots of their samples' weights.

    Of rows u and v that are both weighed, ``mean_outer(u, v)`` is the weighted mean <w u v^T>. Every update is made of
    such products, and so need not know of weights.

    Parameters
    ----------
    rows : (B, N) array or None             nothing stays nothing
    sample_weight : (B,) array or None      how many times each sample counts in a mean over the batch, which is divided
                                            by B all the same; None: once

    Returns
    -------
    (B, N) array or None
    """
    if rows is None or sample_weight is None:
        return rows
    xp = common_namespace("BN B", rows, sample_weight)
    return rows * xp.sqrt(sample_weight)[:, None]

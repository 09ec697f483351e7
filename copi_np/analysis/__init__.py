"""Measure what a rule or a network does: the path of the lateral weights, the alignment of error signals and of steps,
and linear maps that replace layers of a trained network (receptive fields and compression).

Layers are counted from 0 here, as in ``network.layers``: the paper's layer 1 is layer 0.
"""

from copi_np.analysis.alignment import (
    alignment_angle,
    alignment_angles,
    cosine,
    natural_cosines,
    signal_pairs,
    step_pairs,
)
from copi_np.analysis.linear_maps import compress, least_squares_map, receptive_fields, stack_map
from copi_np.analysis.path import decorrelation_path, lateral_move

__all__ = [
    "alignment_angle",
    "alignment_angles",
    "compress",
    "cosine",
    "decorrelation_path",
    "lateral_move",
    "least_squares_map",
    "natural_cosines",
    "receptive_fields",
    "signal_pairs",
    "stack_map",
    "step_pairs",
]

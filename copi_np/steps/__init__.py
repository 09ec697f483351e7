"""How a layer updates its weights: the in-place twin of every rule of `rules`, and the baselines.

Each rule is written twice, and only twice: as the equation, in `rules`, and here as the step that training takes, fused
into as few passes over the (O, I) and (I, I) matrices as possible. Tests check that both agree. Your own function is
used as it is (`FunctionStep`); a rule with a memory is a small class derived from `Step`.
"""

from copi_np.steps.adam import AdamStep
from copi_np.steps.base import FORWARD_ARGUMENTS, LATERAL_ARGUMENTS, FunctionStep, States, Step
from copi_np.steps.choice import (
    FORWARD_FAMILY,
    FORWARD_STEPS,
    LATERAL_FAMILY,
    LATERAL_STEPS,
    describe_step,
    describe_steps,
    every_of,
    forward_step,
    lateral_step,
    lateral_steps,
    part_of,
    samples_of,
)
from copi_np.steps.forward import CopiStep, SgdStep
from copi_np.steps.lateral import LocalStep, MatrixStep
from copi_np.steps.momentum import MomentumStep
from copi_np.steps.natural import NaturalStep
from copi_np.steps.sparse import SparseStep

__all__ = [
    "FORWARD_ARGUMENTS",
    "FORWARD_FAMILY",
    "FORWARD_STEPS",
    "LATERAL_ARGUMENTS",
    "LATERAL_FAMILY",
    "LATERAL_STEPS",
    "AdamStep",
    "CopiStep",
    "FunctionStep",
    "LocalStep",
    "MatrixStep",
    "MomentumStep",
    "NaturalStep",
    "SgdStep",
    "SparseStep",
    "States",
    "Step",
    "describe_step",
    "describe_steps",
    "every_of",
    "forward_step",
    "lateral_step",
    "lateral_steps",
    "part_of",
    "samples_of",
]

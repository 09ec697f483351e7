"""A convolution as a layer: it cuts its inputs into patches, and hands them to the same equations (Theorem 18)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from copi_np.architecture import LayerPlan
from copi_np.arrays import Array
from copi_np.bias import BiasedLayer
from copi_np.layer import Layer
from copi_np.patches import Patches
from copi_np.steps import States


class ConvLayer(Layer):
    """A convolutional layer, y_out = f(W R y) for every patch y of its images, then means if it is pooled.

    Parameters
    ----------
    plan : LayerPlan        how it cuts and pools images
    W : (F, C k^2) array    forward weights, shared by all positions
    activation, forward_step, decorrelation, backend
                            as for `Layer`

    Attributes
    ----------
    W, R                    (F, C k^2) and (C k^2, C k^2)
    patches : Patches
    pooling : Pooling or None
    """

    patches: Patches

    def __init__(self, plan: LayerPlan, *parts: Any) -> None:
        super().__init__(*parts)
        assert plan.patches is not None
        self.patches, self.pooling = plan.patches, plan.pooling
        self._index = self.backend.asarray(self.patches.index)

    def rows(self, y: Array) -> Array:
        """Cut images y (B, C H W) into patches (B P, C k^2), with the constant of a bias if there is one."""
        return super().rows(self.patches.cut(y, self._index))

    def forward(self, y: Array, x: Array | None = None) -> tuple[Array, Array, Array]:
        """Pass images (B, C H W) through the layer; as `Layer.forward`, but returns x (B P, C k^2) and a (B, F P)."""
        x, a, y_out = super().forward(y, x)
        return x, self.patches.as_images(a), self._outputs(y_out)

    def respond(self, y: Array, M: Array) -> Array:
        """Return the outputs for images y, with W R folded into one kernel M."""
        return self._outputs(super().respond(y, M))

    def _outputs(self, y_out: Array) -> Array:
        images = self.patches.as_images(y_out)
        return images if self.pooling is None else self.pooling.mean(images)

    def carry_back(self, delta: Array, x: Array, eta_R: float) -> tuple[Array, Array | None]:
        """Carry an error signal (B, F P) back to the images (B, C H W); as `Layer.carry_back`.

        With many patches, W R is folded first, which takes fewer products, and x R is not needed, see `MatrixStep`.
        """
        rows, x_R = self.patches.as_rows(delta), None
        if self.patches.n_positions == 1:
            carried, x_R = super().carry_back(rows, x, eta_R)
        else:
            carried = rows @ self.folded()
        return self.patches.add_up(carried[:, : self.n_inputs]), x_R

    def step(self, states: States, eta_W: float, eta_R: float) -> None:
        """Update W and R as `Layer.step` does, from one row per patch."""
        patches, a = self.patches, self.patches.as_rows(states.a)
        steps = (self.forward_step, self.lateral_step)
        asks_for_y = any(step is not None and step.uses_y for step in steps)
        rows: dict[str, Any] = {
            "y": patches.cut(states.y, self._index) if asks_for_y else None,
            "a": a,
            "y_out": self.activation.f(a),
            "delta": None if states.delta is None else patches.signals(states.delta),
            "sample_weight": patches.repeat(states.sample_weight),
            "rows_per_sample": patches.n_positions,
        }
        super().step(replace(states, **rows), eta_W, eta_R)


class BiasedConvLayer(ConvLayer, BiasedLayer):
    """A convolutional layer whose filters have biases: every patch has one more value, which is always 1."""


def make_layer(plan: LayerPlan, *parts: Any, bias: bool) -> Layer:
    """Return a layer, dense or convolutional; `parts` are the arguments of `Layer`."""
    if plan.patches is None:
        return (BiasedLayer if bias else Layer)(*parts)
    return (BiasedConvLayer if bias else ConvLayer)(plan, *parts)

"""One layer: its lateral weights R, its forward weights W, and the steps that update them."""

from __future__ import annotations

from typing import Any

from copi_np._parts import check_function, choose_part, explain_impure, label
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.arrays import Array, read_only
from copi_np.backend import Backend
from copi_np.errors import InputError
from copi_np.patches import Patches
from copi_np.rules import decorrelate, transform
from copi_np.steps import States, Step, forward_step, lateral_step, part_of


class Layer:
    """A fully connected layer, y_out = f(W R y_in).

    Parameters
    ----------
    W : (O, I) array                        forward weights, not copied
    activation : str or Activation          f and its derivative
    forward_step : str, function or Step    updates W, see `copi_np.steps`
    decorrelation : str, function, Step or None
                                            updates R, the identity at first; None leaves it unchanged
    backend : Backend                       whose arrays these are

    Attributes
    ----------
    W, R, activation, forward_step, lateral_step
                                            all assignable; the last three take what the parameters take
    """

    has_bias = False
    """Whether its last input is the constant 1 of a bias, see `copi_np.bias`."""
    patches: Patches | None = None
    """How it cuts its inputs into patches, in a `convolution.ConvLayer`."""

    def __init__(self, W: Array, activation: Any, forward_step: Any, decorrelation: Any, backend: Backend) -> None:
        self.backend = backend
        self._W = W
        # None means the identity, so that networks without decorrelation do not pay for products with it
        self._R: Array | None = None
        self.activation = activation
        self.forward_step = forward_step
        self.lateral_step = decorrelation

    @property
    def n_inputs(self) -> int:
        """Number of inputs, I; the constant of a bias does not count."""
        return int(self._W.shape[1]) - self.has_bias

    @property
    def n_outputs(self) -> int:
        """Number of outputs, O."""
        return int(self._W.shape[0])

    # ------------------------------------------------------------------------------------------ weights and parts

    @property
    def W(self) -> Array:
        """Forward weights, (O, I). Assigning copies the values; they must fit in shape, dtype and device."""
        return self._W

    @W.setter
    def W(self, values: Array) -> None:
        self._W = self._checked("W", values, self._W.shape)

    @property
    def R(self) -> Array:
        """Lateral weights, (I, I). Assigning copies the values; they must fit in shape, dtype and device.

        Without decorrelation this is a new identity, read-only on NumPy, until other weights are assigned.
        """
        if self._R is not None:
            return self._R
        identity = self._identity()
        if self.backend.is_host:
            identity.flags.writeable = False  # anything written into it would be lost
        return identity

    @R.setter
    def R(self, values: Array) -> None:
        self._R = self._checked("R", values, (self._W.shape[1],) * 2)

    @property
    def has_lateral_weights(self) -> bool:
        """Whether R is stored, because it learns or was assigned; otherwise it is the identity."""
        return self._R is not None

    @property
    def activation(self) -> Activation:
        """Activation function and its derivative."""
        return self._activation

    @activation.setter
    def activation(self, activation: Any) -> None:
        activation = choose_part("activation", activation, ACTIVATIONS, "Activation(name, f, df)")
        if activation != ACTIVATIONS.get(activation.name):
            rows = [[value] * self.n_outputs for value in (-1.0, 0.0, 0.5)]
            a = self.backend.xp.asarray(rows, dtype=self._W.dtype, device=self.backend.device)
            for name in ("f", "df"):
                check_function(f"{name} of activation", activation, getattr(activation, name), [a], a)
        self._activation: Activation = activation

    @property
    def forward_step(self) -> Step:
        """How W is updated."""
        return self._forward_step

    @forward_step.setter
    def forward_step(self, rule: Any) -> None:
        step = forward_step(rule)
        step.start(self._W, self.backend)
        self._forward_step = step

    @property
    def lateral_step(self) -> Step | None:
        """How R is updated, or None. With an assigned step R learns from all samples, unless it is a `SparseStep`."""
        return self._lateral_step

    @lateral_step.setter
    def lateral_step(self, decorrelation: Any) -> None:
        step = lateral_step(decorrelation)
        if step is not None:
            if self._R is None:
                self._R = self._identity()
            step.start(self._R, self.backend)
        self._lateral_step = step

    def _identity(self) -> Array:
        return self.backend.xp.eye(self._W.shape[1], dtype=self._W.dtype, device=self.backend.device)

    def _checked(self, name: str, values: Array, shape: tuple[int, int]) -> Array:
        if not self.backend.owns(values):
            raise InputError(
                f"{name} must be an array of backend {self.backend.name!r}, got {type(values).__name__}: "
                "convert it with network.backend.asarray"
            )
        if tuple(values.shape) != shape:
            raise InputError(f"{name} must have shape {shape}, got {tuple(values.shape)}")
        if values.dtype != self._W.dtype:
            raise InputError(f"{name} must be {self._W.dtype}, got {values.dtype}: convert it first")
        xp = self.backend.xp
        if not bool(xp.all(xp.isfinite(values))):
            raise InputError(f"{name} holds NaN or infinite values: assign finite weights")
        copied = xp.empty(shape, dtype=values.dtype, device=self.backend.device)
        copied[...] = values  # row-major, whatever the layout of `values`, so that products can be added in place
        return copied

    # ----------------------------------------------------------------------------------------- Algorithm 1

    def forward(self, y: Array, x: Array | None = None) -> tuple[Array, Array, Array]:
        """Pass a batch through the layer (Algorithm 1, lines 5 to 7).

        Parameters
        ----------
        y : (B, I) array    input
        x : (B, I) array    decorrelated input, if it is already known

        Returns
        -------
        x : (B, I) array    decorrelated input, R y
        a : (B, O) array    pre-activation, W x
        y : (B, O) array    output, f(a)
        """
        if x is None:
            y = self.rows(y)
            x = y if self._R is None else decorrelate(self._R, y)
        a = transform(self._W, x)
        return x, a, self.activation.f(a)

    def carry_back(self, delta: Array, x: Array, eta_R: float) -> tuple[Array, Array | None]:
        """Propagate an error signal back to the layer's input; also return x R, which the matrix form needs.

        One product with R gives both, which costs less than two products.

        Parameters
        ----------
        delta : (B, O) array            error signal of the pre-activation
        x : (B, I) array                decorrelated input of the same batch
        eta_R : float                   step size with which R will learn from this batch

        Returns
        -------
        carried : (B, I) array          (W R)^T delta
        x_R : (b, I) array or None      x R for the b <= B samples for which `step` needs it; None if for none
        """
        carried = delta @ self._W
        if self._R is None:
            return carried, None
        batch_size = x.shape[0]
        n_rows = 0 if self.lateral_step is None or eta_R == 0 else self.lateral_step.rows_of_x_R(batch_size)
        if n_rows == 0:
            return carried @ self._R, None
        both = self.backend.xp.concat([carried, x[:n_rows, :]], axis=0) @ self._R
        return both[:batch_size, :], both[batch_size:, :]

    def rows(self, y: Array) -> Array:
        """Return inputs y (B, I) as R and W take them: unchanged, unless the layer has a bias or is a convolution."""
        return y

    def respond(self, y: Array, M: Array) -> Array:
        """Return the outputs for inputs y (B, I), given W R folded into one matrix M, see `folded`."""
        return self.activation.f(self.rows(y) @ M.T)

    def folded(self) -> Array:
        """Return the layer's two matrices folded into one, W R, (O, I), to be applied to `rows(y)`."""
        return self._W if self._R is None else self._W @ self._R

    def step(self, states: States, eta_W: float, eta_R: float) -> None:
        """Update W and R in place, from one batch (Algorithm 1, lines 14 and 15).

        Parameters
        ----------
        states : States         of this batch, with these weights; delta None leaves W as it is
        eta_W, eta_R : float    step sizes
        """
        weighted = states.weighted()
        if states.delta is not None:
            _move("rule", self.forward_step, self._W, states, weighted, eta_W)
        if self.lateral_step is not None and eta_R != 0:
            _move("decorrelation", self.lateral_step, self._R, states, weighted, eta_R)


def _move(kind: str, step: Step, weights: Array, states: States, weighted: States, eta: float) -> None:
    """Let a step update the weights; raise an InputError if it writes to its arguments, or returns an update."""
    returned: Any
    try:
        returned = step.step(weights, states if step.takes_sample_weight else weighted, eta)
    except ValueError as error:
        explain_impure(kind, part_of(step), error)
        raise
    if returned is not None:
        raise InputError(f"step() of {kind} {label(step)} must change the weights in place, and return nothing")


class ReadOnlyLayer:
    """A layer as error signals see it: its arrays are read-only on NumPy, W and R without the constant of a bias."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    @property
    def W(self) -> Array:
        """Forward weights, (O, I)."""
        return read_only(self._layer.W[:, : self._layer.n_inputs])

    @property
    def R(self) -> Array:
        """Lateral weights, (I, I)."""
        return read_only(self._layer.R[: self._layer.n_inputs, : self._layer.n_inputs])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return read_only(getattr(self._layer, name))

"""One layer: its lateral weights R, its forward weights W, and the step that moves them; and the trace of a pass."""

from __future__ import annotations

from typing import NamedTuple

from copi_np.activations import Activation
from copi_np.arrays import Array
from copi_np.backend import Backend
from copi_np.errors import InputError
from copi_np.rules import mean_square, transform
from copi_np.scaled import ScaledRows
from copi_np.steps import LATERAL_STEPS, ForwardStep, matrix_decorrelation_step


class Layer:
    """A fully connected layer, y_out = f(W R y_in).

    Parameters
    ----------
    W : (O, I) array                        forward weights, taken over, not copied
    activation : Activation                 f and its derivative
    forward_step : ForwardStep              moves W
    decorrelation : {"matrix", "local"} or None
                                            form of the rule that moves R; None keeps R as it is, the identity at first
    backend : Backend                       whose arrays these are
    """

    def __init__(
        self,
        W: Array,
        activation: Activation,
        forward_step: ForwardStep,
        decorrelation: str | None,
        backend: Backend,
    ) -> None:
        self._W = W
        self.activation = activation
        self.forward_step = forward_step
        self.lateral_step = None if decorrelation is None else LATERAL_STEPS[decorrelation]
        self.backend = backend
        # None stands for the identity, so that networks without decorrelation do not pay for products with it
        self._R: ScaledRows | None = None if decorrelation is None else self._scaled(self._identity())

    @property
    def n_inputs(self) -> int:
        """Number of inputs, I."""
        return int(self._W.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs, O."""
        return int(self._W.shape[0])

    @property
    def W(self) -> Array:
        """Forward weights, (O, I). Assigning copies the values in; they must fit in shape, dtype and device."""
        return self._W

    @W.setter
    def W(self, values: Array) -> None:
        self._W = self._checked("W", values, (self.n_outputs, self.n_inputs))

    @property
    def R(self) -> Array:
        """Lateral weights, (I, I). Assigning copies the values in; they must fit in shape, dtype and device.

        Read it anew after a step: some of what a step does is put off until R is read, which then is another array.

        Without decorrelation this is a copy of the identity, read-only on NumPy, until other weights are assigned.
        """
        if self._R is not None:
            R = self._R.array()
            # from now on R is what is returned, so that writing into it counts; another thread may still read the old
            self._R = self._scaled(R)
            return R
        identity = self._identity()
        if self.backend.is_host:
            identity.flags.writeable = False  # writing into it would be lost
        return identity

    @R.setter
    def R(self, values: Array) -> None:
        self._R = self._scaled(self._checked("R", values, (self.n_inputs, self.n_inputs)))

    @property
    def has_lateral_weights(self) -> bool:
        """Whether R is stored: it learns, or was assigned; else it is the identity."""
        return self._R is not None

    def _identity(self) -> Array:
        return self.backend.xp.eye(self.n_inputs, dtype=self._W.dtype, device=self.backend.device)

    def _scaled(self, R: Array) -> ScaledRows:
        return ScaledRows(R, self.backend)

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
        copied[...] = values  # row after row, however `values` lies in memory: so products are added in place
        return copied

    def forward(self, y: Array) -> tuple[Array, Array, Array]:
        """Pass a batch through the layer (Algorithm 1, lines 5 to 7).

        Parameters
        ----------
        y : (B, I) array    input

        Returns
        -------
        x : (B, I) array    decorrelated input, R y
        a : (B, O) array    pre-activation, W x
        y : (B, O) array    output, f(a)
        """
        x = y if self._R is None else self._R.times_rows(y)
        a = transform(self._W, x)
        return x, a, self.activation.f(a)

    def backward(self, delta: Array, x: Array) -> tuple[Array, Array | None]:
        """Carry an error signal in a back to the input, as its gradient would go.

        The matrix form of the rule that moves R needs x R. It comes out of the same product with R, which costs less
        than two products do.

        Parameters
        ----------
        delta : (B, O) array            error signal
        x : (B, I) array                decorrelated inputs of the same batch

        Returns
        -------
        carried : (B, I) array          (W R)^T delta
        x_R : (B, I) array or None      x R, for `step`; None where it is not needed
        """
        carried = delta @ self._W
        if self._R is None:
            return carried, None
        if self.lateral_step is not matrix_decorrelation_step:
            return self._R.rows_times(carried), None
        both = self._R.rows_times(self.backend.xp.concat([carried, x], axis=0))
        batch_size = x.shape[0]
        return both[:batch_size, :], both[batch_size:, :]

    def folded(self) -> Array:
        """The layer's two matrices as one, W R, (O, I)."""
        return self._W if self._R is None else self._R.rows_times(self._W)

    def step(
        self, x: Array, a: Array, delta: Array | None, eta_W: float, eta_R: float, x_R: Array | None = None
    ) -> None:
        """Move W and R in place, from one batch (Algorithm 1, lines 14 and 15).

        Parameters
        ----------
        x : (B, I) array                decorrelated inputs, of this batch and these weights
        a : (B, O) array                pre-activations
        delta : (B, O) array or None    error signal; None leaves W as it is
        eta_W, eta_R : float            step sizes
        x_R : (B, I) array or None      x R, if it is known already
        """
        power = mean_square(x)
        if delta is not None:
            self.forward_step.step(self.backend, self._W, x, a, delta, power, eta_W)
        if self.lateral_step is not None and self._R is not None and eta_R != 0:
            self.lateral_step(self._R, x, power, eta_R, x_R)


class Trace(NamedTuple):
    """What a forward pass leaves behind: the states of every layer, the first layer first."""

    y0: Array
    """Input of the network, (B, I)."""
    x: list[Array]
    """Decorrelated inputs, (B, I_k) each."""
    a: list[Array]
    """Pre-activations, (B, O_k) each."""
    y: list[Array]
    """Outputs, (B, O_k) each; ``y[-1]`` is the output of the network."""
    x_R: list[Array | None]
    """Products x R, (B, I_k) each, that came along on the way back, see `Layer.backward`; None where there is none."""

    @property
    def y_in(self) -> list[Array]:
        """Inputs of every layer before they are decorrelated, (B, I_k) each: y0 and the outputs of the layer below."""
        return [self.y0, *self.y[:-1]]

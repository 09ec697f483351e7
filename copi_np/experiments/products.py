"""Count the matrix products of a training step, which no implementation of it can avoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from copi_np.architecture import LayerPlan, plan_layers
from copi_np.errors import InputError
from copi_np.experiments.methods import Method


class Product(NamedTuple):
    """One matrix product of a training step, (m, k) times (k, n)."""

    m: int
    k: int
    n: int
    left_transposed: bool = False
    right_transposed: bool = False
    accumulated: bool = False
    """Whether it is added to the output array."""
    of_transpose: bool = False
    """Whether the left matrix is the right one, transposed, for which a BLAS may take half of the operations."""

    @property
    def gflop(self) -> float:
        """Floating-point operations, in 10^9."""
        return 2e-9 * self.m * self.k * self.n


def products_of_step(
    sizes: Sequence[Any],
    batch_size: int,
    method: Method,
    samples: int | None = None,
    *,
    rest_R: bool = False,
    image_shape: Sequence[int] | None = None,
) -> list[Product]:
    """List the matrix products that no implementation of a step can avoid.

    Forward y R^T and x W^T; backward delta W and its product with R, or delta B^T for feedback alignment; updates
    z^T x, x R and x^T (x R), or only the first of these without lateral weights. If delta W and x are both multiplied
    by R, that is one product. This counts the matrix form of the decorrelation rule. While R is frozen, there are no
    products for its update, and the inputs of a dense first layer are already decorrelated.

    A convolution multiplies patches, B P rows. With many rows, fewer operations are needed for delta (W R) and for
    (x^T x) R.

    Parameters
    ----------
    sizes : sequence            numbers of units, inputs first; or layers for images, see `architecture`
    batch_size : int            B
    method : Method             with error signal "bp" or "fa"
    samples : int or None       from how many samples R learns; None: from all
    rest_R : bool               whether R is frozen
    image_shape : (C, H, W) or None
                                shape of the images that convolutions see

    Raises
    ------
    InputError                  for another error signal
    """
    if method.error_signal not in ("bp", "fa"):
        raise InputError(f"cannot count the products of {method.label}: choose a method with BP or FA")
    products = []
    learned = 0 if rest_R or not method.decorrelates else min(samples or batch_size, batch_size)
    for k, plan in enumerate(plan_layers(sizes, image_shape)):
        products += products_of_pass(plan, batch_size, method, is_first=k == 0, rest_R=rest_R)
        has_R_on_way_back = method.decorrelates and k > 0 and method.error_signal == "bp" and plan.n_positions == 1
        products += products_of_R(plan.n_inputs, learned * plan.n_positions, batch_size if has_R_on_way_back else 0)
    return products


def products_of_pass(
    plan: LayerPlan, batch_size: int, method: Method, *, is_first: bool, rest_R: bool
) -> list[Product]:
    """List the products of one layer that pass a batch forward and back, and update W; see `products_of_step`."""
    rows, n_inputs, n_outputs = batch_size * plan.n_positions, plan.n_inputs, plan.n_outputs
    is_decorrelated = rest_R and is_first and plan.patches is None
    products = [Product(rows, n_inputs, n_outputs, right_transposed=True)]
    if method.decorrelates and not is_decorrelated:
        products.insert(0, Product(rows, n_inputs, n_inputs, right_transposed=True))
    if not is_first:
        if method.decorrelates and method.error_signal == "bp" and plan.n_positions > 1:
            products.append(Product(n_outputs, n_inputs, n_inputs))
        products.append(Product(rows, n_outputs, n_inputs, right_transposed=method.error_signal == "fa"))
    return [*products, Product(n_outputs, rows, n_inputs, left_transposed=True, accumulated=method.rule != "adam")]


def products_of_R(n_inputs: int, learned: int, carried: int) -> list[Product]:
    """List the products with R of one layer for its update, from `learned` rows, and for `carried` error signals."""
    outer = Product(n_inputs, learned, n_inputs, left_transposed=True)
    if learned > n_inputs and not carried:
        return [outer._replace(of_transpose=True), Product(n_inputs, n_inputs, n_inputs, accumulated=True)]
    products = [Product(carried + learned, n_inputs, n_inputs)] if carried + learned else []
    return [*products, outer._replace(accumulated=True)] if learned else products

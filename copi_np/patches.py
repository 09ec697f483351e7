"""Cut images into patches, and add patches up again: all that a convolution needs besides the equations of `rules`.

A convolution is the layer of the paper on patches (Theorem 18). Its kernel of k x k pixels sees an image (C, H, W) at
P positions, and each patch is one row of C k^2 inputs. So B samples make B P rows, and every rule applies to these rows
as it is: R is (C k^2, C k^2) and W is (F, C k^2), both shared by all positions.

Images are flat, one row (C H W) per sample, in the order channel, row, column, and so are the values of a patch. What
a convolution returns is an image of F channels. Cutting is linear, and adding up is its adjoint, so it carries error
signals back. The functions at the end do this for any layer; in a dense one they are plain products.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import device

from copi_np.arrays import Array, NDArray, common_namespace
from copi_np.errors import InputError

Shape = tuple[int, int, int]  # channels, height and width of an image


class Patches:
    """How a convolution cuts images into square patches.

    Parameters
    ----------
    shape : (C, H, W)       of the images
    kernel : int            height and width k of a patch
    stride : int            pixels from one patch to the next
    padding : int           rows and columns of zeros around each image

    Attributes
    ----------
    positions : (int, int)  how many patches fit below each other, and side by side
    n_positions : int       P, the number of patches of an image
    n_values : int          C k^2, the number of values in a patch
    n_pixels : int          C H W, the number of values in an image

    Raises
    ------
    InputError              if the kernel is larger than the image
    """

    def __init__(self, shape: Shape, kernel: int, stride: int = 1, padding: int = 0) -> None:
        channels, *sides = shape
        if min(sides) + 2 * padding < kernel:
            raise InputError(f"a kernel of {kernel} x {kernel} does not fit into {sides[0]} x {sides[1]} pixels")
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in sides)
        self.shape, self.kernel, self.stride, self.padding = shape, kernel, stride, padding
        self.positions = (height, width)
        self.n_positions = height * width
        self.n_values = channels * kernel**2
        self.n_pixels = channels * sides[0] * sides[1]

    @cached_property
    def index(self) -> NDArray:
        """Where in a flat image the values of its patches are, (P C k^2,); C H W means a zero of the padding."""
        channels, height, width = self.shape
        offsets = np.arange(self.kernel)
        # one axis each for the position down and right, the channel, and the offset down and right
        down, right = (np.arange(n)[:, None] * self.stride + offsets - self.padding for n in self.positions)
        row, column = down[:, None, None, :, None], right[None, :, None, None, :]
        channel = np.arange(channels)[None, None, :, None, None]
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return np.where(inside, (channel * height + row) * width + column, self.n_pixels).ravel()

    def cut(self, y: Array, index: Array | None = None) -> Array:
        """Cut images into patches.

        Parameters
        ----------
        y : (B, C H W) array
        index : (P C k^2,) array or None    `index` on the device of y, if it is already there

        Returns
        -------
        (B P, C k^2) array                  the patches of the first image first, from left to right, then down
        """
        xp = common_namespace("BI", y)
        index = xp.asarray(self.index, device=device(y)) if index is None else index
        padded = xp.concat([y, xp.zeros_like(y[:, :1])], axis=1) if self.padding else y
        return xp.reshape(xp.take(padded, index, axis=1), (-1, self.n_values))

    def add_up(self, rows: Array) -> Array:
        """Put patches where they were cut, and add them up where they overlap: the adjoint of `cut`.

        Parameters
        ----------
        rows : (B P, C k^2) array

        Returns
        -------
        (B, C H W) array
        """
        xp = common_namespace("BI", rows)
        (channels, height, width), edge = self.shape, self.padding
        parts = xp.reshape(rows, (-1, *self.positions, channels, self.kernel, self.kernel))
        padded = (parts.shape[0], height + 2 * edge, width + 2 * edge, channels)
        images = xp.zeros(padded, dtype=rows.dtype, device=device(rows))
        down, right = (1 + (n - 1) * self.stride for n in self.positions)
        for i in range(self.kernel):
            for j in range(self.kernel):
                images[:, i : i + down : self.stride, j : j + right : self.stride, :] += parts[..., i, j]
        inner = images[:, edge : edge + height, edge : edge + width, :]
        return xp.reshape(xp.permute_dims(inner, (0, 3, 1, 2)), (-1, self.n_pixels))

    def as_rows(self, images: Array) -> Array:
        """Return what a convolution has at its positions, (B, F P), as rows (B P, F)."""
        xp = common_namespace("BU", images)
        split = xp.reshape(images, (images.shape[0], -1, self.n_positions))
        return xp.reshape(xp.permute_dims(split, (0, 2, 1)), (-1, split.shape[1]))

    def as_images(self, rows: Array) -> Array:
        """Return rows (B P, F) as images (B, F P): undo `as_rows`."""
        xp = common_namespace("RF", rows)
        split = xp.reshape(rows, (-1, self.n_positions, rows.shape[1]))
        return xp.reshape(xp.permute_dims(split, (0, 2, 1)), (split.shape[0], -1))

    def signals(self, delta: Array) -> Array:
        """Return the signals of all rows, (B P, F): P times those of the units at all positions, (B, F P).

        So <delta x^T>, a mean over B P rows, is the gradient of the mean loss.
        """
        return self.n_positions * self.as_rows(delta)

    def repeat(self, values: Array | None) -> Array | None:
        """Repeat one value per sample, (B,), for each of its rows, (B P,); None stays None."""
        if values is None:
            return None
        xp = common_namespace("B", values)
        return xp.reshape(xp.broadcast_to(values[:, None], (values.shape[0], self.n_positions)), (-1,))


class Pooling:
    """Means over squares of an image, which make it smaller.

    Parameters
    ----------
    shape : (C, H, W)       of the images
    size : int              height and width s of the squares

    Attributes
    ----------
    pooled : (C, h, w)      shape of the means
    n_values : int          C h w, their number

    Raises
    ------
    InputError              if the squares do not cover the image
    """

    def __init__(self, shape: Shape, size: int) -> None:
        channels, height, width = shape
        if height % size or width % size:
            raise InputError(f"squares of {size} x {size} do not cover {height} x {width} pixels: pool by a divisor")
        self.shape, self.size = shape, size
        self.pooled = (channels, height // size, width // size)
        self.n_values = channels * self.pooled[1] * self.pooled[2]

    def mean(self, y: Array) -> Array:
        """Return the means over all squares, (B, C h w), of images y (B, C H W)."""
        xp = common_namespace("BI", y)
        images = xp.reshape(y, (-1, *self.shape))
        offsets = range(self.size)
        total = sum(images[:, :, i :: self.size, j :: self.size] for i in offsets for j in offsets)
        return xp.reshape(total / self.size**2, (-1, self.n_values))

    def spread(self, signal: Array) -> Array:
        """Spread a signal (B, C h w) evenly over the squares, (B, C H W): the adjoint of `mean`."""
        xp = common_namespace("BI", signal)
        channels, height, width = self.pooled
        parts = xp.reshape(signal / self.size**2, (-1, channels, height, 1, width, 1))
        squares = (parts.shape[0], channels, height, self.size, width, self.size)
        return xp.reshape(xp.broadcast_to(parts, squares), (parts.shape[0], -1))


# --------------------------------------------------------------------------------------------------- of any layer


def carry_forward(layer: Any, y: Array, *matrices: Array) -> Array:
    """Carry inputs of a layer, or a change of them, to its pre-activations.

    Parameters
    ----------
    layer : object              a `Layer`, or anything else: without an attribute `patches`, it is dense
    y : (B, I) array            inputs; (B, C H W) in a convolution
    *matrices : arrays          multiplied with them in turn: R (I, I) and W (O, I)

    Returns
    -------
    (B, O) array                W R y; in a convolution, (B, F P)
    """
    patches = getattr(layer, "patches", None)
    carried = y if patches is None else patches.cut(y)
    for M in matrices:
        common_namespace("BI OI", carried, M)
        carried = carried @ M.T
    return carried if patches is None else patches.as_images(carried)


def to_outputs(layer: Any, y: Array) -> Array:
    """Return the outputs of a layer, given those of its units (B, O): their means, if they are pooled."""
    pooling = getattr(layer, "pooling", None)
    return y if pooling is None else pooling.mean(y)


def carry_back(layer: Any, delta: Array, *matrices: Array) -> Array:
    """Carry a signal from the units of a layer back to its inputs.

    Parameters
    ----------
    layer : object              a `Layer`, or anything else: without an attribute `patches`, it is dense
    delta : (B, O) array        signal of the layer's units; (B, F P) in a convolution
    *matrices : arrays          multiplied with it in turn: W (O, I) and R (I, I), or what a signal has in their place

    Returns
    -------
    (B, I) array                R^T W^T delta; in a convolution, (B, C H W)
    """
    patches = getattr(layer, "patches", None)
    carried = delta if patches is None else patches.as_rows(delta)
    for M in matrices:
        common_namespace("BN NM", carried, M)
        carried = carried @ M
    return carried if patches is None else patches.add_up(carried)


def to_units(layer: Any, signal: Array, a: Array) -> Array:
    """Bring a signal from the outputs of a layer to its units: spread it, if they are pooled.

    Parameters
    ----------
    layer : object              a `Layer`, or anything else: without an attribute `pooling`, nothing is pooled
    signal : (B, N) array       at the outputs; a last column, of the constant of a bias, is dropped
    a : (B, O) array            pre-activations of the layer

    Returns
    -------
    (B, O) array
    """
    pooling = getattr(layer, "pooling", None)
    return signal[:, : a.shape[1]] if pooling is None else pooling.spread(signal[:, : pooling.n_values])

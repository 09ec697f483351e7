"""Describe the layers of a network for images: `Conv`, `Pool` and `Dense`, also as text such as "conv32k5s2"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Final, NamedTuple

from copi_np._checks import MAX_UNITS, check_count, check_sizes
from copi_np.errors import InputError, shown
from copi_np.patches import Patches, Pooling, Shape

CONV: Final = re.compile(r"conv(\d{1,9})k(\d{1,9})(?:s(\d{1,9}))?(?:p(\d{1,9}))?")
POOL: Final = re.compile(r"pool(\d{1,9})")
CHUNK: Final = 1000
"""Samples that are evaluated or monitored at a time."""
CHUNK_OF_IMAGES: Final = 100
"""The same where they are cut into patches, which take more memory."""


@dataclass(frozen=True)
class Conv:
    """A convolution: filters that see an image through square patches.

    Parameters
    ----------
    filters : int       number F of units at each position
    kernel : int        height and width k of a patch
    stride : int        pixels from one patch to the next
    padding : int       rows and columns of zeros around each image
    """

    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        for name, minimum in (("filters", 1), ("kernel", 1), ("stride", 1), ("padding", 0)):
            _check(f"{name} of Conv", getattr(self, name), minimum)

    def __str__(self) -> str:
        stride = f"s{self.stride}" if self.stride > 1 else ""
        return f"conv{self.filters}k{self.kernel}{stride}" + (f"p{self.padding}" if self.padding else "")


@dataclass(frozen=True)
class Pool:
    """Means over squares of `size` x `size` outputs of the convolution before it, which has the weights."""

    size: int

    def __post_init__(self) -> None:
        _check("size of Pool", self.size, 1)

    def __str__(self) -> str:
        return f"pool{self.size}"


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `n_units` units; a plain number means the same."""

    n_units: int

    def __post_init__(self) -> None:
        _check("n_units of Dense", self.n_units, 1)

    def __str__(self) -> str:
        return str(self.n_units)


def _check(name: str, value: Any, minimum: int) -> None:
    if check_count(name, value, minimum) > MAX_UNITS:
        raise InputError(f"{name} must be at most {MAX_UNITS}, got {shown(value)}")


class LayerPlan(NamedTuple):
    """The shape of one layer's forward weights, (n_outputs, n_inputs), and what it does with images."""

    n_inputs: int
    n_outputs: int
    patches: Patches | None = None
    pooling: Pooling | None = None

    @property
    def size_in(self) -> int:
        """Values that it takes per sample: all pixels of an image."""
        return self.n_inputs if self.patches is None else self.patches.n_pixels

    @property
    def n_positions(self) -> int:
        """Rows of x per sample: P patches of an image, or 1."""
        return 1 if self.patches is None else self.patches.n_positions

    @property
    def n_values(self) -> int:
        """Values of x per sample: those of all patches of an image."""
        return self.n_inputs * self.n_positions

    @property
    def n_units(self) -> int:
        """Units per sample: those at all positions of a convolution."""
        return self.n_outputs * self.n_positions

    @property
    def size_out(self) -> int:
        """Values that it returns per sample: fewer than units if they are pooled."""
        return self.n_units if self.pooling is None else self.pooling.n_values


def plan_layers(sizes: Sequence[Any], input_shape: Any = None, name: str = "sizes") -> list[LayerPlan]:
    """Return the plan of every layer with weights.

    Parameters
    ----------
    sizes : sequence        numbers of units, inputs first; with `input_shape`, `Conv`, `Pool` and `Dense`, their text,
                            or numbers of units, without inputs
    input_shape : tuple     (C, H, W) of the images, or (H, W); None for inputs without a shape
    name : str              what messages call the layers

    Raises
    ------
    InputError              if the layers do not fit each other
    """
    if input_shape is None:
        if needs_images(sizes):
            raise InputError("convolutions need the shape of the inputs: give input_shape=(1, 28, 28), for example")
        return [LayerPlan(*pair) for pair in pairwise(check_sizes(name, sizes))]
    shape: Shape | None = check_image_shape("input_shape", input_shape)
    n_values, plans = prod(input_shape), list[LayerPlan]()
    for layer in read_layers(name, sizes):
        if isinstance(layer, Dense):
            plans.append(LayerPlan(n_values, layer.n_units))
            shape = None
        elif shape is None:
            raise InputError(f"{layer} comes after a dense layer, which returns no images: put it before them")
        elif isinstance(layer, Conv):
            patches = Patches(shape, layer.kernel, layer.stride, layer.padding)
            plans.append(LayerPlan(patches.n_values, layer.filters, patches))
            shape = (layer.filters, *patches.positions)
        elif not plans or plans[-1].pooling is not None:
            raise InputError(f"{layer} must come after a convolution, whose outputs it pools")
        else:
            pooling = Pooling(shape, layer.size)
            plans[-1] = plans[-1]._replace(pooling=pooling)
            shape = pooling.pooled
        n_values = plans[-1].size_out
    if plans[-1].pooling is not None:
        raise InputError("the last layer must not be pooled: the loss needs its own outputs, as of Dense(10)")
    return plans


def read_layers(name: str, sizes: Any) -> list[Conv | Pool | Dense]:
    """Return layers for images, given as descriptions, numbers of units or text, as descriptions.

    Raises
    ------
    InputError      if there are none, or one cannot be read; calls them `name`
    """
    layers = list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else []
    if not layers:
        example = "[Conv(32, 5), Pool(2), Dense(10)]"
        raise InputError(f"{name} must be a list of layers such as {example}, got {shown(sizes)}")
    return [_read(name, layer) for layer in layers]


def _read(name: str, layer: Any) -> Conv | Pool | Dense:
    if isinstance(layer, (Conv, Pool, Dense)):
        return layer
    if not isinstance(layer, str):
        return Dense(layer)
    if found := CONV.fullmatch(layer):
        filters, kernel, stride, padding = found.groups()
        return Conv(int(filters), int(kernel), int(stride or 1), int(padding or 0))
    if found := POOL.fullmatch(layer):
        return Pool(int(found[1]))
    raise InputError(f"{name} holds {shown(layer)}: write conv32k5s2p1 (stride and padding as needed), pool2, or 10")


def needs_images(sizes: Any) -> bool:
    """Return whether layers are described, or are text such as "conv16k3", and so need the shape of the inputs."""
    found = sizes if isinstance(sizes, (list, tuple)) else ()
    return any(isinstance(each, (Conv, Pool, Dense)) or str(each).startswith(("conv", "pool")) for each in found)


def plain_layers(name: str, sizes: Sequence[Any]) -> list[Any]:
    """Return layers as plain values, ready for JSON: numbers of units, and text for `Conv` and `Pool`."""
    layers = read_layers(name, sizes)
    return [int(layer.n_units) if isinstance(layer, Dense) else str(layer) for layer in layers]


def check_image_shape(name: str, shape: Any) -> Shape:
    """Return the shape of images as (C, H, W), or raise an InputError; (H, W) is one channel."""
    sides = list(shape) if isinstance(shape, (tuple, list)) else []
    if len(sides) not in (2, 3):
        raise InputError(f"{name} must be (channels, height, width), such as (1, 28, 28), got {shown(shape)}")
    for side in sides:
        _check(f"each side of {name}", side, 1)
    channels, height, width = map(int, sides if len(sides) == 3 else [1, *sides])
    return channels, height, width


def feedback_shape(plans: Sequence[LayerPlan], k: int, feedback_from: str) -> tuple[int, int]:
    """Return the shape of the feedback matrix into layer k from the layer "above", or from the "output" layer.

    From a convolution it is (C k^2, F), shared by all patches, which are added up; from the output layer it is
    (units, K), with a row for each unit at each position.
    """
    if feedback_from == "above":
        return plans[k + 1].n_inputs, plans[k + 1].n_outputs
    return plans[k].n_units, plans[-1].n_units


def chunk_size(plans: Sequence[LayerPlan]) -> int:
    """Return how many samples a network evaluates or monitors at a time."""
    return CHUNK if all(plan.patches is None for plan in plans) else CHUNK_OF_IMAGES

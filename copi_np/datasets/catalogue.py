"""The data sets that can be loaded by name: their files, mirrors and checksums."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from copi_np.datasets.bundled import BUNDLED, load_bundled
from copi_np.datasets.cifar import TEST, load_cifar10
from copi_np.datasets.dataset import Dataset
from copi_np.datasets.fetch import DataFile
from copi_np.datasets.idx import SHAPES, load_idx


@dataclass(frozen=True)
class Description:
    """A data set that can be loaded by name.

    Attributes
    ----------
    load : callable             builds the data set from its name and the paths of its files
    files : tuple of DataFile   the files to find or download, in the order that `load` expects; none if it is bundled
    """

    load: Callable[[str, Mapping[DataFile, Path]], Dataset]
    files: tuple[DataFile, ...] = ()


MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
CIFAR_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)

# size and SHA-256 of each archive, and SHA-256 of its decompressed content; in the order of SHAPES
MNIST_FILES = (
    (
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FASHION_FILES = (
    (
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    (
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    (
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    (
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
CIFAR_FILE = (170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")

DATASETS: Mapping[str, Description] = {
    **dict.fromkeys(BUNDLED, Description(load_bundled)),
    "mnist": Description(
        load_idx,
        tuple(
            DataFile(name, archive, MNIST_MIRRORS, size, content, places=("MNIST/raw",), others=("mnist.npz",))
            for name, (size, archive, content) in zip(SHAPES, MNIST_FILES, strict=True)
        ),
    ),
    "fashion-mnist": Description(
        load_idx,
        tuple(
            DataFile(name, archive, FASHION_MIRRORS, size, content, places=("FashionMNIST/raw",))
            for name, (size, archive, content) in zip(SHAPES, FASHION_FILES, strict=True)
        ),
    ),
    "cifar10": Description(
        load_cifar10,
        (
            DataFile(
                "cifar-10-binary.tar.gz",
                CIFAR_FILE[1],
                CIFAR_MIRRORS,
                CIFAR_FILE[0],
                others=("cifar-10-binary.tar.gz", TEST),
                pickled=("cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar-10-batches-py-target"),
            ),
        ),
    ),
}

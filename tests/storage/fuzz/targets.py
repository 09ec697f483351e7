"""The readers to fuzz: how each makes a file of the input's bytes, and its first inputs.

A compressed file (.gz, .tar.gz, .npz) would hardly ever survive a mutation. So the first byte of the input decides
whether the rest is the file itself, or its content, which is then packed with the right checksums.

Nothing here needs the fuzzer: `tests/storage/test_damage.py` feeds the same targets with hypothesis.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from copi_np import CopiError, Network, load_dataset, load_network, save_network
from copi_np.callbacks import CheckpointWriter
from copi_np.checkpoint import content_digest
from copi_np.datasets import Dataset, Split, cifar, idx
from copi_np.datasets.fetch import DataFile
from copi_np.experiments.config import RunConfig
from copi_np.experiments.diagnostics import read_diagnostics
from copi_np.experiments.figure3 import measures_of, pictures_of
from copi_np.experiments.grids import GRIDS_FILE, group_by_grid, read_grids
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import read_run
from copi_np.experiments.report import environments
from copi_np.experiments.runner import train_into
from copi_np.experiments.summary import group_runs
from copi_np.storage.npz import read_npz

TEMPORARY = tempfile.TemporaryDirectory(prefix="copi-np-fuzz-")
DTYPES = ("u1", "<i8", "<u8", "<f4", "<f8", "<f2", "?", "<c8", "<U2", "S3", "<M8[s]", "V5", ">f4", "[('a', '<f4')]")


class Target(NamedTuple):
    """A reader under test.

    Attributes
    ----------
    seeds : list of bytes       the first inputs; all but damaged ones can be read
    read : callable             makes a file of its bytes and reads it; may raise only a CopiError
    words : tuple of bytes      words that mutations try
    """

    seeds: list[bytes]
    read: Callable[[bytes], object]
    words: tuple[bytes, ...] = ()


@cache
def folder() -> Path:
    """Return the folder for the files of this process, with the records of a small run in recorded/."""
    root = Path(TEMPORARY.name)
    rng = np.random.default_rng(0)
    splits = [Split(rng.integers(0, 256, (n, 4), np.uint8), np.arange(n) % 2) for n in (6, 4)]
    data = Dataset("tiny", *splits, n_classes=2, image_shape=(2, 2))
    config = RunConfig("copi-bp", "tiny", (4, 3, 2), epochs=2, eta_W=0.01, eta_R=0.01, batch_size=3)
    train_into(root / "recorded", config, data, "numpy", diagnostics=True)
    (root / "recorded" / "checkpoint.npz").unlink()
    return root


def written(name: str, content: bytes) -> Path:
    """Write a file, and return its path."""
    path = folder() / name
    path.write_bytes(content)
    return path


# --------------------------------------------------------------------------------------------------------- data sets


def read_idx(content: bytes) -> None:
    """Read an IDX file."""
    idx.parse_idx(content)


def read_packed_idx(data: bytes) -> None:
    """Read a .gz file of labels: the bytes themselves, or compressed."""
    mode, content = data[:1], data[1:]
    path = written("labels.gz", content if mode < b"\x80" else gzip.compress(content, 1))
    with patch.dict(idx.SHAPES, {path.name: (3,)}):
        idx.read_idx(DataFile(path.name, "", (), 0), path)


def read_cifar(data: bytes) -> None:
    """Read CIFAR-10: the bytes are the .tar.gz, the tar archive in it, or the header of one of its members."""
    mode, content = data[:1], data[1:]
    if mode >= b"\x40":
        content = gzip.compress(content if mode < b"\x80" else tar_with(content), 1)
    with patch.multiple(cifar, BATCH_ROWS=1, OTHER_BYTES=2**16):
        cifar.load_cifar10("cifar10", {DataFile("cifar", "", (), 0): written("cifar.tar.gz", content)})


def tar_with(data: bytes) -> bytes:
    """Return a tar archive of the six batches, with bytes of one header replaced and its checksum corrected."""
    archive = bytearray(cifar_tar())
    offset = 512 * 8 * (data[0] % 6 if data else 0)  # a header and the seven blocks of a batch
    header = bytearray(archive[offset : offset + 512])
    header[100 : 100 + len(data[1:200])] = data[1:200]
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    archive[offset : offset + 512] = header
    return bytes(archive)


@cache
def cifar_tar() -> bytes:
    """Return a tar archive of six batches of one image each."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in (*cifar.TRAIN, cifar.TEST):
            info = tarfile.TarInfo(name)
            info.size = cifar.ROW_BYTES
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------------ .npz archives


def npz(members: Mapping[str, bytes]) -> bytes:
    """Return an archive with correct checksums; zipfile would take longer to write it than a reader to read it."""
    body, directory = b"", b""
    for name, content in members.items():
        about = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(content), *2 * [len(content)], len(name) + 4, 0)
        directory += b"PK\1\2\24\0" + about + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + f"{name}.npy".encode()
        body += b"PK\3\4" + about + f"{name}.npy".encode() + content
    return (
        body + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, *2 * [len(members)], len(directory), len(body), 0)
    )


def npy(array: np.ndarray) -> bytes:
    """Return an array as bytes of the .npy format."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def made_array(data: bytes) -> np.ndarray:
    """Return an array whose type, shape and values the bytes choose."""
    data = data.ljust(6, b"\0")
    name = DTYPES[data[0] % len(DTYPES)]
    dtype = np.dtype([("a", "<f4")] if name.startswith("[") else name)
    shape = tuple(side % 6 for side in data[2 : 2 + data[1] % 4])
    size = prod(shape) * dtype.itemsize
    return np.frombuffer((data[6:] * size or bytes(size))[:size].ljust(size, b"\0"), dtype).reshape(shape)


def members_of(data: bytes, members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the members of an archive, with one replaced by bytes or by another array, or left out."""
    mode, which, rest = (data[0] % 4 if data else 0), (data[1] if len(data) > 1 else 0), data[2:]
    name = list(members)[which % len(members)]
    others = {other: content for other, content in members.items() if other != name}
    # the changed one first: if it is refused, the others need not be read
    return others if mode == 3 else {name: rest if mode == 1 else npy(made_array(rest)), **others}


def npz_of(data: bytes, members: Mapping[str, bytes]) -> bytes:
    """Return an archive: the bytes themselves, or the members with one replaced."""
    return npz(members_of(data, members)) if data and data[0] % 4 else data[1:]


def npz_seeds(arrays: Mapping[str, np.ndarray]) -> list[bytes]:
    """Return the archive itself, and each of its arrays as bytes and as values."""
    seeds = [b"\0" + npz(npys(arrays))]
    for k, array in enumerate(arrays.values()):
        seeds.append(bytes([1, k]) + npy(array))
        seeds.append(bytes([3, k]))
        codes = [code for code, name in enumerate(DTYPES) if name[-2:] == array.dtype.str[-2:]] or [0]
        shape = bytes(array.shape[:3]).ljust(4, b"\0")
        seeds.append(bytes([2, k, codes[0], min(array.ndim, 3)]) + shape + array.tobytes())
    return seeds


def npys(arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """Return each array as bytes of the .npy format."""
    return {name: npy(array) for name, array in arrays.items()}


DATASET = {
    "x_train": np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
    "y_train": np.array([0, 1, 0]),
    "x_test": np.zeros((2, 2, 2), np.uint8),
    "y_test": np.array([1, 0]),
}
DATASET_MEMBERS = npys(DATASET)


def read_user_npz(data: bytes) -> None:
    """Read a user's own data set."""
    assert load_dataset(written("user.npz", npz_of(data, DATASET_MEMBERS))).fingerprint


@cache
def checkpoint_arrays() -> dict[str, np.ndarray]:
    """Return the arrays of a checkpoint, without the checksum."""
    path = folder() / "network.npz"
    save_network(path, Network([3, 2, 2], rng=np.random.default_rng(0), error_signal="fa"), {"epoch": 1})
    arrays = read_npz(path, "")
    del arrays["sha256"]
    return arrays


@cache
def checkpoint_members() -> dict[str, bytes]:
    """Return the same as bytes of the .npy format."""
    return npys(checkpoint_arrays())


def read_checkpoint(data: bytes) -> None:
    """Read a checkpoint: its bytes, or with one array or the header replaced and the checksum over all corrected."""
    if data[:1] < b"\x40":
        content = data[1:]
    else:
        if data[:1] < b"\xa0":
            members = members_of(data, checkpoint_members())
        else:
            members = checkpoint_members() | {"header": npy(np.array(data[1:].decode("latin-1").rstrip("\0") or "{"))}
        changed = {name: content for name, content in members.items() if content is not checkpoint_members()[name]}
        arrays = {name: array for name, array in checkpoint_arrays().items() if name in members}
        arrays |= read_npz(written("changed.npz", npz(changed)), "")
        content = npz({**members, "sha256": npy(np.array(content_digest(arrays)))})
    network, _ = load_network(written("checkpoint.npz", content))
    network.predict(np.zeros((1, network.layers[0].n_inputs), network.dtype))


@cache
def training() -> tuple[Network, dict[str, np.ndarray]]:
    """Return a network, and the arrays of its checkpoint."""
    path, network = folder() / "training.npz", Network([3, 2], rng=np.random.default_rng(0))
    save_network(path, network)
    return network, read_npz(path, "")


def read_training(data: bytes) -> None:
    """Resume training from a checkpoint with this metadata in JSON."""
    network, arrays = training()
    text = json.dumps(json.loads(str(arrays["header"])) | {"metadata": "HERE"})
    arrays = {
        "header": np.array(text.replace('"HERE"', data.decode("latin-1"))),
        "R_0": arrays["R_0"],
        "W_0": arrays["W_0"],
    }
    path = written("training.npz", npz(npys({**arrays, "sha256": np.array(content_digest(arrays))})))
    writer = CheckpointWriter(path, np.random.default_rng(0), {"batch_size": 3})
    writer.begin(network, [], resume=True)
    assert writer.rng.permutation(3).size


def training_target() -> Target:
    """Return the target of resuming a training."""
    state = {"shuffling": np.random.default_rng(1).bit_generator.state, "settings": {"batch_size": 3}}
    line = (folder() / "recorded" / "history.jsonl").read_bytes().split(b"\n")[0]
    seed = json.dumps({"epoch": 1, **state, "history": [json.loads(line)]}).encode()
    return Target([seed], read_training, (*(json.dumps(key).encode() for key in _keys(seed)), *JSON_WORDS))


PICTURES = {
    "epoch": np.array(2),
    "image_shape": np.array([2, 2]),
    "samples": np.array([0, 1]),
    **{name: np.ones((2, 4), "<f2") for name in ("raw", "COPI", "ZCA", "fields_0")},
}
PICTURE_MEMBERS = npys(PICTURES)


def read_pictures(data: bytes) -> None:
    """Read the pictures.npz of a run."""
    pictures_of(written("recorded/pictures.npz", npz_of(data, PICTURE_MEMBERS)).parent)


# ------------------------------------------------------------------------------------------------------- text, records


def read_preset(data: bytes) -> None:
    """Read a preset, and make the configuration of a run from it."""
    values = load_preset(str(written("preset.toml", data)), "copi-bp")
    RunConfig(**{"dataset": "mnist-5k"} | values)


def read_record(name: str, data: bytes) -> None:
    """Read a run with one of its text files replaced, and group and describe it as a report does."""
    root = folder() / "recorded"
    whole = (root / name).read_bytes() if (root / name).is_file() else None
    try:
        (root / name).write_bytes(data)
        if name == "diagnostics.jsonl":
            read_diagnostics(root)
        elif name == "figure3.json":
            measures_of(root)
        elif name == GRIDS_FILE:
            group_by_grid([read_run(root)], read_grids(root))
        else:
            run = read_run(root)
            environments([run])
            group_runs([run, replace(run, history=run.history[:1])])
    finally:
        (root / name).write_bytes(whole) if whole is not None else (root / name).unlink(missing_ok=True)


def record_target(name: str) -> Target:
    """Return the target of a text file of a run; mutations try the keys that it contains."""
    made = {"figure3.json": FIGURE3, GRIDS_FILE: GRIDS}
    seed = made[name] if name in made else (folder() / "recorded" / name).read_bytes()
    keys = sorted({json.dumps(key).encode() for line in seed.splitlines() for key in _keys(line)})
    return Target([seed, seed[: len(seed) // 2]], partial(read_record, name), (*keys, *JSON_WORDS))


def _keys(line: bytes) -> list[str]:
    return [part.decode() for part in line.split(b'"')[1::2]][:40]


JSON_WORDS = (b"NaN", b"Infinity", b"1e999", b"null", b"true", b"\\ud800", b"[[[[[[[[", b"{}", b"[]", b'""', b"-1")
TOML_WORDS = (
    b"[methods.copi-bp]",
    b"layers",
    b"epochs",
    b"eta_W",
    b"0x",
    b"nan",
    b"inf",
    b"[[",
    b"'''",
    b"{a=1}",
    b".",
    rb'"\u001b"',
)
PRESET = b"dataset = 'a.npz'\nlayers = [4, 3]\nepochs = 2\neta_W = 1e-2\neta_R = 0.1\n[methods.copi-bp]\nseed = 1\n"
CURVES: Any = {name: [0.5, 0.5] for name in ("train_accuracy", "test_accuracy", "train_loss", "test_loss")}
BY_LAYER: Any = {name: [0.1, 0.2] for name in ("correlations", "likeness", "against")}
GRIDS = b"""{"varied": ["eta"], "options": {"preset": "mnist-5k"}, "runs": ["recorded", "other"]}
{"varied": [], "options": {"epochs": 2}, "runs": ["recorded"]}
"""
FIGURE3 = json.dumps({"epoch": 2, **BY_LAYER, "formula": CURVES, "least squares": CURVES}).encode()

IDX = idx.idx_header((2, 2)) + b"abcd"
LABELS = idx.idx_header((3,)) + b"\0\1\2"

TARGETS: dict[str, Callable[[], Target]] = {
    "idx": lambda: Target([IDX, LABELS, idx.idx_header((0, 2**32 - 1, 2**32 - 1))], read_idx),
    "idx.gz": lambda: Target([b"\0" + gzip.compress(LABELS), b"\xff" + LABELS], read_packed_idx),
    "cifar.tar.gz": lambda: Target(
        [b"\0" + gzip.compress(cifar_tar(), 9, mtime=0), b"\x40" + cifar_tar(), b"\x80\0" + cifar_tar()[100:199]],
        read_cifar,
    ),
    "user.npz": lambda: Target(npz_seeds(DATASET), read_user_npz),
    "checkpoint.npz": lambda: Target(
        [
            *npz_seeds(checkpoint_arrays())[:1],
            *(bytes([0x40 + seed[0]]) + seed[1:] for seed in npz_seeds(checkpoint_arrays())[1:]),
            b"\xa0" + str(checkpoint_arrays()["header"]).encode(),
        ],
        read_checkpoint,
        JSON_WORDS,
    ),
    "training": training_target,
    "pictures.npz": lambda: Target(npz_seeds(PICTURES), read_pictures),
    "preset.toml": lambda: Target([PRESET, b"layers = [4, 3]"], read_preset, TOML_WORDS),
    "run.json": lambda: record_target("run.json"),
    "history.jsonl": lambda: record_target("history.jsonl"),
    "diagnostics.jsonl": lambda: record_target("diagnostics.jsonl"),
    "figure3.json": lambda: record_target("figure3.json"),
    GRIDS_FILE: lambda: record_target(GRIDS_FILE),
}


def outcome(target: Target, data: bytes) -> str:
    """Return "read", or the message of the reader's error; any other exception is a finding."""
    try:
        target.read(data)
    except CopiError as error:
        message = str(error)
        assert message.isprintable(), message  # one line without control characters
        assert len(message) < 2000, message
        return message
    return "read"

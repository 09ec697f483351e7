"""Read .npz files that may be damaged, or meant to do damage; and write them, all or not at all."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from copi_np.errors import DataError
from copi_np.storage.atomic import replace_file
from copi_np.storage.untrusted import open_file

MAX_RATIO: Final = 100
"""How many times its own size an archive may unpack to; images and weights come to less than 50."""
SMALL: Final = 2**26
"""Bytes to which any archive may unpack, however small it is: 64 MiB."""
CHUNK: Final = 2**20
"""Bytes that are unpacked at a time."""
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy writes members; the others can unpack to any size before a reader can stop them."""
LENGTH_BYTES: Final = {(1, 0): 2, (2, 0): 4}
"""How many bytes tell the length of a header, by the version of the format."""
MAX_HEADER: Final = 10_000
"""Bytes of a header; NumPy's own reader takes no more either."""
HEADER: Final = re.compile(
    rb"\{'descr': ?'([<>|=]?[?biufcmMSUVO]\d*(?:\[\w+\])?)', ?'fortran_order': ?(True|False), ?"
    rb"'shape': ?\(([\d, ]*)\),? *\}\s*"
)
"""What announces dtype, order and shape: of arrays of one type, and as Python 3 writes integers."""


class _UnusableError(ValueError):
    """Says what an archive holds that is not read."""


def read_npz(path: Path, advice: str) -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of an .npz file; nothing is ever unpickled, and no header is believed.

    What the archive would unpack to is checked against `MAX_RATIO` and `SMALL`, and what an array announces against
    its member of the archive, before memory is taken for either.

    Parameters
    ----------
    path : Path
    advice : str        what to do about a file that cannot be used; ends each message

    Returns
    -------
    arrays : dict       by name

    Raises
    ------
    DataError           if the file is missing, cut short, damaged, a bomb, or holds Python objects
    """
    with open_file(path, advice) as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path} is cut short, or not an .npz archive: {advice}")
        try:
            with zipfile.ZipFile(file) as archive:
                members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
                _check_sizes(members, os.fstat(file.fileno()).st_size)
                return {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
        except MemoryError as error:
            raise DataError(f"{path} does not fit into memory: use a smaller one") from error
        # damaged bytes make the readers of zip, zlib and npy raise nearly every kind of exception there is
        except Exception as error:
            what = error if isinstance(error, _UnusableError) else "an array that cannot be read"
            raise DataError(f"{path} is damaged or holds {what}: {advice}") from error


def _check_sizes(members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse an archive of `size` bytes that would unpack to too many, or with members NumPy does not write."""
    unpacked, limit = sum(member.file_size for member in members), max(SMALL, MAX_RATIO * size)
    if unpacked > limit:
        raise _UnusableError(f"{unpacked} bytes, where {limit} are allowed (numpy.savez stores without compression)")
    if any(member.compress_type not in METHODS for member in members):
        raise _UnusableError("members that are compressed otherwise than by numpy.savez_compressed")


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """Read one array, once its header is checked: NumPy's reader first takes all the memory that a header announces."""
    with archive.open(member) as stream:
        shape, is_fortran, dtype = _read_header(stream)
        size = member.file_size - stream.tell()
        if dtype.hasobject:
            raise _UnusableError("Python objects")
        if not dtype.itemsize or prod(shape) * dtype.itemsize != size:
            raise _UnusableError("an array that announces another size than it has")
        content, filled = bytearray(size), 0
        while chunk := stream.read(CHUNK):
            content[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
    if filled != size:
        raise _UnusableError("an array that is cut short")
    return np.ndarray(shape, dtype, content, order="F" if is_fortran else "C")


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype.

    NumPy's reader takes the header for Python, and warns of odd ones; to silence that, filters would have to be changed
    which all threads share.
    """
    n_bytes = LENGTH_BYTES[np.lib.format.read_magic(stream)]
    length = int.from_bytes(stream.read(n_bytes), "little")
    header = HEADER.fullmatch(stream.read(min(length, MAX_HEADER)))
    if header is None:
        raise ValueError("not a header as NumPy writes it")
    descr, is_fortran, shape = header.groups()
    return tuple(int(n) for n in shape.split(b",") if n.strip()), is_fortran == b"True", np.dtype(descr.decode())


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]], previous: Path | None = None) -> None:
    """Write arrays to an .npz file, by name, all or not at all; parameters and errors as for `files.replace_file`."""
    named: dict[str, Any] = dict(arrays)
    replace_file(path, lambda file: np.savez(file, **named), previous)

"""Read arrays from .npz files that may be damaged or malicious, and write such files completely or not at all."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Collection, Mapping
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from copi_np.errors import DataError
from copi_np.storage.atomic import replace_file
from copi_np.storage.untrusted import open_file

MAX_RATIO: Final = 100
"""How many times its own size an archive may unpack to; images and weights stay below 50."""
SMALL: Final = 2**26
"""Bytes that any archive may unpack to, however small it is: 64 MiB."""
CHUNK: Final = 2**20
"""Bytes that are unpacked at a time."""
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy compresses members; other methods can unpack to any size before a reader can stop them."""
HEADERS: Final = {(1, 0): (2, "latin-1"), (2, 0): (4, "latin-1"), (3, 0): (4, "utf-8")}
"""For each version of the .npy format, how many bytes hold the header's length, and the header's encoding."""
MAX_HEADER: Final = 10_000
"""Most bytes of a header; NumPy's own limit is the same."""
TOKEN: Final = re.compile(r"""'[^'\\]*'|"[^"\\]*"|[0-9]+L?\b|True|False|[][(){},: \t\n]""")
"""The tokens of a header; Python would warn about some other texts, such as "1or 2" or an unknown escape."""


class _UnusableError(ValueError):
    """Says what makes an archive unusable."""


def read_npz(path: Path, advice: str, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read arrays from an .npz file, without unpickling anything or trusting any header.

    Before memory is allocated, the unpacked size is checked against `MAX_RATIO` and `SMALL`, and each array's header
    against the size of its member.

    Parameters
    ----------
    path : Path
    advice : str        what to do about a file that cannot be used; ends each message
    names : collection of str, optional
                        the arrays that are wanted, by default all; other members are not even opened

    Returns
    -------
    arrays : dict       by name; wanted ones that are not in the file are left out

    Raises
    ------
    DataError           if the file is missing, cut short, damaged or a bomb, or a wanted array holds Python objects
    """
    with open_file(path, advice) as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path} is cut short, or not an .npz archive: {advice}")
        try:
            with zipfile.ZipFile(file) as archive:
                members = {
                    member.filename.removesuffix(".npy"): member
                    for member in archive.infolist()
                    if member.filename.endswith(".npy") and (names is None or member.filename[:-4] in names)
                }
                _check_sizes(path, members.values(), os.fstat(file.fileno()).st_size)
                return {name: _read_array(archive, member) for name, member in members.items()}
        except DataError:
            raise
        except MemoryError:
            raise DataError(f"{path} does not fit into memory: use a smaller one") from None
        # damaged bytes make the readers of zip, zlib and npy raise nearly every kind of exception
        except Exception as error:
            what = error if isinstance(error, _UnusableError) else "an array that cannot be read"
            raise DataError(f"{path} is damaged or holds {what}: {advice}") from None


def _check_sizes(path: Path, members: Collection[zipfile.ZipInfo], size: int) -> None:
    """Refuse members that unpack to too much for an archive of `size` bytes, or that NumPy would not write."""
    unpacked, limit = sum(member.file_size for member in members), max(SMALL, MAX_RATIO * size)
    if unpacked > limit:
        again = f"numpy.savez('uncompressed.npz', **numpy.load({str(path)!r}))"
        raise DataError(
            f"{path} unpacks to {unpacked} bytes, where {limit} are allowed, {MAX_RATIO} times its size or {SMALL}, "
            f"since a damaged file may unpack to any size: if it is your own, store it without compression, {again}"
        )
    if any(member.compress_type not in METHODS for member in members):
        raise _UnusableError("members in a compression that NumPy does not write")


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """Check the header and read the array: NumPy's reader would first allocate whatever the header declares."""
    with archive.open(member) as stream:
        shape, is_fortran, dtype = _read_header(stream)
        size = member.file_size - stream.tell()
        if dtype.hasobject:
            raise _UnusableError("Python objects")
        if not dtype.itemsize or prod(shape) * dtype.itemsize != size:
            raise _UnusableError("an array that declares a size other than its own")
        content, filled = bytearray(size), 0
        while chunk := stream.read(CHUNK):
            content[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
    if filled != size:
        raise _UnusableError("an array that is cut short")
    return np.ndarray(shape, dtype, content, order="F" if is_fortran else "C")


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return an array's shape, whether it is in Fortran order, and its dtype.

    NumPy parses the header, rewritten to version 2.0 without the L of Python 2's integers. NumPy would warn about the
    L, and the filters that silence warnings are shared by all threads.
    """
    n_bytes, encoding = HEADERS[np.lib.format.read_magic(stream)]
    length = int.from_bytes(stream.read(n_bytes), "little")
    text = stream.read(min(length, MAX_HEADER + 1)).decode(encoding)
    tokens = TOKEN.findall(text)
    if length > MAX_HEADER or "".join(tokens) != text:
        raise ValueError("not a header of the .npy format")
    plain = "".join(token.rstrip("L") if token[0].isdigit() else token for token in tokens)
    header = plain.strip().encode("latin-1", "backslashreplace")
    return np.lib.format.read_array_header_2_0(BytesIO(len(header).to_bytes(4, "little") + header))


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[Any]], previous: Path | None = None) -> None:
    """Write arrays to an .npz file, completely or not at all; parameters and errors as for `atomic.replace_file`."""
    named: dict[str, Any] = dict(arrays)
    replace_file(path, lambda file: np.savez(file, **named), previous)

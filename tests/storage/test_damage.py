"""Damaged and malicious files: one clear error, no code run, no memory allocated because a header asks for it."""

from __future__ import annotations

import ast
import gzip
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fuzz import targets
from fuzz.targets import TARGETS, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from privileges import without_privileges

from copi_np import (
    CopiError,
    DataError,
    Dataset,
    InputError,
    Network,
    Schedule,
    Split,
    fit,
    load_dataset,
    load_network,
)
from copi_np._checks import check_count, check_rate
from copi_np.callbacks import BestCheckpoint, CSVLog
from copi_np.cli import main
from copi_np.datasets import cifar, find_dataset, idx
from copi_np.errors import LONGEST, explain_os_errors, shown
from copi_np.experiments.config import RunConfig
from copi_np.experiments.diagnostics import read_diagnostics
from copi_np.experiments.figure3 import measures_of, pictures_of
from copi_np.experiments.preset_files import MAX_PRESET, load_preset
from copi_np.experiments.records import find_runs, read_run
from copi_np.experiments.runner import train_into
from copi_np.storage import npz as archives
from copi_np.storage.jsonl import read_lines
from copi_np.storage.npz import SMALL, read_npz
from copi_np.storage.untrusted import MAX_TEXT, parse_json, read_text

PACKAGE = Path(__file__).parents[2] / "copi_np"
ADVICE = "use another"


@cache
def target(name):
    return TARGETS[name]()


# --------------------------------------------------------------------------------------------- any bytes, as in fuzzing


SMALL_PRESET = b"layers = [4, 3]\nepochs = 2\neta_W = 1e-2\neta_R = 0.1\n"
WHOLE = {"preset.toml": lambda: SMALL_PRESET, "checkpoint.npz": lambda: target("checkpoint.npz").seeds[1]}


@pytest.mark.parametrize("name", TARGETS)
def test_whole_files_are_read_and_halves_are_not(name):
    """Without this, a reader that refused everything would pass all the tests below."""
    whole = WHOLE.get(name, lambda: target(name).seeds[0])()
    assert outcome(target(name), whole) == "read"
    half = whole[: len(whole) // 2] + b"\n" * name.endswith("l")
    assert outcome(target(name), half) != "read"


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes_raise_only_the_packages_own_errors(name, data):
    """Bytes are replaced, removed and inserted; `make fuzz` does the same a million times."""
    content = bytearray(data.draw(st.sampled_from(target(name).seeds)))
    words = target(name).words or (b"\0\0\0\0", b"\xff\xff\xff\xff")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.sampled_from([0, 1, 1, 4, 100]))
        content[start : start + length] = data.draw(st.binary(max_size=6) | st.sampled_from(words))
    with warnings.catch_warnings(action="ignore"):
        assert outcome(target(name), bytes(content))


# ------------------------------------------------------------------------------------------------- paths that fail


LABELS = "t10k-labels-idx1-ubyte.gz"


def readers():
    """Return every reader, as a function of a path, by the name of its file."""

    def in_folder(read):
        return lambda path: read(path.parent)

    return {
        "user.npz": load_dataset,
        "checkpoint.npz": load_network,
        "preset.toml": lambda path: load_preset(str(path), "copi-bp"),
        "run.json": in_folder(read_run),
        LABELS: lambda path: idx.read_idx(targets.DataFile(LABELS, "", (), 0), path),
        "text": lambda path: read_text(path, ADVICE),
        "cifar-10-binary.tar.gz": cifar.read_batches,
    }


OPTIONAL = {
    "history.jsonl": lambda path: read_lines(path, "move that folder away"),
    "diagnostics.jsonl": lambda path: read_diagnostics(path.parent),
    "figure3.json": lambda path: measures_of(path.parent),
    "pictures.npz": lambda path: pictures_of(path.parent),
}


def refused(read, path, error_type=CopiError):
    with pytest.raises(error_type) as error:
        read(path)
    assert str(error.value).isprintable()
    assert path.name[:40] in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", readers())
@pytest.mark.parametrize("place", ["missing", "folder", "pipe", "below a file"])
def test_a_path_that_is_not_a_file_is_refused(tmp_path, name, place):
    """A pipe that nobody writes to would block its reader forever."""
    path = tmp_path / name
    if place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    elif place == "below a file":
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / name
    assert "there is no" in refused(readers()[name], path)


@pytest.mark.parametrize("name", readers())
def test_an_impossible_file_name_is_refused(tmp_path, name):
    suffix = "".join(Path(name).suffixes)
    path = tmp_path / ("x" * 300 + suffix) if name != "run.json" else tmp_path / ("x" * 300) / name
    with pytest.raises(CopiError, match=r"File name too long|there is no"):
        readers()[name](path)


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_files_are_empty_where_there_is_none(tmp_path, name):
    (tmp_path / name).mkdir()
    assert not OPTIONAL[name](tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize("name", [*readers(), *OPTIONAL])
@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_file_without_permission_is_named_with_the_reason(name, where):
    read = (readers() | OPTIONAL)[name]
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        path = Path(parent) / "folder" / name
        path.parent.mkdir()
        path.write_bytes(b"content")
        locked = path if where == "file" else path.parent
        locked.chmod(0)
        try:
            with without_privileges():
                message = refused(read, path)
        finally:
            locked.chmod(0o700)
    assert "Permission denied" in message


def small_fit(**options):
    """Train a small network for one epoch on nine digits."""
    data = load_dataset("mnist-5k")
    few = Split(data.train.inputs[:9], data.train.labels[:9])
    data = Dataset("few", few, few, 10, validation=few)
    network, rng = Network([784, 10], rng=np.random.default_rng(0)), np.random.default_rng(1)
    schedule = Schedule(eta_W=1e-3, eta_R=1e-3)
    return fit(network, data, epochs=1, schedule=schedule, rng=rng, **options)


LOOKING = {
    "fit": lambda path: small_fit(checkpoint=path),
    "fit, resumed": lambda path: small_fit(checkpoint=path, resume=True),
    "BestCheckpoint": lambda path: small_fit(callbacks=[BestCheckpoint(path)]),
    "CSVLog": lambda path: small_fit(callbacks=[CSVLog(path)]),
    "load_dataset": lambda path: load_dataset("mnist", path),
    "find_dataset": lambda path: find_dataset("mnist", path),
    "find_runs": find_runs,
    "train_into": lambda path: train_into(path, MINIMAL, load_dataset("mnist-5k"), "numpy"),
}
MINIMAL = RunConfig("copi-bp", "mnist-5k", (784, 10), 1, 1e-3, 1e-3)


@pytest.mark.parametrize("name", LOOKING)
def test_looking_for_a_file_of_an_impossible_name_says_so(tmp_path, name):
    assert "too long" in refused(LOOKING[name], tmp_path / ("x" * 300))


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize("name", LOOKING)
def test_a_folder_without_permission_is_named_with_the_reason(name):
    LOOKING["find_dataset"](Path("nowhere"))  # imports what it needs, before privileges are dropped
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "folder"
        folder.mkdir(mode=0)
        try:
            with without_privileges(), pytest.raises(CopiError, match="Permission denied"):
                LOOKING[name](folder / "x")
        finally:
            folder.chmod(0o700)


def test_the_home_of_an_unknown_user_is_refused():
    with pytest.raises(InputError, match="there is no home folder for ~nobody-of-this-name"):
        load_dataset("~nobody-of-this-name/own.npz")


# ------------------------------------------------------------------------------------------------------------- text


TEXTS = {
    "empty": b"",
    "a zero byte": b"\0",
    "not UTF-8": b'{"epoch": "\xff"}\n',
    "a byte order mark": b'\xef\xbb\xbf{"epoch": 1}\n',
    "nested": b"[" * 100_000 + b"\n",
    "nested objects": b'{"a":' * 100_000 + b"\n",
    "a number of a million digits": b'{"epoch": ' + b"9" * 1_000_000 + b"}\n",
    "NaN": b'{"epoch": NaN}\n',
    "-Infinity": b'{"epoch": -Infinity}\n',
    "infinite": b'{"epoch": 1e999}\n',
    "an unpaired surrogate": b'{"epoch": "\\ud800"}\n',
    "a list": b"[1]\n",
    "a number": b"1\n",
    "unhashable": b'{"config": {"method": [], "layers": [1, 2]}, "name": {}}\n',
    "a key that takes over the terminal": b'{"\\u001b[2J\\n\\n": 1}\n',
}


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "diagnostics.jsonl", "figure3.json", "grids.jsonl"])
@pytest.mark.parametrize("damage", TEXTS)
def test_text_other_than_records_is_refused(name, damage):
    is_empty = name.endswith(".jsonl") and b"\n" not in TEXTS[damage]
    with warnings.catch_warnings(action="ignore"):
        assert (outcome(target(name), TEXTS[damage]) == "read") == is_empty


@pytest.mark.parametrize(
    "line",
    [
        b"seed = 0x" + b"f" * 1_000_000,  # Python's limit on decimal digits does not apply to these
        b"seed = " + b"9" * 10_000,
        b"layers = " + b"[" * 100_000,
        b"layers = " + b"{a=" * 100_000,
        b"eta_W = nan",
        b"eta_W = -inf",
        b"eta_W = 0x" + b"f" * 1000,
        b"epochs = 0x" + b"f" * 1000,
        b"dtype = []",
        b"dataset = 1",
        b'dataset = "a\\u0000b"',
        b"method = 'copi-bp'",
        b'"a\\u001b[2J" = 1',
    ],
    ids=lambda line: line[:30].decode(),
)
def test_a_preset_with_an_invalid_line_is_refused(line):
    key = line.split(b" ")[0]
    rest = b"\n".join(other for other in SMALL_PRESET.splitlines() if other.split(b" ")[0] != key)
    assert "cannot be read" not in outcome(target("preset.toml"), rest)
    assert outcome(target("preset.toml"), rest + b"\n" + line) not in ("read", outcome(target("preset.toml"), rest))


def test_messages_show_at_most_one_line_of_a_value():
    assert shown(16**100_000) == "a int too long to show"
    assert shown(np.ones((2, 2))).split() == ["array([[1.,", "1.],", "[1.,", "1.]])"]
    assert shown(np.ones((2, 2))).isprintable()
    assert shown("a" * 1000) == f"'{'a' * (LONGEST - 1)}.."
    for check in (check_count, check_rate):
        with pytest.raises(InputError, match="a int too long to show"):
            check("epochs", 16**100_000)
    with pytest.raises(InputError, match=r"at most 2\*\*128 - 1"):
        check_count("epochs", 2**128)
    check_count("seed", 2**128 - 1)
    assert check_rate("eta_W", np.float32(0.5)) == 0.5
    with pytest.raises(InputError, match="finite"):
        check_rate("eta_W", np.float32(np.inf))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ("write", "a.b"),
            OSError(28, "No space"),
            "cannot write a.b (No space): check the folder, and the space left on it",
        ),
        (("read", "a.b"), OSError(13, "Denied"), "cannot read a.b (Denied): check the path and its permissions"),
        (("write to", "a", "choose another"), TimeoutError(), "cannot write to a (TimeoutError): choose another"),
    ],
)
def test_an_error_of_the_system_becomes_one_line(arguments, error, message):
    with pytest.raises(DataError) as caught, explain_os_errors(*arguments):
        raise error
    assert str(caught.value) == message
    with pytest.raises(KeyError), explain_os_errors(*arguments):
        raise KeyError


def test_json_is_read_by_the_standard():
    assert parse_json('{"a": [1, 2.5, -1e3, null, true, "\\ud83d\\ude00"]}') == {"a": [1, 2.5, -1e3, None, True, "😀"]}
    for text in ("NaN", "[Infinity]", "1e999", '"\\ud800"', "[" * 100_000):
        with pytest.raises(ValueError, match=r"NaN|nested|surrogates"):
            parse_json(text)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("history.jsonl", {"test_accuracy": "0.5"}),
        ("history.jsonl", {"test_loss": None}),
        ("history.jsonl", {"test_loss": True}),
        ("history.jsonl", {"seconds": 10**400}),
        ("history.jsonl", {"decorrelation_loss": 1.0}),
        ("history.jsonl", {"decorrelation_loss": ["a"]}),
        ("history.jsonl", {"more": 1}),
        ("run.json", {"name": ["a"]}),
        ("run.json", {"data_sha256": {}}),
        ("run.json", {"versions": [1]}),
        ("run.json", {"continued": 1}),
        ("run.json", {"continued": [1]}),
        ("run.json", {"config": None}),
        ("figure3.json", {"correlations": "ab"}),
        ("figure3.json", {"likeness": [1.0, None]}),
        ("figure3.json", {"formula": []}),
        ("diagnostics.jsonl", {"epoch": -1}),
        ("diagnostics.jsonl", {"layers": [{"angle": 1.0}]}),
    ],
)
def test_values_of_the_wrong_kind_are_refused(name, change):
    seed = target(name).seeds[0]
    first, *rest = seed.split(b"\n") if name.endswith("l") else [seed]
    changed = json.dumps(json.loads(first) | change).encode()
    assert outcome(target(name), b"\n".join([changed, *rest])) != "read"
    assert outcome(target(name), seed) == "read"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": np.array([2, 2])}, "must be counts"),
        ({"epoch": np.array("2")}, "must be counts"),
        ({"epoch": np.array(2.0)}, "must be counts"),
        ({"image_shape": np.array(4)}, "must be counts"),
        ({"image_shape": np.array([2, 3])}, "'raw' is not an array of images"),
        ({"image_shape": np.array([-2, -2])}, "must be counts"),
        ({"image_shape": np.zeros(0, int)}, "'raw' is not an array of images"),
        ({"raw": np.ones((2, 5))}, "'raw' is not an array of images"),
        ({"COPI": np.ones(4)}, "'COPI' is not an array of images"),
        ({"ZCA": np.full((2, 4), "a")}, "'ZCA' is not an array of images"),
        ({"ZCA": np.ones((3, 4))}, "rows of different lengths"),
        ({"fields_0": np.full((2, 4), np.nan)}, "'fields_0' is empty or not finite"),
        ({"fields_1": np.zeros((0, 4))}, "'fields_1' is empty or not finite"),
    ],
)
def test_pictures_are_images_of_one_shape(change, message):
    members = targets.npys(targets.PICTURES | change)
    assert message in outcome(target("pictures.npz"), b"\0" + targets.npz(members))
    assert outcome(target("pictures.npz"), b"\0" + targets.npz(targets.PICTURE_MEMBERS)) == "read"


@pytest.mark.parametrize(
    "change",
    [
        {"history": [{}]},
        {"history": {}},
        {"history": [{"epoch": 1, "test_loss": "1"}]},
        {"settings": []},
        {"shuffling": []},
        {"shuffling": {"bit_generator": "PCG64"}},
        {"shuffling": {"bit_generator": "MT19937"}},
        {
            "shuffling": {
                "bit_generator": "PCG64",
                "state": {"state": -1, "inc": 2**200},
                "has_uint32": 0,
                "uinteger": 0,
            }
        },
        {"shuffling": {"bit_generator": "PCG64", "state": {"state": 1, "inc": 1}, "has_uint32": 2**99, "uinteger": -1}},
        {"shuffling": {"bit_generator": "PCG64", "state": 1, "has_uint32": 0, "uinteger": 0}},
    ],
)
def test_training_is_not_resumed_from_an_invalid_state(change):
    seed = json.loads(target("training").seeds[0])
    assert outcome(target("training"), json.dumps(seed | change).encode()) != "read"


def test_diagnostics_have_the_lengths_that_figures_need():
    first = json.loads(target("diagnostics.jsonl").seeds[0].split(b"\n")[0])
    for name in ("power", "power_before", "spectrum"):
        changed = json.loads(json.dumps(first))
        changed["layers"][0][name].pop()
        assert f"{name} is not a list of" in outcome(target("diagnostics.jsonl"), json.dumps(changed).encode() + b"\n")
    first["layers"][0]["spectrum"] = first["layers"][0]["asymmetry"] = None
    assert outcome(target("diagnostics.jsonl"), json.dumps(first).encode() + b"\n") == "read"


def test_half_a_last_line_is_skipped_with_one_warning():
    root = targets.folder() / "recorded"
    whole = (root / "history.jsonl").read_bytes()
    (root / "history.jsonl").write_bytes(whole[:-20])
    try:
        result = CliRunner().invoke(main, ["report", str(root.parent)])
        resumed = CliRunner().invoke(main, ["train", "--resume", str(root), "--epochs", "1"])
    finally:
        (root / "history.jsonl").write_bytes(whole)
    found = [line for line in result.stderr.splitlines() if "an incomplete line" in line]
    assert found
    assert resumed.stderr.count("an incomplete line") == 1  # though the run is read more than once
    assert found[0].startswith("Warning: ")
    assert "history.jsonl ends in an incomplete line, which is skipped" in found[0]


# ------------------------------------------------------------------------------------- sizes that a header announces


@contextmanager
def at_most(megabytes):
    """Check the peak of allocated memory, whether it is touched or not."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 2**20, f"{peak / 2**20:.0f} MB"


def npy_header(shape, descr="|u1", order=False):
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape!r}, }}\n".encode()
    return b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text


def zipped(members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def announcing(content, size):
    """Return an archive of one member whose two headers announce another size."""
    changed = bytearray(content)
    directory = content.index(b"PK\x01\x02")
    changed[22:26] = changed[directory + 24 : directory + 28] = size.to_bytes(4, "little")
    return bytes(changed)


@cache
def hostile():
    """Return small archives that ask for gigabytes, and what the error says about each."""
    zeros = npy_header((2**27,)) + bytes(2**27)
    bomb = zipped({"x_train.npy": zeros}, zipfile.ZIP_DEFLATED)
    return {
        "terabytes": (zipped({"x.npy": npy_header((2**40,))}), "declares a size other than its own"),
        "four gigabytes": (zipped({"x.npy": npy_header((2**16, 2**16))}), "declares a size other than its own"),
        "more than 64 bits": (zipped({"x.npy": npy_header((2**63, 2**63))}), "declares a size other than its own"),
        "negative": (zipped({"x.npy": npy_header((-1, -4)) + b"abcd"}), "cannot be read"),
        "items of zero bytes": (zipped({"x.npy": npy_header((2**40,), "|V0")}), "declares a size other than its own"),
        "too many axes": (zipped({"x.npy": npy_header((1,) * 100) + b"a"}), "cannot be read"),
        "a bomb": (bomb, "bytes, where 67108864 are allowed"),
        "many small bombs": (
            zipped({f"{k}.npy": npy_header((2**20,)) + bytes(2**20) for k in range(70)}, zipfile.ZIP_DEFLATED),
            "bytes, where 67108864 are allowed",
        ),
        "a member larger than it is": (
            announcing(
                zipped({"x.npy": npy_header((2**22,))}, zipfile.ZIP_DEFLATED), 2**22 + len(npy_header((2**22,)))
            ),
            "cut short",
        ),
        "bz2": (zipped({"x.npy": zeros[: 2**22]}, zipfile.ZIP_BZIP2), "a compression that NumPy does not write"),
        "lzma": (zipped({"x.npy": zeros[: 2**22]}, zipfile.ZIP_LZMA), "a compression that NumPy does not write"),
        "no array": (zipped({"x_train.npy": b"hello"}), "cannot be read"),
        "a header that nests": (zipped({"x.npy": npy_header("(" * 4000)}), "cannot be read"),
    }


HOSTILE = (
    *("terabytes", "four gigabytes", "more than 64 bits", "negative", "items of zero bytes", "too many axes"),
    *("a bomb", "many small bombs", "a member larger than it is", "bz2", "lzma", "no array", "a header that nests"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_header_of_an_archive_is_trusted(tmp_path, name):
    content, message = hostile()[name]
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    with at_most(8), pytest.raises(DataError, match=message) as error:
        read_npz(path, ADVICE)
    assert str(error.value).isprintable()


def test_archives_that_compress_well_are_read_up_to_the_limits(tmp_path):
    """Zeros of up to `SMALL` bytes, and of more if the file is large enough for the ratio."""
    path = tmp_path / "own.npz"
    np.savez_compressed(path, x=np.zeros(SMALL - 1000, np.uint8))
    assert read_npz(path, ADVICE)["x"].shape == (SMALL - 1000,)
    np.savez(path, x=np.zeros(SMALL + 1000, np.uint8))
    assert read_npz(path, ADVICE)["x"].shape == (SMALL + 1000,)


def test_arrays_are_read_as_written_and_are_writable(tmp_path):
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "e": np.zeros((0, 3)),
    }
    arrays |= {"scalar": np.array(3), "text": np.array("ü"), "big": np.arange(3, dtype=">f8")}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "own.npz", **arrays)
        found = read_npz(tmp_path / "own.npz", ADVICE)
        assert sorted(found) == sorted(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
        found["f"][0, 0] = 7


def test_members_without_the_ending_npy_are_ignored(tmp_path):
    """NumPy would return their bytes."""
    (tmp_path / "own.npz").write_bytes(zipped({"x_train": b"text", "x.npy": npy_header((1,)) + b"a"}))
    assert list(read_npz(tmp_path / "own.npz", ADVICE)) == ["x"]
    (tmp_path / "own.npz").write_bytes(zipped(dict.fromkeys(targets.DATASET, b"text")))
    with pytest.raises(DataError, match="lacks x_train"):
        load_dataset(tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({"decorrelation": "matrix"}, {"W_0": (1, 50_000)}),
        ({"decorrelation": None, "error_signal": "dfa"}, {"W_0": (50_000, 1), "W_1": (1, 50_000), "W_2": (50_000, 1)}),
    ],
)
def test_a_small_checkpoint_cannot_ask_for_large_weights(tmp_path, options, shapes):
    """Lateral and feedback weights of the announced sizes would take 10 or 20 GB; those in the file take few bytes."""
    settings = {
        "sizes": [shapes["W_0"][1], *(shape[0] for shape in shapes.values())],
        "rule": "copi",
        "loss": "quadratic",
    }
    settings |= {"error_signal": "bp", "activation": "tanh", "output_activation": "tanh", "dtype": "float32"} | options
    arrays = {name: np.zeros(shape, "float32") for name, shape in shapes.items()}
    arrays |= {name.replace("W", kind): np.zeros(1, "float32") for name in shapes for kind in ("R", "feedback")}
    header = {"schema": 2, "network": settings, "arrays": sorted(arrays), "metadata": {}}
    arrays["header"] = np.array(json.dumps(header))
    np.savez(tmp_path / "net.npz", **arrays, sha256=np.array(targets.content_digest(arrays)))
    with at_most(16), pytest.raises(DataError, match=r"holds (R|feedback)_0 of \(1,\) instead of \(50000, 50000\)"):
        load_network(tmp_path / "net.npz")


IDX_FILES = {
    "no axes": b"\0\0\x08\0a",
    "255 axes": b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"a",
    "zero samples of too many pixels": b"\0\0\x08\4" + bytes(4) + b"\xff" * 12,
}


@pytest.mark.parametrize("name", IDX_FILES)
def test_an_idx_file_of_impossible_axes_is_refused(name):
    with pytest.raises(DataError, match=r"axes, where 1 to 8|which no array can have"):
        idx.parse_idx(IDX_FILES[name])


def test_an_idx_file_of_another_shape_is_refused(tmp_path):
    path = tmp_path / LABELS
    path.write_bytes(gzip.compress(idx.idx_header((99, 100)) + bytes(9900)))
    with pytest.raises(DataError, match=r"holds shape \(99, 100\) instead of \(10000,\): delete it"):
        readers()[LABELS](path)


def tar_of(*members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def tar_info(name, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def long_name(kind):
    """Return a tar header that announces a member, such as a GNU or pax long name, of 8 GB."""
    header = bytearray(tar_of((tar_info("x", kind), b""))[:512])
    header[124:136] = b"77777777777\0"
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_SPARSE])
def test_no_header_of_a_tar_archive_is_trusted(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(cifar, "BATCH_ROWS", 1)
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(gzip.compress(long_name(kind) + bytes(2**26), 1))
    with at_most(8), pytest.raises(DataError, match="unpacks to more than"):
        cifar.read_batches(path)
    path.write_bytes(gzip.compress(long_name(kind)))
    with at_most(8), pytest.raises(DataError, match=r"cut short, or not a \.tar\.gz archive"):
        cifar.read_batches(path)


def test_a_tar_archive_that_is_cut_short_in_a_batch_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "BATCH_ROWS", 1)
    whole = targets.cifar_tar()
    start = whole.rindex(cifar.TEST.encode()) + tarfile.BLOCKSIZE
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(gzip.compress(whole[: start + 7 * tarfile.BLOCKSIZE]))
    assert len(cifar.read_batches(path)) == 6
    cut_short = r"cut short, or not a \.tar\.gz archive"
    for length, message in (
        (start + cifar.ROW_BYTES, cut_short),
        (start + cifar.ROW_BYTES - 1, cut_short),
        (start - 1, r"lacks cifar-10-batches-bin/test_batch\.bin of"),  # half a header ends an archive
    ):
        path.write_bytes(gzip.compress(whole[:length]))
        with pytest.raises(DataError, match=message):
            cifar.read_batches(path)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE])
def test_a_negative_size_in_a_tar_header_is_refused(tmp_path, monkeypatch, kind):
    """It makes the header its own successor, an endless loop; a sparse file's apparent size hides it."""
    monkeypatch.setattr(cifar, "BATCH_ROWS", 1)
    header = bytearray(tar_of((tar_info("x", kind), b""))[:512])
    header[483:495] = b"00000000017\0"
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    first = tar_of((tar_info("first"), b""))[:512]
    (tmp_path / "cifar.tar.gz").write_bytes(gzip.compress(first + header))
    with pytest.raises(DataError, match=r"cut short, or not a \.tar\.gz archive"):
        cifar.read_batches(tmp_path / "cifar.tar.gz")


def test_reading_an_archive_extracts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "BATCH_ROWS", 1)
    place = tmp_path / "place"
    place.mkdir()
    outside = [f"../{name}" for name in ("evil", "place/evil")] + [str(tmp_path / "absolute")]
    link = tar_info("link", tarfile.SYMTYPE)
    link.linkname = str(tmp_path)
    members = [(tar_info(name), b"evil") for name in outside] + [(link, b""), (tar_info("link/evil"), b"evil")]
    members += [(tar_info(name), bytes(cifar.ROW_BYTES)) for name in (*cifar.TRAIN, cifar.TEST)]
    (place / "cifar.tar.gz").write_bytes(gzip.compress(tar_of(*members)))
    npy = npy_header((1,)) + b"a"
    (place / "own.npz").write_bytes(zipped({f"{name}.npy": npy for name in outside}))
    assert len(cifar.read_batches(place / "cifar.tar.gz")) == 6
    assert list(read_npz(place / "own.npz", ADVICE)) == outside
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cifar.tar.gz", "own.npz", "place"]


def test_a_huge_text_file_is_not_read(tmp_path):
    with (tmp_path / "run.json").open("wb") as file:
        file.truncate(2**40)  # a sparse file, which takes no space on disk
    path = (tmp_path / "run.json").rename(tmp_path / "long.toml")
    with at_most(2 * MAX_PRESET / 2**20), pytest.raises(DataError, match=r"longer than 1048576 bytes"):
        load_preset(str(path), "copi-bp")
    path.rename(tmp_path / "run.json")
    with at_most(1.1 * MAX_TEXT / 2**20), pytest.raises(DataError, match="longer than 67108864 bytes"):
        read_run(tmp_path)


LIMITED = """
import resource, sys
from copi_np import CopiError, load_dataset, load_network
from copi_np.experiments.figure3 import pictures_of
used = 4096 * int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
for path in sys.argv[1:]:
    for read in (load_dataset, load_network):
        try:
            read(path)
        except CopiError as error:
            print(type(error).__name__, str(error))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to measure the memory of a process")
def test_hostile_archives_are_refused_within_256_megabytes(tmp_path):
    """The system itself sets the limit, which counts memory that is allocated but never touched."""
    paths = []
    for k, (content, _) in enumerate(hostile().values()):
        paths.append(tmp_path / f"{k}.npz")
        paths[-1].write_bytes(content)
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert len(result.stdout.splitlines()) == 2 * len(paths)
    assert "fit into memory" not in result.stdout


# ------------------------------------------------------------------------------------------------------------ pickle


def npy_with(header, content, version=1):
    """Return the bytes of an .npy file with this header and content."""
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + content


BYTE = {"descr": "'|u1'", "fortran_order": "False", "shape": "(1,)"}


@given(
    keys=st.permutations(list(BYTE)),
    integer=st.sampled_from(["1", "1L"]),
    descr=st.sampled_from(
        ["'|u1'", "'u1'", "[('a', '|u1')]", "[('3L)', '|u1')]", "[('a', '|u1', (1L,))]", "[('ä', '|i1')]"]
    ),
    order=st.sampled_from(["True", "False"]),
    quotes=st.sampled_from("'\""),
    space=st.sampled_from(["", " ", "\n"]),
    comma=st.sampled_from(["", ","]),
    version=st.sampled_from([1, 2, 3]),
)
def test_every_header_that_numpy_reads_is_read(
    tmp_path_factory, keys, integer, descr, order, quotes, space, comma, version
):
    """Its keys may be in any order, its quotes of either kind, its integers as Python 2 wrote them."""
    values = {"descr": descr, "fortran_order": order, "shape": f"({integer},)"}
    text = f",{space}".join(f"'{key}':{space}{values[key]}" for key in keys)
    header = f"{space}{{{text}{comma}}}{space}\n".replace("'", quotes).encode("utf-8" if version == 3 else "latin-1")
    content = npy_with(header, b"a", version)
    path = tmp_path_factory.getbasetemp() / "own.npz"
    path.write_bytes(zipped({"x.npy": content}))
    with warnings.catch_warnings(record=True, action="always") as seen:
        found = read_npz(path, ADVICE)["x"]
    assert not seen
    if version == 3 and "L" in header.decode():  # version 3.0 came after Python 2: NumPy refuses its integers
        header = re.sub(rb"1L", b"1", header)
        content = npy_with(header, b"a", version)
    with warnings.catch_warnings(action="ignore"):
        expected = np.load(io.BytesIO(content))
    assert (found.shape, found.dtype, found.tobytes()) == (expected.shape, expected.dtype, expected.tobytes())


def test_a_field_name_beyond_latin_1_is_read(tmp_path):
    """NumPy writes such a header with version 3.0 of the format, and warns about that."""
    array = np.array([(1.0,)], dtype=[("α", "<f4")])
    with warnings.catch_warnings(action="ignore"):
        np.savez(tmp_path / "own.npz", x=array)
    assert read_npz(tmp_path / "own.npz", ADVICE)["x"] == array


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '\\d', 'fortran_order': False, 'shape': (1,), }",
        b"1or 2",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1L1,), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': [1], }",
        b"{'descr': '|u1', 'fortran_order': 0, 'shape': (1,), }",
        b"{'descr': '|u1', 'shape': (1,), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }" + b" " * 10_000,
    ],
    ids=lambda header: header[:60].decode(),
)
def test_other_headers_are_damage_without_a_warning(tmp_path, header):
    """A warning would be a second line of output, and silencing it would change filters that all threads share."""
    (tmp_path / "own.npz").write_bytes(zipped({"x.npy": npy_with(header, b"a")}))
    with (
        pytest.raises(DataError, match="cannot be read"),
        warnings.catch_warnings(record=True, action="always") as seen,
    ):
        read_npz(tmp_path / "own.npz", ADVICE)
    assert not seen


def test_only_the_wanted_arrays_are_read(tmp_path):
    """Others do no harm: Python objects, files that macOS adds to an archive, a bomb."""
    object_array = io.BytesIO()
    np.save(object_array, np.array([{}], object), allow_pickle=True)
    members = {"meta.npy": object_array.getvalue(), "__MACOSX/._x_train.npy": b"\0\5\26\7", "notes.txt": b"notes"}
    members |= {
        "more.npy": npy_header((2**30,)),
        **{f"{name}.npy": targets.npy(a) for name, a in targets.DATASET.items()},
    }
    path = tmp_path / "own.npz"
    path.write_bytes(zipped(members))
    assert load_dataset(path).train.labels.tolist() == [0, 1, 0]
    assert list(read_npz(path, ADVICE, ["y_test", "missing"])) == ["y_test"]
    with pytest.raises(DataError, match="Python objects"):
        read_npz(path, ADVICE, ["meta"])


@pytest.mark.parametrize("dtype", ["?", ">f4", "<f8", "i2", "u1", "c8", "S3", "<U5", "M8[ns]", "m8[25s]", "V4"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_what_numpy_writes_is_read(tmp_path, dtype, shape):
    written = {"C": np.ones(shape).astype(np.int64).astype("V4" if dtype == "V4" else dtype)}
    written["F"] = np.array(written["C"], order="F")
    np.savez(tmp_path / "own.npz", **written)
    for name, array in read_npz(tmp_path / "own.npz", ADVICE).items():
        assert array.dtype == written[name].dtype
        assert array.tobytes() == written[name].tobytes()
        assert array.shape == shape


def test_reading_leaves_the_warning_filters_alone(tmp_path, monkeypatch):
    """All threads share them: if two change and restore them, the second restores what the first has changed."""
    np.savez(tmp_path / "own.npz", x=np.ones(3))
    before, seen = warnings.filters, []
    read = archives._read_array
    monkeypatch.setattr(archives, "_read_array", lambda *args: seen.append(warnings.filters) or read(*args))
    read_npz(tmp_path / "own.npz", ADVICE)
    assert seen[0] is warnings.filters is before


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return Path.touch, (self.trap,)


def pickles(trap):
    """Return files that create the trap if anything in them is unpickled."""
    array = np.array([Payload(trap)], dtype=object)
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    plain = pickle.dumps(Payload(trap))
    return {
        "object arrays": zipped({f"{name}.npy": stream.getvalue() for name in (*targets.DATASET, "header", "epoch")}),
        "a structured one": zipped({"header.npy": npy_header((1,), "[('a', '|O')]") + plain}),
        "pickles as members": zipped({f"{name}.npy": plain for name in (*targets.DATASET, "header", "epoch")}),
        "a pickle": plain,
        "an array": stream.getvalue(),
        "a packed pickle": gzip.compress(plain),
    }


def test_the_payload_works(tmp_path):
    with np.load(io.BytesIO(pickles(tmp_path / "trap")["object arrays"]), allow_pickle=True) as archive:
        assert archive["header"] is not None
    assert (tmp_path / "trap").exists()


@pytest.mark.parametrize("kind", pickles(Path()))
@pytest.mark.parametrize("name", [*readers(), *OPTIONAL])
def test_nothing_is_ever_unpickled(tmp_path, name, kind):
    path = tmp_path / name
    path.write_bytes(pickles(tmp_path / "trap")[kind])
    with warnings.catch_warnings(action="ignore"), suppress(CopiError):
        assert not (readers() | OPTIONAL)[name](path)  # empty: half a line of a history is skipped
    assert not (tmp_path / "trap").exists()


USERS_CODE = {"_finding_parts.py"}
"""Runs the file of a rule that the user names: the only code of others that is meant to run."""
FORBIDDEN = re.compile(r"(\b|\.)(eval|exec|__import__|extract|extractall|unpack_archive)$|^compile$")
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_can_run_code_from_a_file(path):
    """The source uses no pickle and no eval, and extracts no archive."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {name.split(".")[0] for name in names} & UNSAFE_MODULES
        if isinstance(node, ast.Call):
            if path.name not in USERS_CODE:
                assert not FORBIDDEN.search(ast.unparse(node.func)), f"line {node.lineno}"
            assert "allow_pickle=True" not in ast.unparse(node), f"line {node.lineno}"

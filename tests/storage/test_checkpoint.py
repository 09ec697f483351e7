"""Checkpoints: what is saved comes back bit for bit, a failed save loses nothing, damage is noticed."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from privileges import without_privileges

from copi_np import BackendError, CopiError, DataError, InputError, Network
from copi_np.checkpoint import (
    Progress,
    content_digest,
    load_network,
    load_progress,
    network_arrays,
    previous_path,
    save_network,
    save_progress,
)
from copi_np.errors import CopiWarning, NewerVersionError
from copi_np.steps import FORWARD_STEPS

SIZES = [6, 5, 4, 3]


def batch(dtype="float32", n=12):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 6)).astype(dtype), np.eye(3, dtype=dtype)[rng.integers(0, 3, n)]


def trained(seed=0, steps=5, **options):
    network = Network(SIZES, rng=np.random.default_rng(seed), **options)
    y0, targets = batch(network.config["dtype"])
    for _ in range(steps):
        network.step(y0, targets, eta_W=0.02, eta_R=0.03)
    return network


def assert_same(one, other):
    assert one.config == other.config
    for left, right in zip(one.layers, other.layers, strict=True):
        assert np.array_equal(left.W, right.W)
        assert np.array_equal(left.R, right.R)
        assert left.W.dtype == right.W.dtype
    for left, right in zip(one.feedback, other.feedback, strict=True):
        assert (left is None) == (right is None)
        assert left is None or np.array_equal(left, right)


@pytest.mark.parametrize(
    "options",
    [
        {"rule": rule, "error_signal": signal, "decorrelation": decorrelation}
        for rule, signal, decorrelation in [
            ("copi", "bp", "matrix"),
            ("copi", "fa", "local"),
            ("copi", "dfa", "matrix"),
            ("copi", "tp", "matrix"),
            ("copi", "dtp", "matrix"),
            ("sgd", "bp", "matrix"),
            ("sgd", "bp", None),
            ("adam", "bp", None),
            ("momentum", "bp", None),
        ]
    ]
    + [{"dtype": "float64"}, {"loss": "cross_entropy", "activation": "tanh"}, {"output_activation": "linear"}]
    + [{"activation": ["tanh", "linear", "leaky_relu"]}],
)
def test_a_loaded_network_is_the_saved_one(tmp_path, options):
    network = trained(**options)
    save_network(tmp_path / "net.npz", network, {"epoch": 7, "note": "ü"})
    loaded, metadata = load_network(tmp_path / "net.npz")
    assert metadata == {"epoch": 7, "note": "ü"}
    assert_same(network, loaded)
    y0, targets = batch(network.config["dtype"])
    assert np.array_equal(network.predict(y0), loaded.predict(y0))
    for _ in range(2):
        assert network.step(y0, targets, eta_W=0.02) == loaded.step(y0, targets, eta_W=0.02)
    assert_same(network, loaded)


def test_adam_has_a_memory_from_its_first_step_on():
    network = Network(SIZES, rng=np.random.default_rng(0), rule="adam")
    assert not [name for name in network_arrays(network) if name.startswith("step_")]
    network.step(*batch(), eta_W=0.02)
    assert sorted(name for name in network_arrays(network) if name.endswith("_0") and name.startswith("step_")) == [
        "step_count_0", "step_mean_0", "step_square_0",
    ]  # fmt: skip


@pytest.mark.parametrize("rule", ["copi", "sgd"])
def test_a_rule_without_a_memory_takes_none(rule):
    step = FORWARD_STEPS[rule]()
    step.restore({})
    message = rf"^{type(step).__name__} keeps nothing between steps, but was given \['count', 'mean'\]$"
    with pytest.raises(InputError, match=message):
        step.restore({"mean": 0, "count": 1})


def test_lateral_weights_that_moved_are_in_the_file(tmp_path):
    network = trained()
    assert all(np.abs(layer.R - np.eye(layer.n_inputs)).max() > 1e-3 for layer in network.layers)
    save_network(tmp_path / "net.npz", network)
    loaded, metadata = load_network(str(tmp_path / "net.npz"), "auto")
    assert metadata == {}
    assert np.array_equal(loaded.backend.to_host(loaded.layers[1].R), network.layers[1].R)


def test_assigned_lateral_weights_are_kept_without_decorrelation(tmp_path):
    network = trained(decorrelation=None)
    network.layers[0].R = 2 * np.eye(6, dtype="float32")
    save_network(tmp_path / "net.npz", network)
    assert np.array_equal(load_network(tmp_path / "net.npz")[0].layers[0].R, 2 * np.eye(6))


def test_loading_leaves_no_trace_of_the_random_start(tmp_path):
    save_network(tmp_path / "net.npz", trained(seed=5, error_signal="fa"))
    assert_same(load_network(tmp_path / "net.npz")[0], load_network(tmp_path / "net.npz")[0])
    assert_same(load_network(tmp_path / "net.npz")[0], trained(seed=5, error_signal="fa"))


def test_a_checkpoint_holds_no_pickles(tmp_path):
    save_network(tmp_path / "net.npz", trained(error_signal="fa"))
    with np.load(tmp_path / "net.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


# ---------------------------------------------------------------- writing


def test_saving_again_replaces_and_leaves_one_file(tmp_path):
    path = tmp_path / "net.npz"
    save_network(path, trained(seed=0))
    save_network(path, trained(seed=1))
    assert_same(load_network(path)[0], trained(seed=1))
    assert [file.name for file in tmp_path.iterdir()] == ["net.npz"]


def test_a_full_disk_loses_nothing(tmp_path):
    """The limit on the size of files makes the system fail a write half-way, as a full disk does."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "net.npz"
    save_network(path, trained(seed=0))
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*net\.npz"):
            save_network(path, trained(seed=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(before) > 1500
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.npz"]


def test_a_reader_never_sees_half_a_file(tmp_path, monkeypatch):
    path = tmp_path / "net.npz"
    save_network(path, trained(seed=0))
    before = path.read_bytes()
    savez, seen = np.savez, []

    def spy(file, *args, **named):
        savez(file, *args, **named)
        seen.append(path.read_bytes())

    monkeypatch.setattr(np, "savez", spy)
    save_network(path, trained(seed=1))
    assert seen == [before]
    assert path.read_bytes() != before


@pytest.mark.parametrize("place", ["missing/net.npz", "file/net.npz", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=place) as error:
        save_network(tmp_path / place, trained())
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


# ---------------------------------------------------------------- damage


def changed(tmp_path, **changes):
    """A checkpoint of which some arrays were replaced, or left out where the change is None; its digest fits."""
    path = tmp_path / "net.npz"
    save_network(path, trained(error_signal="fa"))
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    if not any(array.dtype == object for array in arrays.values()):
        arrays["sha256"] = np.array(content_digest({name: a for name, a in arrays.items() if name != "sha256"}))
    np.savez(path, **arrays)
    return path


def header(**changes):
    network = trained(error_signal="fa")
    arrays = ["R_0", "R_1", "R_2", "W_0", "W_1", "W_2", "feedback_0", "feedback_1"]
    content = {"schema": 2, "network": network.config, "arrays": arrays, "metadata": {}, **changes}
    return np.array(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W_1": None}, "damaged|lacks"),
        ({"header": None}, "damaged|not a checkpoint"),
        ({"header": np.array("{")}, "damaged|not a checkpoint"),
        # letters beyond the last of Unicode, which NumPy cannot make text of
        ({"header": np.array([0x4000000], "<u4").view("<U1")}, "damaged, or not a checkpoint"),
        ({"header": header(network={"sizes": SIZES, "magic": 1})}, "damaged, or not a checkpoint"),
        ({"header": header(schema=99)}, "newer version"),
        ({"W_0": np.array([{}], dtype=object)}, "damaged|not a checkpoint"),
        ({"W_0": np.zeros((5, 7), "float32")}, r"holds weights of \[7, 5"),
        ({"W_0": np.array(1.0, "float32")}, "damaged, or not a checkpoint"),
        ({"W_0": np.full((5, 6), "a")}, "holds W_0 of <U1 instead of floats: use another copy"),
        ({"W_0": np.zeros((5, 6), "M8[s]")}, r"holds W_0 of datetime64\[s\] instead of floats: use another copy"),
        ({"header": np.array("[]")}, "damaged, or not a checkpoint"),
        ({"R_1": None}, "lacks some of its arrays"),
        ({"W_1": np.full((4, 5), np.nan, "float32")}, "NaN or infinite"),
        ({"R_0": np.zeros((5, 5), "float32")}, r"\(6, 6\)"),
        ({"W_0": np.zeros((5, 6))}, "float32"),
    ],
)
def test_a_file_that_is_no_sound_checkpoint_is_refused(tmp_path, changes, message):
    with pytest.raises(CopiError, match=message) as error:
        load_network(changed(tmp_path, **changes))
    assert "\n" not in str(error.value)


def test_a_file_whose_digest_does_not_fit_is_refused(tmp_path):
    """Whatever the archive's own checksums say: here they are right."""
    path = tmp_path / "net.npz"
    save_network(path, trained(seed=0))
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name in ("W_1", "header", "sha256"):
        changed = arrays[name].copy()
        flat = changed.reshape(-1).view(np.uint8)
        flat[len(flat) // 2] ^= 1
        np.savez(path, **{**arrays, name: changed})
        with pytest.raises(DataError, match="damaged"):
            load_network(path)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "sha256"})
    with pytest.raises(DataError, match="its SHA-256 differs"):
        load_network(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\udce9", object()])
def test_metadata_that_could_not_be_read_back_are_refused(tmp_path, value):
    with pytest.raises(InputError, match="metadata of a checkpoint must be plain values, as in JSON"):
        save_network(tmp_path / "net.npz", trained(), {"value": value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["", ".", "/", "a\0.npz"])
def test_what_cannot_be_the_name_of_a_file_is_refused(path):
    with pytest.raises(InputError, match="cannot be the name of a file: choose another path"):
        save_network(path, trained())


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    """Or else the next checkpoint would be tried, and blamed as well."""

    def network_of(*_):
        raise MemoryError

    path = tmp_path / "net.npz"
    for seed in range(2):
        save_progress(path, progress(seed))
    monkeypatch.setattr("copi_np.checkpoint.networks.network_of", network_of)
    with pytest.raises(BackendError, match=r"not enough memory for the network in .*net\.npz"):
        load_progress(path)
    assert path.is_file()


# ---------------------------------------------------------------- the checkpoint before


def progress(seed, n_epochs=1):
    shuffling = np.random.default_rng(seed).bit_generator.state
    return Progress(trained(seed=seed), shuffling, [{"epoch": k + 1} for k in range(n_epochs)], {"batch_size": 5})


def assert_same_progress(one, other):
    assert_same(one.network, other.network)
    assert one[1:] == other[1:]


def test_the_checkpoint_before_is_kept_and_used_where_the_latest_is_damaged(tmp_path):
    path = tmp_path / "net.npz"
    assert load_progress(path) is None
    for seed in range(3):
        save_progress(path, progress(seed, seed + 1))
        assert_same_progress(load_progress(path), progress(seed, seed + 1))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.npz", "net.previous.npz"]
    content = path.read_bytes()
    path.write_bytes(content[:-99])
    with pytest.warns(CopiWarning, match=r"net\.npz is cut short.*Resuming from .*net\.previous\.npz") as caught:
        assert_same_progress(load_progress(path), progress(1, 2))
    assert len(caught) == 1
    assert str(caught[0].message).endswith("and keeping the damaged one as net.damaged.npz")
    path.write_bytes(content)
    assert_same_progress(load_progress(path), progress(2, 3))
    for damaged in (path, previous_path(path)):
        damaged.write_bytes(b"")
    with pytest.raises(DataError, match=r"net\.npz is cut short"):
        load_progress(path)


def test_a_damaged_checkpoint_does_not_push_out_the_one_before(tmp_path):
    """The one before is all there is until the next is whole: wherever a process is killed, it can go on from it."""
    path = tmp_path / "net.npz"
    for seed in range(2):
        save_progress(path, progress(seed))
    damaged = path.read_bytes()[:-99]
    path.write_bytes(damaged)
    with pytest.warns(CopiWarning):
        load_progress(path)
    assert (tmp_path / "net.damaged.npz").read_bytes() == damaged
    before = previous_path(path).read_bytes()
    save_progress(path, progress(2))
    assert previous_path(path).read_bytes() == before
    assert_same_progress(load_progress(path), progress(2))


def test_what_may_be_whole_is_not_moved_aside(tmp_path, monkeypatch):
    """But cannot be read now: that is the user's to mend."""
    path = tmp_path / "net.npz"
    for seed in range(2):
        save_progress(path, progress(seed))

    def memory_error(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("copi_np.storage.npz._read_array", memory_error)
        with pytest.raises(DataError, match="does not fit into memory"):
            load_progress(path)
    assert_same_progress(load_progress(path), progress(1))


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions are those of POSIX")
def test_a_folder_that_is_only_read_needs_not_be_written():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.npz"
        for seed in range(2):
            save_progress(path, progress(seed))
        path.write_bytes(b"damaged")
        Path(folder).chmod(0o555)
        try:
            with without_privileges(), pytest.warns(CopiWarning, match=r"Resuming from .*net\.previous\.npz$"):
                assert_same_progress(load_progress(path), progress(0))
            path.chmod(0)
            with without_privileges(), pytest.raises(DataError, match="Permission denied"):
                load_progress(path)
        finally:
            Path(folder).chmod(0o700)
        assert path.exists()


def test_weights_that_are_not_finite_are_as_good_as_damage(tmp_path):
    path = tmp_path / "net.npz"
    save_progress(path, progress(0))
    previous = path.read_bytes()
    wild = progress(1)
    wild.network.layers[0].W[0, 0] = np.nan
    save_progress(path, wild)
    previous_path(path).write_bytes(previous)
    with pytest.warns(CopiWarning, match="NaN or infinite.*Resuming from"):
        assert_same_progress(load_progress(path), progress(0))


def test_a_process_killed_between_two_moves_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "net.npz"
    save_progress(path, progress(0))
    path.replace(previous_path(path))
    assert_same_progress(load_progress(path), progress(0))


@pytest.mark.parametrize("call", ["replace", "link"])
def test_a_move_that_fails_leaves_the_latest_where_it_is(tmp_path, monkeypatch, call):
    """Whichever of the two moves it is; a file system that knows no links gets a copy."""
    path = tmp_path / "net.npz"
    for seed in range(2):
        save_progress(path, progress(seed))
    latest = path.read_bytes()
    if call == "link":
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
        save_progress(path, progress(2))
        assert previous_path(path).read_bytes() == latest
        assert_same_progress(load_progress(path), progress(2))
        return
    replace = Path.replace
    for fatal in ("net.previous.npz", "net.npz"):

        def failing(self, target, fatal=fatal):
            if Path(target).name == fatal:
                raise OSError(5, "Input/output error")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", failing)
        with pytest.raises(DataError, match=r"cannot write .*net\.npz \(Input/output error\)"):
            save_progress(path, progress(2))
        assert path.read_bytes() == latest
        assert sorted(file.name for file in tmp_path.iterdir()) == ["net.npz", "net.previous.npz"]


def test_a_checkpoint_of_a_newer_version_is_not_gone_back_on(tmp_path):
    path = changed(tmp_path, header=header(schema=99))
    save_progress(previous_path(path), progress(0))
    with pytest.raises(NewerVersionError, match="newer version of copi-np: update this one"):
        load_progress(path)


def test_a_network_alone_is_no_training_in_progress(tmp_path):
    save_network(tmp_path / "net.npz", trained())
    with pytest.raises(DataError, match="holds only a network"):
        load_progress(tmp_path / "net.npz")


def test_a_full_disk_keeps_both_checkpoints(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "net.npz"
    for seed in (0, 1):
        save_progress(path, progress(seed))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*net\.npz.*the space left"):
            save_progress(path, progress(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    """Content, then the move, then the folder that knows the new name; and the older file goes last of all."""
    path = tmp_path / "net.npz"
    save_progress(path, progress(0))
    events = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(number):
        kind = "folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file"
        events.append(f"sync {kind}")
        fsync(number)

    def watched_replace(self, target):
        events.append(f"{self.suffix} to {Path(target).name}")
        replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    save_progress(path, progress(1))
    temporary = ".copi-np-tmp"
    assert events == ["sync file", f"{temporary} to net.previous.npz", f"{temporary} to net.npz", "sync folder"]


class Payload:
    """Runs code when it is unpickled."""

    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return Path.touch, (self.trap,)


@pytest.mark.parametrize("name", ["W_0", "header", "sha256"])
def test_a_checkpoint_never_runs_code(tmp_path, name):
    path = changed(tmp_path, **{name: np.array([Payload(tmp_path / "trap")], dtype=object)})
    with pytest.raises(DataError, match="damaged or holds Python objects"):
        load_network(path)
    assert not (tmp_path / "trap").exists()


def test_what_a_checkpoint_does_not_name_is_not_looked_at(tmp_path):
    """Python objects beside its arrays, or what a Mac puts into archives, do no harm."""
    path = changed(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        content = io.BytesIO()
        np.save(content, np.array([Payload(tmp_path / "trap")], dtype=object), allow_pickle=True)
        archive.writestr("notes.npy", content.getvalue())
        archive.writestr("__MACOSX/._W_0.npy", b"no array")
    load_network(path)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "net.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"net\.npz is cut short, or not an .npz archive"):
        load_network(path)


def test_a_missing_checkpoint_is_a_clear_error(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            load_network(path)


def test_an_unknown_backend_is_no_damage(tmp_path):
    save_network(tmp_path / "net.npz", trained())
    with pytest.raises(InputError, match="did you mean 'numpy'"):
        load_network(tmp_path / "net.npz", "nunpy")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path, share):
    path = tmp_path / "net.npz"
    save_network(path, trained())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"net\.npz is cut short"):
        load_network(path)


def test_a_flipped_byte_is_noticed_or_harmless(tmp_path):
    """A flip anywhere either raises one clear error, or hit what no reader looks at."""
    path = tmp_path / "net.npz"
    network = trained()
    save_network(path, network)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        stored = max(archive.infolist(), key=lambda info: info.file_size)
    refused = 0
    places = np.random.default_rng(0).integers(0, len(content), 80).tolist()
    for place in [*places, stored.header_offset + stored.file_size // 2]:
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        try:
            loaded, _ = load_network(path)
        except DataError:
            refused += 1
        else:
            assert_same(network, loaded)
    assert refused > 40

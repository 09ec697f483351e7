"""Where data files are looked for and how they are downloaded. The only server is one on this machine."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from copi_np.datasets import DATASETS, Description, cache_dir, fetch, find_dataset, idx, load_dataset
from copi_np.datasets.fetch import DataFile
from copi_np.errors import DataError

SHAPES = dict(zip(idx.SHAPES, [(3, 2, 2), (3,), (2, 2, 2), (2,)], strict=True))


def contents(seed=0):
    """The decompressed bytes of a tiny relative of MNIST, by file name."""
    rng = np.random.default_rng(seed)
    return {
        name: idx.idx_header(shape) + rng.integers(0, 10, shape, dtype=np.uint8).tobytes()
        for name, shape in SHAPES.items()
    }


def put(folder, contents, compress=True):
    """Write the files of the tiny data set into `folder`, as .gz or decompressed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / (name if compress else name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(content, mtime=0) if compress else content)


def tiny_files(mirrors=("http://127.0.0.1:9/",), check_content=True):
    """Describe the files of the tiny data set."""
    return tuple(
        DataFile(
            name,
            hashlib.sha256(gzip.compress(content, mtime=0)).hexdigest(),
            mirrors,
            len(gzip.compress(content, mtime=0)),
            hashlib.sha256(content).hexdigest() if check_content else None,
        )
        for name, content in contents().items()
    )


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A machine of its own: an empty cache, no COPI_NP_DATA, and a tiny data set known as "tiny"."""
    monkeypatch.delenv("COPI_NP_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path / "cache")
    for name, shape in SHAPES.items():
        monkeypatch.setitem(idx.SHAPES, name, shape)
    monkeypatch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files()))
    return tmp_path


@pytest.fixture
def no_download(monkeypatch):
    """Make any attempt to download a failure of the test."""
    monkeypatch.setattr(fetch, "download_from", lambda *args: pytest.fail("tried to download"))


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without writing to stderr."""

    def log_message(self, *args):
        """Write nothing."""


@pytest.fixture
def server(places):
    """The address of a web server on this machine that serves the folder "served"."""
    (places / "served").mkdir()
    handler = partial(QuietHandler, directory=places / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def labels_of(content):
    """The training labels that the tiny files hold."""
    return list(content["train-labels-idx1-ubyte.gz"][8:])


# ---------------------------------------------------------------- where files are looked for


def test_the_cache_is_the_users():
    assert cache_dir().is_absolute()
    assert "copi_np" in str(cache_dir())


@pytest.mark.usefixtures("no_download")
def test_data_dir_comes_before_the_environment_before_the_cache(places, monkeypatch):
    paths = {place: places / place / "tiny" for place in ("cache", "env", "given")}
    monkeypatch.setenv("COPI_NP_DATA", str(places / "env"))
    for place, data_dir in (("cache", None), ("env", None), ("given", places / "given")):
        put(paths[place], contents())
        assert find_dataset("tiny", data_dir).folders == (paths[place],)
        assert load_dataset("tiny", data_dir).train.labels.tolist() == labels_of(contents())
    assert find_dataset("tiny", str(places / "nowhere")).folders == (paths["cache"],)
    monkeypatch.setenv("COPI_NP_DATA", "")
    monkeypatch.chdir(places / "env")  # an empty variable is an unset one, not the current folder
    assert find_dataset("tiny").folders == (paths["cache"],)


@pytest.mark.usefixtures("no_download")
def test_files_may_be_spread_over_the_folders(places):
    put(places / "cache" / "tiny", contents())
    name = "train-labels-idx1-ubyte.gz"
    put(places / "given" / "tiny", {name: contents()[name]})
    report = find_dataset("tiny", places / "given")
    assert report.complete
    assert report.paths[1] == places / "given" / "tiny" / name
    assert len(report.folders) == 2
    assert load_dataset("tiny", places / "given").train.labels.tolist() == labels_of(contents())


@pytest.mark.usefixtures("no_download")
def test_a_home_folder_is_expanded(places, monkeypatch):
    monkeypatch.setenv("HOME", str(places))
    put(places / "own" / "tiny", contents())
    assert find_dataset("tiny", "~/own").complete


@pytest.mark.usefixtures("no_download")
def test_decompressed_and_recompressed_files_are_accepted(places, monkeypatch):
    put(places / "tiny", contents(), compress=False)
    decompressed = load_dataset("tiny", places)
    for name, content in contents().items():
        (places / "tiny" / name.removesuffix(".gz")).unlink()
        (places / "tiny" / name).write_bytes(gzip.compress(content, 1, mtime=1))
    recompressed = load_dataset("tiny", places)
    np.testing.assert_array_equal(decompressed.train.inputs, recompressed.train.inputs)
    assert decompressed.image_shape == (2, 2)

    only_archives = Description(idx.load_idx, tiny_files(check_content=False))
    monkeypatch.setitem(DATASETS, "tiny", only_archives)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is not the original .* \(its SHA-256 differs\)"):
        load_dataset("tiny", places)
    put(places / "tiny", contents())
    assert load_dataset("tiny", places).train.labels.tolist() == labels_of(contents())
    put(places / "other" / "tiny", contents(), compress=False)
    assert not find_dataset("tiny", places / "other").complete  # decompressed, but nothing to verify it with


@pytest.mark.usefixtures("no_download")
@pytest.mark.parametrize("compress", [True, False])
def test_other_content_is_refused(places, compress):
    put(places / "tiny", contents(seed=1), compress)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte(.gz)? does not hold the original data.*: delete it"):
        load_dataset("tiny", places)


def test_an_archive_that_cannot_be_read_is_named(places):
    with pytest.raises(DataError, match=r"there is no file .*nothing.gz: correct"):
        fetch.verify_archive(DataFile("nothing.gz", "", (), 0), places / "nothing.gz")


@pytest.mark.usefixtures("no_download")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_missing_files_are_named_with_where_to_get_and_put_them(places, name):
    with pytest.raises(DataError) as caught:
        load_dataset(name, places / "given", download=False)
    message = str(caught.value)
    files = DATASETS[name].files
    expected = [*(file.name for file in files), files[0].mirrors[0], str(places / "given" / name)]
    expected += [str(places / "cache" / name), "COPI_NP_DATA"]
    assert [part for part in expected if part not in message] == []
    assert "\n" not in message
    assert find_dataset(name) == ((), tuple(file.name for file in files))


# ---------------------------------------------------------------- download


def test_the_next_mirror_is_tried(places, server, monkeypatch):
    """The first mirror lacks the files, the second has wrong ones, the third is good; the next load needs none."""
    put(places / "served" / "wrong", contents(seed=1))
    put(places / "served" / "good", contents())
    mirrors = tuple(f"{server}{folder}/" for folder in ("nothing", "wrong", "good"))
    monkeypatch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files(mirrors)))
    assert load_dataset("tiny").train.labels.tolist() == labels_of(contents())
    cached = places / "cache" / "tiny"
    assert sorted(path.name for path in cached.iterdir()) == sorted(SHAPES)
    monkeypatch.setattr(fetch, "download_from", lambda *args: pytest.fail("tried to download again"))
    assert load_dataset("tiny").test.labels.tolist() == list(contents()["t10k-labels-idx1-ubyte.gz"][8:])


def test_only_what_is_missing_is_downloaded(places, monkeypatch):
    put(places / "given" / "tiny", {name: content for name, content in contents().items() if "t10k" in name})
    asked = []

    def download_from(url, file, path):
        asked.append(url.rsplit("/", 1)[-1])
        put(path.parent, {asked[-1]: contents()[asked[-1]]})
        return path

    monkeypatch.setattr(fetch, "download_from", download_from)
    dataset = load_dataset("tiny", places / "given")
    assert dataset.train.labels.tolist() == labels_of(contents())
    assert asked == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]


def test_when_every_mirror_fails_the_message_says_why_and_what_to_do(places, server, monkeypatch):
    put(places / "served" / "wrong", contents(seed=1))
    mirrors = (f"{server}nothing/", f"{server}wrong/", "http://127.0.0.1:9/")
    monkeypatch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files(mirrors)))
    with pytest.raises(DataError) as caught:
        load_dataset("tiny")
    message = str(caught.value)
    host = server.split("/")[2]
    why = f"({host}: HTTP 404; {host}: wrong checksum; 127.0.0.1:9: no connection)"
    assert message.startswith(f"cannot download train-images-idx3-ubyte.gz {why}: save ")
    assert [name for name in SHAPES if name not in message] == []
    assert f"from {mirrors[0]} in {places / 'cache' / 'tiny'}" in message
    assert "\n" not in message
    assert list((places / "cache" / "tiny").iterdir()) == []


def test_the_message_names_only_what_is_still_missing(places, server, monkeypatch):
    name, content = next(iter(contents().items()))
    put(places / "served", {name: content})
    monkeypatch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files((server,))))
    with pytest.raises(
        DataError, match=r"download train-labels.*: save train-labels-[^,]*, t10k-images-[^,]*, t10k-labels"
    ):
        load_dataset("tiny")
    assert find_dataset("tiny").paths == (places / "cache" / "tiny" / name,)


def test_a_slow_mirror_is_given_up(places, monkeypatch):
    """A server that accepts and never answers."""
    monkeypatch.setattr(fetch, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        start = time.monotonic()
        with pytest.raises(DataError, match="no answer in time"):
            fetch.fetch(DataFile("a.gz", "0" * 64, (mirror,), 1), places)
    assert time.monotonic() - start < 4


def test_a_folder_that_cannot_be_written_is_named(places, server):
    (places / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot write a.gz into .*cache/tiny \(Not a directory\)"):
        fetch.fetch(DataFile("a.gz", "0" * 64, (server,), 1), places / "cache" / "tiny")


def test_a_bad_address_is_not_mistaken_for_a_bad_file(places):
    with pytest.raises(DataError, match=r"\(: InvalidURL\)"):
        fetch.fetch(DataFile("a.gz", "0" * 64, ("http:///",), 1), Path(places))

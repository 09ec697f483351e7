"""Finding data files and downloading them. The only server runs on this machine."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests  # noqa: F401  before privileges are dropped
import tqdm  # noqa: F401
from privileges import without_privileges

from copi_np.datasets import DATASETS, Description, cache_dir, fetch, find_dataset, idx, load_dataset
from copi_np.datasets.fetch import DataFile
from copi_np.errors import DataError

SHAPES = dict(zip(idx.SHAPES, [(3, 2, 2), (3,), (2, 2, 2), (2,)], strict=True))


def contents(seed=0):
    """Return the decompressed bytes of a tiny relative of MNIST, by file name."""
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
    """Set up an empty cache, no COPI_NP_DATA, and a small data set named "tiny"; return a folder for it all."""
    monkeypatch.delenv("COPI_NP_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "cache_dir", lambda: tmp_path / "cache")
    for name, shape in SHAPES.items():
        monkeypatch.setitem(idx.SHAPES, name, shape)
    monkeypatch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files()))
    return tmp_path


@pytest.fixture
def no_download(monkeypatch):
    """Let the test fail if anything is downloaded."""
    monkeypatch.setattr(fetch, "download_from", lambda *args: pytest.fail("tried to download"))


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without writing to stderr."""

    def log_message(self, *args):
        """Write nothing."""


@pytest.fixture
def server(places):
    """Serve the folder "served" on this machine, and yield the URL."""
    (places / "served").mkdir()
    handler = partial(QuietHandler, directory=places / "served")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def labels_of(content):
    """Return the training labels of these files."""
    return list(content["train-labels-idx1-ubyte.gz"][8:])


# ---------------------------------------------------------------- finding files


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
    """The first mirror lacks the files, the second has wrong ones, the third is good; all are then in the cache."""
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


def test_if_every_mirror_fails_the_message_says_why_and_what_to_do(places, server, monkeypatch):
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


def test_a_silent_mirror_is_abandoned(places, monkeypatch):
    """The server accepts the connection and never answers."""
    monkeypatch.setattr(fetch, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        start = time.monotonic()
        with pytest.raises(DataError, match="no answer in time"):
            fetch.fetch(DataFile("a.gz", "0" * 64, (mirror,), 1), places)
    assert time.monotonic() - start < 4


def test_a_folder_that_cannot_be_written_is_named(places, server):
    (places / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot write .*cache/tiny/a.gz \(Not a directory\): check the folder"):
        fetch.fetch(DataFile("a.gz", "0" * 64, (server,), 1), places / "cache" / "tiny")


def test_a_bad_address_is_not_mistaken_for_a_bad_file(places):
    with pytest.raises(DataError, match=r"\(: InvalidURL\)"):
        fetch.fetch(DataFile("a.gz", "0" * 64, ("http:///",), 1), Path(places))


# ---------------------------------------------------------------- a web server that fails in every way

BODY = np.random.default_rng(0).bytes(200_000)
PAUSE = 60.0  # most seconds that a server waits for a test


class Faulty(BaseHTTPRequestHandler):
    """Fails in the way that the first folder of the URL names."""

    def do_GET(self):
        self.server.asked.append(self.path)
        with suppress(ConnectionError):
            getattr(self, self.path.split("/")[1])()

    def log_message(self, *args):
        """Write nothing."""

    def head(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def good(self):
        self.head(Content_Length=len(BODY))
        self.wfile.write(BODY)

    def not_there(self):
        self.send_error(404)

    def out_of_order(self):
        self.send_error(500)

    def silent(self):
        self.server.proceed.wait(PAUSE)

    def stalls(self):
        self.head(Content_Length=len(BODY))
        self.wfile.write(BODY[:100_000])
        self.server.halfway.set()
        self.server.proceed.wait(PAUSE)
        self.wfile.write(BODY[100_000:])

    def drips(self):
        self.head(Content_Length=len(BODY))
        for byte in BODY:
            self.wfile.write(bytes([byte]))
            self.server.proceed.wait(0.02)

    def hangs_up(self):
        self.head(Content_Length=len(BODY))
        self.wfile.write(BODY[:100_000])

    def ends_early(self):
        self.head(Content_Length=100_000)
        self.wfile.write(BODY[:100_000])

    def ends_early_unannounced(self):
        self.head()
        self.wfile.write(BODY[:100_000])

    def announces_little(self):
        self.head(Content_Length=10)
        self.wfile.write(BODY)

    def other_content(self):
        self.head(Content_Length=len(BODY))
        self.wfile.write(BODY[::-1])

    def endless(self):
        self.head()
        while True:
            self.wfile.write(BODY)
            self.server.sent += len(BODY)

    def a_circle(self):
        self.head(302, Location=self.path)

    def elsewhere(self):
        self.head(302, Location=self.path.replace("elsewhere", "good"))

    def another_protocol(self):
        self.head(302, Location="file:///etc/passwd")

    def no_http(self):
        self.wfile.write(b"hello\r\n\r\n")

    def called_packed(self):
        """Send the right bytes, but take the ending .gz for a compression of the transfer."""
        self.head(Content_Length=len(BODY), Content_Encoding="gzip")
        self.wfile.write(BODY)


@pytest.fixture
def faulty():
    """Run the server; it records what it is asked, and continues once `proceed` is set."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Faulty) as server:
        server.asked, server.sent, server.proceed, server.halfway = [], 0, threading.Event(), threading.Event()
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.proceed.set()
        server.shutdown()
        thread.join()


def file_on(server, *ways, body=BODY):
    """Return the file, with a mirror for each of these ways to fail."""
    return DataFile(
        "a.gz", hashlib.sha256(body).hexdigest(), tuple(f"{server.address}/{way}/" for way in ways), len(body)
    )


FAILURES = {
    "not_there": "HTTP 404",
    "out_of_order": "HTTP 500",
    "silent": "no answer in time",
    "stalls": "no answer in time",
    "drips": "too slow",
    "hangs_up": "the connection broke",
    "ends_early": "cut short after 100000 of 200000 bytes",
    "ends_early_unannounced": "cut short after 100000 of 200000 bytes",
    "announces_little": "cut short after 10 of 200000 bytes",
    "other_content": "wrong checksum",
    "endless": "sends more than the file holds",
    "a_circle": "redirect loop",
    "another_protocol": "InvalidSchema",
    "no_http": "no connection",
}


@pytest.mark.parametrize("way", FAILURES)
def test_a_mirror_that_fails_is_named_with_its_reason_and_the_next_is_tried(faulty, places, monkeypatch, way):
    monkeypatch.setattr(fetch, "TIMEOUT", 1.0)
    monkeypatch.setattr(fetch, "SLOWEST", 4e5)
    folder = places / "cache" / "tiny"
    with pytest.raises(DataError) as error:
        fetch.fetch(file_on(faulty, way), folder)
    assert str(error.value) == f"cannot download a.gz ({faulty.address[7:]}: {FAILURES[way]})"
    assert list(folder.iterdir()) == []
    assert fetch.fetch(file_on(faulty, way, "good"), folder).read_bytes() == BODY
    assert [path.name for path in folder.iterdir()] == ["a.gz"]


@pytest.mark.parametrize("way", ["elsewhere", "called_packed"])
def test_redirects_and_wrong_labels_do_no_harm(faulty, places, way):
    assert fetch.fetch(file_on(faulty, way), places / "tiny").read_bytes() == BODY


def test_an_endless_body_is_not_downloaded(faulty, places):
    """No more than the size of the file is read; a little more may be in the buffers."""
    with pytest.raises(DataError, match="sends more"):
        fetch.fetch(file_on(faulty, "endless", body=BODY[:1000]), places / "tiny")
    assert faulty.sent < 50_000_000


def test_every_known_file_has_its_size():
    """Downloads are limited to these published sizes."""
    sizes = {name: [file.size for file in description.files] for name, description in DATASETS.items()}
    assert sizes["mnist"] == [9_912_422, 28_881, 1_648_877, 4_542]
    assert sizes["fashion-mnist"] == [26_421_880, 29_515, 4_422_102, 5_148]
    assert sizes["cifar10"] == [170_052_171]


SCRIPT = """
import sys
from pathlib import Path
from copi_np.datasets.fetch import DataFile, fetch
mirror, sha256, size, folder = sys.argv[1:]
fetch(DataFile("a.gz", sha256, (mirror,), int(size)), Path(folder))
"""


def start(file, folder):
    """Fetch the file in another process."""
    command = [sys.executable, "-c", SCRIPT, *file.mirrors, file.sha256, str(file.size), str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once_end_with_one_whole_file(faulty, places):
    folder = places / "cache" / "tiny"
    processes = [start(file_on(faulty, "stalls"), folder) for _ in range(2)]
    assert faulty.halfway.wait(PAUSE)
    time.sleep(0.5)  # for the other process, which must wait; if it came later, it would find the file
    faulty.proceed.set()
    assert [(process.communicate()[1], process.returncode) for process in processes] == [("", 0), ("", 0)]
    assert len(faulty.asked) == 1
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("a.gz", BODY)]


def test_a_process_killed_halfway_leaves_nothing_that_counts(faulty, places):
    folder = places / "cache" / "tiny"
    process = start(file_on(faulty, "stalls"), folder)
    assert faulty.halfway.wait(PAUSE)
    process.kill()
    process.communicate()
    (leftover,) = folder.iterdir()
    assert re.fullmatch(r"\.a\.gz\.\d+\.copi-np-tmp", leftover.name)
    faulty.proceed.set()
    assert fetch.fetch(file_on(faulty, "good"), folder).read_bytes() == BODY
    assert [path.name for path in folder.iterdir()] == ["a.gz"]


def test_a_full_disk_is_named_and_leaves_nothing(faulty, places):
    """A limit on the size of files makes a write fail halfway, as a full disk does."""
    resource = pytest.importorskip("resource")
    folder = places / "cache" / "tiny"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*tiny/a.gz \(File too large\): check the folder"):
            fetch.fetch(file_on(faulty, "good"), folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize("locked", ["tiny", "."])
def test_a_folder_that_is_read_only_is_named(faulty, locked):
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "cache" / "tiny"
        folder.mkdir(parents=True)
        Path(parent).chmod(0o755)
        (folder.parent / "." / locked).chmod(0o555)
        with (
            without_privileges(),
            pytest.raises(DataError, match=r"cannot write .*tiny/a.gz \(Permission denied\): check the folder"),
        ):
            fetch.fetch(file_on(faulty, "good"), folder)
        assert list(folder.iterdir()) == []

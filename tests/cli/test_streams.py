"""Commands whose standard streams are closed, full or without a reader: they train on, and write all their files."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from tiny import write_tiny

from copi_np.cli.streams import Lossy
from copi_np.experiments.records import read_run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams are closed as a POSIX shell does")

TRAIN = "train --dataset tiny.npz --layers 6,4,3 --epochs 2 --out run"
FILES = ["checkpoint.npz", "checkpoint.previous.npz", "history.jsonl", "run.json"]


@pytest.fixture
def shell(tmp_path):
    """Run a line of bash in an empty folder, in which "copi-np" stands for the command."""
    write_tiny(tmp_path)

    def run(line):
        line = line.replace("copi-np", f"'{sys.executable}' -m copi_np")
        return subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True)

    return run


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        ("<&-", 0),
        (">&- 2>&- <&-", 0),
        ("2>/dev/full", 0),
        ("2> >(exec true)", 0),  # a pipe that nobody reads
        ("| exec true; exit ${PIPESTATUS[0]}", 1),  # the result could not be printed
        ("2>&1 | exec true; exit ${PIPESTATUS[0]}", 1),
        (">/dev/full", 2),
    ],
)
def test_training_goes_on_without_a_stream(shell, tmp_path, redirection, code):
    done = shell(f"copi-np {TRAIN} {redirection}")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if path.name[0] != ".") == FILES
    assert read_run(tmp_path / "run").finished
    if "full" in redirection and code:
        assert done.stderr.endswith("Error: cannot use output (No space left on device): check the path and the disk\n")


def test_what_is_left_open_gets_its_output(shell):
    assert shell(f"copi-np {TRAIN} 2>&-").stdout.startswith("epoch 2: train ")
    done = shell("copi-np train --dataset nothing.npz >&-")
    assert (done.returncode, done.stderr[:36]) == (2, "Error: there is no file nothing.npz:")
    assert shell("copi-np train --dataset nothing.npz >&- 2>&-").returncode == 2


def test_closed_descriptors_are_not_given_to_the_files_of_a_run(shell, tmp_path):
    """Whatever a library prints would end up in them."""
    (tmp_path / "rules.py").write_text("""
import os
import numpy as np

def noisy(W, x, delta):
    for descriptor in (1, 2):
        os.write(descriptor, b"printed by a library")
    return delta.T @ x / len(x)
""")
    done = shell(f"copi-np {TRAIN} --rule rules.py:noisy >&- 2>&- <&-")
    assert done.returncode == 0
    assert read_run(tmp_path / "run").finished
    for path in (tmp_path / "run").iterdir():
        assert b"printed by a library" not in path.read_bytes()


def test_a_campaign_and_its_workers_do_without_streams(shell, tmp_path):
    preset = "layers = [6, 4, 3]\nbatch_size = 5\nepochs = 1\neta_W = 0.01\neta_R = 0.01\ndataset = 'tiny.npz'\n"
    (tmp_path / "p.toml").write_text(preset)
    options = "--preset p.toml --seeds 1 --methods copi-bp --out out"
    assert shell(f"copi-np sweep {options} --workers 1 >&- 2>&- <&-").returncode == 0
    files = {"table.md", "summary.json", "fig2.png"}
    assert files < {path.name for path in (tmp_path / "out").iterdir()}
    unread = "2>&1 | exec true; exit ${PIPESTATUS[0]}"
    assert shell(f"copi-np reproduce fig2 {options} --epochs 2 {unread}").returncode == 1
    assert "1x2" in (tmp_path / "out" / "table.md").read_text()


def test_json_is_written_even_if_nobody_reads_the_text(shell, tmp_path):
    done = shell("copi-np bench --network 6-4-3 --rounds 1 --json out.json | exec true; exit ${PIPESTATUS[0]}")
    assert done.returncode == 1
    assert (tmp_path / "out.json").read_text().startswith("{")


class Broken(io.RawIOBase):
    """A raw stream that cannot be written to, and counts how often that was tried."""

    tried = 0

    def writable(self):
        return True

    def write(self, content):
        self.tried += 1
        raise BrokenPipeError


def test_a_lossy_stream_drops_only_what_cannot_be_written():
    sound = io.TextIOWrapper(io.BytesIO(), "utf-8")
    stream = Lossy(sound)
    assert (stream.write("für "), stream.encoding) == (4, "utf-8")
    stream.flush()
    assert stream.buffer.write(b"alle") == 4
    assert sound.buffer.getvalue().decode() == "für alle"
    broken = Broken()
    stream = Lossy(io.TextIOWrapper(io.BufferedWriter(broken), "utf-8", line_buffering=True))
    assert (stream.write("lost\n"), stream.buffer.write(b"lost")) == (5, 4)
    stream.flush()
    assert broken.tried
    with pytest.raises(TypeError):
        stream.write(1)
    broken.write = len  # for its destructor

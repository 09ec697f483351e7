"""Users without a home folder, as in containers: a user id without an entry in /etc/passwd, and no HOME."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from tiny import write_tiny

from copi_np.datasets import cache_dir, find_dataset, load_dataset
from copi_np.errors import DataError, InputError

pwd = pytest.importorskip("pwd", reason="there are entries of users on POSIX only")

NO_HOME = "this user has no home folder for a cache: set HOME or XDG_CACHE_HOME, or name a folder with the data by"
PLACES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "USER", "LOGNAME", "COPI_NP_DATA")

COMMAND = """
import pwd, sys

def unknown(user):
    raise KeyError(user)

pwd.getpwuid = pwd.getpwnam = unknown
from copi_np.cli import main
main(prog_name="copi-np")
"""


@pytest.fixture
def nobody(monkeypatch):
    """Let this process belong to a user without an entry, and without HOME."""

    def unknown(user):
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)


def run(folder, line):
    """Run a command as such a user, in `folder`."""
    environment = {name: value for name, value in os.environ.items() if name not in PLACES}
    command = [sys.executable, "-c", COMMAND, *line.split()]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.usefixtures("nobody")
def test_what_needs_no_cache_works():
    assert load_dataset("mnist-5k").n_classes == 10
    assert find_dataset("mnist-5k").complete
    assert not find_dataset("mnist").complete


@pytest.mark.usefixtures("nobody")
def test_data_in_a_folder_of_their_own_are_found(tmp_path):
    from test_fetch import SHAPES, contents, put, tiny_files

    from copi_np.datasets import DATASETS, Description, idx

    with pytest.MonkeyPatch.context() as patch:
        for name, shape in SHAPES.items():
            patch.setitem(idx.SHAPES, name, shape)
        patch.setitem(DATASETS, "tiny", Description(idx.load_idx, tiny_files()))
        put(tmp_path / "tiny", contents())
        assert load_dataset("tiny", tmp_path).n_classes == 10
        (tmp_path / "tiny" / next(iter(SHAPES))).unlink()
        for download in (False, True):
            with pytest.raises(DataError, match=rf"^tiny is not complete on this machine, .*: {NO_HOME}"):
                load_dataset("tiny", tmp_path, download=download)


@pytest.mark.usefixtures("nobody")
def test_what_needs_a_cache_says_so(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=f"^{NO_HOME} --data-dir or COPI_NP_DATA$"):
        cache_dir()
    with pytest.raises(InputError, match="there is no home folder for ~/data: write the path in full"):
        load_dataset("mnist", "~/data")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "copi_np"


def test_an_older_platformdirs_that_leaves_the_tilde_makes_no_folder_of_that_name(monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"~/.cache/{name}")
    with pytest.raises(DataError, match=f"^{NO_HOME}"):
        cache_dir()


def test_commands_train_and_draw_without_a_home(tmp_path):
    write_tiny(tmp_path)
    done = run(tmp_path, "train --dataset tiny.npz --layers 6,4,3 --epochs 1 --out out/run")
    assert (done.returncode, done.stdout[:8]) == (0, "epoch 1:"), done.stderr
    done = run(tmp_path, "report out")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)  # matplotlib says where it keeps its files
    assert (tmp_path / "out" / "fig2.png").is_file()


def test_commands_that_need_a_home_say_so_in_one_line(tmp_path):
    done = run(tmp_path, "train --dataset mnist")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "Error: mnist is not complete on this machine, and cannot be downloaded: this user has"
    )
    assert done.stderr.count("\n") == 1
    done = run(tmp_path, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cache               none: this user has no home folder for a cache" in done.stdout
    done = run(tmp_path, "doctor --json")
    assert '"cache": null' in done.stdout


def test_a_worker_needs_no_home_for_a_path_without_a_tilde(tmp_path):
    from copi_np.experiments.sweep import _source

    np.savez(tmp_path / "a.npz")
    assert _source(str(tmp_path / "a.npz")) == str(tmp_path / "a.npz")

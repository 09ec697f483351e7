"""Biases from the command line, presets and sweeps: they arrive in the network, in records, names and labels."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from copi_np import InputError, load_network
from copi_np.cli import main
from copi_np.datasets import load_dataset
from copi_np.experiments.config import RunConfig, load_preset, run_name
from copi_np.experiments.options import config_from_options, parse_variation
from copi_np.experiments.records import find_runs
from copi_np.experiments.summary import group_runs

VALUES = {"method": "copi-bp", "dataset": "tiny.npz", "layers": (6, 4, 3), "epochs": 1, "eta_W": 0.01, "eta_R": 0.01}


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_data):
    monkeypatch.chdir(tmp_path)
    return tmp_path

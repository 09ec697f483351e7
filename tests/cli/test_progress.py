"""Progress bars: which run, how many epochs of all, and that they end where they should."""

from __future__ import annotations

import pytest

from copi_np.callbacks import EpochRecord
from copi_np.cli.progress import CampaignBar, ProgressBar, no_bars

RECORD = EpochRecord(2, 0.9, 0.8123, 0.1, 0.2, [0.0], 1.0)


def run(bar, n_epochs, n_batches):
    for _ in range(n_epochs):
        for batch in range(1, n_batches + 1):
            bar.on_batch(batch, n_batches)
        bar.on_epoch(None, RECORD)


def test_a_run_fills_its_bar(capsys):
    """However many batches an epoch has: their parts add up to one."""
    for n_batches in (1, 3, 7, 1200):
        with ProgressBar("COPI (BP)", 3) as bar:
            run(bar, 3, n_batches)
            assert bar._bar.n == pytest.approx(3)
            assert bar._bar.n <= bar._bar.total == 3
        line = capsys.readouterr().err.replace("\r", "\n").splitlines()[-1]
        assert line.startswith("COPI (BP) ")
        assert "2/3: train 90.0 test 81.2 %" in line
        assert len(line) <= 80


def test_a_campaign_has_one_bar_for_all_runs(capsys):
    with CampaignBar(3, 5) as bar:
        bar.begin("COPI (BP), seed 0", 1)
        run(bar, 1, 4)
        bar.begin("BP + decorrelation, seed 0", 3)
        run(bar, 1, 4)
        bar.on_batch(1, 4)
        bar.end_run()  # with 1.75 epochs still to do
        assert bar.n_epochs == 3.25
        bar.begin("COPI (BP), seed 1", 1)
        run(bar, 1, 4)
        assert bar._bar.total == 3.25
        assert bar._bar.n == 3.25
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert lines[-1].startswith("3/3 COPI (BP), seed 1 ")
    assert "test 81.2 %" in lines[-1]
    assert max(map(len, lines)) <= 80


def test_a_bar_can_be_told_what_is_left(capsys):
    with CampaignBar(2, 10) as bar:
        for left in (10, 7, 7, 8, 0):
            bar.set_left(left)
        assert bar._bar.n == 10


def test_nothing_to_do_shows_no_bar(capsys):
    with CampaignBar(2, 0):
        pass
    assert capsys.readouterr().err == ""


def test_what_is_told_stays_above_the_bar(capsys):
    with CampaignBar(2, 2) as bar:
        for k in (0, 1):
            bar.begin(f"COPI (BP), seed {k}", 1)
            run(bar, 1, 4)
            bar.print_above(f"seed {k} is done")
    lines = capsys.readouterr().err.split("\n")
    assert [line.split("\r")[-1] for line in lines[:2]] == ["seed 0 is done", "seed 1 is done"]
    assert lines[2].split("\r")[-1].startswith("2/2 COPI (BP), seed 1")
    with no_bars():
        CampaignBar(1, 1).print_above("nobody hears it")
    assert capsys.readouterr().err == ""

"""Figures whatever the user's matplotlib settings and titles are, and results whatever happens to the figures."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from PIL import Image
from tiny import write_tiny

from copi_np import plotting
from copi_np.analysis import decorrelation_path
from copi_np.callbacks import EpochRecord, LivePlot
from copi_np.cli import main
from copi_np.course import animation, lesson_00, sliders
from copi_np.diagnostics import diagnose
from copi_np.errors import CopiWarning
from copi_np.experiments.figures import write_figure
from copi_np.network import Network
from copi_np.plotting import (
    compression_curves,
    diagnostic_curves,
    field_blocks,
    image_rows,
    learning_curves,
    setting_curves,
)
from copi_np.plotting.style import literal

HISTORY = [EpochRecord(e, 0.5 + 0.1 * e, 0.4 + 0.1 * e, 1 / e, 2 / e, [0.1], 1.0) for e in range(1, 4)]
PIXELS = np.random.default_rng(0).random((6, 16))


def layers():
    rng = np.random.default_rng(0)
    network = Network([6, 5, 3], rng=rng)
    return [diagnose(network, rng.random((20, 6), "float32"), np.eye(3, dtype="float32")[np.arange(20) % 3])] * 3


def cloud():
    y = sliders.two_inputs(0.8)
    return y, list(decorrelation_path(y, 0.1, 4))


FIGURES = {
    "learning curves": lambda: learning_curves({"a": HISTORY, "b": [HISTORY, HISTORY[::-1]]}, "title"),
    "diagnostics": lambda: diagnostic_curves([0, 1, 2], layers(), "title"),
    "images": lambda: image_rows({"raw": PIXELS, "ZCA": PIXELS - 0.5}, (4, 4)),
    "fields": lambda: field_blocks({"layer 1": PIXELS, "layer 2": PIXELS[:3]}, (4, 4)),
    "compression": lambda: compression_curves({"a": [0.9, 0.8]}, {"a": [0.95, 0.85]}, {"a": [0.1, 0.2]}),
    "settings": lambda: setting_curves({"a": {0.1: [HISTORY], 0.2: [HISTORY, HISTORY[:2]]}}, "eta", "title"),
    "a layer": lesson_00.draw_layer,
    "strip": lambda: animation.cloud_strip(*cloud(), [0, 4]),
    "decorrelation": lambda: sliders.decorrelation_figure(0.8, 0.1, 5, "matrix"),
    "grid": lambda: sliders.decorrelation_grid((0.5,), (0.1, 2.0), 5),
    "rates": lambda: sliders.learning_rate_figure(0.1, 0.01, 0.8, "copi", 10),
    "grid of rates": lambda: sliders.learning_rate_grid((0.1,), (0.01,), 0.8, 10),
}
"""Every figure of the package."""

WHITE = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color", "axes.edgecolor")
HOSTILE = {
    "dark": {
        **matplotlib.style.library["dark_background"],
        "font.family": ["No Such Font", "monospace"],
        "font.size": 30,
        "figure.autolayout": True,
        "figure.dpi": 30,
        "savefig.dpi": 20,
        "axes.unicode_minus": False,
        "text.parse_math": False,
        "path.sketch": (1, 100, 2),
        "image.interpolation": "bicubic",
        "xtick.labelsize": 40,
        "ytick.left": False,
    },
    "LaTeX": {
        **dict.fromkeys(WHITE, "white"),
        "text.usetex": True,
        "text.latex.preamble": r"\nonsense",
        "mathtext.fontset": "stix",
        "font.weight": "bold",
        "figure.frameon": False,
        "savefig.transparent": True,
        "savefig.facecolor": "none",
        "axes.facecolor": "none",
        "axes.grid": False,
        "axes.formatter.use_mathtext": True,
        "lines.linestyle": "None",
        "xtick.labelbottom": False,
    },
}
"""What users may have in their matplotlibrc."""


def pixels(figure):
    """Return the figure as `savefig` writes it, (height, width, 3)."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    return np.asarray(Image.open(file).convert("RGB"))


def pixels_as_in_a_notebook(figure):
    """Return the figure as a notebook shows it, which passes by the method `savefig`."""
    file = io.BytesIO()
    figure.canvas.print_figure(file, format="png", dpi=50, facecolor=figure.get_facecolor(), edgecolor="none")
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.fixture(scope="module")
def plain():
    """Return the pixels of each figure at matplotlib's default settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        return {name: pixels(draw()) for name, draw in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_dark_on_white(plain, name):
    picture = plain[name].astype(int)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (edge == 255).mean() > 0.95
    darkness = 255 - picture.max(axis=-1)
    assert (darkness > 150).sum() > 50  # of letters and frames
    assert np.median(darkness) < 100


@pytest.mark.parametrize("settings", HOSTILE)
@pytest.mark.parametrize("name", FIGURES)
def test_settings_of_the_user_change_no_pixel(plain, name, settings):
    """Neither those at the time a figure is made, nor those at the time it is drawn."""
    with mpl.rc_context(HOSTILE[settings]):
        before = dict(mpl.rcParams)
        shown = pixels if settings == "dark" else pixels_as_in_a_notebook
        np.testing.assert_array_equal(shown(FIGURES[name]()), plain[name])
        assert {key for key, value in before.items() if mpl.rcParams[key] != value} <= {"backend"}  # found when needed


@pytest.mark.parametrize("settings", HOSTILE)
def test_animations_and_saved_figures_are_the_same_too(settings, tmp_path):
    y, path = cloud()
    with mpl.rc_context():
        mpl.rcdefaults()
        gif = animation.animate_cloud(y, path, [0, 2, 4]).gif
        expected = imread(plotting.save_figure(FIGURES["learning curves"](), tmp_path / "plain.png"))
    with mpl.rc_context(HOSTILE[settings]):
        assert animation.animate_cloud(y, path, [0, 2, 4]).gif == gif
        found = imread(plotting.save_figure(FIGURES["learning curves"](), tmp_path / "hostile.png"))
        np.testing.assert_array_equal(found, expected)


def test_the_users_fonts_serve_for_what_the_default_font_lacks():
    mono = "DejaVu Sans Mono"
    with mpl.rc_context({"font.family": ["No Such Font", "monospace"], "font.monospace": [mono, "Nor This"]}):
        text = FIGURES["learning curves"]().texts[0]
        assert text.get_fontfamily() == ["DejaVu Sans", mono]


# ------------------------------------------------------------------------------------------------------------ text

TEXTS = ["$5", "$5 and $6", r"$\alpha_2$", r"\$x\$ \frac", "a_b^c{}", r"C:\data\$x", "100 % & #1", "é ∂ Ж", "a\\"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_shown_as_it_is(text):
    """Compared with matplotlib's own switch for literal text, which the numbers of logarithmic axes cannot do with."""
    figure = learning_curves({text: HISTORY}, text)
    expected = learning_curves({"x": HISTORY}, "x")
    for place in (expected.texts[0], expected.axes[0].texts[0]):
        place.set(text=text, parse_math=False)
    np.testing.assert_array_equal(pixels(figure), pixels(expected))
    rows, fields = image_rows({text: PIXELS}, (4, 4)), field_blocks({text: PIXELS}, (4, 4))
    curves, points = compression_curves({text: [0.5, 0.6]}), setting_curves({text: {text: [HISTORY]}}, "rule")
    legends = [figure.legends[0].get_texts()[0] for figure in (curves, points)]
    for shown in (rows.axes[0].yaxis.label, fields.axes[0].title, points.axes[0].get_xticklabels()[0], *legends):
        shown.figure.draw_without_rendering()
        assert shown._preprocess_math(shown.get_text()) == (text, False)


def test_a_label_with_an_underscore_is_shown():
    figure = learning_curves({"_own": HISTORY, "b": HISTORY})
    assert [text.get_text() for text in figure.axes[0].texts] == [" _own", "b"]
    figure = learning_curves({"_own": HISTORY, "a label for the legend": HISTORY})
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [" _own", "a label for the legend", "test", "train"]


def test_bytes_of_a_file_name_that_are_no_text_are_escaped():
    assert literal(os.fsdecode(b"d\xff$_")) == r"d\udcff\$_"
    pixels(learning_curves({os.fsdecode(b"d\xff"): HISTORY}, os.fsdecode(b"d\xff")))


# -------------------------------------------------------------------------------- a figure never costs the result


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a folder with a preset, and with runs of two methods in "out" and all that figures need."""
    folder = tmp_path_factory.mktemp("runs")
    preset = "layers = [6, 4, 3]\nbatch_size = 5\nepochs = 2\neta_W = 0.01\neta_R = 0.01\n"
    (folder / "p.toml").write_text(f"{preset}dataset = {str(write_tiny(folder))!r}\n")
    reproduce(folder, "out")
    return folder


def reproduce(folder, out, *options, code=0):
    arguments = ["reproduce", "fig3", "--preset", str(folder / "p.toml"), "--methods", "copi-bp", "--seeds", "1"]
    done = CliRunner().invoke(main, [*arguments, "--diagnostics", "--out", str(folder / out), *options])
    assert done.exit_code == code, done.output
    return done


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.fixture
def out(runs, tmp_path):
    """Return a copy of the folder of runs, with its report."""
    return Path(shutil.copytree(runs / "out", tmp_path / "out"))


DIAGNOSTICS = "diagnostics-copi-bp_seed0"


@pytest.mark.parametrize("broken", ["learning_curves", "compression_curves", "diagnostic_curves"])
def test_a_figure_that_fails_leaves_a_line_and_all_else(out, monkeypatch, broken):
    everything = names(out)
    (table, summary) = ((out / name).read_bytes() for name in ("table.md", "summary.json"))

    def fail(*arguments):
        assert (out / "table.md").read_bytes() == table  # written before
        assert (out / "summary.json").read_bytes() == summary
        raise RuntimeError("no ink\nand a long story")

    monkeypatch.setattr(plotting, broken, fail)
    (out / "table.md").unlink()
    (out / "summary.json").write_bytes(summary)
    done = CliRunner().invoke(main, ["report", str(out)])
    assert done.exit_code == 0
    kind = {"learning_curves": "fig2", "compression_curves": "fig3c", "diagnostic_curves": "diagnostics"}[broken]
    (missing,) = (name for name in everything if name.startswith(kind))
    assert done.stderr == f"Warning: no figure {out / missing}: RuntimeError: no ink\n"
    assert names(out) == [name for name in everything if name != missing]  # not the old one either
    assert missing not in done.stdout
    assert done.stdout.count(".png") == 2


def test_reproduce_shows_its_table_without_any_figure(runs, monkeypatch):
    def fail(figure, path):
        raise MemoryError

    monkeypatch.setattr(plotting, "save_figure", fail)
    done = reproduce(runs, "other")
    assert names(runs / "other") == ["summary.json", "table.md"]
    assert "COPI (BP)              1x2" in done.stdout
    assert [line.rpartition(": ")[2] for line in done.stderr.splitlines() if "no figure" in line] == 3 * ["MemoryError"]


def test_characters_that_no_font_has_are_named_in_one_line(tmp_path, monkeypatch):
    """Characters of the private use area, which are in no font. Other warnings come through as they are."""
    real = plotting.learning_curves

    def warn(*contents):
        warnings.warn("of another kind", UserWarning, stacklevel=1)
        return real(*contents)

    monkeypatch.setattr(plotting, "learning_curves", warn)
    with pytest.warns() as caught:
        assert write_figure(tmp_path / "a.png", "learning_curves", {"\ue000": HISTORY}, "\ue001 \ue000")
    first, second = (str(each.message) for each in caught)
    assert first == "of another kind"
    advice = "set font.family in your matplotlibrc to a font that has them"
    boxes = [f"{tmp_path / 'a.png'} shows boxes for {both}: {advice}" for both in ("\ue000\ue001", "\ue001\ue000")]
    assert second in boxes


def test_a_figure_that_cannot_be_written_is_named(out):
    (out / "fig2.png").unlink()
    (out / "fig2.png").mkdir()
    with pytest.warns(CopiWarning, match=r"^no figure .*fig2.png: cannot write .* \(Is a directory\): check the"):
        assert write_figure(out / "fig2.png", "learning_curves", {"a": HISTORY}) == []
    assert (out / "fig2.png").is_dir()


def test_the_demo_shows_its_table_without_figures(tmp_path, monkeypatch):
    from copi_np.experiments import demo

    real, seen = demo.load_preset, []
    small = {"layers": (784, 10), "epochs": 1}
    monkeypatch.setattr(demo, "load_preset", lambda *names: {**real(*names), **small})
    digits = demo.load_dataset("mnist-5k")
    few = [type(split)(split.inputs[::40], split.labels[::40]) for split in (digits.train, digits.test)]
    monkeypatch.setattr(demo, "load_dataset", lambda name: type(digits)(name, *few, 10, (28, 28)))

    def fail(*arguments):
        seen.append(len(json.loads((tmp_path / "demo.json").read_text())["runs"]))
        raise ValueError("no ink")

    monkeypatch.setattr(plotting, "image_rows", fail)
    (tmp_path / "demo.json").touch()
    (tmp_path / "digits.png").write_text("of an earlier demo")
    done = CliRunner().invoke(main, ["demo", "--out", str(tmp_path), "--quiet"])
    assert (done.exit_code, seen) == (0, [4])
    assert done.stderr == f"Warning: no figure {tmp_path / 'digits.png'}: ValueError: no ink\n"
    assert names(tmp_path) == ["demo.json", "learning-curves.png"]
    assert "digits.png" not in done.stdout
    assert "BP (Adam)" in done.stdout


def test_a_live_plot_that_fails_does_not_stop_training(monkeypatch):
    callback = LivePlot()
    monkeypatch.setattr(plotting, "learning_curves", lambda *arguments: 1 / 0)
    with pytest.warns(CopiWarning, match=r"^no live plot: ZeroDivisionError: division by zero$"):
        callback.on_epoch(None, HISTORY[0])
    assert callback.history == HISTORY[:1]


MATPLOTLIBRC = """
text.usetex: True
figure.facecolor: black
savefig.facecolor: black
axes.facecolor: black
text.color: white
xtick.color: white
ytick.color: white
axes.labelcolor: white
font.family: No Such Font
"""


def test_a_report_under_a_hostile_matplotlibrc(out):
    """As a user has it: in the current folder, for a command of its own."""
    title = os.fsdecode(rb"$5 and $6_a, \alpha, " + b"\xff")
    command = [sys.executable, "-m", "copi_np", "report", str(out), "--title", title]
    done = subprocess.run(command, cwd=out, capture_output=True)
    assert (done.returncode, b"no figure" in done.stderr) == (0, False), done.stderr
    expected = {path.name: imread(path) for path in out.glob("*.png")}
    assert len(expected) == 3
    (out / "matplotlibrc").write_text(MATPLOTLIBRC)
    done = subprocess.run(command, cwd=out, capture_output=True)
    assert (done.returncode, b"no figure" in done.stderr) == (0, False), done.stderr
    for name, picture in expected.items():
        np.testing.assert_array_equal(imread(out / name), picture)
    assert (out / "table.md").read_text().startswith("# $5 and $6_a, \\alpha, \\udcff\n")


def test_a_matplotlib_that_cannot_even_be_loaded_costs_no_table(out):
    environment = os.environ | {"MPLBACKEND": "no such backend"}
    command = [sys.executable, "-m", "copi_np", "report", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "COPI (BP)              1x2" in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"Warning: no figure {out}") and "no such backend" in line for line in lines)
    assert names(out) == ["summary.json", "table.md"]

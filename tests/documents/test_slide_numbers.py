"""The figures of the slides show what the slides say, and the numbers are those of the notebook of the class."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from copi_np import Schedule, fit
from copi_np.analysis import compress, least_squares_map, stack_map
from copi_np.course.classroom import follow
from copi_np.course.sliders import batch_with
from copi_np.datasets import as_float

pytestmark = pytest.mark.xdist_group("site")  # with test_slides, so that networks are trained once
ROOT = Path(__file__).parents[2]


def test_figures_show_what_the_slides_of_the_first_class_say(slide_figures):
    """Numbers and comparisons in the text and in the notes."""
    shown = slide_figures.figures_1
    _, accuracies = shown.trained()
    assert accuracies[0] < 15  # one in ten
    assert accuracies[1] > 85  # nine in ten
    correlated, decorrelated = shown.MOMENTS.values()
    ends = {name: shown.path_of(rule, correlated)[-1] for name, rule in shown.RULES.items()}
    assert np.linalg.norm(ends["COPI"] - shown.GOAL) > 1
    np.testing.assert_allclose(ends["gradient descent"], shown.GOAL[0], atol=0.01)
    paths = [shown.path_of(rule, decorrelated) for rule in shown.RULES.values()]
    np.testing.assert_allclose(*paths, atol=1e-12)
    assert shown.cloud().axes[0].get_title().endswith("correlation 0.87")
    assert [shown.powers(share)[-1] < shown.powers(share)[0] for share in (0.5, 1.5, 2.5)] == [True, True, False]
    copi, sgd = (shown.drift(rule)[-1] for rule in shown.RULES.values())
    assert (round(copi), round(sgd)) == (0, 37)
    for eta_R, copi_is_ahead in ((0.2, True), (0.0, False)):
        copi, sgd = (shown.race(rule, eta_R)[-1] for rule in shown.RULES.values())
        assert (copi < sgd) == copi_is_ahead


def test_figures_of_error_signals_show_what_the_slides_say(slide_figures):
    shown = slide_figures.figures_2
    slopes = {angle: np.diff(losses)[0] for angle, losses in shown.losses().items()}
    assert slopes["60°"] / slopes["0°"] == pytest.approx(0.5, abs=0.05)
    assert slopes["90°"] / slopes["0°"] == pytest.approx(0, abs=0.05)
    assert slopes["120°"] > 0
    (bp, _), (fa, angles), (_, frozen) = shown.run("bp"), shown.run("fa"), shown.run("fa", frozen=True)
    assert np.all(np.abs(angles[0] - 90) < 5)  # about 90 degrees
    assert np.all(angles[-1] < 65)  # the angle falls
    assert np.all(np.abs(frozen[:, 0] - 90) < 5)  # it stays near 90 degrees
    assert fa[1] < bp[1] - 2  # slower at the start
    assert abs(fa[-1] - bp[-1]) < 1.5  # close in the end


def test_the_weights_are_mostly_those_of_the_start(slide_figures):
    shown = slide_figures.figures_2
    W, start = (network.layers[0].W for network in (shown.trained(), shown.untrained()))
    assert 0.1 < np.linalg.norm(W - start) / np.linalg.norm(start) < 0.4


def test_output_units_have_the_fields_of_mean_digits(slide_figures):
    shown = slide_figures.figures_2
    x, labels = shown.decorrelated(), shown.DATA.train.labels
    means = np.array([x[labels == digit].mean(axis=0) for digit in range(10)]) / np.sqrt(np.mean(x**2, axis=0) + 1e-12)
    units = shown.fields(shown.trained(), x)["layer 4"]
    cosines = units @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    assert np.argmax(cosines, axis=1).tolist() == list(range(10))


def numbers(pattern, text):
    """Return the numbers in the group of a pattern."""
    return [float(number) for number in re.findall(pattern, text)]


def printed_by(notebook):
    """Return what the cells of a notebook printed when it was built."""
    text = (ROOT / "tutorials" / "teachers" / f"{notebook}.ipynb").read_text(encoding="utf-8")
    outputs = [output for cell in json.loads(text)["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", [])) for output in outputs)


def test_numbers_of_the_second_class_are_those_of_its_notebook(slide_figures):
    """The last digits depend on the number of threads."""
    shown = slide_figures.figures_2
    trained, images = shown.trained(), as_float(shown.DATA.test.inputs, "float32")
    settled = deepcopy(trained)
    still = Schedule(0.03, 0.03, delta_scale=0)
    fit(settled, shown.DATA, epochs=12, schedule=still, rng=np.random.default_rng(2))
    maps = [(network, by) for network in (trained, settled) for by in (stack_map, least_squares_map)]
    small = [compress(network, shown.IMAGES, 2, linear_map=by) for network, by in maps]
    before, after, compressed = (network.predict(images) for network in (trained, settled, small[0]))
    four, formula, best, formula_after, best_after = (
        100 * np.mean(network.predict(images).argmax(axis=1) == shown.DATA.test.labels) for network in (trained, *small)
    )
    growth = np.sum(compressed * before) / np.sum(before**2)
    moved = 100 * np.linalg.norm(after - before) / np.linalg.norm(before)
    likeness = [shown.likeness(x) for x in (shown.IMAGES, shown.decorrelated())]
    lengths = [shown.lengths(decay, scale)[-1] for scale in (1, 4) for decay in ("COPI", "Oja")]

    printed = printed_by("class_2")
    assert numbers(r": ([\d.]+) %", printed) == pytest.approx([four, best, formula, best_after, formula_after], abs=0.4)
    assert numbers(r"outputs are ([\d.]+) times", printed) == pytest.approx([growth], abs=0.1)
    assert numbers(r"outputs moved by ([\d.]+)%", printed) == pytest.approx([moved], abs=0.2)
    assert numbers(r"(?:pixels|decorrelated) ([\d.]+)", printed) == pytest.approx(likeness, abs=0.01)
    assert numbers(r"(?:COPI|Oja), \d: ([\d.]+)", printed) == pytest.approx(lengths, abs=0.02)

    slides = (ROOT / "tutorials" / "slides" / "class_2.md").read_text(encoding="utf-8")
    assert numbers(r"(\d+) %", slides) == pytest.approx(
        [four, best, formula, moved, best, best_after, formula, formula_after], abs=0.9
    )
    assert numbers(r"\*\*(0\.\d+)\*\*", slides) == pytest.approx(likeness, abs=0.01)
    assert 4.5 < growth < 5  # nearly five times


def test_a_compressed_network_reads_the_digit_with_larger_outputs(slide_figures):
    shown = slide_figures.figures_2
    outputs = np.reshape([bar.get_height() for bar in shown.one_digit().axes[0].patches], (2, 10))
    assert np.argmax(outputs, axis=1).tolist() == [shown.DATA.test.labels[0]] * 2
    assert np.max(outputs[1]) > 3 * np.max(outputs[0])


def test_arrows_and_lengths_of_one_synapse(slide_figures):
    """By hand: d = (0.8, -0.6) and <x^2> = (1.5, 0.7) give <z x> = (1.2, -0.42) and <z^2> = 1.212."""
    shown = slide_figures.figures_2
    ends = {
        (cloud, name): np.linalg.norm(follow(rule, batch_with(C, 150), (0.4, -0.8)), axis=1)[-1]
        for cloud, C in shown.MOMENTS.items()
        for name, rule in shown.NO_ERROR.items()
    }
    for cloud in shown.MOMENTS:
        assert ends[cloud, "Hebb"] > 3 * np.sqrt(2)  # outside the picture
        assert ends[cloud, "Oja"] == pytest.approx(1, abs=0.05)
    assert ends["decorrelated", "COPI"] == pytest.approx(np.hypot(0.4, 0.8))
    assert ends["correlated", "COPI"] > 3 * np.sqrt(2)
    for scale in (1, 4):
        assert shown.lengths("COPI", scale)[-1] == pytest.approx(scale, rel=0.01)
        assert shown.lengths("Oja", scale)[-1] == pytest.approx(np.hypot(1.2, 0.42) / 1.212 / scale, rel=0.01)

"""The slides of the class: they follow its plan, fit on the screen, and need no network."""

from __future__ import annotations

import re
import sys
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from tabs import watched

pytestmark = pytest.mark.xdist_group("site")
ROOT = Path(__file__).parents[2]
SLIDES = ROOT / "tutorials" / "slides"
SCREEN = {"width": 1280, "height": 720}
TEXT = (SLIDES / "index.md").read_text(encoding="utf-8")
MINUTES = [int(number) for number in re.findall(r"^% (\d+) minutes?\. ", TEXT, re.MULTILINE)]


@pytest.fixture(scope="module")
def figures():
    """The script that draws the figures."""
    sys.path.insert(0, str(SLIDES))
    try:
        return pytest.importorskip("figures")
    finally:
        sys.path.remove(str(SLIDES))


# ------------------------------------------------------------------------------------------------ text and figures


def test_the_minutes_in_the_notes_follow_the_plan():
    """A part of the class ends where a slide does."""
    assert len(MINUTES) == len(re.findall(r"^##? ", TEXT, re.MULTILINE))
    first_class = (ROOT / "tutorials" / "README.md").read_text().split("### The second class")[0]
    plan = re.findall(r"^\| (\d+) to (\d+) \|", first_class, re.MULTILINE)
    ends = [int(end) for _, end in plan]
    assert ends[-1] == sum(MINUTES) == 120
    assert set(ends) <= set(accumulate(MINUTES))


def test_every_figure_is_drawn_and_shown(figures):
    shown = re.findall(r"!\[[^\]]+\]\(figures/(\w+)\.svg\)", TEXT)
    assert shown == [draw.__name__ for draw in figures.FIGURES]
    assert TEXT.count("![") == len(shown)


def test_every_text_in_a_figure_can_be_read_from_the_last_row(figures):
    for draw in figures.FIGURES:
        figure = figures.for_the_last_row(draw())
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
        assert min(sizes) / 72 / figure.get_figwidth() * 1200 > 25


def test_figures_show_what_the_slides_say(figures):
    """Numbers and comparisons in the text and in the notes."""
    _, accuracies = figures.trained()
    assert accuracies[0] < 15  # one in ten
    assert accuracies[1] > 85  # nine in ten
    correlated, decorrelated = figures.MOMENTS.values()
    ends = {name: figures.path_of(rule, correlated)[-1] for name, rule in figures.RULES.items()}
    assert np.linalg.norm(ends["COPI"] - figures.GOAL) > 1
    np.testing.assert_allclose(ends["gradient descent"], figures.GOAL[0], atol=0.01)
    paths = [figures.path_of(rule, decorrelated) for rule in figures.RULES.values()]
    np.testing.assert_allclose(*paths, atol=1e-12)
    assert figures.cloud().axes[0].get_title().endswith("correlation 0.87")
    assert [figures.powers(share)[-1] < figures.powers(share)[0] for share in (0.5, 1.5, 2.5)] == [True, True, False]
    copi, sgd = (figures.drift(rule)[-1] for rule in figures.RULES.values())
    assert (round(copi), round(sgd)) == (0, 37)
    for eta_R, copi_is_ahead in ((0.2, True), (0.0, False)):
        copi, sgd = (figures.race(rule, eta_R)[-1] for rule in figures.RULES.values())
        assert (copi < sgd) == copi_is_ahead


# ------------------------------------------------------------------------------------------------- in a browser

OUTSIDE = """() => {
  const slide = Reveal.getCurrentSlide();
  const seen = [...slide.querySelectorAll(":not(aside)")].map(node => [node, node.getBoundingClientRect()]);
  return seen.filter(([, box]) => box.width > 1 && (box.left < 0 || box.top < 0
    || box.right > innerWidth || box.bottom > innerHeight)).map(([node]) => node.outerHTML.slice(0, 80));
}"""
LOOK = """() => {
  const slide = Reveal.getCurrentSlide();
  return {
    title: slide.querySelector("h1, h2")?.textContent,
    notes: slide.querySelector("aside.notes")?.textContent ?? "",
    undrawn: slide.querySelectorAll(".math:not(:has(mjx-container > svg)), [data-mml-node='merror']").length,
    widths: [...slide.querySelectorAll("img")].map(image => image.naturalWidth
      * Math.min(image.width / image.naturalWidth, image.height / image.naturalHeight)),
  };
}"""


@pytest.fixture
def slides(site, address, browser):
    """The slides in a tab, with all equations drawn."""
    complaints = []
    tab = watched(browser, SCREEN, complaints)
    tab.goto(f"{address}slides/index.html")
    tab.wait_for_function("window.Reveal?.isReady()")
    tab.evaluate("async () => { await MathJax.startup.promise; }")
    yield tab
    tab.close()
    assert not complaints, "\n".join(complaints)


def test_every_slide_fits_and_has_notes(slides):
    """With all its answers shown; figures are nearly as wide as the screen."""
    titles = []
    for number in range(slides.evaluate("Reveal.getTotalSlides()")):
        slides.evaluate("number => Reveal.slide(number, 0, 99)", number)
        slide = slides.evaluate(LOOK)
        titles.append(slide["title"])
        assert slides.evaluate(OUTSIDE) == [], slide["title"]
        assert slide["notes"].strip().startswith(f"{MINUTES[number]} minute"), slide["title"]
        assert slide["undrawn"] == 0, slide["title"]
        assert all(width > 1000 for width in slide["widths"]), slide["title"]
    assert titles == re.findall(r"^##? (.*)$", TEXT, re.MULTILINE)


def test_answers_appear_one_step_after_their_question(slides):
    slides.evaluate("Reveal.slide(3)")
    answer = slides.locator("section.present .answer")
    assert answer.evaluate("node => getComputedStyle(node).opacity") == "0"
    slides.keyboard.press("Space")
    slides.wait_for_function(
        "() => getComputedStyle(document.querySelector('section.present .answer')).opacity === '1'"
    )
    assert slides.evaluate("Reveal.getIndices().h") == 3


def test_s_opens_the_speakers_view(slides):
    with slides.expect_popup() as opened:
        slides.keyboard.press("s")
    opened.value.wait_for_selector("text=Before the class")

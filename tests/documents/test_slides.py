"""The slides of the two classes: they follow the lesson plan, fit on the screen, and need no network."""

from __future__ import annotations

import re
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pytest
from lesson_plan import plan_of
from matplotlib.text import Text
from tabs import watched

pytestmark = pytest.mark.xdist_group("site")
ROOT = Path(__file__).parents[2]
SLIDES = ROOT / "tutorials" / "slides"
SCREEN = {"width": 1280, "height": 720}


class Deck(NamedTuple):
    """The slides of one class: their page, the module that draws their figures, and the notebook of the class."""

    page: str
    module: str
    notebook: str

    @property
    def text(self):
        return (SLIDES / f"{self.page}.md").read_text(encoding="utf-8")

    @property
    def minutes(self):
        return [int(number) for number in re.findall(r"^% (\d+) minutes?\. ", self.text, re.MULTILINE)]

    @property
    def titles(self):
        return re.findall(r"^##? (.*)$", self.text, re.MULTILINE)


FIRST = Deck("index", "figures_1", "class.ipynb")
SECOND = Deck("class_2", "figures_2", "class_2.ipynb")
both_decks = pytest.mark.parametrize("deck", [FIRST, SECOND], ids=["first", "second"])


# ------------------------------------------------------------------------------------------------ text and figures


@both_decks
def test_the_minutes_in_the_notes_follow_the_plan(deck):
    """A part of the class ends where a slide does, and the break is a slide."""
    assert len(deck.minutes) == len(deck.titles)
    plan = plan_of((ROOT / "tutorials" / "README.md").read_text(encoding="utf-8"), deck.notebook)
    assert plan[-1].end == sum(deck.minutes) == 120
    assert {part.end for part in plan} <= set(accumulate(deck.minutes))
    pause = next(part for part in plan if not part.section)
    assert pause.end == sum(deck.minutes[: deck.titles.index("Break") + 1])


@both_decks
def test_every_figure_is_drawn_and_shown(slide_figures, deck):
    shown = re.findall(r"!\[[^\]]+\]\(figures/(\w+)\.svg\)", deck.text)
    assert shown == [draw.__name__ for draw in getattr(slide_figures, deck.module).FIGURES]
    assert deck.text.count("![") == len(shown)


def test_no_two_figures_share_a_file(slide_figures):
    names = [draw.__name__ for deck in (FIRST, SECOND) for draw in getattr(slide_figures, deck.module).FIGURES]
    assert len(set(names)) == len(names)


@both_decks
def test_every_text_in_a_figure_can_be_read_from_the_last_row(slide_figures, deck):
    for draw in getattr(slide_figures, deck.module).FIGURES:
        figure = slide_figures.for_the_last_row(draw())
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
        assert min(sizes) / 72 / figure.get_figwidth() * 1200 > 25, draw.__name__


@both_decks
def test_the_lesson_plan_links_to_the_slides(site, deck):
    assert f'href="../slides/{deck.page}.html"' in (site / "tutorials" / "README.html").read_text(encoding="utf-8")


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
def slides(site, address, browser, deck):
    """The slides of one class in a tab, with all equations drawn."""
    complaints = []
    tab = watched(browser, SCREEN, complaints)
    tab.goto(f"{address}slides/{deck.page}.html")
    tab.wait_for_function("window.Reveal?.isReady()")
    tab.evaluate("async () => { await MathJax.startup.promise; }")
    yield tab
    tab.close()
    assert not complaints, "\n".join(complaints)


@both_decks
def test_every_slide_fits_and_has_notes(slides, deck):
    """With all its answers shown; figures are nearly as wide as the screen."""
    titles = []
    for number in range(slides.evaluate("Reveal.getTotalSlides()")):
        slides.evaluate("number => Reveal.slide(number, 0, 99)", number)
        slide = slides.evaluate(LOOK)
        titles.append(slide["title"])
        assert slides.evaluate(OUTSIDE) == [], slide["title"]
        assert slide["notes"].strip().startswith(f"{deck.minutes[number]} minute"), slide["title"]
        assert slide["undrawn"] == 0, slide["title"]
        assert all(width > 1000 for width in slide["widths"]), slide["title"]
    assert titles == deck.titles


@both_decks
def test_answers_appear_one_step_after_their_question(slides, deck):
    number = slides.evaluate("Reveal.getSlides().findIndex(slide => slide.querySelector('.answer'))")
    slides.evaluate("number => Reveal.slide(number)", number)
    answer = slides.locator("section.present .answer")
    assert answer.evaluate("node => getComputedStyle(node).opacity") == "0"
    slides.keyboard.press("Space")
    slides.wait_for_function(
        "() => getComputedStyle(document.querySelector('section.present .answer')).opacity === '1'"
    )
    assert slides.evaluate("Reveal.getIndices().h") == number


@both_decks
def test_s_opens_the_speakers_view(slides, deck):
    with slides.expect_popup() as opened:
        slides.keyboard.press("s")
    opened.value.wait_for_selector("text=Before the class")

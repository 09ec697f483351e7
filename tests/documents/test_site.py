"""The web site (``make site``): it builds without a warning, has no broken link, and needs no network.

Tests of equations, search, errors and width need a browser: Chromium of Debian or Ubuntu, or the one that the variable
CHROMIUM names. Without one, those tests are skipped, visibly.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from tabs import watched

import copi_np
from copi_np.course import live

pytestmark = pytest.mark.xdist_group("site")  # one process makes what all of these tests look at
ROOT = Path(__file__).parents[2]
PHONE, LAPTOP, DESKTOP = ({"width": w, "height": h} for w, h in ((390, 844), (1280, 800), (1400, 900)))


# ------------------------------------------------------------------------------------------- what needs no build


def test_every_module_has_a_page():
    """Except those with an underscore, the command line and storage. In the reading order that the package names."""
    named = re.findall(r"automodule:: copi_np\.(\w+)", "".join(p.read_text() for p in ROOT.glob("docs/api/*.md")))
    modules = {path.stem for path in ROOT.glob("copi_np/*.py")} | {
        path.parent.name for path in ROOT.glob("copi_np/*/*.py")
    }
    assert set(named) == {name for name in modules if not name.startswith("_")} - {"cli", "storage"}
    index = (ROOT / "docs" / "api" / "index.md").read_text()
    order = re.findall(r"`(\w+)`", copi_np.__doc__)
    assert order[:2] == ["rules", "algorithm"]
    assert re.findall(r"^   copi_np\.(\w+)$", index, re.MULTILINE)[: len(order)] == order


def rows_of(path):
    """Return the cells of all tables of a page, a list for each row."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_seconds_of_the_demo_are_on_record():
    rows = rows_of("docs/performance.md")
    for run in json.loads((ROOT / "results" / "paper" / "demo" / "demo.json").read_text())["runs"]:
        seconds = [epoch["seconds"] for epoch in run["history"]]
        assert [run["config"]["method"], f"{sum(seconds):.1f}", f"{median(seconds):.2f}"] in rows


def test_seconds_of_threads_are_on_record():
    rows = rows_of("results/README.md")
    for threads, word in (("1", "one"), ("2", "two")):
        folders = [ROOT / "results" / "speed" / "threads" / f"{word}-{state}" for state in ("idle", "idle-b", "busy")]
        firsts = [json.loads((each / "history.jsonl").read_text().splitlines()[0])["seconds"] for each in folders]
        assert [threads, *(f"{value:.1f}" for value in firsts)] in rows


# --------------------------------------------------------------------------------------------- the built pages


class Page(HTMLParser):
    """The links of a page, the files that it loads, and its anchors."""

    LOADS = {  # noqa: RUF012 - a table
        "audio": ("src",), "embed": ("src",), "iframe": ("src",), "image": ("href",), "img": ("src", "srcset"),
        "input": ("src",), "link": ("href",), "object": ("data",), "script": ("src",), "source": ("src", "srcset"),
        "track": ("src",), "use": ("href", "xlink:href"), "video": ("src", "poster"),
    }  # fmt: skip

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors = {"", "top"}
        self.scripts: list[str] = []
        self._in: str | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.links.add(values["content"].partition("url=")[2])
        for name in self.LOADS.get(tag, ()):
            if name in values:
                self.loads |= (
                    {part.split()[0] for part in values[name].split(",")} if name == "srcset" else {values[name]}
                )
        if "style" in values:
            self.loads |= loaded_by_css(values["style"])
        self._in = tag if tag in ("script", "style") else self._in

    def handle_endtag(self, tag):
        self._in = None if tag == self._in else self._in

    def handle_data(self, data):
        if self._in == "style":
            self.loads |= loaded_by_css(data)
        elif self._in == "script":
            self.scripts.append(data)


def loaded_by_css(text: str) -> set[str]:
    """Addresses in a style sheet: ``url(...)`` and ``@import "..."``."""
    found = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", text)
    return {(url or imported).strip() for url, imported in found}


def is_remote(url: str) -> bool:
    """Whether an address is on another machine."""
    return url.startswith("//") or urlsplit(url).scheme in {"http", "https", "ws", "wss", "ftp"}


@pytest.fixture(scope="module")
def pages(site):
    """Every page, parsed."""
    apart = {"_static", "lite", "slides"}  # the latter two have tests of their own
    found = {path: Page(path) for path in sorted(site.rglob("*.html")) if apart.isdisjoint(path.parts)}
    notebooks = (ROOT / "tutorials" / "teachers").rglob("*.ipynb")
    expected = {
        "index", "search", "docs/index", "docs/theory", "docs/live", "docs/claims", "docs/performance", "docs/cite",
        "results/README", "docs/api/rules", "tutorials/README",
        *(path.relative_to(ROOT).with_suffix("").as_posix() for path in notebooks),
    }  # fmt: skip
    assert expected <= {path.relative_to(site).with_suffix("").as_posix() for path in found}
    return found


def test_links_lead_somewhere(site, pages):
    """To a page and an anchor on it, or to a file; images, styles and scripts included."""
    dead = []
    for path, page in pages.items():
        for target in page.links | page.loads:
            if urlsplit(target).scheme:
                continue
            address, anchor = urldefrag(target)
            file = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
            if not file.is_file() or not file.is_relative_to(site):
                dead.append(f"{path.relative_to(site)}: {target}")
            elif file in pages and unquote(anchor) not in pages[file].anchors:
                dead.append(f"{path.relative_to(site)}: {target} (no such anchor)")
    assert dead == []


def test_nothing_is_loaded_from_the_network(site, pages):
    """No image, script, style or font of a page, and no style sheet or script of its own that asks for one."""
    loaded = {f"{path.name}: {target}" for path, page in pages.items() for target in page.loads if is_remote(target)}
    for path in site.glob("_static/**/*.css"):
        found = loaded_by_css(path.read_text(encoding="utf-8"))
        loaded |= {f"{path.relative_to(site)}: {url}" for url in found if is_remote(url)}
    for path, page in pages.items():
        # a script in a page may load others by address
        found = re.findall(r"""["'](?:https?:)?//[^"'\s]+\.(?:m?js|css|woff2?|json)\b""", "".join(page.scripts))
        loaded |= {f"{path.relative_to(site)}: {url}" for url in found}
    assert loaded == set()


def test_docstrings_become_definitions(site):
    """Equation, name, shape and description each in its place; the link next to them leads to the line of the code."""
    page = (site / "docs" / "api" / "rules.html").read_text(encoding="utf-8")
    start = page.index('id="copi_np.rules.copi_update"')
    entry = page[start : page.index('<dl class="py function">', start)]
    assert "<pre><span></span>dW = &lt;z x^T&gt; - W diag&lt;x^2&gt;\n</pre>" in entry
    assert '<strong>W</strong><span class="classifier">(O, I) array</span></dt><dd><p>forward weights</p>' in entry
    file, line = re.search(r'href="([^"#]+)#(L-\d+)"', entry).groups()
    source = (site / "docs" / "api" / file).resolve().read_text(encoding="utf-8")
    code = re.search(rf'<a id="{line}".*?\n', source)[0]
    assert re.sub("<.*?>", "", code).startswith("def copi_update(")


# --------------------------------------------------------------------------------------------- in a browser


LOOK = """async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  const clone = document.querySelector("main").cloneNode(true);
  const sources = document.querySelectorAll("span.math, div.math");
  clone.querySelectorAll("pre, code, script, style, mjx-container").forEach(node => node.remove());
  return {
    equations: sources.length,
    rendered: document.querySelectorAll("mjx-container:has(> svg)").length,
    broken: [...document.querySelectorAll('mjx-container [data-mml-node="merror"], mjx-merror')]
      .map(node => node.getAttribute("data-mjx-error") || node.textContent),
    images: [...document.images].filter(image => image.src && !image.naturalWidth).map(image => image.src),
    left: clone.textContent.match(/\\$[^$\\n]+\\$|\\\\[(\\[]|\\\\begin\\{|\\\\(?:frac|Delta|langle|mathrm)\\b/g) || [],
  };
}"""


# The theme scrolls the whole text inside the page, so the page itself is never too wide; but nobody can scroll to what
# a box hides because it does not fit. (The grid of the home page hides margins; boxes of 1 px are for screen readers.)
OVERFLOW = """() => {
  const text = document.querySelector("article") || document.querySelector("main");
  const excess = box => box.scrollWidth - box.clientWidth;
  const hides = box => ["hidden", "clip"].includes(getComputedStyle(box).overflowX) && box.clientWidth > 1;
  const found = [];
  for (let box = text; box; box = box.parentElement)
    if (excess(box) > 0) found.push(`too wide: ${box.className} +${excess(box)}`);
  for (const box of text.querySelectorAll(":not(.sd-container-fluid)"))
    if (excess(box) > 1 && hides(box))
      found.push(`cut: ${box.className} +${excess(box)} ${box.textContent.slice(0, 40)}`);
  return found;
}"""


def test_every_page_loads_and_fits(site, pages, address, browser):
    """On a desktop and on a phone: no error, no other machine asked, equations drawn, nothing wider than the screen."""
    complaints, equations = [], 0
    tab = watched(browser, DESKTOP, complaints)
    for path in pages:
        name = path.relative_to(site).as_posix()
        if name == "index.html":
            continue  # it only redirects, see below
        tab.set_viewport_size(DESKTOP)
        tab.goto(address + name, wait_until="load")
        seen = tab.evaluate(LOOK)
        equations += seen["rendered"]
        if seen["equations"] != seen["rendered"]:
            complaints.append(f"{name}: {seen['rendered']} of {seen['equations']} equations are drawn")
        complaints += [f"{name}: {what} {found}" for what in ("broken", "images", "left") for found in seen[what]]
        for screen in (DESKTOP, PHONE):
            tab.set_viewport_size(screen)
            complaints += [f"{name}, {screen['width']} px: {box}" for box in tab.evaluate(OVERFLOW)]
    assert not complaints, "\n".join(complaints)
    assert equations > 300


def test_the_top_leads_to_the_home_page(address, browser):
    complaints = []
    tab = watched(browser, DESKTOP, complaints)
    tab.goto(address)
    tab.wait_for_url("**/docs/index.html")
    assert tab.locator("h1").inner_text().startswith("copi_np")
    assert tab.locator("article").get_by_text("make demo").count() > 0
    assert not complaints, "\n".join(complaints)


def test_search_finds_a_page(address, browser):
    """By the keyboard, as a reader would; the first result leads to a page with the word."""
    complaints = []
    tab = watched(browser, DESKTOP, complaints)
    tab.goto(f"{address}docs/index.html")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("decorrelation")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#search-results li a")
    assert tab.locator("#search-results li a").count() > 3
    tab.locator("#search-results li a").first.click()
    tab.wait_for_selector("article h1")
    assert "search.html" not in tab.url
    assert "decorrelat" in tab.locator("article").inner_text().lower()
    assert not complaints, "\n".join(complaints)


# the colours of curves and words in the live figures, against the page: 1 for equal, 21 for black on white
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255);
  const light = (colour) => channels(colour)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, k) => sum + value * [0.2126, 0.7152, 0.0722][k], 0);
  const page = light(getComputedStyle(document.querySelector(".live")).backgroundColor);
  return [...document.querySelectorAll(".live :is(.copi, .sgd, .hebb, .oja, .lateral, .grey, dt, p)")].map((node) => {
    const [low, high] = [light(getComputedStyle(node).color), page].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_live_figures(site, browser, theme):
    """They start, answer, and are legible in both themes, also where the page is opened from disk."""
    complaints = []
    tab = watched(browser, DESKTOP, complaints, color_scheme=theme)
    tab.goto((site / "docs" / "live.html").as_uri())
    assert tab.locator("html").get_attribute("data-theme") == theme
    for name in live.FIGURES:
        figure = tab.locator(f'[data-live="{name}"]')
        before = figure.get_by_role("status").inner_text()
        steps = figure.get_by_role("button", name="Step", exact=True)
        if steps.count():
            steps.click()
        else:
            figure.locator("input").last.focus()
            tab.keyboard.press("ArrowRight")
        assert figure.get_by_role("status").inner_text() != before
    contrasts = tab.evaluate(CONTRASTS)
    assert len(contrasts) > 30
    assert min(contrasts) > 4.5  # of text, by the Web Content Accessibility Guidelines
    assert not complaints, "\n".join(complaints)


def test_a_laptop_shows_the_api_in_the_bar(address, browser):
    """And not only in the menu "More"."""
    tab = watched(browser, LAPTOP, [])
    tab.goto(f"{address}docs/index.html")
    bar = tab.locator(".bd-header .navbar-nav > .nav-item > a:visible")
    assert {"Course", "Where is Eq. 4?", "Theory", "Claims", "API"} <= {text.strip() for text in bar.all_inner_texts()}


@pytest.mark.parametrize("words", ["Equation 4", "Eq. 4"])
def test_a_search_for_an_equation_leads_to_its_row(address, browser, words):
    complaints = []
    tab = watched(browser, LAPTOP, complaints)
    tab.goto(f"{address}search.html?q={words}")
    tab.locator("#search-results li a").first.click()
    tab.wait_for_selector("article h1")
    assert tab.url.endswith("#equation-4")
    row = tab.locator("tr#equation-4")
    assert row.locator("td").first.inner_text() == "Eq. 4, first line"
    assert "rules.decorrelation_update" in row.inner_text()
    assert not complaints, "\n".join(complaints)

"""The live figures, driven in Chromium by pointer and keyboard: what they show is what NumPy computes."""

from __future__ import annotations

import json
import re
from html import unescape

import numpy as np
import pytest
from tabs import watched

from copi_np import rules, whitening
from copi_np.course import live
from copi_np.errors import InputError

pytestmark = pytest.mark.xdist_group("live")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


# ------------------------------------------------------------------------------------------------ without a browser


def test_show_takes_the_names_of_figures():
    assert repr(live.show("layer")) == "COPI and SGD on one layer: a live figure, for a notebook or a browser"
    with pytest.raises(InputError, match="unknown figure 'decorelation': did you mean 'decorrelation'"):
        live.show("decorelation")


@pytest.mark.parametrize("name", live.FIGURES)
def test_a_figure_is_one_document(name):
    """In a frame, and without an address of anything to load."""
    frame = live.show(name)._repr_html_()
    page = unescape(re.fullmatch(r'<iframe title="[^"]+" style="[^"]+" srcdoc="([^"]*)"></iframe>', frame)[1])
    assert page == live.document(name)
    assert set(re.findall(r"""(?:https?:)?//[\w.]+\.\w+[^\s"'`;]*""", page)) <= {"http://www.w3.org/2000/svg"}
    assert "import " not in re.sub(r"^//.*$", "", page, flags=re.MULTILINE)


def test_a_figure_has_only_the_modules_that_it_needs():
    assert "WEIGHTS" not in live.script("decorrelation")
    assert live.script("compression", "fields").count("const weights = (") == 1


# ------------------------------------------------------------------------------------------------ driven


@pytest.fixture
def show(browser):
    """Return a function that opens a figure in a tab; fails if the tab has complained about anything."""
    complaints, tabs = [], []

    def opened(name, viewport=DESKTOP, **settings):
        tab = watched(browser, viewport, complaints, **settings)
        tab.set_content(live.document(name))
        tabs.append(tab)
        return tab

    yield opened
    for tab in tabs:
        tab.close()
    assert not complaints, "\n".join(complaints)


def shown(tab, name):
    """Return a number or matrix below a figure."""
    return np.array(json.loads(tab.locator(f'data[data-name="{name}"]').get_attribute("value")))


def press(tab, name, times=1):
    for _ in range(times):
        tab.get_by_role("button", name=name, exact=True).click()


def slide(tab, label, value):
    """Move a slider, by its label."""
    tab.locator("label", has_text=label).locator("input").fill(str(value))


def drag(tab, handle, right, up):
    """Drag a point by so many pixels."""
    box = handle.locator("circle").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + right, y - up, steps=4)
    tab.mouse.up()


def second_moments(variances, rho):
    covariance = rho * np.sqrt(np.prod(variances))
    return np.array([[variances[0], covariance], [covariance, variances[1]]])


def decorrelated(sigma, eta_R, n_steps, R=None):
    """Return R after some steps; two samples have the second moments sigma."""
    y = np.sqrt(2) * np.linalg.cholesky(sigma).T
    R = np.eye(2) if R is None else R
    for _ in range(n_steps):
        R = R + eta_R * rules.decorrelation_update(R, y @ R.T)
    return R


def assert_decorrelated(tab, R, sigma, step):
    C = R @ sigma @ R.T
    assert shown(tab, "step") == step
    np.testing.assert_allclose(shown(tab, "R"), R, **CLOSE)
    np.testing.assert_allclose(shown(tab, "C"), C, **CLOSE)
    np.testing.assert_allclose(shown(tab, "correlation"), C[0, 1] / np.sqrt(C[0, 0] * C[1, 1]), **CLOSE)
    np.testing.assert_allclose(shown(tab, "defect"), whitening.hadamard_defect(C), **CLOSE)


def test_decorrelation(show):
    """Step, step back, drag the cloud while R stays, the arrow keys, and reset."""
    tab = show("decorrelation")
    sigma = second_moments([1.5, 0.75], 0.9)
    assert_decorrelated(tab, np.eye(2), sigma, 0)
    press(tab, "Step", 7)
    assert_decorrelated(tab, decorrelated(sigma, 0.1, 7), sigma, 7)
    press(tab, "Step back", 2)
    R = decorrelated(sigma, 0.1, 5)
    assert_decorrelated(tab, R, sigma, 5)

    handle = tab.get_by_role("slider", name="Correlation of the inputs: drag up or down")
    drag(tab, handle, 0, -60)
    rho = float(tab.get_by_role("slider", name=re.compile("^Correlation of y")).input_value())
    assert -0.9 < rho < 0.6
    sigma = second_moments([1.5, 0.75], rho)
    assert_decorrelated(tab, R, sigma, 5)
    handle.focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    sigma = second_moments([1.5, 0.75], rho - 0.04)
    assert_decorrelated(tab, R, sigma, 5)
    press(tab, "Step", 3)
    assert_decorrelated(tab, decorrelated(sigma, 0.1, 3, R), sigma, 8)
    assert "Step 8: correlation" in tab.get_by_role("status").inner_text()
    press(tab, "Reset")
    assert_decorrelated(tab, np.eye(2), sigma, 0)


def test_decorrelation_blows_up(show):
    tab = show("decorrelation")
    slide(tab, "Step size", np.log10(3))
    press(tab, "Play")
    tab.get_by_text("R has blown up at step").wait_for()
    assert tab.get_by_role("button", name="Play").count() == 1  # it has stopped


def test_play_and_pause(show):
    """Nothing moves before Play, and nothing after Pause; the status is silent in between."""
    tab = show("decorrelation")
    tab.wait_for_timeout(300)
    assert shown(tab, "step") == 0
    before = tab.get_by_role("status").inner_text()
    press(tab, "Play")
    tab.wait_for_function("""Number(document.querySelector('[data-name="step"]').value) > 2""")
    assert tab.get_by_role("status").inner_text() == before
    press(tab, "Pause")
    step = shown(tab, "step")
    assert f"Step {step}:" in tab.get_by_role("status").inner_text()
    tab.wait_for_timeout(300)
    assert shown(tab, "step") == step


def test_play_without_motion(show):
    """Where a reader prefers less motion, all steps are taken at once."""
    tab = show("decorrelation", reduced_motion="reduce")
    press(tab, "Play")
    assert shown(tab, "step") == 50
    assert "Step 50" in tab.get_by_role("status").inner_text()


def test_step_size(show):
    """Drag the step size from below the bound to above it."""
    tab = show("step_size")
    variances = np.linspace(0.5, 1.5, 6)
    sigma = np.where(np.eye(6, dtype=bool), 1, 0.8) * np.sqrt(np.outer(variances, variances))
    np.testing.assert_allclose(shown(tab, "global"), 2 / np.linalg.eigvalsh(sigma)[-1], **CLOSE)
    np.testing.assert_allclose(shown(tab, "local"), 2 / variances[-2:].sum(), **CLOSE)
    R, y = np.eye(6), np.sqrt(6) * np.linalg.cholesky(sigma).T
    for _ in range(50):
        R = R + 0.1 * rules.decorrelation_update(R, y @ R.T)
    np.testing.assert_allclose(shown(tab, "end"), np.linalg.norm(whitening.off_diagonal(R @ sigma @ R.T)), **CLOSE)
    assert "is below 2/λ" in tab.get_by_role("status").inner_text()
    slide(tab, "Step size", np.log10(0.5))  # between the two bounds
    assert shown(tab, "global") < shown(tab, "eta") < shown(tab, "local")
    assert "is above 2/λ" in tab.get_by_role("status").inner_text()

    handle = tab.get_by_role("slider", name="Step size: drag left or right")
    drag(tab, handle, 100, 0)
    assert shown(tab, "eta") > 1
    assert "is above 2/λ" in tab.get_by_role("status").inner_text()
    assert f"R blows up at step {shown(tab, 'steps') + 1}." in tab.get_by_role("status").inner_text()
    handle.focus()
    before = shown(tab, "eta")
    tab.keyboard.press("ArrowLeft")
    assert before / 1.1 < shown(tab, "eta") < before
    slide(tab, "Inputs", 2)
    assert shown(tab, "local") == 1


def test_layer(show):
    """Errors fall as in the races of `test_live_numbers`, and other choices start again."""
    tab = show("layer")
    press(tab, "Step", 8)
    assert shown(tab, "step") == 40
    moving = {rule: shown(tab, f"{rule}_change") for rule in ("copi", "sgd")}
    assert moving["copi"] < moving["sgd"] / 5
    tab.get_by_label("While W learns, R").select_option("rests")
    assert shown(tab, "step") == 0
    press(tab, "Step", 8)
    assert shown(tab, "sgd_change") < 1e-12 < 0.01 < shown(tab, "copi_change")
    start = shown(tab, "copi")
    slide(tab, "Data and weights, seed", 2)
    assert shown(tab, "step") == 0
    assert shown(tab, "copi") != start


def test_synapse(show):
    """Drag the weights, and step; with a target, COPI finds the desired weights."""
    tab = show("synapse")
    desired = tab.get_by_role("slider", name="Desired weights d")
    assert desired.count() == 0
    drag(tab, tab.get_by_role("slider", name="Weights at the start"), 40, 80)
    start = shown(tab, "copi")
    assert np.all(start - [0.4, -0.8] > 0.3)
    slide(tab, "Correlation of the inputs", 0.5)
    press(tab, "Step", 10)
    C = second_moments([1.5, 0.7], 0.5)
    eta, x = 10**-1.3, np.sqrt(2) * np.linalg.cholesky(C).T  # the slider takes steps of 0.05 in log10(eta)
    W = {"hebb": start, "oja": start, "copi": start}
    for _ in range(10):
        W["hebb"] = W["hebb"] + eta * rules.mean_outer(x @ W["hebb"].T, x)
        W["oja"] = W["oja"] + eta * rules.oja_update(W["oja"], x)
        W["copi"] = W["copi"] + eta * rules.copi_update(W["copi"], x, x @ W["copi"].T)
    for rule, weights in W.items():
        np.testing.assert_allclose(shown(tab, rule), weights, **CLOSE)

    slide(tab, "Correlation of the inputs", 0)
    tab.get_by_label("The unit has").select_option("target")
    desired.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowUp")
    slide(tab, "Step size", np.log10(0.3))
    press(tab, "Step", 60)
    np.testing.assert_allclose(shown(tab, "copi"), [[1.7, 0.7]], atol=1e-4)
    assert abs(np.linalg.norm(shown(tab, "oja")) - np.hypot(1.7, 0.7)) > 0.5


def test_compression(show):
    """Every number of layers: digits read right, their frames, and the accuracy on record."""
    tab = show("compression")
    right = []
    for n_replaced in range(5):
        slide(tab, "Layers replaced", n_replaced)
        right.append(int(shown(tab, "shown")))
        assert tab.locator(".digits .wrong").count() == 60 - right[-1]
        named = [re.findall(r"\d", tile.get_attribute("aria-label")) for tile in tab.locator(".digits button").all()]
        assert sum(label == answer for label, answer in named) == right[-1]
    assert right[0] > 54
    assert right[0] > right[-1]
    assert shown(tab, "test") == pytest.approx(88.3)
    wrong = tab.locator(".digits .wrong").first
    wrong.click()
    label, answer = re.findall(r"\d", wrong.get_attribute("aria-label"))
    assert tab.locator(".outputs b").first.inner_text() == f"A {label}, read as {answer}"
    assert tab.locator(".outputs .chosen").count() == 1


def test_fields(show):
    """Choose by slider, by menu, and by pressing a field."""
    tab = show("fields")
    assert tab.locator(".fields button").count() == 48
    tab.locator(".fields button").nth(19).click()
    assert [shown(tab, name) for name in ("layer", "unit")] == [1, 20]
    tab.get_by_role("combobox").select_option("5, the outputs")
    assert tab.locator(".fields button").count() == 10
    assert [shown(tab, name) for name in ("layer", "unit")] == [5, 10]
    slide(tab, "Unit", 4)
    assert "it responds most strongly to 3, 3, 3" in tab.get_by_role("status").inner_text()


# ------------------------------------------------------------------------------------------------ for every reader

NAMELESS = """() => [...document.querySelectorAll("input, select, button, [role=slider], [role=img]")].filter((node) =>
  !(node.labels?.length || node.textContent.trim() || node.getAttribute("aria-label"))).map((node) => node.outerHTML)"""


@pytest.mark.parametrize("name", live.FIGURES)
def test_every_control_has_a_name_and_fits_on_a_phone(show, name):
    tab = show(name, viewport=PHONE)
    assert tab.evaluate(NAMELESS) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert tab.get_by_role("region", name=live.FIGURES[name]).count() == 1
    assert tab.get_by_role("status").inner_text()
    for plot in tab.locator("svg[role=group]").all():
        assert len(plot.get_attribute("aria-label")) > 20


@pytest.mark.parametrize("name", live.FIGURES)
def test_every_control_is_reached_by_the_keyboard(show, name):
    tab = show(name)
    wanted = tab.evaluate("document.querySelectorAll('input, select, button, .handle:not([hidden])').length")
    reached = set()
    for _ in range(wanted):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) == wanted


def test_a_frame_in_a_notebook_is_as_high_as_its_figure(browser):
    complaints = []
    tab = watched(browser, DESKTOP, complaints)
    tab.set_content(live.show("decorrelation")._repr_html_())
    frame = tab.frame_locator("iframe")
    frame.get_by_role("button", name="Step", exact=True).click()
    assert "Step 1:" in frame.get_by_role("status").inner_text()
    tab.wait_for_function("document.querySelector('iframe').clientHeight != 600")
    height = frame.locator("html").evaluate("html => html.scrollHeight")
    assert tab.locator("iframe").evaluate("frame => frame.clientHeight") >= height
    tab.close()
    assert not complaints

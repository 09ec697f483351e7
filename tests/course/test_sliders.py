"""Figures with settings: what they show, that the settings matter, and the sliders around them."""

from __future__ import annotations

import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from copi_np import InputError
from copi_np.course import sliders
from copi_np.course.sliders import (
    batch_with,
    decorrelation_figure,
    decorrelation_grid,
    decorrelation_slider,
    learn,
    learning_rate_figure,
    learning_rate_grid,
    learning_rate_slider,
    two_inputs,
)

SLIDERS = {decorrelation_slider: decorrelation_figure, learning_rate_slider: learning_rate_figure}


def test_the_batch_has_the_requested_second_moments():
    sigma = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
    x = batch_with(sigma, 20)
    assert x.shape == (20, 3)
    np.testing.assert_allclose(x.T @ x / 20, sigma, rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------- decorrelation of two inputs


def moments(figure):
    """The curves C_11, C_22 and C_12, by their label."""
    return {line.get_label(): line.get_ydata() for line in figure.axes[1].get_lines()[:3]}


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.6])
def test_the_curves_begin_with_the_requested_correlation(correlation):
    curves = moments(decorrelation_figure(correlation=correlation))
    assert curves["$C_{12}$"][0] == pytest.approx(correlation * np.sqrt(1.5 * 0.75))
    assert (curves["$C_{11}$"][0], curves["$C_{22}$"][0]) == pytest.approx((1.5, 0.75))


def test_steps_decorrelate_and_a_larger_step_is_faster():
    slow, fast = (moments(decorrelation_figure(eta_R=eta_R, n_steps=30)) for eta_R in (0.05, 0.2))
    assert all(len(curve) == 31 for curve in slow.values())
    assert abs(fast["$C_{12}$"][-1]) < 1e-3 < slow["$C_{12}$"][-1] < slow["$C_{12}$"][0]


def test_before_and_after_are_shown():
    before, _, after, _ = (line.get_xydata() for line in decorrelation_figure().axes[0].get_lines())
    np.testing.assert_array_equal(before, two_inputs(0.9))
    assert np.max(np.abs(before - after)) > 0.1


def test_for_two_inputs_the_form_makes_no_difference():
    """Theorem 3; notebook 02 says so next to the slider."""
    matrix, local = (moments(decorrelation_figure(form=form)) for form in ("matrix", "local"))
    for name, curve in matrix.items():
        np.testing.assert_allclose(local[name], curve, rtol=0, atol=1e-12)
    with pytest.raises(InputError, match="form"):
        decorrelation_figure(form="other")


def test_above_the_bound_a_variance_rises():
    """As readers of notebook 02 see: a step of 1.5 at a correlation of 0.95."""
    curves = moments(decorrelation_figure(correlation=0.95, eta_R=1.5))
    assert max(curves["$C_{22}$"]) > 0.75 + 0.1


def test_a_step_that_is_far_too_large_is_drawn_until_it_blows_up():
    figure = decorrelation_figure(correlation=0.95, eta_R=2.0)
    steps = len(moments(figure)["$C_{11}$"])
    assert steps < 20
    assert figure.axes[0].get_title() == f"R blows up at step {steps}"


def test_the_grid_has_a_panel_for_each_pair_of_settings():
    figure = decorrelation_grid((0.2, 0.5), (0.1, 0.3, 2.0))
    assert len(figure.axes) == 6
    assert [axes.get_title().splitlines()[0] for axes in figure.axes[:3]] == [
        r"$\eta$ = 0.1",
        r"$\eta$ = 0.3",
        r"$\eta$ = 2",
    ]
    assert "blows up" in figure.axes[2].get_title()
    assert "correlation 0.5" in figure.axes[3].get_ylabel()


# ------------------------------------------------------------------------------ the learning rates of one layer


def test_a_layer_learns_if_its_inputs_are_decorrelated():
    run = learn(0.1, 0.1, 0.8, "copi", 150)
    assert run.error == ""
    assert len(run.losses) == len(run.correlations) == 151
    assert run.correlations[0] == pytest.approx(0.8)
    assert run.correlations[-1] < 1e-3
    assert run.losses[-1] < 1e-3 < run.losses[0]


def test_with_fixed_R_copi_converges_to_the_wrong_weights():
    run = learn(0.1, 0.0, 0.8, "copi", 500)
    assert run.correlations == pytest.approx([0.8] * 501)
    assert run.losses[-1] == pytest.approx(run.losses[-2])
    assert run.losses[-1] > 1
    assert learn(0.1, 0.0, 0.8, "sgd", 500).losses[-1] < 1e-2  # SGD does not


def test_a_layer_that_diverges_says_so():
    run = learn(0.1, 1.0, 0.8, "copi", 150)
    assert run.error.startswith("diverges at step ")
    figure = learning_rate_figure(eta_R=1.0)
    assert figure.axes[0].get_title() == run.error
    assert len(figure.axes[0].get_lines()[0].get_ydata()) == len(run.losses) < 20


def test_what_is_drawn_is_what_was_learned():
    figure = learning_rate_figure(0.3, 0.03, 0.6, "sgd", 40)
    run = learn(0.3, 0.03, 0.6, "sgd", 40)
    loss, inputs = (axes.get_lines()[0].get_ydata().tolist() for axes in figure.axes)
    assert (loss, inputs) == (run.losses, run.correlations)


def test_the_grid_has_a_panel_for_each_eta_R_and_a_curve_for_each_eta_W():
    figure = learning_rate_grid((0.1, 1.0), (0.0, 0.03, 0.1), n_steps=10)
    assert [axes.get_title() for axes in figure.axes] == [r"$\eta_R$ = 0", r"$\eta_R$ = 0.03", r"$\eta_R$ = 0.1"]
    (first, second), (_, other) = (
        [line.get_ydata().tolist() for line in axes.get_lines()] for axes in (figure.axes[0], figure.axes[2])
    )
    assert len(first) == len(second) == 11
    assert first != second != other
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == [r"$\eta_W$ = 0.1", r"$\eta_W$ = 1"]


# ----------------------------------------------------------------------------------------------------- sliders


@pytest.mark.parametrize("make", SLIDERS)
def test_every_setting_has_a_slider_that_begins_at_its_default(make):
    pytest.importorskip("ipywidgets")
    shown = make()
    defaults = dict(zip(SLIDERS[make].__code__.co_varnames, SLIDERS[make].__defaults__, strict=False))
    assert {slider.description: slider.value for slider in shown.children[:-1]} == defaults


@pytest.mark.parametrize("make", SLIDERS)
def test_every_choice_of_every_slider_can_be_drawn(make):
    pytest.importorskip("ipywidgets")
    for slider in make().children[:-1]:
        for value in (slider.options[0], slider.options[-1]):
            SLIDERS[make](**{slider.description: value})


@pytest.mark.parametrize("make", SLIDERS)
def test_without_ipywidgets_a_line_says_what_to_do(make, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert make() is None
    assert capsys.readouterr().out.strip() == sliders.NO_SLIDERS


@pytest.mark.parametrize("make", SLIDERS)
def test_a_moved_slider_draws_a_new_picture(make):
    pytest.importorskip("ipywidgets")
    *moved, picture = make().children
    for slider in moved:
        before, start = bytes(picture.value), slider.value
        assert before.startswith(b"\x89PNG")
        slider.value = slider.options[0] if start != slider.options[0] else slider.options[-1]
        # for two inputs the form makes no difference
        assert (bytes(picture.value) == before) == (slider.description == "form"), slider.description
        slider.value = start
        assert bytes(picture.value) == before


IN_A_KERNEL = """\
from copi_np.course.sliders import {name}
shown = {name}()
shown"""
MOVE = """\
shown.children[1].value = shown.children[1].options[-1]"""


@pytest.mark.parametrize("make", SLIDERS)
def test_in_a_kernel_a_cell_leaves_the_sliders_and_nothing_else(make):
    """The front end gets a new picture when a slider moves."""
    pytest.importorskip("ipywidgets")
    cells = [nbformat.v4.new_code_cell(code) for code in (IN_A_KERNEL.format(name=make.__name__), MOVE)]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120, kernel_name="python3")
    pictures = []
    client.on_cell_executed = lambda **_: pictures.append(picture_of(client))
    client.execute()
    (output,) = cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
    assert cells[1].outputs == []
    assert pictures[0] != pictures[1]


def picture_of(client):
    """The bytes of the widget's picture, as the front end gets them."""
    (data,) = [
        buffers[("value",)]["data"]
        for model, buffers in client.widget_buffers.items()
        if client.widget_state[model]["_model_name"] == "ImageModel"
    ]
    return data

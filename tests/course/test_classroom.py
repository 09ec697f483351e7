"""Figures for a projector: every curve has its name next to its end; and the tasks are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from copi_np import rules
from copi_np.course import classroom
from copi_np.whitening import off_diagonal, second_moment


def test_every_curve_has_its_name_next_to_its_end():
    curves = {"low": [3.0, 2.0, 1.0], "high": [3.0, 50.0, 100.0], "also high": [3.0, 50.0, 100.0]}
    figure = classroom.named_curves({"left": curves, "right": {"low": [1.0, 1.0]}}, "loss", start=1, yscale="log")
    left, right = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["left", "right"]
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["low", "high", "also high", "low"]
    low, high, same = (text.get_position()[1] for text in left.texts)
    assert low < 0.15 < 0.8 < min(high, same)
    assert abs(same - high) > 0.03
    assert right.texts[0].get_position()[1] < 0.15  # on the scale of both panels
    colours = [line.get_color() for line in left.lines]
    assert [text.get_color() for text in left.texts] == colours
    assert len({line.get_linestyle() for line in left.lines}) == len(set(colours)) == 3  # so that both highs are seen
    assert list(left.lines[0].get_xdata()) == [1, 2, 3]
    assert figure.dpi >= 200


def test_paths_of_weights_are_drawn_around_the_goal():
    paths = {"one": np.array([[0.0, 0], [1, 1]]), "other": np.array([[0.0, 0], [2, -1]])}
    figure = classroom.weight_planes({"a": paths, "b": paths}, {"a": np.eye(2), "b": np.diag([1, 3])}, (2, -1))
    for axes in figure.axes:
        goal, *lines = axes.lines
        assert goal.get_xydata().tolist() == [[2, -1]]
        assert [line.get_xydata().tolist() for line in lines[::2]] == [path.tolist() for path in paths.values()]
        assert [line.get_xydata().tolist() for line in lines[1::2]] == [[[1, 1]], [[2, -1]]]
        assert [text.get_text() for text in axes.texts] == ["goal", "one", "other"]


def test_the_task_can_be_learned_and_its_inputs_are_decorrelated():
    task, same, other = (classroom.LinearTask(seed) for seed in (0, 0, 1))
    assert np.array_equal(task.W, same.W)
    assert not np.array_equal(task.W, other.W)
    y, z = (np.concatenate(part) for part in zip(*task.batches(), strict=True))
    assert y.shape == (1000, 20)
    assert np.abs(off_diagonal(second_moment(y))).max() > 0.1
    assert np.abs(off_diagonal(second_moment(y @ task.R.T))).max() < 1e-3
    solution = np.linalg.lstsq(y, z, rcond=None)[0].T
    assert task.test_error(solution) < 1e-20
    assert np.isclose(task.test_error(0 * solution), 1, atol=0.1)
    (first, _), *_ = task.batches()
    assert not np.array_equal(first, y[:50])  # another order in every epoch


@pytest.mark.parametrize(("rule", "length"), [(rules.oja_update, 1.0), (lambda W, x: 0 * W, np.hypot(0.4, 0.8))])
def test_arrows_follow_the_rule(rule, length):
    x = np.random.default_rng(0).normal(size=(50, 2))
    path = classroom.follow(rule, x, (0.4, -0.8), n_steps=2000)
    assert path.shape == (2001, 2)
    assert path[0].tolist() == [0.4, -0.8]
    assert np.isclose(np.linalg.norm(path[-1]), length)


def test_there_is_a_picture_for_every_rule_and_cloud():
    rule = rules.oja_update
    figure = classroom.arrows({"Oja": rule, "again": rule}, {"a": np.eye(2), "b": np.diag([2.0, 1])})
    assert [axes.get_title() for axes in figure.axes] == ["Oja, a", "again, a", "Oja, b", "again, b"]
    cloud, *lines = figure.axes[2].lines
    assert np.allclose(second_moment(cloud.get_xydata()), np.diag([2.0, 1]))
    starts = [line.get_xydata()[0].tolist() for line in lines[::3]]
    assert starts == [list(start) for start in classroom.STARTS]

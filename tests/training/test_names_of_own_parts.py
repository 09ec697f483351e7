"""The name of a part tells apart what one function makes under one name: by the numbers and text that they take."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from copi_np import Activation, ErrorSignal, InputError, Loss, Network, fit, load_network, rules, save_network
from copi_np._parts import describe
from copi_np.datasets import Dataset, Split


def make_rule(c, name="a", pair=(1, 2), *, array=None):
    def rule(W, x, z):
        return c * rules.copi_update(W, x, z) + len(name) + sum(pair) + (0 if array is None else array)

    return rule


def with_default(c):
    return lambda R, x, c=c: c * rules.decorrelation_update(R, x)


def with_keyword(c):
    def rule(R, x, *, c=c):
        return c * rules.decorrelation_update(R, x)

    return rule


def make_activation(c):
    return Activation("leaky", lambda a: np.where(a > 0, a, c * a), lambda a: np.where(a > 0, 1, c))


def make_loss(c):
    def values(y, targets):
        return c * np.sum((y - targets) ** 2, axis=1)

    return Loss("scaled", values, lambda y, targets: 2 * c * (y - targets))


def make_signal(c):
    def deltas(layers, trace, delta_L):
        return [c * np.ones_like(a) for a in trace.a]

    return ErrorSignal("constant", deltas)


def times(c):
    def decorate(rule):
        @functools.wraps(rule)
        def scaled(R, x):
            return c * rule(R, x)

        return scaled

    return decorate


def decorated(c):
    return times(c)(rules.decorrelation_update)


def partial_of_made(c):
    return functools.partial(make_rule(c), z=None)


def partial_functions(c):
    return Activation("leaky", functools.partial(scaled, c=c), functools.partial(scaled, c=c))


def scaled(a, c):
    return c * a


MAKERS = {
    "rule": [make_rule, partial_of_made],
    "decorrelation": [with_default, with_keyword, decorated],
    "activation": [make_activation, partial_functions],
    "loss": [make_loss],
    "error_signal": [make_signal],
}
CASES = [(kind, maker) for kind, makers in MAKERS.items() for maker in makers]


def make_network(**parts):
    return Network([6, 5, 4], rng=np.random.default_rng(0), dtype="float64", **parts)


@pytest.mark.parametrize(("kind", "maker"), [case for case in CASES if case[1] is not partial_of_made])
def test_one_made_with_another_number_is_refused(tmp_path, kind, maker):
    """Made again with the same one, it is the part that was saved."""
    save_network(tmp_path / "net.npz", make_network(**{kind: maker(0.1)}))
    load_network(tmp_path / "net.npz", **{kind: maker(0.1)})
    with pytest.raises(InputError, match=rf"saved with your own {kind.replace('_', '.')} .*\(c=0\.1[,)]"):
        load_network(tmp_path / "net.npz", **{kind: maker(0.2)})


@pytest.mark.parametrize(("kind", "maker"), CASES)
def test_a_name_is_the_same_in_every_process(kind, maker):
    assert describe(maker(0.1)) == describe(maker(np.float64(0.1)))
    assert describe(maker(0.1)) != describe(maker(0.2))


def test_names_are_what_was_typed():
    module = __name__
    assert describe(make_rule(0.1)) == f"{module}:make_rule.<locals>.rule(c=0.1, name='a', pair=(1, 2))"
    assert describe(with_default(0.1)) == f"{module}:with_default.<locals>.<lambda>(c=0.1)"
    assert describe(with_keyword(0.1)) == f"{module}:with_keyword.<locals>.rule(c=0.1)"
    assert describe(decorated(0.1)) == "copi_np.rules:decorrelation_update(c=0.1)"
    assert describe(make_activation(0.1)) == f"{module}:leaky(c=0.1)"
    assert describe(functools.partial(make_rule(1), z=2)).endswith("rule(c=1, name='a', pair=(1, 2), z=2)")
    assert describe(lambda R, x: R).endswith(".<lambda>")
    assert describe(scaled) == f"{module}:scaled"


def defaults(a, c=0.1):
    return c * a


def test_a_function_of_a_module_has_its_plain_name():
    """There is one of that name: another default is another version of it, as another line of it is."""
    assert describe(defaults) == f"{__name__}:defaults"


def test_what_a_function_changes_as_it_is_called_is_not_in_its_name(tmp_path):
    """Otherwise, training with it could never be resumed."""

    def annealing(eta):
        n_calls, trail = 0, []

        def schedule(epoch):
            nonlocal n_calls
            n_calls += 1
            trail.append(epoch)
            return {"eta_W": eta / epoch}

        return schedule

    split = Split(np.eye(6)[[0, 1, 2, 3]], np.array([0, 1, 2, 3]))
    data = Dataset("tiny", split, split, 4)

    def train(epochs, schedule, **options):
        rng = np.random.default_rng(0)
        path = tmp_path / "net.npz"
        return fit(make_network(), data, epochs=epochs, schedule=schedule, rng=rng, checkpoint=path, **options)

    train(1, annealing(0.1))
    assert len(train(2, annealing(0.1), resume=True)) == 2
    with pytest.raises(InputError, match=r"schedule was '.*schedule\(eta=0\.1\)', now '.*schedule\(eta=0\.2\)'"):
        train(3, annealing(0.2), resume=True)


def test_arrays_and_objects_are_not_in_a_name():
    """They may change, and say little."""
    assert describe(make_rule(1, array=np.ones(3))) == describe(make_rule(1, array=np.zeros(2)))

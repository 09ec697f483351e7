"""The message about labels that do not number the classes 0, 1, ..: right for any integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from copi_np.datasets import Dataset, Split, load_dataset, one_hot
from copi_np.errors import DataError, InputError

INTEGERS = st.sampled_from([np.int8, np.uint8, np.int16, np.int64, np.uint64])
LABELS = INTEGERS.flatmap(lambda dtype: npst.arrays(dtype, st.integers(1, 6)))


def x(labels):
    return np.zeros((len(labels), 2), np.uint8)


@given(train=LABELS, test=LABELS)
def test_of_a_file(tmp_path_factory, train, test):
    """They are loaded, or the message names the range and the right number of classes, of both splits together."""
    path = tmp_path_factory.mktemp("labels") / "own.npz"
    np.savez(path, x_train=x(train), y_train=train, x_test=x(test), y_test=test)
    classes = sorted({*train.tolist(), *test.tolist()})
    if classes == list(range(len(classes))):
        assert load_dataset(path).n_classes == len(classes)
        return
    with pytest.raises(DataError) as found:
        load_dataset(path)
    count = f"{len(classes)} different values: number the classes 0 .. {len(classes) - 1}"
    assert str(found.value) == f"{path}: labels run from {classes[0]} to {classes[-1]}, and take {count}"


def test_of_a_file_with_classes_around_zero(tmp_path):
    path = tmp_path / "own.npz"
    labels = np.array([-1, 0, 1])
    np.savez(path, x_train=x(labels), y_train=labels, x_test=x(labels[:1]), y_test=labels[1:2])
    with pytest.raises(DataError, match=r"labels run from -1 to 1, .* number the classes 0 \.\. 2$"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("labels", "n_classes", "advice"),
    [
        ([-1, 0, 1], 2, r"from -1 to 1: number the classes 0 \.\. 2, and give n_classes=3"),
        ([-1, 0, 1], 3, r"from -1 to 1: number the classes 0 \.\. 2"),
        ([-1, 1], 2, r"from -1 to 1: number the classes 0 \.\. 1"),
        ([1, 2, 3], 3, r"from 1 to 3: number the classes 0 \.\. 2"),
        ([5, 5], 3, r"from 5 to 5: number the classes 0 \.\. 2"),
        ([0, 1, 2, 9], 3, r"from 0 to 9: number the classes 0 \.\. 3, and give n_classes=4"),
        (np.array([2**64 - 1, 0], np.uint64), 2, r"from 0 to 18446744073709551615: number the classes 0 \.\. 1"),
    ],
)
def test_of_arrays(labels, n_classes, advice):
    labels = np.asarray(labels)
    for use in (
        lambda: Dataset("own", Split(x(labels), labels), Split(x(labels), labels), n_classes),
        lambda: one_hot(labels, n_classes, "float32"),
    ):
        with pytest.raises(InputError, match=f"labels run {advice}$"):
            use()

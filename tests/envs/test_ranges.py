"""Values that a task space gives an attribute."""

from typing import Any

import numpy as np
import pytest

from maml_rl.envs.attributes.ranges import Choices, Range, Scale, fitted, parse_values
from maml_rl.errors import UsageError

NUMBER = 2000


def drawn(entry: Any, own: Any) -> Any:
    values = parse_values(entry, "x")
    values.check(own, "x")
    return np.asarray(values.draw(np.random.default_rng(0), NUMBER, own))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ([5, 15], Range(5, 15)),
        ({"low": 5, "high": 15}, Range(5, 15)),
        ({"low": 0.1, "high": 10, "log": True}, Range(0.1, 10, log=True)),
        ({"low": 1, "high": 4, "whole": True}, Range(1, 4, whole=True)),
        ({"low": [0, 1], "high": [1, 2]}, Range([0, 1], [1, 2])),
        ({"scale": [0.5, 2]}, Scale(0.5, 2)),
        ({"scale": [0.5, 2], "log": True}, Scale(0.5, 2, log=True)),
        ({"choices": [1, 2, 4]}, Choices([1, 2, 4])),
        ({"choices": ["a", "b"]}, Choices(["a", "b"])),
    ],
    ids=str,
)
def test_forms(entry: Any, expected: Any):
    assert parse_values(entry, "x") == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (12, r"x: expected \[low, high\], \{low: ..., high: ...\}, .* got 12"),
        ([5, 15, 3], r"got \[5, 15, 3\]"),
        (["a", "b"], "got"),
        ([True, False], "got"),
        ({"choices": []}, "got"),
        ({"choices": 3}, "got"),
        ({"choices": [1], "log": True}, "got"),
        ({"low": 1}, "got"),
        ({"low": 1, "high": 2, "logg": True}, "got"),
        ({"low": 1, "high": 2, "log": 1}, "got"),
        ({"scale": [1, 2], "whole": True}, "got"),
        ([15, 5], "low not above high, got 15 and 5"),
        ([0, float("inf")], r"got \[0, inf\]"),
        ([-1e308, 1e308], "whose distance is finite"),
        ({"low": [1, 2], "high": 3}, "finite numbers"),
        ({"low": "a", "high": 3}, "finite numbers"),
        ({"low": 0, "high": 1, "log": True}, "log needs numbers above 0"),
        ({"low": 1, "high": 4, "log": True, "whole": True}, "no 'whole'"),
        ({"low": 1.5, "high": 4, "whole": True}, "expected whole numbers"),
        ({"low": 1, "high": 10**30, "whole": True}, "expected"),
    ],
    ids=str,
)
def test_what_is_no_range(entry: Any, message: str):
    with pytest.raises(UsageError, match=message):
        parse_values(entry, "x")


@pytest.mark.parametrize(
    ("entry", "own", "message"),
    [
        ([5, 15], "text", "expected choices, as it is 'text' and no number"),
        ([5, 15], True, "expected choices"),
        ({"scale": [1, 2]}, "text", "expected choices or a range, as it is 'text', no number"),
        ({"scale": [1, 2]}, 8, "expected choices or a range, as it is 8, a whole number"),
        ([5, 15], 8, r"whole number 8: write \{low: 5, high: 15, whole: true\} .*, \[5.0, 15.0\] for others"),
        ({"choices": ["a"]}, 1.0, "expected a number, got 'a'"),
        ({"choices": [1]}, True, "expected true or false, got 1"),
        ({"choices": [1]}, "a", "expected text, got 1"),
        ({"choices": [[1, 2, 3]]}, np.zeros(2), r"expected numbers of shape \[2\]"),
        ({"low": [0, 0, 0], "high": [1, 1, 1]}, np.zeros(2), r"expected bounds of shape \[2\]"),
    ],
    ids=str,
)
def test_what_an_attribute_does_not_take(entry: Any, own: Any, message: str):
    with pytest.raises(UsageError, match=message):
        parse_values(entry, "x").check(own, "x")


def test_a_range_is_uniform():
    values = drawn([5, 15], 10.0)
    assert values.min() >= 5
    assert values.max() <= 15
    np.testing.assert_allclose([values.mean(), values.std()], [10, 10 / np.sqrt(12)], rtol=0.05)


def test_a_range_of_logarithms():
    values = drawn({"low": 0.01, "high": 100, "log": True}, 1.0)
    assert values.min() >= 0.01
    assert values.max() <= 100
    np.testing.assert_allclose([(values < 0.1).mean(), (values < 1).mean()], [0.25, 0.5], atol=0.05)


def test_whole_numbers_have_both_ends():
    values = drawn({"low": 1, "high": 4, "whole": True}, 2)
    np.testing.assert_array_equal(np.unique(values), [1, 2, 3, 4])
    assert values.dtype.kind == "i"


def test_arrays_are_drawn_element_by_element_and_scaled_as_a_whole():
    own = np.array([1.0, 2.0, 4.0])
    values = drawn([0, 1], own)
    assert values.shape == (NUMBER, 3)
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.1
    scaled = drawn({"scale": [0.5, 2]}, own) / own
    np.testing.assert_allclose(scaled, scaled[:, :1].repeat(3, axis=1))
    assert (scaled.min(), scaled.max()) == pytest.approx((0.5, 2), abs=0.05)
    bounded = drawn({"low": [0, 10, 20], "high": [1, 11, 20]}, own)
    np.testing.assert_array_equal(np.floor(bounded.min(0)), [0, 10, 20])


def test_choices_are_equally_likely():
    values = drawn({"choices": [1, 2, 4]}, 1.0)
    np.testing.assert_allclose([(values == x).mean() for x in (1, 2, 4)], 1 / 3, atol=0.04)


@pytest.mark.parametrize(
    ("own", "value", "expected"),
    [
        (1.0, 2, 2.0),
        (8, 9, 9),
        (8, 9.5, 9.5),
        (8, np.float64(9.5), 9.5),
        (8, np.int64(9), 9),
        ((1.0, 2.0), [3, 4], (3.0, 4.0)),
        ([-1.0, 0.0, 1], [-2.0, 0.0, 2.0], [-2.0, 0.0, 2.0]),
        ([1.0, 2.0], np.array([3, 4]).tolist(), [3.0, 4.0]),
    ],
)
def test_values_have_the_attributes_type(own: Any, value: Any, expected: Any):
    value = fitted(own, value, "x")
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("own", [[1.0, 2.0], (1.0, 2.0), [1, 2], [[1.0], [2.0]]])
def test_ranges_and_factors_of_lists(own: Any):
    for entry in ([0.5, 2.0], {"low": 1, "high": 4, "whole": True}):
        values = parse_values(entry, "x").draw(np.random.default_rng(0), 3, own)
        for value in values:
            found = fitted(own, value, "x")
            assert type(found) is type(own)
            np.testing.assert_array_equal(found, value)

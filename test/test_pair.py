"""What belongs to each hand, as attributes and as a mapping."""

import pytest

from im2hands_ros.pair import HandPair


def test_sides_are_attributes_and_keys():
    pair = HandPair("l", "r")
    assert pair.left is pair["left"] and pair.right is pair["right"]
    assert list(pair) == ["left", "right"] and dict(pair) == {"left": "l", "right": "r"}
    assert HandPair(**pair) == pair
    with pytest.raises(KeyError, match="middle"):
        pair["middle"]


def test_an_absent_hand_is_none_and_not_present():
    pair = HandPair(right=0)
    assert pair.left is None and pair.get("left") is None
    assert len(pair) == 2 and pair.present == {"right": 0}

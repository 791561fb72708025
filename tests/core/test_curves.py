"""Curves over layers: one name has one colour in every picture."""

from methods.core.figures import curves, draw


def test_what_stands_in_many_pictures_has_one_colour_and_no_two_curves_share_one():
    early = curves.colours_of(["trained", "MFCC", "log-mel", "shifted"])
    late = curves.colours_of(["trained", "random weights, 3 seeds", "MFCC", "log-mel", "shifted"])
    assert [late[0], *late[2:]] == early  # what comes later moves no colour
    assert late[1] == draw.RANDOM and late[0] == draw.TRAINED
    assert len(set(late)) == len(late)
    both = curves.colours_of(["MFCC", "full, MFCC"])
    assert both[0] != both[1]
    assert len(curves.colours_of([str(number) for number in range(9)])) == 9

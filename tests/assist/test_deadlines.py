"""The earliest of many deadlines."""

from math import inf

from cxone_assist._deadlines import Deadlines


def test_items_are_due_in_order_and_once():
    deadlines = Deadlines()
    deadlines.set("b", 2.0)
    deadlines.set("a", 1.0)
    deadlines.set("c", 3.0)
    assert deadlines.next() == 1.0
    assert deadlines.due(2.0) == ["a", "b"]
    assert deadlines.due(2.0) == []
    assert deadlines.next() == 3.0


def test_an_earlier_time_holds_and_a_later_one_does_not():
    deadlines = Deadlines()
    deadlines.set("a", 5.0)
    deadlines.set("a", 9.0)
    assert deadlines.next() == 5.0
    deadlines.set("a", 1.0)
    assert deadlines.due(1.0) == ["a"]
    assert deadlines.next() is None


def test_never_and_forgotten_items_are_not_due():
    deadlines = Deadlines()
    deadlines.set("a", inf)
    deadlines.set("b", 1.0)
    deadlines.discard("b")
    deadlines.discard("c")
    assert deadlines.next() is None
    assert deadlines.due(10.0) == []


def test_items_that_move_often_do_not_pile_up():
    deadlines = Deadlines()
    for time in range(10000, 0, -1):
        deadlines.set("a", float(time))
        assert len(deadlines._heap) <= 67
    assert deadlines.due(1.0) == ["a"]

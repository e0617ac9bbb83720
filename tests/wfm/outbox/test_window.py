"""The promises of the window: order, one row of each stream, and little memory."""

import random

import pytest

from cxone_wfm.outbox import _window
from cxone_wfm.outbox._window import Row, Window


class Backlog:
    """Rows as a store would give them, and how often it was asked."""

    def __init__(self, streams: str, size: int = 1) -> None:
        self.rows = [Row(position, stream, size) for position, stream in enumerate(streams, start=1)]
        self.last = len(self.rows)
        self.loads: list[tuple[int, int, int, str | None]] = []

    def load(self, after: int, last: int, limit: int, stream: str | None) -> list[Row]:
        self.loads.append((after, last, limit, stream))
        found = [row for row in self.rows if after < row.position <= last and stream in {None, row.stream}]
        return found[:limit]

    def window(self, held: list[Row] | None = None) -> Window:
        return Window(self.load, len(self.rows), held or [])


def streams(rows: list[Row]) -> str:
    return "".join(row.stream for row in rows)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a short text reaches."""
    monkeypatch.setattr(_window, "CHUNK", 4)
    monkeypatch.setattr(_window, "ENOUGH", 6)
    monkeypatch.setattr(_window, "DEEP", 3)
    monkeypatch.setattr(_window, "MOST_CHUNKS", 2)


def test_rows_are_taken_in_order_one_of_each_stream() -> None:
    window = Backlog("abacbd").window()
    first = window.take(9, 99, patient=False)
    assert streams(first) == "abcd"
    assert window.take(9, 99, patient=False) == []
    window.free(first[1])
    window.free(first[0])
    assert [row.position for row in window.take(9, 99, patient=False)] == [3, 5]


def test_a_freed_row_makes_way_for_the_next_of_its_stream_only() -> None:
    window = Backlog("ab").window()
    a, b = window.take(9, 99, patient=False)
    window.free(a)
    window.free(b)
    assert window.take(9, 99, patient=False) == []


def test_bounds_hold_and_one_row_always_goes() -> None:
    window = Backlog("abcdef", size=10).window()
    assert [streams(window.take(most, size, patient=False)) for most, size in ((2, 99), (9, 20), (9, 3))] == [
        "ab", "cd", "e"
    ]  # fmt: skip


def test_who_is_patient_is_given_what_there_is() -> None:
    assert streams(Backlog("abc").window().take(9, 99, patient=True)) == "abc"


def test_what_is_gone_from_the_end_of_the_backlog_is_not_looked_for_again() -> None:
    backlog = Backlog("abcd")
    del backlog.rows[2:]
    window = Window(backlog.load, 4)
    for _ in range(3):
        window.take(9, 99, patient=False)
    assert len(backlog.loads) == 1


def test_rows_that_came_later_are_seen() -> None:
    backlog = Backlog("a")
    window = backlog.window()
    assert streams(window.take(9, 99, patient=False)) == "a"
    backlog.rows += [Row(2, "b", 1), Row(3, "a", 1)]
    window.added(3)
    assert streams(window.take(9, 99, patient=False)) == "b"


def test_held_rows_are_not_taken_and_their_streams_wait() -> None:
    backlog = Backlog("abab")
    window = backlog.window(held=[backlog.rows[0]])
    assert [row.position for row in window.take(9, 99, patient=False)] == [2]
    window.free(backlog.rows[0])
    assert [row.position for row in window.take(9, 99, patient=False)] == [3]


@pytest.mark.usefixtures("small")
def test_a_long_backlog_is_read_as_far_as_it_is_needed() -> None:
    backlog = Backlog("abcd" * 100)
    window = backlog.window()
    assert streams(window.take(4, 99, patient=False)) == "abcd"
    assert [after for after, _, _, _ in backlog.loads] == [0]


@pytest.mark.usefixtures("small")
def test_while_requests_are_on_their_way_no_more_is_read_than_enough() -> None:
    backlog = Backlog("ab" * 100)
    window = backlog.window()
    window.take(9, 99, patient=False)
    for _ in range(20):
        assert window.take(9, 99, patient=True) == []
    assert len(backlog.loads) <= 4


@pytest.mark.usefixtures("small")
def test_one_call_reads_a_bounded_part_and_the_next_reads_on() -> None:
    backlog = Backlog("a" * 20 + "b")
    window = backlog.window()
    assert streams(window.take(1, 99, patient=False)) == "a"
    taken = [streams(window.take(1, 99, patient=False)) for _ in range(4)]
    assert "".join(taken) == "b"
    assert taken[0] == ""


@pytest.mark.usefixtures("small")
def test_who_has_a_row_waits_for_one_more_chunk_and_no_longer() -> None:
    backlog = Backlog("a" * 100)
    assert streams(backlog.window().take(9, 99, patient=False)) == "a"
    assert len(backlog.loads) == 2


def test_rows_that_are_deleted_are_not_given_out_and_the_next_of_their_stream_is() -> None:
    window = Backlog("abcbc").window()
    assert streams(window.take(1, 99, patient=False)) == "a"
    window.discard("b", [2])
    assert [row.position for row in window.take(9, 99, patient=False)] == [3, 4]


def test_a_stream_of_which_all_is_deleted_is_gone_and_the_others_keep_their_order() -> None:
    window = Backlog("abcdeb").window()
    window.take(1, 99, patient=False)
    window.discard("b", {2, 6})
    window.discard("nobody", [9])
    assert streams(window.take(9, 99, patient=False)) == "cde"


def test_rows_deleted_from_a_busy_stream_do_not_make_it_free() -> None:
    window = Backlog("aaa").window()
    (first,) = window.take(9, 99, patient=False)
    window.discard("a", [2])
    assert window.take(9, 99, patient=False) == []
    window.free(first)
    assert [row.position for row in window.take(9, 99, patient=False)] == [3]


@pytest.mark.usefixtures("small")
def test_a_deep_stream_is_read_again_where_it_was_cut() -> None:
    backlog = Backlog("a" * 10 + "b" + "a" * 3)
    window = backlog.window()
    seen = []
    for _ in range(40):
        for row in window.take(1, 99, patient=False):
            seen.append(row)
            window.free(row)
    assert [row.position for row in seen if row.stream == "a"] == [*range(1, 11), 12, 13, 14]
    assert len(seen) == 14


@pytest.mark.usefixtures("small")
def test_to_read_a_deep_stream_again_costs_no_more_than_what_was_read_once() -> None:
    backlog = Backlog("aaaaab" + "c" * 1000)
    window = backlog.window()
    for _ in range(3):
        for row in window.take(1, 99, patient=False):
            window.free(row)
    again = [(after, last, limit) for after, last, limit, stream in backlog.loads if stream == "a"]
    assert again == [(3, 4, 4)]


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.usefixtures("small")
def test_whatever_happens_rows_go_once_in_the_order_of_their_stream(seed: int) -> None:
    chance = random.Random(seed)
    backlog = Backlog("".join(chance.choices("abcd", k=chance.randrange(40))))
    firsts = {row.stream: row for row in reversed(backlog.rows)}
    out = chance.sample([*firsts.values()], k=chance.randint(0, len(firsts)))
    window = backlog.window(held=out)
    seen = [*out]
    expected = {*backlog.rows}

    def free_one() -> None:
        row = out.pop(chance.randrange(len(out)))
        backlog.rows.remove(row)  # it is no longer pending
        window.free(row)

    for _ in range(150):
        assert window._rows == sum(len(queue) for queue in window._queues.values())
        if out and chance.random() < 0.5:
            free_one()
        elif chance.random() < 0.05:
            stream = chance.choice("abcd")
            waiting = [row for row in backlog.rows if row.stream == stream and row not in seen]
            deleted = [row for row in waiting if chance.random() < 0.5]
            backlog.rows = [row for row in backlog.rows if row not in deleted]
            expected.difference_update(deleted)
            window.discard(stream, {row.position for row in deleted})
        elif chance.random() < 0.2:
            backlog.last += 1
            backlog.rows.append(Row(backlog.last, chance.choice("abcd"), 1))
            expected.add(backlog.rows[-1])
            window.added(backlog.last)
        else:
            taken = window.take(chance.randint(1, 3), 99, patient=chance.random() < 0.5)
            assert not set(streams(taken)) & set(streams(out))
            assert len(set(streams(taken))) == len(taken)
            out += taken
            seen += taken
    for _ in range(300):
        while out:
            free_one()
        out += window.take(9, 99, patient=False)
        seen += out
    assert sorted(seen) == sorted(expected)
    assert not window._queues
    for stream in "abcd":
        positions = [row.position for row in seen if row.stream == stream]
        assert positions == sorted(positions)

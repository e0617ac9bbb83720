"""The parts of the PostgreSQL store that need no server: backlog, counters, the missing driver."""

import importlib
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxone_wfm import ForkedOutboxError
from cxone_wfm.outbox.store import lane_of
from cxone_wfm.secrets import Secret

psycopg = pytest.importorskip("psycopg")
postgres = pytest.importorskip("cxone_wfm.outbox.postgres")
from cxone_wfm.outbox.postgres import _backlog, _session, _totals  # noqa: E402 - behind the skip
from cxone_wfm.outbox.postgres._backlog import Backlog, Row  # noqa: E402 - behind the skip


class Table:
    """Rows as the server would have them, and how often it was asked."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.reads = 0

    def put(self, stream: str, position: int | None = None, size: int = 1) -> Row:
        place = len(self.rows) + 1 if position is None else position
        row = Row(place, lane_of(stream), stream, size)
        self.rows.append(row)
        return row

    def of_lanes(self, lanes, most: int) -> list[Row]:
        self.reads += 1
        return sorted(
            row
            for lane, after in lanes.items()
            for row in sorted(row for row in self.rows if row.lane == lane and row.position > after)[:most]
        )

    def of_stream(self, stream: str, after: int, last: int, limit: int) -> list[Row]:
        found = [row for row in self.rows if row.stream == stream and after < row.position <= last]
        return sorted(found)[:limit]

    def backlog(self, *held: Row) -> Backlog:
        made = Backlog(self.of_lanes, self.of_stream)
        made.add(range(64), held)
        return made

    def done(self, row: Row, backlog: Backlog) -> None:
        self.rows.remove(row)
        backlog.free(row)


def names(rows: list[Row]) -> str:
    return "".join(row.stream for row in rows)


def test_rows_come_by_position_one_of_each_stream() -> None:
    table = Table()
    for stream in "abcab":
        table.put(stream)
    backlog = table.backlog()
    first = backlog.take(10, 100)
    assert (names(first), backlog.take(10, 100)) == ("abc", [])
    table.done(first[1], backlog)
    assert names(backlog.take(10, 100)) == "b"


def test_bytes_bound_what_is_taken_but_one_row_always_goes() -> None:
    table = Table()
    for stream, size in (("a", 5), ("b", 5), ("c", 50)):
        table.put(stream, size=size)
    backlog = table.backlog()
    assert [names(backlog.take(10, 9)) for _ in range(3)] == ["a", "b", "c"]


def test_what_is_held_is_not_read_again_not_even_when_it_is_freed_before_it_is_deleted() -> None:
    table = Table()
    held = table.put("a")
    table.put("a")
    backlog = table.backlog(held)
    assert backlog.take(1, 100) == []
    backlog.free(held)
    assert [row.position for row in backlog.take(1, 100)] == [2]


def test_new_rows_are_seen_after_a_look_also_with_a_smaller_position_in_another_lane() -> None:
    table = Table()
    table.put("a", 10)
    backlog = table.backlog()
    assert names(backlog.take(5, 100)) == "a"
    table.put("b", 5)
    assert backlog.take(5, 100) == []
    backlog.look()
    assert names(backlog.take(5, 100)) == "b"


def test_the_rows_of_dropped_lanes_are_gone_and_come_again_with_the_lane() -> None:
    table = Table()
    rows = [table.put(stream) for stream in "aabb"]
    backlog = table.backlog()
    (first,) = backlog.take(1, 100)
    backlog.drop({lane_of("a"), lane_of("b")})
    backlog.free(first)
    assert backlog.take(5, 100) == []
    backlog.add([lane_of("b")], [])
    assert backlog.take(5, 100) == [rows[2]]


def test_a_long_stream_is_kept_only_in_part_and_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_backlog, "DEEP", 3)
    table = Table()
    for _ in range(20):
        table.put("a")
    backlog = table.backlog()
    seen = []
    while rows := backlog.take(5, 100):
        assert backlog._rows <= 4
        seen += rows
        table.done(rows[0], backlog)
    assert [row.position for row in seen] == list(range(1, 21))


def test_a_row_is_read_about_once_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_backlog, "CHUNK", 640)
    monkeypatch.setattr(_backlog, "ENOUGH", 1000)
    table = Table()
    for number in range(5000):
        table.put(f"agent-{number % 500}")
    backlog = table.backlog()
    most = taken = 0
    while rows := backlog.take(100, 10**6):
        most = max(most, backlog._rows)
        taken += len(rows)
        for row in rows:
            table.done(row, backlog)
    assert taken == 5000
    assert most <= 1000 + 640
    assert table.reads < 2 * 5000 // 640 + 64


def test_where_many_streams_wait_the_next_free_one_is_found_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_backlog, "CHUNK", 64)
    monkeypatch.setattr(_backlog, "MOST_CHUNKS", 2)
    table = Table()
    for _ in range(100):
        table.put("a")
    backlog = table.backlog()
    assert names(backlog.take(1, 100)) == "a"
    table.put("a-stream-of-the-same-lane")
    same = next(f"b{n}" for n in range(10_000) if lane_of(f"b{n}") == lane_of("a"))
    table.put(same)
    found = [names(backlog.take(1, 100)) for _ in range(20)]
    assert "a-stream-of-the-same-lane" in found or same in found


@given(st.lists(st.sampled_from("abcdefg"), max_size=60), st.data())
def test_every_stream_comes_in_its_order_whatever_ends_when(streams: list[str], data: st.DataObject) -> None:
    table = Table()
    backlog = table.backlog()
    going: list[Row] = []
    seen: list[Row] = []
    while streams or table.rows:
        if streams:
            table.put(streams.pop(0), position=len(seen) + len(table.rows) + 1000)
        table.rows.sort()
        backlog.look()
        new = backlog.take(data.draw(st.integers(1, 3)), 100)
        seen += new
        going += new
        assert len({row.stream for row in going}) == len(going)
        if going:
            table.done(going.pop(data.draw(st.integers(0, len(going) - 1))), backlog)
    for stream in "abcdefg":
        mine = [row.position for row in seen if row.stream == stream]
        assert mine == sorted(mine)


# --- the rest -----------------------------------------------------------------------------------------


def test_a_session_in_a_forked_child_is_refused_before_it_does_anything() -> None:
    session = _session.Session(Secret("postgresql://127.0.0.1:1/db"))
    session.start_over()
    with pytest.raises(ForkedOutboxError):
        session.check()
    session.close()
    with pytest.raises(ForkedOutboxError):
        session.read(lambda connection: None)


def test_counters_of_a_forked_child_have_a_lock_of_their_own() -> None:
    totals = _totals.Totals()
    totals.add(Counter(accepted=2))
    totals._lock.acquire()
    totals.start_over()
    assert totals.counts().accepted == 2


def test_without_the_driver_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImportError, match=r'pip install "cxone-wfm-sdk\[postgres\]"'):
        importlib.reload(postgres)

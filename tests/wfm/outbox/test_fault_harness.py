"""The pure parts of the fault harness: the comparison, the disk that forgets, the tables."""

import json
import os
import random
import signal
import socket

import attrs
import pytest
from faults.bugs import BUGS
from faults.disk import ghosts_of
from faults.disk_model import KINDS, SECTOR, Disk, read_calls
from faults.kill import Books
from faults.ledger import Delivery, Receipt, compare, read_receipts
from faults.nursery import Nursery
from faults.proxy import Proxy
from faults.report import Count, Outcome, counts_of, from_json, say, table
from faults.server import LATE, Cxone, Entry, Request, events_of
from faults.teeth import TEETH
from faults.tracing import can_trace, count_calls, inject
from faults.worker import Job, record
from support.threads import PATIENCE

A1, A2, A3, B1 = ("a", 1), ("a", 2), ("a", 3), ("b", 1)


def delivered(*events, told=True, life=0):
    return [Delivery(event, told, life, number) for number, event in enumerate(events)]


# The proxy


def test_the_proxy_goes_on_while_its_target_is_away():
    with socket.create_server(("127.0.0.1", 0)) as target:
        port = target.getsockname()[1]
    with Proxy(port) as proxy:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE) as client:
                assert client.recv(1) == b""


# The server and the workers


def test_what_a_killed_process_had_written_is_of_its_life():
    body = record(A1).to_json()
    lines = ["POST /asc-manager/v1/agent-states HTTP/1.1", f"Content-Length: {len(body)}", "", ""]
    with Cxone(lambda _: "hang") as server:
        for life in range(20):
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall("\r\n".join(lines).encode() + body)
            client.close()  # as the system does for a process that was killed
            server.next_life()
            assert [entry.request.life for entry in server.data()] == [*range(life + 1)]
            assert all(entry.went for entry in server.data())  # nothing of it goes on
            assert server.life == life + 1


def test_an_answer_that_may_have_come_too_late_tells_nothing():
    request = Request(0, 0, "/", b"", b"", (A1,))
    with Cxone() as server:
        server.log += [Entry(request, "", True, True, came=1.0, went=1.0 + late) for late in (0.1, LATE)]
        assert [delivery.told for delivery in server.deliveries()] == [True, False]


@pytest.fixture
def nursery(tmp_path):
    (tmp_path / "nursery").mkdir()
    with Nursery(tmp_path / "nursery") as nursery:
        yield nursery


def job(tmp_path, server, **more):
    receipts = str(tmp_path / "receipts")
    return Job(store=str(tmp_path / "o.db"), url=server.url, receipts=receipts, start={"a": 1}, **more)


def test_a_worker_that_is_told_to_end_at_once_ends_in_order(tmp_path, nursery):
    with Cxone() as server:
        pid = nursery.start(job(tmp_path, server, count=10**6, then="stop"))
        os.kill(pid, signal.SIGTERM)
        assert nursery.ended(PATIENCE) == 0


@pytest.mark.skipif(not can_trace(), reason="needs strace")
def test_a_worker_is_killed_at_the_call_that_was_named(tmp_path, nursery):
    with Cxone() as server:
        made = count_calls(nursery, job(tmp_path, server, count=1), ("sendto", "unlink"), tmp_path / "log")
        assert made["sendto"] > 0
        arrived = len(server.log)
        second = attrs.evolve(job(tmp_path, server, count=1), start={"a": 2})
        assert inject(nursery, second, ("sendto", "1"), "signal=KILL") == -9
        assert len(server.log) == arrived


# The comparison


def test_a_run_in_order_is_clean():
    verdict = compare([A1, A2, B1], delivered(A1, B1, A2))
    assert (verdict.lost, verdict.reordered, verdict.regressions, verdict.repeats) == ([], [], [], 0)
    assert (verdict.accepted, verdict.delivered) == (3, 3)


def test_an_accepted_event_that_neither_arrived_nor_is_kept_is_lost():
    assert compare([A1, A2, B1], delivered(A1), kept={A2}).lost == [B1]


def test_a_first_delivery_after_a_later_one_is_reordered_and_a_regression():
    verdict = compare([A1, A2], delivered(A2, A1))
    assert (verdict.reordered, verdict.regressions) == ([A1], [A1])


def test_an_old_event_that_comes_again_is_a_regression_only():
    verdict = compare([A1, A2], delivered(A1, A2, A1, told=False))
    assert (verdict.reordered, verdict.regressions) == ([], [A1])


def test_a_repeat_is_explained_by_a_lost_answer():
    verdict = compare([A1], [*delivered(A1, told=False), *delivered(A1)])
    assert (verdict.repeats, verdict.unexplained) == (1, [])


def test_a_repeat_after_a_whole_answer_is_not_explained():
    assert compare([A1], delivered(A1, A1)).unexplained == [A1]


def test_a_repeat_in_the_next_life_is_counted_for_the_life_that_was_killed():
    verdict = compare([A1, B1], [*delivered(A1, B1), *delivered(A1, life=1)])
    assert (verdict.unexplained, verdict.repeated_by_kills) == ([], {0: 1})


def test_what_was_refused_may_come_only_if_it_has_a_receipt_too():
    refused = {
        A1: "OutboxUnavailable",
        A2: "OutboxUnavailable",
        A3: "EnqueueOutcomeUnknown",
        B1: "OutboxFull",
    }
    assert ghosts_of(refused, {A1}, delivered(A1, A2, A3)) == [A2]


def test_a_process_goes_on_from_the_first_number_without_a_receipt(tmp_path):
    path = tmp_path / "receipts"
    books = Books(path, ["a", "b", "c"])
    for event in (A1, A2, A1, ("b", 7)):
        with path.open("ab") as file:
            file.write(Receipt(*event, f"id-of-{event[1]}", event[1], duplicate=False).line())
        books.update()
    assert books.start() == {"a": 3, "b": 8, "c": 1}
    assert books.accepted() == {A1, A2, ("b", 7)}
    assert books.changed == []


def test_half_a_line_of_a_killed_writer_is_read_when_it_is_whole(tmp_path):
    path, receipt = tmp_path / "receipts", Receipt("a", 1, "id", 1, duplicate=False)
    assert read_receipts(path) == ([], 0)
    path.write_bytes(receipt.line() + receipt.line()[:5])
    found, end = read_receipts(path)
    assert (found, end) == ([receipt], len(receipt.line()))
    path.write_bytes(receipt.line() * 2)
    assert read_receipts(path, end)[0] == [receipt]


def test_half_a_line_before_the_line_of_the_next_process_is_no_receipt(tmp_path):
    path, receipt = tmp_path / "receipts", Receipt("a", 1, "id", 1, duplicate=False)
    path.write_bytes(receipt.line()[:7] + b"\n" + receipt.line())
    assert read_receipts(path)[0] == [receipt]


def test_events_are_found_in_what_the_library_sends():
    for event in (("agent-7", 12), ("interval-3", 4)):
        assert events_of(record(event).to_json()) == (event,)
    states = [record(A1), record(B1)]
    listed = b'{"agentStateList": [' + b",".join(each.to_json() for each in states) + b"]}"
    assert events_of(listed) == (A1, B1)


def test_every_seeded_bug_has_a_fault_that_must_catch_it():
    assert {tooth.bug for tooth in TEETH} == set(BUGS)


# The disk that forgets


def hexed(text):
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def log(*calls):
    """Lines of strace: ("write", offset, text), ("sync",), ("cut", size), ("unlink",), ("folder",)."""
    file, folder = f"4<{hexed('/d/x')}>", f"5<{hexed('/d')}>"
    lines = [f'openat(AT_FDCWD<{hexed("/")}>, "{hexed("/d/x")}", O_RDWR|O_CREAT, 0600) = {file}']
    for what, *given in calls:
        match what:
            case "write":
                offset, text = given
                lines.append(f'pwrite64({file}, "{hexed(text)}", {len(text)}, {offset}) = {len(text)}')
            case "sync":
                lines.append(f"fdatasync({file}) = 0")
            case "cut":
                lines.append(f"ftruncate({file}, {given[0]}) = 0")
            case "unlink":
                lines.append(f'unlink("{hexed("/d/x")}") = 0')
            case "folder":
                lines.append(f"fsync({folder}) = 0")
    return [f"17 {line}" for line in lines]


def disk_after(*calls):
    disk = Disk("/d")
    for call in read_calls(iter(log(*calls))):
        disk.play(call)
    return disk


def images(disk, kind, times=50):
    chance = random.Random(1)
    return [disk.image(kind, chance) for _ in range(times)]


def image(disk, kind):
    return images(disk, kind, 1)[0]


def test_what_is_synced_with_its_folder_is_in_every_image():
    disk = disk_after(("write", 0, "old"), ("sync",), ("folder",))
    assert [image(disk, kind) for kind in KINDS] == [{"x": b"old"}] * len(KINDS)


def test_a_name_is_safe_only_with_its_folder():
    disk = disk_after(("write", 0, "old"), ("sync",))
    assert (image(disk, "nothing"), image(disk, "nameless"), image(disk, "all")) == ({}, {}, {"x": b"old"})


def test_a_write_is_safe_only_with_its_file():
    disk = disk_after(("folder",), ("write", 0, "new"))
    assert (image(disk, "nothing"), image(disk, "empty")) == ({"x": b""}, {"x": b""})
    assert (image(disk, "all"), image(disk, "nameless")) == ({"x": b"new"}, {"x": b"new"})


def test_what_was_deleted_may_come_back():
    for away, gone in ((("unlink",), {}), (("cut", 0), {"x": b""})):
        disk = disk_after(("write", 0, "old"), ("sync",), ("folder",), away)
        assert image(disk, "resurrected") == image(disk, "nothing") == {"x": b"old"}
        assert image(disk, "all") == gone


def test_a_prefix_holds_the_first_changes_only():
    disk = disk_after(("folder",), ("write", 0, "a"), ("write", 1, "b"), ("write", 2, "c"))
    assert {each["x"] for each in images(disk, "prefix")} == {b"", b"a", b"ab", b"abc"}


def test_a_torn_write_is_torn_at_sectors_and_leaves_zeros():
    disk = disk_after(("folder",), ("write", 10, "n" * (2 * SECTOR)))
    first, second = SECTOR - 10, SECTOR
    seen = {each["x"] for each in images(disk, "torn")}
    assert b"\0" * 10 + b"n" * first in seen
    assert b"\0" * (10 + first) + b"n" * second in seen
    assert {len(each) for each in seen} <= {0, SECTOR, 2 * SECTOR, 2 * SECTOR + 10}


def test_a_write_that_began_before_the_sync_and_ended_after_it_is_not_safe():
    lines = log(("write", 0, "late"), ("sync",), ("folder",))
    written = lines[1]
    begun, rest = written[: written.index(", 0)")] + " <unfinished ...>", ", 0) = 4"
    lines[1:3] = [
        begun,
        lines[2].replace("17 ", "18 ").replace(") = 0", " <unfinished ...>"),
        f"17 <... pwrite64 resumed>{rest}",
        "18 <... fdatasync resumed>) = 0",
    ]
    disk = Disk("/d")
    for call in read_calls(iter(lines)):
        disk.play(call)
    assert (image(disk, "nothing"), image(disk, "all")) == ({"x": b""}, {"x": b"late"})


def test_a_call_that_failed_did_nothing():
    lines = [line.replace("= 3", "= -1 EIO (Input/output error)") for line in log(("write", 0, "new"))]
    assert [call.name for call in read_calls(iter(lines))] == ["openat"]


# The tables


def test_the_exit_code_and_the_table_tell_a_broken_promise(capsys):
    good, bad = Outcome(fault="one", done={"kills": 3}), Outcome(fault="two", lost=1)
    bad.expect(False, "it sank")
    assert (say([good], as_json=False), say([good, bad], as_json=False)) == (0, 1)
    said = capsys.readouterr().out
    assert "3 kills" in said
    assert "BROKEN" in said
    assert "two: it sank" in said
    assert "BROKEN" not in table([good])


@pytest.mark.parametrize("name", ["lost", "reordered", "regressions", "corrupt"])
def test_each_count_alone_breaks_the_promise(name):
    assert not Outcome(fault="f", **{name: 1}).good


def test_json_can_be_read_back(capsys):
    outcomes = [Outcome(fault="one", done={"kills": 3}, problems=["it sank"])]
    say(outcomes, as_json=True)
    said = capsys.readouterr().out
    assert from_json(said) == outcomes
    assert json.loads(said)[0]["good"] is False
    assert from_json("no JSON") == []


def test_each_tier_has_its_numbers():
    counts = {"cycles": Count(6, 100, "SIGKILLs")}
    assert (counts_of(counts, full=False), counts_of(counts, full=True)) == ({"cycles": 6}, {"cycles": 100})

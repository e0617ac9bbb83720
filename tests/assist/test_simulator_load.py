"""The promises of ``cxone-assist load``: what was sent, lost and late is told, and the ceiling is found."""

import json
import os
import socket
import ssl

import pytest
import trustme
from support.assist_endpoint import endpoint
from support.assist_sockets import Log, eventually
from support.assist_wire import CONNECTED
from support.threads import Background

from cxone_assist import StaticTokens
from cxone_assist.server import Limits, Server, allow_all
from cxone_assist.simulator import _measured
from cxone_assist.simulator import load as load_module
from cxone_assist.simulator._line import Line
from cxone_assist.simulator.load import (
    LoadError,
    LoadReport,
    OtherEndpoint,
    find_ceiling,
    load,
    percentile,
)
from cxone_assist.testing import init_message


def tls():
    """Return the two ends' contexts."""
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    return server_side, client_side


def line_over(sock):
    """Return a line over a socket of the test's own."""
    line = Line.__new__(Line)
    line._sock = sock
    line._rest = b""
    line.listen = lambda: True
    return line


def test_every_frame_that_was_sent_arrives():
    heard = []
    with Server(
        authorize=allow_all, on_audio=lambda stream, ulaw, _: heard.append(ulaw), inline=True
    ) as server:
        report = load(server.url, streams=3, seconds=0.2)
    assert (report.sent, report.blocked, report.lost_streams, report.clean) == (30, 0, 0, True)
    assert {len(ulaw) for ulaw in heard} == {160}
    assert len(heard) == 30
    assert 0 < report.handshake_p50 <= report.handshake_p99
    assert report.generator_cpu > 0


def test_a_load_goes_over_tls_and_trusts_only_whom_it_is_told_to():
    server_side, client_side = tls()
    with Server(authorize=allow_all, ssl=server_side) as server:
        assert load(server.url, streams=2, seconds=0.2, ssl=client_side).clean
        with pytest.raises(ssl.SSLCertVerificationError):
            load(server.url, streams=1, seconds=0.1)


def test_load_tells_what_was_lost(monkeypatch):
    monkeypatch.setattr(load_module, "_LISTEN_EVERY", 1)

    def leaves(websocket):
        websocket.recv()
        websocket.send(CONNECTED)

    with endpoint(leaves) as url:
        report = load(url, streams=2, seconds=0.3)
    assert report.lost_streams == 2
    assert not report.clean


def test_load_says_why_it_cannot_be_put_on():
    with Server(authorize=StaticTokens("right")) as server:
        with pytest.raises(LoadError, match="did not accept"):
            load(server.url, streams=1, seconds=0.1)


@pytest.mark.parametrize(
    ("reply", "why"),
    [(b"", "closed a socket"), (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "no websocket")],
)
def test_load_of_what_is_no_websocket_is_told(reply, why):
    def answer():
        peer, _ = listening.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        answered = Background(answer)
        with pytest.raises(LoadError, match=why):
            load(f"ws://127.0.0.1:{listening.getsockname()[1]}/", streams=1, seconds=0.1)
        answered.outcome()


# --- one line ----------------------------------------------------------------------------------


@pytest.mark.parametrize("over_tls", [False, True])
def test_what_the_network_takes_in_parts_arrives_whole_and_in_order(over_tls):
    """The other end of a socket pair, whose buffers are small, reads nothing until a frame is refused."""
    ours, theirs = socket.socketpair()
    if over_tls:
        server_side, client_side = tls()
        accepted = Background(lambda: server_side.wrap_socket(theirs, server_side=True))
        ours = client_side.wrap_socket(ours, server_hostname="localhost")
        theirs = accepted.outcome()
    with theirs, ours:
        ours.setblocking(False)
        line = line_over(ours)
        frames = [number.to_bytes(4, "big") * 2500 for number in range(1000)]
        taken = next(number for number, frame in enumerate(frames) if not line.send(frame))
        assert taken > 0
        expected = b"".join(frames[:taken]) + b"end"

        def read():
            data = bytearray()
            while len(data) < len(expected):
                data += theirs.recv(65536)
            return bytes(data)

        reading = Background(read)
        eventually(lambda: line.send(b"end"))
        eventually(lambda: line.send(b"") and not line._rest)
        assert reading.outcome() == expected


def test_frames_that_an_endpoint_does_not_read_are_counted_as_blocked():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        report = LoadReport(1, 0.0)
        line = line_over(ours)
        generator = load_module._Generator([line], report)
        while not report.blocked:
            assert generator._send(line, 1)
        assert report.sent > 0


def test_a_line_whose_socket_is_broken_is_a_lost_stream():
    line = Line.__new__(Line)
    line._sock = socket.socket()
    line._rest = b""
    line._sock.close()
    report = LoadReport(1, 0.0)
    assert load_module._Generator([line], report)._send(line, 1) is False
    assert line.listen() is False
    assert line._answer(b"pong") is False
    assert (report.sent, report.blocked) == (0, 0)


def test_pings_are_answered_while_a_load_is_on(monkeypatch):
    monkeypatch.setattr(load_module, "_LISTEN_EVERY", 2)
    with Server(authorize=allow_all, limits=Limits(ping_seconds=0.1, idle_seconds=5)) as server:
        assert load(server.url, streams=1, seconds=0.3).clean


def test_a_ping_before_the_answer_is_answered_and_taken_for_none():
    pongs = []

    def pings(websocket):
        websocket.recv()
        pongs.append(websocket.ping().wait(5))
        websocket.send(CONNECTED)
        for _ in websocket:
            pass

    with endpoint(pings) as url:
        assert load(url, streams=1, seconds=0.1).clean
    assert pongs == [True]


# --- the ceiling, and the endpoint that measures -----------------------------------------------


def test_the_ramp_ends_with_the_first_run_that_is_not_clean():
    class Endpoint:
        def load(self, *, streams, seconds):
            return LoadReport(streams, seconds, blocked=int(streams > 7))

    reports = list(find_ceiling(Endpoint(), start=2, step=3, seconds=1.0))
    assert [(report.streams, report.clean) for report in reports] == [(2, True), (5, True), (8, False)]


def test_somebody_s_endpoint_is_loaded_with_the_message_and_the_tls_that_it_needs():
    server_side, client_side = tls()
    came = Log()
    with Server(authorize=StaticTokens("t"), on_start=came, ssl=server_side) as server:
        other = OtherEndpoint(server.url, init_message(authentication_token="t"), client_side)
        report = other.load(streams=2, seconds=0.1)
        streams = came.wait(lambda items: len(items) == 2)
    assert (report.sent, report.endpoint) == (10, {})
    assert len({stream.contact_id for stream in streams}) == 2


@pytest.mark.parametrize(
    ("seen", "clean"),
    [
        ({}, True),
        ({"frames": 10, "late": 0}, True),
        ({"frames": 9}, False),
        ({"frames": 10, "late": 1}, False),
    ],
)
def test_a_load_is_clean_where_all_arrived_and_none_was_late(seen, clean):
    assert LoadReport(1, 1.0, sent=10, endpoint=seen).clean is clean


def test_a_percentile_of_nothing_is_zero():
    assert percentile([], 0.5) == 0
    assert percentile([1, 2, 3, 4], 0.5) == 3


def test_the_measured_endpoint_measures_and_records(tmp_path):
    answers = []

    def questions():
        yield "\n"
        load(answers[0]["url"], streams=2, seconds=0.3)
        yield "\n"

    options = [f"--record={tmp_path}"]
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    options += [] if before is None else [f"--core={min(before)}"]
    try:
        _measured.main(options, questions(), lambda answer: answers.append(json.loads(answer)))
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
    assert answers[1]["frames"] == 30
    assert 0 < answers[1]["measured"] < 30
    assert 0 < answers[1]["p50"] <= answers[1]["p99"] <= answers[1]["worst"] < 5
    assert answers[1]["cpu"] > 0
    assert 5 < answers[1]["megabytes"] < 5000
    assert len(list(tmp_path.glob("*.wav"))) == 2


def test_the_measured_endpoint_runs_on_any_core_unless_it_is_given_one(monkeypatch):
    answers = []
    monkeypatch.setattr(os, "sched_setaffinity", None, raising=False)
    _measured.main([], ["\n"], lambda answer: answers.append(json.loads(answer)))
    assert answers[0]["frames"] == 0

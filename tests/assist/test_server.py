"""The promises of the server, over real sockets, with either websocket library."""

import gc
import importlib
import json
import logging
import math
import socket
import ssl
import struct
import sys
import threading
import time
from contextlib import ExitStack, suppress

import pytest
import trustme
from support.assist_sockets import Log, RawPeer, eventually, frame
from support.assist_wire import CONNECTED, NEGOTIATED_CONNECTED, NEGOTIATED_INIT, init

from cxone_assist import LocalProtocolError, StaticTokens, StreamPerspective
from cxone_assist.call_events import (
    CallEnded,
    CallResumed,
    CallStarted,
    CallSuspended,
    Signal,
    SignalReceived,
    StreamRecovered,
    StreamStalled,
)
from cxone_assist.server import Limits, Request, Server, Stream, StreamStats, _server, allow_all
from cxone_assist.server._delivery import Callbacks, Delivery
from cxone_assist.server._fragments import Fragments, MalformedMessage
from cxone_assist.server._websockets import _Connection
from cxone_assist.testing import init_message

ERROR = {"command": "ERROR", "messageType": "COMMAND"}


@pytest.fixture(params=["picows", "websockets"], autouse=True)
def library(request, monkeypatch):
    """Run each test with both; without picows there is no uvloop either."""
    if request.param == "websockets":
        monkeypatch.setitem(sys.modules, "cxone_assist.server._picows", None)
        monkeypatch.setitem(sys.modules, "uvloop", None)
    return request.param


@pytest.fixture(autouse=True)
def short_ticks(monkeypatch):
    """Let the server look at its clock often: what a test waits for comes soon."""
    monkeypatch.setattr("cxone_assist.server._hub._TICK_SECONDS", 0.005)


class Clock:
    """A clock that a test moves, so that no time but its own passes for the server."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=[False, True], ids=["threads", "inline"])
def inline(request):
    return request.param


def serving(**options):
    return Server(**({"authorize": allow_all} | options))


def stream(server, *, tls=None, **keys):
    """Return a peer whose stream was accepted."""
    peer = RawPeer(server.port, tls=tls)
    peer.text(init(**keys))
    assert peer.read_text() == CONNECTED
    return peer


def tls_contexts():
    """Return what a server and its peer take for TLS."""
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    return server_side, client_side


def only(server):
    """Return the one stream that is open; its peer may know that before the server's list does."""
    return eventually(lambda: server.streams)[0]


def info(contact, bus=7):
    return {"executionInfo": {"contactId": contact, "busNo": bus}}


# --- the handshake -----------------------------------------------------------------------------


def test_the_library_at_work_is_told(library):
    with serving() as server:
        assert server.library == library
        assert server.url == f"ws://127.0.0.1:{server.port}/"


def test_the_page_s_handshake_is_answered_as_the_page_prints_it():
    with serving() as server, RawPeer(server.port) as peer:
        peer.text(init())
        assert peer.read_text() == CONNECTED


def test_the_negotiated_dialect_is_answered_in_kind():
    with serving() as server, RawPeer(server.port) as peer:
        peer.text(json.dumps(NEGOTIATED_INIT))
        assert json.loads(peer.read_text()) == NEGOTIATED_CONNECTED


def test_connected_goes_out_before_a_slow_on_start_and_its_audio_is_kept(inline):
    go, heard = threading.Event(), Log()

    def on_start(_stream):
        assert go.wait(5)

    with serving(on_start=on_start, on_audio=lambda _s, ulaw, at: heard(ulaw, at), inline=inline) as server:
        with stream(server, **info(1)) as peer, stream(server, **info(2)):
            peer.audio(b"a" * 160)
            peer.audio(b"b" * 160)
            eventually(lambda: sum(s.stats.frames for s in server.streams) == 2)
            assert not heard.items
            go.set()
            assert heard.wait(lambda items: len(items) == 2) == [(b"a" * 160, 0), (b"b" * 160, 160)]
            peer.audio(b"c" * 80)
            assert heard.wait(lambda items: len(items) == 3)[2] == (b"c" * 80, 320)


def test_a_stream_is_started_heard_and_ended_in_this_order(inline):
    log = Log()
    with serving(
        on_start=lambda s: log("start", s.contact_id, s.bus_no, s.perspective),
        on_audio=lambda _s, _ulaw, position: log("audio", position),
        on_end=lambda s: log("end", s.stats.samples, s.open),
        inline=inline,
    ) as server:
        with stream(server, **info(5)) as peer:
            for _ in range(3):
                peer.audio(b"\xff" * 100)
            log.wait(lambda items: len(items) == 4)
            peer.send(frame(8, struct.pack(">H", 1000)))
            assert peer.read_close()[0] == 1000
        log.wait(lambda items: len(items) == 5)
    assert log.items == [
        ("start", 5, 7, StreamPerspective.TX),
        *[("audio", position) for position in (0, 100, 200)],
        ("end", 300, False),
    ]


def test_callbacks_may_be_left_out(inline):
    ended = Log()
    with serving(on_end=ended, inline=inline) as server:
        with stream(server) as peer:
            peer.audio(b"x")
            eventually(lambda: server.streams and server.streams[0].stats.frames == 1)
        ended.wait(len)
    with serving(on_start=ended, inline=inline) as server, stream(server) as peer:
        ended.wait(lambda items: len(items) == 2)
        peer.audio(b"x")
        eventually(lambda: server.streams and server.streams[0].stats.frames == 1)


def test_the_request_is_told_and_its_secrets_are_hidden():
    asked = Log()

    def authorize(message, request):
        asked(message, request)
        return True

    with serving(authorize=authorize) as server:
        stream(server).sock.close()
    ((message, request),) = asked.items
    assert message.authentication_token == "s3cret"
    assert (request.path, request.query, request.address) == ("/audio", "token=query-secret", "127.0.0.1")
    assert request.headers["x-tenant"] == "t1"
    assert "secret" not in repr(request)
    assert Request(path="/").query == ""


# --- who may stream ----------------------------------------------------------------------------


def refused(server, text=None):
    """Return the reason in ERROR, and the close code."""
    with RawPeer(server.port) as peer:
        peer.text(text or init())
        reply = json.loads(peer.read_text())
        assert ERROR.items() <= reply.items()
        return reply["message"], peer.read_close()[0]


def test_a_wrong_token_is_refused_by_error_and_3000_and_no_callback_hears_of_it():
    log = Log()
    with serving(authorize=StaticTokens("right"), on_start=log, on_audio=log, on_end=log) as server:
        assert refused(server) == ("unauthorized", 3000)
        with stream(server, authenticationToken="Bearer right"):
            log.wait(len)
    assert len(log.wait(lambda items: len(items) == 2)) == 2  # the good one's start and end


@pytest.mark.parametrize("verdict", [False, None, 1, "yes"])
def test_only_true_lets_a_stream_in(verdict):
    with serving(authorize=lambda _init, _request: verdict) as server:
        assert refused(server) == ("unauthorized", 3000)


def test_an_authorize_that_raises_refuses_and_is_logged(caplog):
    def authorize(_init, _request):
        raise RuntimeError("database is down")

    with serving(authorize=authorize) as server:
        assert refused(server) == ("unauthorized", 3000)
        assert refused(server) == ("unauthorized", 3000)
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == [
        "authorize raised; the stream is refused"
    ] * 2
    assert "s3cret" not in caplog.text


def test_an_authorize_that_blocks_refuses_in_time_and_holds_nobody_up(clock):
    asked, go = threading.Event(), threading.Event()

    def authorize(message, _request):
        if message.execution_info.contact_id == 2:
            asked.set()
            assert go.wait(10)
        return True

    with serving(authorize=authorize, clock=clock, limits=Limits(authorize_seconds=2)) as server:
        with RawPeer(server.port) as slow:
            slow.text(init(**info(2)))
            assert asked.wait(5)
            with stream(server, **info(1)):
                clock.advance(2)
                assert json.loads(slow.read_text())["message"] == "the authorization took too long"
                assert slow.read_close()[0] == 3000
                go.set()  # the late yes changes nothing
                assert slow.gone()
                eventually(lambda: len(server.streams) == 1)


def test_a_peer_that_leaves_while_it_is_authorized_leaves_nothing():
    asked, go, log = threading.Event(), threading.Event(), Log()

    def authorize(_init, _request):
        asked.set()
        return go.wait(5)

    with serving(authorize=authorize, on_start=log, on_call=log) as server:
        peer = RawPeer(server.port)
        peer.text(init())
        assert asked.wait(5)
        peer.reset()
        eventually(lambda: not server._hub._sessions)
        go.set()
        stream(server).sock.close()
        log.wait(lambda items: any(isinstance(item, CallStarted) for item in items))
    assert sum(isinstance(item, CallStarted) for item in log.items) == 1


# --- peers that misbehave ----------------------------------------------------------------------


def test_a_peer_without_an_initialize_message_is_closed_in_time(clock):
    with serving(clock=clock, limits=Limits(init_seconds=5)) as server, RawPeer(server.port) as peer:
        peer.send(frame(9, b"?"))
        assert peer.read() == (10, b"?")
        clock.advance(4.9)
        peer.send(frame(9, b"?"))
        assert peer.read() == (10, b"?")
        clock.advance(0.1)
        assert "first message" in json.loads(peer.read_text())["message"]
        assert peer.read_close()[0] == 1008


def test_a_peer_that_asks_for_no_websocket_is_cut_in_time():
    with serving(limits=Limits(init_seconds=0.1)) as server:
        with RawPeer(server.port, upgrade=False) as silent:
            assert silent.gone()


@pytest.mark.parametrize("text", ["hello", "[1]", '{"a":1}', ""])
def test_another_first_text_is_refused_with_1008(text):
    with serving() as server, RawPeer(server.port) as peer:
        peer.text(text)
        assert ERROR.items() <= json.loads(peer.read_text()).items()
        assert peer.read_close()[0] == 1008


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(1, b"\xff\xfe")], 1007),
        ([frame(2, b"a" * 65537)], 1009),
        ([frame(2, b"a" * 40000, fin=False), frame(0, b"a" * 40000)], 1009),
        ([frame(0, b"a")], 1002),
        ([frame(2, b"a", fin=False), frame(2, b"b")], 1002),
        ([frame(2, b"a", masked=False)], 1002),
        ([frame(2, b"a", rsv=4)], 1002),
        ([frame(3, b"a")], 1002),
        ([frame(9, b"", fin=False)], 1002),
    ],
    ids=["utf-8", "size", "sum", "continuation", "interleaved", "unmasked", "reserved", "opcode", "ping"],
)
def test_broken_frames_close_the_stream_with_their_code_and_the_server_lives(frames, code):
    ended = Log()
    with serving(on_end=ended) as server:
        with stream(server) as peer:
            peer.send(*frames)
            assert peer.read_close()[0] == code
            assert peer.gone()
        ended.wait(len)
        stream(server).sock.close()


def test_the_close_reaches_a_peer_that_goes_on_sending():
    """A socket that is closed on what was not read would be reset, and the peer's kernel forget the close."""
    ended = Log()
    with serving(on_end=ended) as server, stream(server) as peer:
        peer.send(frame(2, b"a" * 65537))
        ended.wait(len)  # the server has closed its half by now
        for _ in range(100):
            peer.audio(b"a" * 160)
        assert peer.read_close()[0] == 1009
        assert peer.gone()
    with serving() as server, RawPeer(server.port, upgrade=False) as peer:
        peer.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peer.until(b"\r\n").startswith(b"HTTP/1.1 4")


def test_a_peer_that_keeps_its_half_open_is_cut_in_time():
    with serving(limits=Limits(close_seconds=0.05)) as server, stream(server) as peer:
        peer.send(frame(2, b"a", masked=False))
        assert peer.read()[0] == 8
        eventually(lambda: not server.streams and not server._hub.half_closed._open)


def test_a_peer_that_resets_its_half_leaves_nothing():
    ended = Log()
    with serving(on_end=ended) as server:
        peer = stream(server)
        peer.send(frame(2, b"a", masked=False))
        ended.wait(len)
        peer.reset()
        eventually(lambda: not server._hub.half_closed._open)


def test_what_comes_after_a_message_that_is_too_large_is_not_kept():
    fragments = Fragments(1000)
    with suppress(MalformedMessage):
        fragments.add(2, b"a" * 900, fin=False)
    for _ in range(3):
        with pytest.raises(MalformedMessage, match="at most 1000 bytes"):
            fragments.add(0, b"a" * 900, fin=False)
    assert not fragments._parts


def test_endless_empty_fragments_are_cut_off():
    with serving(limits=Limits(message_bytes=1000)) as server, stream(server) as peer:
        peer.send(frame(2, b"", fin=False), *[frame(0, b"", fin=False)] * 1001)
        assert peer.read_close()[0] == 1009


def test_what_is_odd_but_harmless_is_counted_and_the_stream_lives(inline):
    heard = Log()
    with serving(on_audio=lambda _s, ulaw, at: heard(ulaw, at), inline=inline) as server:
        with RawPeer(server.port) as peer:
            peer.audio(b"early")
            text = init().encode()
            peer.send(frame(1, text[:20], fin=False), frame(9, b"ping"), frame(0, text[20:]))
            assert peer.read() == (10, b"ping")
            assert peer.read_text() == CONNECTED
            peer.text(init())
            peer.text('{"eof":1}')
            peer.send(frame(10, b"unasked"))
            peer.send(frame(2, b"12", fin=False), frame(0, b"34", fin=False), frame(0, b"5"))
            peer.audio(b"")
            peer.audio(b"6" * 65536)
            assert heard.wait(lambda items: len(items) == 3) == [(b"12345", 0), (b"", 5), (b"6" * 65536, 5)]
            assert server.streams[0].stats.violations == 2


def test_an_initialize_message_and_audio_in_one_segment_are_told_apart():
    heard = Log()
    with serving(on_audio=lambda _s, ulaw, _at: heard(ulaw), inline=True) as server:
        with RawPeer(server.port) as peer:
            peer.send(frame(1, init().encode()), frame(2, b"first"), frame(2, b"second"))
            assert peer.read_text() == CONNECTED
            assert heard.wait(lambda items: len(items) == 2) == [b"first", b"second"]


def test_no_websocket_request_gets_an_http_answer_and_leaves_nothing():
    with serving() as server:
        with RawPeer(server.port, upgrade=False) as peer:
            peer.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.until(b"\r\n").startswith(b"HTTP/1.1 4")
        with RawPeer(server.port, upgrade=False) as peer:
            peer.sock.sendall(b"\x16\x03\x01\r\n\r\n")
            peer.gone()
        stream(server).sock.close()


def test_a_probe_that_opens_and_leaves_is_no_call():
    events = Log()
    with serving(on_call=events) as server:
        RawPeer(server.port).reset()
        with RawPeer(server.port) as peer:
            peer.send(frame(8))
            assert peer.read_close()[0] in (1000, 1005)
        with RawPeer(server.port) as polite:
            polite.send(frame(8, struct.pack(">H", 3001) + b"bye"))
            assert polite.read_close()[0] == 3001
    assert not events.items


# --- slow and broken callbacks -----------------------------------------------------------------


def test_a_callback_that_blocks_sheds_the_oldest_of_its_own_and_holds_no_other_stream_up():
    go, heard, others = threading.Event(), Log(), Log()

    def on_audio(this, _ulaw, position):
        if this.contact_id == 1:
            assert go.wait(10)
            heard(position)
        else:
            others(position)

    with serving(on_audio=on_audio, limits=Limits(buffer_seconds=0.1)) as server:
        with stream(server, **info(1)) as slow, stream(server, **info(2)) as fast:
            for number in range(50):
                slow.audio(b"s" * 160)
                fast.audio(b"f" * 160)
                others.wait(lambda items, number=number: len(items) == number + 1)
            (stats,) = [s.stats for s in server.streams if s.contact_id == 1]
            eventually(lambda: stats.frames == 50)
            go.set()
            kept = heard.wait(lambda items: 49 * 160 in items)
            assert kept[-5:] == [position * 160 for position in range(45, 50)]
            assert stats.dropped_frames == 50 - len(kept) > 40
            assert stats.dropped_samples == stats.dropped_frames * 160


def test_a_buffer_without_a_limit_drops_nothing():
    go, heard = threading.Event(), Log()
    limits = Limits(buffer_seconds=math.inf)
    with (
        serving(limits=limits, on_audio=lambda *_: go.wait(5) and heard(1)) as server,
        stream(server) as peer,
    ):
        for _ in range(20):
            peer.audio(b"a" * 60_000)  # 150 seconds
        eventually(lambda: only(server).stats.frames == 20)
        go.set()
        heard.wait(lambda items: len(items) == 20)


def test_a_callback_that_raises_is_logged_once_for_its_stream_and_the_stream_lives(inline, caplog):
    heard = Log()

    def broken(this, *_):
        heard(this.contact_id)
        raise ValueError("broken")

    with serving(on_start=broken, on_audio=broken, on_end=broken, inline=inline) as server:
        with stream(server, **info(1)) as peer:
            for _ in range(3):
                peer.audio(b"\xff" * 160)
            heard.wait(lambda items: len(items) == 4)
            one = only(server)
        heard.wait(lambda items: len(items) == 5)
        eventually(lambda: one.stats.errors == 5)
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == [
        "on_start raised on <Stream TX of contact 1, business unit 7>; the stream goes on, and more of its"
        " errors are only counted"
    ]


def test_an_on_call_that_raises_is_logged_once(inline, caplog):
    def broken(_event):
        raise ValueError("broken")

    with serving(on_call=broken, inline=inline) as server:
        stream(server).sock.close()
        eventually(lambda: not server.streams)
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == [
        "on_call raised; more of its errors are only counted"
    ]


def test_an_on_call_that_blocks_holds_no_stream_up(monkeypatch, caplog):
    monkeypatch.setattr("cxone_assist.server._delivery._MOST_CALL_EVENTS", 3)
    go, heard = threading.Event(), Log()
    with serving(on_call=lambda _event: go.wait(10), on_audio=lambda *_: heard(1)) as server:
        for contact in range(4):
            with stream(server, **info(contact)) as peer:
                peer.audio(b"x")
                heard.wait(lambda items, contact=contact: len(items) == contact + 1)
        eventually(lambda: "on_call is too slow" in caplog.text)
        go.set()


def test_a_callback_that_never_returns_does_not_keep_the_server_from_closing():
    go = threading.Event()
    server = serving(
        on_call=lambda _event: go.wait(10),
        on_end=lambda _stream: go.wait(10),
        limits=Limits(close_seconds=0.1),
    )
    with server:
        stream(server).sock.close()
    assert not go.is_set()
    go.set()


# --- what a stream can do ----------------------------------------------------------------------


def test_a_stream_sends_messages_from_any_thread():
    with serving(
        on_start=lambda s: s.send_message("TRANSCRIPT", "hello", parameters={"final": True})
    ) as server:
        with stream(server) as peer:
            assert json.loads(peer.read_text()) == {
                "command": "MESSAGE",
                "messageType": "TRANSCRIPT",
                "message": "hello",
                "parameters": {"final": True},
            }
            one = only(server)
            one.send_message("A", "b")
            assert json.loads(peer.read_text())["messageType"] == "A"
            eventually(lambda: one.stats.messages_sent == 2)
            with pytest.raises(LocalProtocolError, match="JSON"):
                one.send_message("A", "b", parameters=object())
        eventually(lambda: not one.open)
        with pytest.raises(LocalProtocolError, match="closed"):
            one.send_message("A", "b")


def test_a_stream_closes_its_socket_and_hears_nothing_more():
    heard = Log()
    with serving(on_audio=lambda *_: heard(1), inline=True) as server, stream(server) as peer:
        one = only(server)
        one.close(4000, "enough")
        one.close(1000)
        one._session.send("never sent")
        opcode, payload = peer.read()
        assert (opcode, payload) == (8, struct.pack(">H", 4000) + b"enough")
        peer.audio(b"late")
        peer.send(frame(8, payload[:2]))
        assert peer.gone()
    assert not heard.items
    one.close()  # the server is gone, and nothing happens


@pytest.mark.parametrize("reason", ["x" * 123, "ä" * 61])
def test_the_longest_reason_of_a_close_is_sent_whole(reason):
    with serving() as server, stream(server) as peer:
        only(server).close(3000, reason)
        assert peer.read_close() == (3000, reason)


@pytest.mark.parametrize(("code", "reason"), [(999, ""), (1005, ""), (5000, ""), (1000, "ä" * 62)])
def test_a_close_that_cannot_be_sent_is_refused(code, reason):
    with serving() as server, stream(server):
        one = only(server)
        with pytest.raises(ValueError, match="close"):
            one.close(code, reason)


def test_a_peer_that_does_not_answer_a_close_is_cut_in_time(clock):
    with serving(clock=clock, limits=Limits(close_seconds=5)) as server, stream(server) as peer:
        clock.advance(19)
        only(server).close()
        assert peer.read()[0] == 8
        clock.advance(4.9)  # a ping was due, but none is sent behind a close
        eventually(lambda: server._hub._deadlines.next() > clock.now)
        assert len(server.streams) == 1
        clock.advance(0.1)
        with pytest.raises((EOFError, ConnectionError)):
            peer.read()


def test_a_stream_that_is_closed_after_its_socket_has_gone_leaves_nothing(clock):
    with serving(clock=clock) as server:
        with stream(server):
            one, hub = only(server), server._hub
        eventually(lambda: not one.open)
        one.close()
        with stream(server):  # the server has seen the close by now
            assert len(hub._deadlines._times) == 1


def test_a_peer_that_does_not_read_is_cut_and_memory_stays_bounded():
    with serving(limits=Limits(unsent_bytes=100_000)) as server:
        peer = stream(server)
        one = only(server)
        for _ in range(400):
            if not one.open:
                break
            one.send_message("BIG", "x" * 60_000)
            time.sleep(0)
        eventually(lambda: not one.open)
        peer.sock.close()


def test_a_peer_that_reads_late_is_kept_as_long_as_what_waits_is_within_the_limit():
    with serving(limits=Limits(unsent_bytes=32 << 20)) as server, stream(server) as peer:
        one = only(server)
        for _ in range(260):  # 16 MB: more than the kernel takes
            one.send_message("BIG", "x" * 60_000)
        eventually(lambda: one.stats.messages_sent == 260)
        assert all("x" * 60_000 in peer.read_text() for _ in range(260))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_peer_that_pings_and_does_not_read_the_pongs_is_cut(tls):
    server_side, client_side = tls_contexts() if tls else (None, None)
    with serving(ssl=server_side, limits=Limits(unsent_bytes=100_000)) as server:
        with stream(server, tls=client_side) as peer, suppress(OSError):
            one = only(server)
            while one.open:
                peer.send(*[frame(9, b"?" * 125)] * 1000)
        eventually(lambda: not server.streams)


# --- the clock ---------------------------------------------------------------------------------


def test_a_ping_is_sent_every_20_seconds_and_a_pong_that_does_not_come_closes_nothing(clock):
    with serving(clock=clock) as server, stream(server) as peer:
        for _ in range(3):
            clock.advance(19.9)
            peer.send(frame(9, b"?"))
            assert peer.read() == (10, b"?")  # and no ping before
            clock.advance(0.1)
            assert peer.read()[0] == 9
        clock.advance(3600)
        assert peer.read()[0] == 9
        assert len(server.streams) == 1


def test_a_silent_peer_is_cut_only_where_that_is_asked_for_and_any_byte_counts(clock):
    with serving(clock=clock, limits=Limits(idle_seconds=60, ping_seconds=1000)) as server:
        with (
            stream(server, **info(1)) as silent,
            stream(server, **info(2)) as ponging,
            stream(server, **info(4)) as pinging,
            stream(server, **info(3)) as speaking,
        ):
            for number in range(1, 12):
                clock.advance(6)
                ponging.send(frame(10))
                pinging.send(frame(9, b"?"))
                assert pinging.read() == (10, b"?")
                speaking.audio(b"x")
                eventually(
                    lambda number=number: any(
                        s.stats.frames == number for s in server.streams if s.contact_id == 3
                    )
                )
                eventually(lambda: server._hub._deadlines.next() > clock.now)
                if number == 9:
                    assert len(server.streams) == 4
            assert silent.gone()
            eventually(lambda: {s.contact_id for s in server.streams} == {2, 3, 4})


# --- limits ------------------------------------------------------------------------------------


def test_streams_beyond_the_limit_are_turned_away_with_1013():
    with serving(limits=Limits(streams=1)) as server:
        with stream(server), RawPeer(server.port) as second:
            assert second.read_close() == (1013, "too many streams")
        eventually(lambda: not server.streams)
        stream(server).sock.close()


def test_streams_of_one_address_beyond_the_limit_are_turned_away():
    with serving(limits=Limits(streams_per_address=1)) as server:
        with stream(server), RawPeer(server.port) as second:
            assert second.read_close() == (1013, "too many streams from this address")


def test_a_call_has_at_most_four_perspectives_and_one_stream_of_each():
    with serving() as server, ExitStack() as stack:
        first, *_ = [
            stack.enter_context(stream(server, **info(1), streamPerspective=perspective))
            for perspective in ("TX", "RX", "MIX", "other")
        ]
        reason, code = refused(server, init(**info(1), streamPerspective="fifth"))
        assert (reason, code) == ("the call has as many perspectives as allowed", 1013)
        stack.enter_context(stream(server, **info(1), streamPerspective="TX"))
        assert first.read_close() == (1000, "a newer stream took its place")
        eventually(lambda: len(server.streams) == 4)


@pytest.mark.parametrize("name", ["streams", "init_seconds", "idle_seconds"])
def test_a_limit_that_cannot_be_meant_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be more than 0"):
        Limits(**{name: 0})


# --- calls -------------------------------------------------------------------------------------


def test_two_sockets_are_one_call_and_a_hold_resumes_it(inline):
    events = Log()
    with serving(on_call=events, inline=inline) as server:
        with stream(server, **info(1)) as contact, stream(server, **info(1), streamPerspective="RX"):
            contact.audio(b"\xff" * 160)
            eventually(lambda: sum(s.stats.frames for s in server.streams) == 1)
        events.wait(lambda items: any(isinstance(item, CallSuspended) for item in items))
        with stream(server, **info(1)):
            events.wait(lambda items: any(isinstance(item, CallResumed) for item in items))
            server.signal(7, 1, Signal.END)
            events.wait(lambda items: any(isinstance(item, SignalReceived) for item in items))
    assert sum(isinstance(item, CallStarted) for item in events.items) == 1
    assert isinstance(events.items[-1], CallEnded)
    assert {item.call.contact_id for item in events.items} == {1}


def test_a_stream_that_stalls_and_goes_on_is_told(clock):
    events = Log()
    with serving(on_call=events, clock=clock) as server, stream(server) as peer:
        peer.audio(b"\xff" * 160)
        eventually(lambda: only(server).stats.frames == 1)
        clock.advance(3)
        events.wait(lambda items: any(isinstance(item, StreamStalled) for item in items))
        peer.audio(b"\xff" * 160)
        events.wait(lambda items: any(isinstance(item, StreamRecovered) for item in items))


def test_a_newer_stream_of_the_same_side_takes_the_older_one_s_place():
    with serving(on_call=lambda _event: None, inline=True) as server:
        with stream(server, **info(1)) as old, stream(server, **info(1)):
            assert old.read_close() == (1000, "a newer stream took its place")
            eventually(lambda: len(server.streams) == 1)


# --- the end -----------------------------------------------------------------------------------


def closing(server, *arguments):
    """Close a server in another thread, and return that once the server knows."""
    hub = server._hub
    thread = threading.Thread(target=server.close, args=arguments)
    thread.start()
    eventually(lambda: hub._drained_by is not None)
    return thread


def test_draining_refuses_new_calls_takes_running_ones_back_and_then_closes_with_1001(clock):
    server = serving(clock=clock)
    server.start()
    running, leaving = stream(server, **info(1)), stream(server, **info(2))
    thread = closing(server, 30)
    reason, code = refused(server, init(**info(3)))
    assert code == 1013
    assert "no new calls" in reason
    leaving.reset()
    eventually(lambda: len(server.streams) == 1)
    with stream(server, **info(2)), stream(server, **info(1), streamPerspective="RX") as other:
        clock.advance(29.9)
        running.send(frame(9, b"?"))
        while (message := running.read()) != (10, b"?"):
            assert message[0] == 9
        clock.advance(0.1)
        assert other.read_close() == (1001, "the server is shutting down")
        assert running.read_close()[0] == 1001
    thread.join(5)
    assert not thread.is_alive()
    server.close()
    assert server.streams == ()
    running.sock.close()


def test_a_second_close_ends_the_draining():
    server = serving()
    server.start()
    with stream(server) as peer:
        thread = closing(server, 3600)
        again = threading.Thread(target=server.close)
        again.start()
        assert peer.read_close()[0] == 1001
        thread.join(5)
        again.join(5)
    assert not thread.is_alive()
    assert not again.is_alive()


def test_closing_waits_for_its_peers_and_turns_away_who_comes_meanwhile(clock):
    ended = Log()
    server = serving(clock=clock, on_end=lambda s: ended(s.contact_id))
    server.start()
    stream(server, **info(1)).sock.close()
    ended.wait(len)
    with stream(server, **info(2)) as peer:
        thread = closing(server)
        opcode, payload = peer.read()
        assert (opcode, payload[:2]) == (8, struct.pack(">H", 1001))
        with RawPeer(server.port) as late:
            assert late.read_close() == (1001, "the server is shutting down")
        assert thread.is_alive()
        peer.send(frame(8, payload[:2]))
        thread.join(5)
        assert not thread.is_alive()
    assert ended.items == [1, 2]


def test_a_socket_that_never_asked_for_a_websocket_ends_with_the_server():
    with serving() as server:
        peer = RawPeer(server.port, upgrade=False)
        stream(server).sock.close()  # accepted after it
    with peer:
        assert peer.gone()
    gc.collect()  # it would warn of what was left open


def test_draining_ends_at_once_where_no_call_is_left():
    server = serving()
    server.start()
    began = time.monotonic()
    server.close(30)
    assert time.monotonic() - began < 2
    server.signal(1, 1, Signal.END)  # nothing happens any more


def test_the_last_callbacks_are_waited_for():
    ended = Log()

    def on_end(_stream):
        time.sleep(0.05)
        ended(1)

    with serving(on_end=on_end, inline=True) as server:
        stream(server).sock.close()
        eventually(lambda: not server.streams)
    assert len(ended) == 1


@pytest.mark.parametrize("callback", ["on_call", "on_end"])
def test_a_callback_may_close_the_server(callback):
    closed, told = Log(), threading.Lock()

    def close(*_):
        if told.acquire(blocking=False):  # the closing itself is told, too
            server.close()
            closed(1)

    server = serving(**{callback: close})
    server.start()
    stream(server).sock.close()
    closed.wait(len)
    assert server.streams == ()


def test_a_callback_in_the_server_s_own_thread_may_not_close_it():
    refused = Log()

    def on_call(event):
        if isinstance(event, CallStarted):
            with pytest.raises(LocalProtocolError, match="another") as caught:
                server.close()
            refused(caught)

    with serving(on_call=on_call, inline=True) as server, stream(server):
        refused.wait(len)


def test_a_server_starts_once_and_says_when_it_was_not():
    server = serving()
    assert server.streams == ()
    server.close()
    with pytest.raises(LocalProtocolError, match="not started"):
        _ = server.port
    with server, pytest.raises(LocalProtocolError, match="once"):
        server.start()


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_that_does_not_exist_is_refused(port):
    with pytest.raises(ValueError, match="65535"):
        serving(port=port).start()


def test_a_port_that_is_taken_is_told_in_the_caller_s_thread():
    with serving() as server, pytest.raises(OSError, match="in use"):
        serving(port=server.port).start()


def test_several_servers_share_a_port_where_they_want_to():
    with serving(reuse_port=True) as one, serving(port=one.port, reuse_port=True) as two:
        assert one.port == two.port


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_addresses_are_written_in_brackets():
    with serving(host="::1") as server:
        assert server.url == f"ws://[::1]:{server.port}/"


def test_a_failing_library_is_told_to_the_caller(monkeypatch):
    def broken(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(_server, "_library", lambda: ("broken", broken))
    with pytest.raises(RuntimeError, match="no"):
        serving().start()


def test_tls_and_client_certificates_come_by_an_ssl_context():
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_side)
    authority.configure_trust(server_side)
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    heard = Log()
    with serving(ssl=server_side, on_audio=lambda _s, ulaw, _at: heard(ulaw)) as server:
        assert server.url.startswith("wss://")
        with (
            pytest.raises((ssl.SSLError, EOFError, ConnectionError)),  # without a certificate
            RawPeer(server.port, tls=client_side, upgrade=False) as unknown,
        ):
            unknown.send(frame(9)) or unknown.read()
        authority.issue_cert("media-server").configure_cert(client_side)
        with RawPeer(server.port, tls=client_side) as peer:
            peer.text(init())
            assert peer.read_text() == CONNECTED
            peer.audio(b"secret")
            assert heard.wait(len) == [b"secret"]


def test_a_peer_that_does_not_go_on_with_tls_is_cut_in_time():
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(server_side)
    with serving(ssl=server_side, limits=Limits(init_seconds=0.1)) as server:
        with RawPeer(server.port, upgrade=False) as silent:
            assert silent.gone()


def test_without_its_extra_the_import_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets", None)
    import cxone_assist.server

    with pytest.raises(ImportError, match=r"\[server\]"):
        importlib.reload(cxone_assist.server)


# --- what the sockets of a test cannot time ----------------------------------------------------


def test_audio_and_an_end_that_meet_the_end_of_the_waiting_are_not_lost():
    """The server's thread had seen the backlog just before the other thread was done with it."""
    heard, ended = Log(), Log()
    go = threading.Event()
    callbacks = Callbacks(
        on_start=lambda _stream: go.wait(5),
        on_audio=lambda _s, ulaw, at: heard(ulaw, at),
        on_end=ended,
        inline=True,
    )
    one = Stream(None, init_message(), Request(path="/"), StreamStats())
    delivery = Delivery(one, callbacks, buffer_seconds=1)
    backlog = delivery._backlog
    go.set()
    delivery.join(5)
    delivery._backlog = backlog
    delivery.audio(b"late")
    assert heard.items == [(b"late", 0)]
    delivery.end()
    delivery.join(5)
    assert ended.items == [one]


def test_a_fault_of_the_server_s_own_thread_is_not_hidden(monkeypatch):
    raised = Log()
    monkeypatch.setattr(threading, "excepthook", lambda thread: raised(str(thread.exc_value)))

    async def fails(_hub):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(_server.Hub, "run", fails)
    server = serving()
    server.start()
    assert raised.wait(len) == ["a fault of ours"]
    server.close()


def test_an_endpoint_says_nothing_to_a_peer_that_has_not_asked_for_a_websocket():
    class Transport:
        def __init__(self):
            self.written = []

        def set_write_buffer_limits(self, *, high):
            assert high == Limits().unsent_bytes

        write = property(lambda self: self.written.append)

    class Loop:
        limits = Limits()

        def call_later(self, *_):
            return None

    connection, transport = _Connection(Loop(), set()), Transport()
    connection.connection_made(transport)
    connection.send_text("x")
    connection.ping()
    connection.close(1000, "")
    assert transport.written == []


def test_allow_all_lets_everybody_in():
    assert allow_all(init_message(authentication_token=None), Request(path="/")) is True

"""The promises of `cxone_wfm.testing`: doubles that behave as what they stand for."""

import doctest

import attrs
import pytest
from support.threads import at_once

from cxone_wfm import NotSentError, Request, Response, SystemClock, Transport, WfmConfig, testing
from cxone_wfm._transport import HttpTransport
from cxone_wfm.testing import FakeClock, FakeTransport, fake_config, reply

REQUEST = Request(method="GET", url="https://cxone.example/x", headers={})


def send(transport: Transport, request: Request = REQUEST) -> Response:
    return transport.send(request, connect=1.0, read=2.0, deadline=3.0)


def test_the_example_in_its_documentation_runs() -> None:
    assert doctest.testmod(testing) == doctest.TestResults(failed=0, attempted=5)


def test_answers_come_in_order_and_what_was_sent_is_kept_with_its_limits() -> None:
    other = attrs.evolve(REQUEST, url="https://cxone.example/y")
    transport = FakeTransport([reply(200), reply(503)])
    assert [send(transport).status, send(transport, other).status] == [200, 503]
    assert transport.requests == [REQUEST, other]
    [first, _] = transport.attempts
    assert (first.connect, first.read, first.deadline) == (1.0, 2.0, 3.0)


def test_an_answer_may_be_an_error_or_a_function_of_the_request() -> None:
    error = NotSentError("x")
    transport = FakeTransport([error, lambda request: reply(200, request.url)])
    with pytest.raises(NotSentError) as caught:
        send(transport)
    assert caught.value is error
    assert send(transport).body == b'"https://cxone.example/x"'


def test_more_requests_than_answers_are_a_failed_test() -> None:
    transport = FakeTransport()
    with pytest.raises(AssertionError, match=r"unexpected request: GET https://cxone\.example/x"):
        send(transport)
    transport.add(reply(200), reply(201))
    assert [send(transport).status, send(transport).status] == [200, 201]
    assert len(transport.requests) == 3


def test_like_the_real_one_it_sends_nothing_after_close() -> None:
    for transport in (FakeTransport([reply(200)]), HttpTransport(fake_config(), FakeClock())):
        transport.close()
        with pytest.raises(RuntimeError, match="this client is closed; make a new one"):
            send(transport)


def test_each_of_many_threads_gets_its_own_answer() -> None:
    transport = FakeTransport([reply(200, number) for number in range(640)])
    outcomes = at_once(64, lambda _: [send(transport).body for _ in range(10)])
    bodies = [body for bodies in outcomes if isinstance(bodies, list) for body in bodies]
    assert sorted(map(int, bodies)) == list(range(640))
    assert len(transport.requests) == 640


def test_an_answer_has_a_json_body_and_lower_case_header_names() -> None:
    answer = reply(429, {"message": "slow"}, Retry_After="3", icStatusDescription="x")
    assert (answer.status, answer.body, answer.cut) == (429, b'{"message": "slow"}', False)
    assert answer.headers == {
        "content-type": "application/json",
        "retry-after": "3",
        "icstatusdescription": "x",
    }
    assert reply(200).body == b""
    assert reply(200, []).body == b"[]"
    assert reply(200, content_type="text/html").headers == {"content-type": "text/html"}


def test_time_moves_only_when_it_is_told_to() -> None:
    clock = FakeClock(now=5.0)
    assert [clock.monotonic(), clock.monotonic()] == [5.0, 5.0]
    clock.advance(2.5)
    clock.sleep(1.5)
    assert clock.monotonic() == 9.0
    assert clock.sleeps == [1.5]


def test_no_second_is_lost_between_threads() -> None:
    clock = FakeClock(now=0.0)

    def work(_: int) -> None:
        for _ in range(500):
            clock.sleep(1.0)

    at_once(8, work)
    assert clock.monotonic() == 4000.0
    assert len(clock.sleeps) == 4000


def test_the_fake_configuration_is_valid_and_points_nowhere() -> None:
    assert isinstance(fake_config(), WfmConfig)
    assert fake_config().base_url == "https://cxone.example"
    assert fake_config("http://127.0.0.1:1").base_url == "http://127.0.0.1:1"


def test_the_machines_clock_waits_and_never_goes_back() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.002)
    assert clock.monotonic() >= before + 0.002

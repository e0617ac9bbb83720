"""Keys and tokens never appear: all that can go wrong, with canaries, and a search for them."""

import base64
import gc
import io
import json
import logging
import pickle
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest
from support.exchange import granted
from support.sockets import Peer, serving

import cxone_wfm
from cxone_wfm import (
    AuthClient,
    CredentialsRejectedError,
    CXoneError,
    OutcomeUnknownError,
    PayloadRejectedError,
    RateLimitedError,
    RedirectError,
    Request,
    Response,
    Secret,
    ServerError,
    SuspectAnswerError,
    TokenRejectedError,
    WfmClient,
)
from cxone_wfm.testing import Attempt, FakeClock, FakeTransport, fake_config

KEY_ID, KEY_SECRET, ACCESS, REFRESH = (f"canary+{name}/==" for name in ("id", "secret", "access", "refresh"))
CONFIG = attrs.evolve(fake_config(), access_key_id=KEY_ID, access_key_secret=KEY_SECRET)
OURS = str(Path(cxone_wfm.__file__).parent)


def forms(secret: str) -> set[str]:
    """The secret as it is, and as it looks in URLs, base64 and hexadecimal digits."""
    shifted = [base64.b64encode(b"x" * shift + secret.encode()).decode()[4:-4] for shift in range(3)]
    return {secret, quote(secret), quote(secret, safe=""), secret.encode().hex(), *shifted}


CANARIES = {form for secret in (KEY_ID, KEY_SECRET, ACCESS, REFRESH) for form in forms(secret)}


def leaks(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def test_the_search_finds_what_it_searches() -> None:
    for secret in (KEY_ID, ACCESS):
        for form in (secret, quote(secret), base64.b64encode(f"user:{secret}".encode()).decode()):
            assert leaks(f"a log line with {form} in it")
        assert leaks(secret.encode().hex())


# --- a server that says back all that it was told -----------------------------------------------------

Behaviour = Callable[[bytes], bytes]


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def grant(_: bytes) -> bytes:
    document = {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 3600}
    return answer(200, json.dumps(document).encode(), f"Set-Cookie: session={ACCESS}")


def bad_grant(_: bytes) -> bytes:
    document = {"access_token": ACCESS, "refresh_token": REFRESH, "token_type": f"mac {ACCESS}"}
    return answer(200, json.dumps(document).encode(), f"Set-Cookie: session={ACCESS}")


def fine(_: bytes) -> bytes:
    return answer(200, b"", f"Set-Cookie: session={ACCESS}")


def parrot(status: int) -> Behaviour:
    def say_back(request: bytes) -> bytes:
        token = f"Bearer {ACCESS}" if b"Bearer" in request else KEY_SECRET
        said = json.dumps({"message": f"{token} {KEY_ID} {request.decode()}"}).encode()
        return answer(
            status,
            said,
            f"X-Correlation-Id: {token}",
            f"Location: https://elsewhere.example/?{quote(token)}",
            f"Set-Cookie: session={token}",
            f"Retry-After: {token}",
        )

    return say_back


def parrot_in_header(request: bytes) -> bytes:
    return answer(400, request, f"icStatusDescription: {ACCESS} {KEY_SECRET}")


def page(_: bytes) -> bytes:
    return answer(200, f"<html>{ACCESS}</html>".encode(), f"Content-Type: text/html; {ACCESS}")


def cut(_: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + ACCESS.encode()


def garbage(_: bytes) -> bytes:
    return f"{ACCESS} {KEY_SECRET}\r\n\r\n".encode()


class Run:
    """Calls against a server that behaves as told; keeps every error that came out."""

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = []
        self.errors: list[CXoneError] = []
        self.clock = FakeClock()

    def script(self, peer: Peer) -> None:
        while request := peer.read_request():
            behaviour = self.behaviours.pop(0)
            peer.send(behaviour(request))
            if behaviour in {cut, garbage}:
                return

    def expect(self, kind: type[CXoneError], call: Callable[[], object], *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)
        with pytest.raises(kind) as caught:
            call()
        self.errors.append(caught.value)
        assert not self.behaviours, "the server was asked less often than the test expects"

    def all_goes_wrong(self, wfm: WfmClient) -> None:
        beat, clock = wfm.heartbeat.send, self.clock
        for status in (400, 401, 403):
            self.expect(CredentialsRejectedError, beat, parrot(status))
            clock.advance(400)
        self.expect(SuspectAnswerError, beat, bad_grant)
        clock.advance(60)
        self.expect(SuspectAnswerError, beat, page, page, page)
        clock.advance(60)
        self.expect(OutcomeUnknownError, beat, cut, garbage, cut)
        self.expect(RedirectError, beat, parrot(302))
        clock.advance(60)
        self.expect(ServerError, beat, *[parrot(503)] * 3)
        clock.advance(60)
        self.expect(PayloadRejectedError, beat, grant, parrot(400))
        self.expect(PayloadRejectedError, beat, parrot_in_header)
        self.expect(TokenRejectedError, beat, parrot(401), grant, parrot(401))
        clock.advance(60)
        self.expect(CredentialsRejectedError, beat, parrot(401), parrot(401), parrot(401))
        clock.advance(400)
        self.behaviours = [grant, fine]
        beat()
        clock.advance(3400)
        self.behaviours = [parrot(503), fine]
        beat()
        clock.advance(300)
        self.behaviours = [cut, grant, fine]
        beat()
        clock.advance(3400)
        self.behaviours = [bad_grant, grant, fine]
        beat()
        self.expect(RateLimitedError, beat, *[parrot(429)] * 3)
        self.expect(SuspectAnswerError, beat, page, page, page)
        self.expect(OutcomeUnknownError, beat, cut, garbage, cut)
        self.expect(ServerError, wfm.auth.refresh, parrot(500))
        self.expect(ServerError, wfm.auth.login, *[parrot(500)] * 3)


@pytest.fixture(scope="module")
def run() -> Iterator[tuple[Run, WfmClient, str]]:
    """Everything has gone wrong; with it what was logged at DEBUG by anybody."""
    made, stream = Run(), io.StringIO()
    written = logging.StreamHandler(stream)
    written.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(written)
    root.setLevel(logging.DEBUG)
    try:
        with serving(made.script) as server:
            config = attrs.evolve(CONFIG, base_url=server.url)
            with WfmClient(config, clock=made.clock) as wfm:
                made.all_goes_wrong(wfm)
                yield made, wfm, stream.getvalue()
    finally:
        root.removeHandler(written)
        root.setLevel(level)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        yield from chain(error.__cause__)
        yield from chain(error.__context__)


def test_no_log_line_at_any_level_holds_one(run: tuple[Run, WfmClient, str]) -> None:
    _, _, written = run
    assert "cxone_wfm._calls heartbeat: POST http" in written
    assert "urllib3" in written
    assert leaks(written) == []


def test_no_error_holds_one_nor_what_it_was_caused_by(run: tuple[Run, WfmClient, str]) -> None:
    for error in run[0].errors:
        for each in chain(error):
            texts = [
                str(each),
                repr(each),
                repr(each.args),
                repr(vars(each)),
                *traceback.format_exception(each),
            ]
            assert leaks("\n".join(texts)) == []


def test_no_local_variable_on_a_traceback_shows_one(run: tuple[Run, WfmClient, str]) -> None:
    seen = set()
    for error in run[0].errors:
        for each in chain(error):
            for frame, _ in traceback.walk_tb(each.__traceback__):
                if "tests" not in Path(frame.f_code.co_filename).parts:
                    seen.add(frame.f_code.co_name)
                    shown = {name: repr(value) for name, value in frame.f_locals.items()}
                    assert leaks("\n".join(shown.values())) == [], (type(error), frame.f_code.co_name, shown)
    assert {"make", "attempt", "_judge", "_log_in", "_ask", "_renew", "send", "run"} <= seen


def reachable(*roots: object) -> list[object]:
    """All objects of the package's classes that can be reached, not what a `Secret` holds."""
    found: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        kind = type(each)
        ours = kind.__module__.startswith("cxone_wfm")
        if id(each) in found or not (ours or kind in {dict, list, tuple, types.MethodType}):
            continue
        found[id(each)] = each
        if kind is not Secret:
            waiting += gc.get_referents(each)
    return [each for each in found.values() if type(each).__module__.startswith("cxone_wfm")]


def pickled_or_refused(value: object) -> str:
    try:
        return pickle.dumps(value).decode("latin-1")
    except (TypeError, AttributeError, pickle.PicklingError) as refusal:
        return str(refusal)


def test_no_object_of_ours_shows_one_or_can_be_pickled_with_one(run: tuple[Run, WfmClient, str]) -> None:
    made, wfm, _ = run
    token = wfm.auth.access_token()
    assert token.value.reveal() == ACCESS
    copy = wfm.with_options(max_batch=1)
    objects = reachable(wfm, copy, token, wfm.config, *made.errors)
    kinds = {type(each).__name__ for each in objects}
    assert {
        "WfmClient",
        "TokenCache",
        "AccessToken",
        "WfmConfig",
        "HttpTransport",
        "Calls",
        "Secret",
    } <= kinds
    for each in objects:
        assert leaks(f"{each!r} {each!s} {each}") == []
        assert leaks(pickled_or_refused(each)) == [], type(each)


def test_requests_and_answers_show_none_and_cannot_be_pickled() -> None:
    transport = FakeTransport([granted(ACCESS, REFRESH)])
    with AuthClient(CONFIG, transport=transport, clock=FakeClock()) as auth:
        auth.login()
    [attempt] = transport.attempts
    response = Response(status=200, headers={"set-cookie": ACCESS}, body=ACCESS.encode())
    request = attrs.evolve(attempt.request, token=Secret(ACCESS))
    assert KEY_SECRET.encode() in (attempt.request.body or b"")
    for each in (attempt, attempt.request, request, response):
        assert isinstance(each, Attempt | Request | Response)
        assert leaks(f"{each!r} {each!s}") == []
        with pytest.raises(TypeError, match="cannot be pickled") as caught:
            pickle.dumps(each)
        assert leaks(str(caught.value)) == []

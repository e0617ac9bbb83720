"""F7, tokens: 64 threads whose token runs out at once, refreshes that fail, revoked tokens, a refused key.

The identity provider is a transport in this process, and time is the harness' own, so that hours of
token lives take seconds. Refresh tokens work once; one that is sent again after it was spent is an alarm.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone

from cxone_wfm import (
    AgentState,
    CredentialsRejectedError,
    OutcomeUnknownError,
    Request,
    Response,
    WfmClient,
)
from cxone_wfm.testing import fake_config
from faults import bugs
from faults.report import Count, Outcome, command, timed
from faults.server import LOGIN, REFRESH

COUNTS = {
    "expiries": Count(60, 500, "times that the token runs out"),
    "threads": Count(64, 64, "threads that need it at once"),
    "seed": Count(1, 1, "of the failures"),
}
LIFE = 3600
FAILING = 0.3
"""How many refreshes fail: one half with 503, the other with a lost answer."""
PATIENCE = 60.0


class Hands:
    """A clock that the harness moves. Sleeping moves it too, by as much as was asked for."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        with self._lock:
            self._now += seconds


class Provider:
    """The identity provider and the API, as a transport."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._good = ""
        self._refresh = ""
        self._spent: set[str] = set()
        self.grants = 0
        self.logins: list[float] = []
        self.failed = 0
        self.respent = 0
        self.sent: Counter[str] = Counter()
        """Request id of a data call -> how often it was sent."""
        self.taken: Counter[str] = Counter()
        self.refused = 0
        self.key_is_good = True
        self.clock = Hands()

    def send(self, request: Request, *, connect: float, read: float, deadline: float) -> Response:
        """Answer one request."""
        with self._lock:
            if request.url.endswith(LOGIN):
                self.logins.append(self.clock.monotonic())
                return self._grant("login") if self.key_is_good else Response(status=401)
            if request.url.endswith(REFRESH):
                return self._renew(str(json.loads(request.body or b"{}")["token"]))
            name = request.headers["X-Request-Id"]
            self.sent[name] += 1
            if request.token is None or request.token.reveal() != self._good:
                self.refused += 1
                return Response(status=401)
            self.taken[name] += 1
            return Response(status=200)

    def close(self) -> None:
        """Nothing is open."""

    def revoke(self) -> None:
        """The token is good no more, before its time."""
        with self._lock:
            self._good = ""

    def _renew(self, token: str) -> Response:
        self.respent += token in self._spent
        if self._chance.random() < FAILING:
            self.failed += 1
            if self._chance.random() < 0.5:
                return Response(status=503)
            self._spent.add(token)  # taken, but the answer does not arrive
            raise OutcomeUnknownError("the answer was lost")
        if token != self._refresh or token in self._spent:
            return Response(status=401)
        self._spent.add(token)
        return self._grant("refresh")

    def _grant(self, how: str) -> Response:
        self.grants += 1
        self._good, self._refresh = f"access-{self.grants}", f"refresh-{self.grants}"
        document: dict[str, object] = {
            "access_token": self._good,
            "refresh_token": self._refresh,
            "token_type": "Bearer",
            "expires_in": LIFE,
        }
        if how == "refresh":
            document = {"token": self._good, "refreshToken": self._refresh, "tokenExpirationTimeSec": LIFE}
        return Response(status=200, body=json.dumps(document).encode())


def state(agent: str, number: int) -> AgentState:
    """A state that says which it is."""
    return AgentState(
        login_id=agent,
        acd_id="harness",
        event_code="READY",
        reason_code=str(number),
        event_utc_time=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )


def expiries(counts: Mapping[str, int]) -> Outcome:
    """All threads meet an expired or revoked token at once, again and again."""
    outcome, threads, rounds = Outcome(fault="F7 tokens run out"), counts["threads"], counts["expiries"]
    provider = Provider(counts["seed"])
    start, end = threading.Barrier(threads + 1), threading.Barrier(threads + 1)
    errors: list[str] = []

    def work(wfm: WfmClient, agent: str) -> None:
        for number in range(rounds):
            start.wait(PATIENCE)
            try:
                wfm.agent_states.send([state(agent, number)])
            except Exception as error:  # noqa: BLE001 - each is a broken promise here
                errors.append(repr(error))
            end.wait(PATIENCE)

    with timed(outcome), WfmClient(fake_config(), transport=provider, clock=provider.clock) as wfm:
        workers = [
            threading.Thread(target=work, args=(wfm, f"agent-{n}"), daemon=True) for n in range(threads)
        ]
        for worker in workers:
            worker.start()
        for number in range(rounds):
            before = provider.grants
            if number % 3 == 2:
                provider.clock.sleep(20)  # past the time in which a token that replaced a refused one is kept
                provider.revoke()
            else:
                provider.clock.sleep(LIFE + 1)
            start.wait(PATIENCE)
            end.wait(PATIENCE)
            outcome.expect(
                provider.grants == before + 1, f"round {number}: {provider.grants - before} new tokens, not 1"
            )
        for worker in workers:
            worker.join(PATIENCE)
    generations = wfm.auth.access_token().generation
    outcome.done = {
        "calls": threads * rounds,
        "expiries": rounds,
        "new tokens": provider.grants,
        "refreshes that failed": provider.failed,
        "401 to data": provider.refused,
    }
    outcome.lost = threads * rounds - len(provider.taken)
    outcome.expect(not errors, f"{len(errors)} calls failed, the first with {errors[:1]}")
    outcome.expect(provider.grants == generations, f"{generations} generations of {provider.grants} tokens")
    outcome.expect(provider.respent == 0, f"{provider.respent} spent refresh tokens were sent again")
    outcome.expect(max(provider.sent.values()) <= 2, "a call was repeated more than once for its 401")
    outcome.expect(max(provider.taken.values()) == 1, "a call was taken twice")
    return outcome


def refused_key(counts: Mapping[str, int]) -> Outcome:
    """A key that is refused is not hammered; corrected, it works at once when asked to."""
    outcome, threads = Outcome(fault="F7 refused key"), counts["threads"]
    provider = Provider(counts["seed"])
    provider.key_is_good = False
    calls, wrong = 0, 0
    with timed(outcome), WfmClient(fake_config(), transport=provider, clock=provider.clock) as wfm:
        for _ in range(20 * threads):
            calls += 1
            try:
                wfm.agent_states.send([state("agent", calls)])
            except CredentialsRejectedError:
                provider.clock.sleep(0.5)
            else:
                wrong += 1
        gaps = [later - earlier for earlier, later in zip(provider.logins, provider.logins[1:], strict=False)]
        outcome.done = {"calls": calls, "logins": len(provider.logins), "shortest s between": min(gaps)}
        outcome.expect(wrong == 0, f"{wrong} calls went through with a refused key")
        outcome.expect(min(gaps) >= 30, f"two logins with a refused key {min(gaps)} s apart")
        provider.key_is_good = True
        wfm.auth.login()
        wfm.agent_states.send([state("agent", 0)])
    return outcome


def run(counts: Mapping[str, int]) -> list[Outcome]:
    """Both."""
    bugs.install()
    return [expiries(counts), refused_key(counts)]


if __name__ == "__main__":
    raise SystemExit(command(run, COUNTS, __doc__))

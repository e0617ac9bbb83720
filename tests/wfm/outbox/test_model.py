"""Every store does what a plain model does, in whatever order it is asked."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.outbox import AT, PLACES, Place, report, state
from support.outbox_model import Group, Model

from cxone_wfm import ConflictingDuplicateError
from cxone_wfm.outbox.identity import new_event
from cxone_wfm.outbox.store import Again, Attempt, Dead, NewEvent, Outcome, Store, Want, Watch

KINDS = ("agent_state", "historical_report")

new_events = st.one_of(
    st.builds(
        lambda agent, number: new_event(state(agent, number)), st.sampled_from("abc"), st.integers(0, 40)
    ),
    st.builds(
        lambda agent, key, number: new_event(state(agent, number), key),
        st.sampled_from("ab"),
        st.sampled_from("xyz"),
        st.integers(0, 3),
    ),
    st.builds(
        lambda quarter, active: new_event(report(quarter, active=active)),
        st.integers(0, 1),
        st.integers(0, 2),
    ),
)


def outcome_of(call: Callable[[], object]) -> object:
    """What it gives, or the facts of the conflict that it raises."""
    try:
        return call()
    except ConflictingDuplicateError as error:
        return error.args


class StoreMachine(RuleBasedStateMachine):
    place_of = staticmethod(PLACES["sqlite"])

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.place: Place = self.place_of(self.folder)
        self.store: Store = self.place.open()
        self.model = Model()
        self.given: list[tuple[Attempt, Group]] = []
        self.now = 0.0
        self.watch: tuple[Watch, int, int, int] | None = None

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.place.crash(self.store)
            shutil.rmtree(self.folder)

    @rule(new=st.lists(new_events, max_size=6))
    def accept(self, new: list[NewEvent]) -> None:
        assert self._said(new) == outcome_of(lambda: self.model.accept(new))

    def _said(self, new: list[NewEvent]) -> object:
        return outcome_of(
            lambda: [(each.event_id, each.seq, each.duplicate) for each in self.store.accept(new, AT)]
        )

    @rule(kind=st.sampled_from(KINDS), most=st.integers(1, 4), first=st.booleans())
    def give(self, kind: str, most: int, first: bool) -> None:
        self._advance([], kind, most, first)

    def _advance(self, outcomes: list[Outcome], kind: str, most: int, first: bool) -> None:
        want = Want(kind=kind, most=most, most_bytes=10**9, seconds=1.0, fresh_first=first)
        attempt = self.store.advance(outcomes, [want], self.now)
        first_id = attempt.events[0].event_id if attempt is not None else ""
        group = self.model.give(kind, most, self.now, fresh_first=first, first_id=first_id)
        assert (attempt is None) == (group is None)
        if attempt is None or group is None:
            return
        assert [(each.event_id, each.seq, each.payload) for each in attempt.events] == [
            (each.new.event_id, each.seq, each.new.payload) for each in group.kept
        ]
        assert (attempt.tries, attempt.unknown, attempt.crashes) == (
            group.tries,
            group.unknown,
            group.crashes,
        )
        self.given.append((attempt, group))

    @precondition(lambda self: self.given)
    @rule(data=st.data(), unknown=st.booleans(), go_on=st.booleans())
    def end(self, data: st.DataObject, unknown: bool, go_on: bool) -> None:
        attempt, group = self.given.pop(data.draw(st.integers(0, len(self.given) - 1)))
        ends = data.draw(
            st.lists(
                st.sampled_from(["delivered", "dead", 0.0, 1.0, 9.0]),
                min_size=len(group.kept),
                max_size=len(group.kept),
            )
        )
        ids = {
            end: tuple(k.new.event_id for k, e in zip(group.kept, ends, strict=True) if e == end)
            for end in set(ends)
        }
        moments = [end for end in dict.fromkeys(ends) if not isinstance(end, str)]
        outcome = Outcome(
            attempt=attempt,
            delivered=ids.get("delivered", ()),
            dead=tuple(Dead(event_id=each, reason="refused") for each in ids.get("dead", ())),
            again=tuple(Again(event_ids=ids[moment], not_before=self.now + moment) for moment in moments),
            unknown=unknown,
            at=AT,
        )
        model = self.model
        model.groups.remove(group)
        for moment in moments:
            kept = [k for k, e in zip(group.kept, ends, strict=True) if e == moment]
            model.groups.append(Group(kept, group.tries, group.unknown or unknown, 0, self.now + moment))
        for kept, end in zip(group.kept, ends, strict=True):
            if end == "dead":
                model.dead.append(kept)
            if end == "delivered":
                model.delivered += 1
                model.unsure += group.unknown
        outcomes = [outcome, outcome] if unknown else [outcome]
        if go_on:
            self._advance(outcomes, "agent_state", 3, first=False)
        else:
            assert self.store.advance(outcomes, [], self.now) is None
        if not unknown:
            assert self.store.advance([outcome], [], self.now) is None

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        kept = data.draw(st.sampled_from(self.model.dead))
        assert self.store.requeue([kept.new.event_id], AT) == 1
        self.model.requeue(kept)

    @rule(stream=st.sampled_from([new_event(each).stream for each in (state("a"), state("b"), report(0))]))
    def forget(self, stream: str) -> None:
        assert self.store.forget(stream) == self.model.forget(stream)

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        if crash:
            self.place.crash(self.store)
        else:
            self.store.close()
        self.store = self.place.open()
        self.model.restart(crash=crash)
        self.given.clear()
        self.now = 0.0
        self.watch = None

    @rule()
    def upkeep(self) -> None:
        self.store.upkeep(self.now, AT)

    @rule()
    def follow(self) -> None:
        if self.watch is not None:
            self.watch[0].close()
        pending = len(self.model.pending) + sum(len(each.kept) for each in self.model.groups)
        self.model.forgotten.clear()
        self.watch = (self.store.watch(), self.model.places, pending, self.model.delivered)

    @invariant()
    def the_watch_is_right(self) -> None:
        if getattr(self, "watch", None) is not None:
            watch, mark, pending, _ = self.watch
            tally = watch.tally()
            there = [*self.model.pending, *(kept for each in self.model.groups for kept in each.kept)]
            left = sum(each.place < mark for each in there)
            gone = sum(each.place < mark for each in self.model.forgotten)
            assert tally.pending == left
            assert tally.pending + tally.delivered + tally.dead == pending - gone

    @invariant()
    def the_counts_are_right(self) -> None:
        if not hasattr(self, "store"):
            return
        model, counts = self.model, self.store.counts()
        there = [*model.pending, *(kept for each in model.groups for kept in each.kept)]
        for kind, usage in counts.pending.items():
            mine = [each for each in there if each.new.kind == kind]
            assert (usage.items, usage.bytes) == (len(mine), sum(len(each.new.payload) for each in mine))
        assert (counts.accepted, counts.delivered, counts.possibly_duplicated) == (
            model.accepted, model.delivered, model.unsure
        )  # fmt: skip
        assert counts.purged == model.purged
        assert counts.dead.items == len(model.dead)

    @invariant()
    def the_dead_are_right(self) -> None:
        if hasattr(self, "store"):
            letters = [letter.event.event_id for _, letter in self.store.dead_letters()]
            assert letters == [each.new.event_id for each in self.model.dead]


EXAMPLES, STEPS = {"sqlite": 25, "postgres": 8}, 40
"""PostgreSQL takes five times as long."""


@pytest.mark.parametrize("name", list(PLACES))
def test_a_store_does_what_the_model_does(name: str) -> None:
    machine = type("Machine", (StoreMachine,), {"place_of": staticmethod(PLACES[name])})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES[name],
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

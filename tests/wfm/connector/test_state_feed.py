"""What `StateFeed` gives to send, when, with which time; and that nobody else's arithmetic says otherwise."""

import random
from datetime import datetime, timedelta, timezone
from itertools import groupby
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxone_wfm import AgentState, AgentStateList, ConfigurationError, ValidationError
from cxone_wfm.agent_states import batches
from cxone_wfm.connector.records import AgentStatus
from cxone_wfm.connector.state_feed import MINIMUM_DWELL, StateFeed

UTC = timezone.utc
START = datetime(2024, 4, 17, 10, tzinfo=UTC)
IN, OUT = "LOGON", "LOGOFF"


def at(seconds):
    return START + timedelta(seconds=seconds)


def feed_of(**changes):
    return StateFeed(**{"acd_id": "Tenant", "login_code": IN, "logoff_code": OUT, **changes})


def status(agent, code, since=None, reason=None):
    return AgentStatus(
        login_id=agent, event_code=code, reason_code=reason, since=None if since is None else at(since)
    )


def known(feed):
    """Who is not logged off."""
    return [state.login_id for state in feed.last_sent() if state.event_code != OUT]


def seconds(moment):
    return (moment - START) / timedelta(seconds=1)


def told(states):
    """What was given, short: agent, event with its reason, seconds from START."""
    return [
        (s.login_id, s.event_code + (f" {s.reason_code}" if s.reason_code else ""), seconds(s.event_utc_time))
        for s in states
    ]


def running(*agents, **changes):
    """A feed after its first snapshot, at 0, of agents who have been ready since 60 seconds earlier."""
    feed = feed_of(**changes)
    assert told(feed.snapshot(at(0), [status(a, "READY", -60) for a in agents])) == [
        (a, "READY", -60) for a in agents
    ]
    return feed


# --- snapshots and changes ----------------------------------------------------------------------------


def test_the_first_snapshot_gives_every_agent_and_the_next_only_what_changed():
    feed = running("a", "b", "c")
    states = [status("a", "READY", -60), status("b", "BUSY", 20), status("c", "READY", -60)]
    assert told(feed.snapshot(at(30), states)) == [("b", "BUSY", 20)]
    assert feed.snapshot(at(40), states) == []


def test_a_record_has_the_acd_id_the_code_and_the_reason():
    (state,) = feed_of().snapshot(at(0), [status("a", "NOT READY", -5, reason="LUNCH")])
    assert state == AgentState(
        login_id="a", acd_id="Tenant", event_code="NOT READY", reason_code="LUNCH", event_utc_time=at(-5)
    )


def test_another_reason_is_another_state_and_none_is_the_empty_one():
    feed = feed_of()
    feed.snapshot(at(0), [status("a", "AUX", -60, reason="1")])
    assert told(feed.change(at(10), status("a", "AUX", 5, reason="2"))) == [("a", "AUX 2", 5)]
    assert told(feed.change(at(20), status("a", "AUX", 15))) == [("a", "AUX", 15)]
    assert feed.change(at(30), status("a", "AUX", 15, reason="")) == []


def test_a_change_says_nothing_of_the_agents_that_are_not_in_it():
    feed = running("a", "b")
    assert told(feed.change(at(10), status("a", "BUSY", 5))) == [("a", "BUSY", 5)]
    assert feed.next_due() is None


def test_after_a_reconnect_the_next_snapshot_gives_every_agent_once_more():
    feed = running("a", "b")
    feed.reconnected()
    both = [status("a", "READY", -60), status("b", "BUSY", 20)]
    assert told(feed.snapshot(at(30), both)) == [("a", "READY", -60), ("b", "BUSY", 20)]
    assert feed.snapshot(at(40), both) == []


def test_a_change_is_no_snapshot_so_the_next_snapshot_is_still_a_full_one():
    feed = running("a", "b")
    feed.reconnected()
    assert feed.change(at(10), status("a", "READY", -60)) == []
    assert len(feed.snapshot(at(20), [status("a", "READY", -60), status("b", "READY", -60)])) == 2


def test_a_state_that_was_left_and_entered_again_during_an_outage_is_dated_anew():
    feed = running("a", "b")
    feed.reconnected()
    given = feed.snapshot(at(30), [status("a", "READY", 12), status("b", "READY")])
    assert told(given) == [("b", "READY", -60), ("a", "READY", 12)]


def test_a_state_that_waits_when_the_feed_is_reconnected_still_waits():
    feed = running("a")
    feed.change(at(9), status("a", "BUSY", 9))
    feed.reconnected()
    assert feed.snapshot(at(10), [status("a", "BUSY", 9)]) == []
    assert told(feed.due(at(12))) == [("a", "BUSY", 9)]


def test_a_state_shorter_than_the_dwell_at_a_reconnect_leaves_the_one_before_to_be_repeated():
    feed = running("a")
    feed.change(at(9), status("a", "BUSY", 9))
    feed.reconnected()
    assert told(feed.snapshot(at(10), [status("a", "READY", 10)])) == [("a", "READY", 10)]
    assert feed.next_due() is None


def test_in_a_full_snapshot_a_state_without_a_start_counts_as_having_lasted():
    feed = feed_of()
    given = feed.snapshot(at(0), [status("a", "READY"), status("b", "READY", -1)])
    assert told(given) == [("a", "READY", 0)]
    assert told(feed.due(at(2))) == [("b", "READY", -1)]


# --- the dwell ----------------------------------------------------------------------------------------


def test_a_state_is_given_when_it_has_lasted_three_seconds_and_not_before():
    assert timedelta(seconds=3) == MINIMUM_DWELL
    feed = running("a")
    assert feed.change(at(10), status("a", "BUSY")) == []
    assert feed.next_due() == at(13)
    assert feed.due(at(12.999)) == []
    assert told(feed.due(at(13))) == [("a", "BUSY", 10)]
    assert feed.next_due() is None
    assert feed.due(at(14)) == []


def test_inside_the_dwell_the_last_state_wins():
    feed = running("a")
    feed.change(at(10), status("a", "RING"))
    feed.change(at(12), status("a", "BUSY"))
    assert feed.due(at(13)) == []
    assert told(feed.due(at(15))) == [("a", "BUSY", 12)]


def test_a_state_left_within_the_dwell_for_the_one_before_leaves_no_trace():
    feed = running("a")
    feed.change(at(10), status("a", "RING"))
    assert feed.change(at(12), status("a", "READY", 12)) == []
    assert feed.next_due() is None
    assert feed.due(at(60)) == []


def test_a_state_that_had_lasted_is_given_though_nobody_asked_when_it_was_due():
    feed = running("a")
    feed.change(at(10), status("a", "RING"))
    assert told(feed.change(at(20), status("a", "BUSY", 13))) == [("a", "RING", 10), ("a", "BUSY", 13)]


def test_a_state_that_turns_out_to_have_been_short_is_not_given():
    feed = running("a")
    feed.change(at(10), status("a", "RING"))
    assert told(feed.change(at(20), status("a", "BUSY", 12.999))) == [("a", "BUSY", 12.999)]


def test_the_dwell_is_counted_from_the_real_start():
    feed = running("a")
    assert feed.change(at(10), status("a", "BUSY", 8)) == []
    assert feed.next_due() == at(11)


def test_next_due_is_the_earliest_of_all_agents():
    feed = running("a", "b")
    feed.change(at(10), status("a", "BUSY"))
    feed.change(at(11), status("b", "BUSY", 9))
    assert feed.next_due() == at(12)
    assert told(feed.due(at(12))) == [("b", "BUSY", 9)]
    assert feed.next_due() == at(13)


def test_every_call_gives_what_is_due_by_then():
    feed = running("a", "b")
    feed.change(at(10), status("a", "BUSY"))
    assert told(feed.change(at(20), status("b", "READY", -60))) == [("a", "BUSY", 10)]


def test_the_dwell_can_be_another_one_also_none():
    feed = running("a", minimum_dwell=timedelta(0))
    assert told(feed.change(at(10), status("a", "BUSY"))) == [("a", "BUSY", 10)]
    assert running("a", minimum_dwell=timedelta(seconds=10)).change(at(10), status("a", "BUSY", 1)) == []


# --- times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "dated"), [(None, 100), (100, 100), (20, 20), (-60, -60), (101, 100), (-61, 100)]
)
def test_a_start_is_believed_when_it_is_neither_in_the_future_nor_before_the_state_that_it_follows(
    since, dated
):
    feed = running("a")
    given = [*feed.change(at(100), status("a", "BUSY", since)), *feed.due(at(200))]
    assert told(given) == [("a", "BUSY", dated)]


def test_times_come_out_in_utc_whatever_zone_they_came_in():
    feed = feed_of()
    moment = datetime(2024, 4, 17, 12, tzinfo=ZoneInfo("Europe/Paris"))
    (state,) = feed.snapshot(
        moment, [AgentStatus(login_id="a", event_code="READY", since=moment)]
    ) or feed.due(at(3))
    assert state.event_utc_time == START
    assert state.event_utc_time.tzinfo is UTC


@pytest.mark.parametrize("call", [lambda f, now: f.snapshot(now, []), StateFeed.change, StateFeed.due])
def test_a_time_without_a_zone_is_refused(call):
    with pytest.raises(ValueError, match="2024-04-17T10:00:00 has no time zone: give it its tzinfo"):
        call(feed_of(), datetime(2024, 4, 17, 10))  # noqa: DTZ001 - naive on purpose


def test_a_clock_set_back_stops_nothing_and_no_state_is_dated_before_the_one_before():
    feed = feed_of()
    feed.snapshot(at(3600), [status("a", "READY")])
    feed.change(at(3600), status("a", "RING"))
    assert told(feed.due(at(5))) == [("a", "RING", 3600)]
    feed.change(at(6), status("a", "BUSY", 6))
    assert feed.next_due() == at(9)
    assert told(feed.due(at(9))) == [("a", "BUSY", 3600)]


# --- login and log-off --------------------------------------------------------------------------------


def test_who_appears_gets_the_login_and_then_the_real_state():
    feed = running("a")
    both = [status("a", "READY", -60), status("b", "READY", 18)]
    assert told(feed.snapshot(at(20), both)) == [("b", IN, 17.999)]
    assert told(feed.due(at(21))) == [("b", "READY", 18)]
    assert told(feed.change(at(30), status("c", "AUX"))) == [("c", IN, 29.999)]


def test_who_is_in_the_first_snapshot_or_changes_before_it_gets_no_login():
    feed = feed_of()
    assert feed.change(at(0), status("a", "READY")) == []
    assert told(feed.snapshot(at(10), [status("a", "READY"), status("b", "AUX", 0)])) == [
        ("a", "READY", 0),
        ("b", "AUX", 0),
    ]


def test_a_login_that_the_acd_tells_is_given_at_once_and_only_once():
    feed = running("a")
    assert told(feed.change(at(10), status("b", IN, 9))) == [("b", IN, 9)]
    assert feed.change(at(10.5), status("b", "AUX", 10)) == []
    assert told(feed.due(at(13))) == [("b", "AUX", 10)]


def test_who_vanished_from_a_snapshot_is_logged_off_at_the_time_of_the_snapshot():
    feed = running("a", "b")
    assert feed.snapshot(at(10), [status("a", "READY", -60)]) == []
    assert feed.snapshot(at(12), [status("a", "READY", -60)]) == []
    assert told(feed.due(at(13))) == [("b", OUT, 10)]
    assert feed.snapshot(at(20), [status("a", "READY", -60)]) == []


def test_who_is_back_within_the_dwell_was_never_away():
    feed = running("a", "b")
    feed.snapshot(at(10), [status("a", "READY", -60)])
    assert feed.change(at(12), status("b", "READY", -60)) == []
    assert feed.next_due() is None


def test_a_state_that_had_lasted_is_given_before_the_log_off():
    feed = running("a", "b")
    feed.change(at(5), status("b", "BUSY"))
    assert told(feed.snapshot(at(60), [status("a", "READY", -60)])) == [("b", "BUSY", 5)]
    assert told(feed.due(at(63))) == [("b", OUT, 60)]


def test_who_vanished_before_anything_was_given_is_still_logged_off():
    feed = feed_of()
    assert told(feed.snapshot(at(0), [status("a", "READY"), status("b", "READY", -1)])) == [("a", "READY", 0)]
    assert feed.snapshot(at(1), [status("a", "READY")]) == []
    assert told(feed.due(at(4))) == [("b", OUT, 1)]


@pytest.mark.parametrize("reason", [None, "7"])
def test_a_log_off_that_the_acd_tells_is_a_log_off_whatever_its_reason(reason):
    feed = running("a", "b")
    told_off = told(feed.change(at(10), status("b", OUT, 5, reason=reason)))
    assert told_off == [("b", OUT + (" 7" if reason else ""), 5)]
    assert known(feed) == ["a"]
    assert feed.change(at(20), status("b", OUT, 5, reason=reason)) == []
    assert feed.snapshot(at(30), [status("a", "READY", -60), status("b", OUT, 5, reason=reason)]) == []


def test_in_a_full_snapshot_those_who_are_listed_as_logged_off_are_given_too_without_a_login():
    feed = running("a")
    feed.reconnected()
    given = feed.snapshot(at(20), [status("a", "READY", -60), status("b", OUT, 5)])
    assert told(given) == [("a", "READY", -60), ("b", OUT, 5)]
    assert known(feed) == ["a"]


def test_who_comes_back_gets_a_login_again_and_is_not_dated_before_the_log_off():
    feed = running("a", "b")
    feed.snapshot(at(10), [status("a", "READY", -60)])
    feed.due(at(13))
    back = [status("a", "READY", -60), status("b", "READY", -60)]
    assert told(feed.snapshot(at(30), back)) == [("b", IN, 29.999)]
    assert told(feed.due(at(33))) == [("b", "READY", 30)]


def test_a_log_off_and_a_new_login_that_come_in_one_call_are_all_given_in_order():
    feed = running("a", "b")
    feed.snapshot(at(10), [status("a", "READY", -60)])
    both = [status("a", "BUSY", 40), status("b", "READY", 50)]
    assert told(feed.snapshot(at(60), both)) == [
        ("b", OUT, 10),
        ("a", "BUSY", 40),
        ("b", IN, 49.999),
        ("b", "READY", 50),
    ]


def test_a_login_is_not_dated_before_the_log_off_that_it_follows():
    feed = running("a", "b")
    feed.change(at(10), status("b", OUT, 10))
    given = [*feed.change(at(13), status("b", "READY", 13)), *feed.due(at(20))]
    assert told(given) == [("b", OUT, 10), ("b", IN, 12.999), ("b", "READY", 13)]
    feed = running("a", "b", minimum_dwell=timedelta(0))
    given = [*feed.change(at(10), status("b", OUT, 10)), *feed.change(at(10), status("b", "READY", 10))]
    assert told(given) == [("b", OUT, 10), ("b", IN, 10), ("b", "READY", 10)]


def test_who_was_listed_as_logged_off_for_less_than_the_dwell_was_never_away():
    feed = running("a")
    feed.reconnected()
    feed.snapshot(at(10), [status("a", "READY", -60), status("b", OUT, 9)])
    assert told([*feed.change(at(11), status("b", "READY", 11)), *feed.due(at(14))]) == [("b", "READY", 11)]


def test_a_snapshot_without_agents_is_refused_where_some_were_known_and_changes_nothing():
    feed = running("a", "b")
    with pytest.raises(ValidationError) as refused:
        feed.snapshot(at(10), [])
    assert [attrs.astuple(fault) for fault in refused.value.faults] == [
        (
            "$",
            "no agent, where 2 were known",
            "at least one agent, or empty_is_real=True where all have logged off",
        )
    ]
    assert feed.next_due() is None
    assert feed.snapshot(at(20), [status("a", "READY", -60), status("b", "READY", -60)]) == []


def test_a_snapshot_without_agents_logs_all_off_where_that_is_so():
    feed = running("a", "b")
    assert feed.snapshot(at(10), [], empty_is_real=True) == []
    assert told(feed.due(at(13))) == [("a", OUT, 10), ("b", OUT, 10)]
    assert feed.snapshot(at(20), []) == []
    assert told(feed.snapshot(at(30), [status("a", "READY", 25)])) == [("a", IN, 24.999), ("a", "READY", 25)]


def test_a_snapshot_that_breaks_off_in_the_middle_changes_nothing():
    def broken():
        yield status("a", "BUSY", 5)
        raise TimeoutError

    feed = running("a", "b")
    with pytest.raises(TimeoutError):
        feed.snapshot(at(10), broken())
    assert feed.next_due() is None
    assert feed.snapshot(at(20), [status("a", "READY", -60), status("b", "READY", -60)]) == []


def test_memory_is_bounded_by_the_agents_that_are_known():
    feed = feed_of()
    for day in range(50):
        agents = [status(f"{day}-{n}", "READY") for n in range(20)]
        feed.snapshot(at(86400 * day), [*agents, *agents])
        feed.snapshot(at(86400 * day + 3600), [], empty_is_real=True)
        feed.due(at(86400 * day + 3700))
    assert told(feed.last_sent()) == [("49-19", OUT, 86400 * 49 + 3600)]
    assert {name: len(kept) for name, kept in vars(feed).items() if hasattr(kept, "__len__")} == {
        "_acd_id": 6,
        "_login_code": 5,
        "_logoff_code": 6,
        "_rank": 0,
        "_sent": 0,
        "_held": 0,
        "_parallel": 0,
    }


# --- parallel states ----------------------------------------------------------------------------------


def shown_of(*statuses, rank=("CALL", "CHAT")):
    return told(feed_of(rank=rank).snapshot(at(100), statuses))


def test_of_parallel_states_the_one_with_the_best_rank_counts():
    call, chat, mail = status("a", "CALL", 50), status("a", "CHAT", 20), status("a", "MAIL", 10)
    for statuses in ([mail, chat, call], [call, mail, chat], [chat, call, mail]):
        assert shown_of(*statuses) == [("a", "CALL", 50)]
    assert shown_of(mail, chat) == [("a", "CHAT", 20)]
    assert shown_of(status("a", "MAIL", 10), status("a", "FAX", 5)) == [("a", "FAX", 5)]


def test_of_states_of_equal_rank_the_oldest_counts_and_the_choice_does_not_depend_on_the_order():
    first, second, undated = status("a", "CHAT", 20, "x"), status("a", "CHAT", 30, "y"), status("a", "CHAT")
    for statuses in ([first, second, undated], [undated, second, first]):
        assert shown_of(*statuses) == [("a", "CHAT x", 20)]
    assert shown_of(status("a", "M"), status("a", "K")) == shown_of(status("a", "K"), status("a", "M"))


def test_without_a_rank_the_oldest_state_counts():
    assert shown_of(status("a", "CALL", 50), status("a", "CHAT", 20), rank=()) == [("a", "CHAT", 20)]


def test_the_state_behind_a_better_one_begins_when_it_comes_to_the_front():
    feed = running("a", rank=["CALL", "CHAT"])
    call, chat = status("a", "CALL", 10), status("a", "CHAT", 20)
    assert told(feed.change(at(15), call)) == [("a", "CALL", 10)]
    assert feed.change(at(20), call, chat) == []
    assert feed.change(at(40), chat) == []
    assert told(feed.due(at(43))) == [("a", "CHAT", 40)]


def test_a_snapshot_remembers_who_had_several_states_as_a_change_does():
    feed = running("a", rank=["CALL", "CHAT"])
    call, chat = status("a", "CALL", 10), status("a", "CHAT", 20)
    assert told(feed.snapshot(at(30), [call, chat])) == [("a", "CALL", 10)]
    assert told(feed.snapshot(at(60), [status("a", "MAIL", 45)])) == [("a", "MAIL", 45)]
    assert told(feed.snapshot(at(90), [status("a", "CHAT", 50)])) == [("a", "CHAT", 50)]


def test_an_agent_with_one_state_again_is_dated_as_the_acd_says():
    feed = running("a", rank=["CALL", "CHAT"])
    feed.change(at(20), status("a", "CALL", 10), status("a", "CHAT", 20))
    feed.change(at(30), status("a", "CALL", 10))
    assert told(feed.change(at(60), status("a", "MAIL", 15))) == [("a", "MAIL", 15)]


# --- what is sent together ----------------------------------------------------------------------------


def test_many_who_log_in_together_fill_two_requests_not_one_each():
    feed = running("a")
    many = [status(f"agent {n}", "READY", n % 7) for n in range(100)]
    given = feed.snapshot(at(60), [status("a", "READY", -60), *many])
    assert len(given) == 200
    cut = list(batches(given, 1000, 10**6, several_per_agent=False))
    assert [{state.event_code for state in batch} for batch in cut] == [{IN}, {"READY"}]
    assert [list(batch) for batch in cut] == [sorted(batch, key=lambda s: s.event_utc_time) for batch in cut]


# --- a restart ----------------------------------------------------------------------------------------


def test_a_feed_that_knows_what_was_sent_logs_off_who_left_while_nobody_looked():
    before = running("a", "b")
    kept = AgentStateList(agent_state_list=before.last_sent()).to_json()
    after = feed_of(last_sent=AgentStateList.from_json(kept).agent_state_list)
    assert after.last_sent() == before.last_sent()
    given = after.snapshot(at(600), [status("a", "READY", -60), status("c", "AUX", 500)])
    assert told(given) == [("a", "READY", -60), ("c", IN, 499.999), ("c", "AUX", 500)]
    assert told(after.due(at(603))) == [("b", OUT, 600)]


def test_of_what_was_sent_the_last_state_of_an_agent_counts_and_a_log_off_ends_it():
    feed = feed_of()
    sent = [
        *feed.snapshot(at(0), [status("a", "READY"), status("b", "READY")]),
        *feed.change(at(10), status("a", "BUSY", 5), status("b", OUT, 5)),
    ]
    assert told(feed_of(last_sent=sent[:4]).last_sent()) == told(feed.last_sent())
    assert known(feed_of(last_sent=sent)) == ["a"]


def test_who_comes_back_after_a_restart_is_not_dated_before_the_log_off_either():
    before = running("a", "b")
    before.snapshot(at(10), [status("a", "READY", -60)])
    before.due(at(13))
    after = feed_of(last_sent=before.last_sent())
    given = after.snapshot(at(20), [status("a", "READY", -60), status("b", "READY", -60)])
    assert told(given) == [("a", "READY", -60), ("b", IN, 19.999)]


def test_the_latest_log_off_is_the_one_that_is_kept():
    feed = running("a", "b", "c")
    assert told(feed.change(at(20), status("a", OUT, 15))) == [("a", OUT, 15)]
    assert told(feed.change(at(30), status("b", OUT, 10))) == [("b", OUT, 10)]
    assert told(feed.last_sent()) == [("a", OUT, 15), ("c", "READY", -60)]
    assert told(feed.change(at(40), status("a", "READY", 12))) == [("a", IN, 39.999)]


# --- settings -----------------------------------------------------------------------------------------


def test_settings_that_cannot_work_are_refused_all_at_once():
    other = AgentState(login_id="a", acd_id="Other", event_code="READY", event_utc_time=START)
    with pytest.raises(ConfigurationError) as refused:
        feed_of(login_code=OUT, rank="CALL", minimum_dwell=timedelta(-1), last_sent=[other])
    assert refused.value.problems == (
        "login_code and logoff_code are the same: CXone could not tell them apart",
        "rank is one text: give a sequence of event codes",
        "minimum_dwell is negative: give at least timedelta(0)",
        "last_sent is of the ACD Other, acd_id is Tenant",
    )


@pytest.mark.parametrize("name", ["acd_id", "login_code", "logoff_code"])
def test_a_name_that_an_agent_state_cannot_hold_is_refused_when_the_feed_is_made(name):
    with pytest.raises(ValidationError, match="text of 1 to 256 characters"):
        feed_of(**{name: ""})


@pytest.mark.parametrize(
    ("changes", "path", "found"),
    [
        ({"login_id": ""}, "login_id", "''"),
        ({"event_code": 30}, "event_code", "30"),
        ({"reason_code": 7}, "reason_code", "7"),
        ({"since": datetime(2024, 4, 17)}, "since", "2024-04-17T00:00:00, a time without its offset"),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_a_status_is_checked_when_it_is_built(changes, path, found):
    with pytest.raises(ValidationError) as refused:
        AgentStatus(**{"login_id": "a", "event_code": "READY", **changes})
    assert [(fault.path, fault.found) for fault in refused.value.faults] == [(path, found)]


# --- against a brute-force reading of the whole day ---------------------------------------------------

TICK = 0.5
DWELL = 6  # ticks
CODES = ["READY", "CALL", "CHAT"]
RANK = ["CALL", "CHAT"]

contacts = st.sets(st.sampled_from(CODES), min_size=1, max_size=2).map(frozenset)
lengths = st.sampled_from([1, 2, 3, 5, 6, 7, 12, 20])
days = st.lists(st.tuples(st.none() | contacts, lengths), min_size=1, max_size=12)


def by_ticks(day):
    """For each tick the set of codes that the agent is in; None when logged off."""
    return [codes for codes, length in day for _ in range(length)]


def collapsed(codes):
    return None if codes is None else min(codes, key=(RANK + CODES).index)


def expected_of(ticks):
    """What is to be given of one agent's day, read when it is over: the length of every run is known."""
    runs, start = [], 0
    for code, group in groupby(ticks, key=collapsed):
        length = len(list(group))
        runs.append((code, start, length))
        start += length
    known, shown, out = False, None, []
    for code, start, length in runs:
        if code is None:
            if known and length >= DWELL:
                out.append((OUT, start * TICK))
                known, shown = False, None
            continue
        if not known and start > 0:
            out.append((IN, start * TICK - 0.001))
            shown = IN
        known = True
        if code != shown and length >= DWELL:
            out.append((code, start * TICK))
            shown = code
    return out


def statuses_of(name, day, tick, chance):
    """Each state at this tick with its start, or without it where it began just now."""
    for code in day[tick] or ():
        began = next(t for t in range(tick, -1, -1) if t == 0 or code not in (day[t - 1] or ()))
        yield status(name, code, began * TICK if began < tick or chance.random() < 0.5 else None)


def fed(days, chance):
    """All that a feed gave: changes come as they happen, snapshots and calls of `due` at random."""
    feed, given = feed_of(rank=RANK), []
    for tick in range(len(next(iter(days.values())))):
        now = at(tick * TICK)
        here = {name: list(statuses_of(name, day, tick, chance)) for name, day in days.items()}
        for name in chance.sample(list(days), len(days)):
            if tick and days[name][tick] != days[name][tick - 1]:
                given += feed.change(now, *chance.sample(here[name], len(here[name])) or [status(name, OUT)])
        if tick == 0 or chance.random() < 0.2:
            everyone = [
                attrs.evolve(each, since=each.since or now) for states in here.values() for each in states
            ]
            given += feed.snapshot(now, everyone, empty_is_real=True)
        elif chance.random() < 0.5:
            given += feed.due(now)
        assert all(state.event_utc_time <= now for state in given)
    return given + feed.due(now + timedelta(seconds=TICK))


@settings(max_examples=150, deadline=None)
@given(st.lists(days, min_size=1, max_size=3), st.integers(0, 2**32))
def test_whatever_comes_in_between_exactly_the_runs_that_lasted_are_given_with_their_times(everybody, seed):
    ticks = [by_ticks(day) for day in everybody]
    longest = max(map(len, ticks))
    days = {f"agent {n}": day + day[-1:] * (longest - len(day)) for n, day in enumerate(ticks)}
    given = told(fed(days, random.Random(seed)))
    for name, day in days.items():
        assert [(code, moment) for agent, code, moment in given if agent == name] == expected_of(day)


polls = st.lists(
    st.tuples(
        st.sampled_from([0, 0.4, 1, 2, 4, 30]),
        st.dictionaries(
            st.sampled_from("abc"),
            st.tuples(st.sampled_from([*CODES, IN, OUT]), st.none() | st.integers(-40, 5)),
        ),
        st.sampled_from(["snapshot", "snapshot", "change", "due", "reconnected", "restart"]),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(polls)
def test_whatever_an_acd_says_times_never_go_back_nothing_is_repeated_and_who_left_is_forgotten(polls):
    feed, last, now, began = feed_of(), {}, START, False
    for wait, agents, kind in polls:
        now += timedelta(seconds=wait)
        statuses = [
            AgentStatus(login_id=a, event_code=c, since=None if s is None else now + timedelta(seconds=s))
            for a, (c, s) in agents.items()
        ]
        full = False
        if kind == "reconnected":
            feed.reconnected()
            full, given = True, feed.snapshot(now, statuses, empty_is_real=True)
        elif kind == "restart":
            feed = feed_of(last_sent=feed.last_sent())
            full, given = True, feed.snapshot(now, statuses, empty_is_real=True)
        elif kind == "snapshot":
            full = not began
            given = feed.snapshot(now, statuses, empty_is_real=True)
        else:
            given = feed.change(now, *statuses) if kind == "change" else feed.due(now)
        began = began or kind not in {"change", "due"}
        for state in given:
            before = last.get(state.login_id)
            assert state.event_utc_time <= now
            if before is not None:
                assert before.event_utc_time <= state.event_utc_time
                assert before.event_code != state.event_code or full or state.event_code == OUT
            last[state.login_id] = state
        alive = {name: state for name, state in last.items() if state.event_code != OUT}
        assert {state.login_id: state for state in feed.last_sent() if state.event_code != OUT} == alive
        assert len(feed.last_sent()) <= len(alive) + 1
        assert (feed.next_due() or at(10**6)) > now

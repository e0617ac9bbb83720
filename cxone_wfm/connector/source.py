"""AcdSource: what the user gives to the connector. And one extract of it into an aggregator."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from ..intervals import Interval
from ._failures import told
from .aggregation import IntervalAggregator, NoDataError
from .records import AgentStatus, AgentTime, Contact

__all__ = ["AcdSource", "extract"]


class AcdSource(Protocol):
    """What is asked of an ACD. Three methods; whatever one of them raises says that it failed.

    A method that cannot tell must raise. An empty answer is a fact: nobody is there, nothing happened.
    The text of what it raises is logged and shown in the health: let no secret be in it.
    They are called one at a time, from the connector's thread. Give them time-outs: while one of them
    waits, nothing else goes on.
    """

    def agents(self, now: datetime) -> Iterable[AgentStatus]:
        """What every agent who is logged in does now. An agent who is missing has logged off."""
        ...

    def contacts(self, interval: Interval) -> Iterable[Contact]:
        """Every contact that arrived, was answered or ended in the interval, as it is known by now.

        Those that are in other intervals too are given for each of them. A contact that the ACD has learnt
        of late may be given with any interval, as long as its own can be corrected; and again whenever that
        interval is asked for, for after a start all that can be corrected is asked for anew.
        """
        ...

    def agent_time(self, interval: Interval) -> Iterable[AgentTime]:
        """What every agent did in the interval. Spans may reach beyond it; they are cut."""
        ...


def extract(source: AcdSource, interval: Interval, aggregator: IntervalAggregator) -> list[Contact]:
    """Bring what the source has of the interval into the aggregator, and complete it.

    Where it fails the interval is not complete, whatever came before the failure. Returns the contacts that
    came too late for any report. Raises `NoDataError` where a method of the source failed, where what it
    gave is not valid, and where the aggregator no longer holds the interval.
    """
    method = "contacts"
    try:
        contacts = list(source.contacts(interval))
        method = "agent_time"
        spans = list(source.agent_time(interval))
        method = "contacts"  # what it gave may be wrong as well
        too_late = aggregator.add_contacts(contacts)
        method = "agent_time"
        aggregator.add_agent_time(spans)
    except Exception as error:
        reason = f"{method}() of the source failed with {told(error)}"
        aggregator.failed(interval, reason)
        raise NoDataError(interval, reason) from error
    aggregator.complete(interval)
    return too_late

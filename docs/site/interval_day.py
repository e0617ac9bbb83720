"""A picture of a day's intervals: what a local CXone WFM holds after a day of calls was pushed to it.

The calls are drawn by lot, always the same ones. One extract fails, as they do.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from random import Random

from cxone_wfm import Interval, WfmClient
from cxone_wfm.connector import Contact, IntervalAggregator, NoDataError, Queue
from cxone_wfm.models import QueueReport
from cxone_wfm.simulator import Simulator

OPENS = datetime(2024, 4, 17, 8, tzinfo=timezone.utc)
HOURS = 11
FAILED = Interval.containing(OPENS + timedelta(hours=5, minutes=30))
THRESHOLD = timedelta(seconds=20)
_GIVE_UP = 0.6
"""Of those who wait long, so many."""

_WIDTH, _LEFT, _STEP, _BAR = 920, 56, 19, 15
_BARS_TOP, _BARS_FOOT, _LINE_TOP, _LINE_FOOT = 52, 232, 282, 392
_MOST_CONTACTS, _LONGEST_MINUTES = 40, 8
_COLOURS = {"handled in time": "#2a9d8f", "handled later": "#8ecfc6", "abandoned": "#e76f51"}
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}"
    ".t{font-weight:600;font-size:15px}.s{fill:#777;font-size:12px}"
)


def calls() -> Iterator[Contact]:
    """A day's calls: a peak before noon, a lower one in the afternoon, more waiting when there are many."""
    lot = Random(8057)  # noqa: S311 - always the same day
    for minute in range(HOURS * 60 - 15):
        hour = minute / 60
        busy = max(0.2, 2.1 - (hour - 3) ** 2 / 4, 1.5 - (hour - 7.5) ** 2 / 5)
        for number in range(5):
            if lot.random() < busy / 5:
                arrived = OPENS + timedelta(minutes=minute, seconds=60 * lot.random())
                wait = timedelta(seconds=60 * busy**2 * lot.random() ** 3)
                gives_up = wait > timedelta(seconds=75) and lot.random() < _GIVE_UP
                talk = timedelta(seconds=60 + 420 * lot.random() * lot.random() + 30 * busy)
                answered = None if gives_up else arrived + wait
                yield Contact(
                    contact_id=f"{minute}-{number}",
                    queue="8057",
                    arrived=arrived,
                    answered=answered,
                    ended=arrived + wait if answered is None else answered + talk,
                    talk_time=None if gives_up else talk,
                )


def pushed() -> list[QueueReport | None]:
    """The queue's row of each interval, as the simulator holds it; None where nothing was sent."""
    aggregator = IntervalAggregator(
        acd_type="Generic_acdName",
        queues=[Queue(value="8057", name="Orders", service_level_threshold=THRESHOLD)],
    )
    aggregator.add_contacts(calls())
    starts = [OPENS + timedelta(minutes=15 * number) for number in range(HOURS * 4)]
    with Simulator() as simulator, WfmClient(simulator.config()) as wfm:
        for interval in map(Interval.containing, starts):
            if interval == FAILED:
                aggregator.failed(interval, "the extract was cut short")
            else:
                aggregator.complete(interval)
            try:
                wfm.reports.send_historical(aggregator.report(interval))
            except NoDataError:
                continue
        held = {report.start_date: report.report_data for report in simulator.received.historical_reports}
    return [(held[start].queue_report or (None,))[0] if start in held else None for start in starts]


def picture() -> str:
    """The day as an SVG: contacts as bars, the mean handle time as dots below them."""
    rows = pushed()
    foot = _LEFT + _STEP * len(rows)
    shapes = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} 430" role="img">',
        "<title>One queue, one day, as a local CXone WFM holds it</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="430" rx="8" fill="#fff"/>',
        f'<text class="t" x="{_LEFT}" y="26">Contacts in 15 minutes</text>',
        *_legend(),
        f'<text class="t" x="{_LEFT}" y="{_LINE_TOP - 12}">Mean handle time, minutes</text>',
    ]
    for contacts in range(0, _MOST_CONTACTS + 1, 10):
        shapes += _grid_line(_BARS_FOOT - _height_of(contacts), contacts, foot)
    for minutes in range(0, _LONGEST_MINUTES + 1, 2):
        shapes += _grid_line(_minutes_at(minutes), minutes, foot)
    for number, row in enumerate(rows):
        x = _LEFT + _STEP * number
        shapes += _failed(x) if row is None else _interval(x, row)
        if number % 4 == 0:
            shapes.append(f'<text class="s" x="{x}" y="{_LINE_FOOT + 20}">{8 + number // 4:02}:00</text>')
    return "\n".join([*shapes, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    x = 430
    for name, colour in _COLOURS.items():
        yield f'<rect x="{x}" y="16" width="11" height="11" fill="{colour}"/>'
        yield f'<text class="s" x="{x + 17}" y="26">{name}</text>'
        x += 40 + 8 * len(name)


def _height_of(contacts: float) -> int:
    return round(contacts * (_BARS_FOOT - _BARS_TOP) / _MOST_CONTACTS)


def _minutes_at(minutes: float) -> int:
    return round(_LINE_FOOT - minutes * (_LINE_FOOT - _LINE_TOP) / _LONGEST_MINUTES)


def _grid_line(y: int, value: int, to: int) -> Iterator[str]:
    yield f'<path d="M{_LEFT} {y}H{to}" stroke="#e3e3e3"/>'
    yield f'<text class="s" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{value}</text>'


def _interval(x: int, row: QueueReport) -> Iterator[str]:
    y = _BARS_FOOT
    in_time, later = row.handled_short or 0, row.handled_long or 0
    given_up = (row.abandoned_short or 0) + (row.abandoned_long or 0)
    for colour, contacts in zip(_COLOURS.values(), (in_time, later, given_up), strict=True):
        if height := _height_of(contacts):
            y -= height
            yield f'<rect x="{x}" y="{y}" width="{_BAR}" height="{height}" fill="{colour}"/>'
    if in_time + later:
        mean = (row.handle_time or 0) / (in_time + later) / 60
        yield f'<circle cx="{x + _BAR / 2}" cy="{_minutes_at(mean)}" r="3.5" fill="#264653"/>'


def _failed(x: int) -> Iterator[str]:
    yield (
        f'<rect x="{x - 1}" y="{_BARS_TOP}" width="{_BAR + 2}" height="{_LINE_FOOT - _BARS_TOP}"'
        ' fill="#f3e3df" stroke="#e76f51" stroke-dasharray="3 3"/>'
    )
    yield f'<text class="s" x="{x + _BAR + 6}" y="{_BARS_TOP + 10}">extract failed:</text>'
    yield f'<text class="s" x="{x + _BAR + 6}" y="{_BARS_TOP + 25}">a gap, never zeros</text>'

"""Rules for the fields that WFM needs of a medium; off for queues whose medium was not told (WFM25x)."""

from collections import defaultdict
from collections.abc import Iterator

from ..._wire import wire_name
from ...models.historical import HistoricalReport, QueueReport
from ._media import Media, Need, fields_that_are
from ._rows import Row, queues
from ._rule import Context, Hit, Rules, Severity

MEDIA_RULES: Rules[HistoricalReport] = Rules()


def _of_known_media(report: HistoricalReport, context: Context) -> Iterator[tuple[Row[QueueReport], Media]]:
    for row in queues(report):
        media = context.media_of(row.record.queue_value)
        if media is not None:
            yield row, media


@MEDIA_RULES.add(
    "WFM251",
    Severity.ERROR,
    summary="A measure that the queue's medium requires is left out.",
    advice="Send it; 0 where there was none.",
    source="field list: the needs of each medium",
    needs="media",
)
def required_measure_left_out(report: HistoricalReport, context: Context) -> Iterator[Hit]:
    for row, media in _of_known_media(report, context):
        for name in fields_that_are(Need.REQUIRED, media):
            if getattr(row.record, name) is None:
                wire = wire_name(QueueReport, name)
                yield Hit(
                    f"{row.path}.{wire}",
                    f"{wire} is left out, and {media.value} queues need it.",
                    {"queueValue": row.record.queue_value, "media": media.value},
                )


@MEDIA_RULES.add(
    "WFM252",
    Severity.NOTE,
    summary="Measures that WFM takes where an ACD has them are left out in every row of a medium.",
    advice="Map them if your ACD has them; if not, all is well.",
    source="field list: the needs of each medium",
    needs="media",
)
def available_measures_left_out(report: HistoricalReport, context: Context) -> Iterator[Hit]:
    rows: dict[Media, list[QueueReport]] = defaultdict(list)
    for row, media in _of_known_media(report, context):
        rows[media].append(row.record)
    for media, records in rows.items():
        names = [
            wire_name(QueueReport, name)
            for name in fields_that_are(Need.IF_AVAILABLE, media)
            if all(getattr(record, name) is None for record in records)
        ]
        if names:
            yield Hit(
                "$.reportData.queueReport",
                f"No {media.value} queue has {', '.join(names)}.",
                {"media": media.value, "rows": len(records), "fields": ", ".join(names)},
            )


@MEDIA_RULES.add(
    "WFM253",
    Severity.WARNING,
    summary="A measure that does not apply to the queue's medium is not 0.",
    advice="Leave it out, or check the medium that was told for this queue.",
    source="field list: the needs of each medium",
    needs="media",
)
def measure_does_not_apply(report: HistoricalReport, context: Context) -> Iterator[Hit]:
    for row, media in _of_known_media(report, context):
        for name in fields_that_are(Need.NOT_APPLICABLE, media):
            if getattr(row.record, name):
                wire = wire_name(QueueReport, name)
                yield row.hit(
                    f"{wire} does not apply to {media.value} queues.", name, more={"media": media.value}
                )


@MEDIA_RULES.add(
    "WFM254",
    Severity.WARNING,
    summary="isOutbound contradicts the queue's medium.",
    advice="Correct isOutbound, or the medium that was told for this queue.",
    source="field list: two media are inbound and two are outbound",
    needs="media",
)
def direction_against_medium(report: HistoricalReport, context: Context) -> Iterator[Hit]:
    for row, media in _of_known_media(report, context):
        if row.record.is_outbound is not None and row.record.is_outbound != media.is_outbound:
            yield row.hit(
                f"isOutbound is {str(row.record.is_outbound).lower()} for a queue that was said to be"
                f" {media.value}.",
                "is_outbound",
                "queue_value",
                more={"media": media.value},
            )

"""Media, and what WFM needs of a queue row for each: the published field list as data."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Media(Enum):
    """The media of a queue, as far as they decide which fields WFM needs."""

    IMMEDIATE_RESPONSE = "immediate-response"
    """Voice, live chat."""
    DEFERRABLE = "deferrable"
    """E-mail and whatever else can wait."""
    OUTBOUND_CAMPAIGN = "outbound-campaign"
    """An outdialer's campaign."""
    OUTBOUND = "outbound"
    """Other outbound."""

    @property
    def is_outbound(self) -> bool:
        """The direction of all contacts of such a queue."""
        return self in {Media.OUTBOUND_CAMPAIGN, Media.OUTBOUND}


class Need(Enum):
    """What WFM does with a field of a queue row."""

    REQUIRED = "req"
    IF_AVAILABLE = "ria"
    NOT_REQUIRED = "nr"
    NOT_APPLICABLE = "na"
    IGNORED = "ign"


_TABLE = """
contacts_received        ria req nr  nr
abandoned_short          ria nr  nr  nr
abandoned_long           ria nr  nr  nr
handled_short            ria nr  nr  nr
handled_long             req req na  na
handle_time              req req na  na
hold_time                ria nr  ria ria
work_time                ria ria ria ria
queue_delay_time         ria ria nr  nr
svc_lvl_pct              ign ria na  na
backlog                  na  ria na  na
backlog_not_expired      na  ria na  na
backlog_expired          na  ria na  na
right_party_contacts     na  na  req req
right_party_handle_time  na  na  req req
wrong_party_contacts     na  na  ria ria
wrong_party_handle_time  na  na  ria ria
active                   req req na  req
"""
"""One line for each measure; the columns are the media in the order of `Media`."""

NEEDS: Mapping[str, Mapping[Media, Need]] = MappingProxyType(
    {
        name: MappingProxyType(dict(zip(Media, map(Need, needs), strict=True)))
        for name, *needs in map(str.split, _TABLE.strip().splitlines())
    }
)
"""What WFM needs of each measure of `QueueReport`, by media. Source: the published field list."""


def fields_that_are(need: Need, media: Media) -> list[str]:
    """The measures with this need."""
    return [name for name, needs in NEEDS.items() if needs[media] is need]

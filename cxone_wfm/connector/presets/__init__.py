"""What is publicly known of single ACDs: their event sets, and the traps in their historical columns.

Each row is data, with its source and how sure it is. Nothing here is a promise of the ACD's vendor.
"""

from ._data import Confidence
from .event_sets import EventCode, EventSet, EventSetName, event_set
from .mapping import HistoricalMapping, MappedField, MappingName, historical_mapping, mapping_table

__all__ = [
    "Confidence",
    "EventCode",
    "EventSet",
    "EventSetName",
    "HistoricalMapping",
    "MappedField",
    "MappingName",
    "event_set",
    "historical_mapping",
    "mapping_table",
]

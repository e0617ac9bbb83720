"""Print the intervals of a local day on which the clocks go back: 100 of them, one hour twice.

Run it with `python examples/local_day.py`. On Windows install `tzdata` first, for `zoneinfo`.
"""

from datetime import date
from zoneinfo import ZoneInfo

from cxone_wfm.intervals import Interval


def main() -> None:
    zone = ZoneInfo("America/New_York")
    day = date(2024, 11, 3)
    intervals = Interval.of_local_day(day, zone)
    print(f"{day} in {zone} has {len(intervals)} intervals:")
    for interval in intervals:
        print(f"{interval.start.astimezone(zone):%H:%M %Z}  {interval}")


if __name__ == "__main__":
    main()

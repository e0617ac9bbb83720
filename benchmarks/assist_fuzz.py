"""Feed N random and mutated messages to both connections, and show that memory stays flat."""

import argparse
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import assist_fuzz

BATCH = 20_000


def main() -> None:
    """Print the largest memory of the process as it goes, and then the events that came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="messages to each side")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: dict[str, int] = {}
    done, start = 0, time.perf_counter()
    while done < arguments.count:
        size = min(BATCH, arguments.count - done)
        for name, number in assist_fuzz.run(size, arguments.seed + done).items():
            counts[name] = counts.get(name, 0) + number
        done += size
        if done % (10 * BATCH) == 0 or done == arguments.count:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(f"{done:>9} messages, {time.perf_counter() - start:6.1f} s, at most {peak} KiB so far")
    for name, number in sorted(counts.items()):
        print(f"{number:>9} {name}")


if __name__ == "__main__":
    main()

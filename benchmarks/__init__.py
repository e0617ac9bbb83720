"""How fast the library is, as ratios of one run on one machine.

    python -m benchmarks                              all parts in under three minutes: a table, a result file
    python -m benchmarks records outbox --full        two parts, at full size
    python -m benchmarks.compare OLD.json NEW.json --bound 10

A part is a module with `measure(size)`, which gives rows; `COMPARED` names the packages beside which it puts
ours, and what is not installed is left out (the dependency group `bench` brings all). Each part runs
several times, each time in a process of its own and in turn with the others, so that what the machine does
meanwhile shows in the spread, and not in the ratio of one row.
"""

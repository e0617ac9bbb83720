"""The fault harness: what breaks in the field, done on purpose, and counted.

Each module is a command, run with `tests` on the path: `PYTHONPATH=tests python -m faults.kill --cycles 60`.
It prints a table of what it did and found, and ends with 1 where a promise was broken.
`python -m faults` runs the push tier of all of them, `python -m faults --full` the whole.

The harness has a server, a proxy and a disk of its own, so that it cannot share a bug with the library.
"""

"""Streams that one core takes, with decoding: the endpoint on core 0, the generator on core 1.

python benchmarks/assist_load.py [streams] [seconds] [--record]

Prints what was lost and late, delivery times, CPU of both sides, memory, and the machine's load.
"""

import os
import resource
import sys
import tempfile

from cxone_assist.simulator.load import measured_endpoint

numbers = [argument for argument in sys.argv[1:] if argument.isdigit()]
streams = int(numbers[0]) if numbers else 2000
seconds = int(numbers[1]) if len(numbers) > 1 else 60
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
with tempfile.TemporaryDirectory() as directory:
    record = directory if "--record" in sys.argv else None
    print("load of the machine before:", os.getloadavg())
    with measured_endpoint(core=0, record=record) as endpoint:
        report = endpoint.load(streams=streams, seconds=seconds)
print(report)
print("clean" if report.clean else "NOT clean")

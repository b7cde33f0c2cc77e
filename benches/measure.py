"""What the benchmarks measure: a program's output, wall time and peak memory."""

import json
import os
import subprocess
import sys
import time


def measured(command, env):
    """The report that the command prints, its wall time in seconds, and its peak memory in MB. It must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Read to the end of both before it is waited for, or it could block on a full pipe.
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with status {status}:\n{errors.decode()}")
    # Kilobytes on Linux, bytes on macOS.
    return json.loads(output), wall, usage.ru_maxrss / (1000 if sys.platform == "linux" else 1_000_000)


def months(report):
    """The months of all exports of a report."""
    return [month for pipeline in report["pipelines"] for month in pipeline["months"]]


def statuses(report):
    """How many months have which status."""
    found = [month["status"] for month in months(report)]
    return {status: found.count(status) for status in set(found)}

"""Measures the output, wall time and peak memory of a program."""

import json
import os
import subprocess
import sys
import tempfile
import time


def measured(command, env):
    """Runs the command. Returns its report, its wall time in seconds and its peak memory in MB. The command must succeed."""
    started = time.perf_counter()
    # A file, not a second pipe: the program could block on one pipe while the other is read.
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        if status != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} ended with status {status}:\n{errors.read().decode()}")
    # Kilobytes on Linux, bytes on macOS.
    return json.loads(output), wall, usage.ru_maxrss / (1000 if sys.platform == "linux" else 1_000_000)


def months(report):
    """The months of all exports of a report."""
    return [month for pipeline in report["pipelines"] for month in pipeline["months"]]


def statuses(report):
    """The number of months of each status."""
    found = [month["status"] for month in months(report)]
    return {status: found.count(status) for status in set(found)}

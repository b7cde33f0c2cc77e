#!/usr/bin/env python3
"""Disturbs runs of finops at each of their requests, and checks the result of every order of events.

kill: kills a run before, or after, a request takes effect. The next run must load the newest delivery; each month is
      written once for each delivery; a reader sees each month unchanged or complete.
hold: pauses a request of a run while a newer delivery arrives and another run loads it. The newer delivery must remain.
many: starts eight runs at once. All must succeed, and each month is written once.

It prints a line for each group with its number of wrong points, and each wrong point below it. The exit code is 1 where a
point is wrong.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from proxy import Proxy
from world import EXPORTS, ROOT, STORAGE, World, end_of, started_servers, write_delivery

AT_ONCE = 2
RUNS, ROUNDS = 8, 3


class Group(NamedTuple):
    """Points with the same start: `old` is loaded where it is given, and `new` is in the bucket."""

    name: str
    new_world: object
    old: object
    new: object
    arguments: tuple = ()

    @property
    def writes(self):
        """The allowed numbers of writes of each month."""
        return [2 if self.old else 1]

    async def begin(self):
        world = self.new_world()
        await world.make_bucket()
        if self.old:
            await world.deliver(self.old)
            ended = await world.run()
            assert ended[0] == 0, f"before the point: {ended}"
        if self.new is not self.old:
            await world.deliver(self.new)
        return world


def wrong_months(what, found, allowed):
    """One line for all months with a value that is not allowed."""
    wrong = [month for month in sorted({*found, *allowed}) if found.get(month) not in allowed.get(month, ())]
    return [f"{what}: {len(wrong)} months are wrong, such as {month}: found {found.get(month)}, expected "
            + " or ".join(map(str, allowed.get(month, ()))) for month in wrong[:1]]


def wrong_ends(**ends):
    return [f"the {which} run ended with {code}: {error}" for which, (code, error) in ends.items() if code]


async def wrong_result(world, delivery, writes):
    """Differences between the tables and the delivery, and months with a wrong number of writes."""
    wrong = wrong_months("table", await world.figures(), {month: [due] for month, due in delivery.figures.items()})
    wrong += wrong_months("state", await world.records(), {month: [due] for month, due in delivery.records.items()})
    return wrong + wrong_months("writes", await world.writes(), dict.fromkeys(delivery.figures, writes))


async def wrong_view(world, group):
    """Months that a reader sees neither unchanged nor complete."""
    before, after = group.old.figures if group.old else {}, group.new.figures
    return wrong_months("a reader's view", await world.figures(), {m: (before.get(m), after[m]) for m in after})


async def undisturbed(group):
    """Runs without a disturbance. Returns the requests, and what was wrong after any of them."""
    world, wrong = await group.begin(), []

    async def check(number):
        wrong.extend(f"after request {number}: {text}" for text in await wrong_view(world, group))

    async with Proxy(world.servers, after=check) as proxy:
        ended = await world.run(*group.arguments, urls=proxy.urls)
    wrong += wrong_ends(only=ended) + await wrong_result(world, group.new, group.writes)
    await world.remove()
    return proxy.requests, wrong


async def kill(group, at, when):
    """Kills a run at a request. Returns the request, and what is wrong then or after the next run."""
    world = await group.begin()
    started = asyncio.get_running_loop().create_future()

    async def kill_process(number):
        if number == at:
            proxy.is_cut = True
            process = await started
            process.kill()
            await process.wait()

    async with Proxy(world.servers, **{when: kill_process}) as proxy:
        started.set_result(await world.start(*group.arguments, urls=proxy.urls))
        first = await end_of(started.result())
    wrong = [] if proxy.is_cut else wrong_ends(first=first)
    wrong += await wrong_view(world, group)
    wrong += wrong_ends(next=await world.run())
    wrong += await wrong_result(world, group.new, group.writes)
    await world.remove()
    return proxy.requests[at - 1] if proxy.is_cut else None, wrong


async def hold(group, at, newer):
    """Pauses a run at a request until another run has loaded a newer delivery. Returns the request, and what is wrong."""
    world = await group.begin()
    held, release = asyncio.Event(), asyncio.Event()

    async def wait(number):
        if number == at:
            held.set()
            await release.wait()

    async with Proxy(world.servers, before=wait) as proxy:
        process = await world.start(*group.arguments, urls=proxy.urls)
        end, reached = asyncio.create_task(end_of(process)), asyncio.create_task(held.wait())
        await asyncio.wait({end, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        await world.deliver(newer)
        second = await world.run()
        release.set()
        first = await end
    # The paused run may have written its delivery. A forced run may write a loaded delivery again.
    writes = range(1, 5 if group.arguments else 3)
    wrong = wrong_ends(held=first, second=second) + await wrong_result(world, newer, writes)
    await world.remove()
    return proxy.requests[at - 1] if held.is_set() else None, wrong


async def many(group):
    """Starts many runs at once."""
    world = await group.begin()
    ends = await asyncio.gather(*(world.run() for _ in range(RUNS)))
    wrong = wrong_ends(**{f"{number}th": ended for number, ended in enumerate(ends, 1)})
    wrong += await wrong_result(world, group.new, group.writes)
    await world.remove()
    return f"{RUNS} runs", wrong


async def run_group(kind, group, newer, options, free):
    """Runs all points of the group, or a slice. Returns the line to print, and what is wrong."""
    async def tried(what, *arguments):
        async with free:
            try:
                return await what(group, *arguments)
            except (AssertionError, RuntimeError, OSError) as error:
                return [], [f"{type(error).__name__}: {error}"]

    requests, wrong = ([], []) if kind == "many" else await tried(undisturbed)
    wrong = [f"undisturbed, {text}" for text in wrong]
    numbers = range(1, len(requests) + 1)
    points = {
        "kill": [(f"{when} request {number}", kill, number, when)
                 for number in numbers for when in ("before", "after")],
        "hold": [(f"before request {number}", hold, number, newer) for number in numbers],
        "many": [(f"round {number}", many) for number in range(1, ROUNDS + 1)],
    }[kind]
    points = points[options.seed % min(options.slice, len(points) or 1)::options.slice]
    ends = await asyncio.gather(*(tried(*point[1:]) for point in points))
    wrong += [f"{point[0]} ({request or 'not reached'}): {text}"
              for point, (request, texts) in zip(points, ends) for text in texts]
    counts = {"requests": len(requests), "points": len(ends), "wrong": sum(bool(texts) for _, texts in ends),
              "not reached": sum(request is None for request, _ in ends)}
    counted = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "wrong")
    return f"{kind} {group.name}: {counted}", wrong


async def torture(options, folder):
    """Runs all groups. Returns whether no point is wrong."""
    finops, emulator, generator = (options.bin / name for name in ("finops", "bigquery-emulator", "billing-exports"))
    for path in (finops, emulator, generator, STORAGE):
        if not path.exists():
            sys.exit(f"error: {path} does not exist\nhint: run `make servers` and `cargo build --workspace --bins`")
    free, started, all_right = asyncio.Semaphore(AT_ONCE), time.monotonic(), True
    async with started_servers(emulator) as servers:
        tasks = []
        for export in EXPORTS:
            first, newer = (write_delivery(generator, folder, export, number, options.seed) for number in (1, 2))
            for kind, start, *begins in [
                ("kill", "first load", None, first), ("kill", "redelivery", first, newer),
                ("hold", "first load", None, first), ("hold", "--force", first, first, ("--force",)),
                ("many", "first load", None, first), ("many", "redelivery", first, newer),
            ]:
                group = Group(f"{export.name}, {start}", lambda e=export: World(servers, finops, folder, e), *begins)
                if options.only in (None, kind):
                    tasks.append(asyncio.create_task(run_group(kind, group, newer, options, free)))
        for task in tasks:
            line, wrong = await task
            print(line, *(f"    {text}" for text in wrong), sep="\n", flush=True)
            all_right = all_right and not wrong
    result = "all points are right" if all_right else "some points are wrong"
    print(f"{result}, {time.monotonic() - started:.0f} s")
    return all_right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["kill", "hold", "many"], help="run only groups of this kind")
    parser.add_argument("--slice", type=int, default=1, metavar="N", help="run every Nth point of each group")
    parser.add_argument("--seed", type=int, default=1, help="seed of the amounts, and first point of a slice")
    parser.add_argument("--bin", type=Path, default=Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "debug"),
                        metavar="FOLDER", help="folder of the programs")
    options = parser.parse_args()
    options.bin = options.bin.absolute()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(not asyncio.run(torture(options, Path(folder))))


if __name__ == "__main__":
    main()

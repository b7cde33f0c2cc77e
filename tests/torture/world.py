"""The environment of the runs: deliveries, servers, and a separate project, bucket and table for each point."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections import namedtuple
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
STORAGE = ROOT / ".cache/bin/fake-gcs-server"
MONTHS = [f"2025-{month:02}" for month in range(4, 10)]

# `month` and `cost` are columns of the table.
Export = namedtuple("Export", "name pipeline dialect format month cost")
EXPORTS = [
    Export("csv", "aws", "aws-cur", "csv-gzip", "bill_billing_period_start_date", "line_item_unblended_cost"),
    Export("parquet", "aws", "aws-cur", "parquet", "bill_billing_period_start_date", "line_item_unblended_cost"),
    Export("azure", "azure", "azure-actual-enterprise", "csv", "billingPeriodStartDate", "costInBillingCurrency"),
]

# One delivery of all months: the objects in order of arrival, and the expected contents of the tables by month.
Delivery = namedtuple("Delivery", "objects figures records")


def figure(rows, cost):
    """The contents of a month. The cost is exact."""
    return f"{rows} rows of {cost.rstrip('0').rstrip('.') if '.' in cost else cost} USD"


def write_delivery(generator, folder, export, number, seed):
    """Writes a delivery with the generator. No two deliveries have the same number of rows."""
    where = folder / f"{export.name}-{number}"
    command = [generator, export.dialect, where, "--format", export.format, "--months", ",".join(MONTHS),
               "--rows", str(3 + 2 * number), "--first-run", str(number), "--seed", str(seed)]
    months = [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()]
    data = {file["path"] for month in months for file in month["files"]}
    paths = [str(path.relative_to(where)) for path in where.rglob("*") if path.is_file()]
    # A manifest arrives after its files.
    paths.sort(key=lambda path: (path not in data, path))
    return Delivery([(path, (where / path).read_bytes()) for path in paths],
                    {month["billing_period"]: figure(month["rows"], month["cost"]["USD"]) for month in months},
                    {month["billing_period"]: f"{month['rows']} rows of {month['execution_id']}" for month in months})


async def started(processes, ready, *command):
    """Starts a server. Returns the line that reports that it is ready; an empty line where it ends before."""
    environment = {**os.environ, "LD_LIBRARY_PATH": os.environ.get("DUCKDB_LIB_DIR", str(ROOT / ".cache/duckdb"))}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    while (line := (await process.stdout.readline()).decode()) and ready not in line:
        pass
    processes.append((process, asyncio.create_task(drain(process.stdout))))
    return line.strip()


@asynccontextmanager
async def started_servers(emulator):
    """Starts both servers on free ports and yields their URLs. The servers end with the block."""
    processes = []
    try:
        # Another process may use the port before the server does.
        for _ in range(20):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                host = "{}:{}".format(*free.getsockname())
            line = await started(
                processes, "server started at", STORAGE, "-scheme", "http", "-host", "127.0.0.1", "-backend", "memory",
                "-port", host.split(":")[1], "-public-host", host, "-external-url", f"http://{host}")
            if line:
                break
        assert line, f"{STORAGE} does not start on any of 20 ports"
        name = "BIGQUERY_EMULATOR_HOST="
        line = await started(processes, name, emulator, "--port", "0", "--storage", f"http://{host}")
        assert line, f"{emulator} does not start"
        yield f"http://{host}", line.removeprefix(name)
    finally:
        for process, drained in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await drained


async def drain(stream):
    while await stream.readline():
        pass


def sent(method, url, body, missing):
    """Sends JSON or bytes without a proxy. Returns the JSON of the answer, or `missing` where the status is 404."""
    kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return missing
        raise RuntimeError(f"{method} {url}: {error.code}: {error.read()[:500]}") from None


async def ask(method, url, body=None, missing=None):
    return await asyncio.to_thread(sent, method, url, body, missing)


class World:
    """A project, a bucket and a table for one point only."""

    numbers = itertools.count(1)

    def __init__(self, servers, finops, folder, export):
        number = next(self.numbers)
        self.servers, self.finops, self.folder, self.export = servers, finops, folder, export
        self.project, self.bucket = f"project-{number}", f"bucket-{number}"
        self.storage, self.bigquery = servers[0], f"{servers[1]}/bigquery/v2/projects/{self.project}"

    async def make_bucket(self):
        await ask("POST", f"{self.storage}/storage/v1/b?project={self.project}", {"name": self.bucket})

    async def deliver(self, delivery):
        upload = f"{self.storage}/upload/storage/v1/b/{self.bucket}/o?uploadType=media"
        for path, data in delivery.objects:
            await ask("POST", f"{upload}&name={quote(f'mirror/{path}', safe='')}", data)

    async def start(self, *arguments, urls=None):
        """Starts `finops run`. With `urls`, it runs through a proxy."""
        storage, bigquery = urls or self.servers
        provider = self.export.pipeline.upper()
        settings = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder),
            "PIPELINE": self.export.pipeline, "GCP_PROJECT_ID": self.project,
            f"{provider}_GCS_BUCKET": self.bucket, f"{provider}_GCS_PREFIX": "mirror",
            f"{provider}_EXPORT_NAME": "daily", f"{provider}_DATASET": "billing", f"{provider}_TABLE_NAME": "costs",
            "STORAGE_EMULATOR_HOST": storage, "BIGQUERY_EMULATOR_HOST": bigquery,
        }
        return await asyncio.create_subprocess_exec(
            self.finops, "run", *arguments, env=settings, cwd=self.folder,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)

    async def run(self, *arguments, urls=None):
        return await end_of(await self.start(*arguments, urls=urls))

    async def query(self, sql):
        body = {"query": sql, "useLegacySql": False, "location": "US"}
        answer = await ask("POST", f"{self.bigquery}/queries", body, missing={"jobComplete": True})
        assert answer["jobComplete"], answer
        return [[cell["v"] for cell in row["f"]] for row in answer.get("rows", [])]

    async def figures(self):
        """Rows and exact cost of each month, as a reader of the table sees them; empty where there is no table."""
        month, cost = self.export.month, self.export.cost
        rows = await self.query(f"SELECT CAST({month} AS STRING), COUNT(*), CAST(SUM({cost}) AS STRING) "
                                f"FROM `{self.project}`.`billing`.`costs` GROUP BY 1")
        return {month[:7]: figure(count, cost) for month, count, cost in rows}

    async def records(self):
        """Execution and rows of each month, from the last row of the month in the state table."""
        rows = await self.query("SELECT CAST(billing_period AS STRING), sequence, execution_id, `rows` "
                                f"FROM `{self.project}`.`billing`.`finops_loads`")
        rows.sort(key=lambda row: int(row[1]))
        return {month[:7]: f"{count} rows of {execution_id}" for month, _, execution_id, count in rows}

    async def writes(self):
        """The number of jobs of each month that wrote its partition, or may still write it."""
        found = dict.fromkeys(MONTHS, 0)
        jobs = await ask("GET", f"{self.bigquery}/jobs?projection=full&maxResults=1000")
        assert "nextPageToken" not in jobs, "the list of jobs has more than one page"
        for job in jobs.get("jobs", []):
            for kind in ("load", "query", "copy"):
                destination = job["configuration"].get(kind, {}).get("destinationTable", {})
                table, _, partition = destination.get("tableId", "").partition("$")
                if table == "costs" and "errorResult" not in job["status"]:
                    found[f"{partition[:4]}-{partition[4:]}"] += 1
        return found

    async def remove(self):
        """Removes all datasets, to free the emulator's memory."""
        for dataset in (await ask("GET", f"{self.bigquery}/datasets")).get("datasets", []):
            name = dataset["datasetReference"]["datasetId"]
            await ask("DELETE", f"{self.bigquery}/datasets/{name}?deleteContents=true")


async def end_of(process):
    """Waits for the end of a run. Returns its exit code and its last output."""
    _, stderr = await process.communicate()
    return process.returncode, stderr.decode(errors="replace").strip()[-600:]

"""Google's Python client for BigQuery as a witness; see witness_python.rs.

usage: witness.py <url of the emulator> <project> <dataset> <table> read [<job id>...] | create
"""

import json
import sys

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

MONTH = "bill_billing_period_start_date"


def read(client, name, job_ids):
    """What the client sees of a table, of the jobs that replaced its months, and of those that staged them."""
    table = client.get_table(name)
    listed = {job.job_id for job in client.list_jobs()}
    staged = sorted(job_id for job_id in listed if "-finops_staging_" in job_id)
    staging_jobs = [client.get_job(job_id, location=table.location) for job_id in staged]
    cost = next(field for field in table.schema if field.name == "line_item_unblended_cost")
    costs = [row[0] for row in client.list_rows(table, selected_fields=[cost], page_size=500)]
    query = f"SELECT {MONTH}, COUNT(*), SUM(line_item_unblended_cost) FROM `{name}` GROUP BY {MONTH}"
    jobs = [client.get_job(job_id, location=table.location) for job_id in job_ids if job_id in listed]
    return {
        "columns": {field.name: field.field_type for field in table.schema},
        "partitioning": [table.time_partitioning.type_, table.time_partitioning.field],
        "clustering": table.clustering_fields,
        "labels": table.labels,
        "rows": table.num_rows,
        "rows_of_september": client.get_table(f"{name}$202509").num_rows,
        "listed_costs": [len(costs), f"{sum(costs):f}"],
        "months": {
            f"{month:%Y-%m}": {"rows": rows, "cost": f"{cost:f}"}
            for month, rows, cost in client.query_and_wait(query)
        },
        "jobs": {
            job.job_id: [job.job_type, job.state, job.destination.table_id, job.write_disposition] for job in jobs
        },
        # The client does not report the rows that a query wrote.
        "staged": [
            [job.job_type, job.state, job.write_disposition, getattr(job, "output_rows", None)] for job in staging_jobs
        ],
    }


def create(client, name):
    """Creates a table like those of the job, with a few columns, and its dataset."""
    table = bigquery.Table(name, [
        bigquery.SchemaField("line_item_unblended_cost", "BIGNUMERIC"),
        bigquery.SchemaField(MONTH, "TIMESTAMP"),
        bigquery.SchemaField("line_item_usage_start_date", "TIMESTAMP"),
        bigquery.SchemaField("line_item_currency_code", "STRING"),
    ])
    table.time_partitioning = bigquery.TimePartitioning(bigquery.TimePartitioningType.MONTH, MONTH)
    table.clustering_fields = ["line_item_usage_start_date"]
    table.labels = {"managed_by": "finops"}
    dataset = bigquery.Dataset(name.rpartition(".")[0])
    dataset.location = "US"
    client.create_dataset(dataset)
    return client.create_table(table).to_api_repr()


def main():
    url, project, dataset, table, task, *job_ids = sys.argv[1:]
    client = bigquery.Client(project, AnonymousCredentials(), client_options={"api_endpoint": url})
    name = f"{project}.{dataset}.{table}"
    print(json.dumps(read(client, name, job_ids) if task == "read" else create(client, name)))


if __name__ == "__main__":
    main()

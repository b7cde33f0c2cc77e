"""Fills in the templates of this folder with the settings, and prints the values that the scripts use.

usage: render.py <.env> shell [aws|azure]                 prints assignments for a shell; exit code 2 with problems
       render.py <.env> job aws|azure <image> [<job>]     prints the job as JSON, over the deployed one in a file
       render.py <.env> channel                           prints the notification channel as JSON
       render.py <.env> alert-... aws|azure <channels>    prints an alert policy as JSON
"""

import json
import shlex
import string
import sys
from pathlib import Path

import dotenv
from merge import merged
from settings import PIPELINES, Settings


def fill(template, values):
    """Replaces `${NAME}` in every text of the template. A text of only `${NAME}` becomes the value itself. An object without
    values is left out."""
    if isinstance(template, dict):
        filled = {name: fill(value, values) for name, value in template.items()}
        return {name: value for name, value in filled.items() if value != {}}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    if not isinstance(template, str):
        return template
    whole = string.Template.pattern.fullmatch(template)
    if whole and whole["braced"]:
        return values[whole["braced"]]
    return string.Template(template).substitute(values)


def template(name):
    """Reads a file of this folder: JSON with comments on separate lines."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return json.loads("\n".join(line for line in lines if not line.lstrip().startswith("#")))


def shell(settings, pipelines):
    """Assignments for a shell. Lists are separated by spaces: no name in them contains white space or wildcards."""
    configured = [each for each in PIPELINES if settings.is_configured(each)]
    values = {
        "project": settings["GCP_PROJECT_ID"],
        "region": settings["GCP_REGION"],
        "location": settings["BIGQUERY_LOCATION"],
        "job_project": settings["BIGQUERY_JOB_PROJECT"] or settings["GCP_PROJECT_ID"],
        "prefix": settings["NAME_PREFIX"],
        "labels": " ".join(f"{key}:{value}" for key, value in settings.labels.items()),
        "job_account": settings.account("job"),
        "scheduler_account": settings.account("scheduler"),
        "builder_account": settings.account("builder"),
        "given_job_account": settings["JOB_SERVICE_ACCOUNT"],
        "given_scheduler_account": settings["SCHEDULER_SERVICE_ACCOUNT"],
        "given_image": settings["IMAGE"],
        "repository": settings["ARTIFACT_REGISTRY_REPO"] or settings["NAME_PREFIX"],
        "image_name": settings["IMAGE_NAME"],
        "alert_email": settings["ALERT_EMAIL"],
        "alert_channel": channel(settings),
        "time_zone": settings["SCHEDULE_TIME_ZONE"],
        **{f"{each}_schedule": settings.values.get(f"{each.upper()}_SCHEDULE", "") for each in PIPELINES},
        "pipelines": " ".join(pipelines),
        "all_pipelines": " ".join(PIPELINES),
        "datasets": " ".join(settings.datasets(pipelines)),
        # Only a dataset that no export uses for its table.
        "staging_dataset": settings.staging_dataset(configured),
        "buckets": " ".join(settings.buckets(pipelines)),
        "all_datasets": " ".join(settings.datasets(configured)),
        "all_buckets": " ".join(settings.buckets(configured)),
        **{f"{each}_datasets": " ".join(settings.only_of(each, settings.datasets)) for each in PIPELINES},
        **{f"{each}_buckets": " ".join(settings.only_of(each, settings.buckets)) for each in PIPELINES},
        "unused": ", ".join(settings.unused),
    }
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def channel(settings):
    """The full name of the given notification channel, or an empty text."""
    given = settings["ALERT_CHANNEL"]
    return f"projects/{settings['GCP_PROJECT_ID']}/notificationChannels/{given}" if given.isdigit() else given


def read(file):
    """Reads the settings of the file. Where they are wrong, reports all problems and ends."""
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        print(f"error: {file} cannot be read: {error.strerror}", file=sys.stderr)
        print(f"hint: cp .env.example {file}, and set the values in it", file=sys.stderr)
        sys.exit(2)
    values, problems = dotenv.read(data)
    settings = Settings(values)
    # A value that could not be read is not reported as missing, too.
    unread = {problem.split(": ")[1] for problem in problems}
    is_read = values or not problems
    others = [problem for problem in settings.problems if is_read and problem.split(" ")[0] not in unread]
    reported = problems + others
    check(file, reported + settings.misspelt if reported else [])
    return settings


def check(file, problems):
    """Reports the problems, if any, and ends."""
    if problems:
        print(f"error: {file} cannot be deployed", file=sys.stderr)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        print(f"hint: fix {file}; .env.example explains each value. Nothing was changed", file=sys.stderr)
        sys.exit(2)


def main(file, what, pipeline=None, argument="", deployed=None):
    """Prints the requested output. `argument` is an image, or the names of channels between spaces."""
    settings = read(file)
    if pipeline and pipeline not in settings.pipelines:
        named = settings.values.get("PIPELINE", "all")
        why = f"no variable {pipeline.upper()}_... of an export is set" if named == "all" else \
            f"PIPELINE is `{named}`, without {pipeline}: set {pipeline} or all"
        check(file, [why, *settings.misspelt])
    if what == "shell":
        for variable in settings.misspelt:
            print(f"warning: {variable}", file=sys.stderr)
        print(shell(settings, [pipeline] if pipeline else settings.pipelines))
        return
    values = {
        "PREFIX": settings["NAME_PREFIX"],
        "JOB_ACCOUNT": settings.account("job"),
        "LABELS": settings.labels,
        "REGION": settings["GCP_REGION"],
        "CPU": settings["CPU"],
        "MEMORY": settings["MEMORY"],
        "MAX_RETRIES": int(settings["MAX_RETRIES"]),
        "TIMEOUT_SECONDS": str(settings.timeout),
        "ALERT_EMAIL": settings["ALERT_EMAIL"],
        "IMAGE": argument,
        "CHANNELS": argument.split(),
    }
    if pipeline:
        environment = settings.environment(pipeline)
        values |= {
            "PIPELINE": pipeline,
            "ENVIRONMENT": [{"name": name, "value": value} for name, value in environment.items()],
        }
    file_name = {"job": "job.yaml"}.get(what, f"{what}.json")
    filled = fill(template(file_name), values)
    if deployed:
        filled = merged(filled, json.loads(Path(deployed).read_text(encoding="utf-8")))
    print(json.dumps(filled, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])

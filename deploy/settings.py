"""The settings of a deployment, out of a file such as .env, checked as a whole as far as that goes without the cloud."""

import re

PIPELINES = ("aws", "azure")
# As in src/settings/.
SHARED_SUFFIXES = ("SOURCE", "GCS_BUCKET", "GCS_PREFIX", "EXPORT_NAME", "DATASET", "TABLE_NAME", "LEAVE_OUT", "NULL_VALUES")
SUFFIXES = {"aws": (*SHARED_SUFFIXES, "CUR_VERSION"), "azure": (*SHARED_SUFFIXES, "SCOPES", "KEEP_RUNS")}
LIST = r"[^,\s][^,]*(,[^,]*[^,\s][^,]*)*"
# What the job reads for all pipelines, beside PIPELINE. Where it runs there is BigQuery only, which is the default.
SHARED = ("GCP_PROJECT_ID", "BIGQUERY_LOCATION", "STAGING_DATASET", "LOAD_CONCURRENCY", "START_DATE", "END_DATE",
          "WAIT_MAX_HOURS", "MAX_AGE_HOURS")

NAME = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
PLACE = r"[a-z]+-[a-z]+[0-9]+"
MONTH = r"[0-9]{4}-(0[1-9]|1[0-2])"
DATASET = "[A-Za-z0-9_]{1,200}"
BUCKET = r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"

# Each with its default (None: must be set), its form, and what was expected.
FORMS = {
    "GCP_PROJECT_ID": (None, r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id, 6 to 30 lower-case letters, digits and -"),
    "GCP_REGION": (None, PLACE, "a region such as us-central1"),
    "BIGQUERY_LOCATION": ("US", f"(?i:us|eu|{PLACE})", "US, EU or a region such as europe-west3"),
    "STAGING_DATASET": ("", f"|{DATASET}", "a dataset's name of at most 200 letters, digits and underscores"),
    "ARTIFACT_REGISTRY_REPO": ("finops", NAME, "at most 63 lower-case letters, digits and -, beginning with a letter"),
    "IMAGE_NAME": ("finops", r"[a-z0-9]+([._-][a-z0-9]+)*", "lower-case letters and digits, with . _ - between them"),
    "CPU": ("1", "[12468]", "1, 2, 4, 6 or 8"),
    "MEMORY": ("512Mi", r"[1-9][0-9]*(Mi|Gi)", "an amount such as 512Mi or 2Gi"),
    "MAX_RETRIES": ("2", "[0-9]|10", "a whole number from 0 to 10"),
    "TIMEOUT": ("1h", r"([0-9]+h)?([0-9]+m)?([0-9]+s)?", "a time such as 1h, 90m or 1h30m"),
    "SCHEDULE_TIME_ZONE": ("Etc/UTC", r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", "a zone such as Europe/Berlin"),
    "ALERT_EMAIL": ("", r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    "LOAD_CONCURRENCY": ("24", "[1-9][0-9]?|100", "a whole number from 1 to 100"),
    "WAIT_MAX_HOURS": ("48", "[0-9]{1,5}|100000", "a whole number of hours, at most 100000"),
    "MAX_AGE_HOURS": ("", "|[1-9][0-9]{0,4}|100000", "a whole number of hours from 1 to 100000"),
    "START_DATE": ("", f"|{MONTH}", "a month, YYYY-MM"),
    "END_DATE": ("", f"|{MONTH}", "a month, YYYY-MM"),
}

CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
CRON_NAMES = {
    3: "jan feb mar apr may jun jul aug sep oct nov dec".split(),
    4: "sun mon tue wed thu fri sat".split(),
}


class Export:
    """One export: the values that count for it, and the variables that they are in. As in src/settings/."""

    def __init__(self, values, pipeline, label):
        self.values, self.label = values, label
        self.shared = pipeline.upper() + "_"
        self.begin = self.shared + (label.upper().replace("-", "_") + "_" if label else "")

    def get(self, suffix):
        """The value, or an empty text."""
        return self.values.get(self.variable(suffix), "")

    def variable(self, suffix):
        """The variable that holds the value; the export's own where none does."""
        if self.begin + suffix in self.values:
            return self.begin + suffix
        instead = {"SOURCE": ("GCS_BUCKET", "GCS_PREFIX"), "GCS_BUCKET": ("SOURCE",), "GCS_PREFIX": ("SOURCE",)}
        own = any(self.begin + other in self.values for other in instead.get(suffix, ()))
        shared = self.shared + suffix
        return shared if shared in self.values and not own else self.begin + suffix

    @property
    def bucket(self):
        """The bucket that holds it."""
        source = self.get("SOURCE")
        return source.removeprefix("gs://").split("/")[0] if source.startswith("gs://") else self.get("GCS_BUCKET")


class Settings:
    """The values of a file. `problems` says what is wrong with them, all at once."""

    def __init__(self, values):
        # As for the job: white space at the ends is none, and what is empty is not set.
        self.values = {name: value.strip() for name, value in values.items() if value.strip()}
        self.problems = []
        for name in FORMS:
            self._form(name)
        self.pipelines = self._pipelines()
        self._refuse_what_cannot_be_deployed()
        self._timeout()
        if "START_DATE" in self.values and self.values["START_DATE"] > self.values.get("END_DATE", "9999-12"):
            self._problem("END_DATE", f"is {self['END_DATE']}, before START_DATE, {self['START_DATE']}")
        if self["MEMORY"].endswith("Mi") and int(self["MEMORY"][:-2] or 0) < 512:
            self._problem("MEMORY", f"is {self['MEMORY']}: at least 512Mi was expected")
        for pipeline in self.pipelines:
            self._cron(f"{pipeline.upper()}_SCHEDULE")
            for export in self.exports(pipeline):
                self._export(export)
        self._refuse_shared_tables()

    def __getitem__(self, name):
        default, form, _ = FORMS[name]
        value = self.values.get(name, default or "")
        return value if re.fullmatch(form, value) else ""

    def _problem(self, name, what):
        self.problems.append(f"{name} {what}")

    def _form(self, name):
        default, form, expected = FORMS[name]
        value = self.values.get(name, default)
        if value is None:
            self._problem(name, f"is not set: {expected}")
        elif not re.fullmatch(form, value):
            self._problem(name, f"is `{value}`: {expected} was expected")

    def _pipelines(self):
        pipeline = self.values.get("PIPELINE")
        if pipeline in PIPELINES:
            return [pipeline]
        if pipeline == "all":
            configured = [each for each in PIPELINES if self.is_configured(each)]
            if not configured:
                self._problem("PIPELINE", "is `all`, but neither a variable AWS_... nor AZURE_... of an export is set")
            return configured
        self._problem("PIPELINE", f"is `{pipeline}`: aws, azure or all was expected" if pipeline else "is not set: aws, azure or all")
        # What else is wrong is said all the same.
        return [each for each in PIPELINES if self.is_configured(each)]

    def is_configured(self, pipeline):
        """Whether anything is said of the pipeline's exports."""
        return any(f"{pipeline.upper()}_{suffix}" in self.values for suffix in (*SUFFIXES[pipeline], "EXPORTS"))

    def exports(self, pipeline):
        """The exports of a pipeline."""
        listed = self.values.get(f"{pipeline.upper()}_EXPORTS")
        labels = [label.strip() for label in listed.split(",")] if listed else [None]
        return [Export(self.values, pipeline, label) for label in labels]

    def _refuse_what_cannot_be_deployed(self):
        warehouse = self.values.get("WAREHOUSE", "bigquery")
        if warehouse != "bigquery":
            self._problem("WAREHOUSE", f"is `{warehouse}`, which cannot be deployed: a Cloud Run job loads into bigquery")
        for name in ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"):
            if name in self.values:
                self._problem(name, "names a server of this machine, which the job does not reach: remove it")

    def _timeout(self):
        found = re.fullmatch(FORMS["TIMEOUT"][1], self["TIMEOUT"])
        hours, minutes, seconds = (int((part or "0h")[:-1]) for part in found.groups())
        self.timeout = hours * 3600 + minutes * 60 + seconds
        if self["TIMEOUT"] and not 0 < self.timeout <= 168 * 3600:
            self._problem("TIMEOUT", f"is `{self['TIMEOUT']}`: a time of more than nothing and at most 168h was expected")

    def _cron(self, name):
        expected = 'five fields such as "0 6 * * *" (minute, hour, day, month, day of the week)'
        value = self.values.get(name)
        if value is None:
            self._problem(name, f"is not set: {expected}")
            return
        fields = value.split()
        if len(fields) != len(CRON) or not all(map(_fits_cron, range(len(CRON)), fields)):
            self._problem(name, f"is `{value}`: {expected} were expected")
        self.values[name] = " ".join(fields)

    def _export(self, export):
        if export.label is not None and not re.fullmatch("[A-Za-z0-9_-]+", export.label):
            self._problem(f"{export.shared}EXPORTS", f"is `{self.values[export.shared + 'EXPORTS']}`: names of letters, "
                          "digits, _ and - were expected, between commas")
            return
        self._source(export)
        for suffix, form, expected in (
            ("DATASET", DATASET, "at most 200 letters, digits and underscores"),
            ("TABLE_NAME", "(?!(?i:finops_loads)$)[A-Za-z0-9_-]{1,200}",
             "at most 200 letters, digits, _ and -, and not finops_loads, the state table,"),
        ):
            name, value = export.variable(suffix), export.get(suffix)
            if not value:
                self._problem(name, f"is not set: {expected.rstrip(',')}")
            elif not re.fullmatch(form, value):
                self._problem(name, f"is `{value}`: {expected} was expected")
        for suffix, form, expected in (
            ("LEAVE_OUT", LIST, "values between commas, none of them empty,"),
            ("NULL_VALUES", LIST, "values between commas, none of them empty,"),
            ("KEEP_RUNS", LIST, "values between commas, none of them empty,"),
            ("SCOPES", r"/[^,]*(,\s*/[^,]*)*", "paths such as /subscriptions/..., between commas,"),
            ("CUR_VERSION", "v1|v2", "v1 or v2"),
        ):
            value = export.get(suffix)
            if value and not re.fullmatch(form, value):
                self._problem(export.variable(suffix), f"is `{value}`: {expected} was expected")

    def _source(self, export):
        source, (bucket, prefix) = export.get("SOURCE"), map(export.get, ("GCS_BUCKET", "GCS_PREFIX"))
        name = export.variable("SOURCE" if source else "GCS_BUCKET")
        if source and (bucket or prefix):
            others = f"{export.variable('GCS_BUCKET')} or {export.variable('GCS_PREFIX')}"
            self._problem(name, f"is set beside {others}: set one or the other")
        if source and not source.startswith("gs://"):
            # The value may hold a credential, such as the signature in the URL of a container of Azure.
            self._problem(name, "does not begin with gs://, and cannot be deployed: a Cloud Run job loads from "
                          "gs://bucket/prefix; mirror the files into a bucket")
        elif not export.bucket and not source:
            self._problem(name, f"is not set: the bucket with the export (or set {export.begin}SOURCE)")
        elif not re.fullmatch(BUCKET, export.bucket):
            # A signature stands behind the ?.
            self._problem(name, f"is `{(source or bucket).split('?')[0]}`: a bucket's name was expected"
                          + (" behind gs://" if source else f"; a path goes to {export.variable('GCS_PREFIX')}"))

    def _refuse_shared_tables(self):
        tables, begins = {}, set()
        for pipeline in self.pipelines:
            listed = f"{pipeline.upper()}_EXPORTS"
            for export in self.exports(pipeline):
                if export.begin in begins:
                    self._problem(listed, f"names two exports whose variables begin with {export.begin}")
                    continue
                begins.add(export.begin)
                table = f"{export.get('DATASET')}.{export.get('TABLE_NAME')}".lower()
                other = tables.setdefault(table, export)
                if other is not export and not table.startswith(".") and not table.endswith("."):
                    self._problem(export.begin + "TABLE_NAME", f"must name another table: {table} is that of "
                                  f"{other.variable('TABLE_NAME')}, and each would erase the other's months")
            if listed in self.values:
                for name in sorted(self.values):
                    found = re.fullmatch(f"({pipeline.upper()}_.+_)({'|'.join(SUFFIXES[pipeline])})", name)
                    if found and found[1] not in begins:
                        self._problem(name, f"belongs to no export: {listed} is `{self.values[listed]}`")

    def environment(self, pipeline):
        """What the job of a pipeline finds in its environment: what it reads, and nothing else."""
        names = list(SHARED)
        begins = [f"{pipeline.upper()}_"]
        if f"{begins[0]}EXPORTS" in self.values:
            names.append(f"{begins[0]}EXPORTS")
            begins += [export.begin for export in self.exports(pipeline)]
        names += [begin + suffix for begin in begins for suffix in SUFFIXES[pipeline]]
        set_names = [name for name in names if name in self.values]
        return {"PIPELINE": pipeline} | {name: self.values[name] for name in set_names}

    @property
    def unused(self):
        """The variables that neither the jobs nor the deployment read: a name may be misspelt."""
        used = {"PIPELINE", "WAREHOUSE", *FORMS}
        for pipeline in PIPELINES:
            used |= {f"{pipeline.upper()}_{suffix}" for suffix in ("EXPORTS", "SCHEDULE")}
            used |= set(self.environment(pipeline))
        return [name for name in self.values if name not in used]

    def datasets(self, pipelines):
        """The datasets of the pipelines, each once, that of the staging tables last."""
        return list(dict.fromkeys([*self._table_datasets(pipelines), *filter(None, [self["STAGING_DATASET"]])]))

    def staging_dataset(self, pipelines):
        """The dataset of the staging tables, unless it has tables of the pipelines too; or an empty text."""
        name = self["STAGING_DATASET"]
        return "" if name in self._table_datasets(pipelines) else name

    def _table_datasets(self, pipelines):
        return self._each(pipelines, lambda export: export.get("DATASET"), DATASET)

    def buckets(self, pipelines):
        """The buckets of the pipelines, each once."""
        return self._each(pipelines, lambda export: export.bucket, BUCKET)

    def _each(self, pipelines, what, form):
        names = (what(export) for pipeline in pipelines for export in self.exports(pipeline))
        return list(dict.fromkeys(name for name in names if re.fullmatch(form, name)))


def _fits_cron(at, field):
    low, high = CRON[at]

    def number(text):
        names = CRON_NAMES.get(at, [])
        if text.lower() in names:
            return names.index(text.lower()) + low
        return int(text) if re.fullmatch("[0-9]{1,2}", text) else -1

    for part in field.split(","):
        found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9][0-9]?))?", part)
        if not found:
            return False
        numbers = [number(text) for text in found.group(1, 2) if text is not None]
        if any(not low <= each <= high for each in numbers) or numbers != sorted(numbers):
            return False
    return True

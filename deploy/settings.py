"""The settings of a deployment, from a file such as .env, checked as a whole without the cloud.

settings.json has the names, forms and defaults. It is generated from src/settings/registry.rs."""

import json
import re
from pathlib import Path

REGISTRY = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))
PIPELINES = REGISTRY["pipelines"]
# The settings of a run, of the deployment, and of an export by the end of their variables.
RUN, DEPLOYMENT, EXPORT = ({setting["name"]: setting for setting in REGISTRY[of]} for of in ("run", "deployment", "export"))
SETTINGS = RUN | DEPLOYMENT
# Other variables of finops on this machine, those of the clouds' libraries, and those of the original in Python.
LOCAL, CLOUDS, OF_ORIGINAL = REGISTRY["local"], REGISTRY["clouds"], REGISTRY["of_original"]
DATASET, BUCKET = EXPORT["DATASET"]["form"], EXPORT["GCS_BUCKET"]["form"]

CRON = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
CRON_NAMES = {
    3: "jan feb mar apr may jun jul aug sep oct nov dec".split(),
    4: "sun mon tue wed thu fri sat".split(),
}


def suffixes(pipeline):
    """The ends of the variables of the pipeline's exports."""
    return [name for name, setting in EXPORT.items() if pipeline in setting["pipelines"]]


def is_setting(variable):
    """Whether finops or its deployment reads the variable."""
    of = (f"{each.upper()}_(.+_)?({'|'.join([*suffixes(each), 'EXPORTS', 'SCHEDULE'])})" for each in PIPELINES)
    return variable in SETTINGS or any(re.fullmatch(pattern, variable) for pattern in of)


class Export:
    """One export with its values and their variables. As in src/settings/export_variables.rs."""

    def __init__(self, values, pipeline, label):
        self.values, self.label = values, label
        self.shared = pipeline.upper() + "_"
        self.begin = self.shared + (label.upper().replace("-", "_") + "_" if label else "")

    def get(self, suffix):
        """The value, or an empty text."""
        return self.values.get(self.variable(suffix), "")

    def variable(self, suffix):
        """The variable that has the value; the export's own variable if none has it."""
        if self.begin + suffix in self.values:
            return self.begin + suffix
        instead = {"SOURCE": ("GCS_BUCKET", "GCS_PREFIX"), "GCS_BUCKET": ("SOURCE",), "GCS_PREFIX": ("SOURCE",)}
        own = any(self.begin + other in self.values for other in instead.get(suffix, ()))
        shared = self.shared + suffix
        return shared if shared in self.values and not own else self.begin + suffix

    @property
    def bucket(self):
        """The bucket with the export."""
        source = self.get("SOURCE")
        return source[len("gs://"):].split("/")[0] if _is_gcs(source) else self.get("GCS_BUCKET")


class Settings:
    """The values of a file, and all `problems` with them."""

    def __init__(self, values):
        # As in the job: white space at the ends does not count, and an empty value is not set.
        self.values = {name: value.strip() for name, value in values.items() if value.strip()}
        if "PIPELINE" in self.values:
            self.values["PIPELINE"] = self.values["PIPELINE"].lower()
        self.problems = []
        for name, setting in SETTINGS.items():
            self._check(name, setting, self.values.get(name))
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
        value = self.values.get(name, SETTINGS[name].get("default", ""))
        return value if re.fullmatch(SETTINGS[name]["form"], value) else ""

    def _problem(self, name, what):
        self.problems.append(f"{name} {what}")

    def _check(self, name, setting, value):
        if value and value == setting.get("placeholder"):
            self._problem(name, f"is `{value}`, the placeholder of .env.example: set your own value")
        elif value and not re.fullmatch(setting["form"], value):
            self._problem(name, f"is `{value}`: {setting['expected']} was expected")
        elif not value and setting.get("required"):
            self._problem(name, f"is not set: {setting['expected'].rstrip(',')}")

    def _pipelines(self):
        pipeline = self.values.get("PIPELINE")
        if pipeline in PIPELINES:
            return [pipeline]
        # If PIPELINE is wrong, the other problems are reported too.
        configured = [each for each in PIPELINES if self.is_configured(each)]
        if pipeline in (None, "all") and not configured:
            is_all = "is `all`, but" if pipeline else "is not set, and"
            names = " nor ".join(f"{each.upper()}_..." for each in PIPELINES)
            self._problem("PIPELINE", f"{is_all} neither a variable {names} of an export is set: for an export, set "
                          + ", or ".join(map(self._required, PIPELINES)))
        return configured

    @staticmethod
    def _required(pipeline):
        begin = pipeline.upper() + "_"
        needed = [suffix for suffix in suffixes(pipeline) if EXPORT[suffix].get("required")]
        return f"{begin}GCS_BUCKET (or {begin}SOURCE), " + " and ".join(begin + each for each in (*needed, "SCHEDULE"))

    def is_configured(self, pipeline):
        """Whether a variable of the pipeline's exports is set."""
        return any(f"{pipeline.upper()}_{suffix}" in self.values for suffix in (*suffixes(pipeline), "EXPORTS"))

    def exports(self, pipeline):
        """The exports of a pipeline."""
        listed = self.values.get(f"{pipeline.upper()}_EXPORTS")
        labels = [label.strip() for label in listed.split(",")] if listed else [None]
        return [Export(self.values, pipeline, label) for label in labels]

    def _refuse_what_cannot_be_deployed(self):
        warehouse = self["WAREHOUSE"]
        if warehouse not in ("", "bigquery"):
            self._problem("WAREHOUSE", f"is `{warehouse}`, which cannot be deployed: a Cloud Run job loads into bigquery")
        for name in ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"):
            if name in self.values:
                self._problem(name, "names a server of this machine, which the job cannot reach: remove it")

    def _timeout(self):
        found = re.fullmatch(SETTINGS["TIMEOUT"]["form"], self["TIMEOUT"])
        hours, minutes, seconds = (int((part or "0h")[:-1]) for part in found.groups())
        self.timeout = hours * 3600 + minutes * 60 + seconds
        if self["TIMEOUT"] and not 0 < self.timeout <= 168 * 3600:
            self._problem("TIMEOUT", f"is `{self['TIMEOUT']}`: a time above 0 and of at most 168h was expected")

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
        for suffix, setting in EXPORT.items():
            if "form" in setting and suffix != "GCS_BUCKET":
                self._check(export.variable(suffix), setting, export.get(suffix))

    def _source(self, export):
        source, (bucket, prefix) = export.get("SOURCE"), map(export.get, ("GCS_BUCKET", "GCS_PREFIX"))
        name = export.variable("SOURCE" if source else "GCS_BUCKET")
        if source and (bucket or prefix):
            others = f"{export.variable('GCS_BUCKET')} or {export.variable('GCS_PREFIX')}"
            self._problem(name, f"is set together with {others}: set one or the other")
        if source and not _is_gcs(source):
            # The value may have a credential, such as the signature in the URL of a container of Azure.
            self._problem(name, "does not begin with gs://, and cannot be deployed: a Cloud Run job loads from "
                          "gs://bucket/prefix; mirror the files into a bucket")
        elif not export.bucket and not source:
            self._problem(name, f"is not set: the bucket with the export (or set {export.begin}SOURCE)")
        elif bucket and bucket == EXPORT["GCS_BUCKET"]["placeholder"]:
            self._check(name, EXPORT["GCS_BUCKET"], bucket)
        elif not re.fullmatch(BUCKET, export.bucket):
            # A credential may follow the ?.
            self._problem(name, f"is `{(source or bucket).split('?')[0]}`: a bucket's name was expected"
                          + (" after gs://" if source else f"; a path goes to {export.variable('GCS_PREFIX')}"))

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
                    found = re.fullmatch(f"({pipeline.upper()}_.+_)({'|'.join(suffixes(pipeline))})", name)
                    if found and found[1] not in begins:
                        self._problem(name, f"belongs to no export: {listed} is `{self.values[listed]}`")

    def environment(self, pipeline):
        """The environment of a pipeline's job: the variables that it reads, and no others."""
        # A job loads into BigQuery, which is the default.
        names = [name for name in RUN if name not in ("PIPELINE", "WAREHOUSE")]
        begins = [f"{pipeline.upper()}_"]
        if f"{begins[0]}EXPORTS" in self.values:
            names.append(f"{begins[0]}EXPORTS")
            begins += [export.begin for export in self.exports(pipeline)]
        names += [begin + suffix for begin in begins for suffix in suffixes(pipeline)]
        set_names = [name for name in names if name in self.values]
        return {"PIPELINE": pipeline} | {name: self.values[name] for name in set_names}

    @property
    def unused(self):
        """The variables that nothing reads. Their names may be misspelt."""
        used = {*SETTINGS, *LOCAL, *OF_ORIGINAL}
        for pipeline in PIPELINES:
            used |= {f"{pipeline.upper()}_{suffix}" for suffix in ("EXPORTS", "SCHEDULE")}
            used |= set(self.environment(pipeline))
        return [name for name in self.values if name not in used and not is_of_cloud(name)]

    @property
    def misspelt(self):
        """The unused variables whose names are near one that is missing. As in src/settings/unread.rs."""
        # A variable of an export that the list does not name has a problem of its own.
        wrong = {problem.split(" ")[0] for problem in self.problems}
        missed = self._missed()
        found = {name: nearest(name, missed) for name in self.unused if name not in wrong}
        found = {name: meant for name, meant in found.items() if meant}
        return [f"{name} is not read: did you mean {meant}?" for name, meant in sorted(found.items())]

    def _missed(self):
        """The variables that may be missing."""
        names = {*SETTINGS, *LOCAL}
        wanted = [each for each in PIPELINES if self.is_configured(each) or self.values.get("PIPELINE") == each]
        for pipeline in wanted or PIPELINES:
            begin = pipeline.upper() + "_"
            names |= {begin + suffix for suffix in (*suffixes(pipeline), "EXPORTS", "SCHEDULE")}
            names |= {export.begin + suffix for export in self.exports(pipeline) for suffix in suffixes(pipeline)}
        return [name for name in names if name not in self.values and not self._has_other_form(name)]

    def _has_other_form(self, name):
        forms = {"GCS_BUCKET": "SOURCE", "GCS_PREFIX": "SOURCE", "SOURCE": "GCS_BUCKET"}
        return any(name.endswith(form) and name.removesuffix(form) + other in self.values for form, other in forms.items())

    def datasets(self, pipelines):
        """The datasets of the pipelines, each once, that of the staging tables last."""
        return list(dict.fromkeys([*self._table_datasets(pipelines), *filter(None, [self["STAGING_DATASET"]])]))

    def staging_dataset(self, pipelines):
        """The dataset of the staging tables, unless it has tables of the pipelines too; or an empty text."""
        name = self["STAGING_DATASET"]
        return "" if name in self._table_datasets(pipelines) else name

    def _table_datasets(self, pipelines):
        return self._each(pipelines, lambda export: export.get("DATASET"), DATASET)

    def only_of(self, pipeline, names):
        """Those of `names`, datasets or buckets by pipelines, that no other configured pipeline uses."""
        others = names([each for each in PIPELINES if each != pipeline and self.is_configured(each)])
        return [name for name in names([pipeline]) if name not in others]

    @property
    def labels(self):
        """The labels by key."""
        return dict(label.strip().split("=") for label in self["LABELS"].split(",") if label)

    def account(self, of):
        """The service account of `job`, `scheduler` or `builder`. The last one cannot be given."""
        given = "" if of == "builder" else self[f"{of.upper()}_SERVICE_ACCOUNT"]
        return given or f"{self['NAME_PREFIX']}-{of}@{self['GCP_PROJECT_ID']}.iam.gserviceaccount.com"

    def buckets(self, pipelines):
        """The buckets of the pipelines, each once."""
        return self._each(pipelines, lambda export: export.bucket, BUCKET)

    def _each(self, pipelines, what, form):
        names = (what(export) for pipeline in pipelines for export in self.exports(pipeline))
        return list(dict.fromkeys(name for name in names if re.fullmatch(form, name)))


def _is_gcs(source):
    return source[:5].lower() == "gs://"


def is_of_cloud(name):
    """Whether the clouds' libraries and tools read the variable."""
    return any(name.startswith(known[:-1]) if known.endswith("*") else name == known for known in CLOUDS)


def nearest(name, names):
    """The name that is nearest to `name`, if one is near. As in src/settings/unread.rs."""
    name = name.upper()
    return min((other for other in names if _is_near(name, other)), key=lambda other: (_distance(name, other), other),
               default=None)


def _is_near(one, other):
    most = 0 if len(other) < 7 else 1 if len(other) < 10 else 2
    is_alike = abs(len(one) - len(other)) <= most and _distance(one, other) <= most
    return is_alike or one == f"FINOPS_{other}" or _has_a_part_more(one, other) or _has_a_part_more(other, one)


def _has_a_part_more(long, short):
    parts = long.split("_")
    return "_" in short and any("_".join(parts[:at] + parts[at + 1:]) == short for at in range(1, len(parts)))


def _distance(one, other):
    """How many letters to add, remove, replace or swap with the next one."""
    before, last = [], list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, instead in enumerate(other, 1):
            row.append(min(row[-1] + 1, last[j] + 1, last[j - 1] + (letter != instead)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == instead:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]


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

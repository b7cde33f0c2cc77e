"""The methods of the services that a deployment calls: a function for each method, on a state that is JSON."""

import base64
import io
import json
import re
import tarfile

from proxy import error

ROUTES = []
PROJECT = "my-project"
NUMBER = "123456789012"
TIMESTAMP = "2026-01-02T06:00:00Z"


class State:
    """The existing objects by full name."""

    def __init__(self, things):
        self.things = things

    def get(self, name):
        """Returns the object, or the error that it is missing."""
        return self.things.get(name) or missing(name)

    def create(self, name, thing):
        """Adds an object, or returns the error that the name is taken."""
        if name in self.things:
            return error(409, "ALREADY_EXISTS", f"Requested entity already exists: {name}", reason="duplicate")
        self.things[name] = thing
        return thing

    def delete(self, name, answer=None):
        """Removes the object, or returns the error that it is missing."""
        if name not in self.things:
            return missing(name)
        del self.things[name]
        return {} if answer is None else answer

    def below(self, begin):
        """The objects whose names begin with `begin`, without a further /."""
        return [thing for name, thing in self.things.items() if name.startswith(begin) and "/" not in name[len(begin):]]


class Request:
    """A request: the parts of its path, its query, its headers and its body."""

    def __init__(self, parts, query, headers, body):
        self.parts, self.query, self.headers, self.raw = parts, query, headers, body

    @property
    def json(self):
        """The body as JSON."""
        return json.loads(self.raw or b"{}")

    def masked(self, thing):
        """Returns the object with the properties of the update mask replaced; without a mask, with all of the body."""
        mask = self.query.get("updateMask")
        if not mask:
            return thing | self.json
        names = [re.sub("_(.)", lambda found: found[1].upper(), each.split(".")[0]) for each in mask[0].split(",")]
        return thing | {name: self.json[name] for name in names if name in self.json}


def missing(name):
    """The error of every service for a missing object."""
    return error(404, "NOT_FOUND", f"Not found: {name}", reason="notFound")


def route(method, pattern):
    """Registers the function for this method and this pattern of host and path."""

    def register(handler):
        ROUTES.append((method, pattern.replace("{}", "([^/:]+)"), handler))
        return handler

    return register


def done(response, name="operations/done"):
    """An operation that is done."""
    return {"name": name, "done": True, "response": response}


# --- APIs ------------------------------------------------------------------------------------------------------------

USAGE = "serviceusage.googleapis.com/v1/projects/{}"


@route("GET", f"{USAGE}/services")
def list_apis(state, request):
    enabled = state.things.get("apis", [])
    return {"services": [{"config": {"name": api}, "state": "ENABLED"} for api in enabled]}


@route("POST", f"{USAGE}/services:batchEnable")
def enable_apis(state, request):
    state.things["apis"] = state.things.get("apis", []) + request.json["serviceIds"]
    return done({"@type": "type.googleapis.com/google.api.serviceusage.v1.BatchEnableServicesResponse"})


@route("POST", f"{USAGE}/services/{{}}:enable")
def enable_api(state, request):
    state.things["apis"] = state.things.get("apis", []) + [request.parts[1]]
    return done({"@type": "type.googleapis.com/google.api.serviceusage.v1.EnableServiceResponse"})


# --- Artifact Registry -----------------------------------------------------------------------------------------------

REPOSITORIES = "artifactregistry.googleapis.com/v1/(projects/[^/]+/locations/[^/]+/repositories)"


def operation(request):
    """The name of an operation on a repository."""
    return request.parts[0].replace("/repositories", "/operations/1")


@route("GET", f"{REPOSITORIES}/{{}}")
def get_repository(state, request):
    return state.get("/".join(request.parts))


@route("POST", REPOSITORIES)
def create_repository(state, request):
    name = f"{request.parts[0]}/{request.query['repositoryId'][0]}"
    created = state.create(name, request.json | {"name": name, "createTime": TIMESTAMP})
    return created if isinstance(created, tuple) else done(created, operation(request))


@route("DELETE", f"{REPOSITORIES}/{{}}")
def delete_repository(state, request):
    name = "/".join(request.parts)
    for each in [each for each in state.things if each.startswith(f"{name}/") or each == f"policy of repository {request.parts[1]}"]:
        del state.things[each]
    return state.delete(name, done({}, operation(request)))


@route("GET", f"{REPOSITORIES}/{{}}/packages/{{}}/tags")
def list_tags(state, request):
    name = "{}/{}/packages/{}".format(*request.parts)
    if name not in state.things:
        return missing(name)
    return {"tags": [{"name": f"{name}/tags/{tag}", "version": f"{name}/versions/{version}"}
                     for tag, version in state.things[name].items()]}


@route("GET", f"{REPOSITORIES}/{{}}:getIamPolicy")
def get_repository_policy(state, request):
    repository = state.get("/".join(request.parts))
    return repository if isinstance(repository, tuple) else get_policy(state, f"repository {request.parts[1]}")


@route("POST", f"{REPOSITORIES}/{{}}:setIamPolicy")
def set_repository_policy(state, request):
    return set_policy(state, f"repository {request.parts[1]}", request.json["policy"])


# --- IAM -------------------------------------------------------------------------------------------------------------

@route("GET", "iam.googleapis.com/v1/projects/[^/]+/serviceAccounts/([^/:]+)")
def get_account(state, request):
    return state.get(f"serviceAccounts/{request.parts[0]}")


@route("POST", "iam.googleapis.com/v1/projects/{}/serviceAccounts")
def create_account(state, request):
    email = f"{request.json['accountId']}@{request.parts[0]}.iam.gserviceaccount.com"
    name = f"projects/{request.parts[0]}/serviceAccounts/{email}"
    return state.create(f"serviceAccounts/{email}", request.json["serviceAccount"] | {"email": email, "name": name})


@route("DELETE", "iam.googleapis.com/v1/projects/[^/]+/serviceAccounts/([^/:]+)")
def delete_account(state, request):
    return state.delete(f"serviceAccounts/{request.parts[0]}")


def etag(number):
    """The etag of a version of a policy."""
    return base64.b64encode(number.to_bytes(6, "big")).decode()


def get_policy(state, name):
    """The policy of an object. A new policy has no bindings."""
    return state.things.get(f"policy of {name}", {"version": 1, "etag": etag(0), "bindings": []})


def is_unknown(state, service, account):
    """Whether a service does not know an account yet. It refuses the first requests with the account: as many as the state
    has in `new accounts are unknown`."""
    times = state.things.get("new accounts are unknown")
    if not times:
        return False
    asked = state.things.setdefault("asked for accounts", {})
    asked[f"{account} at {service}"] = asked.get(f"{account} at {service}", 0) + 1
    return asked[f"{account} at {service}"] <= times


def unknown(account):
    """The error in hashicorp/terraform-provider-google#26429."""
    return error(400, "INVALID_ARGUMENT", f"Service account {account} does not exist.", reason="invalid")


def set_policy(state, name, policy):
    """Replaces the policy that has the same etag."""
    members = sorted({member for binding in policy.get("bindings", []) for member in binding["members"]})
    for account in (member.removeprefix("serviceAccount:") for member in members):
        if is_unknown(state, name, account):
            return unknown(account)
    if policy["etag"] != get_policy(state, name)["etag"]:
        return error(409, "ABORTED", "There were concurrent policy changes.")
    number = int.from_bytes(base64.b64decode(policy["etag"]), "big") + 1
    policy = {"bindings": [], **policy, "etag": etag(number)}
    state.things[f"policy of {name}"] = policy
    return policy


@route("POST", "cloudresourcemanager.googleapis.com/v1/(projects/[^/:]+):getIamPolicy")
def get_project_policy(state, request):
    return get_policy(state, *request.parts)


@route("POST", "cloudresourcemanager.googleapis.com/v1/(projects/[^/:]+):setIamPolicy")
def set_project_policy(state, request):
    return set_policy(state, *request.parts, request.json["policy"])


@route("GET", "cloudresourcemanager.googleapis.com/v1/projects/{}")
def get_project(state, request):
    return {"projectId": request.parts[0], "projectNumber": NUMBER, "lifecycleState": "ACTIVE"}


# --- Storage ---------------------------------------------------------------------------------------------------------

STORAGE = "storage.googleapis.com/storage/v1/b"
UPLOAD = "storage.googleapis.com/(?:resumable/)?upload/storage/v1/b/{}/o"


@route("GET", f"{STORAGE}/{{}}")
def get_bucket(state, request):
    return state.get(f"buckets/{request.parts[0]}")


@route("POST", STORAGE)
def create_bucket(state, request):
    name = request.json["name"]
    return state.create(f"buckets/{name}", {"kind": "storage#bucket", "name": name, "projectNumber": NUMBER, "id": name})


@route("GET", STORAGE)
def list_buckets(state, request):
    return {"kind": "storage#buckets", "items": state.below("buckets/")}


@route("GET", f"{STORAGE}/{{}}/iam")
def get_bucket_policy(state, request):
    bucket = state.get(f"buckets/{request.parts[0]}")
    return bucket if isinstance(bucket, tuple) else get_policy(state, f"buckets/{request.parts[0]}")


@route("PUT", f"{STORAGE}/{{}}/iam")
def set_bucket_policy(state, request):
    return set_policy(state, f"buckets/{request.parts[0]}", request.json)


def parts_of(headers, body):
    """The two parts of a multipart upload: the object's metadata, and its bytes."""
    found = re.match("multipart/related; *boundary=['\"]?([^'\"]+)", headers.get("Content-Type", ""))
    if not found:
        return None
    boundary = b"--" + found[1].encode()
    parts = body.removeprefix(boundary).split(b"\n" + boundary if b"\r\n" + boundary not in body else b"\r\n" + boundary)
    about, content = (re.split(b"\r?\n\r?\n", part, maxsplit=1)[1] for part in parts[:2])
    return json.loads(about), content


def archive_names(headers, body):
    """The names in an uploaded archive."""
    parts = parts_of(headers, body)
    if not parts:
        return None
    with tarfile.open(fileobj=io.BytesIO(parts[1])) as archive:
        return sorted(archive.getnames())


@route("POST", UPLOAD)
def upload(state, request):
    about, content = parts_of(request.headers, request.raw)
    found = {"kind": "storage#object", "bucket": request.parts[0], "generation": "1", "size": str(len(content))}
    return found | {"name": about.get("name") or request.query["name"][0]}


# --- Cloud Build -----------------------------------------------------------------------------------------------------

BUILD = "cloudbuild.googleapis.com/v1/projects/{}"


def may(state, name, role, account):
    """Whether a policy grants the account the role."""
    return any(each["role"] == role and f"serviceAccount:{account}" in each["members"] and "condition" not in each
               for each in get_policy(state, name)["bindings"])


def unreadable(account):
    """The error in DefangLabs/pulumi-defang#115."""
    return error(400, "INVALID_ARGUMENT", f"could not resolve source: googleapi: Error 403: {account} does not have "
                 "storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied on "
                 "resource (or it may not exist)., forbidden")


@route("POST", f"{BUILD}/(?:locations/global/)?builds")
def create_build(state, request):
    """A build that ends at once. It runs as the named account, which must exist and have the required roles. The messages
    for missing roles are ours, except the one about the source."""
    build, values = request.json, request.json.get("substitutions", {})
    project, bucket = request.parts[0], build["source"]["storageSource"]["bucket"]
    account = build["serviceAccount"].replace("$PROJECT_ID", project).split("/")[-1]
    if f"serviceAccounts/{account}" not in state.things:
        return error(404, "NOT_FOUND", f"Service account {account} was not found.")
    if not may(state, f"buckets/{bucket}", "roles/storage.objectViewer", account):
        return unreadable(account)
    if not may(state, f"projects/{project}", "roles/logging.logWriter", account):
        return error(400, "INVALID_ARGUMENT", f"{account} may not write logs")
    status = "SUCCESS"
    for image in build.get("images", []):
        image = re.sub(r"\$\{?(_[A-Z]+)\}?", lambda found: values[found[1]], image)
        host, project, repository, name, tag = re.fullmatch("([^/]+)/([^/]+)/([^/]+)/([^:]+):(.+)", image).groups()
        parent = f"projects/{project}/locations/{host.removesuffix('-docker.pkg.dev')}/repositories/{repository}"
        if may(state, f"repository {repository}", "roles/artifactregistry.writer", account) and "builds fail" not in state.things:
            tags = state.things.setdefault(f"{parent}/packages/{name}", {})
            # A new version for each build, because an image contains times.
            tags[tag] = f"sha256:{1 + sum(int(version[7:], 16) for version in tags.values()):064x}"
        else:
            status = "FAILURE"
    build |= {"id": "build-1", "projectId": request.parts[0], "status": status, "createTime": TIMESTAMP,
              "startTime": TIMESTAMP, "finishTime": TIMESTAMP, "logUrl": "https://console.cloud.google.com/build-1",
              "name": f"projects/{request.parts[0]}/locations/global/builds/build-1"}
    state.things["build"] = build
    return {"name": "operations/build/1", "metadata": {
        "@type": "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata", "build": build}}


@route("GET", f"{BUILD}/(?:locations/global/)?builds/{{}}")
def get_build(state, request):
    return state.get("build")


# --- BigQuery --------------------------------------------------------------------------------------------------------

DATASETS = "bigquery.googleapis.com/bigquery/v2/projects/{}/datasets"


@route("GET", f"{DATASETS}/{{}}")
def get_dataset(state, request):
    name = "datasets/{}:{}".format(*request.parts)
    if name in state.things:
        return state.things[name]
    return error(404, "NOT_FOUND", f"Not found: Dataset {name.removeprefix('datasets/')}", reason="notFound")


@route("POST", DATASETS)
def create_dataset(state, request):
    name = f"{request.parts[0]}:{request.json['datasetReference']['datasetId']}"
    owner = [{"role": "OWNER", "specialGroup": "projectOwners"}]
    return state.create(f"datasets/{name}", {"kind": "bigquery#dataset", "id": name, "etag": "1", "access": owner} | request.json)


@route("PATCH", f"{DATASETS}/{{}}")
def change_dataset(state, request):
    dataset = state.get("datasets/{}:{}".format(*request.parts))
    if not isinstance(dataset, tuple):
        dataset |= request.json | {"labels": dataset.get("labels", {}) | request.json.get("labels", {})}
    return dataset


GRANT = r"(GRANT|REVOKE) `roles/bigquery.dataEditor` ON SCHEMA `([^.`]+)\.([^.`]+)` (?:TO|FROM) 'serviceAccount:([^']+)'"


@route("POST", "bigquery.googleapis.com/bigquery/v2/projects/{}/jobs")
def insert_job(state, request):
    found = re.fullmatch(GRANT, request.json["configuration"]["query"]["query"])
    if not found:
        return error(400, "INVALID_ARGUMENT", "the stub knows GRANT and REVOKE on a dataset", reason="invalidQuery")
    verb, project, dataset, account = found.groups()
    thing = state.get(f"datasets/{project}:{dataset}")
    if isinstance(thing, tuple):
        return thing
    if request.json["jobReference"].get("location", "").upper() != thing["location"].upper():
        return error(404, "NOT_FOUND", f"Not found: Dataset {project}:{dataset} was not found in that location", reason="notFound")
    job = request.json | {"kind": "bigquery#job", "id": f"{project}:US.job", "status": {"state": "DONE"}, "statistics": {
        "query": {"statementType": verb, "totalBytesProcessed": "0"}, "totalBytesProcessed": "0"}}
    job["jobReference"]["location"] = thing["location"]
    state.things["job"] = job
    if is_unknown(state, dataset, account):
        # It is not known whether the service reports this at the insert or in the job: alternate between both.
        if len(state.things["asked for accounts"]) % 2:
            return unknown(account)
        job["status"]["errorResult"] = {"reason": "invalid", "message": f"Service account {account} does not exist."}
        return job
    # The service returns the role under its older name.
    others = [each for each in thing["access"] if each not in (
        {"role": role, "userByEmail": account} for role in ("WRITER", "roles/bigquery.dataEditor"))]
    thing["access"] = others + ([{"role": "WRITER", "userByEmail": account}] if verb == "GRANT" else [])
    return job


@route("GET", "bigquery.googleapis.com/bigquery/v2/projects/{}/jobs/{}")
def get_job(state, request):
    return state.get("job")


@route("GET", "bigquery.googleapis.com/bigquery/v2/projects/{}/queries/{}")
def get_results(state, request):
    return {"kind": "bigquery#getQueryResultsResponse", "jobComplete": True, "schema": {"fields": []}, "totalRows": "0",
            "jobReference": state.things["job"]["jobReference"]}


# --- Cloud Run -------------------------------------------------------------------------------------------------------

RUN = "[a-z0-9-]+-run.googleapis.com/apis/run.googleapis.com/v1/(namespaces/[^/]+)"
READY = [{"type": "Ready", "status": "True"}]


@route("GET", f"{RUN}/jobs/{{}}")
def get_run_job(state, request):
    return state.get("{}/jobs/{}".format(*request.parts))


def stored_job(request, job, generation):
    """The job in the form that Cloud Run stores."""
    about = job["metadata"] | {"uid": "uid", "resourceVersion": f"v{generation}", "generation": generation,
                               "creationTimestamp": TIMESTAMP}
    return job | {"metadata": about, "status": {"observedGeneration": generation, "conditions": READY}}


@route("POST", f"{RUN}/jobs")
def create_run_job(state, request):
    name = f"{request.parts[0]}/jobs/{request.json['metadata']['name']}"
    return state.create(name, stored_job(request, request.json, 1))


@route("PUT", f"{RUN}/jobs/{{}}")
def replace_run_job(state, request):
    name = "{}/jobs/{}".format(*request.parts)
    old = state.get(name)
    if isinstance(old, tuple):
        return old
    state.things[name] = stored_job(request, request.json, old["metadata"]["generation"] + 1)
    if "latestCreatedExecution" in old["status"]:
        state.things[name]["status"]["latestCreatedExecution"] = old["status"]["latestCreatedExecution"]
    return state.things[name]


@route("DELETE", f"{RUN}/jobs/{{}}")
def delete_run_job(state, request):
    name = request.parts[1]
    state.things.pop(f"policy of run job {name}", None)
    return state.delete("{}/jobs/{}".format(*request.parts), {"status": "Success"})


@route("POST", f"{RUN}/jobs/{{}}:run")
def run_job(state, request):
    """An execution that ends at once. It fails where the state has `executions fail`."""
    job = state.get("{}/jobs/{}".format(*request.parts))
    if isinstance(job, tuple):
        return job
    failed = "executions fail" in state.things
    name = f"{request.parts[1]}-{len(state.below(request.parts[0] + '/executions/')) + 1:05}"
    reached = {"type": "Completed", "status": "False" if failed else "True"}
    if failed:
        reached |= {"reason": "NonZeroExitCode", "message": f"Task {name}-task0 failed with message: The container exited "
                    "with an error."}
    about = {"name": name, "namespace": NUMBER, "uid": name, "creationTimestamp": TIMESTAMP, "generation": 1,
             "labels": {"run.googleapis.com/job": request.parts[1], "cloud.googleapis.com/location": "us-central1"}}
    execution = {"apiVersion": "run.googleapis.com/v1", "kind": "Execution", "metadata": about,
                 "spec": job["spec"]["template"]["spec"],
                 "status": {"observedGeneration": 1, "startTime": TIMESTAMP, "completionTime": "2026-01-02T06:04:00Z",
                            "failedCount" if failed else "succeededCount": 1,
                            "conditions": [reached, {"type": "Started", "status": "True"}]}}
    job["status"]["latestCreatedExecution"] = {"name": name, "creationTimestamp": TIMESTAMP}
    return state.create(f"{request.parts[0]}/executions/{name}", execution)


@route("GET", f"{RUN}/executions/{{}}")
def get_execution(state, request):
    # gcloud names the project by its number, which all projects share here.
    end = f"/executions/{request.parts[1]}"
    return state.get(next((name for name in state.things if name.endswith(end)), end))


@route("GET", f"{RUN}/executions")
def list_executions(state, request):
    listed = state.below(request.parts[0] + "/executions/")
    if wanted := request.query.get("labelSelector"):
        key, value = wanted[0].replace(" ", "").split("=")
        listed = [each for each in listed if each["metadata"]["labels"].get(key) == value]
    return {"apiVersion": "run.googleapis.com/v1", "kind": "ExecutionList", "metadata": {}, "items": listed}


RUN_POLICY = "run.googleapis.com/v1/projects/[^/]+/locations/[^/]+/jobs/([^/:]+)"


@route("GET", f"{RUN_POLICY}:getIamPolicy")
def get_job_policy(state, request):
    return get_policy(state, f"run job {request.parts[0]}")


@route("POST", f"{RUN_POLICY}:setIamPolicy")
def set_job_policy(state, request):
    return set_policy(state, f"run job {request.parts[0]}", request.json["policy"])


# --- Cloud Scheduler -------------------------------------------------------------------------------------------------

SCHEDULES = "cloudscheduler.googleapis.com/v1/(projects/[^/]+/locations/[^/]+/jobs)"


@route("GET", SCHEDULES)
def list_schedules(state, request):
    return {"jobs": state.below(f"{request.parts[0]}/")}


@route("GET", f"{SCHEDULES}/{{}}")
def get_schedule(state, request):
    return state.get("/".join(request.parts))


@route("POST", SCHEDULES)
def create_schedule(state, request):
    next_time = {"state": "ENABLED", "scheduleTime": "2026-01-03T06:00:00Z"}
    return state.create(request.json["name"], request.json | next_time)


@route("PATCH", f"{SCHEDULES}/{{}}")
def change_schedule(state, request):
    name = "/".join(request.parts)
    if name not in state.things:
        return missing(name)
    state.things[name] = request.masked(state.things[name])
    return state.things[name]


@route("DELETE", f"{SCHEDULES}/{{}}")
def delete_schedule(state, request):
    return state.delete("/".join(request.parts))


# --- Monitoring and Logging ------------------------------------------------------------------------------------------

MONITORING = "monitoring.googleapis.com/v3/(projects/[^/]+/(?:alertPolicies|notificationChannels))"


@route("GET", MONITORING)
def list_monitoring(state, request):
    return {request.parts[0].split("/")[-1]: state.below(f"{request.parts[0]}/")}


@route("POST", MONITORING)
def create_monitoring(state, request):
    name = f"{request.parts[0]}/{1001 + len(state.below(request.parts[0] + '/'))}"
    conditions = [each | {"name": f"{name}/conditions/{at}"} for at, each in enumerate(request.json.get("conditions", []))]
    created = request.json | {"name": name} | ({"conditions": conditions} if conditions else {"enabled": True})
    return state.create(name, created)


@route("GET", f"{MONITORING}/{{}}")
def get_monitoring(state, request):
    return state.get("/".join(request.parts))


@route("PATCH", f"{MONITORING}/{{}}")
def change_monitoring(state, request):
    name = "/".join(request.parts)
    if name not in state.things:
        return missing(name)
    state.things[name] = request.masked(state.things[name]) | {"name": name}
    return state.things[name]


@route("DELETE", f"{MONITORING}/{{}}")
def delete_monitoring(state, request):
    return state.delete("/".join(request.parts))


@route("POST", "logging.googleapis.com/v2/entries:list")
def list_entries(state, request):
    """All entries, newest first. The filter is ignored here; requests.jsonl has it."""
    return {"entries": state.things.get("entries", [])}

"""A stub of the services that a deployment calls. It keeps state, logs every request, and answers 501 to unknown
requests, so that no request succeeds by accident.

usage: stub.py <folder>     prints the port of the stub's proxy

The folder has state.json (the existing objects; tests may write it while no request is running), requests.jsonl (each
request), failures.json (a list of {"method", "path", "error", "times"}, where `path` is a pattern for a part of host
and path, and `error` a name in FAILURES), and ca.pem (the certificate to trust). The stub follows Google's
documentation and the expectations of gcloud; it is not the real services.
"""

import json
import re
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import services
from proxy import Proxy, error

LOCK = threading.Lock()

def detail(reason):
    """A google.rpc.ErrorInfo."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


FAILURES = {
    "permission": lambda where: error(
        403, "PERMISSION_DENIED", f"The caller does not have permission on {where}", reason="forbidden"),
    "actas": lambda where: error(
        403, "PERMISSION_DENIED", f"Permission 'iam.serviceaccounts.actAs' denied on service account finops-job@{services.PROJECT}"
        ".iam.gserviceaccount.com (or it may not exist).", reason="forbidden"),
    # The error in kohei321dev/spot-diggz#164.
    "act_as": lambda where: error(
        403, "PERMISSION_DENIED", "caller does not have permission to act as service account 109095503163182759798"),
    "source": lambda where: services.unreadable(f"finops-builder@{services.PROJECT}.iam.gserviceaccount.com"),
    "unknown_account": lambda where: services.unknown(f"finops-job@{services.PROJECT}.iam.gserviceaccount.com"),
    "api_disabled": lambda where: error(
        403, "PERMISSION_DENIED", f"This API has not been used in project {services.PROJECT} before or it is disabled. Enable it, "
        "then retry.", detail("SERVICE_DISABLED"), reason="accessNotConfigured"),
    "billing": lambda where: error(
        403, "PERMISSION_DENIED", f"This API method requires billing to be enabled. Please enable billing on project "
        f"#{services.PROJECT}, then retry.", detail("BILLING_DISABLED")),
    "quota": lambda where: error(
        429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests'.", reason="quotaExceeded"),
    "taken": lambda where: error(409, "ALREADY_EXISTS", f"Requested entity already exists: {where}", reason="duplicate"),
}


class Stub:
    """The state in a folder, and the answers."""

    def __init__(self, folder):
        self.folder = folder

    def answer(self, method, host, path, headers, body):
        """Status, headers and body for a request."""
        with LOCK:
            path, query = unquote(urlsplit(path).path), parse_qs(urlsplit(path).query)
            self.log(method, host, path, query, headers, body)
            if failure := self.failure(method, f"{host}{path}"):
                return FAILURES[failure](path)
            state_file = self.folder / "state.json"
            state = services.State(json.loads(state_file.read_text()))
            for route_method, pattern, handler in services.ROUTES:
                found = re.fullmatch(pattern, f"{host}{path}")
                if route_method == method and found:
                    answer = handler(state, services.Request(found.groups(), query, headers, body))
                    break
            else:
                return error(501, "UNIMPLEMENTED", f"the stub does not know {method} {host}{path}")
            state_file.write_text(json.dumps(state.things, indent=1))
            if isinstance(answer, tuple):
                return answer
            return 200, {}, json.dumps(answer).encode()

    def failure(self, method, url):
        """The scheduled failure for this request, if any."""
        file = self.folder / "failures.json"
        failures = json.loads(file.read_text()) if file.exists() else []
        for due in failures:
            if due["method"] == method and re.search(due["path"], url) and due.get("times", 1):
                due["times"] = due.get("times", 1_000_000) - 1
                file.write_text(json.dumps(failures))
                return due["error"]
        return None

    def log(self, method, host, path, query, headers, body):
        """Appends the request to requests.jsonl."""
        if "json" in headers.get("Content-Type", "") and body:
            body = json.loads(body)
        elif body:
            body = services.archive_names(headers, body) or f"{len(body)} bytes"
        request = {"method": method, "host": host, "path": path, "query": query, "body": body or None}
        with (self.folder / "requests.jsonl").open("a") as requests:
            requests.write(json.dumps(request) + "\n")


def main():
    """Serves until it is killed."""
    folder = Path(sys.argv[1])
    if not (folder / "state.json").exists():
        (folder / "state.json").write_text("{}")
    proxy = Proxy(folder, Stub(folder).answer)
    print(proxy.server_port, flush=True)
    proxy.serve_forever()


if __name__ == "__main__":
    main()

"""Adds a wanted Cloud Run job to the deployed one: what others set there stays, such as networks, keys, labels and secrets."""

from settings import is_setting

# What the service sets, as `gcloud run jobs describe --format export` leaves it out.
OF_THE_SERVICE = {"creationTimestamp", "generation", "namespace", "resourceVersion", "selfLink", "uid"} | {
    "run.googleapis.com/" + name for name in ("client-name", "client-version", "creatorEmail", "lastModifierEmail", "operation-id")
} | {f"serving.knative.dev/{name}" for name in ("creator", "lastModifier")}


def merged(wanted, deployed):
    """The deployed job with the wanted one over it, field by field."""
    return _over(wanted, {name: value for name, value in deployed.items() if name != "status"})


def _over(wanted, deployed, name=""):
    # A label may have the name env, too.
    if name == "env" and isinstance(wanted, list):
        return wanted + [each for each in deployed or [] if _stays(each, wanted)]
    if isinstance(wanted, dict) and isinstance(deployed, dict):
        kept = {each: _of_users(each, value) for each, value in deployed.items()}
        return kept | {each: _over(value, kept.get(each), each) for each, value in wanted.items()}
    # The first container is ours. Others may run beside it.
    if name == "containers" and isinstance(deployed, list):
        return [_over(wanted[0], deployed[0]), *deployed[1:]]
    return wanted


def _of_users(name, value):
    if name in ("metadata", "annotations") and isinstance(value, dict):
        kept = {each: inner for each, inner in value.items() if each not in OF_THE_SERVICE}
        return {each: _of_users(each, inner) for each, inner in kept.items()}
    return value


def _stays(variable, wanted):
    """Whether a deployed variable stays. A setting that is no longer in the file goes, but not a secret: a file has none."""
    name = variable["name"]
    return name not in {each["name"] for each in wanted} and (not is_setting(name) or "valueFrom" in variable)

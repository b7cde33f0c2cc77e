# shellcheck shell=bash
# Shared functions. Sourcing this file reads and checks the settings; where they are wrong, the script ends.
#
# usage: source lib.sh [aws|azure]
set -euo pipefail
# With CDPATH, cd could change to another folder.
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

env_file=${ENV_FILE:-.env}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
found=$work/found

export CLOUDSDK_CORE_DISABLE_PROMPTS=1 CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=1 PYTHONDONTWRITEBYTECODE=1

# fail <message> <hint>
fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit "${3:-1}"
}

for program in gcloud bq; do
    command -v "$program" >/dev/null || fail "$program is not in the PATH" "install the Google Cloud CLI: gcloud and bq" 2
done
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' || fail "python3 is missing or too old" \
    "install Python 3.9 or later; gcloud needs it, too" 2

render() {
    python3 deploy/render.py "$env_file" "$@"
}

# shellcheck disable=SC2034  # not every script uses all of them
{
    project='' job_project='' region='' location='' prefix='' labels='' repository='' image_name='' given_image=''
    job_account='' scheduler_account='' builder_account='' given_job_account='' given_scheduler_account=''
    alert_email='' alert_channel='' time_zone=''
    pipelines='' datasets='' staging_dataset='' buckets='' unused='' all_pipelines='' all_datasets='' all_buckets=''
    settings=$(render shell "$@") || exit 2
    eval "$settings"
    # The default bucket of `gcloud builds submit` for the source.
    source_bucket=${project}_cloudbuild
}

# How often, and at intervals of how many seconds, to try a command again while a service does not know a new account:
# BigQuery knows it after 30 to 120 s (hashicorp/terraform-provider-google#26430). Tests set both.
tries=${FINOPS_DEPLOY_TRIES:-30} pause=${FINOPS_DEPLOY_PAUSE:-5}

# say <object> <result>
say() {
    printf '%s: %s\n' "$1" "$2"
}

# command_output: the output of the last command on one line, because bq breaks its messages into lines.
command_output() {
    cat "$found" "$work/stderr" 2>/dev/null | tr '\n' ' '
}

# The next step for a command that the account may not run.
denied="gcloud auth list shows your account; docs/permissions.md lists the roles that it needs"

# hint: prints the next step for the failed command.
hint() {
    case $(command_output) in
    *"installation of components"*)
        echo "gcloud components install alpha: alert policies are in that part of gcloud" ;;
    *BILLING_DISABLED* | *"billing to be enabled"* | *"nable billing"* | *"illing account"* | *"illing must be enabled"*)
        echo "link $project to an open billing account: https://console.cloud.google.com/billing/projects" ;;
    *SERVICE_DISABLED* | *"has not been used in project"*)
        echo "make setup-gcp enables the APIs; a new API takes some minutes to be known everywhere" ;;
    *RESOURCE_EXHAUSTED* | *"uota exceeded"* | *"xceeded quota"* | *"HTTPError 429"*)
        echo "wait and run it again, or request a higher quota: https://console.cloud.google.com/iam-admin/quotas?project=$project" ;;
    *actAs* | *"act as service account"*)
        echo "make setup-permissions creates the account; your account needs roles/iam.serviceAccountUser on it" ;;
    *PERMISSION_DENIED* | *"HTTPError 403"* | *"Access Denied"* | *"does not have permission"*)
        echo "$denied" ;;
    *ALREADY_EXISTS* | *"lready exists"* | *"Already Exists"* | *"HTTPError 409"*)
        echo "the name is taken, perhaps by a recently deleted object or another call: run it again, or choose another name in $env_file" ;;
    *UNAUTHENTICATED* | *"gcloud auth login"*)
        echo "sign in: gcloud auth login" ;;
    *"does not exist"*)
        echo "a new account takes some minutes to be known everywhere: wait, and run it again; completed steps are not repeated" ;;
    *NOT_FOUND* | *"ot found"* | *"annot find"*)
        echo "run make setup-gcp, make setup-permissions and make deploy, in this order; the buckets of exports must exist" ;;
    *)
        echo "fix the reported problem, and run it again; completed steps are not repeated" ;;
    esac
}

# failed <command>...: prints the output of the command and a hint, and ends.
failed() {
    cat "$found" "$work/stderr" >&2 2>/dev/null || true
    local command="$*"
    fail "failed: ${command//"$work/"/}" "$(hint)"
}

# call <command>...: runs the command; ends where it fails. Its output is in $found.
call() {
    "$@" >"$found" 2>"$work/stderr" || failed "$@"
}

# lookup <command>...: runs the command; fails where its object does not exist. Its output is in $found.
lookup() {
    if "$@" >"$found" 2>"$work/stderr"; then
        return 0
    fi
    [[ $(command_output) =~ NOT_FOUND|"Not found: "|"Cannot find "|"could not be found"|"not found: 404" ]] || failed "$@"
    return 1
}

# watch <command>...: runs the command and shows its output at once. The caller checks the exit code.
watch() {
    : >"$found"
    { "$@" 2>&1 1>&3 | tee "$work/stderr" >&2; } 3>&1
}

# bind <object> <role> <member> <command>...: grants the role with the command, unless the policy in $policy has it.
policy=$work/policy
bind() {
    local what=$1 role=$2 member=$3
    shift 3
    if bound "$role" "$member"; then
        say "$what: $role for ${member##*:}" unchanged
    else
        grant "$what" "$role" "${member##*:}" "$@" --role "$role" --member "$member"
    fi
}

# grant <object> <role> <account> <command>...: grants the role with the command; waits until the account is known there. Where
# you may not grant it, adds it to $refused.
refused=()
grant() {
    local what="$1: $2 for $3" try=1
    shift 3
    until "$@" >"$found" 2>"$work/stderr"; do
        if [[ $(hint) == "$denied" ]]; then
            say "$what" "missing, and you may not grant it"
            refused+=("$(printf ' %q' "$@")")
            return
        fi
        if ((try++ >= tries)) || [[ $(command_output) != *"does not exist"* ]]; then
            failed "$@"
        fi
        ((try > 2)) || say "$what" "the account is not known there yet; trying again for up to $(((tries - 1) * pause)) s"
        sleep "$pause"
    done
    say "$what" granted
}

# end_grants: ends with the roles that are missing, if any, and the commands that grant them.
end_grants() {
    ((${#refused[@]})) || return 0
    cat "$work/stderr" >&2
    printf 'error: roles are missing. These commands grant them:\n' >&2
    printf ' %s\n' "${refused[@]}" >&2
    printf 'hint: have them run by an account that may, and run this again\n' >&2
    exit 1
}

# unbind <object> <role> <member> <command>...: removes the role with the command, where the policy in $policy has it.
unbind() {
    local what="$1: $2 for ${3##*:}" role=$2 member=$3
    shift 3
    if bound "$role" "$member"; then
        call "$@" --role "$role" --member "$member"
        say "$what" removed
    fi
}

# bound <role> <member>: succeeds where $policy grants the role without a condition.
bound() {
    grep -qxF "$1"$'\t'"$2"$'\t' "$policy"
}

# read_policy <command>...: writes the policy that the command prints to $policy.
read_policy() {
    call "$@" --flatten 'bindings[].members' \
        --format 'value(bindings.role, bindings.members, bindings.condition.expression)'
    cp "$found" "$policy"
}

# read_policy_to_grant <command>...: the same. A policy that you may not read counts as empty: a role of it is granted again, or
# reported as missing.
read_policy_to_grant() {
    "$@" --flatten 'bindings[].members' --format 'value(bindings.role, bindings.members, bindings.condition.expression)' \
        >"$policy" 2>"$work/stderr" && return
    : >"$found"
    [[ $(hint) == "$denied" ]] || failed "$@"
    : >"$policy"
}

# shellcheck shell=bash
# What the scripts of this folder share: reading it reads and checks the settings. Where they are wrong, nothing is done.
#
# usage: source lib.sh [aws|azure]
set -euo pipefail
# A CDPATH of the shell could lead elsewhere.
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
    command -v "$program" >/dev/null || fail "$program is not on the PATH" "install the Google Cloud CLI: gcloud and bq" 2
done
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' || fail "python3 is missing or too old" \
    "install Python 3.9 or later, which gcloud needs, too" 2

render() {
    python3 deploy/render.py "$env_file" "$@"
}

# shellcheck disable=SC2034  # not every script uses all of them
{
    project='' region='' location='' repository='' image_name='' alert_email='' time_zone=''
    aws_schedule='' azure_schedule='' pipelines='' datasets='' staging_dataset='' buckets='' unused=''
    all_datasets='' all_buckets=''
    settings=$(render shell "$@") || exit 2
    eval "$settings"
    job_account=finops-job@$project.iam.gserviceaccount.com
    scheduler_account=finops-scheduler@$project.iam.gserviceaccount.com
    builder_account=finops-builder@$project.iam.gserviceaccount.com
    # Where `gcloud builds submit` uploads the source, unless it is given another place.
    source_bucket=${project}_cloudbuild
}

# How often a command is tried that a service refuses because it does not know a new account yet, and how many seconds
# apart: BigQuery knows one after 30 to 120 s (hashicorp/terraform-provider-google#26430). Tests set both.
tries=${FINOPS_DEPLOY_TRIES:-30} pause=${FINOPS_DEPLOY_PAUSE:-5}

# say <thing> <what became of it>
say() {
    printf '%s: %s\n' "$1" "$2"
}

# said: what the command printed, in one line, since bq breaks its messages into lines.
said() {
    cat "$found" "$work/stderr" 2>/dev/null | tr '\n' ' '
}

# hint: the next step for what the failed command said.
hint() {
    case $(said) in
    *"installation of components"*)
        echo "gcloud components install alpha: alert policies are in that part of gcloud" ;;
    *BILLING_DISABLED* | *"billing to be enabled"* | *"nable billing"* | *"illing account"* | *"illing must be enabled"*)
        echo "link $project to an open billing account: https://console.cloud.google.com/billing/projects" ;;
    *SERVICE_DISABLED* | *"has not been used in project"*)
        echo "make setup-gcp enables the APIs; a new one takes some minutes until every server knows of it" ;;
    *RESOURCE_EXHAUSTED* | *"uota exceeded"* | *"xceeded quota"* | *"HTTPError 429"*)
        echo "wait and run it again, or ask for more: https://console.cloud.google.com/iam-admin/quotas?project=$project" ;;
    *actAs* | *"act as service account"*)
        echo "make setup-permissions makes the account; who deploys needs roles/iam.serviceAccountUser on it" ;;
    *PERMISSION_DENIED* | *"HTTPError 403"* | *"Access Denied"* | *"does not have permission"*)
        echo "gcloud auth list shows who you are; DEPLOYMENT.md lists the roles that who deploys needs" ;;
    *ALREADY_EXISTS* | *"lready exists"* | *"Already Exists"* | *"HTTPError 409"*)
        echo "the name is taken, perhaps by something deleted lately or by another call: run it again, or choose another name in $env_file" ;;
    *UNAUTHENTICATED* | *"gcloud auth login"*)
        echo "sign in: gcloud auth login" ;;
    *"does not exist"*)
        echo "an account is known everywhere some minutes after it was created: wait, and run it again; what is done already is not repeated" ;;
    *NOT_FOUND* | *"ot found"* | *"annot find"*)
        echo "make setup-gcp, make setup-permissions and make deploy make what is needed, in this order; buckets must exist" ;;
    *)
        echo "mend what the message says, and run it again: what is done already stays, and is not done twice" ;;
    esac
}

# failed <command>...: shows what the command said, with a hint, and ends.
failed() {
    cat "$found" "$work/stderr" >&2 2>/dev/null || true
    local command="$*"
    fail "failed: ${command//"$work/"/}" "$(hint)"
}

# call <command>...: runs it. What it printed is in $found.
call() {
    "$@" >"$found" 2>"$work/stderr" || failed "$@"
}

# lookup <command>...: whether what it describes is there. What it printed is in $found.
lookup() {
    if "$@" >"$found" 2>"$work/stderr"; then
        return 0
    fi
    [[ $(said) =~ NOT_FOUND|"Not found: "|"Cannot find "|"could not be found"|"not found: 404" ]] || failed "$@"
    return 1
}

# watch <command>...: runs it, and shows what it prints at once. Whether it went well is for the caller to look at.
watch() {
    : >"$found"
    { "$@" 2>&1 1>&3 | tee "$work/stderr" >&2; } 3>&1
}

# bind <on what> <role> <member> <command>...: gives the role by the command, where the policy in $policy has it not.
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

# grant <on what> <role> <account> <command>...: gives the role by the command, as soon as the account is known there.
grant() {
    local what="$1: $2 for $3" try=1
    shift 3
    until "$@" >"$found" 2>"$work/stderr"; do
        if ((try++ >= tries)) || [[ $(said) != *"does not exist"* ]]; then
            failed "$@"
        fi
        ((try > 2)) || say "$what" "the account is not known there yet; tried again for up to $(((tries - 1) * pause)) s"
        sleep "$pause"
    done
    say "$what" granted
}

# unbind <on what> <role> <member> <command>...: takes it away again.
unbind() {
    local what="$1: $2 for ${3##*:}" role=$2 member=$3
    shift 3
    if bound "$role" "$member"; then
        call "$@" --role "$role" --member "$member"
        say "$what" removed
    fi
}

# bound <role> <member>: whether $policy gives it, without a condition.
bound() {
    grep -qxF "$1"$'\t'"$2"$'\t' "$policy"
}

# read_policy <command that gets it>...
read_policy() {
    call "$@" --flatten 'bindings[].members' \
        --format 'value(bindings.role, bindings.members, bindings.condition.expression)'
    cp "$found" "$policy"
}

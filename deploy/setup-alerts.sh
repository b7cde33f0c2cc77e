#!/usr/bin/env bash
# Creates alerts that send an e-mail when an execution failed, and when none succeeded for a day and a half.
# Google generates the names of channels and policies, so the script finds them by labels.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

[[ -n $alert_email ]] || fail "ALERT_EMAIL is not set in $env_file" "set it to the address that alerts are sent to" 2

# put <object> <channels|policies> <label> <flag for the file>: creates or changes the object of $work/wanted.json, unless it
# is the same. $work/listed lists the existing ones. Sets $name to its name.
put() {
    local what=$1 kind=$2 label=$3 flag=$4
    if ! python3 deploy/labelled.py "$work/listed" "alert=$label" >"$work/existing.json"; then
        call gcloud alpha monitoring "$kind" create --project "$project" "$flag" "$work/wanted.json" --format 'value(name)'
        name=$(<"$found")
        say "$what" created
        return
    fi
    name=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["name"])' "$work/existing.json")
    if python3 deploy/differs.py "$work/wanted.json" "$work/existing.json" >"$work/changes"; then
        say "$what" unchanged
        return
    fi
    call gcloud alpha monitoring "$kind" update "$name" "$flag" "$work/wanted.json"
    say "$what" changed
    cat "$work/changes"
}

call gcloud alpha monitoring channels list --project "$project" --format json
cp "$found" "$work/listed"
render channel >"$work/wanted.json"
put "e-mail to $alert_email" channels finops --channel-content-from-file
channel=$name

call gcloud alpha monitoring policies list --project "$project" --format json
cp "$found" "$work/listed"
for pipeline in $pipelines; do
    for alert in failed silent; do
        render "alert-$alert" "$pipeline" "$channel" >"$work/wanted.json"
        put "alert finops-$pipeline-$alert" policies "finops-$pipeline-$alert" --policy-from-file
    done
done

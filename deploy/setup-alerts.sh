#!/usr/bin/env bash
# Creates alerts to ALERT_EMAIL and ALERT_CHANNEL: an execution failed, an export is stale, and none succeeded for a day and a half.
# Google generates the names of channels and policies, so the script finds them by labels.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

[[ -n $alert_email$alert_channel ]] || fail "neither ALERT_EMAIL nor ALERT_CHANNEL is set in $env_file" \
    "set ALERT_EMAIL to the address that alerts are sent to, or ALERT_CHANNEL to a notification channel" 2

# put <object> <channels|policies> <label> <flag for the file>: creates or changes the object of $work/wanted.json, unless it
# is the same. $work/listed lists the existing ones. Sets $name to its name.
put() {
    local what=$1 kind=$2 label=$3 flag=$4
    if ! python3 deploy/labelled.py "$work/listed" alert "$label" >"$work/existing.json"; then
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

channels=$alert_channel
if [[ -n $alert_email ]]; then
    call gcloud alpha monitoring channels list --project "$project" --format json
    cp "$found" "$work/listed"
    render channel >"$work/wanted.json"
    put "e-mail to $alert_email" channels "$prefix" --channel-content-from-file
    channels="$name $channels"
fi

call gcloud alpha monitoring policies list --project "$project" --format json
cp "$found" "$work/listed"
for pipeline in $pipelines; do
    for alert in failed silent stale; do
        render "alert-$alert" "$pipeline" "$channels" >"$work/wanted.json"
        put "alert $prefix-$pipeline-$alert" policies "$prefix-$pipeline-$alert" --policy-from-file
    done
done

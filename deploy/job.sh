# shellcheck shell=bash
# The Cloud Run job of a pipeline, with the settings of .env.
# shellcheck source=deploy/image.sh
source "$(dirname "${BASH_SOURCE[0]}")/image.sh"

# find_job <pipeline>: succeeds where the job is deployed. Its configuration is in $work/deployed-<pipeline>.json.
find_job() {
    lookup gcloud run jobs describe "$prefix-$1" --region "$region" --project "$project" --format json || return 1
    cp "$found" "$work/deployed-$1.json"
}

# put_job <pipeline>: creates or changes the job, unless find_job found the same. What others set on the job stays.
put_job() {
    local deployed=$work/deployed-$1.json became=created
    : >"$work/changes"
    if [[ ! -e $deployed ]]; then
        render job "$1" "$image" >"$work/job.json"
    else
        render job "$1" "$image" "$deployed" >"$work/job.json"
        became=changed
        if python3 deploy/differs.py "$work/job.json" "$deployed" >"$work/changes"; then
            if [[ -z $built ]]; then
                say "job $prefix-$1" unchanged
                return
            fi
            echo "  the image was built again" >"$work/changes"
        fi
    fi
    call gcloud run jobs replace "$work/job.json" --region "$region" --project "$project"
    say "job $prefix-$1" "$became"
    cat "$work/changes"
}

# shellcheck shell=bash
# The Cloud Run job of a pipeline, as .env says.
# shellcheck source=deploy/image.sh
source "$(dirname "${BASH_SOURCE[0]}")/image.sh"

# find_job <pipeline>: whether it is deployed. As it is deployed, it is in $found.
find_job() {
    lookup gcloud run jobs describe "finops-$1" --region "$region" --project "$project" --format json
}

# put_job <pipeline> yes|no: sends the job, if it is there or not, unless what is deployed is the same. After find_job.
put_job() {
    local became=created
    render job "$1" "$image" >"$work/job.json"
    if [[ $2 == yes ]]; then
        became=changed
        if python3 deploy/differs.py "$work/job.json" "$found" >"$work/changes" && [[ -z $built ]]; then
            say "job finops-$1" unchanged
            return
        fi
        if [[ ! -s $work/changes ]]; then
            echo "  the image was built anew" >"$work/changes"
        fi
    fi
    call gcloud run jobs replace "$work/job.json" --region "$region" --project "$project"
    say "job finops-$1" "$became"
    if [[ $2 == yes ]]; then
        cat "$work/changes"
    fi
}

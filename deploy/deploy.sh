#!/usr/bin/env bash
# Deploys the jobs of the pipelines, each with its schedule.
#
# usage: deploy.sh [aws|azure]
# shellcheck source=deploy/job.sh
source "$(dirname "$0")/job.sh" "$@"

# put_schedule <pipeline>
put_schedule() {
    local name=$prefix-$1 schedule=${1}_schedule verb=create became=created
    schedule=${!schedule}
    local uri=https://run.googleapis.com/v2/projects/$project/locations/$region/jobs/$name:run
    cat >"$work/schedule.json" <<END
{
  "schedule": "$schedule",
  "timeZone": "$time_zone",
  "httpTarget": {
    "uri": "$uri",
    "httpMethod": "POST",
    "oauthToken": { "serviceAccountEmail": "$scheduler_account" }
  }
}
END
    : >"$work/changes"
    if lookup gcloud scheduler jobs describe "$name" --location "$region" --project "$project" --format json; then
        if grep -q '"state": "PAUSED"' "$found"; then
            say "schedule $name" "still paused; to resume it: gcloud scheduler jobs resume $name --location $region --project $project"
        fi
        if python3 deploy/differs.py "$work/schedule.json" "$found" >"$work/changes"; then
            say "schedule $name" unchanged
            return
        fi
        verb=update became=changed
    fi
    call gcloud scheduler jobs "$verb" http "$name" --location "$region" --project "$project" \
        --schedule "$schedule" --time-zone "$time_zone" --uri "$uri" --http-method POST \
        --oauth-service-account-email "$scheduler_account"
    say "schedule $name" "$became"
    cat "$work/changes"
}

ensure_image
for pipeline in $pipelines; do
    find_job "$pipeline" || true
    put_job "$pipeline"
    read_policy_to_grant gcloud run jobs get-iam-policy "$prefix-$pipeline" --region "$region" --project "$project"
    bind "job $prefix-$pipeline" roles/run.invoker "serviceAccount:$scheduler_account" \
        gcloud run jobs add-iam-policy-binding "$prefix-$pipeline" --region "$region" --project "$project"
    put_schedule "$pipeline"
done
end_grants

//! The life of a deployment: created, unchanged, changed, repaired, and removed.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    deployment::{AWS, Deployment, readable},
    program::{Finops, assert_names},
    require::output,
};

const ALL: &str = "\
PIPELINE=all
GCP_PROJECT_ID=my-project
BIGQUERY_LOCATION=EU
STAGING_DATASET=staging
GCP_REGION=us-central1
ALERT_EMAIL=billing@example.com

AWS_EXPORTS=prod,old-one
AWS_GCS_BUCKET=my-billing-bucket
AWS_DATASET=billing
AWS_PROD_TABLE_NAME=aws_prod
AWS_PROD_EXPORT_NAME='its \"prod\": $HOME `id` #1'
AWS_OLD_ONE_SOURCE=gs://archive-bucket/reports
AWS_OLD_ONE_DATASET=archive
AWS_OLD_ONE_TABLE_NAME=aws_old
AWS_SCHEDULE=\"0 6 * * *\"  # after the mirror

export AZURE_SOURCE=gs://my-billing-bucket/azure
AZURE_DATASET=billing
AZURE_TABLE_NAME=azure_focus
AZURE_SCHEDULE='30 7	* *  1-5'
SCHEDULE_TIME_ZONE=Europe/Berlin
TIMEOUT=1h30m
MEMORY=1024Mi
START_DATE=2025-01

AWS_ACCESS_KEY_ID=AKIA-NEVER-SENT
AWS_SECRET_ACCESS_KEY=never-sent
";

const SETUP: [&str; 4] = ["setup-gcp", "setup-permissions", "deploy", "setup-alerts"];

/// The names of what a deployment creates, and `make destroy` removes.
fn created(deployment: &Deployment) -> Vec<String> {
    let kept = |name: &String| {
        ["apis", "asked", "build", "job", "buckets/", "datasets/", "new accounts", "policy of"]
            .iter()
            .any(|kept| name.starts_with(kept))
    };
    deployment.state().into_keys().filter(|name| !kept(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_project_is_deployed_and_a_second_time_nothing_is_changed() {
    let Some(deployment) = Deployment::new(ALL) else { return };
    insta::assert_snapshot!("deploy_check_env", deployment.prints(&["check-env"]));
    // Each service refuses its first request with a new account.
    deployment.change(|state| drop(state.insert("new accounts are unknown".to_owned(), 1.into())));
    let mut printed = Vec::new();
    for target in SETUP {
        printed.push(deployment.prints(&[target]));
        let changes = deployment.changes();
        assert!(!readable(&changes).to_lowercase().contains("never-sent"), "{target}");
        assert!(!readable(&changes).contains("stray"), "{target}");
        insta::assert_snapshot!(format!("deploy_requests_of_{target}"), readable(&changes));
    }
    insta::assert_snapshot!("deploy_first", printed.join("\n"));

    insta::assert_snapshot!("deploy_second", deployment.prints(&SETUP));
    assert_eq!(deployment.changes(), [] as [Value; 0]);

    // A role that was granted by other means has its full name.
    deployment.change(|state| {
        for entry in state["datasets/my-project:billing"]["access"].as_array_mut().unwrap() {
            if entry["role"] == "WRITER" {
                entry["role"] = "roles/bigquery.dataEditor".into();
            }
        }
        // Cloud Run may write the same amounts in another form.
        let limits = "/spec/template/spec/template/spec/containers/0/resources/limits";
        let job = &mut state["namespaces/my-project/jobs/finops-aws"];
        *job.pointer_mut(limits).unwrap() = json!({"cpu": "1000m", "memory": "1Gi"});
    });
    deployment.prints(&["setup-permissions", "deploy-aws"]);
    assert_eq!(deployment.changes(), [] as [Value; 0]);

    // Earlier versions did not label what they created with its deployment.
    deployment.change(|state| {
        let unlabelled = |thing: &mut Value, labels: &str| {
            thing[labels].as_object_mut().unwrap().remove("deployment").unwrap();
        };
        unlabelled(&mut state["projects/my-project/locations/us-central1/repositories/finops"], "labels");
        unlabelled(&mut state["projects/my-project/alertPolicies/1002"], "userLabels");
    });

    let printed = deployment.prints(&["destroy YES=yes", "destroy YES=yes"]);
    insta::assert_snapshot!("deploy_destroyed", printed);
    insta::assert_snapshot!("deploy_requests_of_destroy", readable(&deployment.changes()));
    assert_eq!(created(&deployment), [] as [&str; 0]);
    let state = deployment.state();
    let datasets = ["billing", "archive", "staging"].map(|name| format!("datasets/my-project:{name}"));
    for kept in datasets.iter().map(String::as_str).chain(["buckets/my-billing-bucket"]) {
        assert!(state.contains_key(kept), "{kept}");
    }
    let policies = state.iter().filter(|(name, _)| name.starts_with("policy of")).map(|(_, policy)| policy.to_string());
    assert_eq!(policies.filter(|policy| policy.contains("finops-")).collect::<Vec<_>>(), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_are_sent_and_changes_by_hand_are_reverted() {
    let env =
        format!("{AWS}ALERT_EMAIL=billing@example.com\nAZURE_GCS_BUCKET=my-billing-bucket\nAZURE_GCS_PREFIX=azure\n")
            .replace("PIPELINE=aws", "PIPELINE=all")
            + "AZURE_DATASET=billing\nAZURE_TABLE_NAME=azure_focus\nAZURE_SCHEDULE='0 7 * * *'\n";
    let Some(deployment) = Deployment::new(&env) else { return };
    deployment.let_images_be_built();
    deployment.prints(&["setup-gcp", "deploy", "setup-alerts"]);
    deployment.changes();

    deployment.write(".env", &env.replace("azure_focus", "azure_actual"));
    let mut printed = vec![deployment.prints(&["deploy"])];
    let changes = deployment.changes();
    let sent: Vec<_> = changes.iter().map(|request| (&request["method"], request["path"].as_str().unwrap())).collect();
    assert_eq!(sent, [(&json!("PUT"), "/apis/run.googleapis.com/v1/namespaces/my-project/jobs/finops-azure")]);

    deployment.change(|state| {
        let job = &mut state["namespaces/my-project/jobs/finops-aws"];
        let spec = job.pointer_mut("/spec/template/spec/template/spec").unwrap();
        spec["timeoutSeconds"] = "600".into();
        spec["serviceAccountName"] = "123456789012-compute@developer.gserviceaccount.com".into();
        spec["containers"][0]["env"].as_array_mut().unwrap().push(json!({"name": "RUST_LOG", "value": "trace"}));
        let schedule = &mut state["projects/my-project/locations/us-central1/jobs/finops-aws"];
        schedule["schedule"] = "0 0 1 1 *".into();
        schedule["state"] = "PAUSED".into();
        state["projects/my-project/alertPolicies/1002"]["enabled"] = false.into();
        state["policy of run job finops-aws"]["bindings"] = json!([]);
    });
    printed.push(deployment.prints(&["deploy-aws", "setup-alerts"]));
    insta::assert_snapshot!("deploy_requests_against_drift", readable(&deployment.changes()));
    // An older image; the schedule does not change.
    deployment.change(|state| {
        let images = "projects/my-project/locations/us-central1/repositories/finops/packages/finops";
        state[images]["0123456789ab"] = "sha256:0123".into();
    });
    printed.push(deployment.prints(&["deploy-aws IMAGE_TAG=0123456789ab", "deploy-aws IMAGE_TAG=0123456789ab"]));
    let job = &deployment.state()["namespaces/my-project/jobs/finops-aws"];
    let image = &job["spec"]["template"]["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, "us-central1-docker.pkg.dev/my-project/finops/finops:0123456789ab");
    assert_eq!(deployment.changes().len(), 1);
    insta::assert_snapshot!("deploy_changed", printed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_staging_dataset_may_let_its_tables_expire_unless_months_are_there_too() {
    let env = format!("{AWS}STAGING_DATASET=staging\n");
    let Some(deployment) = Deployment::new(&env) else { return };
    deployment.prints(&["setup-gcp"]);
    let expiring = |name: &str| {
        let dataset = format!("datasets/my-project:{name}");
        deployment.change(|state| state[&dataset]["defaultTableExpirationMs"] = "86400000".into());
        deployment.make(&["setup-gcp"]).stderr
    };
    assert_eq!(expiring("staging"), "");
    assert_names(&expiring("billing"), &["warning: dataset my-project:billing drops each new table after 1 days"]);
    deployment.write(".env", &env.replace("AWS_DATASET=billing", "AWS_DATASET=staging"));
    assert_names(&deployment.make(&["setup-gcp"]).stderr, &["warning: dataset my-project:staging drops"]);
    assert_names(&deployment.prints(&["check-env"]), &["datasets: staging\n"]);

    deployment.change(|state| state["datasets/my-project:staging"]["location"] = "EU".into());
    deployment.write(".env", &env);
    let outcome = deployment.make(&["setup-gcp"]);
    assert_eq!(outcome.code, 2);
    assert_names(&outcome.stderr, &["error: dataset my-project:staging is in EU, and BIGQUERY_LOCATION is US"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_job_finds_in_its_environment_is_what_finops_reads() {
    let Some(deployment) = Deployment::new(ALL) else { return };
    for pipeline in ["aws", "azure"] {
        let mut render = Command::new("python3");
        render.current_dir(deployment.path("")).args(["deploy/render.py", ".env", "job", pipeline, "an-image"]);
        let job: Value = serde_json::from_str(&output(&mut render)).unwrap();
        let env = job.pointer("/spec/template/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let finops = env.iter().fold(Finops::unconfigured(), |finops, variable| {
            finops.with(&text(&variable["name"]), &text(&variable["value"]))
        });
        // With invalid settings it would end with another code.
        let shown = finops.report_of(&["config", "--output", "json"], 0);
        for variable in env {
            let read = |setting: &&Value| {
                [&setting["name"], &setting["value"]] == [&variable["name"], &variable["value"]]
                    && setting["origin"] == "environment"
            };
            assert!(shown.as_array().unwrap().iter().any(|setting| read(&setting)), "{variable} in {shown:#}");
        }
    }
}

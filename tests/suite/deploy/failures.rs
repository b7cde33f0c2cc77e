//! What a person sees when a deployment cannot go on, and that it goes on afterwards; images, runs and logs.

use serde_json::json;

use crate::support::{
    deployment::{AWS, Deployment},
    program::assert_names,
};

/// Runs make, which must end badly, and gives what it printed.
#[track_caller]
fn fails(deployment: &Deployment, arguments: &[&str]) -> String {
    let outcome = deployment.make(arguments);
    assert_eq!(outcome.code, 2, "{arguments:?}\n{}\n{}", outcome.stdout, outcome.stderr);
    format!("$ make {}\n{}{}", arguments.join(" "), outcome.stdout, outcome.errors())
}

/// How many requests there were since the last time, of those that change something, to addresses that end so.
fn asked(deployment: &Deployment, address: &str) -> usize {
    let changes = deployment.changes();
    changes.iter().filter(|request| request["path"].as_str().unwrap().ends_with(address)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_is_shown_as_google_says_it_with_the_next_step() {
    let Some(deployment) = Deployment::new(AWS) else { return };
    let mut seen = Vec::new();
    for (method, path, error, target) in [
        ("GET", "serviceusage", "permission", "setup-gcp"),
        ("POST", "batchEnable", "billing", "setup-gcp"),
        ("GET", "artifactregistry.*repositories", "api_disabled", "setup-gcp"),
        ("POST", "artifactregistry.*repositories", "taken", "setup-gcp"),
        ("GET", "datasets/billing", "permission", "setup-gcp"),
        ("POST", "bigquery.*datasets", "taken", "setup-gcp"),
        ("POST", "serviceAccounts", "quota", "setup-permissions"),
    ] {
        deployment.fail(&[(method, path, error, 100)]);
        seen.push(fails(&deployment, &[target]));
    }
    deployment.fail(&[]);
    seen.push(fails(&deployment, &["setup-permissions"]));
    deployment.prints(&["setup-gcp"]);
    deployment.changes();
    // An account that stays unknown.
    deployment.fail(&[("POST", "bigquery.*/jobs$", "unknown_account", 100)]);
    seen.push(fails(&deployment, &["setup-permissions", "FINOPS_DEPLOY_TRIES=2"]));
    assert_eq!(asked(&deployment, "projects/my-project/jobs"), 2);
    for (method, path, error, target) in [
        ("PUT", "b/my-billing-bucket/iam", "permission", "setup-permissions"),
        ("POST", "cloudbuild.*builds", "api_disabled", "build"),
        ("POST", "cloudbuild.*builds", "act_as", "build"),
        ("POST", "run.*namespaces.*jobs", "actas", "deploy"),
    ] {
        deployment.fail(&[(method, path, error, 100)]);
        seen.push(fails(&deployment, &[target]));
    }
    deployment.fail(&[]);
    assert_names(&deployment.prints(&["deploy"]), &["roles/run.invoker", "granted", "schedule finops-aws: created"]);
    for part in ["run.*executions", "cloudscheduler.*jobs"] {
        deployment.fail(&[("GET", part, "permission", 100)]);
        let shown = fails(&deployment, &["status"]);
        assert_names(&shown, &["are not shown", "hint: gcloud auth list shows your account"]);
    }
    // An alert policy of someone else's is not found instead.
    deployment.fail(&[("GET", "alertPolicies", "permission", 100)]);
    deployment.write(".env", &format!("{AWS}ALERT_EMAIL=billing@example.com\n"));
    seen.push(fails(&deployment, &["setup-alerts"]));
    insta::assert_snapshot!("deploy_failures", seen.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_neither_used_nor_removed() {
    let Some(deployment) = Deployment::new(AWS) else { return };
    let policy = json!({"displayName": "theirs", "name": "projects/my-project/alertPolicies/1", "userLabels": {}});
    let access = [json!({"role": "READER", "userByEmail": "finops-job@my-project.iam.gserviceaccount.com"})];
    deployment.change(|state| {
        state.insert("projects/my-project/alertPolicies/1".to_owned(), policy.clone());
        let name = "projects/my-project/locations/us-central1/repositories/finops".to_owned();
        let repository = json!({"name": name, "format": "DOCKER", "labels": {"team": "theirs"}});
        state.insert(name, repository);
        let dataset = json!({"id": "my-project:billing", "location": "EU", "access": access});
        state.insert("datasets/my-project:billing".to_owned(), dataset);
    });
    let mut seen = vec![fails(&deployment, &["setup-gcp"])];
    deployment.change(|state| {
        state["datasets/my-project:billing"]["defaultPartitionExpirationMs"] = "5184000000".into();
        state["datasets/my-project:billing"]["location"] = "US".into();
    });
    let outcome = deployment.make(&["setup-gcp"]);
    seen.push(format!("{}{}", outcome.stdout, outcome.stderr));
    // Reading is not editing.
    let printed = deployment.prints(&["setup-permissions"]);
    assert_names(
        &printed,
        &["dataset billing: roles/bigquery.dataEditor for finops-job@my-project.iam.gserviceaccount.com: granted"],
    );
    // A right under a condition is not the right.
    deployment.change(|state| {
        let bindings = state["policy of buckets/my-billing-bucket"]["bindings"].as_array_mut().unwrap();
        bindings[0]["condition"] = json!({"title": "nights", "expression": "request.time.getHours() < 6"});
    });
    let printed = deployment.prints(&["setup-permissions"]);
    assert_names(&printed, &["objectViewer for finops-job@my-project.iam.gserviceaccount.com: granted"]);

    // Names that cannot be, of a pipeline that is not deployed, are in nobody's way.
    deployment.write(".env", &format!("{AWS}AZURE_DATASET=no.dataset\nAZURE_GCS_BUCKET=No_Bucket\n"));
    deployment.changes();
    seen.push(fails(&deployment, &["destroy"]));
    assert_eq!(deployment.changes().len(), 0);
    seen.push(deployment.prints(&["destroy YES=yes"]));
    let state = deployment.state();
    assert!(state.contains_key("projects/my-project/alertPolicies/1"));
    assert!(state.contains_key("projects/my-project/locations/us-central1/repositories/finops"));
    insta::assert_snapshot!("deploy_beside_others", seen.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_built_once_a_commit_and_its_runs_and_logs_are_shown() {
    let Some(deployment) = Deployment::new(AWS) else { return };
    let mut seen = vec![
        deployment.prints(&["status"]),
        fails(&deployment, &["update"]),
        fails(&deployment, &["build"]),
        fails(&deployment, &["logs-aws"]),
    ];
    deployment.prints(&["setup-gcp"]);
    seen.push(fails(&deployment, &["build"]));
    deployment.let_images_be_built();
    // A role that was given just now counts a little later.
    deployment.fail(&[("POST", "cloudbuild.*builds", "source", 2)]);
    deployment.changes();
    seen.push(fails(&deployment, &["build"]));
    deployment.fail(&[("POST", "cloudbuild.*builds", "source", 1)]);
    seen.push(deployment.prints(&["build", "build"]));
    assert_eq!(asked(&deployment, "/builds"), 4);
    seen.push(fails(&deployment, &["deploy", "IMAGE_TAG=nowhere"]));
    // A tag is no option of grep's.
    assert_names(&fails(&deployment, &["deploy", "IMAGE_TAG=-vex"]), &["there is no image", "finops:-vex"]);
    deployment.changes();
    deployment.prints(&["deploy"]);
    assert!(deployment.changes().iter().all(|request| request["host"] != "cloudbuild.googleapis.com"));
    seen.push(deployment.prints(&["logs-aws"]));

    deployment.write("README.md", "not in the image");
    seen.push(deployment.prints(&["update"]));
    assert_eq!(deployment.changes().len(), 0);
    deployment.write("src/main.rs", "// changed");
    // gcloud fails, and what it had built is there; the second time there are two builds under one tag.
    deployment.fail(&[("GET", "cloudbuild.*builds/", "permission", 100)]);
    seen.push(deployment.prints(&["update", "update"]));
    deployment.fail(&[]);
    // An image of that tag is there, but not of this build.
    deployment.change(|state| drop(state.insert("builds fail".to_owned(), true.into())));
    seen.push(fails(&deployment, &["update"]));
    deployment.change(|state| drop(state.remove("builds fail")));
    deployment.write(".env", &AWS.replace("aws_cur", "aws_other").replace("0 6 * * *", "0 5 * * *"));
    deployment.commit();
    seen.push(deployment.prints(&["update"]));
    assert!(deployment.changes().iter().all(|request| request["host"] != "cloudscheduler.googleapis.com"));

    seen.push(deployment.prints(&["run-aws"]));
    deployment.change(|state| {
        let hint = "grant roles/storage.objectViewer on gs://my-billing-bucket";
        let entries = json!([
            {"timestamp": "2026-01-02T06:00:07.2Z", "severity": "ERROR",
             "jsonPayload": {"message": "2025-09 cannot be read", "hint": hint}},
            {"timestamp": "2026-01-02T06:00:06.1Z", "severity": "INFO", "jsonPayload": {"message": "the run begins"}},
            {"timestamp": "2026-01-02T06:00:05Z", "textPayload": "a line\nand \u{1b}[31manother"},
        ]);
        state.insert("entries".to_owned(), entries);
        state.insert("executions fail".to_owned(), true.into());
    });
    seen.push(fails(&deployment, &["run-aws"]));
    seen.push(deployment.prints(&["logs-aws", "status"]));
    insta::assert_snapshot!("deploy_images_and_runs", seen.join("\n"));

    // If git does not know the tree, the version does not show whether the tree was changed.
    deployment.git(&["rm", "--quiet", "--cached", "Dockerfile"]);
    for _ in 0..2 {
        let printed = deployment.make(&["build"]).stdout;
        assert_names(&printed, &[&format!("finops:{}: built", env!("CARGO_PKG_VERSION"))]);
    }
}

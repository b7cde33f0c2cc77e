//! Deploying where there are rules: an image, accounts, a prefix, labels and other fields of a job that others give.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    deployment::{AWS, Deployment, readable},
    program::assert_names,
};

const SETUP: [&str; 4] = ["setup-gcp", "setup-permissions", "deploy", "setup-alerts"];
const IMAGE: &str = "europe-docker.pkg.dev/images/billing/finops@sha256:\
                     0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const JOB: &str = "namespaces/my-project/jobs/finops-aws";

/// Everything that an organisation may prescribe.
fn prescribed() -> String {
    format!(
        "{AWS}MAX_AGE_HOURS=72\nIMAGE={IMAGE}\nJOB_SERVICE_ACCOUNT=loader@accounts.iam.gserviceaccount.com\n\
         SCHEDULER_SERVICE_ACCOUNT=starter@accounts.iam.gserviceaccount.com\nBIGQUERY_JOB_PROJECT=my-compute-project\n\
         LABELS='team=finops, env=prod'\nALERT_CHANNEL=4711\n"
    )
}

fn container(job: &mut Value) -> &mut Value {
    job.pointer_mut("/spec/template/spec/template/spec/containers/0").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_image_and_given_accounts_are_used_and_nothing_is_created_instead() {
    let Some(deployment) = Deployment::new(&prescribed()) else { return };
    let mut printed = vec![deployment.prints(&["check-env", "build", "setup-gcp"])];
    let requests_of_setup = deployment.changes();
    // Who deploys may see and grant nothing. Every missing role is named.
    deployment.fail(&[
        ("POST", "IamPolicy$", "permission", 100),
        ("GET", "/iam$", "permission", 100),
        ("PUT", "/iam$", "permission", 100),
        ("POST", "bigquery.*/jobs$", "permission", 100),
    ]);
    let outcome = deployment.make(&["setup-permissions"]);
    assert_eq!(outcome.code, 2);
    printed.push(format!("$ make setup-permissions\n{}{}", outcome.stdout, outcome.errors()));
    deployment.fail(&[]);
    printed.push(deployment.prints(&SETUP[1..]));
    let requests = [requests_of_setup, deployment.changes()].concat();
    insta::assert_snapshot!("deploy_requests_of_given", readable(&requests));
    let outcome = deployment.make(&["deploy", "IMAGE_TAG=older"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    printed.push(format!("$ make deploy IMAGE_TAG=older\n{}", outcome.errors()));

    deployment.prints(&SETUP);
    assert_eq!(deployment.changes(), [] as [Value; 0]);

    printed.push(deployment.prints(&["destroy YES=yes"]));
    for request in deployment.changes() {
        let path = request["path"].as_str().unwrap();
        assert!(!path.contains("serviceAccounts") && !path.contains("IamPolicy") && !path.ends_with("/iam"), "{path}");
    }
    insta::assert_snapshot!("deploy_given", printed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_set_on_a_job_stays_when_it_is_deployed_again() {
    let Some(deployment) = Deployment::new(&prescribed()) else { return };
    deployment.prints(&["deploy"]);
    let secret = |name: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "a", "key": "latest"}}});
    deployment.change(|state| {
        let job = &mut state[JOB];
        job["metadata"]["annotations"]["run.googleapis.com/binary-authorization"] = "default".into();
        job["metadata"]["annotations"]["serving.knative.dev/creator"] = "somebody@example.com".into();
        job["metadata"]["labels"]["owner"] = "platform".into();
        job["metadata"]["labels"]["env"] = "test".into();
        let execution = &mut job["spec"]["template"]["metadata"]["annotations"];
        execution["run.googleapis.com/vpc-access-egress"] = "all-traffic".into();
        execution["run.googleapis.com/encryption-key"] = "projects/p/locations/l/keyRings/r/cryptoKeys/k".into();
        let task = job.pointer_mut("/spec/template/spec/template/spec").unwrap();
        task["volumes"] = json!([{"name": "scratch", "emptyDir": {"medium": "Memory"}}]);
        let beside = json!({"name": "proxy", "image": "proxy:1"});
        task["containers"].as_array_mut().unwrap().push(beside);
        let ours = container(job);
        ours["volumeMounts"] = json!([{"name": "scratch", "mountPath": "/tmp"}]);
        let more = [
            json!({"name": "RUST_LOG", "value": "debug"}),
            json!({"name": "AZURE_DATASET", "value": "of an earlier .env"}),
            secret("AWS_EXPORT_NAME"),
            secret("TOKEN"),
        ];
        ours["env"].as_array_mut().unwrap().extend(more);
    });
    let before = deployment.state()[JOB].clone();
    let env = prescribed().replace("MAX_AGE_HOURS=72\n", "MEMORY=2Gi\n");
    deployment.write(".env", &env);
    deployment.changes();
    insta::assert_snapshot!("deploy_kept_fields", deployment.prints(&["update"]));
    assert_eq!(deployment.changes().len(), 1);

    let mut after = deployment.state()[JOB].clone();
    let mut expected = before;
    expected["metadata"]["labels"]["env"] = "prod".into();
    let env = container(&mut expected)["env"].as_array_mut().unwrap();
    env.retain(|each| each["name"] != "MAX_AGE_HOURS" && each["name"] != "AZURE_DATASET");
    container(&mut expected)["resources"]["limits"]["memory"] = "2Gi".into();
    for job in [&mut expected, &mut after] {
        job["status"] = Value::Null;
        let about = job["metadata"].as_object_mut().unwrap();
        about.retain(|name, _| !["generation", "resourceVersion"].contains(&name.as_str()));
        let annotations = about["annotations"].as_object_mut().unwrap();
        annotations.retain(|name, _| name != "serving.knative.dev/creator");
    }
    assert_eq!(after, expected);
    assert_names(&deployment.prints(&["deploy"]), &["job finops-aws: unchanged"]);
    assert_eq!(deployment.changes(), [] as [Value; 0]);
}

/// What exists, without what every change of a policy changes.
fn lasting(deployment: &Deployment) -> BTreeMap<String, Value> {
    let mut state = deployment.state();
    let kept = |name: &str| !["apis", "asked", "build", "job", "buckets/"].iter().any(|begin| name.starts_with(begin));
    state.retain(|name, _| kept(name));
    for policy in state.values_mut().filter_map(Value::as_object_mut) {
        policy.remove("etag");
    }
    // The policy of something that nobody has a right on any more.
    state.retain(|_, value| value["bindings"] != json!([]));
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_deployments_or_pipelines_is_removed_and_the_others_are_unchanged() {
    let all = AWS.replace("PIPELINE=aws", "PIPELINE=all");
    let all = format!(
        "{all}IMAGE={IMAGE}\nALERT_EMAIL=billing@example.com\nAZURE_SOURCE=gs://archive-bucket/azure\n\
         AZURE_DATASET=azure\nAZURE_TABLE_NAME=azure_focus\nAZURE_SCHEDULE='0 7 * * *'\n"
    );
    let Some(deployment) = Deployment::new(&all) else { return };
    let team = AWS.replace("aws_cur", "aws_team") + "NAME_PREFIX=team-b\nALERT_EMAIL=b@example.com\nLABELS=team=b\n";
    deployment.write(".env.team-b", &team);
    let of_team = |target: &str| deployment.prints(&[&format!("{target} ENV_FILE=.env.team-b")]);
    deployment.prints(&SETUP);
    let first = lasting(&deployment);
    let printed = ["check-env"].iter().chain(&SETUP).chain(&["status"]).map(|target| of_team(target));
    insta::assert_snapshot!("deploy_second_deployment", printed.collect::<Vec<_>>().join("\n"));
    let both = lasting(&deployment);
    let added: Vec<_> = both.keys().filter(|name| !first.contains_key(*name)).map(String::as_str).collect();
    insta::assert_snapshot!("deploy_objects_of_a_prefix", added.join("\n"));
    deployment.changes();

    let outcome = deployment.make(&["destroy-azure", "YES="]);
    assert_eq!((outcome.code, deployment.changes().len()), (2, 0), "{}", outcome.stderr);
    assert_names(&outcome.errors(), &["nothing was removed", "make destroy-azure YES=yes"]);
    deployment.write(".env", &all.replace("PIPELINE=all", "PIPELINE=aws"));
    let printed = deployment.prints(&["destroy-azure YES=yes"]);
    let left = lasting(&deployment);
    let gone: Vec<_> = both.keys().filter(|name| !left.contains_key(*name)).map(String::as_str).collect();
    let changed: Vec<_> =
        left.iter().filter(|(name, value)| both[*name] != **value).map(|(name, _)| name.as_str()).collect();
    let seen = format!("{printed}\ngone: {}\nchanged: {}", gone.join(", "), changed.join(", "));
    insta::assert_snapshot!("deploy_pipeline_destroyed", seen);

    // Somebody else pushes images to the repository.
    deployment.change(|state| {
        let members = &mut state["policy of repository team-b"]["bindings"][0]["members"];
        members.as_array_mut().unwrap().push("serviceAccount:ci@my-project.iam.gserviceaccount.com".into());
    });
    insta::assert_snapshot!("deploy_second_destroyed", of_team("destroy YES=yes"));
    let mut expected = first;
    expected.retain(|name, value| {
        if changed.contains(&name.as_str()) {
            value.clone_from(&left[name]);
        }
        !gone.contains(&name.as_str())
    });
    let mut now = lasting(&deployment);
    let kept: Vec<String> = now.keys().filter(|name| name.contains("repositor")).cloned().collect();
    assert_eq!(kept.len(), 3, "the repository, its images and its policy: {kept:?}");
    now.retain(|name, _| !kept.contains(name));
    assert_eq!(now, expected);
}

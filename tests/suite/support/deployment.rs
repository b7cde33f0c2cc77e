//! A copy of the tree to deploy from. `tests/deploy/stub.py` replaces Google's services. The Makefile, its scripts,
//! `gcloud` and `bq` are the real ones.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{
    program::Outcome,
    require::{self, Tool},
    tree::copy,
};

/// Settings that can be deployed.
pub const AWS: &str = "\
PIPELINE=aws
GCP_PROJECT_ID=my-project
GCP_REGION=us-central1
AWS_GCS_BUCKET=my-billing-bucket
AWS_GCS_PREFIX=cur
AWS_DATASET=billing
AWS_TABLE_NAME=aws_cur
AWS_SCHEDULE='0 6 * * *'
";

/// The tree and the services.
pub struct Deployment {
    folder: TempDir,
    port: String,
    python: Option<PathBuf>,
    servers: Vec<Child>,
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for server in &mut self.servers {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

/// Starts a server of `tests/deploy` in the folder, and returns it with the line that it prints once it is ready.
fn serve(python: &Path, program: &str, folder: &Path) -> (Child, String) {
    let mut server = Command::new(python)
        .arg(root().join("tests/deploy").join(program))
        .arg(folder)
        .envs([("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONIOENCODING", "UTF-8")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().to_owned())
}

/// The Python that is part of the Cloud SDK, where the SDK has one.
fn bundled_python() -> Option<PathBuf> {
    let gcloud = fs::canonicalize(require::on_path("gcloud")?).unwrap();
    let python = gcloud.ancestors().nth(2)?.join("platform/bundledpythonunix/bin/python3");
    python.exists().then_some(python)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Deployment {
    /// A project that has only the buckets, and a git commit of the tree. Without the Cloud SDK the test is skipped.
    pub fn new(env: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        require::cloud_sdk("gcloud", Tool::Gcloud, folder.path())?;
        require::cloud_sdk("bq", Tool::Bq, folder.path())?;
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        for name in ["Makefile", "deploy", "Dockerfile", ".dockerignore", ".gcloudignore", ".gitignore", "Cargo.toml"] {
            copy(&root().join(name), &tree.join(name));
        }
        // Sources of the image, and files that must never be sent to Cloud Build.
        for name in
            ["Cargo.lock", "build.rs", "src/main.rs", "core/src/lib.rs", "config.toml", "data/bill.csv", "core/.env"]
        {
            let path = tree.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let stub_folder = folder.path().join("stub");
        fs::create_dir(&stub_folder).unwrap();
        let bucket = json!({"kind": "storage#bucket", "name": "my-billing-bucket", "id": "my-billing-bucket"});
        let archive = json!({"kind": "storage#bucket", "name": "archive-bucket", "id": "archive-bucket"});
        let state = json!({"buckets/my-billing-bucket": bucket, "buckets/archive-bucket": archive});
        fs::write(stub_folder.join("state.json"), state.to_string()).unwrap();
        let (stub, port) = serve(Path::new("python3"), "stub.py", &stub_folder);
        let mut deployment = Self { folder, port, python: None, servers: vec![stub] };
        if let Some(python) = bundled_python() {
            let (server, python) = serve(&python, "warm_python.py", deployment.folder.path());
            deployment.python = Some(python.into());
            deployment.servers.push(server);
        }
        deployment.write(".env", env);
        deployment.git(&["init", "--quiet"]);
        deployment.commit();
        Some(deployment)
    }

    /// A file of the tree.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("tree").join(name)
    }

    /// Writes a file of the tree.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs git in the tree, and returns what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
        require::output(Command::new("git").current_dir(self.path("")).args(identity).args(arguments))
    }

    /// Commits all files of the tree, and returns the commit in the form of image tags.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a version"]);
        self.git(&["rev-parse", "--short=12", "HEAD"]).trim().to_owned()
    }

    /// Runs make in an environment with variables that must have no effect.
    pub fn make(&self, arguments: &[&str]) -> Outcome {
        let certificate = self.folder.path().join("stub/ca.pem");
        let token = self.folder.path().join("token");
        fs::write(&token, "token").unwrap();
        let mut command = require::cloud_sdk("make", Tool::Gcloud, &self.folder.path().join("sdk")).unwrap();
        command.current_dir(self.path("")).args(arguments).stdin(Stdio::null());
        if let Some(python) = &self.python {
            command.env("CLOUDSDK_PYTHON", python).env("CLOUDSDK_PYTHON_SITEPACKAGES", "1");
        }
        command.env("https_proxy", format!("http://127.0.0.1:{}", self.port));
        command.env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", token);
        command.env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true");
        for name in ["CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS", "SSL_CERT_FILE"] {
            command.env(name, &certificate);
        }
        command.envs([("GCP_PROJECT_ID", "stray-project"), ("PIPELINE", "azure"), ("AWS_TABLE_NAME", "stray")]);
        // It has a folder `deploy`, too.
        command.env("CDPATH", root());
        command.env("FINOPS_DEPLOY_PAUSE", "0");
        command.envs([("IMAGE_TAG", "stray"), ("YES", "yes"), ("CLOUDSDK_CORE_PROJECT", "stray-project")]);
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            stdout: self.masked(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.masked(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// Runs make, which must succeed. Returns each command, and what it prints on stdout.
    #[track_caller]
    pub fn prints(&self, targets: &[&str]) -> String {
        let each = targets.iter().map(|target| {
            let outcome = self.make(&target.split(' ').collect::<Vec<_>>());
            assert_eq!(outcome.code, 0, "make {target}\n{}\n{}", outcome.stdout, outcome.stderr);
            format!("$ make {target}\n{}", outcome.stdout)
        });
        each.collect::<Vec<_>>().join("\n")
    }

    /// The text without what differs in each run.
    fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for commit in self.git(&["log", "--format=%H"]).lines() {
            text = text.replace(commit, "<revision>").replace(&commit[..12], "<commit>");
        }
        text = text.replace(self.folder.path().to_str().unwrap(), "<folder>");
        let version = format!("\"_VERSION\": \"{}\"", env!("CARGO_PKG_VERSION"));
        text = text.replace(&version, "\"_VERSION\": \"<version>\"");
        // gcloud prints the archive's size and a name with the time, and a dot for each interval that it waits.
        let kept =
            |line: &&str| !["Creating temporary archive", "Uploading tarball"].iter().any(|of| line.starts_with(of));
        let steady = |line: &str| match line.split_once("..") {
            Some((step, _)) if ["Provisioning", "Creating"].iter().any(|of| step.starts_with(of)) => {
                format!("{step}...\n")
            }
            _ => line.to_owned(),
        };
        text.split_inclusive('\n').filter(kept).map(steady).collect()
    }

    /// The requests since the last call, without those that only read.
    pub fn changes(&self) -> Vec<Value> {
        let requests = self.folder.path().join("stub/requests.jsonl");
        let text = self.masked(&fs::read_to_string(&requests).unwrap_or_default());
        fs::write(requests, "").unwrap();
        let is_read = |request: &Value| {
            let path = request["path"].as_str().unwrap();
            request["method"] == "GET" || path.ends_with(":getIamPolicy") || path.ends_with("entries:list")
        };
        let requests = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        requests.filter(|request| !is_read(request)).collect()
    }

    /// Changes what exists, as another person would.
    pub fn change(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        let file = self.folder.path().join("stub/state.json");
        let mut state: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        change(state.as_object_mut().unwrap());
        fs::write(file, state.to_string()).unwrap();
    }

    /// Grants what a build needs, as `make setup-permissions` would.
    pub fn let_images_be_built(&self) {
        let account = "finops-builder@my-project.iam.gserviceaccount.com";
        self.change(|state| {
            state.insert(format!("serviceAccounts/{account}"), json!({"email": account}));
            for (on, role) in [
                ("projects/my-project", "roles/logging.logWriter"),
                ("repository finops", "roles/artifactregistry.writer"),
                ("buckets/my-project_cloudbuild", "roles/storage.objectViewer"),
            ] {
                let bindings = json!([{"role": role, "members": [format!("serviceAccount:{account}")]}]);
                state
                    .insert(format!("policy of {on}"), json!({"version": 1, "etag": "AAAAAAAA", "bindings": bindings}));
            }
        });
    }

    /// What exists, by its full name.
    pub fn state(&self) -> BTreeMap<String, Value> {
        let file = self.folder.path().join("stub/state.json");
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    }

    /// Lets requests with these methods and paths fail, each the given number of times. With an empty list, no request fails.
    pub fn fail(&self, failures: &[(&str, &str, &str, u32)]) {
        let failures: Vec<Value> = failures
            .iter()
            .map(|(method, path, error, times)| json!({"method": method, "path": path, "error": error, "times": times}))
            .collect();
        fs::write(self.folder.path().join("stub/failures.json"), json!(failures).to_string()).unwrap();
    }
}

impl Outcome {
    /// What was printed on stderr, without make's own line.
    pub fn errors(&self) -> String {
        self.stderr.split_inclusive('\n').filter(|line| !line.starts_with("make: ***")).collect()
    }
}

/// Requests in a form that people read: method and address, and below it the body. Equal requests in a row are
/// shown once.
pub fn readable(requests: &[Value]) -> String {
    let one = |request: &Value| {
        let (method, host, path) = (&request["method"], &request["host"], &request["path"]);
        let address = [method, host, path].map(|part| part.as_str().unwrap());
        let mut body = request["body"].clone();
        // It differs in each run.
        if let Some(job) = body.pointer_mut("/jobReference/jobId") {
            *job = "<job>".into();
        }
        if let Some(object) = body.pointer_mut("/source/storageSource/object") {
            *object = "<archive>".into();
        }
        // gcloud's version depends on the machine.
        for annotations in ["/metadata/annotations", "/spec/template/metadata/annotations"] {
            if let Some(annotations) = body.pointer_mut(annotations).and_then(Value::as_object_mut) {
                annotations.remove("run.googleapis.com/client-version");
            }
        }
        let body = if body.is_null() { String::new() } else { format!("{body:#}\n") };
        format!("{} {}{}\n{body}", address[0], address[1], address[2])
    };
    let mut shown: Vec<(String, usize)> = Vec::new();
    for request in requests.iter().map(one) {
        match shown.last_mut() {
            Some((last, times)) if *last == request => *times += 1,
            _ => shown.push((request, 1)),
        }
    }
    let with_times = |(request, times): (String, usize)| match times {
        1 => request,
        _ => request.replacen('\n', &format!(" ({times} times)\n"), 1),
    };
    shown.into_iter().map(with_times).collect::<Vec<_>>().join("\n")
}

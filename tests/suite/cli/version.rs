//! Which commit `finops --version` names: the build script decides it for releases.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::support::require::output;

/// The build script, and a folder with each of its inputs.
struct Build {
    folder: TempDir,
    tree: &'static str,
}

impl Build {
    fn new(tree: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "-o"]).arg(folder.path().join("build-script"));
        output(rustc.arg(root.join("build.rs")));
        for input in ["core", "src", "docs"] {
            fs::create_dir_all(folder.path().join(tree).join(input)).unwrap();
            fs::write(folder.path().join(tree).join(input).join("file"), "first").unwrap();
        }
        Self { folder, tree }
    }

    /// Puts a folder under version control. Returns its commit.
    fn commit(&self, folder: &str) -> String {
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
            let mut git = Command::new("git");
            output(git.current_dir(self.folder.path().join(folder)).args(identity).args(arguments))
        };
        git(&["init", "--quiet"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "first"]);
        git(&["rev-parse", "HEAD"]).trim()[..12].to_owned()
    }

    fn edit(&self, file: &str) {
        fs::write(self.folder.path().join(self.tree).join(file), "second").unwrap();
    }

    /// The revision that the build script sets.
    fn revision(&self, profile: &str, given: &str) -> Option<String> {
        let mut script = Command::new(self.folder.path().join("build-script"));
        script.current_dir(self.folder.path().join(self.tree)).env_remove("CARGO_FEATURE_DUCKDB");
        let printed = output(script.env("PROFILE", profile).env("FINOPS_REVISION", given));
        printed.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=FINOPS_REVISION=")).map(str::to_owned)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_names_its_commit_and_whether_its_inputs_differ_from_it() {
    let build = Build::new("finops");
    let commit = build.commit("finops");
    assert_eq!(build.revision("release", ""), Some(commit.clone()));
    assert_eq!(build.revision("debug", ""), None, "the next commit would compile every test again");
    assert_eq!(build.revision("release", "1a2b3c4"), None, "the given revision counts");
    build.edit("docs/file");
    assert_eq!(build.revision("release", ""), Some(commit.clone()), "the program is not built from docs");
    build.edit("core/file");
    assert_eq!(build.revision("release", ""), Some(format!("{commit}-dirty")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_outside_version_control_names_no_commit_not_even_that_of_a_repository_around_it() {
    let build = Build::new("vendor/finops");
    assert_eq!(build.revision("release", ""), None);
    build.commit("vendor");
    assert_eq!(build.revision("release", ""), None);
}

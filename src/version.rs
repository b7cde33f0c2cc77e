//! Which finops this is.

use std::sync::LazyLock;

/// The version, and the revision that it was built from, where that was known: see build.rs, and Dockerfile for the image.
pub static VERSION: LazyLock<String> = LazyLock::new(|| version(option_env!("FINOPS_REVISION")));

fn version(revision: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match revision {
        // Empty where the image's build was given none.
        None | Some("") => version.to_owned(),
        Some(revision) => format!("{version} ({revision})"),
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_names_the_revision_where_it_is_known() {
        let plain = env!("CARGO_PKG_VERSION");
        assert_eq!(version(Some("1a2b3c4")), format!("{plain} (1a2b3c4)"));
        assert_eq!(version(Some("")), plain);
        assert_eq!(version(None), plain);
    }
}

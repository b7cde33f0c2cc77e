//! Keys of a bucket, read as paths.

/// What the keys of all objects in a folder begin with. A bucket may have `/` at the beginning of keys, and two in a row.
pub(super) fn inside(folder: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') { folder.to_owned() } else { format!("{folder}/") }
}

/// The names of folders that a bucket lists in the folder whose keys begin with `prefix`.
pub(super) fn names_in<'a>(prefix: &str, listed: impl Iterator<Item = &'a str>) -> Vec<String> {
    let name = |listed: &str| Some(listed.strip_prefix(prefix)?.trim_end_matches('/').to_owned());
    listed.filter_map(name).filter(|name| !name.is_empty()).collect()
}

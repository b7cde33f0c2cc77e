//! A folder on this machine.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use finops_core::hint;
use jiff::Timestamp;

use super::{
    errors::{replaced, unreadable, unwritable},
    hashes::{crc32c_text, each_piece, updated},
    limit::Limit,
    object::Object,
};
use crate::error::{Error, ErrorKind, Result};

/// Entries of a folder that are read to name some of its folders.
const MOST_ENTRIES: usize = 1000;

/// `uri`, or for a path of this machine the URI of that file, which is the same in any working folder.
pub fn absolute_uri(uri: String) -> String {
    if uri.contains("://") {
        return uri;
    }
    let url = std::path::absolute(&uri).ok().and_then(|path| reqwest::Url::from_file_path(path).ok());
    url.map_or(uri, String::from)
}

/// A local folder with exports.
#[derive(Clone, Debug)]
pub struct Local {
    root: PathBuf,
    limit: Limit,
}

impl Local {
    /// The folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), limit: Limit::new() }
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        if key.is_empty() { self.root.clone() } else { self.root.join(key) }
    }

    pub(super) async fn list(&self, folder: &str, pattern: &str) -> Result<Vec<Object>> {
        let (root, folder, pattern) = (self.root.clone(), folder.to_owned(), pattern.to_owned());
        self.blocking(move || {
            if !root.is_dir() {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no folder {}", root.display()))
                    .hint(hint::NAME_FOLDER));
            }
            let mut found = Vec::new();
            let parts: Vec<&str> = pattern.split('/').collect();
            walk(&root, folder.trim_matches('/'), &parts, &mut found)?;
            Ok(found)
        })
        .await
    }

    pub(super) async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        self.blocking(move || {
            let mut names = names(&path)?;
            names.truncate(MOST_ENTRIES);
            names.retain(|name| path.join(name).is_dir());
            Ok(names)
        })
        .await
    }

    pub(super) async fn read(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        let length = range.end - range.start;
        let read = move |file: &mut File, path: &Path| {
            let mut bytes = Vec::new();
            let sought = file.seek(SeekFrom::Start(range.start));
            let read = sought.and_then(|_| file.take(length).read_to_end(&mut bytes));
            read.map_err(|error| unreadable(path, error))?;
            Ok(bytes.into())
        };
        self.as_listed(object, read).await
    }

    pub(super) async fn checksum(&self, object: &Object) -> Result<String> {
        let read = |file: &mut File, path: &Path| {
            let mut sum = 0;
            let add = |bytes: &[u8]| {
                sum = crc32c::crc32c_append(sum, bytes);
                Ok(())
            };
            each_piece(file, path, add)?;
            Ok(crc32c_text(sum))
        };
        self.as_listed(object, read).await
    }

    /// Compares the time of the inode's last change as well: a mirror may set the time of the last write back.
    pub(super) async fn unchanged_since(&self, keys: impl Iterator<Item = &str>, time: Timestamp) -> bool {
        let paths: Vec<PathBuf> = keys.map(|key| self.path(key)).collect();
        let is_old = move |path: &PathBuf| {
            let metadata = fs::metadata(path).ok();
            metadata.is_some_and(|metadata| metadata.ctime() < time.as_second() && updated(&metadata) < time)
        };
        self.blocking(move || Ok(paths.iter().all(is_old))).await.unwrap_or_default()
    }

    pub(super) async fn fetch(&self, object: &Object, to: &Path) -> Result<()> {
        let to = to.to_owned();
        let copy = move |from: &mut File, path: &Path| {
            let mut file = File::create(&to).map_err(|error| unwritable(&to, error))?;
            each_piece(from, path, |bytes| file.write_all(bytes).map_err(|error| unwritable(&to, error)))
        };
        self.as_listed(object, copy).await
    }

    /// Calls `read` with the file. Its size and time must be those that were listed, before and after.
    async fn as_listed<T: Send + 'static>(
        &self,
        object: &Object,
        read: impl FnOnce(&mut File, &Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (path, listed) = (self.path(&object.key), (object.bytes, object.updated));
        self.blocking(move || {
            let mut file = File::open(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => replaced(&path.display().to_string()).cause(error),
                _ => unreadable(&path, error),
            })?;
            let is_listed = |file: &File| match file.metadata() {
                Ok(metadata) if (metadata.len(), updated(&metadata)) == listed => Ok(()),
                Ok(_) => Err(replaced(&path.display().to_string())),
                Err(error) => Err(unreadable(&path, error)),
            };
            is_listed(&file)?;
            let read = read(&mut file, &path)?;
            is_listed(&file).map(|()| read)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = self.limit.permit().await;
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await
            .map_err(|error| Error::new(ErrorKind::Storage, "the thread that reads files ended early").cause(error))?
    }
}

/// Adds the files of `folder` that match `parts`, one path component each. A component with a wildcard matches all names.
fn walk(root: &Path, folder: &str, parts: &[&str], found: &mut Vec<Object>) -> Result<()> {
    let [part, rest @ ..] = parts else {
        return Ok(());
    };
    let names = if part.contains(['*', '?']) { names(&root.join(folder))? } else { vec![(*part).to_owned()] };
    for name in names {
        let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let path = root.join(&key);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // A link to a missing file, or to itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound || path.is_symlink() => continue,
            Err(error) => return Err(unreadable(&path, error)),
        };
        if !rest.is_empty() && metadata.is_dir() {
            walk(root, &key, rest, found)?;
        } else if rest.is_empty() && metadata.is_file() {
            let (bytes, updated) = (metadata.len(), updated(&metadata));
            found.push(Object { key, bytes, updated, checksum: None, version: None });
        }
    }
    Ok(())
}

/// The UTF-8 names in a folder; none if the folder is missing or a file. Providers write no other names.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(folder, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use futures::future::join_all;

    use super::*;
    use crate::storage::REQUESTS;

    #[tokio::test]
    async fn no_more_files_are_read_at_once_than_a_store_has_requests() {
        let local = Local::new("/");
        let (running, most, all) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(REQUESTS));
        let shared = Arc::new((running, most, all));
        let work = (0..3 * REQUESTS).map(|_| {
            let shared = Arc::clone(&shared);
            local.blocking(move || {
                let (running, most, all) = &*shared;
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                all.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        join_all(work).await.into_iter().for_each(|done| done.unwrap());
        assert_eq!(shared.1.load(Ordering::SeqCst), REQUESTS);
    }
}

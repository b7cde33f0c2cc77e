//! A folder on this machine.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use jiff::Timestamp;

use super::{MOST_ENTRIES, Object, Part, unwritable};
use crate::error::{Error, Kind, Result};

/// A local folder that holds an export.
#[derive(Clone, Debug)]
pub struct Local {
    root: PathBuf,
}

impl Local {
    /// The folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        if key.is_empty() { self.root.clone() } else { self.root.join(key) }
    }

    pub(super) async fn list(&self, folder: &str, pattern: &str) -> Result<Vec<Object>> {
        let (root, folder, pattern) = (self.root.clone(), folder.to_owned(), pattern.to_owned());
        blocking(move || {
            if !root.is_dir() {
                return Err(Error::new(Kind::NotFound, format!("there is no folder {}", root.display()))
                    .hint("name the folder that holds the export, or the one above it"));
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
        blocking(move || {
            let mut names = names(&path)?;
            names.truncate(MOST_ENTRIES);
            names.retain(|name| path.join(name).is_dir());
            Ok(names)
        })
        .await
    }

    pub(super) async fn read_part(&self, key: &str, part: Part) -> Result<Bytes> {
        let path = self.path(key);
        blocking(move || {
            let read = || -> io::Result<Bytes> {
                let mut file = File::open(&path)?;
                let (Part::Head(length) | Part::Tail(length)) = part;
                if let Part::Tail(length) = part {
                    let end = file.metadata()?.len();
                    file.seek(SeekFrom::Start(end.saturating_sub(length)))?;
                }
                let mut bytes = Vec::new();
                file.take(length).read_to_end(&mut bytes)?;
                Ok(bytes.into())
            };
            read().map_err(|error| unreadable(&path, error))
        })
        .await
    }

    pub(super) async fn checksum(&self, key: &str) -> Result<String> {
        let path = self.path(key);
        blocking(move || crc32c_of(&path).map_err(|error| unreadable(&path, error))).await
    }

    pub(super) async fn fetch(&self, key: &str, to: &Path) -> Result<()> {
        let (path, to) = (self.path(key), to.to_owned());
        blocking(move || {
            let mut from = File::open(&path).map_err(|error| unreadable(&path, error))?;
            let mut file = File::create(&to).map_err(|error| unwritable(&to, error))?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                match from.read(&mut buffer).map_err(|error| unreadable(&path, error))? {
                    0 => return Ok(()),
                    n => file.write_all(&buffer[..n]).map_err(|error| unwritable(&to, error))?,
                }
            }
        })
        .await
    }
}

/// The CRC32C of a local file in base64, as Google Cloud Storage writes it.
pub fn crc32c_of(path: &Path) -> io::Result<String> {
    let (mut file, mut sum, mut buffer) = (File::open(path)?, 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(super::gcs::crc32c_text(sum)),
            n => sum = crc32c::crc32c_append(sum, &buffer[..n]),
        }
    }
}

/// Adds the files of `folder` that `parts` leads to; only components without a wildcard narrow the walk.
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
            // A link to nothing, or to itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound || path.is_symlink() => continue,
            Err(error) => return Err(unreadable(&path, error)),
        };
        if !rest.is_empty() && metadata.is_dir() {
            walk(root, &key, rest, found)?;
        } else if rest.is_empty() && metadata.is_file() {
            let updated = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
            let updated = updated.unwrap_or(Timestamp::UNIX_EPOCH);
            found.push(Object { key, bytes: metadata.len(), updated, checksum: None });
        }
    }
    Ok(())
}

/// The names in a folder; none where it is missing, is a file, or a name is not UTF-8 (no provider writes such).
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

fn unreadable(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::PermissionDenied => Kind::Permission,
        _ => Kind::Storage,
    };
    Error::new(kind, format!("cannot read {}", path.display()))
        .hint("check that the file is there and that the account that runs finops may read it")
        .cause(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let task = tokio::task::spawn_blocking(work).await;
    task.map_err(|error| Error::new(Kind::Storage, "a reading thread ended early").cause(error))?
}

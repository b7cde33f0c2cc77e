//! A delivery's files, where the warehouse can read them.

use finops_core::{hint, model::delivery::Delivery};
use futures::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

use crate::{
    error::{Error, ErrorKind, Result},
    storage::{Object, Store},
};

/// Downloads at the same time.
const CONCURRENT: usize = 8;

/// Files of a delivery, in place or downloaded. When this is dropped, downloads are removed.
#[derive(Debug)]
pub struct LocalFiles {
    files: Vec<String>,
    _folder: Option<TempDir>,
}

impl LocalFiles {
    /// The delivery's files: in place if they are local or the warehouse reads buckets, else downloaded.
    ///
    /// # Errors
    /// Those of the store; `Storage` if a file cannot be written.
    pub async fn new(store: &Store, delivery: &Delivery, reads_buckets: bool) -> Result<Self> {
        if reads_buckets || store.is_local() {
            let files = delivery.files.iter().map(|file| store.uri(&file.key));
            // To DuckDB, a path that begins with `~` is in the home folder.
            let literal = |path: String| if path.starts_with('~') { format!("./{path}") } else { path };
            return Ok(Self { files: files.map(literal).collect(), _folder: None });
        }
        let folder = tempfile::tempdir().map_err(|error| {
            Error::new(ErrorKind::Storage, "cannot create a folder for downloads").hint(hint::SET_TMPDIR).cause(error)
        })?;
        let path = folder.path();
        let files = stream::iter(delivery.files.iter().enumerate())
            .map(|(number, file)| async move {
                let name = file.key.rsplit('/').next().unwrap_or("file");
                let to = path.join(format!("{number}-{name}"));
                store.fetch(&Object::from(file), &to, &|_| {}).await?;
                Ok::<_, Error>(to.display().to_string())
            })
            .buffered(CONCURRENT)
            .try_collect()
            .await?;
        Ok(Self { files, _folder: Some(folder) })
    }

    /// URIs or local paths, in the delivery's order.
    pub fn files(&self) -> &[String] {
        &self.files
    }
}

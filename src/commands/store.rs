//! The storage of an export.

#[cfg(feature = "s3")]
use crate::storage::S3;
use crate::{
    error::Result,
    flow::export::{Export, Source},
    storage::{Gcs, Local, S3Options, Store},
};

/// Opens the bucket or folder of an export.
pub(super) async fn open_store(export: &Export, storage_emulator: Option<&str>, s3: &S3Options) -> Result<Store> {
    Ok(match &export.source {
        Source::Gcs(bucket) => Store::Gcs(Box::new(Gcs::connect(bucket, storage_emulator).await?)),
        #[cfg(feature = "s3")]
        Source::S3(bucket) => Store::S3(Box::new(S3::connect(bucket, s3).await?)),
        #[cfg(not(feature = "s3"))]
        Source::S3(_) => {
            let _ = s3;
            return Err(crate::error::Error::not_built_in("S3"));
        }
        Source::Local(root) => Store::Local(Local::new(root)),
    })
}

//! The storage of an export, and what this build of finops does not have.

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
            return Err(not_built_in("S3"));
        }
        Source::Local(root) => Store::Local(Local::new(root)),
    })
}

/// The error for a feature that this build does not have. Settings that need it are refused before.
#[cfg(any(test, not(all(feature = "duckdb", feature = "s3"))))]
pub(super) fn not_built_in(what: &str) -> crate::error::Error {
    use crate::error::{Error, ErrorKind};

    let message = format!("this build does not have {what}");
    Error::new(ErrorKind::Configuration, message).hint(finops_core::hint::DEFAULT_FEATURES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_a_build_does_not_have_names_the_build_that_has_it() {
        assert_eq!(not_built_in("S3").next_step(), Some(finops_core::hint::DEFAULT_FEATURES));
    }
}

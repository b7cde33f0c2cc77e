//! Where exports are: a bucket or a local folder. Keys are paths in it, with `/` between folders.

mod errors;
mod gcs;
mod hashes;
mod keys;
mod limit;
mod local;
mod object;
mod read;
#[cfg(feature = "s3")]
mod s3;
mod s3_options;
mod store;

pub(crate) use self::errors::{unreadable, unwritable};
#[cfg(feature = "s3")]
pub use self::s3::S3;
pub use self::{
    gcs::Gcs,
    hashes::{Hashes, crc32c_text, hashes, updated},
    limit::REQUESTS,
    local::{Local, absolute_uri},
    object::{Object, OnBytes, ReadRange},
    s3_options::S3Options,
    store::Store,
};

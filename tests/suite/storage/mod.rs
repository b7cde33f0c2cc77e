//! Buckets and folders.

pub mod azure_requests;
pub mod s3;
pub mod s3_keys;
pub mod store_requests;
pub mod stores;

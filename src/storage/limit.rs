//! One limit for all requests of a store: what runs at once above it does not multiply.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one store that are under way at once: listings, and reads until their last byte.
pub const REQUESTS: usize = 32;

/// A store's requests. Nobody who has a permit waits for another one.
#[derive(Clone, Debug)]
pub(super) struct Limit(Arc<Semaphore>);

impl Limit {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(REQUESTS)))
    }

    /// Waits until one request more may begin; it ends when what is given is dropped.
    pub(super) async fn permit(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed")
    }
}

//! One limit for all requests of a store. Callers that run at the same time share it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one store at the same time: listings, and reads until their last byte.
pub const REQUESTS: usize = 32;

/// A store's requests. A caller with a permit must not wait for another permit.
#[derive(Clone, Debug)]
pub(super) struct Limit(Arc<Semaphore>);

impl Limit {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(REQUESTS)))
    }

    /// Waits until one more request may begin. The request ends when the permit is dropped.
    pub(super) async fn permit(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed")
    }
}

//! Jobs kept in state RUNNING, with their effect not yet visible, until released.

use tokio::sync::watch;

/// The prefixes of the ids of held jobs.
pub struct Holds(watch::Sender<Vec<String>>);

impl Default for Holds {
    fn default() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }
}

impl Holds {
    /// Holds jobs whose id begins with the prefix (empty: all).
    pub fn hold(&self, prefix: &str) {
        self.0.send_modify(|prefixes| prefixes.push(prefix.to_owned()));
    }

    /// Lets all jobs go on.
    pub fn release(&self) {
        self.0.send_modify(Vec::clear);
    }

    /// Waits until the job is not held.
    pub async fn pass(&self, job_id: &str) {
        let free = |prefixes: &Vec<String>| !prefixes.iter().any(|prefix| job_id.starts_with(prefix.as_str()));
        // It fails only where the sender is gone, and `self` holds it.
        let _ = self.0.subscribe().wait_for(free).await;
    }
}

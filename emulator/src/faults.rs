//! Scheduled faults (refused requests, cut connections, failed jobs), and held jobs.

use std::sync::Mutex;

use tokio::sync::watch;

use crate::{error::JobError, lock::lock};

/// A fault of requests.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The HTTP method; empty for any.
    pub method: String,
    /// Text that the (percent-encoded) path contains.
    pub path_contains: String,
    /// How many matching requests succeed first.
    pub after: usize,
    /// How many matching requests fail after that.
    pub times: usize,
    /// What the client sees.
    pub kind: FaultKind,
    /// Whether the request takes effect.
    pub when: When,
}

/// What the client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// An error with this HTTP status and reason.
    Status(u16, String),
    /// An answer with any status, headers and body, such as an HTML page of a proxy.
    Answer {
        /// The HTTP status; 200 simulates a damaged success.
        status: u16,
        /// Names and values, such as `Retry-After`.
        headers: Vec<(String, String)>,
        /// The body, sent unchanged.
        body: String,
    },
    /// The connection ends without an answer.
    Reset,
    /// The connection ends after this number of bytes of an upload. They are kept if the request takes effect.
    Cut(usize),
    /// No answer until the client disconnects.
    Hang,
}

/// Whether the request takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The request has no effect.
    BeforeEffect,
    /// The request takes effect; only the answer is lost.
    AfterEffect,
}

/// A fault of jobs: they fail before they have any effect.
#[derive(Debug, Clone)]
pub struct JobFault {
    /// Text that the job's id contains.
    pub job_id_contains: String,
    /// How many matching jobs fail.
    pub times: usize,
    /// The `errorResult`'s reason, such as `backendError`.
    pub reason: String,
    /// The `errorResult`'s message.
    pub message: String,
}

/// The scheduled faults.
#[derive(Default)]
pub struct Faults {
    requests: Mutex<Vec<Fault>>,
    jobs: Mutex<Vec<JobFault>>,
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        lock(&self.requests).push(fault);
    }

    pub fn add_job(&self, fault: JobFault) {
        lock(&self.jobs).push(fault);
    }

    /// The fault for this request, which counts as used once more.
    pub fn for_request(&self, method: &str, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.requests);
        for fault in faults.iter_mut().filter(|fault| fault.times > 0) {
            if !(fault.method.is_empty() || fault.method == method) || !path.contains(&fault.path_contains) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.clone());
        }
        None
    }

    /// The error for this job, whose fault counts as used once more.
    pub fn for_job(&self, job_id: &str) -> Option<JobError> {
        let mut faults = lock(&self.jobs);
        let fault = faults.iter_mut().find(|fault| fault.times > 0 && job_id.contains(&fault.job_id_contains))?;
        fault.times -= 1;
        Some(JobError::new(&fault.reason, fault.message.clone()))
    }
}

/// Prefixes of the ids of held jobs. A held job is RUNNING and has no visible effect until its release.
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

    /// Releases all jobs.
    pub fn release(&self) {
        self.0.send_modify(Vec::clear);
    }

    /// Waits while the job is held.
    pub async fn wait_for_release(&self, job_id: &str) {
        let is_free = |prefixes: &Vec<String>| !prefixes.iter().any(|prefix| job_id.starts_with(prefix.as_str()));
        // It fails only where the sender is dropped, and `self` owns the sender.
        let _ = self.0.subscribe().wait_for(is_free).await;
    }
}

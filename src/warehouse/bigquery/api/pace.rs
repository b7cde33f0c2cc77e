//! The rate at which tables are created.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// BigQuery's limit is ten new tables a second in a project.
const NEW_TABLES_A_SECOND: u32 = 5;
const SECOND: Duration = Duration::from_secs(1);

/// Limits the new tables a second.
#[derive(Debug)]
pub struct Pace {
    /// A server on this machine has no limit.
    is_local: bool,
    /// The start of the current second, and the tables created since then.
    window: Mutex<Option<(Instant, u32)>>,
}

impl Pace {
    pub fn new(is_local: bool) -> Self {
        Self { is_local, window: Mutex::default() }
    }

    /// Waits until one more table may be created.
    pub async fn turn(&self) {
        if self.is_local {
            return;
        }
        let mut window = self.window.lock().await;
        let (begin, created) = window.unwrap_or((Instant::now(), 0));
        *window = Some(if begin.elapsed() >= SECOND {
            (Instant::now(), 1)
        } else if created < NEW_TABLES_A_SECOND {
            (begin, created + 1)
        } else {
            sleep_until(begin + SECOND).await;
            (Instant::now(), 1)
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_new_tables_than_bigquery_allows() {
        let (pace, begin) = (Pace::new(false), Instant::now());
        let created = (0..24).map(|_| async {
            pace.turn().await;
            begin.elapsed()
        });
        let created = join_all(created).await;
        for from in &created {
            let within = created.iter().filter(|at| *at >= from && **at < *from + SECOND).count();
            assert!(within <= 10, "{created:?}");
        }
        assert_eq!(created.iter().max(), Some(&Duration::from_secs(4)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_on_this_machine_needs_no_wait() {
        let (pace, begin) = (Pace::new(true), Instant::now());
        join_all((0..24).map(|_| pace.turn())).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}

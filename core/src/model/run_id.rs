//! The name of a run: the time of its start, and a hash that distinguishes runs of the same second.

use jiff::Timestamp;

use crate::model::digest::hash;

/// The name of the run that this process started at `now`, such as `20251005T060000Z-3f9a0c`.
pub fn run_id(now: Timestamp, process: u32) -> String {
    let own = hash([now.as_nanosecond().to_string().as_bytes(), b"/", process.to_string().as_bytes()]);
    format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), &own[..6])
}

/// When the run of that name started, rounded down to a second.
pub fn started_at(run_id: &str) -> Option<Timestamp> {
    run_id.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_start_of_the_run() {
        let now: Timestamp = "2025-10-05T06:00:00.9Z".parse().unwrap();
        assert_eq!(started_at(&run_id(now, 1)), Some("2025-10-05T06:00:00Z".parse().unwrap()));
        assert_ne!(run_id(now, 1), run_id(now, 2));
        for other in ["r", "a-run", "", "2025-10-05"] {
            assert_eq!(started_at(other), None, "{other}");
        }
    }
}

//! The progress of a run, on a terminal.

use std::{fmt::Write, time::Duration};

use indicatif::{HumanDuration, ProgressState, ProgressStyle};

use crate::{flow::run::Progress, staging::Transfer, telemetry, warehouse::bigquery::Uploaded};

/// A bar on stderr.
#[derive(Clone, Debug)]
pub struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// Starts a bar, which is drawn on a terminal only, and neither with `--quiet` nor with `--verbose`.
    pub fn start() -> Self {
        if !telemetry::shows_progress() {
            return Self(indicatif::ProgressBar::hidden());
        }
        let bar = Self(indicatif::ProgressBar::no_length());
        bar.draw_as("{spinner} {msg}");
        bar.0.set_message("looking for manifests");
        bar.0.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// Shows what happened.
    pub fn show(&self, progress: &Progress) {
        match progress {
            Progress::Planned(bytes) => self.expect(*bytes, ""),
            Progress::Started { billing_period, again } => {
                let doing = if *again { "replacing" } else { "loading" };
                self.0.set_message("");
                self.0.set_prefix(format!("{doing} {billing_period}"));
            }
            Progress::Ended(bytes) => self.0.inc(*bytes),
        }
    }

    /// Shows how many bytes were fetched.
    pub fn show_bytes(&self, transfer: Transfer) {
        match transfer {
            Transfer::Planned(bytes) => self.expect(bytes, "  {bytes_per_sec}"),
            Transfer::OnBytes(bytes) => self.0.inc(bytes),
        }
    }

    /// Shows how much of a file was sent.
    pub fn show_uploaded(&self, uploaded: Uploaded) {
        let Uploaded { bytes, of } = uploaded;
        let percent = u128::from(bytes) * 100 / u128::from(of.max(1));
        self.0.set_message(format!("{percent} % sent"));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }

    /// From now on, shows the bytes done of so many, how fast that is, and the time left.
    fn expect(&self, bytes: u64, pace: &str) {
        self.0.set_message("");
        self.0.set_position(0);
        self.0.set_length(bytes);
        self.0.reset_elapsed();
        // With the longest texts, at most 80 columns.
        self.draw_as(&format!("{{spinner}} {{bar:10}} {{bytes}}/{{total_bytes}}{pace}{{left}}  {{prefix}}  {{msg}}"));
    }

    fn draw_as(&self, template: &str) {
        let left = |state: &ProgressState, text: &mut dyn Write| {
            let left = time_left(state.elapsed(), state.pos(), state.len().unwrap_or_default());
            let _ = left.map(|left| write!(text, "  {:#} left", HumanDuration(left)));
        };
        // A wrong template leaves the style before.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.with_key("left", left));
        }
    }
}

/// The time for the rest, if it goes on as it did; `None` before anything is done. Months end one by one: what indicatif
/// calculates from the last seconds would jump.
fn time_left(elapsed: Duration, done: u64, of: u64) -> Option<Duration> {
    let millis = elapsed.as_millis().saturating_mul(of.saturating_sub(done).into());
    let left = millis.checked_div(u128::from(done))?;
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal of 80 columns that keeps what is written.
    #[derive(Clone, Debug, Default)]
    struct Terminal(Arc<Mutex<String>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_first_load_is_a_load_and_bytes_show_how_far_a_run_is() {
        let terminal = Terminal::default();
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar = ProgressBar(indicatif::ProgressBar::with_draw_target(None, target));
        let shows = |progress: &Progress| {
            bar.show(progress);
            bar.0.force_draw();
            terminal.0.lock().unwrap().clone()
        };
        let started = |month: &str, again| Progress::Started { billing_period: month.parse().unwrap(), again };
        shows(&Progress::Planned(1_000 << 20));
        let first = shows(&started("2025-10", false));
        assert!(first.contains(" 0 B/1000.00 MiB  loading 2025-10"), "{first:?}");
        shows(&Progress::Ended(999 << 20));
        bar.show_uploaded(Uploaded { bytes: 1 << 20, of: 2 << 20 });
        let second = shows(&started("2025-09", true));
        assert!(
            second.contains(" 999.00 MiB/1000.00 MiB ") && second.contains(" left  replacing 2025-09"),
            "{second:?}"
        );
        assert!(!second.contains("sent"), "{second:?}");
        bar.show_uploaded(Uploaded { bytes: 2 << 20, of: 2 << 20 });
        let sent = shows(&Progress::Ended(0));
        assert!(sent.contains(" left  replacing 2025-09  100 % sent"), "{sent:?}");
        assert!(sent.trim_end().chars().count() <= 80, "{sent:?}");
    }

    #[test]
    fn the_time_left_is_that_of_the_bytes_left_at_the_same_pace() {
        let minute = Duration::from_mins(1);
        assert_eq!(time_left(minute, 0, 100), None);
        assert_eq!(time_left(minute, 25, 100), Some(3 * minute));
        assert_eq!(time_left(minute, 100, 100), Some(Duration::ZERO));
        assert_eq!(time_left(minute, 101, 100), Some(Duration::ZERO));
        assert!(time_left(Duration::MAX, 1, u64::MAX).is_some());
    }
}

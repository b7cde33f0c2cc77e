//! The progress of a run, on a terminal.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressStyle};

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
        let bar = indicatif::ProgressBar::no_length();
        bar.set_message("looking for manifests");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows what happened.
    pub fn show(&self, progress: &Progress) {
        match progress {
            Progress::Planned(months) => {
                self.0.set_length(*months as u64);
                // A wrong template leaves the plain style.
                if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} months  {elapsed}  {msg}") {
                    self.0.set_style(style);
                }
            }
            Progress::Started(period) => self.0.set_message(format!("replacing {period}")),
            Progress::Ended(_) => self.0.inc(1),
        }
    }

    /// Shows how many bytes were fetched.
    pub fn show_bytes(&self, transfer: Transfer) {
        match transfer {
            Transfer::Planned(bytes) => {
                self.0.set_length(bytes);
                self.0.set_message("");
                let template = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    self.0.set_style(style);
                }
            }
            Transfer::OnBytes(bytes) => self.0.inc(bytes),
        }
    }

    /// Shows how much of a file was sent.
    pub fn show_uploaded(&self, uploaded: Uploaded) {
        let Uploaded { bytes, of } = uploaded;
        self.0.set_message(format!("{} of {} sent", HumanBytes(bytes), HumanBytes(of)));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

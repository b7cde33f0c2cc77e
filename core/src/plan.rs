//! What to do with each month, and why. Pure: deliveries and state in, decisions out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    delivery::Delivery,
    manifest::ManifestError,
    period::BillingPeriod,
    state::{LoadStatus, Standing},
};

/// A month as it was discovered.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The month that the manifest's folder names.
    pub billing_period: BillingPeriod,
    /// Where the manifest lies.
    pub manifest_uri: String,
    /// The delivery, or why its manifest cannot be used.
    pub delivery: Result<Delivery, ManifestError>,
}

/// What a run may do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Load complete deliveries again although they are loaded.
    pub force: bool,
    /// The time of the run.
    pub now: Timestamp,
    /// How long a month may wait for its files before that counts as a failure.
    pub wait_max: SignedDuration,
}

/// What to do with a month.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Load it: nothing of it stands.
    Load(Delivery),
    /// Load it in place of what stands.
    Reload(Delivery),
    /// Leave it as it is.
    Skip,
    /// Listed files are not there yet; `stale` where that has lasted too long.
    Wait {
        /// It waits longer than allowed.
        stale: bool,
    },
    /// The delivery cannot be loaded.
    Refuse {
        /// What to do about it.
        hint: &'static str,
    },
}

/// A month with its decision.
#[derive(Clone, Debug)]
pub struct PlannedMonth {
    /// The month.
    pub billing_period: BillingPeriod,
    /// The delivery's id, where its manifest could be read.
    pub execution_id: Option<String>,
    /// What to do.
    pub decision: Decision,
    /// Why, for people.
    pub reason: String,
}

/// Decides on every discovered month, newest month first. Of several deliveries of a month, the one delivered last
/// counts; a manifest that cannot be used costs its own month only.
pub fn plan(
    candidates: Vec<Candidate>,
    standing: &BTreeMap<BillingPeriod, Standing>,
    rules: &Rules,
) -> Vec<PlannedMonth> {
    let mut newest: BTreeMap<BillingPeriod, Candidate> = BTreeMap::new();
    for candidate in candidates {
        let delivered = |c: &Candidate| c.delivery.as_ref().map(|d| (d.issued(), c.manifest_uri.clone())).ok();
        match newest.get(&candidate.billing_period) {
            Some(known) if delivered(known) >= delivered(&candidate) => {}
            _ => drop(newest.insert(candidate.billing_period, candidate)),
        }
    }
    newest.into_values().rev().map(|candidate| decide(candidate, standing, rules)).collect()
}

fn decide(candidate: Candidate, standing: &BTreeMap<BillingPeriod, Standing>, rules: &Rules) -> PlannedMonth {
    let billing_period = candidate.billing_period;
    let delivery = match candidate.delivery {
        Ok(delivery) => delivery,
        Err(error) => {
            let reason = format!("manifest {}: {error}", candidate.manifest_uri);
            let decision = Decision::Refuse { hint: error.hint() };
            return PlannedMonth { billing_period, execution_id: None, decision, reason };
        }
    };
    let execution_id = Some(delivery.manifest.execution_id.clone());
    let (decision, reason) = weigh(delivery, standing.get(&billing_period), rules);
    PlannedMonth { billing_period, execution_id, decision, reason }
}

fn weigh(delivery: Delivery, standing: Option<&Standing>, rules: &Rules) -> (Decision, String) {
    if delivery.manifest.files.is_empty() {
        return (Decision::Skip, "empty delivery: its manifest lists no files".to_owned());
    }
    let whole = standing.filter(|s| s.record.status == LoadStatus::Loaded && s.record.rows == s.rows_in_table);
    if !delivery.missing.is_empty() {
        return match whole {
            // Some gone and some there is no tidying up, but a delivery in flight.
            Some(s) if delivery.files.is_empty() && s.record.execution_id == delivery.manifest.execution_id => {
                (Decision::Skip, "already loaded; its source files are no longer there".to_owned())
            }
            _ => wait(&delivery, rules),
        };
    }
    let Some(standing) = standing else {
        return (Decision::Load(delivery), "not loaded yet".to_owned());
    };
    let record = &standing.record;
    if let Some(whole) = whole {
        if !rules.force {
            return if whole.record.fingerprint == delivery.fingerprint {
                (Decision::Skip, format!("already loaded on {}", record.loaded_at.strftime("%Y-%m-%d %H:%M UTC")))
            } else if record.execution_id == delivery.manifest.execution_id {
                (Decision::Reload(delivery), "its files changed in place".to_owned())
            } else {
                (Decision::Reload(delivery), format!("new delivery, in place of {}", record.execution_id))
            };
        }
        return (Decision::Reload(delivery), "reload asked for".to_owned());
    }
    let reason = match record.status {
        LoadStatus::Unverified => "its last load did not verify".to_owned(),
        LoadStatus::Loaded => {
            format!("the table holds {} of the {} rows that were loaded", standing.rows_in_table, record.rows)
        }
    };
    if standing.rows_in_table == 0 { (Decision::Load(delivery), reason) } else { (Decision::Reload(delivery), reason) }
}

fn wait(delivery: &Delivery, rules: &Rules) -> (Decision, String) {
    let missing = &delivery.missing;
    let named = missing.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if missing.len() > 3 { ", ..." } else { "" };
    let hours = rules.now.duration_since(delivery.delivered_at).as_hours();
    let stale = rules.now.duration_since(delivery.delivered_at) > rules.wait_max;
    let reason = format!(
        "waiting for {} of {} files for {hours} h: {named}{more}",
        missing.len(),
        delivery.manifest.files.len()
    );
    (Decision::Wait { stale }, reason)
}

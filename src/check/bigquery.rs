//! Checks of BigQuery.

use std::collections::BTreeMap;

use finops_core::{
    hint,
    model::load_record::STATE_TABLE,
    report::check::{Check, Finding, Status},
};
use futures::future::{join, join_all, join3};

use super::finding::{CREDENTIALS, clock_finding, failed, permissions, signed_in};
use crate::{
    error::{ErrorKind, Result},
    flow::{
        export::Export,
        table::{Delivered, check_for},
    },
    warehouse::bigquery::{BigQuery, DatasetFacts, Options, clock_ahead},
};

const SERVICE: &str = "BigQuery";

/// Findings of a warehouse.
pub struct WarehouseChecks {
    /// Those of the project and its datasets.
    pub findings: Vec<Finding>,
    /// Those of the exports' tables.
    pub tables: Vec<Finding>,
    /// The location of each dataset, or where it would be created.
    pub locations: BTreeMap<String, String>,
}

/// Checks the warehouse and the table of each export, against the delivery in its source.
pub async fn check_warehouse(
    connected: &Result<BigQuery>,
    options: &Options,
    exports: &[(&Export, Option<&Delivered>)],
) -> WarehouseChecks {
    let (ahead, credentials) = join(clock_ahead(options), credentials(connected, options)).await;
    let clock = clock_finding(SERVICE, ahead);
    let warehouse = connected.as_ref().ok().filter(|_| credentials.status == Status::Ok);
    let mut by_dataset: BTreeMap<&str, Vec<(&Export, Option<&Delivered>)>> = BTreeMap::new();
    for (export, delivered) in exports {
        by_dataset.entry(&export.dataset).or_default().push((export, *delivered));
    }
    let facts = join_all(by_dataset.keys().map(|name| dataset(warehouse, options, name)));
    let (jobs, facts) = join(jobs(warehouse, options), facts).await;

    let may_run_jobs = jobs.status == Status::Ok;
    let mut checks =
        WarehouseChecks { findings: vec![clock, credentials, jobs], tables: Vec::new(), locations: BTreeMap::new() };
    let contents = by_dataset.iter().zip(&facts).map(|((name, exports), (_, facts))| {
        let there = warehouse.zip(facts.as_ref());
        let needs = if warehouse.is_none() { CREDENTIALS } else { "the dataset" };
        contents(there.ok_or(needs), options, name, exports, may_run_jobs)
    });
    let staging = async {
        // With tables in it, it is checked as a dataset of tables.
        let name = options.staging_dataset.as_deref().filter(|name| !by_dataset.contains_key(name))?;
        let place = facts.iter().find_map(|(_, facts)| Some(facts.as_ref()?.location.as_str()));
        Some(staging_dataset(warehouse, options, name, place, may_run_jobs).await)
    };
    let (contents, staging) = join(join_all(contents), staging).await;
    for ((name, (finding, facts)), (of_dataset, of_tables)) in by_dataset.keys().zip(facts).zip(contents) {
        // A missing dataset that can be created is created in the default location.
        let absent = (finding.status == Status::Warning).then(|| options.default_location.clone());
        if let Some(location) = facts.map(|facts| facts.location).or(absent) {
            checks.locations.insert((*name).to_owned(), location);
        }
        checks.findings.push(finding);
        checks.findings.extend(of_dataset);
        checks.tables.extend(of_tables);
    }
    if let Some((findings, location)) = staging {
        checks.findings.extend(findings);
        checks.locations.extend(options.staging_dataset.clone().zip(location));
    }
    if let Some(name) = &options.staging_dataset {
        let others = by_dataset.keys().filter(|other| *other != name);
        let findings: Vec<Finding> = others.map(|of| staging_location(options, name, of, &checks.locations)).collect();
        checks.findings.extend(findings);
    }
    checks
}

/// Checks the dataset of staging tables, which a run does not create; returns its location. `place` is the location of the
/// exports' tables, if it is known.
async fn staging_dataset(
    warehouse: Option<&BigQuery>,
    options: &Options,
    name: &str,
    place: Option<&str>,
    may_run_jobs: bool,
) -> (Vec<Finding>, Option<String>) {
    let Options { project, default_location, .. } = options;
    let object = format!("dataset {project}.{name}");
    let without =
        |finding: Finding, needs: &str| (vec![finding, Finding::not_checked(Check::Permissions, &object, needs)], None);
    let Some(warehouse) = warehouse else {
        return without(Finding::not_checked(Check::Dataset, &object, CREDENTIALS), CREDENTIALS);
    };
    match warehouse.dataset_facts(name).await {
        Ok(Some(DatasetFacts { location, .. })) => {
            let found = format!("in {location}, for staging tables");
            let dataset = Finding::ok(Check::Dataset, &object, &found);
            let creation = creation(warehouse, options, name, &location, may_run_jobs).await;
            (vec![dataset, creation], Some(location))
        }
        Ok(None) => {
            let place = place.unwrap_or(default_location);
            let found = "not there, and STAGING_DATASET names it for staging tables";
            let hint = hint::staging_dataset(place, project, name);
            without(Finding::failed(Check::Dataset, &object, found, Some(&hint)), "the dataset")
        }
        Err(error) => without(failed(Check::Dataset, &object, &error), "the dataset"),
    }
}

/// Whether staging tables in the dataset `name` can be copied to tables in the dataset `of`.
fn staging_location(options: &Options, name: &str, of: &str, locations: &BTreeMap<String, String>) -> Finding {
    let project = &options.project;
    let object = format!("{project}.{name} into {project}.{of}");
    let (Some(staging), Some(tables)) = (locations.get(name), locations.get(of)) else {
        return Finding::not_checked(Check::Location, &object, "both datasets");
    };
    if staging.eq_ignore_ascii_case(tables) {
        return Finding::ok(Check::Location, &object, &format!("both datasets are in {tables}"));
    }
    let found =
        format!("staging tables would be in {staging}, the tables are in {tables}: both must be in the same location");
    let other = format!("{name}_{}", tables.to_ascii_lowercase().replace('-', "_"));
    let hint = hint::other_staging(tables, project, other);
    Finding::failed(Check::Location, &object, &found, Some(&hint))
}

/// Whether the account can create tables in a dataset.
async fn creation(warehouse: &BigQuery, options: &Options, name: &str, location: &str, may_run_jobs: bool) -> Finding {
    let object = format!("dataset {}.{name}", options.project);
    if !may_run_jobs {
        return Finding::not_checked(Check::Permissions, &object, "jobs in the project");
    }
    match warehouse.may_create_tables(name, location).await {
        Ok(()) => Finding::ok(Check::Permissions, &object, "tables may be created"),
        Err(error)
            if error.kind() == ErrorKind::Permission
                && options.staging_dataset.as_deref().is_some_and(|s| s != name) =>
        {
            let found = "tables may not be created: those of the exports, and finops_loads, must be there";
            Finding::warning(Check::Permissions, &object, found, hint::COPY_UNKNOWN)
        }
        Err(error) => failed(Check::Permissions, &object, &error),
    }
}

async fn credentials(connected: &Result<BigQuery>, options: &Options) -> Finding {
    match connected {
        Ok(_) if options.emulator_host.is_some() => {
            Finding::ok(Check::Credentials, SERVICE, "none are needed: BIGQUERY_EMULATOR_HOST is set")
        }
        Ok(warehouse) => signed_in(SERVICE, warehouse.sign_in().await),
        Err(error) => failed(Check::Credentials, SERVICE, error),
    }
}

async fn jobs(warehouse: Option<&BigQuery>, options: &Options) -> Finding {
    let project = format!("project {}", options.job_project.as_ref().unwrap_or(&options.project));
    let Some(warehouse) = warehouse else {
        return Finding::not_checked(Check::Jobs, &project, CREDENTIALS);
    };
    match warehouse.may_run_jobs().await {
        Ok(account) => {
            let account = account.map(|account| format!(", as {account}")).unwrap_or_default();
            Finding::ok(Check::Jobs, &project, &format!("can be run{account}"))
        }
        Err(error) => failed(Check::Jobs, &project, &error),
    }
}

async fn dataset(warehouse: Option<&BigQuery>, options: &Options, name: &str) -> (Finding, Option<DatasetFacts>) {
    let object = format!("dataset {}.{name}", options.project);
    let Some(warehouse) = warehouse else {
        return (Finding::not_checked(Check::Dataset, &object, CREDENTIALS), None);
    };
    let facts = match warehouse.dataset_facts(name).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return (absent(warehouse, options, name, &object).await, None),
        Err(error) => return (failed(Check::Dataset, &object, &error), None),
    };
    let location = &facts.location;
    let expirations = [
        ("partition", "the months of new tables", &facts.partition_expiration_days),
        ("table", "new tables", &facts.table_expiration_days),
    ];
    let (drops, options_of_bq): (Vec<String>, Vec<String>) = expirations
        .iter()
        .filter_map(|(of, what, days)| Some((of, what, days.as_ref()?)))
        .map(|(of, what, days)| (format!("{what} after {days} days"), format!("--default_{of}_expiration 0")))
        .unzip();
    let finding = if drops.is_empty() {
        Finding::ok(Check::Dataset, &object, &format!("in {location}"))
    } else {
        let found = format!("in {location}; by default it drops {}", drops.join(", and "));
        let hint = hint::end_expiration(options_of_bq.join(" "), &options.project, name);
        Finding::warning(Check::Dataset, &object, &found, &hint)
    };
    (finding, Some(facts))
}

/// The finding for a missing dataset, which a run creates if the account has the permission.
async fn absent(warehouse: &BigQuery, options: &Options, name: &str, object: &str) -> Finding {
    let Options { project, default_location, .. } = options;
    match warehouse.may_create_dataset(name).await {
        Ok(()) => {
            let found = format!("not there: a run creates it in {default_location}");
            Finding::warning(Check::Dataset, object, &found, &hint::new_dataset(default_location, project, name))
        }
        Err(error) if error.kind() == ErrorKind::Permission => {
            let found = "not there, and the account may not create datasets";
            let hint = hint::have_dataset_created(default_location, project, name);
            Finding::failed(Check::Dataset, object, found, Some(&hint))
        }
        Err(error) => failed(Check::Dataset, object, &error),
    }
}

/// Checks what is in a dataset: findings of the dataset, and those of the exports' tables.
async fn contents(
    there: Result<(&BigQuery, &DatasetFacts), &'static str>,
    options: &Options,
    name: &str,
    exports: &[(&Export, Option<&Delivered>)],
    may_run_jobs: bool,
) -> (Vec<Finding>, Vec<Finding>) {
    let dataset = format!("dataset {}.{name}", options.project);
    let state_table = format!("{}.{name}.{STATE_TABLE}", options.project);
    let table = |export: &Export| format!("{}.{name}.{}", options.project, export.table);
    let (warehouse, facts) = match there {
        Ok(there) => there,
        Err(needs) => {
            let of_dataset = [(Check::Permissions, &dataset), (Check::StateTable, &state_table)];
            let of_dataset = of_dataset.map(|(check, object)| Finding::not_checked(check, object, needs));
            let of_tables = exports.iter().map(|(export, _)| Finding::not_checked(Check::Table, &table(export), needs));
            return (of_dataset.into(), of_tables.collect());
        }
    };
    let creation = creation(warehouse, options, name, &facts.location, may_run_jobs);
    let state = async {
        match warehouse.try_state(name, &facts.location, may_run_jobs).await {
            Ok(true) if may_run_jobs => Finding::ok(Check::StateTable, &state_table, "can be read and written"),
            Ok(true) => Finding::ok(Check::StateTable, &state_table, "can be read"),
            Ok(false) => Finding::ok(Check::StateTable, &state_table, "not there yet: the first load creates it"),
            Err(error) => failed(Check::StateTable, &state_table, &error),
        }
    };
    let tables =
        exports.iter().map(async |(export, delivered)| of_table(warehouse, export, *delivered, &table(export)).await);
    let tables = join_all(tables);
    let (creation, state, tables) = join3(creation, state, tables).await;
    (vec![creation, state], tables.into_iter().flatten().collect())
}

async fn of_table(warehouse: &BigQuery, export: &Export, delivered: Option<&Delivered>, object: &str) -> Vec<Finding> {
    let name = export.table_name();
    let shape = warehouse.shape(&name).await;
    let shape = shape.and_then(|found| found.map(|found| check_for(delivered, export, object, &found)).transpose());
    let (missing, policies) = match shape {
        Ok(Some(())) => {
            let policies = warehouse.row_access_policies(&name.dataset, &name.table);
            join(warehouse.missing_permissions(&name.dataset, &name.table), policies).await
        }
        Ok(None) => return vec![Finding::ok(Check::Table, object, "not there yet: the first load creates it")],
        Err(error) => {
            let permissions = Finding::not_checked(Check::Permissions, object, "the table");
            return vec![failed(Check::Table, object, &error), permissions];
        }
    };
    let permissions = permissions(object, missing, "roles/bigquery.dataEditor on the dataset");
    vec![Finding::ok(Check::Table, object, "is finops's own"), permissions, row_access(object, policies)]
}

/// The table's row access policies: a copy may remove them, and then readers see rows that they should not see. If a run can
/// list them, it replaces months by a query.
fn row_access(object: &str, policies: Result<Option<Vec<String>>>) -> Finding {
    match policies {
        Ok(Some(ids)) if ids.is_empty() => Finding::ok(Check::RowAccess, object, "no row access policies"),
        Ok(Some(ids)) => {
            let found = format!(
                "has row access policies ({}): months are replaced by a query that keeps them, billed for their bytes",
                ids.join(", ")
            );
            Finding::warning(Check::RowAccess, object, &found, hint::POLICIES_FOUND)
        }
        Ok(None) => {
            let found = "not known: the account has no permission to list row access policies, which a copy may remove";
            Finding::warning(Check::RowAccess, object, found, hint::POLICIES_UNKNOWN)
        }
        Err(error) => failed(Check::RowAccess, object, &error),
    }
}

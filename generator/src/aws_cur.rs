//! Paths and manifests of AWS's Cost and Usage Reports, version 1.

use serde_json::{Value, json};

use crate::{
    column::Values,
    export::{DataFile, Export, Format, Layout, ManifestForm, RunPaths},
    month::Run,
};

pub(crate) fn paths(export: &Export, run: &Run) -> RunPaths {
    let Export { name, layout, format, .. } = export;
    // An assembly id has two forms: one is seen with CSV, the other with Parquet.
    let id = match format {
        Format::Parquet => run.submitted.strftime("%Y%m%dT%H%M%SZ").to_string(),
        _ => export.uuid(&format!("assembly/{}/{}", run.month, run.number)),
    };
    let period = format!("{name}/{}-{}", compact(run.month.first_day()), compact(run.month.end()));
    let data = match (layout, format) {
        (Layout::Versioned, _) => format!("{period}/{id}"),
        (_, Format::Parquet) => format!("{name}/{name}/{}", run.month.first_day().strftime("year=%Y/month=%-m")),
        _ => period.clone(),
    };
    let manifest = |folder: &str| format!("{folder}/{name}-Manifest.json");
    let copy = (*layout == Layout::Versioned).then(|| manifest(&data));
    RunPaths { manifests: [manifest(&period)].into_iter().chain(copy).collect(), data, execution_id: Some(id) }
}

fn compact(day: jiff::civil::Date) -> String {
    day.strftime("%Y%m%d").to_string()
}

pub(crate) fn manifest(export: &Export, run: &Run, paths: &RunPaths, files: &[DataFile]) -> Value {
    let parquet = export.format == Format::Parquet;
    let column_type = |values: &Values| match values {
        Values::Amount(_) if parquet => "DOUBLE",
        Values::Amount(_) => "OptionalBigDecimal",
        Values::Moment(_) | Values::Day(_) if parquet => "TIMESTAMP",
        Values::Moment(_) | Values::Day(_) => "DateTime",
        _ if parquet => "STRING",
        _ => "OptionalString",
    };
    let columns = export.columns();
    let columns = columns.iter().map(|column| {
        let (category, name) = column.header.split_once('/').unwrap_or_default();
        let mut entry = json!({"category": category, "name": if parquet { column.name } else { name }});
        if export.manifest == ManifestForm::Full {
            entry["type"] = json!(column_type(&column.values));
        }
        entry
    });
    let moment = |day| compact(day) + "T000000.000Z";
    let form = if parquet { ["Parquet", "Parquet"] } else { ["GZIP", "text/csv"] };
    json!({
        "assemblyId": paths.execution_id,
        "account": "210987654321",
        "columns": columns.collect::<Vec<_>>(),
        "charset": "UTF-8",
        "compression": form[0],
        "contentType": form[1],
        "reportId": export.uuid("report"),
        "reportName": export.name,
        "billingPeriod": {"start": moment(run.month.first_day()), "end": moment(run.month.end())},
        "bucket": "example-billing-bucket",
        "reportKeys": files.iter().map(|file| format!("finance/{}", file.path)).collect::<Vec<_>>(),
        "additionalArtifactKeys": [],
    })
}

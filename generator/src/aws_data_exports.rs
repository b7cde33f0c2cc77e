//! Paths and manifests of AWS Data Exports.

use serde_json::{Value, json};

use crate::{
    column::Values,
    dialect::Dialect,
    export::{DataFile, Export, Layout, ManifestForm, RunPaths},
    month::Run,
};

pub(crate) fn paths(export: &Export, run: &Run) -> RunPaths {
    // The folder of a FOCUS export is in lower case.
    let key = if export.dialect == Dialect::AwsCur2 { "BILLING_PERIOD" } else { "billing_period" };
    let id = export.uuid(&format!("execution/{}/{}", run.month, run.number));
    let (run_name, folder) = match export.layout {
        Layout::Versioned => {
            let name = format!("{}-{id}", run.submitted.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
            (Some(name.clone()), format!("/{name}"))
        }
        _ => (None, String::new()),
    };
    let within = |kind: &str| format!("{}/{kind}/{key}={}{folder}", export.name, run.month);
    RunPaths {
        data: within("data"),
        manifests: vec![format!("{}/{}-Manifest.json", within("metadata"), export.name)],
        execution_id: if export.manifest == ManifestForm::Full { Some(id) } else { run_name },
    }
}

pub(crate) fn manifest(export: &Export, paths: &RunPaths, files: &[DataFile]) -> Value {
    let column_type = |values: &Values| match values {
        Values::Text(_) | Values::Flag(_) => "string",
        Values::Amount(_) => "double",
        Values::Moment(_) | Values::Day(_) => "timestamp_milliseconds",
        Values::TextMap(_) => "map <string, string>",
        Values::AmountMap(_) => "map <string, double>",
    };
    let columns = export.columns();
    let columns = columns.iter().map(|column| json!({"name": column.header, "type": column_type(&column.values)}));
    let mut manifest = json!({
        "exportArn": format!("arn:aws:bcm-data-exports:us-east-1:210987654321:export/{}-1", export.name),
        "columns": columns.collect::<Vec<_>>(),
        "dataFiles": files.iter().map(|file| format!("s3://example-billing-bucket/finance/{}", file.path)).collect::<Vec<_>>(),
        "additionalOutputFiles": [],
    });
    if export.manifest == ManifestForm::Full {
        manifest["executionId"] = json!(paths.execution_id);
    }
    manifest
}

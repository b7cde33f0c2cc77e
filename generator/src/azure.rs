//! Paths and manifests of Azure Cost Management exports.

use serde_json::{Value, json};

use crate::{
    export::{DataFile, Export, Format, Layout, ManifestForm, RunPaths},
    month::Run,
};

/// Folder of the exports in the storage account. A mirror may use another folder.
const ROOT: &str = "finance";

pub(crate) fn paths(export: &Export, run: &Run) -> RunPaths {
    let overwrites = matches!(export.layout, Layout::Overwritten | Layout::Flat);
    // Runs that overwrite each other have the same id for the whole month.
    let number = if overwrites { 0 } else { run.number };
    let id = export.uuid(&format!("run/{}/{number}", run.month));
    let minute = run.submitted.strftime("%Y%m%d%H%M");
    let folders = match export.layout {
        Layout::Versioned => format!("/{minute}/{id}"),
        Layout::ByRun | Layout::Overwritten => format!("/{id}"),
        Layout::ByMinute => format!("/{minute}"),
        Layout::Flat => String::new(),
    };
    let (first, last) = (run.month.first_day(), run.month.last_day());
    let data = format!("{}/{}-{}{folders}", export.name, first.strftime("%Y%m%d"), last.strftime("%Y%m%d"));
    let file = if export.manifest == ManifestForm::Underscored { "_manifest.json" } else { "manifest.json" };
    RunPaths { manifests: vec![format!("{data}/{file}")], data, execution_id: Some(id) }
}

pub(crate) fn manifest(export: &Export, run: &Run, paths: &RunPaths, files: &[DataFile]) -> Value {
    let full = export.manifest == ManifestForm::Full;
    let overwrites = matches!(export.layout, Layout::Overwritten | Layout::Flat);
    let blobs = files.iter().map(|file| {
        if full {
            json!({"blobName": format!("{ROOT}/{}", file.path), "byteCount": file.bytes, "dataRowCount": file.rows})
        } else {
            json!({"blobName": format!(" {ROOT}/{}", file.path), "byteCount": file.bytes})
        }
    });
    let mut manifest = json!({
        "exportConfig": {
            "exportName": export.name,
            "resourceId": format!("/providers/Microsoft.Billing/billingAccounts/8608480/providers/\
                                   Microsoft.CostManagement/exports/{}", export.name),
            "dataVersion": export.dialect.azure_version(),
            "apiVersion": "2023-07-01-preview",
            "type": export.dialect.azure_type(),
            "timeFrame": "MonthToDate",
            "granularity": "Daily",
        },
        "deliveryConfig": {
            "partitionData": true,
            "dataOverwriteBehavior": if overwrites { "OverwritePreviousReport" } else { "CreateNewReport" },
            "fileFormat": if export.format == Format::Parquet { "Parquet" } else { "Csv" },
            "containerUri": "/subscriptions/6d3f0b52-0000-4000-8000-000000000001/storageAccounts/example/containers/costs",
            "rootFolderPath": ROOT,
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": run.submitted.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string(),
            "runId": paths.execution_id,
            "startDate": run.month.first_day().strftime("%Y-%m-%dT00:00:00").to_string(),
            "endDate": run.until.strftime("%Y-%m-%dT00:00:00Z").to_string(),
        },
        "blobs": blobs.collect::<Vec<_>>(),
    });
    if full {
        manifest["manifestVersion"] = json!("2024-04-01");
        manifest["byteCount"] = json!(files.iter().map(|file| file.bytes).sum::<u64>());
        manifest["blobCount"] = json!(files.len());
        manifest["dataRowCount"] = json!(files.iter().map(|file| file.rows).sum::<usize>());
        manifest["deliveryConfig"]["compressionMode"] = json!(match export.format {
            Format::Csv => "None",
            Format::CsvGzip => "Gzip",
            Format::Parquet => "Snappy",
        });
    }
    manifest
}

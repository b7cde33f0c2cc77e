//! Meadow's manifest, such as
//! `{"run": "20251003T060000Z-7", "month": "2025-09", "rows": 3, "files": [{"name": "part-0.csv", "bytes": 321}]}`.

use finops_core::{
    BillingPeriod,
    model::{
        kind::ExportKind,
        manifest::{FileFormat, Manifest, ManifestError, ManifestFile, ManifestLocation, read, safe_path},
    },
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
pub struct MeadowManifest {
    pub run: String,
    pub month: BillingPeriod,
    pub rows: u64,
    pub files: Vec<MeadowFile>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct MeadowFile {
    pub name: String,
    pub bytes: u64,
}

pub fn parse(location: &ManifestLocation, bytes: &[u8]) -> Result<Manifest, ManifestError> {
    let MeadowManifest { run, month, rows, files } = read(bytes)?;
    if month != location.billing_period {
        let folder = &location.period_folder;
        return Err(ManifestError::Contradiction(format!("it is of {month}, and its folder is {folder}")));
    }
    let file = |MeadowFile { name, bytes }| {
        let path = format!("{}/{run}/{name}", location.period_folder);
        let relative_path = safe_path(&path.split('/').collect::<Vec<_>>())
            .ok_or_else(|| ManifestError::Malformed(format!("its file `{name}` is not the name of a file")))?;
        Ok(ManifestFile { relative_path, bytes: Some(bytes) })
    };
    Manifest {
        issued_at: location.issued_at,
        rows: Some(rows),
        files: files.into_iter().map(file).collect::<Result<_, _>>()?,
        ..Manifest::new(ExportKind::Focus, &location.export_name, month, &run, FileFormat::Csv)
    }
    .bounded()
}

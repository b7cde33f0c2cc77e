//! A target and a load for tests.

use std::collections::HashMap;

use finops_core::{
    files::file_type::FileType,
    model::{column_type::ColumnType, kind::ExportKind, manifest::FileFormat, provider::Provider},
    schema::Column,
};
use jiff::Timestamp;

use super::{Batch, LoadColumn, MonthLoad, NoValue, TableName, Target};

pub fn target() -> Target {
    Target {
        provider: Provider::Aws,
        export_name: "cur".to_owned(),
        name: TableName { dataset: "d".to_owned(), table: "t".to_owned() },
        key_columns: finops_core::formats::aws_cur::KEY_COLUMNS,
        staged: false,
    }
}

pub fn batch() -> Batch {
    let column = Column { name: "a".to_owned(), column_type: ColumnType::String };
    Batch {
        files: vec!["gs://b/1".to_owned()],
        format: FileFormat::Csv,
        columns: vec![LoadColumn { column, file_name: "A".to_owned(), file_type: FileType::Text(None) }],
        fills_period: false,
        is_own: false,
        values: HashMap::new(),
    }
}

pub fn load() -> MonthLoad {
    MonthLoad {
        billing_period: "2025-09".parse().unwrap(),
        execution_id: "e".to_owned(),
        fingerprint: "f".to_owned(),
        manifest_uri: "gs://b/m".to_owned(),
        batches: vec![batch()],
        bytes: 1,
        parts: Vec::new(),
        group_by: None,
        loaded_scopes: Vec::new(),
        neighbours: Vec::new(),
        cost: "cost",
        currency: "currency",
        no_value: NoValue::default(),
        net_cost: None,
        kind: ExportKind::Cur,
        issued_at: Timestamp::UNIX_EPOCH,
        covers_until: None,
        rows: None,
        previous: None,
        force: false,
        run_id: "Run:1".to_owned(),
    }
}

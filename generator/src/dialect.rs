//! The dialects, and the differences between their files.

use csv::Terminator;
use serde_json::Value;

use crate::{
    aws_cur, aws_data_exports, azure,
    column::Column,
    columns,
    columns::focus,
    csv_file::CsvForm,
    export::{DataFile, Export, Format, Layout, RunPaths},
    month::Run,
    parquet_file::ParquetForm,
};

/// Provider and type of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Dialect {
    /// AWS Cost and Usage Report, version 1.
    AwsCur,
    /// AWS Data Exports: CUR 2.0.
    AwsCur2,
    /// AWS Data Exports: FOCUS 1.0.
    #[value(name = "aws-focus-1.0")]
    AwsFocus10,
    /// AWS Data Exports: FOCUS 1.2.
    #[value(name = "aws-focus-1.2")]
    AwsFocus12,
    /// Azure, actual cost of an Enterprise Agreement.
    AzureActualEnterprise,
    /// Azure, actual cost of a Customer Agreement.
    AzureActualCustomer,
    /// Azure, amortized cost of an Enterprise Agreement.
    AzureAmortizedEnterprise,
    /// Azure, amortized cost of a Customer Agreement.
    AzureAmortizedCustomer,
    /// Azure, FOCUS `1.0-preview(v1)`.
    #[value(name = "azure-focus-1.0-preview")]
    AzureFocus10Preview,
    /// Azure, FOCUS `1.0`.
    #[value(name = "azure-focus-1.0")]
    AzureFocus10,
    /// Azure, FOCUS `1.0r2`: like 1.0, with seconds in its timestamps.
    #[value(name = "azure-focus-1.0r2")]
    AzureFocus10r2,
    /// Azure, FOCUS `1.2-preview`.
    #[value(name = "azure-focus-1.2-preview")]
    AzureFocus12Preview,
    /// Azure, FOCUS `1.2`.
    #[value(name = "azure-focus-1.2")]
    AzureFocus12,
}

use Dialect::{
    AwsCur, AwsCur2, AwsFocus10, AwsFocus12, AzureActualCustomer, AzureActualEnterprise, AzureAmortizedCustomer,
    AzureAmortizedEnterprise, AzureFocus10, AzureFocus10Preview, AzureFocus10r2, AzureFocus12, AzureFocus12Preview,
};

impl Dialect {
    /// All dialects.
    pub const ALL: [Self; 13] = [
        AwsCur,
        AwsCur2,
        AwsFocus10,
        AwsFocus12,
        AzureActualEnterprise,
        AzureActualCustomer,
        AzureAmortizedEnterprise,
        AzureAmortizedCustomer,
        AzureFocus10Preview,
        AzureFocus10,
        AzureFocus10r2,
        AzureFocus12Preview,
        AzureFocus12,
    ];

    /// Whether the provider is Azure, not AWS.
    pub fn is_azure(self) -> bool {
        !matches!(self, AwsCur | AwsCur2 | AwsFocus10 | AwsFocus12)
    }

    /// The formats that the provider offers.
    pub fn formats(self) -> &'static [Format] {
        if self.is_azure() {
            &[Format::Csv, Format::CsvGzip, Format::Parquet]
        } else {
            &[Format::CsvGzip, Format::Parquet]
        }
    }

    /// The layouts that the provider has, or had.
    pub fn layouts(self) -> &'static [Layout] {
        if self.is_azure() {
            &[Layout::Versioned, Layout::ByRun, Layout::ByMinute, Layout::Overwritten, Layout::Flat]
        } else {
            &[Layout::Versioned, Layout::Overwritten]
        }
    }

    /// `exportConfig.type` of Azure's manifests.
    pub(crate) fn azure_type(self) -> Option<&'static str> {
        match self {
            AwsCur | AwsCur2 | AwsFocus10 | AwsFocus12 => None,
            AzureActualEnterprise | AzureActualCustomer => Some("ActualCost"),
            AzureAmortizedEnterprise | AzureAmortizedCustomer => Some("AmortizedCost"),
            AzureFocus10Preview | AzureFocus10 | AzureFocus10r2 | AzureFocus12Preview | AzureFocus12 => {
                Some("FocusCost")
            }
        }
    }

    /// `exportConfig.dataVersion` of Azure's manifests.
    pub(crate) fn azure_version(self) -> &'static str {
        match self {
            AzureFocus10Preview => "1.0-preview(v1)",
            AzureFocus10 => "1.0",
            AzureFocus10r2 => "1.0r2",
            AzureFocus12Preview => "1.2-preview",
            AzureFocus12 => "1.2",
            _ => "2024-08-01",
        }
    }

    pub(crate) fn paths(self, export: &Export, run: &Run) -> RunPaths {
        match self {
            AwsCur => aws_cur::paths(export, run),
            _ if self.is_azure() => azure::paths(export, run),
            _ => aws_data_exports::paths(export, run),
        }
    }

    pub(crate) fn manifest(self, export: &Export, run: &Run, paths: &RunPaths, files: &[DataFile]) -> Value {
        match self {
            AwsCur => aws_cur::manifest(export, run, paths, files),
            _ if self.is_azure() => azure::manifest(export, run, paths, files),
            _ => aws_data_exports::manifest(export, paths, files),
        }
    }

    pub(crate) fn columns(self) -> Vec<Column> {
        match self {
            AwsCur => columns::aws::CUR.to_vec(),
            AwsCur2 => columns::aws::CUR2.to_vec(),
            AwsFocus10 => focus::aws_1_0(),
            AwsFocus12 => focus::aws_1_2(),
            AzureActualEnterprise | AzureAmortizedEnterprise => columns::azure::ENTERPRISE.to_vec(),
            AzureActualCustomer | AzureAmortizedCustomer => columns::azure::CUSTOMER.to_vec(),
            AzureFocus10Preview => focus::azure_1_0_preview(),
            AzureFocus10 | AzureFocus10r2 => focus::azure_1_0(),
            AzureFocus12Preview | AzureFocus12 => focus::azure_1_2(),
        }
    }

    pub(crate) fn csv_form(self, export: &Export) -> CsvForm {
        let azure = self.is_azure();
        CsvForm {
            gzip: export.format == Format::CsvGzip,
            byte_order_mark: azure && export.byte_order_mark,
            line_end: if azure { Terminator::CRLF } else { Terminator::Any(b'\n') },
            day: if export.iso_dates { "%Y-%m-%d" } else { "%m/%d/%Y" },
            moment: match self {
                // Seconds came with 1.0r2 (Microsoft's page on the schema).
                AzureFocus10Preview | AzureFocus10 => "%Y-%m-%dT%H:%MZ",
                AwsCur2 | AwsFocus10 | AwsFocus12 => "%Y-%m-%dT%H:%M:%S.000Z",
                _ => "%Y-%m-%dT%H:%M:%SZ",
            },
        }
    }

    pub(crate) fn parquet_form(self) -> ParquetForm {
        ParquetForm { decimals: self.is_azure(), micros: self.is_azure(), table_names: self == AwsCur }
    }
}

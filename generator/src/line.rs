//! Line items, before a dialect writes them as columns.

use fastrand::Rng;
use jiff::{
    ToSpan,
    civil::{Date, DateTime},
};

use crate::{amount::Amount, export::Export, month::Run};

/// A billed service, with the names of both providers.
pub(crate) struct Service {
    pub aws_code: &'static str,
    pub aws_name: &'static str,
    pub aws_usage: &'static str,
    pub aws_operation: &'static str,
    pub azure_name: &'static str,
    pub azure_meter: &'static str,
    pub category: &'static str,
    pub unit: &'static str,
}

impl Service {
    /// Without names.
    pub const EMPTY: Self = Self {
        aws_code: "",
        aws_name: "",
        aws_usage: "",
        aws_operation: "",
        azure_name: "",
        azure_meter: "",
        category: "",
        unit: "",
    };
}

const SERVICES: [Service; 4] = [
    Service {
        aws_code: "AmazonEC2",
        aws_name: "Amazon Elastic Compute Cloud",
        aws_usage: "EUC1-BoxUsage:m5.large",
        aws_operation: "RunInstances",
        azure_name: "Virtual Machines",
        azure_meter: "D2s v3/DS2 v3",
        category: "Compute",
        unit: "Hours",
    },
    Service {
        aws_code: "AmazonS3",
        aws_name: "Amazon Simple Storage Service",
        aws_usage: "EUC1-TimedStorage-ByteHrs",
        aws_operation: "StandardStorage",
        azure_name: "Storage",
        azure_meter: "Hot LRS Data Stored",
        category: "Storage",
        unit: "GB-Mo",
    },
    Service {
        aws_code: "AWSLambda",
        aws_name: "AWS Lambda",
        aws_usage: "EUC1-Lambda-GB-Second",
        aws_operation: "Invoke",
        azure_name: "Functions",
        azure_meter: "Standard Execution Time",
        category: "Compute",
        unit: "Second",
    },
    Service {
        aws_code: "AmazonRDS",
        aws_name: "Amazon Relational Database Service",
        aws_usage: "EUC1-InstanceUsage:db.t3.medium",
        aws_operation: "CreateDBInstance:0016",
        azure_name: "SQL Database",
        azure_meter: "vCore",
        category: "Databases",
        unit: "Hours",
    },
];

/// Texts with commas, quotes, line ends, letters beyond ASCII, spaces and backslashes, and texts that look like other values.
const DESCRIPTIONS: [&str; 10] = [
    "On demand, per hour",
    "Disk of 3.5\" with \"quotes\"",
    "first line\nsecond line, after a line's end",
    "Größe für Zürich, 東京 and Århus",
    "",
    " leading and trailing space ",
    "back\\slash and 'apostrophe'",
    "=1+1",
    "NULL",
    "{\"json\": [1, 2]}",
];

const REGIONS: [&str; 3] = ["eu-central-1", "us-east-1", ""];
const AZURE_REGIONS: [&str; 3] = ["westeurope", "eastus", ""];

/// The type of a line item. Random ones are usage and credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    Usage,
    Credit,
    SavingsPlanCoveredUsage,
    SavingsPlanNegation,
    SavingsPlanRecurringFee,
    EdpDiscount,
    Fee,
    Tax,
}

/// What AWS says of a savings plan, on the lines of covered usage and of the plan's fee.
#[derive(Clone, Copy, Default)]
pub(crate) struct SavingsPlan {
    /// Of covered usage: its share of the fee.
    pub effective_cost: Amount,
    /// Of a fee: the commitment, and how much of it was used.
    pub total: Amount,
    pub used: Amount,
}

/// One line item.
pub(crate) struct Line {
    pub id: String,
    pub period_start: Date,
    pub period_end: Date,
    pub start: DateTime,
    pub end: DateTime,
    pub account: usize,
    pub region: &'static str,
    pub azure_region: &'static str,
    pub service: &'static Service,
    pub resource: String,
    pub description: &'static str,
    pub charge: Charge,
    pub tags: Vec<(&'static str, String)>,
    pub currency: String,
    pub quantity: Amount,
    pub price: Amount,
    pub cost: Amount,
    pub list_cost: Amount,
    pub savings_plan: SavingsPlan,
}

/// The random line items of a delivery.
pub(crate) struct Lines<'a> {
    export: &'a Export,
    run: &'a Run,
    rng: Rng,
    next: usize,
}

impl<'a> Lines<'a> {
    pub fn new(export: &'a Export, run: &'a Run) -> Self {
        let seed = export.seed_of(&format!("{}/{}", run.month, run.number));
        Self { export, run, rng: Rng::with_seed(seed), next: 0 }
    }

    fn amount(&mut self) -> Amount {
        if self.export.dialect.is_azure() { Amount::long(&mut self.rng) } else { Amount::short(&mut self.rng) }
    }

    fn line(&mut self, number: usize) -> Line {
        let drawn = self.rng.i8(0..self.run.days());
        // A later run of Azure has all days of an earlier one.
        let by_number = i8::try_from(number % usize::from(self.run.days().unsigned_abs())).unwrap_or_default();
        let day = if self.export.dialect.is_azure() { by_number } else { drawn };
        let day = self.run.month.first_day().saturating_add(day.days());
        let start = day.at(self.rng.i8(0..24), 0, 0, 0);
        let in_previous_month = self.export.two_periods && number % 3 == 2;
        let (charge, cost) = match number % 8 {
            2 => (Charge::Credit, self.amount().negated()),
            4 => (Charge::Usage, Amount::trillionths(1)),
            6 => (Charge::Usage, Amount::default()),
            _ => (Charge::Usage, self.amount()),
        };
        let region = self.rng.usize(0..REGIONS.len());
        let resource = if number % 5 == 4 { String::new() } else { format!("{:016x}", self.rng.u64(..)) };
        let tags = match number % 4 {
            0 => vec![],
            1 => vec![("env", "prod".to_owned())],
            2 => vec![("env", "test, \"blue\"".to_owned()), ("team", "Zürich".to_owned())],
            _ => vec![("team", format!("t{}", self.rng.u8(..)))],
        };
        Line {
            id: format!("{:032x}", self.rng.u128(..)),
            period_start: if in_previous_month { self.run.month.previous() } else { self.run.month.first_day() },
            period_end: if in_previous_month { self.run.month.first_day() } else { self.run.month.end() },
            start,
            end: start.saturating_add(1.hour()),
            account: self.rng.usize(0..3),
            region: REGIONS[region],
            azure_region: AZURE_REGIONS[region],
            service: &SERVICES[self.rng.usize(0..SERVICES.len())],
            resource,
            description: DESCRIPTIONS[number % DESCRIPTIONS.len()],
            charge,
            tags,
            currency: self.export.currencies[number % self.export.currencies.len()].clone(),
            quantity: self.amount(),
            price: self.amount(),
            cost,
            list_cost: self.amount(),
            savings_plan: SavingsPlan::default(),
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    /// The iterator never ends; the caller takes as many items as it needs.
    fn next(&mut self) -> Option<Line> {
        let line = self.line(self.next);
        self.next += 1;
        Some(line)
    }
}

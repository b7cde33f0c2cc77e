//! The bill of a small company, for a demonstration: a table of what it uses, in amounts of four decimals.
//!
//! The rows of a day are the same in all runs of a month, and in all dialects of a provider.

use std::collections::BTreeMap;

use fastrand::Rng;
use jiff::{ToSpan, civil::Date};

use crate::{
    amount::Amount,
    export::{Export, fnv},
    line::{Charge, Line, SavingsPlan, Service},
    month::Run,
};

/// Enterprise discount on usage and on the savings plan, in percent.
const DISCOUNT: i128 = 9;
/// Value added tax, in percent.
const TAX: i128 = 19;
/// The savings plan's hourly commitment. It covers a little more than the company uses.
const COMMITMENT: i128 = 6_000;

/// When an item is on the bill.
#[derive(Clone, Copy)]
enum Kind {
    /// Each day.
    Daily,
    /// Each day, covered by the savings plan at this rate.
    Covered(i128),
    /// Once a month.
    Monthly(Charge),
    /// On the first day, and only from the month's second run on: usage that the provider reports late.
    Late,
}
use Kind::{Covered, Daily, Late, Monthly};

/// What the company uses. Prices and rates are in ten-thousandths.
struct Item {
    service: Service,
    description: &'static str,
    /// How many resources; 0: the rows name none.
    resources: u16,
    /// Units of each resource, and by how many percent they vary.
    quantity: (i128, i128),
    price: i128,
    kind: Kind,
    team: &'static str,
}

const fn aws(code: &'static str, name: &'static str, usage: [&'static str; 2], unit: &'static str) -> Service {
    let [aws_usage, aws_operation] = usage;
    Service { aws_code: code, aws_name: name, aws_usage, aws_operation, unit, ..Service::EMPTY }
}

const fn azure(name: &'static str, meter: &'static str, category: &'static str, unit: &'static str) -> Service {
    Service { azure_name: name, azure_meter: meter, category, unit, ..Service::EMPTY }
}

const fn item(
    service: Service,
    description: &'static str,
    (resources, quantity, price): (u16, (i128, i128), i128),
    kind: Kind,
    team: &'static str,
) -> Item {
    Item { service, description, resources, quantity, price, kind, team }
}

const EC2: &str = "Amazon Elastic Compute Cloud";
const S3: &str = "Amazon Simple Storage Service";
const RDS: &str = "Amazon Relational Database Service";
const TRANSFER: Service =
    aws("AWSDataTransfer", "AWS Data Transfer", ["EUC1-DataTransfer-Out-Bytes", "RunInstances"], "GB");
const M5: Service = aws("AmazonEC2", EC2, ["EUC1-BoxUsage:m5.large", "RunInstances"], "Hrs");
static PLAN: Service =
    aws("ComputeSavingsPlans", "Savings Plans for AWS Compute usage", ["ComputeSP:1yrNoUpfront", ""], "Hrs");

static AWS: [Item; 13] = [
    item(M5, "$0.115 per On Demand Linux m5.large Instance Hour", (7, (24, 0), 1_150), Covered(840), "shop"),
    item(M5, "$0.115 per On Demand Linux m5.large Instance Hour", (3, (24, 0), 1_150), Daily, "data"),
    item(
        aws("AmazonEC2", EC2, ["EUC1-EBS:VolumeUsage.gp3", "CreateVolume-Gp3"], "GB-Mo"),
        "$0.0952 per GB-month of General Purpose (gp3) provisioned storage",
        (0, (66, 0), 952),
        Daily,
        "platform",
    ),
    item(
        aws("AmazonS3", S3, ["EUC1-TimedStorage-ByteHrs", "StandardStorage"], "GB-Mo"),
        "$0.0245 per GB - first 50 TB / month of storage used",
        (0, (310, 3), 245),
        Daily,
        "data",
    ),
    item(
        aws("AmazonS3", S3, ["EUC1-Requests-Tier1", "PutObject"], "1000 Requests"),
        "$0.0054 per 1,000 PUT, COPY, POST, or LIST requests",
        (0, (420, 20), 54),
        Daily,
        "data",
    ),
    item(
        aws("AmazonRDS", RDS, ["EUC1-InstanceUsage:db.r6g.large", "CreateDBInstance:0014"], "Hrs"),
        "$0.262 per db.r6g.large Single-AZ instance hour running PostgreSQL",
        (2, (24, 0), 2_620),
        Daily,
        "shop",
    ),
    item(
        aws("AmazonRDS", RDS, ["EUC1-RDS:GP3-Storage", "CreateDBInstance:0014"], "GB-Mo"),
        "$0.137 per GB-month of provisioned gp3 storage running PostgreSQL",
        (0, (16, 0), 1_370),
        Daily,
        "shop",
    ),
    item(TRANSFER, "$0.090 per GB - first 10 TB / month data transfer out", (0, (85, 30), 900), Daily, "shop"),
    item(
        aws("AmazonEKS", "Amazon Elastic Kubernetes Service", ["EUC1-AmazonEKS-Hours:perCluster", ""], "Hrs"),
        "$0.10 per hour of Amazon EKS cluster usage",
        (1, (24, 0), 1_000),
        Daily,
        "platform",
    ),
    item(
        aws("AmazonCloudWatch", "AmazonCloudWatch", ["EUC1-DataProcessing-Bytes", "PutLogEvents"], "GB"),
        "$0.63 per GB of log data ingested",
        (0, (5, 40), 6_300),
        Daily,
        "platform",
    ),
    item(
        aws("AWSSupportBusiness", "AWS Support (Business)", ["Dollar", ""], ""),
        "AWS Support (Business)",
        (0, (1, 0), 1_000_000),
        Monthly(Charge::Fee),
        "platform",
    ),
    item(M5, "AWS Migration Acceleration Program credit", (0, (1, 0), -1_500_000), Monthly(Charge::Credit), "shop"),
    item(TRANSFER, "$0.090 per GB - first 10 TB / month data transfer out", (0, (300, 0), 900), Late, "shop"),
];

static AZURE: [Item; 8] = [
    item(
        azure("Virtual Machines", "D2s v5/D2ds v5", "Compute", "1 Hour"),
        "Virtual Machines Dsv5 Series - D2s v5 - EU West",
        (8, (24, 0), 960),
        Daily,
        "shop",
    ),
    item(
        azure("Storage", "P10 LRS Disk", "Storage", "1/Day"),
        "Premium SSD Managed Disks - P10 LRS - EU West",
        (8, (1, 0), 5_945),
        Daily,
        "shop",
    ),
    item(
        azure("Storage", "Hot LRS Data Stored", "Storage", "1 GB/Month"),
        "General Block Blob v2 - Hot LRS - EU West",
        (0, (250, 3), 177),
        Daily,
        "data",
    ),
    item(
        azure("SQL Database", "vCore", "Databases", "1 Hour"),
        "SQL Database Single/Elastic Pool General Purpose - Gen5 - vCore - EU West",
        (2, (48, 0), 1_520),
        Daily,
        "shop",
    ),
    item(
        azure("Bandwidth", "Standard Data Transfer Out", "Networking", "1 GB"),
        "Rtn Preference: MGN - Standard Data Transfer Out - EU West",
        (0, (60, 30), 747),
        Daily,
        "shop",
    ),
    item(
        azure("Azure Kubernetes Service", "Standard Uptime SLA", "Compute", "1 Hour"),
        "Azure Kubernetes Service - Standard Uptime SLA - EU West",
        (1, (24, 0), 1_000),
        Daily,
        "platform",
    ),
    item(
        azure("Log Analytics", "Analytics Logs Data Ingestion", "Management and Governance", "1 GB"),
        "Log Analytics - Analytics Logs Data Ingestion - EU West",
        (0, (4, 50), 25_300),
        Daily,
        "platform",
    ),
    item(
        azure("Key Vault", "Operations", "Security", "10K"),
        "Key Vault - Operations - EU West",
        (0, (30, 20), 270),
        Daily,
        "platform",
    ),
];

/// The line items of a run.
pub(crate) fn lines(export: &Export, run: &Run) -> Vec<Line> {
    let mut bill = Bill { export, run, lines: Vec::new(), sums: BTreeMap::new() };
    if !run.empty {
        for day in 1..=run.days() {
            bill.day(run.month.first_day().saturating_add((day - 1).days()));
        }
        bill.tax();
    }
    bill.lines
}

struct Bill<'a> {
    export: &'a Export,
    run: &'a Run,
    lines: Vec<Line>,
    /// Each service of AWS, and the cost of its lines.
    sums: BTreeMap<&'static str, (&'static Service, i128)>,
}

/// A new line. Amounts are in ten-thousandths.
#[derive(Clone, Copy)]
struct New<'a> {
    service: &'static Service,
    description: &'static str,
    resource: &'a str,
    charge: Charge,
    day: Date,
    quantity: i128,
    price: i128,
    cost: i128,
    team: &'static str,
    savings_plan: SavingsPlan,
}

impl Bill<'_> {
    fn day(&mut self, day: Date) {
        let is_azure = self.export.dialect.is_azure();
        let is_first = day == self.run.month.first_day();
        let mut used = 0;
        for (number, item) in if is_azure { &AZURE[..] } else { &AWS[..] }.iter().enumerate() {
            let charge = match item.kind {
                Daily => Charge::Usage,
                Covered(_) => Charge::SavingsPlanCoveredUsage,
                Monthly(charge) if is_first => charge,
                Late if is_first && self.run.number > 1 => Charge::Usage,
                Monthly(_) | Late => continue,
            };
            let rng = |of: &str| Rng::with_seed(fnv(&format!("{}/{number}/{of}", self.export.seed)));
            let (usual, percent) = item.quantity;
            let quantity = usual + usual * rng(&day.to_string()).i128(-percent..=percent) / 100;
            let id = |resource: u16| format!("{:016x}", rng(&resource.to_string()).u64(..));
            let unnamed = (item.resources == 0).then(String::new);
            let Item { service, description, price, team, .. } = item;
            for resource in unnamed.into_iter().chain((0..item.resources).map(id)) {
                let rate = if let Covered(rate) = item.kind { rate } else { 0 };
                let new = New {
                    service,
                    description,
                    resource: &resource,
                    charge,
                    day,
                    quantity,
                    price: *price,
                    cost: quantity * price,
                    team,
                    savings_plan: SavingsPlan { effective_cost: money(quantity * rate), ..SavingsPlan::default() },
                };
                self.add(new);
                match charge {
                    Charge::SavingsPlanCoveredUsage => {
                        used += quantity * rate;
                        self.add(adjustment(&new, Charge::SavingsPlanNegation, "SavingsPlanNegation", -new.cost));
                    }
                    Charge::Usage if !is_azure => self.discount(&new),
                    _ => {}
                }
            }
        }
        if !is_azure {
            let total = 24 * COMMITMENT;
            let fee = New {
                service: &PLAN,
                description: "1 year No Upfront Compute Savings Plan",
                resource: "",
                charge: Charge::SavingsPlanRecurringFee,
                day,
                quantity: 24,
                price: COMMITMENT,
                cost: total,
                team: "platform",
                savings_plan: SavingsPlan { total: money(total), used: money(used), ..SavingsPlan::default() },
            };
            self.add(fee);
            self.discount(&fee);
        }
    }

    fn discount(&mut self, of: &New) {
        let text = "Enterprise Discount Program discount";
        self.add(adjustment(of, Charge::EdpDiscount, text, -of.cost * DISCOUNT / 100));
    }

    /// AWS's tax for each service, in whole cents.
    fn tax(&mut self) {
        for (service, sum) in std::mem::take(&mut self.sums).into_values() {
            let (charge, description, cost) = (Charge::Tax, "Tax of type VAT", sum * TAX / 100 / 100 * 100);
            let (day, savings_plan) = (self.run.until, SavingsPlan::default());
            let (quantity, price, resource, team) = (0, 0, "", "");
            self.add(New { service, description, resource, charge, day, quantity, price, cost, team, savings_plan });
        }
    }

    fn add(&mut self, new: New) {
        let New { service, description, charge, day, cost, team, savings_plan, .. } = new;
        let month = self.run.month;
        let is_usage = matches!(charge, Charge::Usage | Charge::SavingsPlanCoveredUsage);
        if !self.export.dialect.is_azure() {
            self.sums.entry(service.aws_code).or_insert((service, 0)).1 += cost;
        }
        self.lines.push(Line {
            id: format!("{:032x}", fnv(&format!("{}/{month}/{}", self.export.seed, self.lines.len()))),
            period_start: month.first_day(),
            period_end: month.end(),
            start: day.at(0, 0, 0, 0),
            end: day.saturating_add(1.day()).at(0, 0, 0, 0),
            account: usize::from(team == "data"),
            region: if charge == Charge::Tax { "" } else { "eu-central-1" },
            azure_region: "westeurope",
            service,
            resource: new.resource.to_owned(),
            description,
            charge,
            tags: if team.is_empty() { vec![] } else { vec![("env", "prod".to_owned()), ("team", team.to_owned())] },
            currency: self.export.currencies[0].clone(),
            quantity: Amount::trillionths(new.quantity * 1_000_000_000_000),
            price: money(new.price),
            cost: money(cost),
            list_cost: if is_usage { money(cost) } else { Amount::default() },
            savings_plan,
        });
    }
}

/// A line of another charge, which belongs to `of`.
fn adjustment<'a>(of: &New<'a>, charge: Charge, description: &'static str, cost: i128) -> New<'a> {
    New { charge, description, cost, quantity: 0, price: 0, savings_plan: SavingsPlan::default(), ..*of }
}

fn money(ten_thousandths: i128) -> Amount {
    Amount::trillionths(ten_thousandths * 100_000_000)
}

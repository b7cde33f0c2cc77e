//! The columns of each dialect, from the providers' documents: a subset with the real names.

pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod focus;

use crate::{
    csv_file::json_text,
    line::{Charge, Line},
};

const AWS_ACCOUNTS: [&str; 3] = ["210987654321", "123456789012", "000000000042"];
const SUBSCRIPTIONS: [&str; 3] = [
    "6d3f0b52-0000-4000-8000-000000000001",
    "6d3f0b52-0000-4000-8000-000000000002",
    "6d3f0b52-0000-4000-8000-000000000003",
];

impl Line {
    fn is_credit(&self) -> bool {
        self.charge == Charge::Credit
    }

    fn aws_account(&self) -> String {
        AWS_ACCOUNTS[self.account].to_owned()
    }

    fn subscription(&self) -> String {
        SUBSCRIPTIONS[self.account].to_owned()
    }

    fn if_resource(&self, id: impl FnOnce(&str) -> String) -> String {
        if self.resource.is_empty() { String::new() } else { id(&self.resource) }
    }

    fn arn(&self) -> String {
        self.if_resource(|id| format!("arn:aws:ec2:{}:{}:instance/i-{id}", self.region, self.aws_account()))
    }

    fn azure_id(&self) -> String {
        self.if_resource(|id| {
            format!("/subscriptions/{}/resourceGroups/Main-RG/providers/Microsoft.Compute/vm/{id}", self.subscription())
        })
    }

    /// The value of a tag, or an empty text.
    fn tag(&self, key: &str) -> String {
        self.tags.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// `"env": "prod","team": "t1"`: the members of an object without braces, as in files of an Enterprise Agreement.
    fn bare_tags(&self) -> String {
        let members = self.tags.iter().map(|(key, value)| format!("{}: {}", json_text(key), json_text(value)));
        members.collect::<Vec<_>>().join(",")
    }

    fn json_tags(&self) -> String {
        if self.tags.is_empty() { String::new() } else { format!("{{{}}}", self.bare_tags()) }
    }
}

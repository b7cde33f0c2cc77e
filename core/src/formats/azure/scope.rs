//! Scopes of exports. Exports of several scopes may have the same name and folder, for example if a policy creates one for each
//! subscription. Their months are combined into one, if the scopes cannot overlap.
//!
//! Source of the paths: Microsoft's page on scopes of Cost Management.

use std::collections::BTreeSet;

use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use crate::model::{kind::ExportKind, text::excerpt};

/// How many scopes a message names.
const SHOWN: usize = 3;

/// The kind of a scope: the folder above the last one of its path, without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Subscriptions,
    ResourceGroups,
    ManagementGroups,
    BillingAccounts,
    BillingProfiles,
    InvoiceSections,
    Departments,
    EnrollmentAccounts,
    Customers,
    Other,
}

/// The path of a manifest's `resourceId` in lower case, without the export at its end. So all exports of one scope have the same
/// path. `None` if it is empty.
pub fn normalized(resource_id: &str) -> Option<String> {
    let lower = resource_id.trim().to_lowercase();
    let end = lower.find("/providers/microsoft.costmanagement").unwrap_or(lower.len());
    let path = lower[..end].trim_matches('/');
    (!path.is_empty()).then(|| format!("/{path}"))
}

/// Why rows of these scopes cannot be added up, if they cannot: one contains another, or may contain it. Scopes that are named in
/// the settings may have different kinds: there the user says that they have no rows in common.
pub fn conflict(scopes: &BTreeSet<&str>, are_named: bool) -> Option<String> {
    for scope in scopes {
        let above = scope.match_indices('/').skip(1).map(|(at, _)| &scope[..at]);
        if let Some(container) = above.into_iter().find(|above| scopes.contains(above)) {
            return Some(format!("the scope {} contains {}", excerpt(container), excerpt(scope)));
        }
    }
    let of = |level| scopes.iter().copied().filter(move |scope| level_of(scope) == level);
    if of(Level::ManagementGroups).count() > 1 {
        let groups = listed(of(Level::ManagementGroups));
        return Some(format!("management groups may contain each other: {groups}"));
    }
    let mut firsts: Vec<(Level, &str)> = scopes.iter().map(|scope| (level_of(scope), *scope)).collect();
    firsts.sort_unstable();
    firsts.dedup_by_key(|(level, _)| *level);
    (firsts.len() > 1 && !are_named).then(|| {
        let firsts = listed(firsts.into_iter().map(|(_, scope)| scope));
        format!("scopes of several kinds may have rows in common: {firsts}")
    })
}

/// The columns that identify the scope's rows, if there are any, such as the id of the subscription. Of each list, the first
/// existing column counts.
pub fn columns(scope: &str, kind: ExportKind) -> Option<&'static [&'static [&'static str]]> {
    let is_focus = kind == ExportKind::Focus;
    Some(match (level_of(scope), is_focus) {
        (Level::Subscriptions, false) => &[&["subscriptionId", "subscriptionGuid"]],
        (Level::Subscriptions, true) => &[&["SubAccountId"]],
        (Level::ResourceGroups, false) => {
            &[&["subscriptionId", "subscriptionGuid"], &["resourceGroup", "resourceGroupName"]]
        }
        (Level::ResourceGroups, true) => &[&["SubAccountId"], &["x_ResourceGroupName"]],
        (Level::BillingProfiles, false) => &[&["billingProfileId"]],
        (Level::BillingProfiles, true) => &[&["x_BillingProfileId"]],
        (Level::InvoiceSections, false) => &[&["invoiceSectionId"]],
        (Level::InvoiceSections, true) => &[&["x_InvoiceSectionId"]],
        (Level::Customers, false) => &[&["customerTenantId"]],
        // The files do not have the ids of the others, or have them in another form.
        _ => return None,
    })
}

/// The values of those columns in the scope's rows, as [`id`] returns them.
pub fn values(scope: &str) -> Vec<String> {
    let parts: Vec<&str> = scope.split('/').collect();
    let last = parts.last().copied().unwrap_or_default().to_owned();
    match (level_of(scope), parts.as_slice()) {
        (Level::ResourceGroups, [.., subscription, _, group]) => vec![(*subscription).to_owned(), (*group).to_owned()],
        _ => vec![last],
    }
}

/// A value of such a column, for comparison: in lower case, and without the start of its path, which only FOCUS has.
pub fn id(value: &str) -> String {
    value.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase()
}

/// What months with rows of these scopes never have, as a message; `None` if they have all that the agreement bills.
///
/// Source: Microsoft, "Understand Cost Management data", and "Get started with your partner account".
pub fn excludes<'a>(kind: Option<&str>, mut scopes: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let is_part = |scope: &str| matches!(level_of(scope), Level::Subscriptions | Level::ResourceGroups);
    if kind == Some(ExportKind::AzureUsage.as_str()) {
        Some("it is usage: purchases, tax, credits and support are not in it")
    } else if scopes.any(is_part) {
        Some(
            "it is of subscriptions: purchases without a subscription, tax, credits and support are not in it; at customers of a \
             CSP its prices are retail",
        )
    } else {
        None
    }
}

/// The first of these scopes, and the number of the others.
pub fn listed<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = scopes.collect();
    let more = all.len().saturating_sub(SHOWN);
    let first: Vec<String> = all.into_iter().take(SHOWN).map(excerpt).collect();
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}

fn level_of(scope: &str) -> Level {
    let folder: value::StrDeserializer<'_, value::Error> =
        scope.rsplit('/').nth(1).unwrap_or_default().into_deserializer();
    Level::deserialize(folder).unwrap_or(Level::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "/providers/microsoft.billing/billingaccounts/1";

    #[test]
    fn a_scope_is_its_path_without_case_and_without_the_export() {
        for id in [
            "/subscriptions/AB-1/providers/Microsoft.CostManagement/exports/daily",
            "subscriptions/ab-1",
            " /Subscriptions/ab-1/ ",
            "/subscriptions/ab-1/providers/microsoft.costmanagement/exports/other",
        ] {
            assert_eq!(normalized(id).as_deref(), Some("/subscriptions/ab-1"), "{id}");
        }
        for id in ["", "/", "/providers/Microsoft.CostManagement/exports/daily"] {
            assert_eq!(normalized(id), None, "{id}");
        }
    }

    #[test]
    fn only_scopes_that_cannot_overlap_are_united() {
        let profile = |id: u8| format!("{ACCOUNT}/billingprofiles/{id}");
        let section = format!("{}/invoicesections/1", profile(1));
        let (one, two) = (profile(1), profile(2));
        let group = |name: &str| format!("/providers/microsoft.management/managementgroups/{name}");
        let (a, b) = (group("a"), group("b"));
        let why = |scopes: &[&str], named| conflict(&scopes.iter().copied().collect(), named);
        for siblings in [
            &["/subscriptions/1", "/subscriptions/2", "/subscriptions/11"][..],
            &[
                "/subscriptions/1/resourcegroups/a",
                "/subscriptions/1/resourcegroups/ab",
                "/subscriptions/2/resourcegroups/a",
            ],
            &[&one, &two],
            &[&a],
            &[],
        ] {
            assert_eq!(why(siblings, false), None);
        }
        for (scopes, named, part) in [
            (&["/subscriptions/1", "/subscriptions/1/resourcegroups/a"][..], true, "/subscriptions/1 contains"),
            (&[ACCOUNT, &section], true, "contains"),
            (&[&one, &section], true, "contains"),
            (&[&a, &b], true, "management groups"),
            (&[ACCOUNT, "/subscriptions/1"], false, "several kinds"),
            (&[&a, "/subscriptions/1"], false, "several kinds"),
        ] {
            let why = why(scopes, named).unwrap();
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(why(&[ACCOUNT, "/subscriptions/1"], true), None);
    }

    #[test]
    fn the_rows_of_a_scope_are_known_by_its_id() {
        let known =
            |scope: &str, kind| columns(scope, kind).map(|columns| columns.iter().map(|c| c[0]).collect::<Vec<_>>());
        assert_eq!(known("/subscriptions/1", ExportKind::AzureActual), Some(vec!["subscriptionId"]));
        assert_eq!(known("/subscriptions/1", ExportKind::Focus), Some(vec!["SubAccountId"]));
        assert_eq!(known(&format!("{ACCOUNT}/departments/1"), ExportKind::AzureActual), None);
        assert_eq!(values("/subscriptions/1/resourcegroups/a"), ["1", "a"]);
        assert_eq!(values("/subscriptions/ab"), ["ab"]);
        assert_eq!([id("/subscriptions/AB"), id("AB"), id("")], ["ab", "ab", ""]);
    }

    #[test]
    fn what_a_scope_never_has_is_known_by_its_kind() {
        let of = |kind: ExportKind, scope: &str| excludes(Some(kind.as_str()), [scope].into_iter());
        assert!(of(ExportKind::AzureActual, "/subscriptions/1").unwrap().contains("retail"));
        assert!(of(ExportKind::AzureUsage, ACCOUNT).unwrap().contains("it is usage"));
        assert_eq!(of(ExportKind::AzureActual, ACCOUNT), None);
        assert_eq!(excludes(None, [].into_iter()), None);
    }

    #[test]
    fn a_message_names_a_few_scopes() {
        assert_eq!(listed(["/a", "/b"].into_iter()), "/a, /b");
        assert_eq!(listed(["/a", "/b", "/c", "/d", "/e"].into_iter()), "/a, /b, /c and 2 more");
    }
}

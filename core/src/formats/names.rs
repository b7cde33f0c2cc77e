//! Column names, by AWS's own rule for Athena and Parquet, or in the spelling of CUR 2.0 and FOCUS.
//!
//! AWS's rule:
//!
//! 1. Each upper-case letter gets an underscore before it, and becomes lower case.
//! 2. Every character except ASCII letters and digits becomes an underscore; several underscores become one; those at
//!    both ends are removed.
//! 3. A name that would start with a digit gets an underscore in front. An empty name becomes `column`. A name has at most
//!    300 characters, BigQuery's limit.
//! 4. If several headers of one delivery would get the same name, each gets a suffix from a hash of its header. So names
//!    depend neither on the order of columns nor on other months.
//!
//! Names of FOCUS keep their letters and underscores (`BilledCost`, `x_Discounts`), except underscores in front, which
//! BigQuery reserves. Rule 3 applies, and rule 4 for names that differ only in case. Names of CUR 2.0 are the same in lower
//! case, as in Athena and Glue: AWS itself has a column `product_instanceSKU`.

use std::collections::{HashMap, HashSet};

use crate::model::{digest::hash, text::excerpt};

/// BigQuery's limit for a column's name, minus an underscore in front and a suffix.
const LONGEST_NAME: usize = 300 - 42;

/// Two equal headers, which cannot get different names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header names column `{}` twice", excerpt(.0))]
pub struct RepeatedColumn(pub String);

/// The table's column name for each header, in the headers' order, by AWS's rule.
///
/// # Errors
/// [`RepeatedColumn`] if two headers are equal.
pub fn column_names(headers: &[String]) -> Result<Vec<String>, RepeatedColumn> {
    distinct(headers, bare_name)
}

/// The table's column name for each header, in the headers' order: the header's own spelling, or that of the name among
/// `fixed` which differs only in case.
///
/// # Errors
/// [`RepeatedColumn`] if two headers are equal.
pub fn spelled_column_names(headers: &[String], fixed: &[&str]) -> Result<Vec<String>, RepeatedColumn> {
    distinct(headers, |header| {
        let name = spelled_name(header);
        fixed.iter().find(|fixed| fixed.eq_ignore_ascii_case(&name)).map_or(name, |fixed| (*fixed).to_owned())
    })
}

/// The table's column name for each header, in the headers' order: the header's own spelling in lower case.
///
/// # Errors
/// [`RepeatedColumn`] if two headers are equal.
pub fn lower_column_names(headers: &[String]) -> Result<Vec<String>, RepeatedColumn> {
    distinct(headers, |header| spelled_name(header).to_ascii_lowercase())
}

/// The name of the header's column in tables of CUR 2.0 that older versions created.
pub fn former_name(header: &str) -> String {
    bare_name(header)
}

/// Names by `bare`, with a suffix where they differ only in case, which warehouses do not allow.
fn distinct(headers: &[String], bare: impl Fn(&str) -> String) -> Result<Vec<String>, RepeatedColumn> {
    let mut seen = HashSet::new();
    if let Some(repeated) = headers.iter().find(|header| !seen.insert(header.as_str())) {
        return Err(RepeatedColumn(repeated.clone()));
    }
    let bare: Vec<String> = headers.iter().map(|header| bare(header)).collect();
    let mut taken: HashMap<String, usize> = HashMap::new();
    for name in &bare {
        *taken.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    let named = |digits: usize| -> Vec<String> {
        bare.iter()
            .zip(headers)
            .map(|(name, header)| match taken[&name.to_ascii_lowercase()] {
                1 => name.clone(),
                _ => format!("{name}_{}", &hash([header.as_bytes()])[..digits]),
            })
            .collect()
    };
    let are_distinct = |names: &Vec<String>| {
        names.iter().map(|name| name.to_ascii_lowercase()).collect::<HashSet<_>>().len() == names.len()
    };
    // A name without a suffix equals one with a suffix only if somebody chose it so; with more digits it does not.
    let names = [8, 40].map(named).into_iter().find(are_distinct);
    names.ok_or_else(|| RepeatedColumn(headers[0].clone()))
}

fn bare_name(header: &str) -> String {
    let mut name = String::with_capacity(header.len() + 8);
    for c in header.chars() {
        let underscore = !c.is_ascii_alphanumeric() || c.is_ascii_uppercase();
        if underscore && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        }
    }
    name.truncate(LONGEST_NAME);
    with_valid_start(name.trim_end_matches('_'))
}

fn spelled_name(header: &str) -> String {
    let mut name: String = header.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    name.truncate(LONGEST_NAME);
    with_valid_start(name.trim_start_matches('_'))
}

/// `name` as warehouses accept it, given that it has no underscore in front.
fn with_valid_start(name: &str) -> String {
    match name.bytes().next() {
        None => "column".to_owned(),
        Some(b'0'..=b'9') => format!("_{name}"),
        Some(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(headers: &[&str]) -> Vec<String> {
        column_names(&headers.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn names_follow_the_rule_of_aws() {
        for (header, name) in [
            ("identity/LineItemId", "identity_line_item_id"),
            ("resourceTags/user:Name", "resource_tags_user_name"),
            ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
            ("costCategory/Charge type", "cost_category_charge_type"),
            ("identity_line_item_id", "identity_line_item_id"),
            ("resourceTags/aws:createdBy", "resource_tags_aws_created_by"),
            ("resourceTags/user:__x__", "resource_tags_user_x"),
            ("3dTags/x", "_3d_tags_x"),
            ("/:", "column"),
        ] {
            assert_eq!(names(&[header]), [name]);
        }
    }

    #[test]
    fn names_of_focus_keep_their_spelling() {
        let spelled = |headers: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
            spelled_column_names(&headers, &["BilledCost"])
        };
        for (header, name) in [
            ("ChargePeriodStart", "ChargePeriodStart"),
            ("billedcost", "BilledCost"),
            ("x_Discounts", "x_Discounts"),
            ("Tags/user:Name", "Tags_user_Name"),
            ("_TABLE_SUFFIX", "TABLE_SUFFIX"),
            ("3d", "_3d"),
            ("é", "column"),
        ] {
            assert_eq!(spelled(&[header]).unwrap(), [name]);
        }
        let both = spelled(&["x_Sku", "x_sku", "BilledCost"]).unwrap();
        assert!(both[0].starts_with("x_Sku_") && both[1].starts_with("x_sku_"), "{both:?}");
        assert!(!both[0].eq_ignore_ascii_case(&both[1]), "{both:?}");
        assert_eq!(both[2], "BilledCost");
        assert_eq!(spelled(&["x_a", "x_a"]), Err(RepeatedColumn("x_a".to_owned())));
    }

    #[test]
    fn names_of_cur_2_are_those_of_aws_in_lower_case() {
        let names = |headers: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
            lower_column_names(&headers).unwrap()
        };
        let plain = names(&["line_item_unblended_cost", "product_instanceSKU", "myCost", "a b", "_x", "3d"]);
        assert_eq!(plain, ["line_item_unblended_cost", "product_instancesku", "mycost", "a_b", "x", "_3d"]);
        let both = names(&["my_Cost", "my_cost"]);
        assert!(both[0] != both[1] && both.iter().all(|name| name.starts_with("my_cost_")), "{both:?}");
    }

    #[test]
    fn headers_with_the_same_normal_form_get_suffixes_from_their_own_text() {
        let both = names(&["resourceTags/user:Name", "resourceTags/user:name", "lineItem/UsageType"]);
        let turned = names(&["lineItem/UsageType", "resourceTags/user:name", "resourceTags/user:Name"]);
        assert_eq!(both[0], turned[2]);
        assert_eq!(both[1], turned[1]);
        assert_ne!(both[0], both[1]);
        assert!(both[0].starts_with("resource_tags_user_name_") && both[1].starts_with("resource_tags_user_name_"));
        assert_eq!(both[2], "line_item_usage_type");
    }

    #[test]
    fn a_header_repeated_to_the_letter_is_refused() {
        let headers = ["a/B".to_owned(), "a/B".to_owned()];
        assert_eq!(column_names(&headers), Err(RepeatedColumn("a/B".to_owned())));
    }

    #[test]
    fn a_tag_that_imitates_a_suffix_does_not_collide() {
        let first = names(&["t/user:Name", "t/user:name"]);
        let imitation = format!("t/{}", first[0].strip_prefix("t_").unwrap());
        let all = names(&["t/user:Name", "t/user:name", &imitation]);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 3);
    }
}

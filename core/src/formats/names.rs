//! Column names, by AWS's own rule for Athena and Parquet, or as CUR 2.0 and FOCUS spell them.
//!
//! AWS's rule:
//!
//! 1. An underscore goes before each upper-case letter, and all becomes lower case.
//! 2. Every other character than an ASCII letter or digit becomes an underscore; runs of underscores become one;
//!    none stands at either end.
//! 3. A name that would start with a digit gets an underscore in front; an empty one becomes `column`; BigQuery's
//!    limit of 300 characters holds.
//! 4. Where several headers of one delivery give the same name, each of them gets a suffix made from its own header,
//!    and none the bare name: neither the order of the columns nor any other month has a say.
//!
//! FOCUS's names keep their letters and underscores as they are (`BilledCost`, `x_Discounts`), but for underscores in
//! front, behind which BigQuery's reserved names lie; rule 3 holds, and rule 4 where names are the same but for case.
//! CUR 2.0's names are the same in lower case, as Athena and Glue spell them: AWS itself calls a column
//! `product_instanceSKU`.

use std::collections::{HashMap, HashSet};

use crate::model::{digest::hash, text::excerpt};

/// BigQuery's limit for a column's name, less room for an underscore in front and a suffix.
const LONGEST_NAME: usize = 300 - 42;

/// A header names the same column twice, so that no name can tell the two apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header names column `{}` twice", excerpt(.0))]
pub struct RepeatedColumn(pub String);

/// The table's column name for each header, in the headers' order, by AWS's rule.
///
/// # Errors
/// [`RepeatedColumn`] where two headers are the same to the letter.
pub fn column_names(headers: &[String]) -> Result<Vec<String>, RepeatedColumn> {
    distinct(headers, bare_name)
}

/// The table's column name for each header, in the headers' order: the header's own spelling, or that of the name among
/// `fixed` which differs only in case.
///
/// # Errors
/// [`RepeatedColumn`] where two headers are the same to the letter.
pub fn spelled_column_names(headers: &[String], fixed: &[&str]) -> Result<Vec<String>, RepeatedColumn> {
    distinct(headers, |header| {
        let name = spelled_name(header);
        fixed.iter().find(|fixed| fixed.eq_ignore_ascii_case(&name)).map_or(name, |fixed| (*fixed).to_owned())
    })
}

/// The table's column name for each header, in the headers' order: the header's own spelling in lower case.
///
/// # Errors
/// [`RepeatedColumn`] where two headers are the same to the letter.
pub fn lower_column_names(headers: &[String]) -> Result<Vec<String>, RepeatedColumn> {
    distinct(headers, |header| spelled_name(header).to_ascii_lowercase())
}

/// The name that versions before gave the header's column in a table of CUR 2.0.
pub fn former_name(header: &str) -> String {
    bare_name(header)
}

/// Names by `bare`, with a suffix where they are the same but for case: warehouses take no such two columns.
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
    // A bare name can only equal a suffixed one if somebody chose it so; more digits end that.
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
    begun_well(name.trim_end_matches('_'))
}

fn spelled_name(header: &str) -> String {
    let mut name: String = header.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    name.truncate(LONGEST_NAME);
    begun_well(name.trim_start_matches('_'))
}

/// `name` as a warehouse takes it, given that no underscore stands in front.
fn begun_well(name: &str) -> String {
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
    fn headers_that_normalise_alike_are_told_apart_by_their_own_text() {
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

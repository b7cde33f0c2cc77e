//! Amounts as people read them.

use finops_core::{Amount, model::amount::thousands};
use proptest::prelude::*;

proptest! {
    /// In whole numbers: `digits` over a power of ten, rounded to cents, half away from zero.
    #[test]
    fn people_read_the_nearest_cent_and_a_rest_of_less_than_one_as_such(digits in -10_i128.pow(30)..10_i128.pow(30), scale in 0_u32..34) {
        let decimals = usize::try_from(scale).unwrap();
        let padded = format!("{:0>1$}", digits.unsigned_abs(), decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        let sign = if digits < 0 { "-" } else { "" };
        let amount: Amount = format!("{sign}{whole}.{fraction}0").parse().unwrap();

        let cents = match scale {
            0..=2 => digits.unsigned_abs() * 10_u128.pow(2 - scale),
            _ => (digits.unsigned_abs() + 10_u128.pow(scale - 2) / 2) / 10_u128.pow(scale - 2),
        };
        let rounded = amount.rounded(false);
        if cents == 0 && digits != 0 {
            prop_assert_eq!(rounded, format!("{}<0.01", sign));
        } else {
            prop_assert_eq!(rounded.replace(',', ""), format!("{sign}{}.{:02}", cents / 100, cents % 100));
            let groups: Vec<&str> = rounded.trim_start_matches('-').split('.').next().unwrap().split(',').collect();
            prop_assert!((1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|group| group.len() == 3));
        }
        let plus = if digits > 0 { "+" } else { "" };
        prop_assert_eq!(amount.rounded(true), format!("{plus}{}", amount.rounded(false)));
        prop_assert_eq!(amount.exact(false), amount.to_string());
    }

    #[test]
    fn separators_of_thousands_change_no_digit(number in any::<u64>()) {
        let digits = number.to_string();
        let separated = thousands(&digits);
        prop_assert_eq!(separated.replace(',', ""), digits);
        prop_assert!(separated.split(',').skip(1).all(|group| group.len() == 3) && !separated.starts_with(','));
    }
}

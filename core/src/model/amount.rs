//! Exact amounts of money, per currency.

use std::{collections::BTreeMap, fmt, str::FromStr};

use bigdecimal::{BigDecimal, RoundingMode, num_bigint::Sign};
use serde::{Deserialize, Serialize};

/// An exact decimal amount. Read from and written as plain decimal text, without trailing zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(BigDecimal);

/// No bill has an amount with more digits before or after the point.
const LARGEST_SCALE: u64 = 1_000;

/// Currency code to amount; a row without a currency counts as `unknown`.
pub type Costs = BTreeMap<String, Amount>;

/// The text is not a decimal number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal amount")]
pub struct InvalidAmount(String);

impl Amount {
    /// Nothing.
    pub fn zero() -> Self {
        Self(BigDecimal::from(0))
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::zero()
    }

    /// For people: rounded to two decimals, half away from zero, with separators of thousands; a difference has its sign. An
    /// amount that is not zero never reads as zero: `<0.01`, `-<0.01`.
    pub fn rounded(&self, is_difference: bool) -> String {
        let cents = self.0.abs().with_scale_round(2, RoundingMode::HalfUp);
        let sign = self.sign(is_difference);
        match cents.to_plain_string().split_once('.') {
            _ if cents.sign() == Sign::NoSign && !self.is_zero() => format!("{sign}<0.01"),
            Some((whole, cents)) => format!("{sign}{}.{cents}", thousands(whole)),
            None => format!("{sign}{cents}"),
        }
    }

    /// All digits; a difference has its sign.
    pub fn exact(&self, is_difference: bool) -> String {
        format!("{}{}", self.sign(is_difference), Self(self.0.abs()))
    }

    fn sign(&self, is_difference: bool) -> &'static str {
        match self.0.sign() {
            Sign::Minus => "-",
            Sign::Plus if is_difference => "+",
            _ => "",
        }
    }
}

/// The digits of a whole number, with a comma before each three.
pub fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The differences from `before` to `after`, such as `+123.45 USD`; `None` if there are none.
pub fn movement(before: &Costs, after: &Costs) -> Option<String> {
    let moved: Vec<String> = subtract(after, before)
        .into_iter()
        .filter(|(_, difference)| !difference.is_zero())
        .map(|(currency, difference)| format!("{} {currency}", difference.exact(true)))
        .collect();
    (!moved.is_empty()).then(|| moved.join(", "))
}

/// The sum of the amounts in each currency.
pub fn total<'a>(costs: impl Iterator<Item = &'a Costs>) -> Costs {
    let mut total = Costs::new();
    for (currency, amount) in costs.flatten() {
        add_to(&mut total, currency, amount);
    }
    total
}

/// Adds an amount to those of its currency.
pub fn add_to(costs: &mut Costs, currency: &str, amount: &Amount) {
    let sum = costs.entry(currency.to_owned()).or_insert_with(Amount::zero);
    *sum = Amount(&sum.0 + &amount.0);
}

/// `costs` minus `less`, in each currency of either, also where the result is zero.
pub fn subtract(costs: &Costs, less: &Costs) -> Costs {
    let mut left = costs.clone();
    for (currency, amount) in less {
        add_to(&mut left, currency, &Amount(-amount.0.clone()));
    }
    left
}

/// Whether the part is more than a hundredth of the whole in some currency, without regard to signs.
pub fn exceeds_a_hundredth(part: &Costs, whole: &Costs) -> bool {
    part.iter().any(|(currency, amount)| {
        let of_whole = whole.get(currency).map(|amount| amount.0.abs()).unwrap_or_default();
        amount.0.abs() * BigDecimal::from(100) > of_whole
    })
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.normalized().to_plain_string())
    }
}

impl FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAmount(text.to_owned());
        let amount = BigDecimal::from_str(text).map_err(|_| invalid())?;
        // Plain text of 1e200000000 has two hundred million digits.
        let scale = amount.fractional_digit_count().unsigned_abs();
        if scale > LARGEST_SCALE { Err(invalid()) } else { Ok(Self(amount)) }
    }
}

impl TryFrom<String> for Amount {
    type Error = InvalidAmount;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(pairs: &[(&str, &str)]) -> Costs {
        pairs.iter().map(|(currency, amount)| ((*currency).to_owned(), amount.parse().unwrap())).collect()
    }

    #[test]
    fn amounts_print_plainly_and_exactly() {
        for (text, plain) in [
            ("1E-10", "0.0000000001"),
            ("0.0000000186", "0.0000000186"),
            ("12345678.123456789012000", "12345678.123456789012"),
            ("100", "100"),
            ("1e3", "1000"),
            ("-0.50", "-0.5"),
            ("0.000", "0"),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), plain);
        }
    }

    #[test]
    fn people_read_two_decimals_and_never_a_zero_that_is_none() {
        for (text, rounded, difference) in [
            ("1142924.199995313759161879", "1,142,924.20", "+1,142,924.20"),
            ("1.974160008", "1.97", "+1.97"),
            ("-1234567.5", "-1,234,567.50", "-1,234,567.50"),
            ("999.995", "1,000.00", "+1,000.00"),
            ("-0.005", "-0.01", "-0.01"),
            ("0.004999999999", "<0.01", "+<0.01"),
            ("-1E-10", "-<0.01", "-<0.01"),
            ("0.000", "0.00", "0.00"),
            ("1e3", "1,000.00", "+1,000.00"),
            ("100", "100.00", "+100.00"),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(
                (amount.rounded(false).as_str(), amount.rounded(true).as_str()),
                (rounded, difference),
                "{text}"
            );
        }
        let exact: Amount = "-1234.50".parse().unwrap();
        assert_eq!((exact.exact(false).as_str(), Amount::zero().exact(true).as_str()), ("-1234.5", "0"));
    }

    #[test]
    fn an_amount_has_at_most_a_thousand_digits_before_or_after_the_point() {
        for (text, is_valid) in [("1e1000", true), ("1e1001", false), ("1e-1000", true), ("1e-1001", false)] {
            assert_eq!(text.parse::<Amount>().is_ok(), is_valid, "{text}");
        }
    }

    #[test]
    fn a_total_is_exact_and_keeps_currencies_apart() {
        let months = [costs(&[("USD", "0.1"), ("EUR", "7")]), costs(&[("USD", "12345678.000000000012")])];
        assert_eq!(total(months.iter()), costs(&[("EUR", "7"), ("USD", "12345678.100000000012")]));
        assert_eq!(total([].iter()), Costs::new());
    }

    #[test]
    fn a_movement_names_each_currency_that_moved() {
        let before = costs(&[("USD", "100.00"), ("EUR", "7"), ("GBP", "3")]);
        let after = costs(&[("USD", "223.45"), ("EUR", "6.5"), ("GBP", "3.0")]);
        assert_eq!(movement(&before, &after).unwrap(), "-0.5 EUR, +123.45 USD");
        assert_eq!(movement(&before, &before), None);
        assert_eq!(movement(&Costs::new(), &costs(&[("USD", "1")])).unwrap(), "+1 USD");
    }
}

//! Exact amounts of money and of usage: multiples of 10^-18, so that sums never round.

use std::{fmt, ops::AddAssign};

use fastrand::Rng;

/// Digits after the point.
pub(crate) const SCALE: u32 = 18;
const UNIT: u128 = 10_u128.pow(SCALE);
/// .NET and Java write decimals below a millionth with an exponent.
const PLAIN_FROM: u128 = UNIT / 1_000_000;

/// An exact decimal. It displays without exponent and without trailing zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(i128);

impl Amount {
    /// `count` times 10^-12.
    pub const fn trillionths(count: i128) -> Self {
        Self(count * 1_000_000)
    }

    /// A positive amount below 100,000 with at most nine digits, which a double represents without ambiguity.
    pub fn short(rng: &mut Rng) -> Self {
        Self(rng.i128(1..1_000_000_000) * 10_i128.pow(rng.u32(6..=14)))
    }

    /// A positive amount below 100,000 with up to 18 digits after the point, too many for a double.
    pub fn long(rng: &mut Rng) -> Self {
        Self(rng.i128(1..100_000_000_000_000_000) * 10_i128.pow(rng.u32(0..=6)))
    }

    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The unscaled integer of a Parquet DECIMAL(38,18).
    pub fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The double whose shortest decimal is this amount.
    pub fn to_double(self) -> f64 {
        self.to_string().parse().expect("a plain decimal is a number")
    }

    /// The text in CSV: `1.5E-7`, but `0.0000015`.
    pub fn to_csv(self) -> String {
        let units = self.0.unsigned_abs();
        if units == 0 || units >= PLAIN_FROM {
            return self.to_string();
        }
        let digits = units.to_string();
        let exponent = (SCALE as usize) + 1 - digits.len();
        let (first, rest) = digits.trim_end_matches('0').split_at(1);
        let (sign, point) = (if self.0 < 0 { "-" } else { "" }, if rest.is_empty() { "" } else { "." });
        format!("{sign}{first}{point}{rest}E-{exponent}")
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.unsigned_abs();
        let text = format!("{}.{:018}", units / UNIT, units % UNIT);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_amounts_are_written_with_an_exponent() {
        for (units, plain, csv) in [
            (0, "0", "0"),
            (1, "0.000000000000000001", "1E-18"),
            (-150_000_000_000, "-0.00000015", "-1.5E-7"),
            (999_999_999_999, "0.000000999999999999", "9.99999999999E-7"),
            (1_000_000_000_000, "0.000001", "0.000001"),
            (12_500_000_000_000_000_000, "12.5", "12.5"),
            (-100_000_000_000_000_000_000, "-100", "-100"),
        ] {
            assert_eq!((Amount(units).to_string().as_str(), Amount(units).to_csv().as_str()), (plain, csv));
        }
    }

    #[test]
    fn a_short_amount_is_the_shortest_decimal_of_its_double() {
        let mut rng = Rng::with_seed(1);
        for _ in 0..1_000 {
            let amount = Amount::short(&mut rng);
            assert_eq!(amount.to_double().to_string(), amount.to_string());
        }
    }
}

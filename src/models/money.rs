//! What things cost, as people read it: on the pages of usage, of receipts and of admins.

use super::meter::grouped;

/// A cost in millionths of a US dollar. The model of this machine costs nobody anything; of others, nothing is what a
/// model without a price comes to.
#[must_use]
pub fn cost(micros: i64, is_local: bool) -> String {
    match micros {
        ..=0 if is_local => "free".to_owned(),
        ..=0 => "$0".to_owned(),
        1..100 => "less than 0.01 ¢".to_owned(),
        // Below a dollar four places, without the zeros behind the cents.
        100..999_950 => {
            let places = format!("{:04}", (micros + 50) / 100);
            let (cents, rest) = places.split_at_checked(2).unwrap_or((&places, ""));
            format!("$0.{cents}{}", rest.trim_end_matches('0'))
        }
        _ => {
            let cents = micros.saturating_add(5_000) / 10_000;
            format!("${}.{:02}", grouped(cents / 100), cents % 100)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn costs_are_read_by_people() {
        for (micros, shown) in [
            (1, "less than 0.01 ¢"),
            (99, "less than 0.01 ¢"),
            (100, "$0.0001"),
            (149, "$0.0001"),
            (150, "$0.0002"),
            (2_130, "$0.0021"),
            (12_300, "$0.0123"),
            (50_000, "$0.05"),
            (100_000, "$0.10"),
            (120_049, "$0.12"),
            (999_949, "$0.9999"),
            (999_950, "$1.00"),
            (1_000_000, "$1.00"),
            (12_345_678, "$12.35"),
            (1_234_567_000_000, "$1,234,567.00"),
        ] {
            assert_eq!(cost(micros, false), shown, "{micros}");
        }
        assert_eq!((cost(0, true).as_str(), cost(0, false).as_str()), ("free", "$0"));
        assert_eq!(cost(-1, false), "$0");
        // Somebody may set a price for this machine, too.
        assert_eq!(cost(12_300, true), "$0.0123");
        assert!(cost(i64::MAX, false).starts_with("$9,223,372,036,854."));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_near_what_it_is(micros in 100_i64..10_000_000_000) {
            let shown: f64 = cost(micros, false).replace(['$', ','], "").parse().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "ten digits")]
            let true_one = micros as f64 / 1e6;
            let most = if true_one < 1.0 { 0.000_051 } else { 0.005_1 };
            prop_assert!((shown - true_one).abs() <= most, "{} as {}", micros, shown);
        }
    }
}

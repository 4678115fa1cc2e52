//! A Kubernetes quantity (`256Mi`, `1.5G`, `1e9`) as a number of bytes.
//!
//! Source: Kubernetes, `resource.Quantity`. What is less than a byte is cut off.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Digits before and after the point that are read; more says nothing about a memory or a disk.
const MAX_DIGITS: usize = 18;

/// The bytes that `quantity` says; `None` when it is none, negative, or more than [`u64::MAX`].
pub(super) fn bytes(quantity: &Quantity) -> Option<u64> {
    let text = quantity.0.strip_prefix('+').unwrap_or(&quantity.0);
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > MAX_DIGITS || fraction.contains('.') {
        return None;
    }
    let (multiplier, exponent) = scale(suffix)?;
    let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let value = digits.parse::<u128>().ok()?.checked_mul(multiplier)?;
    let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
    let value = if exponent < 0 { value / power } else { value.checked_mul(power)? };
    u64::try_from(value).ok()
}

/// What the suffix multiplies with: a factor, and a power of ten.
fn scale(suffix: &str) -> Option<(u128, i32)> {
    if let Some(binary) = suffix.strip_suffix('i') {
        let power = ["K", "M", "G", "T", "P", "E"].iter().position(|unit| *unit == binary)?;
        return Some((1024_u128.pow(u32::try_from(power).ok()? + 1), 0));
    }
    let exponent = match suffix {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => suffix.strip_prefix(['e', 'E'])?.parse().ok().filter(|exponent: &i32| exponent.abs() <= 30)?,
    };
    Some((1, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_quantity_is_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("268435456", Some(268_435_456)),
            ("+1", Some(1)),
            ("256Mi", Some(268_435_456)),
            ("1.5Ki", Some(1536)),
            (".5k", Some(500)),
            ("1.", Some(1)),
            ("1Ei", Some(1 << 60)),
            ("1E", Some(1_000_000_000_000_000_000)),
            ("1e3", Some(1000)),
            ("1.25E2", Some(125)),
            ("1500m", Some(1)),
            ("2000000u", Some(2)),
            ("5n", Some(0)),
            ("-1", None),
            ("", None),
            (".", None),
            ("Mi", None),
            ("1MI", None),
            ("1.2.3", None),
            ("1e", None),
            ("1e99", None),
            ("99Ei", None),
            ("1234567890123456789", None),
        ] {
            assert_eq!(bytes(&Quantity(text.to_owned())), expected, "{text}");
        }
    }
}

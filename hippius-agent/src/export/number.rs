//! Numbers as Prometheus prints them.

/// Appends a sample's value: whole numbers without a point, others in the shortest form that reads back the same.
pub fn push_value(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value.fract() == 0.0 && value.abs() < 1e15 {
        push_integer(out, value as i64);
    } else {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
}

/// Appends a whole number.
pub fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends nanoseconds as seconds, to the last digit: 0.1 s is `0.1`, not its nearest binary fraction.
pub fn push_seconds(out: &mut Vec<u8>, nanoseconds: u64) {
    push_integer(out, nanoseconds / 1_000_000_000);
    let mut rest = nanoseconds % 1_000_000_000;
    if rest == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = 100_000_000;
    while rest > 0 {
        out.push(b'0' + (rest / unit) as u8);
        (rest, unit) = (rest % unit, unit / 10);
    }
}

/// A float as Prometheus 3 stores it in `le` and `quantile`: always with a point or an exponent
/// (`1.0`, `0.25`, `1.048576e+06`), so that the label on the page is the label in the database.
pub fn label_float(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .to_owned();
    }
    // Go's strconv.FormatFloat(value, 'g', -1, 64): an exponent below 1e-4 and from 1e6 on, of two digits at least.
    let scientific = format!("{value:e}");
    let exponent: i32 = scientific.rsplit_once('e').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let mantissa = scientific.split('e').next().unwrap_or("0");
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn values_are_short_and_exact() {
        for (value, expected) in [
            (0.0, "0"),
            (-3.0, "-3"),
            (0.25, "0.25"),
            (1e300, "1e300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (1_700_000_000.5, "1700000000.5"),
        ] {
            assert_eq!(printed(|out| push_value(out, value)), expected);
        }
    }

    #[test]
    fn seconds_have_every_nanosecond() {
        for (nanoseconds, expected) in [
            (0, "0"),
            (1, "0.000000001"),
            (100_000_000, "0.1"),
            (2_000_002_000, "2.000002"),
            (60_000_000_000, "60"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(printed(|out| push_seconds(out, nanoseconds)), expected);
        }
    }

    #[test]
    fn label_floats_are_those_of_prometheus_3() {
        for (value, expected) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.0005, "0.0005"),
            (0.00005, "5e-05"),
            (0.25, "0.25"),
            (262_144.0, "262144.0"),
            (1_048_576.0, "1.048576e+06"),
            (5_368_709_120.0, "5.36870912e+09"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(label_float(value), expected);
        }
    }

    #[test]
    fn the_bounds_of_the_series_store_are_printed_the_same_way() {
        use crate::record::series::ladder::{DURATION, SIZE};
        for le in DURATION.le.iter().chain(SIZE.le) {
            assert_eq!(label_float(le.parse().expect("a float")), *le);
        }
    }
}

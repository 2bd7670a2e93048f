//! Bucket bounds of the histograms.

/// Upper bounds of a histogram's buckets; one more bucket holds everything above the last.
#[derive(Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Inclusive upper bounds in observed units (nanoseconds or bytes), ascending.
    pub bounds: &'static [u64],
    /// The same bounds in base units, as they stand in `le`.
    pub le: &'static [&'static str],
    /// What one observed unit is in base units.
    pub unit: Unit,
}

/// How observed integers become printed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Printed as they are.
    One,
    /// Nanoseconds, printed as seconds.
    Nanoseconds,
}

impl Ladder {
    /// Index of the bucket that `value` falls into; bounds are inclusive, as `le` says.
    pub fn bucket(&self, value: u64) -> usize {
        self.bounds.partition_point(|bound| *bound < value)
    }

    /// Cells that one series takes: its buckets, the one above the last bound, the sum.
    pub fn cells(&self) -> usize {
        self.bounds.len() + 2
    }

    /// Lines that one series takes on the page: its buckets, the one above the last bound, sum and count.
    pub fn lines(&self) -> usize {
        self.bounds.len() + 3
    }
}

const MS: u64 = 1_000_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// 1 ms to 60 s.
pub static DURATION: Ladder = Ladder {
    bounds: &[
        MS,
        2_500_000,
        5 * MS,
        10 * MS,
        25 * MS,
        50 * MS,
        100 * MS,
        250 * MS,
        500 * MS,
        1_000 * MS,
        2_500 * MS,
        5_000 * MS,
        10_000 * MS,
        30_000 * MS,
        60_000 * MS,
    ],
    le: &[
        "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0",
        "60.0",
    ],
    unit: Unit::Nanoseconds,
};

/// 1 KiB to 1 GiB by factors of four, then 5 GiB: the largest object of one `PutObject`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html>).
pub static SIZE: Ladder = Ladder {
    bounds: &[KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, GIB, 5 * GIB],
    // As Prometheus 3 prints floats, so that the label it stores is the one on the page.
    le: &[
        "1024.0",
        "4096.0",
        "16384.0",
        "65536.0",
        "262144.0",
        "1.048576e+06",
        "4.194304e+06",
        "1.6777216e+07",
        "6.7108864e+07",
        "2.68435456e+08",
        "1.073741824e+09",
        "5.36870912e+09",
    ],
    unit: Unit::One,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_bounds_are_the_bounds() {
        for (ladder, scale) in [(&DURATION, 1e9), (&SIZE, 1.0)] {
            assert_eq!(ladder.bounds.len(), ladder.le.len());
            assert!(ladder.bounds.is_sorted());
            for (bound, le) in ladder.bounds.iter().zip(ladder.le) {
                let printed: f64 = le.parse().expect("a float");
                assert_eq!((printed * scale).round() as u64, *bound, "{le}");
            }
        }
    }

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        assert_eq!(SIZE.bucket(0), 0);
        assert_eq!(SIZE.bucket(1024), 0);
        assert_eq!(SIZE.bucket(1025), 1);
        assert_eq!(SIZE.bucket(u64::MAX), SIZE.bounds.len());
    }
}

//! Medians, quantiles, spread and intervals, for the benchmark's tables.

/// The value below which `part` (0 to 1) of `sorted` lies; nearest rank.
pub fn quantile<T: Copy>(sorted: &[T], part: f64) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}

/// The mean without this part of the values at either end.
pub fn trimmed_mean(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let cut = (values.len() as f64 * part) as usize;
    let middle = values.get(cut..values.len() - cut).filter(|middle| !middle.is_empty())?;
    Some(middle.iter().sum::<f64>() / middle.len() as f64)
}

/// Median, smallest and largest of some rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self { median: quantile(&sorted, 0.5)?, low: *sorted.first()?, high: *sorted.last()? })
    }

    pub fn show(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.low, self.high)
    }
}

/// Student's t for 95 %, two-sided, by degrees of freedom from 1 on.
const T95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// A mean, and where the true one lies with 95 % confidence.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Of at least two values that do not depend on each other.
    pub fn of(values: &[f64]) -> Option<Self> {
        let freedom = values.len().checked_sub(1)?;
        let t = T95.get(freedom.checked_sub(1)?.min(T95.len() - 1))?;
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / freedom as f64;
        let reach = t * (variance / count).sqrt();
        Some(Self { mean, low: mean - reach, high: mean + reach })
    }

    /// Mean and ends, each changed; the change must keep their order.
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { mean: change(self.mean), low: change(self.low), high: change(self.high) }
    }

    pub fn show(&self, digits: usize) -> String {
        format!("{:.digits$} (95 %: {:.digits$}–{:.digits$})", self.mean, self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trimmed_mean_leaves_out_either_end() {
        let values = vec![1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0, -1000.0];
        assert_eq!(trimmed_mean(values, 0.1), Some(37.0 / 8.0));
        assert_eq!(trimmed_mean(vec![3.0], 0.1), Some(3.0));
        assert_eq!(trimmed_mean(vec![], 0.1), None);
    }

    /// The differences in sleep of Student's paper of 1908 and what R's `t.test(extra ~ group, data = sleep, paired =
    /// TRUE)` says of them.
    #[test]
    fn an_interval_is_students() {
        let interval = Interval::of(&[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]).unwrap();
        let found = [interval.mean, interval.low, interval.high];
        for (found, wanted) in found.into_iter().zip([1.58, 0.700_114_2, 2.459_885_8]) {
            assert!((found - wanted).abs() < 1e-3, "{interval:?}");
        }
        assert!(Interval::of(&[1.0]).is_none(), "one value says nothing of its spread");
    }

    #[test]
    fn quantiles_take_the_nearest_rank() {
        let values: Vec<u32> = (0..=100).collect();
        assert_eq!(quantile(&values, 0.5), Some(50));
        assert_eq!(quantile(&values, 0.99), Some(99));
        assert_eq!(quantile::<u32>(&[], 0.5), None);
        let spread = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (1.0, 2.0, 3.0));
    }
}

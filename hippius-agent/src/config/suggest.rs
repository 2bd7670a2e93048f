//! "Did you mean": the nearest of a few known names.

/// The candidate that `given` is a near miss of: at most one edit in three characters, swapped neighbours count once.
pub(super) fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer input is no misspelt key, and the distance is quadratic.
    if given.len() > 64 {
        return None;
    }
    let given = given.to_ascii_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (distance(&given, &candidate.replace('-', "_")), candidate))
        .filter(|&(edits, candidate)| edits <= (candidate.len() / 3).max(1))
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance (insert, delete, replace, swap of neighbours).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut two_up: Vec<usize> = Vec::new();
    let mut up: Vec<usize> = (0..=right.len()).collect();
    let mut before = None;
    for (row, here) in left.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, &there) in right.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&up, column) + usize::from(here != there)).min(at(&up, column + 1) + 1).min(at(&line, column) + 1);
            let swapped = column > 0 && before == Some(there) && right.get(column - 1) == Some(&here);
            if swapped {
                best = best.min(at(&two_up, column - 1) + 1);
            }
            line.push(best);
        }
        two_up = std::mem::replace(&mut up, line);
        before = Some(here);
    }
    up.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        for (left, right, edits) in
            [("", "", 0), ("", "abc", 3), ("port", "ports", 1), ("prots", "ports", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }

    #[test]
    fn near_misses_only() {
        let keys = ["ring_bytes", "max_connections", "s3"];
        assert_eq!(nearest("ring-bytes", keys.into_iter()), Some("ring_bytes"));
        assert_eq!(nearest("RingBytes", keys.into_iter()), Some("ring_bytes"));
        assert_eq!(nearest("s4", keys.into_iter()), Some("s3"));
        assert_eq!(nearest("timeout", keys.into_iter()), None);
    }
}

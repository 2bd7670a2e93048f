//! The lowest score of a sorted set, without reading a member: members are queue items, and some hold seed phrases.
//!
//! `ZCOUNT key -inf x` says whether a score up to `x` exists and costs the server a walk down a skip list. A few of them
//! in one round trip cut the range, until it is a second wide.

/// How exact the answer is, in seconds.
const WIDTH_S: f64 = 1.0;
/// Questions of one round trip after the first.
const CUTS: u32 = 15;
/// Ages up to 2^31 s, 68 years.
const OCTAVES: i32 = 31;
/// A search that got nowhere (scores that move meanwhile) ends after so many round trips.
const MOST_ROUNDS: u32 = 16;

/// Where the lowest score was found last time: above the first, up to the second.
pub type Bracket = (f64, f64);

/// A search under way.
#[derive(Debug)]
pub struct Search {
    now_s: f64,
    bracket: Option<Bracket>,
    asked: Vec<f64>,
    rounds: u32,
    done: bool,
}

impl Search {
    /// Scores are seconds since 1970, as is `now_s`; `before` is the last answer, which mostly still holds.
    pub fn new(now_s: f64, before: Option<Bracket>) -> Self {
        let mut asked: Vec<f64> = (0..=OCTAVES).map(|power| now_s - 2f64.powi(power)).collect();
        asked.push(now_s);
        asked.extend(before.iter().flat_map(|(low, high)| [*low, *high]));
        asked.retain(|at| *at <= now_s);
        asked.sort_by(f64::total_cmp);
        asked.dedup();
        Self { now_s, bracket: None, asked, rounds: 0, done: false }
    }

    /// Upper ends to ask `ZCOUNT` for, lowest first; none once the search is over.
    pub fn questions(&self) -> &[f64] {
        if self.done { &[] } else { &self.asked }
    }

    /// Takes the counts, in the order of the questions.
    pub fn answers(&mut self, counts: &[i64]) {
        self.rounds += 1;
        let first = self.asked.iter().zip(counts).position(|(_, count)| *count > 0);
        self.bracket = match (first.and_then(|first| self.asked.get(first)), self.bracket) {
            (Some(high), before) => {
                let below = first.and_then(|first| self.asked.get(first.checked_sub(1)?)).copied();
                // Nothing was asked below: in the first round that is a score of another century.
                Some((below.or(before.map(|(low, _)| low)).unwrap_or(*high), *high))
            }
            (None, Some((_, high))) => Some((self.asked.last().copied().unwrap_or(high), high)),
            // No score up to now: nothing is due yet.
            (None, None) => None,
        };
        match self.bracket {
            Some((low, high)) if high - low > WIDTH_S && self.rounds < MOST_ROUNDS => {
                let step = (high - low) / f64::from(CUTS + 1);
                self.asked = (1..=CUTS).map(|cut| low + step * f64::from(cut)).collect();
            }
            _ => self.done = true,
        }
    }

    /// The age of the lowest score in seconds, at most a second too small, and 0 where it lies in the future.
    pub fn age_s(&self) -> f64 {
        self.bracket.map_or(0.0, |(_, high)| (self.now_s - high).max(0.0))
    }

    /// For the next search.
    pub fn bracket(&self) -> Option<Bracket> {
        self.bracket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(scores: &[f64], now_s: f64, before: Option<Bracket>) -> (f64, u32, Option<Bracket>) {
        let mut search = Search::new(now_s, before);
        while !search.questions().is_empty() {
            let count = |end: &f64| scores.iter().filter(|score| *score <= end).count() as i64;
            let counts: Vec<i64> = search.questions().iter().map(count).collect();
            search.answers(&counts);
        }
        (search.age_s(), search.rounds, search.bracket())
    }

    #[test]
    fn the_age_is_found_to_the_second_in_a_few_rounds() {
        let now_s = 1_795_387_798.25;
        for age in [0.0, 0.3, 1.0, 59.9, 3600.5, 86_400.0, 31_536_000.0, 1e9] {
            let scores = [now_s - age, now_s - age / 2.0, now_s + 5.0];
            let (found, rounds, bracket) = find(&scores, now_s, None);
            assert!(found <= age + 1e-6 && found > age - 1.001, "{age}: {found}");
            assert!(rounds <= 9, "{age}: {rounds} rounds");
            let (later, rounds, _) = find(&scores, now_s + 10.0, bracket);
            assert!((later - found - 10.0).abs() < 1e-6 && rounds <= 2, "{age}: {later} in {rounds} rounds");
        }
    }

    #[test]
    fn scores_of_the_future_and_of_no_time_at_all() {
        assert_eq!(find(&[2000.0], 1000.0, None).0, 0.0);
        assert_eq!(find(&[], 1000.0, Some((5.0, 6.0))).0, 0.0);
        let (age, rounds, _) = find(&[0.0], 1.8e9, None);
        assert!(age > 1.7e9 && rounds <= 10, "{age} in {rounds}");
    }
}

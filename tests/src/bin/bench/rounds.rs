//! Rounds with and without the agent in turn, on the same servers.

use anyhow::Result;
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;

/// What each round measured.
pub struct Pairs<T> {
    pub off: Vec<T>,
    pub on: Vec<T>,
}

/// Measures without and with the agent, the order reversed every other round so that drift hits both alike. The closure gets the
/// running agent, or nothing; one unmeasured run comes first.
pub fn compare<T>(
    workdir: &Workdir,
    config: &Config,
    rounds: usize,
    measure: impl FnMut(Option<&Agent>) -> Result<T>,
) -> Result<Pairs<T>> {
    alternate(rounds, || Agent::start(config.text(), workdir), measure, |mut agent| agent.stop().map(drop))
}

/// The same with anything that begins and ends.
pub fn alternate<W, T>(
    rounds: usize,
    mut begin: impl FnMut() -> Result<W>,
    mut measure: impl FnMut(Option<&W>) -> Result<T>,
    mut end: impl FnMut(W) -> Result<()>,
) -> Result<Pairs<T>> {
    measure(None)?;
    let mut pairs = Pairs { off: Vec::new(), on: Vec::new() };
    for round in 0..rounds {
        for with in [round % 2 == 0, round % 2 != 0] {
            if with {
                let begun = begin()?;
                pairs.on.push(measure(Some(&begun))?);
                end(begun)?;
            } else {
                pairs.off.push(measure(None)?);
            }
        }
    }
    Ok(pairs)
}

impl<T> Pairs<T> {
    /// With over without, per round, of one of the measured values.
    pub fn ratio(&self, value: impl Fn(&T) -> f64) -> Option<Spread> {
        let ratios: Vec<f64> = self.off.iter().zip(&self.on).map(|(off, on)| value(on) / value(off)).collect();
        Spread::of(&ratios)
    }

    pub fn without(&self, value: impl Fn(&T) -> f64) -> Option<Spread> {
        Spread::of(&self.off.iter().map(value).collect::<Vec<_>>())
    }
}

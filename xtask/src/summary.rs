//! Runs the steps of a long task to the end and says what ran, what failed and what was skipped.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::step::say;

/// How one step ended.
#[derive(Debug)]
enum Ending {
    Passed,
    Failed(String),
    Skipped(String),
}

#[derive(Debug)]
struct Line {
    name: String,
    ending: Ending,
    took: Duration,
}

/// The steps so far.
#[derive(Debug, Default)]
pub struct Summary {
    lines: Vec<Line>,
}

impl Summary {
    /// Runs a step and notes how it ended; says whether it passed. A failure does not stop the task: one run shows
    /// all that is wrong.
    pub fn step(&mut self, name: &str, run: impl FnOnce() -> Result<()>) -> bool {
        say(&format!("== {name}"));
        let start = Instant::now();
        let ending = match run() {
            Ok(()) => Ending::Passed,
            Err(error) => {
                say(&format!("{name} failed: {error:#}"));
                Ending::Failed(format!("{error:#}"))
            }
        };
        let passed = matches!(ending, Ending::Passed);
        self.lines.push(Line { name: name.to_owned(), ending, took: start.elapsed() });
        passed
    }

    /// Notes that something was not run, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        self.lines.push(Line { name: name.to_owned(), ending: Ending::Skipped(why.to_owned()), took: Duration::ZERO });
    }

    /// Prints the summary; a failed step makes it an error.
    pub fn finish(self) -> Result<()> {
        eprint!("{}", self.render());
        let failed: Vec<_> =
            self.lines.iter().filter(|line| matches!(line.ending, Ending::Failed(_))).map(|line| &*line.name).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }

    fn render(&self) -> String {
        let mut text = String::from("\nSummary\n");
        for Line { name, ending, took } in &self.lines {
            let (word, detail) = match ending {
                Ending::Passed => ("passed", format!("{:.1} s", took.as_secs_f64())),
                Ending::Failed(why) => ("FAILED", first_line(why)),
                Ending::Skipped(why) => ("skipped", first_line(why)),
            };
            text.push_str(&format!("  {word:<8} {name:<24} {detail}\n"));
        }
        text
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_does_not_stop_the_next() {
        let mut summary = Summary::default();
        assert!(!summary.step("one", || bail!("broken\nin detail")));
        assert!(summary.step("two", || Ok(())));
        summary.skip("three", "no kernel");
        let text = summary.render();
        assert!(text.contains("FAILED   one                      broken\n"), "{text}");
        assert!(text.contains("passed   two"), "{text}");
        assert!(text.contains("skipped  three                    no kernel\n"), "{text}");
        assert_eq!(summary.finish().expect_err("one failed").to_string(), "failed: one");
    }
}

//! What one kernel showed, read from what its guest said.

use anyhow::{Context, Result, bail, ensure};

/// A kernel and what ran on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub series: String,
    /// The package of the kernel that was booted.
    pub package: String,
    pub runs: Vec<Run>,
}

/// One back-end on one kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    pub backend: String,
    /// `works` or `refused`, as it was expected.
    pub word: String,
    /// Tests that passed.
    pub tests: Vec<String>,
    pub programs: Vec<Program>,
}

/// What the verifier said of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    pub instructions: u64,
    pub walked: u64,
    pub stack: String,
}

impl Program {
    /// `name instructions walked stack`
    pub fn parse(line: &str) -> Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, instructions, walked, stack] = words.as_slice() else { bail!("no program: {line:?}") };
        let number = |word: &str| word.parse().with_context(|| format!("no number in {line:?}"));
        Ok(Self {
            name: (*name).to_owned(),
            instructions: number(instructions)?,
            walked: number(walked)?,
            stack: (*stack).to_owned(),
        })
    }
}

/// Reads the runs of a guest that came to its end; a test that failed, or a run that was broken off, is an error.
pub fn parse(output: &str) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut failed = Vec::new();
    let mut open = false;
    for line in output.lines() {
        if let Some(rest) = line.strip_prefix("@begin ") {
            let (backend, word) = rest.split_once(' ').context("a run without an expectation")?;
            runs.push(Run { backend: backend.to_owned(), word: word.to_owned(), ..Run::default() });
            open = true;
        }
        let Some(run) = runs.last_mut() else { continue };
        if let Some((name, ending)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            if ending.ends_with("ok") {
                run.tests.push(name.to_owned());
            } else {
                failed.push(format!("{}: {name}", run.backend));
            }
        } else if let Some(rest) = line.strip_prefix("@program ") {
            run.programs.push(Program::parse(rest)?);
        } else if let Some(code) = line.strip_prefix("@end ") {
            open = false;
            if code != "0" && failed.is_empty() {
                failed.push(format!("{}: the tests ended with {code}", run.backend));
            }
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    ensure!(!runs.is_empty() && !open, "the tests were broken off");
    for run in &runs {
        ensure!(!run.tests.is_empty(), "{}: no test ran", run.backend);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "@boot 6.12.1\n@begin fentry refused\n\nrunning 1 test\ntest lacks ... ok\n@end 0\n\
        @begin tracepoint works\ntest a ... ok\ntest b ... ok\n@end 0\n@program sweep 310 1200 120+8\n@done\n";

    #[test]
    fn a_guest_tells_its_runs() {
        let runs = parse(OUTPUT).expect("runs");
        assert_eq!(runs.len(), 2);
        assert_eq!((runs[0].backend.as_str(), runs[0].word.as_str()), ("fentry", "refused"));
        assert_eq!(runs[1].tests, ["a", "b"]);
        assert_eq!(runs[1].programs, [Program::parse("sweep 310 1200 120+8").expect("a program")]);
    }

    #[test]
    fn what_failed_is_named() {
        let why = |from: &str, to: &str| parse(&OUTPUT.replace(from, to)).expect_err("failed").to_string();
        assert_eq!(why("test b ... ok\n@end 0", "test b ... FAILED\n@end 101"), "failed: tracepoint: b");
        assert_eq!(why("test b ... ok\n@end 0", "@end 134"), "failed: tracepoint: the tests ended with 134");
        assert_eq!(why("test b ... ok\n@end 0\n", ""), "the tests were broken off");
        assert_eq!(why("test lacks ... ok\n", ""), "fentry: no test ran");
    }
}

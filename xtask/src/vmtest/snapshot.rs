//! What the kernels showed last time, kept in `docs/kernels.snapshot`: a change must be meant.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use super::results::{Found, Program, Run};

const HEAD: &str = "\
# What `cargo xtask vmtest` found on each kernel. Written by `cargo xtask vmtest --bless`.
# program: name, instructions loaded, instructions walked by the verifier, bytes of stack of it and its functions
";

/// Another compiler or another build of a kernel moves the numbers a little; what matters is the room below the kernel's
/// limits (a million instructions walked, 512 bytes of stack), so less is no difference.
const TOLERANCE_PERCENT: u64 = 20;

pub fn render(found: &[Found]) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a string cannot fail.
    for Found { series, package, runs } in found {
        let _ = writeln!(text, "\nkernel {series} {package}");
        for Run { backend, word, tests, programs } in runs {
            let _ = writeln!(text, "backend {backend} {word}");
            for test in tests {
                let _ = writeln!(text, "test {test}");
            }
            for Program { name, instructions, walked, stack } in programs {
                let _ = writeln!(text, "program {name} {instructions} {walked} {stack}");
            }
        }
    }
    text
}

pub fn parse(text: &str) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').with_context(|| format!("one word: {line:?}"))?;
        if word == "kernel" {
            let (series, package) = rest.split_once(' ').with_context(|| line.to_owned())?;
            found.push(Found { series: series.to_owned(), package: package.to_owned(), runs: Vec::new() });
            continue;
        }
        let runs = &mut found.last_mut().with_context(|| format!("before any kernel: {line:?}"))?.runs;
        if word == "backend" {
            let (backend, word) = rest.split_once(' ').with_context(|| line.to_owned())?;
            runs.push(Run { backend: backend.to_owned(), word: word.to_owned(), ..Run::default() });
            continue;
        }
        let run = runs.last_mut().with_context(|| format!("before any back-end: {line:?}"))?;
        match word {
            "test" => run.tests.push(rest.to_owned()),
            "program" => run.programs.push(Program::parse(rest)?),
            _ => bail!("unknown word in {line:?}"),
        }
    }
    Ok(found)
}

/// The snapshot with these kernels' part replaced.
pub fn update(old: Vec<Found>, new: &[Found], order: &[&str]) -> Vec<Found> {
    let kept = old.into_iter().filter(|one| !new.iter().any(|other| other.series == one.series));
    let mut all: Vec<_> = kept.chain(new.iter().cloned()).collect();
    all.sort_by_key(|one| order.iter().position(|series| *series == one.series));
    all
}

/// One line per difference between what was kept and what a kernel showed now.
pub fn differences(kept: &[Found], now: &Found) -> Vec<String> {
    let Some(kept) = kept.iter().find(|one| one.series == now.series) else {
        return vec!["the kernel is new".to_owned()];
    };
    let mut lines = Vec::new();
    let heads =
        |found: &Found| found.runs.iter().map(|run| format!("{} {}", run.backend, run.word)).collect::<Vec<_>>();
    if heads(kept) != heads(now) {
        return vec![format!("back-ends: kept {:?}, now {:?}", heads(kept), heads(now))];
    }
    for (kept, now) in kept.runs.iter().zip(&now.runs) {
        if kept.tests != now.tests {
            lines.push(format!("{}: other tests than those kept", now.backend));
        }
        for program in &now.programs {
            match kept.programs.iter().find(|one| one.name == program.name) {
                Some(one) if !has_grown(one, program) => {}
                Some(one) => lines.push(format!("{}: kept {one:?}, now {program:?}", now.backend)),
                None => lines.push(format!("{}: the program {} is new", now.backend, program.name)),
            }
        }
        for one in &kept.programs {
            if !now.programs.iter().any(|program| program.name == one.name) {
                lines.push(format!("{}: the program {} is gone", now.backend, one.name));
            }
        }
    }
    lines
}

fn has_grown(kept: &Program, now: &Program) -> bool {
    let grown = |kept: u64, now: u64| now * 100 > kept * (100 + TOLERANCE_PERCENT);
    grown(kept.walked, now.walked) || grown(deepest(&kept.stack), deepest(&now.stack))
}

/// Bytes of all functions together, the most that a call chain could take.
pub fn deepest(stack: &str) -> u64 {
    stack.split('+').filter_map(|bytes| bytes.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(walked: u64) -> Found {
        let program = Program { name: "sweep".to_owned(), instructions: 10, walked, stack: "40+60".to_owned() };
        let run = Run {
            backend: "tracepoint".to_owned(),
            word: "works".to_owned(),
            tests: vec!["a".to_owned()],
            programs: vec![program],
        };
        Found { series: "6.12".to_owned(), package: "linux-image-6.12".to_owned(), runs: vec![run] }
    }

    #[test]
    fn what_is_written_is_read() {
        let all = vec![found(1000)];
        assert_eq!(parse(&render(&all)).expect("own text"), all);
        assert!(parse("test a\n").is_err() && parse("kernel 6.1 x\nbackend a works\nwhat a\n").is_err());
    }

    #[test]
    fn only_what_grew_far_is_a_difference() {
        let kept = [found(1000)];
        assert_eq!(differences(&kept, &found(1200)), Vec::<String>::new());
        assert_eq!(differences(&kept, &found(1)), Vec::<String>::new());
        assert_eq!(differences(&kept, &found(1201)).len(), 1);
        let mut other = found(1000);
        other.runs[0].tests.push("b".to_owned());
        other.runs[0].programs[0].name = "swept".to_owned();
        assert_eq!(differences(&kept, &other).len(), 3);
        assert_eq!(differences(&[], &other), ["the kernel is new"]);
    }

    #[test]
    fn an_update_keeps_the_other_kernels_in_order() {
        let other = Found { series: "5.10".to_owned(), ..found(1) };
        let all = update(vec![found(1), other.clone()], &[found(2)], &["5.10", "6.12"]);
        assert_eq!(all, [other, found(2)]);
    }
}

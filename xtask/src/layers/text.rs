//! Rules on the text of a file: its length, and marks of unfinished work.

use super::{Finding, Source};

/// A longer file is two files.
const MOST_LINES: usize = 400;

/// A file that is data, not code, says so in its first line and may be longer.
const TABLE: &str = "//! A table";

/// Marks of unfinished work. Written in two halves so that this file is clean.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// All breaches in one file.
pub fn judge(source: &Source) -> Vec<Finding> {
    let finding =
        |line, what: String, why: &str| Finding { file: source.path.clone(), line, what, why: why.to_owned() };
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > MOST_LINES && !source.text.starts_with(TABLE) {
        let why = format!("files have at most {MOST_LINES} lines, except tables (first line `{TABLE} …`)");
        findings.push(finding(lines, format!("a file of {lines} lines"), &why));
    }
    for (at, line) in source.text.lines().enumerate() {
        for mark in MARKS.iter().filter(|mark| words(line).any(|word| word == **mark)) {
            findings.push(finding(at + 1, format!("`{mark}`"), "what is here is finished; what is not is no comment"));
        }
    }
    findings
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Vec<String> {
        judge(&Source { path: "a.rs".into(), text: text.into() }).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn marks_are_words() {
        for mark in MARKS {
            let found = judged(&format!("\n// {mark}: later\n"));
            assert!(found.len() == 1 && found[0].starts_with("a.rs:2: "), "{found:?}");
            assert!(judged(&format!("mktemp {mark}ABC\n")).is_empty());
        }
    }

    #[test]
    fn long_files_are_refused_unless_they_are_tables() {
        let lines = "//\n".repeat(MOST_LINES);
        assert!(judged(&lines).is_empty());
        assert_eq!(judged(&format!("{lines}//\n")).len(), 1);
        assert!(judged(&format!("//! A table of codes.\n{lines}")).is_empty());
    }
}

//! Which metrics a PromQL expression asks for: enough of its grammar to find the names.

/// Words of the grammar that can stand where a metric could.
const WORDS: [&str; 9] = ["and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"];
/// Functions that a grouping may follow before the parenthesis.
const AGGREGATIONS: [&str; 12] =
    ["sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile"];
/// Words that are followed by labels in parentheses.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Names of metrics in the order in which they stand there.
pub fn metrics(expression: &str) -> Vec<String> {
    let text: Vec<char> = without_braces(expression).chars().collect();
    let mut names = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !is_start(text[at]) {
            // Digits and what follows them: a number or a duration.
            let number = text[at].is_ascii_digit();
            at += 1;
            while number && at < text.len() && (text[at].is_alphanumeric() || text[at] == '.') {
                at += 1;
            }
            continue;
        }
        let end = (at..text.len()).find(|&place| !is_part(text[place])).unwrap_or(text.len());
        let word: String = text[at..end].iter().collect();
        at = end;
        let next = (at..text.len()).find(|&place| !text[place].is_whitespace());
        let called = next.is_some_and(|place| text[place] == '(');
        if GROUPINGS.contains(&word.as_str()) {
            if let Some(open) = next.filter(|_| called) {
                at = (open..text.len()).find(|&place| text[place] == ')').unwrap_or(text.len());
            }
        } else if !called && !WORDS.contains(&word.as_str()) && !AGGREGATIONS.contains(&word.as_str()) {
            names.push(word);
        }
    }
    names
}

/// The expression without label matchers, strings and ranges.
fn without_braces(expression: &str) -> String {
    let mut text = String::new();
    let mut depth = 0u32;
    let mut quote = None;
    let mut previous = ' ';
    for c in expression.chars() {
        match (quote, c) {
            (Some(open), _) if c == open && previous != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 => text.push(c),
            (None, _) => {}
        }
        previous = c;
    }
    text
}

fn is_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

fn is_part(c: char) -> bool {
    is_start(c) || c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::metrics;

    #[test]
    fn names_are_found_and_nothing_else() {
        for (expression, wanted) in [
            ("up", vec!["up"]),
            (r#"sum by (a, b) (rate(x_total{c=~"d|up"}[5m])) / y:z:w > 0.5e3"#, vec!["x_total", "y:z:w"]),
            ("topk(3, a * on (job) group_left (backend) b) and time() - c > 2", vec!["a", "b", "c"]),
            ("histogram_quantile(0.95, sum by (le) (rate(h_bucket[$__rate_interval])))", vec!["h_bucket"]),
            ("a or b offset 5m", vec!["a", "b"]),
        ] {
            assert_eq!(metrics(expression), wanted, "{expression}");
        }
    }
}

use super::*;

#[test]
fn every_name_is_there_once_and_follows_the_conventions() {
    for (index, metric) in CATALOGUE.iter().enumerate() {
        assert!(CATALOGUE.iter().skip(index + 1).all(|other| other.name != metric.name), "{} twice", metric.name);
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(metric.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
        assert!(metric.help.ends_with('.'), "{}: the help text is a sentence", metric.name);
        if metric.name.ends_with("_seconds_total") || metric.name.ends_with("_seconds") {
            assert!(metric.help.contains("seconds"), "{}: the help text names the unit", metric.name);
        }
        if metric.name.contains("bytes") {
            assert!(metric.help.to_lowercase().contains("bytes"), "{}: the help text names the unit", metric.name);
        }
    }
}

/// Names of polled families are inherited and may break the conventions (`tests/promtool-allow.txt`).
#[test]
fn no_polled_family_stands_twice_or_has_the_name_of_another() {
    let mut names: Vec<&str> = polled().map(|(_, spec)| spec.name).chain(CATALOGUE.iter().map(|m| m.name)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for (_, spec) in polled() {
        assert!(spec.help.ends_with('.'), "{}: the help text is a sentence", spec.name);
    }
}

#[test]
fn the_printed_table_has_a_row_for_every_metric() {
    let page = Markdown.to_string();
    for metric in CATALOGUE {
        assert!(page.contains(&format!("| `{}` | {} |", metric.name, metric.kind.name())));
    }
    for (_, spec) in polled() {
        assert!(page.contains(&format!("| `{}` | {} |", spec.name, spec.kind.name())));
    }
    assert_eq!(page.matches("## ").count(), 5);
}

//! Label values as Prometheus' text format 0.0.4 and OpenMetrics 1.0 ask for them.

/// Appends a label value with `\\`, `"` and line feeds escaped.
pub fn push_label_value(out: &mut String, value: &str) {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        return out.push_str(value);
    }
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

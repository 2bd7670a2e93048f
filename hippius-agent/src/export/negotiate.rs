//! Which format and coding a client asks for (RFC 9110 sections 12.5.1 and 12.5.3).

use super::text::Format;

/// The format for the values of a request's `Accept` fields. OpenMetrics must be asked for by name, and no less
/// than plain text.
pub fn format<'a>(accept: impl IntoIterator<Item = &'a str>) -> Format {
    let (mut open, mut text) = (0, 0);
    for (range, parameters) in accept.into_iter().flat_map(items) {
        let weight = weight(parameters);
        if range.eq_ignore_ascii_case("application/openmetrics-text") {
            let version = self::parameters(parameters).find(|(name, _)| name.eq_ignore_ascii_case("version"));
            if version.is_none_or(|(_, version)| version == "1.0.0") {
                open = open.max(weight);
            }
        } else if ["text/plain", "text/*", "*/*"].iter().any(|known| range.eq_ignore_ascii_case(known)) {
            text = text.max(weight);
        }
    }
    if open > 0 && open >= text { Format::OpenMetrics } else { Format::Text }
}

/// Whether the values of a request's `Accept-Encoding` fields allow gzip.
pub fn gzip<'a>(accept_encoding: impl IntoIterator<Item = &'a str>) -> bool {
    let (mut named, mut any) = (None, None);
    for (coding, parameters) in accept_encoding.into_iter().flat_map(items) {
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            named = Some(weight(parameters));
        } else if coding == "*" {
            any = Some(weight(parameters));
        }
    }
    named.or(any).is_some_and(|weight| weight > 0)
}

fn items(field: &str) -> impl Iterator<Item = (&str, &str)> {
    field.split(',').map(|item| {
        let (value, parameters) = item.split_once(';').unwrap_or((item, ""));
        (value.trim(), parameters)
    })
}

fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
}

/// The weight in thousandths; 1000 where none is given, 0 where it is no weight.
fn weight(text: &str) -> u16 {
    let given = parameters(text).find(|(name, _)| name.eq_ignore_ascii_case("q"));
    given.map_or(1000, |(_, q)| match q.parse::<f32>() {
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1000.0) as u16,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_ask() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
            q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1";
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html, */*;q=0.8", Format::Text),
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=nan", Format::Text),
            ("application/openmetrics-text;q=0.3, text/plain;q=0.5", Format::Text),
        ] {
            assert_eq!(format([accept]), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_ask() {
        for (accept, expected) in [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*, gzip;q=0", false),
            ("identity", false),
        ] {
            assert_eq!(gzip([accept]), expected, "{accept}");
        }
    }
}

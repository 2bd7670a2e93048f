//! Ports of a service: single ones and ranges.

use super::error::{Refusal, shown};
use super::read::{Found, Place, Section};
use std::fmt;
use std::ops::RangeInclusive;
use toml_edit::Value;

const ALLOWED: &str = "ports from 1 to 65535 and ranges such as \"8100-8110\"";

/// Ports that are served by one service. None at all means any port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

impl Ports {
    /// Whether `port` is one of them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges, in the order of the file; a single port is a range of one.
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }

    /// The first ports that both name.
    pub fn overlap(&self, other: &Self) -> Option<RangeInclusive<u16>> {
        self.0.iter().find_map(|range| other.0.iter().find_map(|theirs| overlap(range, theirs)))
    }
}

impl FromIterator<RangeInclusive<u16>> for Ports {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        Self(ranges.into_iter().collect())
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(out, "{comma}{}", named(range))?;
        }
        Ok(())
    }
}

/// `8000` or `8000-8010`.
pub(super) fn named(range: &RangeInclusive<u16>) -> String {
    if range.start() == range.end() { range.start().to_string() } else { format!("{}-{}", range.start(), range.end()) }
}

/// Reads the array under `ports`. The place is that of the array's first element, for later complaints.
pub(super) fn read(section: &Section<'_>) -> Option<Found<Ports>> {
    let elements = section.array("ports")?;
    let reading = section.reading();
    let mut ports = Ports::default();
    let mut first: Option<Place> = None;
    for Found { value, place } in elements {
        match element(value) {
            Ok(range) => {
                let twice = ports.0.iter().find_map(|earlier| overlap(earlier, &range));
                match twice {
                    Some(twice) => reading.refuse(&place, format!("{} is named twice", named(&twice))),
                    None => ports.0.push(range),
                }
            }
            Err(refusal) => reading.refuse(&place, refusal),
        }
        first.get_or_insert(place);
    }
    match first {
        Some(place) => Some(Found { value: ports, place }),
        None => {
            reading.refuse(&section.place_of("ports"), Refusal::new("no port is named").allowed(ALLOWED));
            None
        }
    }
}

fn element(value: &Value) -> Result<RangeInclusive<u16>, Refusal> {
    let port = |number: Option<u16>| number.filter(|&port| port != 0);
    if let Some(number) = value.as_integer() {
        let port = port(u16::try_from(number).ok());
        return port
            .map(|port| port..=port)
            .ok_or_else(|| Refusal::new(format!("{number} is no TCP port")).allowed(ALLOWED));
    }
    let Some(text) = value.as_str() else {
        return Err(Refusal::new(format!("a value of type {} stands here", value.type_name())).allowed(ALLOWED));
    };
    let bad = || Refusal::new(format!("{} is no range of ports", shown(text))).allowed(ALLOWED);
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let end = |text: &str| port(text.trim().parse().ok()).ok_or_else(bad);
    let (from, to) = (end(from)?, end(to)?);
    if from > to {
        return Err(Refusal {
            suggestion: Some(format!("\"{to}-{from}\"")),
            ..Refusal::new(format!("the range \"{from}-{to}\" runs backwards"))
        });
    }
    Ok(from..=to)
}

fn overlap(left: &RangeInclusive<u16>, right: &RangeInclusive<u16>) -> Option<RangeInclusive<u16>> {
    let from = *left.start().max(right.start());
    let to = *left.end().min(right.end());
    (from <= to).then_some(from..=to)
}

//! What the lines of the last reply to `INFO` were, for the next one: most are the same again, in the same place.

use super::info::Meaning;

/// Lines that are remembered. Redis 8 with all its commands has about 1200.
const MOST_LINES: usize = 4096;
/// A longer reply is not remembered.
const MOST_BYTES: usize = 512 * 1024;

/// The lines of a reply.
#[derive(Debug, Default)]
pub struct Outline {
    text: String,
    /// Length of each line, its end included, and what it is.
    lines: Vec<(usize, Line)>,
}

/// What a line is, as far as that need not be found out again where it comes again.
#[derive(Debug, Clone, Copy)]
pub enum Line {
    /// It says nothing.
    Empty,
    /// A field that is no list.
    Field {
        /// Length of its name.
        name: usize,
        /// What it means.
        meaning: Meaning,
    },
    /// It has to be read each time.
    Other,
}

impl Outline {
    /// Gives each line of `text` to `read`, without its end, with what it was where it is the same as the last time.
    pub fn read<'a>(&mut self, text: &'a str, mut read: impl FnMut(&'a str, Option<Line>) -> Line) {
        let Self { text: last, lines } = self;
        let (mut rest, mut last_rest, mut count) = (text, &**last, 0);
        while !rest.is_empty() {
            let before = lines.get(count).and_then(|(length, line)| {
                let (before, after) = last_rest.split_at_checked(*length)?;
                last_rest = after;
                let after = rest.strip_prefix(before).filter(|_| before.ends_with('\n'))?;
                Some((after, *line))
            });
            let (after, known) = match before {
                Some((after, line)) => (after, Some(line)),
                None => (rest.get(end(rest)..).unwrap_or_default(), None),
            };
            let (whole, after) = rest.split_at_checked(rest.len() - after.len()).unwrap_or((rest, ""));
            let line = whole.strip_suffix('\n').unwrap_or(whole);
            let now = (whole.len(), read(line.strip_suffix('\r').unwrap_or(line), known));
            match lines.get_mut(count) {
                Some(before) => *before = now,
                None if count < MOST_LINES => lines.push(now),
                None => {}
            }
            count += 1;
            rest = after;
        }
        lines.truncate(count);
        last.clear();
        if text.len() > MOST_BYTES {
            *self = Self::default();
        } else {
            last.push_str(text);
        }
    }
}

/// Where the first line ends.
fn end(text: &str) -> usize {
    memchr::memchr(b'\n', text.as_bytes()).map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::super::info::Info;
    use super::*;
    use proptest::prelude::*;

    const LINES: [&str; 12] = [
        "# Server\r\n",
        "redis_version:7.0.15\r\n",
        "uptime_in_seconds:7\r\n",
        "uptime_in_seconds:77\n",
        "used_memory:",
        "used_memory:8\r",
        "\r\n",
        "role:master\r\n",
        "cmdstat_get:calls=1,usec=5\r\n",
        "latency_percentiles_usec_get:p50=1.003,p99=2\r\n",
        "db0:keys=10,expires=1,avg_ttl=500\r\n",
        "expired_stale_perc:0.25\r\n\u{e4}:1\r\n",
    ];

    proptest! {
        /// Whatever replies came before: a reply is read as if it were the first.
        #[test]
        fn an_outline_changes_nothing(replies in prop::collection::vec(prop::collection::vec(0..LINES.len(), 0..12), 1..8)) {
            let mut outline = Outline::default();
            for lines in replies {
                let text: String = lines.into_iter().filter_map(|line| LINES.get(line).copied()).collect();
                prop_assert_eq!(Info::parse_part_like(&text, &mut outline), Info::parse_part(&text));
            }
        }

        /// Likewise where a reply is the one before with something cut out and something put in.
        #[test]
        fn an_edited_reply_is_read_anew(edits in prop::collection::vec((0..400usize, 0..40usize, "[a-z0-9:=,\\r\\n#]{0,12}"), 1..16)) {
            let mut outline = Outline::default();
            let mut text = LINES.concat();
            for (at, length, new) in edits {
                let at = text.floor_char_boundary(at);
                let end = text.floor_char_boundary(at + length);
                text.replace_range(at..end, &new);
                prop_assert_eq!(Info::parse_part_like(&text, &mut outline), Info::parse_part(&text));
            }
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut outline = Outline::default();
        outline.read(&"\n".repeat(2 * MOST_LINES), |_, _| Line::Empty);
        assert_eq!(outline.lines.len(), MOST_LINES);
        outline.read(&"x".repeat(MOST_BYTES + 1), |_, _| Line::Empty);
        assert_eq!((outline.lines.len(), outline.text.len()), (0, 0));
    }
}

//! The first word of a statement, by a table.

/// What a statement does: an entry of [`VERBS`], or `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verb(u8);

/// The first words of SQL commands (<https://www.postgresql.org/docs/current/sql-commands.html>), sorted. A label is one of
/// these and never a word of the wire.
pub const VERBS: [&str; 52] = [
    "ABORT",
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TABLE",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

const LONGEST: usize = 10;

impl Verb {
    /// None of the table, or not seen.
    pub const OTHER: Self = Self(u8::MAX);

    /// The verb of a word, in any case.
    pub fn of(word: &[u8]) -> Self {
        let mut upper = [0; LONGEST];
        let Some(place) = upper.get_mut(..word.len()) else { return Self::OTHER };
        place.iter_mut().zip(word).for_each(|(to, from)| *to = from.to_ascii_uppercase());
        let wanted: &[u8] = place;
        let found = VERBS.binary_search_by(|verb| verb.as_bytes().cmp(wanted)).ok();
        found.and_then(|at| u8::try_from(at).ok()).map_or(Self::OTHER, Self)
    }

    /// As a label.
    pub fn name(self) -> &'static str {
        VERBS.get(usize::from(self.0)).copied().unwrap_or("other")
    }
}

/// Finds the first word of SQL as it goes by: white space, comments and opening parentheses come before it.
#[derive(Debug, Default)]
pub(super) struct VerbReader {
    state: State,
    word: [u8; LONGEST],
    length: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    /// After `-`.
    Dash,
    /// In a comment to the end of the line.
    Line,
    /// After `/`.
    Slash,
    /// In so many comments, and the byte before.
    Comment(u32, u8),
    Word,
    Done,
    /// A part of it was not seen.
    Unknown,
}

impl VerbReader {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if matches!(self.state, State::Done | State::Unknown) {
                return;
            }
            self.step(byte);
        }
    }

    pub(super) fn hide(&mut self) {
        if self.state != State::Done {
            self.state = State::Unknown;
        }
    }

    pub(super) fn result(&self) -> Verb {
        match self.state {
            State::Word | State::Done => self.word.get(..self.length).map_or(Verb::OTHER, Verb::of),
            _ => Verb::OTHER,
        }
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Before, b'-') => State::Dash,
            (State::Before, b'/') => State::Slash,
            (State::Before, b'(' | b';') => State::Before,
            (State::Before, byte) if byte.is_ascii_whitespace() || byte == 0x0b => State::Before,
            (State::Dash, b'-') => State::Line,
            (State::Line, b'\n' | b'\r') => State::Before,
            (State::Line, _) => State::Line,
            (State::Slash, b'*') => State::Comment(1, 0),
            // Comments nest.
            (State::Comment(1, b'*'), b'/') => State::Before,
            (State::Comment(depth, b'*'), b'/') => State::Comment(depth - 1, 0),
            (State::Comment(depth, b'/'), b'*') => State::Comment(depth.saturating_add(1), 0),
            (State::Comment(depth, _), byte) => State::Comment(depth, byte),
            (State::Before | State::Word, byte) if byte.is_ascii_alphabetic() => self.letter(byte),
            (State::Word, byte) if byte == b'_' || byte.is_ascii_digit() || !byte.is_ascii() => State::Unknown,
            (State::Word, _) => State::Done,
            _ => State::Unknown,
        };
    }

    fn letter(&mut self, byte: u8) -> State {
        match self.word.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
                State::Word
            }
            // Longer than any of the table.
            None => State::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_fits() {
        assert!(VERBS.is_sorted() && VERBS.iter().all(|verb| verb.len() <= LONGEST));
        for verb in VERBS {
            assert_eq!(Verb::of(verb.to_lowercase().as_bytes()).name(), verb);
        }
        assert_eq!(Verb::of(b"SECRET").name(), "other");
        assert_eq!(Verb::of(b"").name(), "other");
    }

    #[test]
    fn the_first_word_is_found_behind_comments() {
        let table = [
            ("SELECT 1", "SELECT"),
            ("  \n\tinsert into t", "INSERT"),
            ("-- who\n /* a /* b */ c */ update t", "UPDATE"),
            ("((select 1))", "SELECT"),
            ("/**/DELETE", "DELETE"),
            ("/*/ x */DELETE", "DELETE"),
            ("BEGIN;", "BEGIN"),
            (";;commit", "COMMIT"),
            ("select'x'", "SELECT"),
            ("selected", "other"),
            ("select_1", "other"),
            ("'quoted'", "other"),
            ("", "other"),
            ("/* open", "other"),
        ];
        for (sql, verb) in table {
            let mut whole = VerbReader::default();
            whole.take(sql.as_bytes());
            let mut single = VerbReader::default();
            sql.as_bytes().chunks(1).for_each(|byte| single.take(byte));
            assert_eq!((whole.result().name(), single.result().name()), (verb, verb), "{sql}");
        }
    }

    #[test]
    fn what_was_not_seen_is_not_guessed() {
        let mut reader = VerbReader::default();
        reader.take(b"INSERT");
        reader.hide();
        assert_eq!(reader.result(), Verb::OTHER);
        let mut reader = VerbReader::default();
        reader.take(b"INSERT ");
        reader.hide();
        assert_eq!(reader.result().name(), "INSERT");
    }
}

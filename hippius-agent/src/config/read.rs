//! Reads tables of a parsed TOML document by key, and collects everything that is wrong instead of stopping.

use super::error::{ConfigErrors, Problem, Refusal, shown, shown_path};
use super::schema::{SectionSpec, join};
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml_edit::{Item, TableLike, Value};

/// What a configuration may refer to outside its own text.
pub struct Surroundings<'a> {
    /// Relative paths in the file start here: the folder of the file.
    pub folder: &'a Path,
    /// Reads an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// A file being read: its text, for line numbers, and what was wrong so far.
pub(super) struct Reading<'d> {
    text: &'d str,
    pub(super) around: &'d Surroundings<'d>,
    problems: RefCell<Vec<Problem>>,
}

/// Where something stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: String,
    offset: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One table of the document.
pub(super) struct Section<'d> {
    reading: &'d Reading<'d>,
    spec: &'static SectionSpec,
    table: &'d dyn TableLike,
    pub(super) place: Place,
}

impl<'d> Reading<'d> {
    pub(super) fn new(text: &'d str, around: &'d Surroundings<'d>) -> Self {
        Self { text, around, problems: RefCell::default() }
    }

    /// Notes that what stands at `place` is refused.
    pub(super) fn refuse(&self, place: &Place, refusal: impl Into<Refusal>) {
        self.refuse_at(Some(place.offset), place.key.clone(), refusal.into());
    }

    /// Notes a mistake of syntax. The parser's message quotes no value.
    pub(super) fn refuse_syntax(&self, message: &str, span: Option<std::ops::Range<usize>>) {
        let what = format!("not TOML: {}", message.lines().next().unwrap_or_default());
        let refusal = Refusal::new(what).allowed("each key once, as key = value, with text in quotes");
        self.refuse_at(span.map(|span| span.start), String::new(), refusal);
    }

    /// 1-based line of `place`.
    pub(super) fn line(&self, place: &Place) -> usize {
        self.position(place.offset).0
    }

    /// `Ok` where nothing was refused.
    pub(super) fn finish(&self, file: &Path) -> Result<(), ConfigErrors> {
        let problems = self.problems.take();
        if problems.is_empty() { Ok(()) } else { Err(ConfigErrors::new(file, problems)) }
    }

    fn refuse_at(&self, offset: Option<usize>, key: String, refusal: Refusal) {
        let Refusal { what, suggestion, allowed } = refusal;
        let position = offset.map(|offset| self.position(offset));
        self.problems.borrow_mut().push(Problem { position, key, what, suggestion, allowed });
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        (line, before.get(line_start..).map_or(0, |line| line.chars().count()) + 1)
    }
}

impl<'d> Section<'d> {
    /// The top of the file.
    pub(super) fn root(reading: &'d Reading<'d>, spec: &'static SectionSpec, table: &'d dyn TableLike) -> Self {
        Self::open(reading, spec, table, Place { key: String::new(), offset: 0 })
    }

    pub(super) fn reading(&self) -> &'d Reading<'d> {
        self.reading
    }

    /// Place of the value under `key`, or of this table where there is none.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let span = self.table.get(key).and_then(|item| item.span());
        let offset = span.map_or_else(|| self.key_offset(key), |span| span.start);
        Place { key: join(self.spec.path, key), offset }
    }

    /// Whether the key is written in the file, well or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Whether there is such a key at all.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.spec.keys.contains(&key)
    }

    pub(super) fn string(&self, key: &str) -> Option<Found<&'d str>> {
        let (value, place) = self.value(key)?;
        self.typed(&place, value, value.as_str(), "a string in quotes").map(|value| Found { value, place })
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let (value, place) = self.value(key)?;
        self.typed(&place, value, value.as_bool(), "true or false")
    }

    /// A whole number of `range`; `unit` ("bytes", "seconds", or nothing) makes the message readable.
    pub(super) fn integer(&self, key: &str, range: RangeInclusive<u64>, unit: &str) -> Option<Found<u64>> {
        let (value, place) = self.value(key)?;
        let space = if unit.is_empty() { "" } else { " " };
        let allowed = format!("a whole number from {} to {}{space}{unit}", range.start(), range.end());
        let number = self.typed(&place, value, value.as_integer(), &allowed)?;
        match u64::try_from(number) {
            Ok(value) if range.contains(&value) => Some(Found { value, place }),
            _ => {
                self.reading.refuse(&place, Refusal::new(format!("{number} is out of range")).allowed(allowed));
                None
            }
        }
    }

    /// One of a few names.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let found = self.string(key)?;
        self.chosen(&found, choices)
    }

    /// The meaning of `found` among `choices`, refused if it is none of them.
    pub(super) fn chosen<T: Copy>(&self, found: &Found<&str>, choices: &[(&'static str, T)]) -> Option<T> {
        let chosen = choices.iter().find(|(name, _)| *name == found.value).map(|&(_, meaning)| meaning);
        if chosen.is_none() {
            let names = choices.iter().map(|&(name, _)| name);
            let allowed = names.clone().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let refusal = Refusal::new(format!("{} is unknown", shown(found.value)));
            self.reading.refuse(&found.place, refusal.allowed(allowed).near(found.value, names));
        }
        chosen
    }

    /// The elements of an array.
    pub(super) fn array(&self, key: &str) -> Option<Vec<Found<&'d Value>>> {
        let (value, place) = self.value(key)?;
        let array = self.typed(&place, value, value.as_array(), "an array in brackets")?;
        let element =
            |value: &'d Value| Found { value, place: Place { offset: start(value, &place), ..place.clone() } };
        Some(array.iter().map(element).collect())
    }

    /// The elements of an array of strings; elements of another type are refused and left out.
    pub(super) fn strings(&self, key: &str) -> Option<Vec<Found<&'d str>>> {
        let element = |Found { value, place }: Found<&'d Value>| {
            self.typed(&place, value, value.as_str(), "strings in quotes").map(|value| Found { value, place })
        };
        Some(self.array(key)?.into_iter().filter_map(element).collect())
    }

    /// Path of a file that can be read; relative ones start at the folder of the configuration.
    pub(super) fn readable_file(&self, key: &str) -> Option<Found<PathBuf>> {
        let Found { value, place } = self.string(key)?;
        let path = self.reading.around.folder.join(value);
        let opened = std::fs::File::open(&path).and_then(|file| file.metadata());
        let refusal = match opened {
            Ok(metadata) if metadata.is_dir() => format!("{} is a folder", shown_path(&path.to_string_lossy())),
            Ok(_) => return Some(Found { value: path, place }),
            Err(error) => format!("cannot read {}: {error}", shown_path(&path.to_string_lossy())),
        };
        self.reading.refuse(&place, Refusal::new(refusal).allowed("the path of a file that the agent may read"));
        None
    }

    /// A table inside this one.
    pub(super) fn section(&self, spec: &'static SectionSpec) -> Option<Section<'d>> {
        let (item, place) = self.item(spec)?;
        let table = item.as_table_like();
        if table.is_none() {
            let refusal = format!("{} stands where a table is expected", with_article(item.type_name()));
            self.reading.refuse(&place, Refusal::new(refusal).allowed(format!("[{}]", spec.path)));
        }
        table.map(|table| Section::open(self.reading, spec, table, place))
    }

    /// All tables of an array of tables inside this one.
    pub(super) fn sections(&self, spec: &'static SectionSpec) -> Vec<Section<'d>> {
        let Some((item, place)) = self.item(spec) else { return Vec::new() };
        let inline = |value: &'d Value| value.as_inline_table().map(|table| (table as &dyn TableLike, value.span()));
        let tables: Option<Vec<_>> = match item {
            Item::ArrayOfTables(tables) => {
                Some(tables.iter().map(|table| (table as &dyn TableLike, table.span())).collect())
            }
            Item::Value(Value::Array(array)) => array.iter().map(inline).collect(),
            _ => None,
        };
        let Some(tables) = tables else {
            let refusal = format!("{} stands where an array of tables is expected", with_article(item.type_name()));
            self.reading.refuse(&place, Refusal::new(refusal).allowed(format!("[[{}]]", spec.path)));
            return Vec::new();
        };
        let open = |(table, span): (&'d dyn TableLike, Option<std::ops::Range<usize>>)| {
            let offset = span.map_or(place.offset, |span| span.start);
            Section::open(self.reading, spec, table, Place { offset, key: place.key.clone() })
        };
        tables.into_iter().map(open).collect()
    }

    fn open(reading: &'d Reading<'d>, spec: &'static SectionSpec, table: &'d dyn TableLike, place: Place) -> Self {
        let section = Self { reading, spec, table, place };
        section.refuse_unknown_keys();
        section
    }

    fn refuse_unknown_keys(&self) {
        let known = || self.spec.keys.iter().copied();
        for (name, _) in self.table.iter().filter(|(name, _)| !self.spec.keys.contains(name)) {
            // A quoted key can be anything, a pasted address for one.
            let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && name.len() <= 64;
            let key = join(self.spec.path, if bare { name } else { "(not shown)" });
            let refusal = Refusal::new("unknown key").allowed(known().collect::<Vec<_>>().join(", "));
            let place = Place { key, offset: self.key_offset(name) };
            self.reading.refuse(&place, refusal.near(name, known()));
        }
    }

    fn item(&self, spec: &SectionSpec) -> Option<(&'d Item, Place)> {
        let name = spec.path.rsplit('.').next().unwrap_or_default();
        let item = self.table.get(name)?;
        let offset = item.span().map_or_else(|| self.key_offset(name), |span| span.start);
        Some((item, Place { key: spec.path.to_owned(), offset }))
    }

    fn value(&self, key: &str) -> Option<(&'d Value, Place)> {
        debug_assert!(self.spec.keys.contains(&key), "{key} is missing in the schema");
        let item = self.table.get(key)?;
        let mut place = Place { key: join(self.spec.path, key), offset: self.key_offset(key) };
        let Some(value) = item.as_value() else {
            self.reading.refuse(
                &place,
                Refusal::new(format!("{} stands where a value is expected", with_article(item.type_name()))),
            );
            return None;
        };
        place.offset = start(value, &place);
        Some((value, place))
    }

    fn typed<T>(&self, place: &Place, value: &Value, found: Option<T>, allowed: &str) -> Option<T> {
        if found.is_none() {
            let refusal = format!("{} stands here", with_article(value.type_name()));
            self.reading.refuse(place, Refusal::new(refusal).allowed(allowed));
        }
        found
    }

    fn key_offset(&self, name: &str) -> usize {
        let span = self.table.get_key_value(name).and_then(|(key, _)| key.span());
        span.map_or(self.place.offset, |span| span.start)
    }
}

fn start(value: &Value, otherwise: &Place) -> usize {
    value.span().map_or(otherwise.offset, |span| span.start)
}

fn with_article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {type_name}")
}

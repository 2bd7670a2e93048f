//! Where a poll puts its samples, in whatever order it finds them.
//!
//! A poll mostly finds what the one before it found, in the same order, with other values. So a draft remembers what was
//! added, and as long as the same is added again it keeps nothing but values: names and labels are neither sorted nor
//! printed nor copied anew, and the families share them.

use super::family::{Families, Shape, Spec};
use crate::escape::push_label_value;
use std::sync::Arc;

/// Bytes of a label value; the rest is cut off.
pub(super) const LONGEST_VALUE: usize = 256;
/// What has grown beyond this, in samples or bytes of labels, is not remembered.
const MOST_SAMPLES: usize = 8 * 1024;
const MOST_BYTES: usize = 512 * 1024;
/// Behind each label value: no byte of UTF-8.
const END: u8 = 0xff;

/// Samples by family, until [`finish`](Self::finish). One that is used again and again for the same is quick.
#[derive(Debug, Default)]
pub struct Draft {
    /// What was added, and with `made` what was added to the set before, in this order.
    steps: Vec<Step>,
    /// The label values of all steps, each with [`END`] behind it.
    labels: Vec<u8>,
    /// What was made of the steps, as long as nothing else is added.
    made: Option<Made>,
    /// Of the samples that were added, in their order.
    values: Vec<f64>,
    /// End of their labels.
    read: usize,
    /// Steps that were added as a set.
    blocks: Vec<Block>,
    /// How many of the sets were added again.
    again: usize,
}

/// A set of families among the steps.
#[derive(Debug)]
struct Block {
    /// The first of its steps.
    start: usize,
    shape: Arc<Shape>,
    /// Where the labels of its last step end.
    end: usize,
}

#[derive(Debug)]
struct Step {
    spec: &'static Spec,
    suffix: &'static str,
    /// Whether the labels stand there as they are printed.
    printed: bool,
    /// Where they end.
    end: usize,
}

#[derive(Debug)]
struct Made {
    shape: Arc<Shape>,
    /// Numbers of the steps in the order of the shape's samples.
    order: Vec<usize>,
}

impl Draft {
    /// Adds a sample. `labels` are the values in the order of the spec; one that is missing counts as empty.
    pub fn add(&mut self, spec: &'static Spec, labels: &[&str], value: f64) {
        self.add_part(spec, "", labels, value);
    }

    /// Adds a part of a summary: suffix `_sum` or `_count`, and the values of the labels without `quantile`.
    pub fn add_part(&mut self, spec: &'static Spec, suffix: &'static str, labels: &[&str], value: f64) {
        self.step(spec, suffix, false, labels, value);
    }

    /// Adds everything of `other`.
    pub fn extend(&mut self, other: &Families) {
        let start = self.values.len();
        let same = |block: &&Block| block.start == start && Arc::ptr_eq(&block.shape, other.shape());
        if self.made.is_some()
            && let Some(block) = self.blocks.get(self.again).filter(same)
        {
            self.values.extend_from_slice(other.values());
            self.read = block.end;
        } else {
            self.extend_one_by_one(other);
            let block = Block { start, shape: Arc::clone(other.shape()), end: self.read };
            match self.blocks.get_mut(self.again) {
                Some(before) => *before = block,
                None => self.blocks.push(block),
            }
        }
        self.again += 1;
    }

    fn extend_one_by_one(&mut self, other: &Families) {
        for family in other.iter() {
            for (suffix, labels, value) in family.samples() {
                self.step(family.spec(), suffix, true, &[labels], value);
            }
        }
    }

    /// The families that have samples, sorted by name. What is added after that is of another set.
    pub fn finish(&mut self) -> Families {
        if self.values.len() < self.steps.len() {
            self.part_ways();
        }
        let Self { steps, labels, made, values, .. } = self;
        let Made { shape, order } = made.get_or_insert_with(|| Made::of(steps, labels));
        let sorted = order.iter().filter_map(|&step| values.get(step).copied()).collect();
        let families = Families::new(Arc::clone(shape), sorted);
        if steps.len() > MOST_SAMPLES || labels.len() > MOST_BYTES {
            *self = Self::default();
        } else {
            self.clear();
        }
        families
    }

    /// Forgets the samples that were added.
    pub fn clear(&mut self) {
        if self.made.is_none() {
            self.steps.clear();
            self.labels.clear();
            self.blocks.clear();
        }
        self.values.clear();
        self.read = 0;
        self.again = 0;
    }

    fn step(&mut self, spec: &'static Spec, suffix: &'static str, printed: bool, labels: &[&str], value: f64) {
        let labels = || labels.iter().map(|value| if printed { value } else { cut(value) });
        if self.made.is_some() {
            match self.steps.get(self.values.len()).filter(|step| step.is(spec, suffix, printed)) {
                Some(step) if same(self.labels.get(self.read..step.end), labels()) => self.read = step.end,
                _ => self.part_ways(),
            }
        }
        if self.made.is_none() {
            for value in labels() {
                self.labels.extend_from_slice(value.as_bytes());
                self.labels.push(END);
            }
            self.read = self.labels.len();
            self.steps.push(Step { spec, suffix, printed, end: self.read });
        }
        self.values.push(value);
    }

    /// What is added is not what was added before: only as much of that is kept as was the same.
    fn part_ways(&mut self) {
        self.made = None;
        self.steps.truncate(self.values.len());
        self.labels.truncate(self.read);
        self.blocks.truncate(self.again);
    }
}

impl Step {
    fn is(&self, spec: &'static Spec, suffix: &'static str, printed: bool) -> bool {
        let same = std::ptr::eq(self.suffix, suffix) || self.suffix == suffix;
        std::ptr::eq(self.spec, spec) && same && self.printed == printed
    }
}

impl Made {
    fn of(steps: &[Step], labels: &[u8]) -> Self {
        let mut order: Vec<usize> = (0..steps.len()).collect();
        // The same family may be written down twice, where servers of several generations give it: the name counts.
        order.sort_by_key(|&at| steps.get(at).map(|step| step.spec.name));
        let mut shape = Shape::with_capacity(steps.len(), 2 * labels.len());
        order.retain(|&at| {
            let Some(Step { spec, suffix, printed, end }) = steps.get(at) else { return false };
            let start = at.checked_sub(1).and_then(|before| steps.get(before)).map_or(0, |before| before.end);
            let own = labels.get(start..*end).unwrap_or_default();
            let mut values = own.split(|byte| *byte == END).map(|value| std::str::from_utf8(value).unwrap_or_default());
            shape.push(spec, suffix, |out| {
                if *printed {
                    out.push_str(values.next().unwrap_or_default());
                    return;
                }
                let most = if suffix.is_empty() { usize::MAX } else { own.iter().filter(|byte| **byte == END).count() };
                print(out, spec.labels.iter().take(most), values);
            })
        });
        shape.shrink();
        Self { shape: Arc::new(shape), order }
    }
}

fn print<'t>(out: &mut String, names: impl Iterator<Item = &'t &'t str>, mut values: impl Iterator<Item = &'t str>) {
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(name);
        out.push_str("=\"");
        push_label_value(out, values.next().unwrap_or_default());
        out.push('"');
    }
}

/// Whether these values stand in `known`, and nothing else.
fn same<'v>(known: Option<&[u8]>, values: impl Iterator<Item = &'v str>) -> bool {
    let Some(mut rest) = known else { return false };
    for value in values {
        match rest.strip_prefix(value.as_bytes()) {
            Some([END, after @ ..]) => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

/// The beginning of a value that is too long, up to a character's end.
fn cut(value: &str) -> &str {
    value.get(..value.floor_char_boundary(LONGEST_VALUE)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::family::Kind;

    static UP: Spec = Spec { name: "up", kind: Kind::Gauge, help: "Up.", labels: &[] };
    static KEYS: Spec = Spec { name: "keys", kind: Kind::Gauge, help: "Keys.", labels: &["db", "key"] };
    static KEYS_AGAIN: Spec = Spec { name: "keys", kind: Kind::Gauge, help: "Keys.", labels: &["db", "key"] };
    static TIME: Spec = Spec { name: "time", kind: Kind::Summary, help: "Time.", labels: &["cmd", "quantile"] };

    fn lines(families: &Families) -> Vec<String> {
        let mut lines = Vec::new();
        for family in families.iter() {
            let name = family.spec().name;
            lines.extend(family.samples().map(|(suffix, labels, value)| format!("{name}{suffix}{{{labels}}} {value}")));
        }
        lines
    }

    #[test]
    fn samples_come_back_by_family_and_name() {
        let mut draft = Draft::default();
        draft.add(&UP, &[], 1.0);
        draft.add(&KEYS, &["db0", "a\"\\\nb"], 2.0);
        draft.add(&TIME, &["get", "0.5"], 3.0);
        draft.add_part(&TIME, "_count", &["get"], 4.0);
        draft.add(&KEYS_AGAIN, &["db1"], 5.0);
        let expected = [
            r#"keys{db="db0",key="a\"\\\nb"} 2"#,
            r#"keys{db="db1",key=""} 5"#,
            r#"time{cmd="get",quantile="0.5"} 3"#,
            r#"time_count{cmd="get"} 4"#,
            "up{} 1",
        ];
        let families = draft.finish();
        assert_eq!(lines(&families), expected);
        draft.extend(&families);
        draft.extend(&families);
        let twice = draft.finish();
        assert_eq!(twice.samples(), 10);
        assert_eq!(twice.value("keys", r#"db="db1",key="""#), Some(5.0));
        let doubled = [0, 1, 0, 1, 2, 3, 2, 3, 4, 4].map(|at| expected[at]);
        assert_eq!(lines(&twice), doubled);
    }

    #[test]
    fn a_draft_forgets_what_it_has_given() {
        let mut draft = Draft::default();
        draft.add(&UP, &[], 1.0);
        draft.add(&TIME, &["get", "0.5"], 2.0);
        assert_eq!(draft.finish().len(), 2);
        draft.add(&KEYS, &["db0", "a"], 3.0);
        draft.add(&UP, &[], 4.0);
        assert_eq!(lines(&draft.finish()), [r#"keys{db="db0",key="a"} 3"#, "up{} 4"]);
        draft.add(&UP, &[], 5.0);
        draft.clear();
        assert!(draft.finish().is_empty());
    }

    #[test]
    fn a_draft_that_is_used_again_gives_what_a_new_one_gives() {
        let samples: [(&'static Spec, &'static str, &[&str]); 6] = [
            (&UP, "", &[]),
            (&KEYS, "", &["db0", "a"]),
            (&KEYS, "", &["db0a", ""]),
            (&KEYS, "", &["db0a"]),
            (&TIME, "_sum", &["get"]),
            (&TIME, "", &["get", "0.5"]),
        ];
        let all = [0, 1, 2, 3, 4, 5];
        let sets: [&[usize]; 10] = [&all, &all, &[0, 1, 3, 2], &[0, 1], &all, &[1, 0], &[], &[2, 2], &[3, 2], &[4, 5]];
        let mut used = Draft::default();
        for (round, set) in sets.iter().enumerate() {
            let mut new = Draft::default();
            for (place, &sample) in set.iter().enumerate() {
                let (spec, suffix, labels) = samples[sample];
                let value = (round * 10 + place) as f64;
                used.add_part(spec, suffix, labels, value);
                new.add_part(spec, suffix, labels, value);
            }
            assert_eq!(lines(&used.finish()), lines(&new.finish()), "{round}");
        }
    }

    #[test]
    fn sets_that_are_added_again_change_nothing() {
        let set = |labels: &[&str], value: f64| {
            let mut draft = Draft::default();
            labels.iter().for_each(|label| draft.add(&KEYS, &["db0", label], value));
            draft.finish()
        };
        let (none, one, two, other) = (set(&[], 1.0), set(&["a"], 2.0), set(&["a", "b"], 3.0), set(&["c", "d"], 4.0));
        let mut newer = Draft::default();
        newer.extend(&two);
        newer.finish();
        newer.add_part(&KEYS, "", &["db0", "a"], 5.0);
        newer.add_part(&KEYS, "", &["db0", "b"], 6.0);
        let rounds: [&[&Families]; 12] = [
            &[&one, &two, &other],
            &[&one, &two, &other],
            &[&one, &other],
            &[&one, &other, &two],
            &[&none, &one, &other, &two],
            &[&two, &other],
            &[&other, &two],
            &[&two],
            &[&two, &two],
            &[&newer.finish(), &two],
            &[],
            &[&one, &two, &other],
        ];
        let mut used = Draft::default();
        for (round, sets) in rounds.iter().enumerate() {
            for up_at in [0, sets.len(), 1] {
                let mut new = Draft::default();
                for (place, set) in sets.iter().enumerate() {
                    if place == up_at {
                        used.add(&UP, &[], 1.0);
                        new.add(&UP, &[], 1.0);
                    }
                    used.extend(set);
                    set.iter().for_each(|family| {
                        family.samples().for_each(|(suffix, labels, value)| {
                            new.step(family.spec(), suffix, true, &[labels], value);
                        });
                    });
                }
                assert_eq!(lines(&used.finish()), lines(&new.finish()), "{round} {up_at}");
            }
        }
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let mut draft = Draft::default();
        draft.add(&KEYS, &["", &"ä".repeat(LONGEST_VALUE)], 1.0);
        let line = lines(&draft.finish()).remove(0);
        assert_eq!(line.matches('ä').count(), LONGEST_VALUE / 2);
    }
}

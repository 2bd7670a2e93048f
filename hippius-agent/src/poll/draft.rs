//! Where a poll puts its samples, in whatever order it finds them.
//!
//! A target keeps one over all of its polls: what is found is mostly the same, so that the buffers of the last poll fit
//! and nothing is allocated.

use super::family::{Families, Sample, Spec};
use crate::escape::push_label_value;
use ahash::AHashMap;

/// Bytes of a label value; the rest is cut off.
pub(super) const LONGEST_VALUE: usize = 256;
/// Buffers that have grown beyond this, in bytes or samples, are given back after a poll.
const LARGEST_KEPT: usize = 16 * 1024;

/// Samples by family, until [`finish`](Self::finish).
#[derive(Debug, Default)]
pub struct Draft {
    /// In the order in which they first came.
    slots: Vec<Slot>,
    /// Numbers of the slots by the address of the spec: specs are static, and an address is hashed faster than a name.
    index: AHashMap<usize, usize>,
    /// Numbers of the slots that have samples, in the order in which they got their first one.
    used: Vec<usize>,
    /// Numbers of the slots in the order of their names; of as many slots as there were when it was needed last.
    order: Vec<usize>,
    /// The slot of the last sample: the next one is mostly in the slot behind it, as in the poll before, or in the same.
    last: usize,
}

#[derive(Debug)]
struct Slot {
    spec: &'static Spec,
    /// Whether it is among the used ones.
    used: bool,
    /// The labels of all samples, one behind the other.
    text: String,
    /// Their ends count from the beginning of the slot's text.
    samples: Vec<Sample>,
}

impl Draft {
    /// Adds a sample. `labels` are the values in the order of the spec; one that is missing counts as empty.
    pub fn add(&mut self, spec: &'static Spec, labels: &[&str], value: f64) {
        self.add_part(spec, "", labels, value);
    }

    /// Adds a part of a summary: suffix `_sum` or `_count`, and the values of the labels without `quantile`.
    pub fn add_part(&mut self, spec: &'static Spec, suffix: &'static str, labels: &[&str], value: f64) {
        let Some(Slot { text, samples, .. }) = self.slot(spec) else { return };
        let before = text.len();
        let names = spec.labels.iter().take(if suffix.is_empty() { spec.labels.len() } else { labels.len() });
        for (index, name) in names.enumerate() {
            let value = labels.get(index).copied().unwrap_or_default();
            if text.len() > before {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            push_label_value(text, cut(value));
            text.push('"');
        }
        match u32::try_from(text.len()) {
            Ok(end) => samples.push(Sample { end, suffix, value }),
            // 4 GiB of labels: no source that bounds its series comes here.
            Err(_) => text.truncate(before),
        }
    }

    /// Adds everything of `other`.
    pub fn extend(&mut self, other: &Families) {
        for from in other.iter() {
            let Some(slot) = self.slot(from.spec()) else { continue };
            let (text, samples) = from.raw();
            let Some(base) = u32::try_from(slot.text.len() + text.len()).ok().map(|end| end - text.len() as u32) else {
                continue;
            };
            slot.text.push_str(text);
            slot.samples.extend(samples.map(|sample| Sample { end: base + sample.end, ..sample }));
        }
    }

    /// The families that have samples, sorted by name. What is added after that is of another set.
    pub fn finish(&mut self) -> Families {
        let Self { slots, used, order, .. } = self;
        let name = |at: &usize| slots.get(*at).map(|slot| slot.spec.name);
        // A poll finds most of what it found before, one of its questions little of that.
        let sorted = if used.len() < slots.len() / 8 {
            used.sort_unstable_by_key(name);
            &*used
        } else {
            if order.len() != slots.len() {
                *order = (0..slots.len()).collect();
                order.sort_unstable_by_key(name);
            }
            &*order
        };
        let found = || sorted.iter().filter_map(|&at| slots.get(at)).filter(|slot| !slot.samples.is_empty());
        let (mut samples, mut text) = (0, 0);
        for slot in found() {
            samples += slot.samples.len();
            text += slot.text.len();
        }
        let mut families = Families::with_capacity(used.len(), samples, text);
        for slot in found() {
            families.push(slot.spec, &slot.text, &slot.samples);
        }
        self.clear();
        families
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        for at in self.used.drain(..) {
            let Some(slot) = self.slots.get_mut(at) else { continue };
            slot.used = false;
            slot.text.clear();
            slot.samples.clear();
            if slot.text.capacity() > LARGEST_KEPT || slot.samples.capacity() > LARGEST_KEPT {
                (slot.text, slot.samples) = Default::default();
            }
        }
    }

    fn slot(&mut self, spec: &'static Spec) -> Option<&mut Slot> {
        let at = self.place(spec);
        self.last = at;
        let slot = self.slots.get_mut(at)?;
        if !slot.used {
            slot.used = true;
            self.used.push(at);
        }
        Some(slot)
    }

    fn place(&mut self, spec: &'static Spec) -> usize {
        let slots = &mut self.slots;
        let is_it = |at: &usize| slots.get(*at).is_some_and(|slot| std::ptr::eq(slot.spec, spec));
        if let Some(at) = [self.last, self.last + 1].into_iter().find(is_it) {
            return at;
        }
        *self.index.entry(std::ptr::from_ref(spec) as usize).or_insert_with(|| {
            // The same family may be written down twice, where servers of several generations give it.
            let same = slots.iter().position(|slot| slot.spec.name == spec.name);
            same.unwrap_or_else(|| {
                slots.push(Slot { spec, used: false, text: String::new(), samples: Vec::new() });
                slots.len() - 1
            })
        })
    }
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
    fn a_long_value_is_cut_at_a_character() {
        let mut draft = Draft::default();
        draft.add(&KEYS, &["", &"ä".repeat(LONGEST_VALUE)], 1.0);
        let line = lines(&draft.finish()).remove(0);
        assert_eq!(line.matches('ä').count(), LONGEST_VALUE / 2);
    }
}

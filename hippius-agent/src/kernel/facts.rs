//! What the programs are told of the running kernel: the table of [`hippius_common::fields`], looked up in its BTF.

use hippius_common::fields::{ABSENT, FIELDS, KernelField, Place};

use super::btf::{BtfError, KernelTypes, Kind};

/// The values of all globals that depend on the kernel.
#[derive(Debug, Clone)]
pub struct Facts {
    values: Vec<u32>,
}

impl Facts {
    /// Looks everything up. What the kernel does not have is no error here: [`Self::missing`] tells whether it matters.
    pub fn of(types: &KernelTypes) -> Result<Self, BtfError> {
        let values = FIELDS.iter().map(|field| look_up(types, field)).collect::<Result<_, _>>()?;
        Ok(Self { values })
    }

    /// Name and value of each global.
    pub fn globals(&self) -> impl Iterator<Item = (&'static str, &u32)> {
        FIELDS.iter().map(|field| field.global).zip(&self.values)
    }

    /// The value of one; [`ABSENT`] if the kernel does not have it.
    pub fn get(&self, global: &str) -> u32 {
        self.globals().find(|(name, _)| *name == global).map_or(ABSENT, |(_, value)| *value)
    }

    /// Replaces a value: for tests that prove that a wrong one is noticed.
    pub fn set(&mut self, global: &str, value: u32) {
        for (_, known) in FIELDS.iter().zip(&mut self.values).filter(|(field, _)| field.global == global) {
            *known = value;
        }
    }

    /// What a back-end (one of [`hippius_common::fields::backend`]) needs and this kernel does not have.
    pub fn missing(&self, backend: u32) -> Vec<String> {
        let all = FIELDS.iter().zip(&self.values);
        let missing = all.filter(|(field, value)| **value == ABSENT && field.needed_by & backend != 0);
        missing.map(|(field, _)| named(field)).collect()
    }
}

fn look_up(types: &KernelTypes, field: &KernelField) -> Result<u32, BtfError> {
    let found = match field.place {
        Place::Member(structure, paths) => types.member_offset(structure, paths)?,
        Place::Enumerator(enumeration, name) => types.enumerator(enumeration, name)?,
        Place::Function(name) => Some(u32::from(types.parameters(name)?.is_some())),
        Place::HasMember(structure, path) => Some(u32::from(types.member_offset(structure, &[path])?.is_some())),
        Place::Structure(name) => types.structure(name)?,
        Place::Callable(name) => types.ids(&[(Kind::Function, name)])?.into_iter().flatten().next(),
    };
    Ok(found.unwrap_or(ABSENT))
}

fn named(field: &KernelField) -> String {
    match field.place {
        Place::Member(structure, paths) => format!("struct {structure} has no member {}", paths.join(" or ")),
        Place::Enumerator(enumeration, name) => format!("enum {enumeration} has no {name}"),
        Place::Function(name) | Place::Callable(name) => format!("there is no function {name}"),
        Place::HasMember(structure, path) => format!("struct {structure} has no member {path}"),
        Place::Structure(name) => format!("there is no struct {name}"),
    }
}

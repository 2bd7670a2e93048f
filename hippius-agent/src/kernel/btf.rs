//! What the kernel's BTF says of structures, enumerations and functions (Documentation/bpf/btf.rst).
//!
//! aya keeps member offsets to itself, so this reads them from the raw file: a pass over all types to learn where each
//! stands, then a walk that descends into anonymous members.

use std::fs;
use std::path::Path;

/// Where kernels expose their types.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Why an offset is not known.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; the kernel has to be built with CONFIG_DEBUG_INFO_BTF=y")]
    Read {
        /// Which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is cut off or of another format.
    #[error("the kernel's BTF is malformed at byte {0}")]
    Malformed(usize),
}

/// `struct btf_header` begins with it.
pub const MAGIC: u16 = 0xeb9f;

/// Most members that the search for one field looks at. The largest structures of a kernel have some hundreds,
/// anonymous ones included; in a malformed file they could contain each other.
const MAX_MEMBERS: u32 = 1 << 16;

mod kind {
    pub const INT: u32 = 1;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// What programs are attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A tracepoint is known by a `typedef`.
    Typedef = kind::TYPEDEF,
    /// A function, an iterator's among them.
    Function = kind::FUNC,
}

/// The types of one kernel.
#[derive(Debug)]
pub struct KernelTypes {
    data: Vec<u8>,
    strings: usize,
    /// Byte offset of each type; type 0 is `void`.
    types: Vec<u32>,
}

impl KernelTypes {
    /// Reads the running kernel's.
    pub fn of_running_kernel() -> Result<Self, BtfError> {
        Self::read(Path::new(VMLINUX))
    }

    /// Reads a BTF file.
    pub fn read(path: &Path) -> Result<Self, BtfError> {
        let data = fs::read(path).map_err(|source| BtfError::Read { path: path.display().to_string(), source })?;
        Self::parse(data)
    }

    /// Parses raw BTF of this machine's byte order.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let header = u32_at(&data, 4)? as usize;
        let word = u32_at(&data, 0)?;
        if word as u16 != MAGIC {
            return Err(BtfError::Malformed(0));
        }
        let types_at = header + u32_at(&data, 8)? as usize;
        let types_end = types_at + u32_at(&data, 12)? as usize;
        let strings = header + u32_at(&data, 16)? as usize;
        let mut types = vec![0];
        let mut at = types_at;
        while at < types_end {
            types.push(at as u32);
            at += 12 + trailing(u32_at(&data, at + 4)?);
        }
        Ok(Self { data, strings, types })
    }

    /// Offset in bytes of the first of these members that the structure has; dots descend.
    pub fn member_offset(&self, structure: &str, paths: &[&str]) -> Result<Option<u32>, BtfError> {
        let Some(structure) = self.structure(structure)? else { return Ok(None) };
        for path in paths {
            if let Some(bits) = self.walk(structure, path)? {
                return Ok(Some(bits / 8));
            }
        }
        Ok(None)
    }

    /// The value of a name in an enumeration.
    pub fn enumerator(&self, enumeration: &str, name: &str) -> Result<Option<u32>, BtfError> {
        let Some(at) = self.named(kind::ENUM, enumeration)? else { return Ok(None) };
        let count = (u32_at(&self.data, at + 4)? & 0xffff) as usize;
        for entry in (0..count).map(|index| at + 12 + index * 8) {
            if self.is_named(u32_at(&self.data, entry)?, name) {
                return Ok(Some(u32_at(&self.data, entry + 4)?));
            }
        }
        Ok(None)
    }

    /// How many parameters a function of the kernel takes; `None` if it has no function of this name.
    pub fn parameters(&self, function: &str) -> Result<Option<u32>, BtfError> {
        let Some(at) = self.named(kind::FUNC, function)? else { return Ok(None) };
        let prototype = u32_at(&self.data, at + 8)?;
        let Some(&at) = self.types.get(prototype as usize) else { return Ok(None) };
        Ok(Some(u32_at(&self.data, at as usize + 4)? & 0xffff))
    }

    /// The number of the first type of each kind and name, in the order of the question; `None` for what the kernel does not have.
    pub fn ids(&self, wanted: &[(Kind, &str)]) -> Result<Vec<Option<u32>>, BtfError> {
        let mut ids = vec![None; wanted.len()];
        for (id, &at) in self.types.iter().enumerate().skip(1) {
            let kind = kind_of(u32_at(&self.data, at as usize + 4)?);
            if !matches!(kind, kind::FUNC | kind::TYPEDEF) {
                continue;
            }
            let name_at = u32_at(&self.data, at as usize)?;
            let first = self.data.get(self.strings + name_at as usize);
            for (found, (of, name)) in ids.iter_mut().zip(wanted) {
                let may_be = *of as u32 == kind && name.as_bytes().first() == first;
                if may_be && found.is_none() && self.is_named(name_at, name) {
                    *found = Some(id as u32);
                }
            }
        }
        Ok(ids)
    }

    /// Byte offset of the type of this kind and name.
    fn named(&self, kind: u32, name: &str) -> Result<Option<usize>, BtfError> {
        for &at in self.types.iter().skip(1) {
            let info = u32_at(&self.data, at as usize + 4)?;
            if kind_of(info) == kind && self.is_named(u32_at(&self.data, at as usize)?, name) {
                return Ok(Some(at as usize));
            }
        }
        Ok(None)
    }

    /// The number of a structure that has members.
    pub fn structure(&self, name: &str) -> Result<Option<u32>, BtfError> {
        for (id, &at) in self.types.iter().enumerate().skip(1) {
            let info = u32_at(&self.data, at as usize + 4)?;
            let is_structure = kind_of(info) == kind::STRUCT && info & 0xffff != 0;
            if is_structure && self.is_named(u32_at(&self.data, at as usize)?, name) {
                return Ok(Some(id as u32));
            }
        }
        Ok(None)
    }

    fn walk(&self, structure: u32, path: &str) -> Result<Option<u32>, BtfError> {
        let mut id = structure;
        let mut bits = 0u32;
        let mut budget = MAX_MEMBERS;
        for name in path.split('.') {
            let Some((offset, member)) = self.member(id, name, 0, &mut budget)? else { return Ok(None) };
            bits = bits.checked_add(offset).ok_or_else(|| self.malformed(id))?;
            id = self.resolve(member)?;
        }
        Ok(Some(bits))
    }

    /// Bit offset and type of a member, looked for in anonymous members too.
    fn member(&self, id: u32, name: &str, depth: u32, budget: &mut u32) -> Result<Option<(u32, u32)>, BtfError> {
        let Some(&at) = self.types.get(id as usize) else { return Ok(None) };
        let at = at as usize;
        let info = u32_at(&self.data, at + 4)?;
        if !matches!(kind_of(info), kind::STRUCT | kind::UNION) || depth > 8 {
            return Ok(None);
        }
        for index in 0..(info & 0xffff) as usize {
            *budget = budget.checked_sub(1).ok_or_else(|| self.malformed(id))?;
            let entry = at + 12 + index * 12;
            let member = u32_at(&self.data, entry + 4)?;
            let raw = u32_at(&self.data, entry + 8)?;
            // With the kind flag, the upper byte is a bit-field's size.
            let offset = if info >> 31 == 1 { raw & 0x00ff_ffff } else { raw };
            let name_at = u32_at(&self.data, entry)?;
            if self.is_named(name_at, name) {
                return Ok(Some((offset, member)));
            }
            if name_at == 0
                && let Some((inner, found)) = self.member(self.resolve(member)?, name, depth + 1, budget)?
            {
                let offset = offset.checked_add(inner).ok_or_else(|| self.malformed(id))?;
                return Ok(Some((offset, found)));
            }
        }
        Ok(None)
    }

    /// Follows typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Result<u32, BtfError> {
        for _ in 0..32 {
            let Some(&at) = self.types.get(id as usize).filter(|_| id != 0) else { return Ok(id) };
            let info = u32_at(&self.data, at as usize + 4)?;
            match kind_of(info) {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::TYPE_TAG => {
                    id = u32_at(&self.data, at as usize + 8)?;
                }
                _ => return Ok(id),
            }
        }
        Ok(id)
    }

    /// The error of a type that makes no sense.
    fn malformed(&self, id: u32) -> BtfError {
        BtfError::Malformed(self.types.get(id as usize).map_or(0, |&at| at as usize))
    }

    fn is_named(&self, name_at: u32, name: &str) -> bool {
        let start = self.strings + name_at as usize;
        self.data.get(start..start + name.len()) == Some(name.as_bytes())
            && self.data.get(start + name.len()) == Some(&0)
    }
}

fn kind_of(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// Bytes behind the common part of a type.
fn trailing(info: u32) -> usize {
    let count = (info & 0xffff) as usize;
    match kind_of(info) {
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => count * 12,
        kind::ENUM | kind::FUNC_PROTO => count * 8,
        _ => 0,
    }
}

fn u32_at(data: &[u8], at: usize) -> Result<u32, BtfError> {
    let bytes = data.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_ne_bytes).ok_or(BtfError::Malformed(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose only type is a structure `sock` with so many anonymous members: itself, at the given bit offset.
    fn contains_itself(members: u32, offset: u32) -> Vec<u8> {
        let mut types = vec![1, kind::STRUCT << 24 | members, 4];
        types.extend((0..members).flat_map(|_| [0, 1, offset]));
        let len = 4 * types.len() as u32;
        let header = [u32::from(MAGIC) | 1 << 16, 24, 0, len, len, 6];
        let words = header.iter().chain(&types).flat_map(|word| word.to_ne_bytes());
        words.chain(*b"\0sock\0").collect()
    }

    #[test]
    fn a_structure_that_contains_itself_is_malformed() {
        for offset in [0, u32::MAX] {
            let types = KernelTypes::parse(contains_itself(1000, offset)).expect("a type");
            let found = types.member_offset("sock", &["sk_err"]);
            assert!(matches!(found, Err(BtfError::Malformed(24))), "{offset}");
        }
    }
}

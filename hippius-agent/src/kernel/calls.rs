//! Calls of the kernel's own functions (Documentation/bpf/kfuncs.rst). Each kernel numbers them otherwise, and aya does not
//! fill the numbers in.

use std::borrow::Cow;

use hippius_common::fields::{ABSENT, RDONLY_CAST_CALL};
use object::{Object, ObjectSection, SectionKind};

/// Size of `struct bpf_insn` (include/uapi/linux/bpf.h).
const INSTRUCTION_BYTES: usize = 8;
/// `BPF_JMP | BPF_CALL`
const CALL: u8 = 0x85;
/// The source register of a call of a helper, and of one of the kernel's functions, `BPF_PSEUDO_KFUNC_CALL`; it stands in
/// the upper half of the byte.
const HELPER: u8 = 0;
const KERNEL_FUNCTION: u8 = 2 << 4;

/// The object, calling `function`, a number among the kernel's types, where it was built to call `bpf_rdonly_cast`. As it
/// is where the kernel has none, for nothing leads to these calls then.
pub fn numbered(elf: &[u8], function: u32) -> Cow<'_, [u8]> {
    let places = if function == ABSENT { Vec::new() } else { places(elf) };
    if places.is_empty() {
        return Cow::Borrowed(elf);
    }
    let mut numbered = elf.to_vec();
    for place in places {
        if let Some([_, registers, _, _, number @ ..]) = numbered.get_mut(place..place + INSTRUCTION_BYTES) {
            *registers = KERNEL_FUNCTION;
            number.copy_from_slice(&function.to_le_bytes());
        }
    }
    Cow::Owned(numbered)
}

/// Where the calls stand. None in what is no object, of which the loader says so.
fn places(elf: &[u8]) -> Vec<usize> {
    let Ok(file) = object::File::parse(elf) else { return Vec::new() };
    let programs = file.sections().filter(|section| section.kind() == SectionKind::Text);
    programs.filter_map(|section| section.file_range()).flat_map(|range| places_in(elf, range)).collect()
}

fn places_in(elf: &[u8], (at, len): (u64, u64)) -> impl Iterator<Item = usize> {
    let (at, len) = (at as usize, len as usize);
    let instructions = elf.get(at..at.saturating_add(len)).unwrap_or_default().chunks_exact(INSTRUCTION_BYTES);
    instructions
        .enumerate()
        .filter(|(_, instruction)| is_cast(instruction))
        .map(move |(index, _)| at + index * INSTRUCTION_BYTES)
}

fn is_cast(instruction: &[u8]) -> bool {
    let number = RDONLY_CAST_CALL.to_le_bytes();
    matches!(instruction, [CALL, HELPER, 0, 0, rest @ ..] if rest == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::object::OBJECT;

    const BUILT: [u8; 8] = [0x85, 0, 0, 0, 0x01, 0x00, 0xff, 0x7f];

    #[test]
    fn all_calls_and_nothing_else_are_numbered() {
        let numbered = numbered(OBJECT, 0x0102_0304);
        assert_eq!(numbered.len(), OBJECT.len());
        let built: Vec<_> = memchr::memmem::find_iter(OBJECT, &BUILT).collect();
        assert!(!built.is_empty(), "the object calls the function");
        let changed = [0x85, 0x20, 0, 0, 0x04, 0x03, 0x02, 0x01];
        assert_eq!(memchr::memmem::find_iter(&numbered, &changed).collect::<Vec<_>>(), built);
        let differing = OBJECT.iter().zip(numbered.iter()).filter(|(one, other)| one != other).count();
        assert_eq!(differing, 5 * built.len());
    }

    #[test]
    fn without_the_function_the_object_stays_as_it_is() {
        assert!(matches!(numbered(OBJECT, ABSENT), Cow::Borrowed(_)));
        assert!(matches!(numbered(b"no object", 1), Cow::Borrowed(_)));
    }
}

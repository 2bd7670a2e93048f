//! Where the functions of OpenSSL stand in a file.

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, ReadRef, SectionIndex};

/// The functions that are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `SSL_read`
    Read,
    /// `SSL_write`
    Write,
    /// `SSL_read_ex`
    ReadEx,
    /// `SSL_write_ex`
    WriteEx,
    /// `SSL_do_handshake`
    Handshake,
    /// `SSL_set_connect_state`
    Connects,
    /// `SSL_set_accept_state`
    Accepts,
    /// `SSL_ctrl`
    Ctrl,
    /// `SSL_shutdown`
    Shutdown,
    /// `SSL_free`
    Free,
}

/// All, with their names, in the order in which they are probed: what ends a session comes first, so that nothing begins
/// that would not be seen to end.
pub const FUNCTIONS: [(Function, &str); 10] = [
    (Function::Free, "SSL_free"),
    (Function::Shutdown, "SSL_shutdown"),
    (Function::Handshake, "SSL_do_handshake"),
    (Function::Read, "SSL_read"),
    (Function::ReadEx, "SSL_read_ex"),
    (Function::Write, "SSL_write"),
    (Function::WriteEx, "SSL_write_ex"),
    (Function::Ctrl, "SSL_ctrl"),
    (Function::Connects, "SSL_set_connect_state"),
    (Function::Accepts, "SSL_set_accept_state"),
];

/// Whose files are probed: the programs read the registers of x86-64, and of no other processor.
const MACHINE: Option<u16> = if cfg!(target_arch = "x86_64") { Some(elf::EM_X86_64) } else { None };

/// Whether any file is probed on the processor that the agent is built for.
pub const ARE_PROBED: bool = MACHINE.is_some();

/// Why a file is not probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// No ELF file of this kind of processor, or a broken one.
    #[error("no readable ELF file for x86-64")]
    NotElf,
    /// Symbol tables larger than any known library's.
    #[error("its symbol table is larger than {} MiB", TABLE_BYTES >> 20)]
    TooLarge,
    /// No TLS library, or one that is linked into a program without its symbols.
    #[error("it has none of OpenSSL's functions")]
    None,
    /// BoringSSL, or an OpenSSL older than 1.1.1.
    #[error("it has no function {0}")]
    Lacks(&'static str),
}

/// Node's have 3 MiB each.
const TABLE_BYTES: u64 = 64 << 20;

/// Offsets in the file of all [`FUNCTIONS`], in their order.
///
/// Which library it is, is told by what only OpenSSL has: BoringSSL has no `SSL_read_ex`.
pub fn offsets<'data, R: ReadRef<'data>>(data: R) -> Result<Vec<(Function, u64)>, SymbolError> {
    let header = FileHeader64::<Endianness>::parse(data).map_err(|_| SymbolError::NotElf)?;
    let endian = header.endian().map_err(|_| SymbolError::NotElf)?;
    if Some(header.e_machine(endian)) != MACHINE {
        return Err(SymbolError::NotElf);
    }
    let segments = header.program_headers(endian, data).map_err(|_| SymbolError::NotElf)?;
    let sections = header.sections(endian, data).map_err(|_| SymbolError::NotElf)?;
    let mut found = [None; FUNCTIONS.len()];
    for kind in [elf::SHT_DYNSYM, elf::SHT_SYMTAB] {
        let Some(table) = sections.iter().find(|section| section.sh_type(endian) == kind) else { continue };
        let Ok(names) = sections.section(SectionIndex(table.sh_link(endian) as usize)) else { continue };
        if table.sh_size(endian).max(names.sh_size(endian)) > TABLE_BYTES {
            return Err(SymbolError::TooLarge);
        }
        let names = names.data(endian, data).map_err(|_| SymbolError::NotElf)?;
        let symbols: &[elf::Sym64<Endianness>] = table.data_as_array(endian, data).map_err(|_| SymbolError::NotElf)?;
        for symbol in symbols.iter().filter(|symbol| symbol.st_type() == elf::STT_FUNC) {
            // No search for the name's end: one table could make each of them long.
            let Some(index) = names.get(symbol.st_name(endian) as usize..).and_then(function_at) else { continue };
            let offset = file_offset(segments, endian, symbol.st_value(endian));
            if let (Some(place), Some(offset), false) = (found.get_mut(index), offset, symbol.is_undefined(endian)) {
                *place = Some(offset);
            }
        }
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    if found.iter().all(Option::is_none) {
        return Err(SymbolError::None);
    }
    let all = FUNCTIONS.iter().zip(found);
    all.map(|((function, name), offset)| Ok((*function, offset.ok_or(SymbolError::Lacks(name))?))).collect()
}

/// Which of [`FUNCTIONS`] is named by the bytes up to the first zero.
fn function_at(name: &[u8]) -> Option<usize> {
    name.strip_prefix(b"SSL_").and_then(|rest| {
        FUNCTIONS.iter().position(|(_, wanted)| {
            let wanted = wanted.as_bytes().get(4..).unwrap_or_default();
            rest.strip_prefix(wanted).is_some_and(|rest| rest.first() == Some(&0))
        })
    })
}

/// The kernel counts from the beginning of the file, symbols from where it is loaded.
fn file_offset(segments: &[elf::ProgramHeader64<Endianness>], endian: Endianness, address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let executable = segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian) & elf::PF_X != 0;
        let inside = address.checked_sub(segment.p_vaddr(endian))?;
        (executable && inside < segment.p_filesz(endian)).then(|| inside.checked_add(segment.p_offset(endian)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// binutils' own reading: address of each function, and of each executable segment its offset and address.
    fn by_readelf(file: &str, function: &str) -> Option<u64> {
        let run = |arguments: &[&str]| {
            let output = Command::new("readelf").args(arguments).arg(file).output().expect("readelf");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal");
        let symbols = run(&["-sW"]);
        let fields = symbols.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|fields| {
            fields.get(3) == Some(&"FUNC")
                && fields.get(6) != Some(&"UND")
                && fields.get(7).is_some_and(|name| name.split('@').next() == Some(function))
        })?;
        let address = hex(fields[1]);
        let segments = run(&["-lW"]);
        let loaded = segments.lines().filter(|line| line.trim_start().starts_with("LOAD") && line.contains(" E "));
        loaded
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .map(|fields| (hex(fields[1]), hex(fields[2]), hex(fields[4])))
            .find(|(_, start, size)| (*start..start + size).contains(&address))
            .map(|(offset, start, _)| address - start + offset)
    }

    fn mapped_by(program: &str) -> Option<String> {
        let output = Command::new("ldd").arg(program).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains("libssl.so"))?;
        line.split_whitespace().nth(2).map(str::to_owned)
    }

    #[test]
    fn offsets_are_those_of_binutils() {
        let library = mapped_by("/usr/bin/curl").expect("curl is linked with libssl");
        for file in [library.as_str(), "/usr/bin/node"] {
            let data = std::fs::read(file).expect(file);
            let found = offsets(&*data).expect(file);
            assert_eq!(found.len(), FUNCTIONS.len());
            for ((function, name), (found_function, offset)) in FUNCTIONS.iter().zip(found) {
                assert_eq!(*function, found_function);
                assert_eq!(Some(offset), by_readelf(file, name), "{file}: {name}");
            }
        }
    }

    #[test]
    fn what_is_no_openssl_is_refused_with_a_reason() {
        assert_eq!(offsets(&b"#!/bin/sh\n"[..]), Err(SymbolError::NotElf));
        let shell = std::fs::read("/bin/sh").expect("a shell");
        assert_eq!(offsets(&*shell), Err(SymbolError::None));
        for cut in [16, 64, 100, 1000, shell.len() / 2] {
            assert!(offsets(&shell[..cut]).is_err());
        }
    }
}

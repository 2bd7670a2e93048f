//! What a process is called.

/// `comm` and the name of the executable's file, as far as `/proc` tells.
pub fn names(pid: u32) -> (Option<String>, Option<String>) {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|text| text.trim_end().to_owned());
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let executable = executable.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    (comm, executable)
}

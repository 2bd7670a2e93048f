//! A wrong offset is caught at the start: each member of the table is shifted in turn, on the kernel at hand.
//! Needs the rights to load programs; without them it says so, and fails where `HIPPIUS_REQUIRE_BPF` is set.

use hippius_agent::kernel::backend::PREFERENCE;
use hippius_agent::kernel::btf::KernelTypes;
use hippius_agent::kernel::error::LoadError;
use hippius_agent::kernel::facts::Facts;
use hippius_agent::kernel::loader::{Probes, Settings, load_with, plans};
use hippius_agent::kernel::watch::Watch;
use hippius_common::fields::{ABSENT, FIELDS, Place};

/// No other field of the same meaning stands so far away. Smaller than any structure of the table.
const SHIFT: u32 = 8;

/// Only a 32-bit process would show `TASK_STATUS`, and the agent has none; the proof about the descriptor stands behind
/// it. Only a reset in the middle of a send call would show `SK_OWNED`; the audit of that connection stands behind it.
/// Behind `TASK_MM` stands `active_mm`, which is the same of a process that runs; behind `MM_ARG_END` stands where the
/// environment begins, which is the same place when a program begins. Behind `SIGNAL_LIVE` stands `quick_threads` (since
/// 6.0), which is 0 at the end of a process as well.
const EXCEPTIONS: [&str; 5] = ["TASK_STATUS", "SK_OWNED", "TASK_MM", "MM_ARG_END", "SIGNAL_LIVE"];

/// What capture works without, but not with a wrong value.
const OPTIONAL: [&str; 1] = ["SK_STORAGE"];

/// Whether a check that this machine cannot make is a failure.
fn is_required() -> bool {
    std::env::var_os("HIPPIUS_REQUIRE_BPF").is_some()
}

fn load(settings: &Settings, types: &KernelTypes, facts: &Facts) -> Result<Probes, LoadError> {
    load_with(settings, Watch::default, facts, plans(settings, types, facts))
}

#[test]
fn every_wrong_offset_is_caught() {
    let settings = Settings::default();
    let types = KernelTypes::of_running_kernel().expect("the kernel's BTF");
    let truth = Facts::of(&types).expect("the table");
    let mut tried = 0;
    for &backend in PREFERENCE {
        let settings = Settings { backend: Some(backend), ..settings };
        if let Err(error) = load(&settings, &types, &truth) {
            println!("skipped: {} does not work here: {error}", backend.name());
            continue;
        }
        let optional = |global| OPTIONAL.contains(&global) && truth.get("HAS_STORAGE") != 0;
        for field in FIELDS.iter().filter(|field| field.needed_by & backend.bit() != 0 || optional(field.global)) {
            let Place::Member(..) = field.place else { continue };
            if EXCEPTIONS.contains(&field.global) {
                continue;
            }
            let mut facts = truth.clone();
            facts.set(field.global, truth.get(field.global) + SHIFT);
            assert!(load(&settings, &types, &facts).is_err(), "{}: {}", backend.name(), field.global);
            tried += 1;
        }
    }
    assert!(tried > 0 || !is_required(), "no back-end works here");
}

/// What kernels before 6.2 lack may be missing on any: the self-check finds the same through the helpers.
#[test]
fn a_kernel_that_gives_no_types_to_addresses_is_read_by_helpers() {
    let types = KernelTypes::of_running_kernel().expect("the kernel's BTF");
    let mut facts = Facts::of(&types).expect("the table");
    facts.set("RDONLY_CAST", ABSENT);
    let settings = Settings::default();
    match load(&settings, &types, &facts) {
        Ok(_) => {}
        Err(error) if !is_required() => println!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    }
}

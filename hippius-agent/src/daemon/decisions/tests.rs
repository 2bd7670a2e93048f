use std::path::Path;

use hippius_common::started::{COMMAND_BYTES, EXECUTABLE_BYTES};

use super::*;
use crate::config::Surroundings;

fn config(clients: &str) -> Config {
    let around = Surroundings { folder: Path::new(""), environment: &|_| None };
    Config::parse(clients, Path::new("agent.toml"), &around).expect("a configuration")
}

fn run(started_ns: u64, tgid: u64) -> Run {
    Run { started_ns, tgid }
}

/// A program that `run` begins; the command line is `executable`'s and what stands behind it.
fn program(run: Run, comm: &str, executable: &str, command: &str) -> Program {
    let mut program = Program {
        started: Started { executes: 1, command_len: command.len() as u32, run, ..Started::default() },
        comm: [0; 16],
        command_held: command.len().min(COMMAND_BYTES) as u32,
        zero: 0,
        executable: [0; EXECUTABLE_BYTES],
        command: [0; COMMAND_BYTES],
    };
    program.comm[..comm.len()].copy_from_slice(comm.as_bytes());
    program.executable[..executable.len()].copy_from_slice(executable.as_bytes());
    let held = program.command_held as usize;
    program.command[..held].copy_from_slice(&command.as_bytes()[..held]);
    program
}

fn gone(_run: Run) -> Option<Vec<u8>> {
    None
}

const CURL: &str = "[[client]]\nname = \"c\"\nprocess = \"curl\"";
const WORKER: &str = "[[client]]\nname = \"w\"\ncommand = \"*worker.py*\"";

#[test]
fn a_process_is_meant_by_what_the_record_says() {
    for (clients, comm, executable, command, expected) in [
        (CURL, "curl", "curl", "curl\0-s\0", Decision::Client),
        (CURL, "wget", "wget", "wget\0curl\0", Decision::Other),
        (CURL, "c", "curl", "c\0", Decision::Client),
        (CURL, "curl", "", "x\0", Decision::Client),
        (WORKER, "python3", "python3.13", "python3\0/srv/worker.py\0--x\0", Decision::Client),
        (WORKER, "python3", "python3.13", "python3\0/srv/other.py\0", Decision::Other),
        (WORKER, "python3", "python3.13", "", Decision::Other),
    ] {
        let mut decisions = Decisions::default();
        decisions.executes(&config(clients), &program(run(1, 7), comm, executable, command), gone);
        assert_eq!(decisions.of(run(1, 7)), Some(expected), "{clients} {comm} {executable} {command}");
    }
}

#[test]
fn of_a_long_command_line_the_rest_is_looked_up_where_it_matters() {
    let long = format!("python3\0{}\0worker.py\0", "x".repeat(2 * COMMAND_BYTES));
    let of = |clients: &str, whole: Option<&str>| {
        let mut decisions = Decisions::default();
        let begins = program(run(1, 7), "python3", "python3.13", &long);
        decisions.executes(&config(clients), &begins, |_| whole.map(|text| text.as_bytes().to_vec()));
        decisions.of(run(1, 7)).expect("an answer")
    };
    assert_eq!(of(WORKER, Some(&long)), Decision::Client);
    assert_eq!(of(WORKER, Some("another\0worker.py\0")), Decision::Unknown, "the command line of something else");
    assert_eq!(of(WORKER, None), Decision::Unknown);
    assert_eq!(of(CURL, None), Decision::Other, "nobody asks for its command line");
    let both = format!("{WORKER}\n[[client]]\nname = \"p\"\nprocess = \"python3\"");
    assert_eq!(of(&both, None), Decision::Client, "its name is enough");
}

#[test]
fn what_comes_of_a_client_is_a_client() {
    let config = config(CURL);
    let mut decisions = Decisions::default();
    let from = |mut program: Program, from| {
        program.started.from = from;
        program
    };
    let forked = |run, from| Started { run, from, ..Started::default() };
    decisions.executes(&config, &program(run(1, 7), "curl", "curl", "curl\0"), gone);
    decisions.forked(&forked(run(2, 8), run(1, 7)));
    decisions.executes(&config, &from(program(run(3, 8), "sh", "sh", "sh\0"), run(2, 8)), gone);
    assert_eq!(decisions.of(run(3, 8)), Some(Decision::Client), "a child that runs another program");
    decisions.executes(&config, &program(run(4, 9), "sh", "sh", "sh\0"), gone);
    decisions.forked(&forked(run(5, 10), run(4, 9)));
    assert_eq!(decisions.of(run(5, 10)), Some(Decision::Other));
    decisions.executes(&config, &from(program(run(6, 10), "curl", "curl", "curl\0"), run(5, 10)), gone);
    assert_eq!(decisions.of(run(6, 10)), Some(Decision::Client), "what it becomes itself");
    assert_eq!(decisions.of(run(5, 10)), Some(Decision::Other), "and what it was stays what it was");
    decisions.forked(&forked(run(7, 11), run(0, 12)));
    assert_eq!(decisions.of(run(7, 11)), Some(Decision::Unknown), "nobody has told of the other one");
    assert_eq!([7, 8, 9, 10, 12].map(|tgid| decisions.is_client(tgid)), [true, true, false, true, false]);
    let answers = decisions.take_answers().expect("answers");
    assert_eq!(answers.clients, [run(1, 7), run(2, 8), run(3, 8), run(6, 10)]);
    assert_eq!(answers.others, [run(4, 9), run(5, 10), run(7, 11)]);
    assert_eq!(decisions.take_answers(), None);
}

#[test]
fn a_number_that_is_used_again_is_another_process() {
    let config = config(CURL);
    let mut decisions = Decisions::default();
    decisions.executes(&config, &program(run(1, 7), "curl", "curl", "curl\0"), gone);
    decisions.executes(&config, &program(run(9, 7), "wget", "wget", "wget\0"), gone);
    assert_eq!(decisions.of(run(1, 7)), Some(Decision::Client));
    assert_eq!(decisions.of(run(9, 7)), Some(Decision::Other));
    assert!(!decisions.is_client(7));
}

#[test]
fn the_oldest_answers_make_room() {
    let config = config(CURL);
    let mut decisions = Decisions::default();
    for at in 1..=KEPT as u64 + 2 {
        let comm = if at == 1 { "curl" } else { "wget" };
        decisions.executes(&config, &program(run(at, at), comm, comm, "x\0"), gone);
    }
    assert_eq!(decisions.of(run(1, 1)), None);
    assert_eq!(decisions.of(run(2, 2)), None);
    assert_eq!(decisions.of(run(3, 3)), Some(Decision::Other));
    // The kernel side has forgotten a client's question when it was answered.
    assert_eq!(decisions.take_answers().expect("answers").forgotten, [run(2, 2)]);
}

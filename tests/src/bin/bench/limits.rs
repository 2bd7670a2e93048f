//! What programs that do nothing cost on the tracepoints where the agent's are: no agent on them gets under it.

use std::ffi::CStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hippius_tests::bpf::DoNothing;
use hippius_tests::clients::raw::request;
use hippius_tests::processors::{on_processor, pin_tree};
use hippius_tests::stats::{Interval, trimmed_mean};
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::keep_alive::Client;
use crate::objects::{PROCESSORS, SIZE};
use crate::report::Row;
use crate::rounds::alternate;
use crate::throughput::{nginx, wrk};

const TRACEPOINTS: [&CStr; 2] = [c"sock_recv_length", c"sock_send_length"];
/// Objects from one attachment, or its end, to the next.
const OBJECTS: usize = 12;
/// Of those, the part at either end that is left out: what has waited for something.
const CUT: f64 = 0.2;
/// Whether the programs are attached: what grows or shrinks evenly hits both alike.
const ATTACHED: [bool; 4] = [false, true, true, false];

fn attach() -> Result<DoNothing> {
    DoNothing::attach(&TRACEPOINTS).context("tracepoints of the calls on sockets (Linux 6.3)")
}

pub fn saturation(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let pairs = alternate(
        effort.rounds,
        attach,
        |_| wrk(&nginx.server, "/k1", effort.run),
        |attached| {
            drop(attached);
            Ok(())
        },
    )?;
    let ratio = pairs.ratio(|rate| *rate).context("rounds")?;
    let what = "nginx 1 KiB keep-alive at saturation, programs that do nothing in the agent's place: requests/s";
    Ok(vec![Row::told(what, ratio.show(3))])
}

pub fn objects(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let request = request("GET", &format!("/files/{SIZE}"), &[]).into_bytes();
    pin_tree(nginx.server.process.pid(), PROCESSORS[0])?;
    let run = effort.run * effort.rounds as u32 * 4;
    let logarithms = on_processor(PROCESSORS[0], || by_turns(Client::connect(&nginx.server, &request)?, run))?;
    let ratio = Interval::of(&logarithms).context("rounds")?.map(f64::exp);
    let what = "10 MiB objects down, programs that do nothing in the agent's place and none by turns: objects/s";
    let note = format!("{} turns of {OBJECTS} objects", logarithms.len() * ATTACHED.len());
    Ok(vec![Row::told(what, format!("{}; {note}", ratio.show(4)))])
}

/// Logarithms of ratios, with the programs over without.
fn by_turns(mut client: Client<'_>, run: Duration) -> Result<Vec<f64>> {
    let mut logarithms = Vec::new();
    let start = Instant::now();
    client.exchange()?;
    while start.elapsed() < run {
        let mut logarithm = 0.0;
        for attached in ATTACHED {
            let programs = attached.then(attach).transpose()?;
            // The first finds the kernel's code as it was just changed.
            client.exchange()?;
            let seconds = (0..OBJECTS).map(|_| client.exchange()).collect::<Result<Vec<_>>>()?;
            let mean = trimmed_mean(seconds, CUT).context("nothing was timed")?.ln();
            logarithm += if attached { -mean } else { mean };
            drop(programs);
        }
        logarithms.push(logarithm / 2.0);
    }
    Ok(logarithms)
}

use hippius_agent::kernel::{loader, record::Record};
fn main() {
    let mut ports = [0u64; 1024];
    for p in std::env::args().skip(1) { let p: usize = p.parse().unwrap(); ports[p >> 6] |= 1 << (p & 63); }
    let t = std::time::Instant::now();
    let mut probes = loader::load(&Default::default(), &ports).unwrap_or_else(|e| { eprintln!("{e}"); std::process::exit(1) });
    eprintln!("loaded in {:?}", t.elapsed());
    let show = |tag: &str, b: &[u8]| { let r = Record::parse(b).unwrap(); let h = r.header;
        println!("{tag} kind={} flags={} cookie={} in={}@{} out={}@{} tgid={} port={} err={} k={}/{}\n   I {:?}\n   O {:?}\n   {:?}\n   {:?}", h.kind,h.flags,h.cookie,h.in_len,h.in_at,h.out_len,h.out_at,h.tgid,h.local_port,h.error,h.kernel_in,h.kernel_out,h.inbound,h.outbound, String::from_utf8_lossy(r.inbound), String::from_utf8_lossy(r.outbound)); };
    let mut since=0;
    loop {
        while let Some(item) = probes.ring.next() { show("REC", &item); }
        let mut ts = libc::timespec{tv_sec:0,tv_nsec:0}; unsafe{libc::clock_gettime(libc::CLOCK_MONOTONIC,&mut ts)};
        let n = probes.sweeper.sweep(since, |b| show("SWEEP", b)).unwrap();
        since = ts.tv_sec as u64*1000000000+ts.tv_nsec as u64;
        if n>0 {println!("torn {n}");}
        for (l,v) in probes.controls.losses() { if v>0 { println!("loss {l} {v}"); } }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

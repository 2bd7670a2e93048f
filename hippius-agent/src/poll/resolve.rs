//! Names to addresses, without the runtime's threads.
//!
//! `getaddrinfo` can hang for as long as the name server likes. Each target has at most one lookup under way, on a
//! thread of its own that the runtime does not know; a poll whose time is over leaves it there, and the next poll goes
//! on waiting for the same one.

use super::source::Reason;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// `getaddrinfo` wants more than the smallest stack, less than the default one.
const STACK_BYTES: usize = 256 * 1024;

type Found = Option<Result<Vec<SocketAddr>, Reason>>;

/// Looks up one name.
#[derive(Debug, Clone)]
pub struct Resolver {
    host: Arc<str>,
    port: u16,
    /// The lookup that has not ended yet.
    under_way: Arc<Mutex<Option<watch::Receiver<Found>>>>,
}

impl Resolver {
    /// For this host (a name or an address) and port.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Self { host: host.into(), port, under_way: Arc::default() }
    }

    /// Its addresses now. May be dropped at any time.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>, Reason> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![(address, self.port).into()]);
        }
        let mut lookup = self.lookup()?;
        // The sender is gone without an answer only if its thread could not send one.
        let found = lookup
            .wait_for(Option::is_some)
            .await
            .map_or(Err(Reason::Dns), |found| found.clone().unwrap_or(Err(Reason::Dns)));
        *self.under_way.lock().unwrap_or_else(PoisonError::into_inner) = None;
        found
    }

    fn lookup(&self) -> Result<watch::Receiver<Found>, Reason> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lookup) = under_way.as_ref() {
            return Ok(lookup.clone());
        }
        let (sender, receiver) = watch::channel(None);
        let (host, port) = (Arc::clone(&self.host), self.port);
        let thread = std::thread::Builder::new().name("resolve".to_owned()).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            let found = (&*host, port).to_socket_addrs().map(|addresses| addresses.collect()).map_err(|_| Reason::Dns);
            // Nobody waits any more where the target is gone.
            let _ = sender.send(Some(found));
        });
        started.map_err(|_| Reason::Dns)?;
        *under_way = Some(receiver.clone());
        Ok(receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_need_no_lookup_and_names_get_one() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:7"), ("[::1]", "[::1]:7"), ("::1", "[::1]:7")] {
            let found = Resolver::new(host, 7).addresses().await.expect("an address");
            assert_eq!(found, [expected.parse().expect("an address")]);
        }
        let local = Resolver::new("localhost", 7);
        assert!(local.addresses().await.expect("localhost").iter().all(|address| address.ip().is_loopback()));
        assert!(local.under_way.lock().expect("no panic").is_none());
        assert_eq!(Resolver::new("no-such-host.invalid", 7).addresses().await, Err(Reason::Dns));
    }
}

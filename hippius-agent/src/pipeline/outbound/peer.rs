//! What the other end of a connection is called.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hippius_common::flow::Connected;

/// Address and port.
pub fn name(connected: &Connected) -> Arc<str> {
    let address = Ipv6Addr::from(connected.address).to_canonical();
    SocketAddr::new(address, connected.port).to_string().into()
}

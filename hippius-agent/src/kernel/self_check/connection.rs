//! The two connections of the self-check, and what is true of each.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Nothing here waits for anybody but this process.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// Body bytes that the server reads of the second connection's request.
const READ_BYTES: usize = 40;
/// Body bytes that it leaves.
const UNREAD_BYTES: usize = 60;
/// Body bytes that it announces: more than any socket buffer takes.
const ANNOUNCED_BYTES: u64 = 1 << 30;

/// What is true of a connection.
pub struct Truth {
    /// What it is called.
    pub name: &'static str,
    /// Address of the server's side (`getsockname`).
    pub server: SocketAddr,
    /// Cookie of the server's side (`SO_COOKIE`).
    pub cookie: u64,
    /// Port of the client's side.
    pub client_port: u16,
    /// Cookie of the client's side.
    pub client_cookie: u64,
    /// Head of the request.
    pub request: Vec<u8>,
    /// Head of the response.
    pub response: Vec<u8>,
    /// Bytes that the server read.
    pub received: u64,
    /// Bytes that the kernel accepted from the server.
    pub sent: u64,
    /// Bytes that the kernel accepted from the client.
    pub asked: u64,
    /// Bytes that the client read.
    pub answered: u64,
    /// The client sent a FIN.
    pub peer_ended: bool,
    /// How it ended, an `errno`.
    pub error: u16,
    /// The kernel counts its bytes, too.
    pub audited: bool,
}

/// A request, its response, a FIN each way.
pub fn in_order(watch: &mut dyn FnMut(u16) -> io::Result<()>) -> io::Result<Truth> {
    let (client, server) = pair(Ipv4Addr::LOCALHOST.into(), watch)?;
    talk("connection", client, server)
}

/// The same on a connection that is there before it is watched, over IPv6 where there is such.
pub fn opened_before(watch: &mut dyn FnMut(u16) -> io::Result<()>) -> io::Result<Truth> {
    let unwatched = &mut |_| Ok(());
    let pair = pair(Ipv6Addr::LOCALHOST.into(), unwatched).or_else(|_| pair(Ipv4Addr::LOCALHOST.into(), unwatched));
    let (client, server) = pair?;
    watch(server.local_addr()?.port())?;
    talk("connection that was open before", client, server)
}

pub fn talk(name: &'static str, mut client: TcpStream, mut server: TcpStream) -> io::Result<Truth> {
    let mut truth = truth(name, &client, &server)?;
    let number = truth.cookie;
    truth.request = format!("GET /self-check/{number:016x} HTTP/1.1\r\nHost: self-check\r\n\r\n").into_bytes();
    truth.response = format!("HTTP/1.1 200 OK\r\nX-Number: {number:016x}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    // Cut, so that the second call goes on with what the first began.
    let (first, second) = truth.request.split_at(16);
    client.write_all(first)?;
    read(&mut server, first.len())?;
    client.write_all(second)?;
    read(&mut server, second.len())?;
    server.write_all(&truth.response)?;
    read(&mut client, truth.response.len())?;
    drop(client);
    // Waits for the FIN.
    server.read_exact(&mut [0]).err();
    truth.received = truth.request.len() as u64;
    truth.sent = truth.response.len() as u64;
    (truth.asked, truth.answered) = (truth.received, truth.sent);
    truth.peer_ended = true;
    Ok(truth)
}

/// The client resets while bytes lie unread in the server's queue, and unsent in its buffer.
pub fn reset(watch: &mut dyn FnMut(u16) -> io::Result<()>) -> io::Result<Truth> {
    let (mut client, mut server) = pair(Ipv4Addr::LOCALHOST.into(), watch)?;
    let mut truth = truth("connection that is reset", &client, &server)?;
    let body = READ_BYTES + UNREAD_BYTES;
    truth.request = format!("PUT /self-check HTTP/1.1\r\nContent-Length: {body}\r\n\r\n").into_bytes();
    truth.response = format!("HTTP/1.1 200 OK\r\nContent-Length: {ANNOUNCED_BYTES}\r\n\r\n").into_bytes();
    client.write_all(&[truth.request.as_slice(), &vec![b'x'; body]].concat())?;
    read(&mut server, truth.request.len() + READ_BYTES)?;
    truth.received = (truth.request.len() + READ_BYTES) as u64;
    truth.asked = (truth.request.len() + body) as u64;
    server.write_all(&truth.response)?;
    truth.sent = truth.response.len() as u64;
    server.set_nonblocking(true)?;
    let block = [0; 16 << 10];
    loop {
        match server.write(&block) {
            Ok(written) => truth.sent += written as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    // A close with a time of zero is a reset.
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set(&client, libc::SO_LINGER, &linger)?;
    drop(client);
    truth.error = libc::ECONNRESET as u16;
    Ok(truth)
}

/// A connection over `address` that is watched from before its handshake on.
fn pair(address: IpAddr, watch: &mut dyn FnMut(u16) -> io::Result<()>) -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((address, 0))?;
    // Handed down to accepted sockets: what the server may have unsent stays small.
    set(&listener, libc::SO_SNDBUF, &(64i32 << 10))?;
    let address = listener.local_addr()?;
    watch(address.port())?;
    let client = TcpStream::connect_timeout(&address, TIMEOUT)?;
    accept(&listener, client)
}

/// The other end of this connection.
pub fn accept(listener: &TcpListener, client: TcpStream) -> io::Result<(TcpStream, TcpStream)> {
    let ours = client.local_addr()?;
    loop {
        let (server, peer) = listener.accept()?;
        // Somebody else may have been quicker.
        if peer == ours {
            for socket in [&client, &server] {
                socket.set_read_timeout(Some(TIMEOUT))?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                socket.set_nodelay(true)?;
            }
            return Ok((client, server));
        }
    }
}

fn truth(name: &'static str, client: &TcpStream, server: &TcpStream) -> io::Result<Truth> {
    Ok(Truth {
        name,
        server: server.local_addr()?,
        cookie: cookie(server)?,
        client_port: client.local_addr()?.port(),
        client_cookie: cookie(client)?,
        request: Vec::new(),
        response: Vec::new(),
        received: 0,
        sent: 0,
        asked: 0,
        answered: 0,
        peer_ended: false,
        error: 0,
        audited: true,
    })
}

/// The kernel's number of a socket (`SO_COOKIE`).
pub fn cookie(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut cookie = 0u64;
    let mut len = size_of::<u64>() as libc::socklen_t;
    // SAFETY: both pointers are valid for the call, and `len` is the size of what the first points to.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_COOKIE, (&raw mut cookie).cast(), &raw mut len)
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

fn read(socket: &mut TcpStream, len: usize) -> io::Result<()> {
    socket.read_exact(&mut vec![0; len])
}

fn set<T>(socket: &impl AsRawFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer is valid for the call, and `len` is the size of what it points to.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, std::ptr::from_ref(value).cast(), len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

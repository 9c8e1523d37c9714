//! Addresses, bound before anything else is touched and listened on only when all is ready.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::config::ListenAddress;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// An address that is ours. Nobody can connect yet.
#[derive(Debug)]
pub struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error("{0} is taken by another program; stop that, or listen elsewhere")]
    Taken(SocketAddr),
    /// A port below 1024 without the right.
    #[error("listening on {0} needs a privilege this user does not have; ports from 1024 on need none")]
    Denied(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

impl BindError {
    fn new(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken(address),
            io::ErrorKind::PermissionDenied => Self::Denied(address),
            _ => Self::Other(address, error),
        }
    }
}

impl Bound {
    /// Binds the first of the address's candidates that is an address of the host.
    ///
    /// # Errors
    /// When it is taken, not allowed, or not one of this machine.
    pub fn new(address: ListenAddress) -> Result<Self, BindError> {
        let candidates = address.candidates();
        let mut last = None;
        for candidate in candidates {
            match try_bind(candidate) {
                Ok(bound) => return Ok(bound),
                // The machine has no IPv6: the next candidate is IPv4.
                Err(error) if is_missing_family(&error) => last = Some(BindError::new(candidate, error)),
                Err(error) => return Err(BindError::new(candidate, error)),
            }
        }
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Err(last.unwrap_or_else(|| BindError::new(nowhere, io::ErrorKind::AddrNotAvailable.into())))
    }

    /// The address, with the port that was chosen when port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets others connect.
    ///
    /// # Errors
    /// When another program began to listen there in the meantime.
    pub fn listen(self) -> Result<TcpListener, BindError> {
        let address = self.address;
        self.socket.listen(BACKLOG).map_err(|error| BindError::new(address, error))
    }
}

fn try_bind(address: SocketAddr) -> Result<Bound, io::Error> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart does not wait for the connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok(Bound { socket, address })
}

fn is_missing_family(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_and_port_0_takes_a_free_one() {
        let listening = Bound::new(ListenAddress::loopback(0)).unwrap().listen().unwrap();
        let port = listening.local_addr().unwrap().port();
        assert_ne!(port, 0);
        let error = match Bound::new(ListenAddress::loopback(port)) {
            Ok(_) => panic!("bound twice"),
            Err(error) => error.to_string(),
        };
        assert_eq!(error, format!("127.0.0.1:{port} is taken by another program; stop that, or listen elsewhere"));
    }

    #[tokio::test]
    async fn every_address_takes_ipv4_connections() {
        let listener = Bound::new(ListenAddress::everywhere(0)).unwrap().listen().unwrap();
        let port = listener.local_addr().unwrap().port();
        let connecting = tokio::net::TcpStream::connect(("127.0.0.1", port));
        let (accepted, connected) = tokio::join!(listener.accept(), connecting);
        accepted.unwrap();
        connected.unwrap();
    }
}

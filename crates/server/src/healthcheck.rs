//! `livetape healthcheck`: asks a running recorder whether it is healthy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the recorder may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `GET /healthz` at `address`; the status line when it is 200.
///
/// # Errors
/// When there is no answer in time or it is another one.
pub fn ask(address: SocketAddr) -> Result<String, io::Error> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    // Only the status line matters, and it is short.
    let mut status = String::new();
    BufReader::new(stream.take(256)).read_line(&mut status)?;
    let status = status.trim_end().to_owned();
    match status.split(' ').nth(1) {
        Some("200") => Ok(status),
        _ => Err(io::Error::other(format!("{address} answered: {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn answered(reply: &'static str) -> Result<String, io::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /healthz "));
            stream.write_all(reply.as_bytes()).unwrap();
        });
        let result = ask(address);
        server.join().unwrap();
        result
    }

    #[test]
    fn only_a_200_is_healthy() {
        assert_eq!(answered("HTTP/1.1 200 OK\r\n\r\n").unwrap(), "HTTP/1.1 200 OK");
        assert!(answered("HTTP/1.1 503 Service Unavailable\r\n\r\n").is_err());
        assert!(answered("").is_err());
    }
}

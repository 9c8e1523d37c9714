//! A bad network between publishers and the program: connections that freeze, break, or crawl.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the network does to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It passes everything.
    Fair,
    /// Nothing arrives any more at the program's side, which is not told; the publisher's side is closed.
    HalfOpen,
    /// It is reset at both sides, in the middle of whatever is on its way.
    Broken,
    /// A few bytes at a time.
    Crawling,
}

/// The network.
pub struct Proxy {
    /// Where publishers connect to.
    pub address: SocketAddr,
    links: Arc<Mutex<Vec<Link>>>,
}

struct Link {
    weather: Arc<Mutex<Weather>>,
    near: TcpStream,
    far: TcpStream,
}

impl Proxy {
    /// In front of `server`.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let links: Arc<Mutex<Vec<Link>>> = Arc::default();
        let all = links.clone();
        thread::spawn(move || {
            for near in listener.incoming().filter_map(Result::ok) {
                let Ok(far) = TcpStream::connect(server) else { continue };
                let weather = Arc::new(Mutex::new(Weather::Fair));
                let (here, there) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let seen = weather.clone();
                thread::spawn(move || carry(&here, &there, &seen));
                let (here, there) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                let seen = weather.clone();
                thread::spawn(move || carry(&here, &there, &seen));
                all.lock().unwrap().push(Link { weather, near, far });
            }
        });
        Self { address, links }
    }

    /// How many connections there have been.
    pub fn count(&self) -> usize {
        self.links.lock().unwrap().len()
    }

    /// From now on this connection has this weather.
    pub fn set(&self, number: usize, weather: Weather) {
        let links = self.links.lock().unwrap();
        let link = &links[number];
        *link.weather.lock().unwrap() = weather;
        match weather {
            // The publisher sees its end and comes back; the program sees nothing.
            Weather::HalfOpen => _ = link.near.shutdown(Shutdown::Both),
            Weather::Broken => {
                for side in [&link.near, &link.far] {
                    let _ = side.shutdown(Shutdown::Both);
                }
            }
            Weather::Fair | Weather::Crawling => {}
        }
    }
}

/// Carries bytes one way until there are no more.
fn carry(mut from: &TcpStream, mut to: &TcpStream, weather: &Mutex<Weather>) {
    let mut buffer = [0; 16 << 10];
    loop {
        let now = *weather.lock().unwrap();
        let most = if now == Weather::Crawling { 700 } else { buffer.len() };
        match from.read(&mut buffer[..most]) {
            Ok(count) if count > 0 => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            _ => break,
        }
        if now == Weather::Crawling {
            thread::sleep(Duration::from_millis(20));
        }
    }
    if *weather.lock().unwrap() != Weather::HalfOpen {
        let _ = to.shutdown(Shutdown::Write);
    }
}

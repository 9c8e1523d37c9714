//! Under which circumstances the program is started.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::place;

/// What is around the program: wrappers, environment, places.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    wrapper: Vec<String>,
    environment: Vec<(String, String)>,
    addresses: Option<[SocketAddr; 2]>,
    pub(super) data: Option<PathBuf>,
}

impl Launch {
    /// By this program and its arguments, which must become the program itself (as `prlimit` does) or
    /// leave it its own process (as `strace -D`).
    #[must_use]
    pub fn by<S: Into<String>>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// With this environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// With its data in this directory.
    #[must_use]
    pub fn data(mut self, directory: &Path) -> Self {
        self.data = Some(directory.to_owned());
        self
    }

    /// At the same addresses at every start, so that publishers find it again.
    #[must_use]
    pub fn at_fixed_addresses(mut self) -> Self {
        self.addresses = Some([free_address(), free_address()]);
        self
    }

    /// With RTMP on another of this host's addresses, one that no two tests share.
    #[must_use]
    pub fn listening_on(mut self, address: IpAddr) -> Self {
        let [_, http] = self.addresses.unwrap_or([SocketAddr::from(([127, 0, 0, 1], 0)); 2]);
        self.addresses = Some([SocketAddr::new(address, 0), http]);
        self
    }

    pub(super) fn command(&self) -> Command {
        let mut words = self.wrapper.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(place::livetape());
                command
            }
            None => Command::new(place::livetape()),
        };
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let [rtmp, http] = self.addresses.unwrap_or([anywhere; 2]);
        command.env("LIVETAPE__RTMP__LISTEN", rtmp.to_string()).env("LIVETAPE__HTTP__LISTEN", http.to_string());
        command
    }
}

/// An address of this host that nobody has, below those the kernel gives to clients.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let place = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id() * 97;
        let address = SocketAddr::from(([127, 0, 0, 1], 12_000 + (place % 20_000) as u16));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

//! What only root may do: mounting a small disk, cutting a network. Where the tests do not run as root,
//! `sudo` does it, if it asks for no password.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::program::succeed;

/// The command as root.
pub fn as_root(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", program]);
    sudo
}

/// A small disk in memory, unmounted when dropped.
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// A new one of this size.
    pub fn mount(bytes: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("livetape-disk-").tempdir().unwrap();
        let mut mount = as_root("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0777"), "livetape-test"]);
        succeed(mount.arg(directory.path()));
        Self { directory }
    }

    /// A directory on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How many bytes are free.
    pub fn free(&self) -> u64 {
        let space = rustix::fs::statvfs(self.directory.path()).unwrap();
        space.f_bavail * space.f_frsize
    }

    /// Fills it up until only so many bytes are free.
    pub fn fill_up_to(&self, free: u64) {
        let file = fs::OpenOptions::new().create(true).append(true).open(self.path("ballast"));
        let bytes = vec![1; self.free().saturating_sub(free) as usize];
        // Others write at the same time: what no longer fits is full as well.
        let _ = file.unwrap().write_all(&bytes);
    }

    /// Gives back what was filled up.
    pub fn heal(&self) {
        fs::remove_file(self.path("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, for a program that still looks at it.
        let _ = as_root("umount").arg("--lazy").arg(self.directory.path()).status();
    }
}

/// A network of two: this host, and a namespace in which a publisher can be run; the cable between
/// them can be pulled. Gone when dropped.
pub struct Cable {
    name: String,
    /// The host's address on it.
    pub here: IpAddr,
}

impl Cable {
    /// A new one.
    pub fn lay() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 8;
        // The host's side and the other's, of 198.18.0.0/15, which is for such tests.
        let (name, net) = (format!("lt{}", number % 100_000), number % 16_000);
        let address = |host: u32| format!("198.18.{}.{}", net / 63, (net % 63) * 4 + host);
        let (here, there) = (address(1), address(2));
        let cable = Self { here: here.parse().unwrap(), name: name.clone() };
        let far = format!("{name}b");
        for words in [
            format!("netns add {name}"),
            format!("link add {name}a type veth peer name {far}"),
            format!("link set {far} netns {name}"),
            format!("address add {here}/30 dev {name}a"),
            format!("link set {name}a up"),
            format!("-netns {name} address add {there}/30 dev {far}"),
            format!("-netns {name} link set {far} up"),
        ] {
            ip(&words);
        }
        cable
    }

    /// The command, run at the other end.
    pub fn at_the_other_end(&self, command: &Command) -> Command {
        let mut there = as_root("ip");
        there.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        there
    }

    /// Pulls it: nothing arrives any more, and nobody is told.
    pub fn pull(&self) {
        ip(&format!("link set {}a down", self.name));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for words in [format!("link delete {}a", self.name), format!("netns delete {}", self.name)] {
            let _ = as_root("ip").args(words.split(' ')).status();
        }
    }
}

fn ip(words: &str) {
    succeed(as_root("ip").args(words.split(' ')));
}

/// Where Debian's `faketime` keeps the library that shows a process another clock.
pub fn faketime() -> PathBuf {
    let found = ["x86_64-linux-gnu", "aarch64-linux-gnu"].iter().find_map(|machine| {
        let path = Path::new("/usr/lib").join(machine).join("faketime/libfaketimeMT.so.1");
        path.exists().then_some(path)
    });
    found.expect("libfaketime is missing: run `cargo xtask setup`")
}

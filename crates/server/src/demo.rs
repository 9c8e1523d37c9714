//! `livetape demo`: pushes a bundled sample to the service by a real RTMP connection, and shows
//! what becomes of it.

mod publish;
mod watch;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use livetape_catalog::Catalog;

use crate::config::ListenAddress;
use crate::live::Live;
use crate::serve::Addresses;

/// What is pushed: see `fixtures/README.md`.
const SAMPLE: &[u8] = include_bytes!("../../../fixtures/sample.flv");
/// How long it is pushed.
const LENGTH: Duration = Duration::from_secs(10);
/// Where it is pushed to.
const APP: &str = "live";
/// The stream's name.
const STREAM: &str = "demo";

/// How the demonstration is run.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// The service ends with it.
    pub exit_when_done: bool,
}

/// Pushes the sample and shows what happens. Ends only when something went wrong, or when the
/// service shall end with it.
///
/// # Errors
/// When the sample could not be pushed or did not become three recordings.
pub async fn run(demo: Demo, addresses: Addresses, catalog: Catalog, live: Live) -> Result<(), anyhow::Error> {
    let rtmp = reachable(addresses.rtmp);
    println!("Livetape is running. Pushing a sample to rtmp://{rtmp}/{APP}/{STREAM} for {} s ...\n", LENGTH.as_secs());
    let mut watch = watch::Watch::begin(catalog, live).await?;
    let publishing = tokio::spawn(publish::publish(rtmp, APP, STREAM, SAMPLE, LENGTH));
    watch.until_ready(publishing).await?;
    print!("\n{}", how_to_push(&addresses));
    if demo.exit_when_done {
        return Ok(());
    }
    println!("Press Ctrl-C to stop.");
    std::future::pending().await
}

/// What to do next, for a person at a terminal.
pub fn how_to_push(addresses: &Addresses) -> String {
    let rtmp = reachable(addresses.rtmp);
    let base = &addresses.public_base;
    format!(
        "Push a stream of your own:\n\
         \x20 ffmpeg   ffmpeg -re -i INPUT -c:v libx264 -c:a aac -f flv rtmp://{rtmp}/live/NAME\n\
         \x20 OBS      Settings > Stream > Service: Custom, Server: rtmp://{rtmp}/live, Stream Key: NAME\n\
         See what is there:\n\
         \x20 live       {base}/v1/streams\n\
         \x20 recorded   {base}/v1/recordings\n\
         \x20 announced  {base}/v1/events\n"
    )
}

/// An address by which this machine reaches what listens on `address`.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        // Every address of the machine, IPv4 too.
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip == Ipv6Addr::LOCALHOST => ip.into(),
        ip => ip.to_canonical(),
    };
    SocketAddr::new(ip, address.port())
}

/// Whether nobody listens on `address` yet.
pub fn is_free(address: ListenAddress) -> bool {
    let free = |address: SocketAddr| match TcpListener::bind(address) {
        Ok(_) => true,
        // Anything else will be told by the service itself.
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    };
    address.candidates().into_iter().all(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_free() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(!is_free(ListenAddress::loopback(port)));
        assert!(is_free(ListenAddress::loopback(0)));
    }

    #[test]
    fn what_listens_everywhere_is_reached_by_loopback() {
        for (listening, reached) in [
            ("0.0.0.0:1935", "127.0.0.1:1935"),
            ("[::]:1935", "127.0.0.1:1935"),
            ("[::1]:1", "[::1]:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn the_sample_is_whole_and_has_sound_and_pictures() {
        let tags: Vec<_> = livetape_flv::Tags::of(SAMPLE.into()).unwrap().collect::<Result<_, _>>().unwrap();
        for kind in [livetape_flv::TagKind::Audio, livetape_flv::TagKind::Video] {
            assert!(tags.iter().filter(|tag| tag.kind == kind).count() > 100);
        }
        assert!(SAMPLE.len() < 1 << 20);
    }
}

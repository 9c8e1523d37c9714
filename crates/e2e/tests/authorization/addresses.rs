//! Addresses that may push, and addresses that may not even connect.

use livetape_testkit::deadline::eventually;
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Publisher};

use super::{DENIED, STARTED, answered, denied};

#[test]
fn an_address_that_may_not_push_is_told_so() {
    let livetape = Livetape::start(&Settings::new().set("push.allow", "[\"192.0.2.0/24\", \"2001:db8::/32\"]"));
    assert_eq!(answered(&livetape, "cam"), (DENIED.to_owned(), "this address may not publish".to_owned()));
    assert_eq!(denied(&livetape, "address"), 1);
    let livetape = Livetape::start(&Settings::new().set("push.allow", "[\"127.0.0.1\"]"));
    assert_eq!(answered(&livetape, "cam").0, STARTED);
}

#[test]
fn connections_of_an_address_that_is_shut_out_are_closed_at_once_and_told_by_their_number() {
    let livetape = Livetape::start(&Settings::new().set("push.deny", "[\"127.0.0.0/8\"]"));
    for _ in 0..50 {
        assert!(Publisher::try_publish(livetape.rtmp, "live", "cam").is_err());
    }
    let counted = "livetape_rtmp_connections_total{result=\"denied_address\"} 50";
    eventually("all are counted", || match livetape.metrics() {
        metrics if metrics.contains(counted) => Ok(()),
        metrics => Err(metrics),
    });
    let lines = livetape.log().iter().filter(|line| line.contains("push.deny")).count();
    assert!((1..5).contains(&lines), "{lines} lines for 50 connections");
}

#[test]
fn whoever_can_connect_may_push_is_said_at_the_start_only_where_it_is_so() {
    let open = "everybody who can reach";
    let everywhere = livetape_testkit::Launch::default().listening_on([0, 0, 0, 0].into());
    let warned = |settings: &Settings| {
        let livetape = Livetape::start_as(settings, everywhere.clone());
        livetape.log().iter().filter(|line| line.contains(open)).count()
    };
    assert_eq!(warned(&Settings::new()), 1);
    assert_eq!(warned(&Settings::new().set("push.allow", "[\"10.0.0.0/8\"]")), 0);
    let token = super::settings("token").set("push.token", "\"one-token-one-token\"");
    assert_eq!(warned(&token), 0);
    let livetape = Livetape::start(&Settings::new());
    assert!(!livetape.log().iter().any(|line| line.contains(open)), "on loopback");
}

//! SIGHUP: the configuration is read anew while streams go on.

use std::fs;
use std::net::TcpStream;

use livetape_testkit::deadline::eventually;
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Publisher, clip, flv};
use rustix::process::Signal;

const FIRST: &str = "first-token-first-token";
const SECOND: &str = "second-token-second-token";

fn settings(http_token: &str) -> Settings {
    Settings::new()
        .formats(&["flv"])
        .set("rtmp.listen", "\"127.0.0.1:0\"")
        .set("http.listen", "\"127.0.0.1:0\"")
        .set("http.token", &format!("\"{http_token}\""))
}

/// Writes the configuration anew, tells the program, and waits until it says this.
fn reload(livetape: &Livetape, text: &str, said: &str) -> String {
    let before = livetape.log().len();
    fs::write(livetape.data().with_file_name("livetape.toml"), text).unwrap();
    livetape.signal(Signal::HUP);
    eventually(format!("it says {said}"), || {
        let log = livetape.log();
        let new = log.get(before..).unwrap_or_default();
        new.iter().find(|line| line.contains(said)).cloned().ok_or_else(|| new.join("\n"))
    })
}

fn status(livetape: &Livetape, token: &str) -> u16 {
    livetape.http.get_with("/v1/recordings", &[("authorization", &format!("Bearer {token}"))]).status
}

#[test]
fn tokens_and_addresses_change_at_a_hangup_and_what_is_wrong_changes_nothing() {
    let livetape = Livetape::start(&settings(FIRST));
    assert_eq!([FIRST, SECOND].map(|token| status(&livetape, token)), [200, 401]);
    let tags = flv::tags(&clip::plain());
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "goes-on");
    let (first, rest) = tags.split_at(tags.len() / 2);
    publisher.tags(first);

    let shut = settings(SECOND).set("push.deny", "[\"127.0.0.0/8\"]").set("log.level", "\"warn,audit=info\"");
    let said = reload(&livetape, &shut.to_toml(), "need a restart");
    assert!(said.contains("log") && !said.contains("http"), "{said}");
    eventually("the new token is good", || match [FIRST, SECOND].map(|token| status(&livetape, token)) {
        [401, 200] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // Whoever comes now is shut out.
    eventually("connections are closed at once", || {
        use std::io::Read as _;
        let mut stream = TcpStream::connect(livetape.rtmp).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        match stream.read(&mut [0]) {
            Ok(0) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });

    for (wrong, why) in [
        ("[http]\ntoken = 5\n".to_owned(), "a secret is text"),
        (settings(FIRST).set("push.deny", "[\"everybody\"]").to_toml(), "push.deny"),
        (settings(FIRST).set("push.authorization", "\"signed\"").to_toml(), "push.key"),
    ] {
        let said = reload(&livetape, &wrong, "the configuration before stays in force");
        assert!(said.contains(why) || said.contains("everybody"), "{said}");
        assert_eq!([FIRST, SECOND].map(|token| status(&livetape, token)), [401, 200], "{said}");
    }

    // What was published before went on all the time.
    publisher.tags(rest);
    publisher.finish("goes-on");
    reload(&livetape, &settings(FIRST).to_toml(), "the configuration is read anew");
    let fields = [("authorization", &*format!("Bearer {FIRST}"))];
    let ready = eventually("one recording", || {
        let items = livetape.http.get_with("/v1/recordings?state=ready", &fields).json()["items"].clone();
        if items.as_array().is_some_and(|items| items.len() == 1) { Ok(items) } else { Err(items.to_string()) }
    });
    assert!(ready[0]["duration_ms"].as_i64().unwrap() > 9_000, "{ready}");
    let mut again = Publisher::publish(livetape.rtmp, "live", "welcome-again");
    again.tags(&tags);
    again.finish("welcome-again");
}

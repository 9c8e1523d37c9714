//! A Ceph of one node: a monitor, an OSD in a file and a radosgw, with authentication, on this machine's loopback and on
//! ports that nobody uses, in the clear and behind TLS, with one bucket. It is the real S3 service that the store is
//! tested against.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{Outcome, command, quietly, step};
use crate::server::{Server, Variables, free_ports, stop};
use crate::setup;

const KIND: &str = "ceph";
/// The only user of the S3 service.
const ACCESS_KEY: &str = "test";
const SECRET_KEY: &str = "testtest12";
const BUCKET: &str = "livetape-test";
const REGION: &str = "us-east-1";
/// The file with the authority that vouches for the service's certificate.
const AUTHORITY: &str = "authority.pem";
/// How long a command of Ceph's may take, in seconds: some wait for ever when something is amiss.
const COMMAND_SECONDS_MAX: &str = "60";

/// A Ceph that answers. Its processes and its data go when it is dropped, unless it is to stay.
pub(crate) struct Ceph {
    server: Server,
    ports: S3Ports,
}

/// Where the S3 service listens.
#[derive(Clone, Copy)]
struct S3Ports {
    http: u16,
    https: u16,
}

/// `cargo xtask ceph`: one for people.
pub(crate) fn ceph(arguments: &[&str]) -> Outcome {
    match arguments {
        ["start"] => {
            setup::ceph()?;
            let ceph = step("start a Ceph", || Ceph::start(Server::that_stays(KIND)?))?;
            println!("It stays until `cargo xtask ceph stop`. For the tests of the store:\n");
            ceph.variables().iter().for_each(|(name, value)| println!("export {name}={value}"));
            Ok(())
        }
        ["stop"] => {
            println!("{}", if stop(KIND)? { "stopped" } else { "there was none" });
            Ok(())
        }
        _ => Err("it is `cargo xtask ceph start` or `cargo xtask ceph stop`".into()),
    }
}

impl Ceph {
    /// One that ends with us.
    pub(crate) fn of_this_run() -> Outcome<Self> {
        Self::start(Server::of_this_run(KIND)?)
    }

    fn start(mut server: Server) -> Outcome<Self> {
        let [monitor, http, https] = free_ports()?;
        let ports = S3Ports { http, https };
        let [id, osd] = [uuid()?, uuid()?];
        let place = Place { directory: server.directory().to_owned() };
        server.write("ceph.conf", &place.configuration(&id, monitor, ports))?;
        place.keys()?;
        place.certificates()?;
        let monitors = format!("[v2:127.0.0.1:{monitor}]");
        let mut map = place.limited("monmaptool");
        map.args(["--create", "--addv", "a", &monitors, "--set-min-mon-release", "16", "--fsid", &id]);
        quietly(map.arg(place.path("monmap")))?;
        let mut make = place.of_ceph(place.limited("ceph-mon"));
        make.args(["--mkfs", "-i", "a", "--monmap"]).arg(place.path("monmap"));
        quietly(make.arg("--keyring").arg(place.path("keyring")))?;
        server.spawn("mon", place.of_ceph(command("ceph-mon")).args(["-f", "-i", "a"]))?;
        server.wait_for(monitor)?;
        quietly(place.of_ceph(place.limited("ceph")).args(["osd", "new", &osd]))?;
        let bucket = ["osd", "crush", "add-bucket", "onenode", "host", "root=default"];
        quietly(place.of_ceph(place.limited("ceph")).args(bucket))?;
        server.make_directory("osd")?;
        let make = ["-i", "0", "--mkfs", "--osd-uuid", &osd];
        quietly(place.of_ceph(place.limited("ceph-osd")).args(make))?;
        server.spawn("osd", place.of_ceph(command("ceph-osd")).args(["-f", "-i", "0"]))?;
        server.spawn("rgw", place.of_ceph(command("radosgw")).args(["-f", "-n", "client.rgw"]))?;
        server.wait_for(http)?;
        server.wait_for(https)?;
        let mut user = place.of_ceph(place.limited("radosgw-admin"));
        user.args(["-n", "client.rgw", "user", "create", "--uid", "test", "--display-name", "test"]);
        quietly(user.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]))?;
        make_bucket(http)?;
        server.completed();
        Ok(Self { server, ports })
    }

    /// By which the tests of the store find it.
    pub(crate) fn variables(&self) -> Variables {
        vec![
            ("LIVETAPE_TEST_S3", format!("http://127.0.0.1:{}", self.ports.http)),
            ("LIVETAPE_TEST_S3_TLS", format!("https://127.0.0.1:{}", self.ports.https)),
            ("LIVETAPE_TEST_S3_CA", self.server.directory().join(AUTHORITY).display().to_string()),
            ("LIVETAPE_TEST_S3_KEY", ACCESS_KEY.into()),
            ("LIVETAPE_TEST_S3_SECRET", SECRET_KEY.into()),
            ("LIVETAPE_TEST_S3_BUCKET", BUCKET.into()),
            ("LIVETAPE_TEST_S3_REGION", REGION.into()),
            ("LIVETAPE_TEST_S3_DIALECT", "ceph".into()),
        ]
    }
}

/// Where its files are.
struct Place {
    directory: PathBuf,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A command that ends in time.
    fn limited(&self, program: &str) -> Command {
        let mut limited = command("timeout");
        limited.args([COMMAND_SECONDS_MAX, program]);
        limited
    }

    /// With our configuration and nobody else's.
    fn of_ceph(&self, mut command: Command) -> Command {
        command.arg("-c").arg(self.path("ceph.conf")).env_remove("CEPH_CONF").env_remove("CEPH_ARGS");
        command
    }

    fn keys(&self) -> Outcome {
        let (create, add): (&[&str], &[&str]) = (&["-C"], &[]);
        for (create, name, rights) in [
            (create, "mon.", &["mon", "allow *"][..]),
            (add, "client.admin", &["mon", "allow *", "osd", "allow *"][..]),
            (add, "client.rgw", &["mon", "allow rw", "osd", "allow rwx"][..]),
            (add, "osd.0", &["mon", "allow profile osd", "osd", "allow *"][..]),
        ] {
            let mut key = self.limited("ceph-authtool");
            key.args(create).arg(self.path("keyring")).args(["--gen-key", "-n", name]);
            rights.chunks(2).for_each(|right| _ = key.arg("--cap").args(right));
            quietly(&mut key)?;
        }
        Ok(())
    }

    /// An authority and a certificate of it for this machine's loopback.
    fn certificates(&self) -> Outcome {
        let make = |subject: &str, certificate: &str, key: &str| {
            let mut make = self.limited("openssl");
            make.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj".split(' '));
            make.arg(subject).arg("-out").arg(self.path(certificate)).arg("-keyout").arg(self.path(key));
            make
        };
        quietly(&mut make("/CN=Livetape test authority", AUTHORITY, "authority.key"))?;
        let mut server = make("/CN=127.0.0.1", "server.pem", "server.key");
        server.arg("-CA").arg(self.path(AUTHORITY)).arg("-CAkey").arg(self.path("authority.key"));
        let names = "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1";
        quietly(server.args(names.split(' ')))
    }

    fn configuration(&self, id: &str, monitor: u16, ports: S3Ports) -> String {
        let directory = self.directory.display();
        let S3Ports { http, https } = ports;
        format!(
            "\
[global]
fsid = {id}
mon host = [v2:127.0.0.1:{monitor}]
ms bind msgr1 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {directory}/keyring
run dir = {directory}
log file = {directory}/$name.ceph.log
# Its path would be longer than the name of a socket may be.
admin socket =
mon data = {directory}/mon
osd data = {directory}/osd
osd objectstore = bluestore
# A file with holes.
bluestore block size = 34359738368
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon osd reporter subtree level = osd
mon data avail warn = 1
mon data avail crit = 1
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{http} ssl_endpoint=127.0.0.1:{https} \
ssl_certificate={directory}/server.pem ssl_private_key={directory}/server.key
rgw thread pool size = 32
"
        )
    }
}

/// The bucket is made by a request like any other: `radosgw-admin` has no word for it.
fn make_bucket(port: u16) -> Outcome {
    let mut put = command("curl");
    put.args(["--silent", "--show-error", "--fail", "--max-time", COMMAND_SECONDS_MAX, "--request", "PUT"]);
    put.args(["--aws-sigv4", &format!("aws:amz:{REGION}:s3"), "--user", &format!("{ACCESS_KEY}:{SECRET_KEY}")]);
    put.args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
    quietly(put.arg(format!("http://127.0.0.1:{port}/{BUCKET}")))
}

fn uuid() -> Outcome<String> {
    let path = "/proc/sys/kernel/random/uuid";
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok(text.trim().to_owned())
}

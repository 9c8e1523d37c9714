//! A Garage of one node: another real S3 service, for the S3 store's suite alone. Compiling it takes many minutes, so it
//! is no part of the ordinary tests.

use std::process::Command;

use crate::run::{Outcome, cargo, command, quietly, run, step, succeeds};
use crate::server::{Server, Variables, free_ports};
use crate::setup;

const KIND: &str = "garage";
const CRATE: &str = "garage@2.5.0";
/// As Garage wants them: `GK` and 24 hexadecimal digits, and 64 of them.
const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const BUCKET: &str = "livetape-test";
const REGION: &str = "garage";

/// A Garage that answers. Its process and its data go when it is dropped.
pub(crate) struct Garage {
    _server: Server,
    port: u16,
}

/// Compiles it into `target/tools`, unless it is there.
pub(crate) fn install() -> Outcome {
    if succeeds(program().arg("--version")) {
        return Ok(());
    }
    step("compile Garage", || {
        let mut install = cargo("install --debug --locked --no-default-features --features bundled-libs,sqlite");
        run(install.arg("--root").arg(setup::tools()).arg(CRATE))
    })
}

fn program() -> Command {
    command(setup::tools().join("bin/garage"))
}

impl Garage {
    /// One that ends with us.
    pub(crate) fn of_this_run() -> Outcome<Self> {
        let mut server = Server::of_this_run(KIND)?;
        let [rpc, port] = free_ports()?;
        let directory = server.directory().display().to_string();
        server.write(
            "garage.toml",
            &format!(
                "\
metadata_dir = \"{directory}/metadata\"
data_dir = \"{directory}/data\"
db_engine = \"sqlite\"
replication_factor = 1
rpc_bind_addr = \"127.0.0.1:{rpc}\"
rpc_public_addr = \"127.0.0.1:{rpc}\"
rpc_secret = \"{SECRET_KEY}\"
[s3_api]
s3_region = \"{REGION}\"
api_bind_addr = \"127.0.0.1:{port}\"
"
            ),
        )?;
        let garage = |words: &[&str]| {
            let mut garage = program();
            garage.args(["-c", &format!("{directory}/garage.toml")]).args(words);
            garage
        };
        server.spawn("garage", &garage(&["server"]))?;
        server.wait_for(rpc)?;
        let told =
            garage(&["node", "id", "--quiet"]).output().map_err(|error| format!("cannot run garage: {error}"))?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let node = told.split('@').next().unwrap_or_default().trim();
        for words in [
            &["layout", "assign", "--zone", "here", "--capacity", "10G", node][..],
            &["layout", "apply", "--version", "1"],
            &["key", "import", "--yes", "-n", "test", ACCESS_KEY, SECRET_KEY],
            &["bucket", "create", BUCKET],
            &["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", ACCESS_KEY],
        ] {
            quietly(&mut garage(words))?;
        }
        server.wait_for(port)?;
        server.completed();
        Ok(Self { _server: server, port })
    }

    /// By which the tests of the store find it.
    pub(crate) fn variables(&self) -> Variables {
        vec![
            ("LIVETAPE_TEST_S3", format!("http://127.0.0.1:{}", self.port)),
            ("LIVETAPE_TEST_S3_KEY", ACCESS_KEY.into()),
            ("LIVETAPE_TEST_S3_SECRET", SECRET_KEY.into()),
            ("LIVETAPE_TEST_S3_BUCKET", BUCKET.into()),
            ("LIVETAPE_TEST_S3_REGION", REGION.into()),
            ("LIVETAPE_TEST_S3_DIALECT", "garage".into()),
        ]
    }
}

//! What is measured beside Livetape: installed from Debian's packages, the crate registry and the npm registry, as far
//! as it is not there.
//!
//! GStreamer is not among them: no element of Debian's packages takes a stream that is pushed by RTMP.

use crate::run::{Outcome, cargo, run};
use crate::setup::{self, Package};

const PACKAGES: &[Package] = &[
    ("nginx-light", &["/usr/sbin/nginx", "-v"]),
    ("libnginx-mod-rtmp", &["test", "-e", "/usr/lib/nginx/modules/ngx_rtmp_module.so"]),
    ("ffmpeg", &["ffmpeg", "-version"]),
    ("nodejs", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
];
/// What xiu is linked with.
const FOR_XIU: &[Package] = &[("pkg-config", &["pkg-config", "--version"]), ("libopus-dev", &["pkg-config", "opus"])];
/// Large crates that it has no use for while it records RTMP to a directory.
const UNUSED_BY_XIU: &[&str] = &["aws-sdk-s3", "webrtc"];
const XIU: &str = "xiu@0.14.0";
const NODE_MEDIA_SERVER: &str = "node-media-server@4.4.3";

/// How the load is put on all of them: on each with all it can record, alone and at once.
const OPTIONS: &[(&str, &str)] = &[
    ("--recorders", "livetape,livetape-over,nginx-rtmp,xiu,node-media-server,ffmpeg,sink,gathering-sink"),
    ("--formats", "flv,mp4,hls,flv+hls,mp4+hls+flv"),
    ("--seconds", "12"),
];

/// The arguments of the load: `given`, and what is not among them.
pub(crate) fn arguments<'a>(given: &[&'a str]) -> Vec<&'a str> {
    let is_given = |option: &str| given.iter().any(|word| word.split('=').next() == Some(option));
    let ours = OPTIONS.iter().filter(|(option, _)| !is_given(option)).flat_map(|(option, value)| [*option, *value]);
    let compare = (!is_given("--compare")).then_some("--compare");
    given.iter().copied().chain(ours).chain(compare).collect()
}

/// Installs them. One that cannot be had is told, and left out of the table.
pub(crate) fn install() -> Outcome {
    let installed = [
        ("packages of Debian's", setup::packages(PACKAGES)),
        (XIU, xiu()),
        (NODE_MEDIA_SERVER, setup::npm("peers", &[NODE_MEDIA_SERVER])),
    ];
    for (name, outcome) in installed {
        if let Err(problem) = outcome {
            println!("{name} cannot be installed, so it is not measured: {problem}");
        }
    }
    Ok(())
}

/// Compiles xiu into `target/tools`, which takes some minutes.
fn xiu() -> Outcome {
    if setup::tools().join("bin/xiu").exists() {
        return Ok(());
    }
    setup::packages(FOR_XIU)?;
    println!("compiling {XIU}");
    let mut install = cargo("install --locked --quiet");
    for unused in UNUSED_BY_XIU {
        install.args(["--config", &format!("profile.release.package.{unused}.opt-level=0")]);
    }
    run(install.arg("--root").arg(setup::tools()).arg(XIU))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_takes_the_place_of_what_is_usual() {
        let found = arguments(&["--formats=flv", "--recorders", "livetape", "--rounds", "1"]);
        let wanted = ["--formats=flv", "--recorders", "livetape", "--rounds", "1", "--seconds", "12", "--compare"];
        assert_eq!(found, wanted);
    }
}

//! Installs what the tests need and the machine lacks: Debian's packages, Ceph's among them, the current ffmpeg (as
//! the PyPI wheel `imageio-ffmpeg` carries it), Schemathesis, and the test runner.
//!
//! Every step looks first and does nothing when all is there, so that a second run costs a second
//! and a machine without a network can still test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::run::{Outcome, cargo, command, root, run, succeeds};

/// A Debian package and a command that succeeds when it is there.
pub(crate) type Package = (&'static str, &'static [&'static str]);

/// What the end-to-end tests use.
const FOR_TESTS: &[Package] = &[
    ("ffmpeg", &["ffprobe", "-version"]),
    ("mediainfo", &["mediainfo", "--Help"]),
    ("gstreamer1.0-tools", &["gst-launch-1.0", "--version"]),
    ("gstreamer1.0-plugins-base", &["gst-inspect-1.0", "audioconvert"]),
    ("gstreamer1.0-plugins-good", &["gst-inspect-1.0", "flvmux"]),
    ("gstreamer1.0-plugins-bad", &["gst-inspect-1.0", "rtmp2sink"]),
    ("gstreamer1.0-plugins-ugly", &["gst-inspect-1.0", "x264enc"]),
    ("gstreamer1.0-libav", &["gst-inspect-1.0", "avdec_h264"]),
    ("strace", &["strace", "--version"]),
    ("valgrind", &["valgrind", "--version"]),
    ("sqlite3", &["sqlite3", "--version"]),
    ("faketime", &["which", "faketime"]),
    ("iproute2", &["ip", "-Version"]),
    ("docker-compose", &["docker-compose", "version"]),
    ("python3-jsonschema", &["python3", "-c", "import jsonschema"]),
];

/// The real S3 service that the store is tested against.
const CEPH: &[Package] = &[
    ("radosgw", &["radosgw", "--version"]),
    ("ceph-mon", &["ceph-mon", "--version"]),
    ("ceph-osd", &["ceph-osd", "--version"]),
    ("ceph-mgr", &["ceph-mgr", "--version"]),
    ("ceph-common", &["which", "ceph", "radosgw-admin", "monmaptool", "ceph-authtool"]),
    ("curl", &["curl", "--version"]),
    ("openssl", &["openssl", "version"]),
];

/// What the slow tests use as well.
const FOR_SLOW_TESTS: &[Package] = &[
    ("obs-studio", &["obs", "--version"]),
    ("obs-plugins", &["test", "-e", "/usr/lib/x86_64-linux-gnu/obs-plugins/obs-x264.so"]),
    ("xvfb", &["which", "Xvfb"]),
    ("xauth", &["which", "xauth"]),
    ("libgl1-mesa-dri", &["test", "-e", "/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so"]),
    ("chromium", &["chromium", "--version"]),
    ("nodejs", &["node", "--version"]),
    ("npm", &["npm", "--version"]),
];

const FFMPEG_WHEEL: &str = "imageio-ffmpeg==0.8.1";
const BROWSER_MODULES: &[&str] = &["hls.js@1.7.4", "playwright-core@1.65.1"];

/// Installs what `test` and `e2e` need.
pub(crate) fn for_tests() -> Outcome {
    packages(FOR_TESTS)?;
    ceph()?;
    current_ffmpeg()?;
    schemathesis()?;
    nextest()
}

/// Installs Ceph. That it cannot be had is an error: a store that was tried against a fake alone was not tested.
pub(crate) fn ceph() -> Outcome {
    packages(CEPH).map_err(|problem| {
        let names: Vec<&str> = CEPH.iter().map(|(name, _)| *name).collect();
        format!(
            "the S3 store is tested against a real Ceph, and none can be installed here: {problem}\n\
             These tests are not left out. Install what Debian calls {}, then run this again; while working on \
             something else, `cargo nextest run` leaves out what needs it.",
            names.join(" ")
        )
    })
}

/// Installs what `slow` needs.
pub(crate) fn for_slow_tests() -> Outcome {
    for_tests()?;
    packages(FOR_SLOW_TESTS)?;
    npm("browser", BROWSER_MODULES)
}

/// Where tools that no Debian package carries are kept.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// Installs those of them that are missing.
pub(crate) fn packages(wanted: &[Package]) -> Outcome {
    let missing: Vec<&str> = wanted.iter().filter(|(_, probe)| !present(probe)).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    run(root_command("apt-get")?.args(["update", "--quiet", "--quiet"]))?;
    let mut install = root_command("apt-get")?;
    install.args(["install", "--yes", "--quiet", "--quiet", "--no-install-recommends"]).args(&missing);
    // Its hundreds of lines of progress say nothing; its errors go to stderr.
    run(install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))?;
    match wanted.iter().find(|(_, probe)| !present(probe)) {
        None => Ok(()),
        Some((name, probe)) => Err(format!("{name} is installed, yet '{}' fails", probe.join(" "))),
    }
}

fn present(probe: &[&str]) -> bool {
    match probe {
        [] => true,
        [program, arguments @ ..] => succeeds(command(program).args(arguments)),
    }
}

/// The command as root: itself where we are root, by `sudo` where that asks for no password.
fn root_command(program: &str) -> Outcome<std::process::Command> {
    let id = command("id").arg("-u").output().map_err(|error| format!("cannot run id: {error}"))?;
    if id.stdout.trim_ascii() == b"0" {
        return Ok(command(program));
    }
    if succeeds(command("sudo").args(["--non-interactive", "true"])) {
        let mut sudo = command("sudo");
        sudo.args(["--non-interactive", program]);
        return Ok(sudo);
    }
    Err(format!("{program} must run as root: run `cargo xtask setup` as root once, or allow sudo without a password"))
}

/// Puts the tool that holds the API against its description, with all it needs, into `target/tools/schemathesis`.
fn schemathesis() -> Outcome {
    let (wanted, place) = (root().join("crates/e2e/conformance/requirements.txt"), tools().join("schemathesis"));
    let installed = place.join("requirements.txt");
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    if read(&installed) == read(&wanted) {
        return Ok(());
    }
    println!("installing Schemathesis into {}", place.display());
    pip()?;
    let mut install = command("python3");
    install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--upgrade", "--target"]);
    run(install.arg(&place).arg("--requirement").arg(&wanted))?;
    fs::copy(&wanted, &installed).map(drop).map_err(|error| format!("cannot write {}: {error}", installed.display()))
}

fn pip() -> Outcome {
    match succeeds(command("python3").args(["-m", "pip", "--version"])) {
        true => Ok(()),
        false => packages(&[("python3-pip", &["python3", "-m", "pip", "--version"])]),
    }
}

/// Unpacks the wheel, and makes `target/tools/ffmpeg` the program in it.
fn current_ffmpeg() -> Outcome {
    let program = tools().join("ffmpeg");
    if succeeds(command(&program).arg("-version")) {
        return Ok(());
    }
    println!("installing {FFMPEG_WHEEL} into {}", tools().display());
    let wheels = tools().join("wheels");
    fs::create_dir_all(&wheels).map_err(|error| format!("cannot create {}: {error}", wheels.display()))?;
    pip()?;
    let mut download = command("python3");
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]);
    run(download.arg(&wheels).arg(FFMPEG_WHEEL))?;
    let wheel = entry(&wheels, |name| name.starts_with("imageio_ffmpeg-") && name.ends_with(".whl"))?;
    run(command("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(tools()))?;
    let unpacked = entry(&tools().join("imageio_ffmpeg/binaries"), |name| name.starts_with("ffmpeg-"))?;
    run(command("chmod").arg("755").arg(&unpacked))?;
    run(command("ln").arg("-sfn").arg(&unpacked).arg(&program))?;
    run(command(&program).args(["-hide_banner", "-loglevel", "error", "-version"]).stdout(Stdio::null()))
}

fn entry(directory: &Path, wanted: impl Fn(&str) -> bool) -> Outcome<PathBuf> {
    let entries = fs::read_dir(directory).map_err(|error| format!("cannot list {}: {error}", directory.display()))?;
    entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .ok_or_else(|| format!("{} does not hold the file that was just unpacked there", directory.display()))
}

/// Installs the test runner.
pub(crate) fn nextest() -> Outcome {
    if succeeds(&mut cargo("nextest --version")) {
        return Ok(());
    }
    println!("installing cargo-nextest");
    run(&mut cargo("install cargo-nextest --locked --quiet"))
}

/// Installs packages of the npm registry, each as `NAME@VERSION`, into the directory `place` of the tools.
pub(crate) fn npm(place: &str, packages: &[&str]) -> Outcome {
    let modules = tools().join(place);
    if packages.iter().all(|package| {
        let name = package.split('@').next().unwrap_or(package);
        modules.join("node_modules").join(name).is_dir()
    }) {
        return Ok(());
    }
    fs::create_dir_all(&modules).map_err(|error| format!("cannot create {}: {error}", modules.display()))?;
    println!("installing {}", packages.join(" "));
    let mut npm = command("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&modules).args(packages);
    run(&mut npm)
}

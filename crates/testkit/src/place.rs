//! Where things are: the workspace, the tools the chores unpacked, the program under test.

use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The bundled sample: 8 s of H.264 and AAC.
pub fn sample() -> PathBuf {
    root().join("fixtures/sample.flv")
}

/// Where clips are kept that tests make.
pub fn clips() -> PathBuf {
    root().join("target/media")
}

/// Where the chores keep programs that no Debian package carries.
pub fn tools() -> PathBuf {
    root().join("target/tools")
}

/// The current ffmpeg, as `cargo xtask setup` unpacks it.
pub fn current_ffmpeg() -> PathBuf {
    let path = tools().join("ffmpeg");
    assert!(path.exists(), "{} is missing: run `cargo xtask setup`", path.display());
    path
}

/// The program under test: `$LIVETAPE_BIN`, or the one in this test's own target directory.
pub fn livetape() -> PathBuf {
    let path = std::env::var_os("LIVETAPE_BIN").map_or_else(beside_this_test, PathBuf::from);
    assert!(path.exists(), "{} is missing: run `cargo build --package livetape-server`", path.display());
    path
}

/// `target/PROFILE/livetape`, seen from `target/PROFILE/deps/THIS`.
fn beside_this_test() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().nth(2).unwrap().join("livetape")
}

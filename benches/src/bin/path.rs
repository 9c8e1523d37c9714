//! Goes one stage of the frame path once, so that a tool can count what it takes: `path STAGE SECONDS`, the stage by
//! its name. Prints how many frames went in. What counts is the function `measured`; what is before it is not.

use anyhow::{Context as _, ensure};
use livetape_benches::{Path, Stage};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds] = arguments.as_slice() else { anyhow::bail!("it is: path STAGE SECONDS") };
    let stage = Stage::all().into_iter().find(|stage| stage.name() == *name);
    let path = Path::new(&stage.with_context(|| format!("there is no stage '{name}'"))?, seconds.parse()?);
    let out = measured(&path);
    ensure!(out > 0, "nothing came out");
    println!("{}", path.frames());
    Ok(())
}

/// Its name is what the counting begins and ends at.
#[inline(never)]
fn measured(path: &Path) -> usize {
    path.walk()
}

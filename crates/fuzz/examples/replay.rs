//! Hands files to a target, one by one. `cargo run --package livetape-fuzz --example replay TARGET FILE...`

#![allow(clippy::unwrap_used, clippy::expect_used)]

use livetape_fuzz::footage;
use livetape_fuzz::target::named;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().expect("the target's name");
    let target = named(&name).expect("the name of a target");
    for path in arguments {
        let input = std::fs::read(&path).expect("the input can be read");
        println!("{path}");
        if std::env::var_os("STEPS").is_some() {
            for step in footage::read(input.get(1..).unwrap_or_default()) {
                println!("{}", format!("{step:?}").chars().take(200).collect::<String>());
            }
        }
        (target.run)(&input);
    }
}

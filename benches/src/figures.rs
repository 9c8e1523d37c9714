//! Figures that are held to those written down in a file, as golden text is.

use std::fmt::Write as _;
use std::path::Path;

/// Something that was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What.
    pub name: String,
    /// How much of it.
    pub value: f64,
    /// How far it may be from what is written down, as a part of that; 0.05 of one is always allowed.
    pub within: f64,
}

/// What is written down: a name and its value.
type Committed = (String, f64);

/// Holds `figures` to those in `file`: each must be there, and near. With `UPDATE_GOLDEN` set the file is rewritten.
/// `about` is what the file says of them, in its first line what they depend on.
///
/// # Errors
/// A text that says which are not, and what to do. Less is as wrong as more: the file says what is, and a gain that is
/// not written down can be lost unseen.
pub fn hold(file: &Path, about: &str, figures: &[Figure]) -> Result<(), String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = written(about, figures);
        return std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()));
    }
    compare(file, about, figures)
}

fn compare(file: &Path, about: &str, figures: &[Figure]) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let committed = read(&text).map_err(|problem| format!("{}: {problem}", file.display()))?;
    let mut problems = String::new();
    for figure in figures {
        let is = figure.value;
        match committed.iter().find(|(name, _)| *name == figure.name) {
            None => _ = writeln!(problems, "  {}: {is:.2}, and nothing is written down", figure.name),
            Some((name, value)) if (is - value).abs() > (value * figure.within).max(0.05) => {
                let (percent, within) = ((is / value - 1.0) * 100.0, figure.within * 100.0);
                let _ = writeln!(
                    problems,
                    "  {name}: {is:.2}, written down is {value:.2}: {percent:+.1} %, and {within:.0} % are allowed"
                );
            }
            Some(_) => {}
        }
    }
    for (name, _) in committed.iter().filter(|(name, _)| figures.iter().all(|figure| figure.name != *name)) {
        let _ = writeln!(problems, "  {name}: written down, and not counted any more");
    }
    if problems.is_empty() {
        return Ok(());
    }
    let then = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default();
    Err(format!(
        "the frame path does not cost what {} says:\n{problems}\
         The file is of: {then}\nThis is:        {}\n\
         If that is meant (or only the compiler is another), run this test with UPDATE_GOLDEN=1 and say in the commit \
         why; otherwise find out what costs more (docs/performance.md).",
        file.display(),
        about.lines().next().unwrap_or_default(),
    ))
}

fn written(about: &str, figures: &[Figure]) -> String {
    let mut text: String = about.lines().map(|line| format!("# {line}\n")).collect();
    for Figure { name, value, .. } in figures {
        let _ = writeln!(text, "{name} = {value:.2}");
    }
    text
}

fn read(text: &str) -> Result<Vec<Committed>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once(" = ").ok_or(format!("'{line}' is no figure"))?;
            let value = value.parse().map_err(|error| format!("'{line}': {error}"))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, value: f64) -> Figure {
        Figure { name: name.to_owned(), value, within: 0.05 }
    }

    #[test]
    fn figures_are_held_to_the_file_in_both_directions() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("figures.txt");
        std::fs::write(&file, written("compiler 1", &[figure("read", 100.0), figure("write", 0.0)])).unwrap();
        let held = |figures: &[Figure]| compare(&file, "compiler 2", figures);
        held(&[figure("read", 104.9), figure("write", 0.04)]).unwrap();
        for (read, write) in [(105.1, 0.0), (94.9, 0.0), (100.0, 0.06)] {
            let problem = held(&[figure("read", read), figure("write", write)]).unwrap_err();
            assert!(problem.contains("compiler 1") && problem.contains("compiler 2"), "{problem}");
        }
        assert!(held(&[figure("read", 100.0)]).unwrap_err().contains("not counted any more"));
        let three = [figure("read", 100.0), figure("write", 0.0), figure("seek", 1.0)];
        assert!(held(&three).unwrap_err().contains("nothing is written down"));
    }
}

//! The log: to standard error, for people or for programs.
//!
//! Contract: an event is one line, and nothing that a stranger called a stream can break the line,
//! drive the terminal, or turn the text around.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Sets the process's log up. A second call changes nothing.
pub fn init(settings: &LogSettings) {
    // The configuration has been checked; a directive that is not understood is left out.
    let filter = EnvFilter::builder().parse_lossy(&settings.level);
    let ansi = settings.format == LogFormat::Human && io::stderr().is_terminal();
    let format = settings.format;
    let writer = move || Lines { format, ansi };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi);
    let result = match format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "the log was set up before");
    }
}

/// Writes whole events to standard error, each as one safe line.
struct Lines {
    format: LogFormat,
    ansi: bool,
}

impl Write for Lines {
    /// Takes one event, which is how it is called.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(&String::from_utf8_lossy(event), self.format, self.ansi);
        io::stderr().lock().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The event with everything escaped that is not plain text. Colours are the formatter's own: it
/// escapes those of others.
pub(crate) fn one_line(event: &str, format: LogFormat, ansi: bool) -> String {
    let text = event.strip_suffix('\n').unwrap_or(event);
    let mut line = String::with_capacity(event.len());
    for c in text.chars() {
        if !is_treacherous(c) || (ansi && c == '\u{1b}') {
            line.push(c);
            continue;
        }
        // Writing to a string cannot fail. JSON writes every such character within its texts, and
        // all of them have four digits.
        let _ = match format {
            LogFormat::Json => write!(line, "\\u{:04x}", u32::from(c)),
            LogFormat::Human => write!(line, "{}", c.escape_default()),
        };
    }
    line.push('\n');
    line
}

/// Whether a character controls how others are shown: control characters, line and paragraph
/// separators, and what turns the direction of text (Unicode UAX #9).
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "{\"stream\":\"live/\u{202e}gnp.exe\u{2028}\u{7f}\u{feff}\"}\n";

    #[test]
    fn json_stays_json_and_says_the_same() {
        let line = one_line(HOSTILE, LogFormat::Json, false);
        assert_eq!(line, "{\"stream\":\"live/\\u202egnp.exe\\u2028\\u007f\\ufeff\"}\n");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&line), read(HOSTILE));
    }

    #[test]
    fn an_event_for_people_is_one_line_that_drives_no_terminal() {
        let event = "INFO taken over\nINFO forged stream=\u{1b}[31m\u{202e}x\n";
        let line = one_line(event, LogFormat::Human, false);
        assert_eq!(line, "INFO taken over\\nINFO forged stream=\\u{1b}[31m\\u{202e}x\n");
        let coloured = one_line("\u{1b}[32m INFO\u{1b}[0m caf\u{e9} \u{65e5}\u{672c}\n", LogFormat::Human, true);
        assert_eq!(coloured, "\u{1b}[32m INFO\u{1b}[0m caf\u{e9} \u{65e5}\u{672c}\n");
    }
}

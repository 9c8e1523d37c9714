//! The log: to standard error, for people or for programs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Sets the process's log up. A second call changes nothing.
pub fn init(settings: &LogSettings) {
    // The configuration has been checked; a directive that is not understood is left out.
    let filter = EnvFilter::builder().parse_lossy(&settings.level);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let result = match settings.format {
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    if let Err(error) = result {
        tracing::debug!(%error, "the log was set up before");
    }
}

//! Where the log goes: to the journal with fields, or to stderr as text.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use clap::ValueEnum;
use tracing::{Level, Metadata};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged, with what is worse.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    fn directive(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The TURN client logs a line for each packet at the level info. Whoever names it in `ROOMCAM_LOG` hears it.
const QUIET: &str = "turn_client_proto=off,turn_types=off,stun_proto=off";

/// Whether something may be logged, whatever was asked for. Below info, other crates print what goes over the wire, tokens
/// among it, and drown our own lines.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let is_ours = metadata.target().split("::").next() == Some(env!("CARGO_PKG_NAME"));
    is_ours || *metadata.level() <= Level::INFO
}

/// Logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error(
    "environment variable ROOMCAM_LOG: {0}; allowed is a level (error, warn, info, debug, trace), \
     or several such as info,roomcam::meeting=debug"
)]
pub struct LogError(#[from] ParseError);

/// Starts logging. `level` is that of `--log-level`, `verbose` how often `-v` was given.
pub(super) fn start(level: Option<LogLevel>, verbose: u8) -> Result<(), LogError> {
    let directives = match (level, verbose, std::env::var("ROOMCAM_LOG")) {
        (Some(level), _, _) => level.directive().to_owned(),
        (None, 1, _) => LogLevel::Debug.directive().to_owned(),
        (None, 2.., _) => LogLevel::Trace.directive().to_owned(),
        (None, 0, Ok(directives)) => directives,
        (None, 0, Err(_)) => LogLevel::Info.directive().to_owned(),
    };
    let filter = EnvFilter::try_new(format!("{QUIET},{directives}"))?;
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_logged));

    let to_journal = std::env::var("JOURNAL_STREAM").is_ok_and(|stream| is_stream(&stream, io::stderr()));
    match to_journal.then(journal).and_then(Result::ok) {
        Some(journal) => registry.with(journal).init(),
        None => {
            let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let text = fmt::layer().with_writer(io::stderr).with_ansi(colour);
            // Which room a line is about goes without saying where one daemon writes.
            let no_spans = filter_fn(|metadata| !metadata.is_span());
            if to_journal {
                // The journal adds the time itself.
                registry.with(text.without_time().with_filter(no_spans)).init();
            } else {
                registry.with(text.with_filter(no_spans)).init();
            }
        }
    }
    Ok(())
}

/// Fields are called as they are, in capitals: ROOM=, DEVICE=, EPOCH=.
fn journal() -> io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?
        .with_field_prefix(None)
        .with_syslog_identifier(env!("CARGO_PKG_NAME").to_owned())
        .with_priority_mappings(PriorityMappings {
            info: Priority::Informational,
            debug: Priority::Debug,
            ..PriorityMappings::new()
        });
    Ok(layer)
}

/// Whether `file` is the stream that `$JOURNAL_STREAM` describes, "device:inode" (systemd.exec(5)). Who starts a
/// program with its output elsewhere hands the variable on all the same.
fn is_stream(described: &str, file: impl AsFd) -> bool {
    let metadata = file.as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    metadata.is_ok_and(|metadata| described == format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let metadata = file.metadata().unwrap();
        let (device, inode) = (metadata.dev(), metadata.ino());

        assert!(is_stream(&format!("{device}:{inode}"), &file));
        assert!(!is_stream(&format!("{device}:{}", inode + 1), &file));
        assert!(!is_stream(&format!("{}:{inode}", device + 1), &file));
        assert!(!is_stream("", &file));
    }
}

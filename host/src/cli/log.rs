//! The log: lines on standard error that stay lines, whatever a platform or a person put into a name.

use std::fmt::Write as _;
use std::io;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::{Global, LogFormat};

/// Starts the log. It is quiet unless `-v` or `RUST_LOG` says otherwise, or the command runs for long.
pub(super) fn start(global: &Global, runs_long: bool) {
    let told = runs_long || global.log_format == LogFormat::Json;
    let level = match global.verbose {
        0 if told && !global.quiet => "connector_host=info,connector_core=info,warn",
        0 => "error",
        1 => "connector_host=info,connector_core=info,warn",
        _ => "connector_host=debug,connector_core=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // Only a test could have set another one before.
    let _ = tracing::subscriber::set_global_default(subscriber(global.log_format, filter, io::stderr));
}

fn subscriber<W>(format: LogFormat, filter: EnvFilter, out: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(false);
    // It would tell of a line that cannot be written on the same standard error, and panic.
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Text => Box::new(log.with_writer(Lines { out, escape: text_escape }).finish()),
        LogFormat::Json => {
            Box::new(log.json().flatten_event(true).with_writer(Lines { out, escape: json_escape }).finish())
        }
    }
}

/// Writes each event as one line without anything that plays with a terminal.
struct Lines<W> {
    out: W,
    escape: fn(&mut String, char),
}

/// One event on its way.
struct Line<W> {
    out: W,
    escape: fn(&mut String, char),
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Line { out: self.out.make_writer(), escape: self.escape }
    }
}

impl<W: io::Write> io::Write for Line<W> {
    /// An event comes as a whole, with the line break at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = String::with_capacity(text.len());
        for c in text.strip_suffix('\n').unwrap_or(&text).chars() {
            if is_unsafe(c) { (self.escape)(&mut line, c) } else { line.push(c) }
        }
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What breaks a line, plays with a terminal, or turns the direction of what follows.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Inside a JSON text such a character stands in a string only.
fn json_escape(line: &mut String, c: char) {
    let _ = write!(line, "\\u{:04x}", u32::from(c));
}

/// The log has no colours, because those of a value could not be told from its own.
fn text_escape(line: &mut String, c: char) {
    line.extend(c.escape_default());
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const NAME: &str = "a\r\nb\u{1b}[31mc\u{202e}d\u{2028}e\u{9b}f\u{7f}g\"h\\i\u{2066}";

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let kept = Kept::default();
        let out = kept.clone();
        let log = subscriber(format, EnvFilter::new("info"), move || out.clone());
        tracing::subscriber::with_default(log, || {
            tracing::error!(name = NAME, shown = %NAME, debugged = ?NAME, "{NAME}");
            tracing::info!("the next one");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_name_that_plays_tricks_stays_one_line_of_json_and_loses_nothing() {
        let log = logged(LogFormat::Json);
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log:?}");
        assert!(!log.replace('\n', "").chars().any(is_unsafe), "{log:?}");
        let event: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!((&event["name"], &event["shown"], &event["level"]), (&NAME.into(), &NAME.into(), &"ERROR".into()));
        assert_eq!(event["message"], NAME);
        assert!(event["timestamp"].is_string(), "{event}");
    }

    #[test]
    fn a_name_that_plays_tricks_stays_one_line_of_text() {
        let log = logged(LogFormat::Text);
        assert_eq!(log.lines().count(), 2, "{log:?}");
        assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}') && !log.contains('\u{9b}'), "{log:?}");
    }
}

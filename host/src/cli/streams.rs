//! Lines on standard output and standard error. The terminal may be gone and the disk behind a file full: then a line is lost, and what
//! the program is at is not.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why a line of the result is lost, the first time.
static LOST: OnceLock<String> = OnceLock::new();

/// A line on standard output. One that is lost is remembered, see [`lost`].
pub(super) fn out(text: impl Display) {
    match write(&mut anstream::stdout().lock(), text) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            LOST.get_or_init(|| error.to_string());
        }
        _ => {}
    }
}

/// A line on standard error.
pub(super) fn err(text: impl Display) {
    // There is nowhere to tell it.
    let _ = write(&mut anstream::stderr().lock(), text);
}

/// Why the result is not whole, if it is not.
pub(super) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

fn write(to: &mut impl Write, text: impl Display) -> io::Result<()> {
    to.write_all(format!("{text}\n").as_bytes())?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_written_is_an_error_and_no_panic() {
        assert_eq!(write(&mut &mut [0_u8; 3][..], "abc").unwrap_err().kind(), ErrorKind::WriteZero);
        let mut line = Vec::new();
        write(&mut line, "abc").unwrap();
        assert_eq!(line, b"abc\n");
    }
}

//! The lines of a file of any length, one at a time.

use std::io::{self, BufRead};

use zeroize::Zeroizing;

/// A line is longer than any grant, and shorter than what would hurt.
const LONGEST: usize = 64 * 1024;

/// What some programs write in front of a text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line that is not empty.
#[derive(Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Its text, or what is wrong with it.
    pub(super) text: Result<Zeroizing<Vec<u8>>, &'static str>,
    /// Whether it ends as a line does. The last one of a file that was cut off does not.
    pub(super) complete: bool,
}

/// Reads lines, each of which may fail alone. A line that is too long is passed over without being kept.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The lines of this.
    pub fn of(from: R) -> Self {
        Self { from, number: 0 }
    }

    /// The next line that is not empty. `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut text = Zeroizing::new(Vec::new());
            let (mut length, mut complete) = (0_usize, false);
            while !complete {
                let held = self.from.fill_buf()?;
                if held.is_empty() {
                    break;
                }
                let end = held.iter().position(|byte| *byte == b'\n');
                let part = end.unwrap_or(held.len());
                if length + part <= LONGEST {
                    text.extend_from_slice(&held[..part]);
                }
                (length, complete) = (length + part, end.is_some());
                let used = part + usize::from(complete);
                self.from.consume(used);
            }
            if length == 0 && !complete {
                return Ok(None);
            }
            self.number += 1;
            if length > LONGEST {
                let text = Err("it is longer than 64 KiB");
                return Ok(Some(Line { number: self.number, text, complete }));
            }
            if !text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii().is_empty() {
                return Ok(Some(Line { number: self.number, text: Ok(text), complete }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_alone_is_no_line() {
        assert!(Lines::of(BYTE_ORDER_MARK).next_line().unwrap().is_none());
    }

    #[test]
    fn each_line_is_read_alone_and_one_that_is_too_long_is_passed_over() {
        let long = "x".repeat(LONGEST + 1);
        let file = format!("one\r\n\n{long}\n  \n{}\nlast", "y".repeat(LONGEST));
        let mut lines = Lines::of(io::BufReader::with_capacity(100, file.as_bytes()));
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.number, line.text.map(|text| text.len()), line.complete));
        }
        let expected =
            [(1, Ok(4), true), (3, Err("it is longer than 64 KiB"), true), (5, Ok(LONGEST), true), (6, Ok(4), false)];
        assert_eq!(all, expected);
    }
}

//! How an entry stands in a slot: a mark, the length and the SHA-256 of what follows, and that.

use sha2::{Digest as _, Sha256};

use super::{Result, SIZE, SpoolError};

const MARK: [u8; 8] = *b"spooled1";

/// Stands in the place of the mark while the rest is wiped.
pub(super) const CLEARED: [u8; 8] = *b"cleared1";

/// Mark, length, digest.
const HEADER: usize = 8 + 8 + 32;

/// The most bytes of an entry.
pub(super) const MOST: usize = SIZE - HEADER;

/// What a slot holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing that anybody needs.
    Nothing,
    /// An entry, as it was written.
    Entry(Vec<u8>),
    /// Something else: an entry that was cut off or changed, or no entry at all.
    Damaged,
}

/// An entry as it is written.
///
/// # Errors
/// When it is too large.
pub(super) fn encode(sealed: &[u8]) -> Result<Vec<u8>> {
    let bytes = sealed.len();
    if bytes > MOST {
        return Err(SpoolError::TooLarge { bytes, most: MOST });
    }
    let length = (bytes as u64).to_le_bytes();
    Ok([&MARK[..], &length, &Sha256::digest(sealed), sealed].concat())
}

/// What these bytes of a slot are.
pub(super) fn decode(bytes: &[u8]) -> Content {
    if bytes.starts_with(&CLEARED) || bytes.iter().all(|byte| *byte == 0) {
        return Content::Nothing;
    }
    entry(bytes).map_or(Content::Damaged, |sealed| Content::Entry(sealed.to_vec()))
}

fn entry(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.strip_prefix(&MARK)?.split_first_chunk::<8>()?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    rest.get(..length).filter(|sealed| Sha256::digest(sealed).as_slice() == digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(sealed: &[u8]) -> Vec<u8> {
        let mut bytes = encode(sealed).unwrap();
        bytes.resize(SIZE, 0);
        bytes
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        for length in [0, 1, 1000, MOST] {
            let sealed = vec![7; length];
            assert_eq!(decode(&slot(&sealed)), Content::Entry(sealed));
        }
        assert!(encode(&vec![0; MOST + 1]).unwrap_err().to_string().contains("131025 bytes is too large"));
    }

    #[test]
    fn a_slot_without_an_entry_holds_nothing() {
        for bytes in [&[][..], &[0; 10], &vec![0; SIZE], &CLEARED, b"cleared1 and half wiped"] {
            assert_eq!(decode(bytes), Content::Nothing, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn an_entry_that_is_not_whole_is_never_taken_for_one() {
        let whole = encode(b"sealed").unwrap();
        for length in 1..whole.len() {
            assert_eq!(decode(&whole[..length]), Content::Damaged, "cut off at {length}");
            let mut padded = whole[..length].to_vec();
            padded.resize(SIZE, 0);
            assert_eq!(decode(&padded), Content::Damaged, "nothing written beyond {length}");
        }
        for bit in 0..whole.len() * 8 {
            let mut changed = slot(b"sealed");
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&changed), Content::Damaged, "bit {bit}");
        }
    }
}

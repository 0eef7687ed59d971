//! Cursors: where a list goes on, as a short text that a client hands back as it got it.
//!
//! It is base64url of the version of this form, the kind of list, the place in it, and four bytes by which a slip is noticed. It is no
//! secret and not signed: whoever makes one up gets what the same question gives him anyway, from another place on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 1;
const CHECK: usize = 4;

/// A kind of list. Its number stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connections = 1,
    Audit = 2,
    Samples = 3,
    Events = 4,
    ConnectLinks = 5,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Audit => "audit records",
            Self::Samples => "samples",
            Self::Events => "events",
            Self::ConnectLinks => "connect links",
        }
    }

    fn of(number: u8) -> Option<Self> {
        let all = [Self::Connections, Self::Audit, Self::Samples, Self::Events, Self::ConnectLinks];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Why a text is no cursor of this list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It is another text, or was cut or changed.
    #[error(
        "this is no cursor, or not a whole one: hand back the cursor of the page before as it is, or leave it out to begin anew"
    )]
    Damaged,
    /// It is of another list.
    #[error("this is a cursor of {found}, not of {wanted}: leave it out to begin anew")]
    OfAnother {
        /// What list it is of.
        found: &'static str,
        /// What list is asked for.
        wanted: &'static str,
    },
    /// It has a form that this version does not know.
    #[error("this cursor was made by another version of connector-host: leave it out to begin anew")]
    Unknown,
}

/// The cursor of a place in a list of this kind.
pub(crate) fn write(kind: Kind, place: &[u8]) -> String {
    let mut bytes = vec![VERSION, kind as u8];
    bytes.extend_from_slice(place);
    let check = check(&bytes);
    bytes.extend_from_slice(&check);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place of a cursor in a list of this kind.
///
/// # Errors
/// When it is not such a cursor.
pub(crate) fn read<const N: usize>(kind: Kind, text: &str) -> Result<[u8; N], CursorError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Damaged)?;
    let (said, found) = bytes.split_last_chunk::<CHECK>().ok_or(CursorError::Damaged)?;
    let [version, number, place @ ..] = said else { return Err(CursorError::Damaged) };
    if check(said) != *found {
        return Err(CursorError::Damaged);
    }
    match (*version == VERSION).then(|| Kind::of(*number)).flatten() {
        Some(found) if found == kind => place.try_into().map_err(|_| CursorError::Unknown),
        Some(found) => Err(CursorError::OfAnother { found: found.name(), wanted: kind.name() }),
        None => Err(CursorError::Unknown),
    }
}

fn check(said: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::digest(said);
    std::array::from_fn(|index| digest.get(index).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_short_and_comes_back_as_it_was() {
        let text = write(Kind::Audit, &[7; 24]);
        assert_eq!(read(Kind::Audit, &text), Ok([7; 24]));
        assert!(text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }

    #[test]
    fn one_that_was_cut_or_changed_anywhere_is_refused() {
        let text = write(Kind::Samples, &i64::MAX.to_be_bytes());
        for end in 0..text.len() {
            assert_eq!(read::<8>(Kind::Samples, &text[..end]), Err(CursorError::Damaged), "{end} characters");
            for other in ["A", "_", "+", "é"].into_iter().filter(|other| *other != &text[end..=end]) {
                let changed = format!("{}{other}{}", &text[..end], &text[end + 1..]);
                assert_eq!(read::<8>(Kind::Samples, &changed), Err(CursorError::Damaged), "{changed}");
            }
        }
        for foreign in ["", "0", "page-2", "eyJhIjoxfQ", &format!("{text}="), &format!("{text}AAAA")] {
            assert_eq!(read::<8>(Kind::Samples, foreign), Err(CursorError::Damaged), "{foreign}");
        }
    }

    #[test]
    fn one_of_another_list_or_version_is_told_as_such() {
        let text = write(Kind::Connections, &[0; 8]);
        let error = read::<8>(Kind::Samples, &text).unwrap_err().to_string();
        assert_eq!(error, "this is a cursor of connections, not of samples: leave it out to begin anew");
        assert_eq!(read::<9>(Kind::Connections, &text), Err(CursorError::Unknown));
        for front in [[VERSION + 1, 1], [VERSION, 99]] {
            let newer = URL_SAFE_NO_PAD.encode([&front[..], &check(&front)].concat());
            assert_eq!(read::<0>(Kind::Connections, &newer), Err(CursorError::Unknown), "{front:?}");
        }
    }
}

//! Passwords: which ones are taken, and how they are compared with what is stored.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, CustomizedPasswordHasher as _, Params, PasswordVerifier as _, Version};
use connector_core::{Context, Secret};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// The memory that hashing a password takes, in KiB.
const MEMORY: u32 = 47_104;

/// The fewest characters of a password.
const SHORTEST: usize = 12;

/// The most bytes of a password.
const LONGEST: usize = 1024;

/// How many passwords are hashed at the same time. Each takes a processor and [`MEMORY`].
const AT_ONCE: usize = 2;

/// What people guess first, of those that are long enough: as they are without capitals, spaces and signs.
const COMMON: [&str; 12] = [
    "123456789012",
    "1234567890123",
    "administrator",
    "adminpassword",
    "passwordpassword",
    "password1234",
    "password12345",
    "password123456",
    "qwertyuiop12",
    "qwertyuiop123",
    "changemechangeme",
    "letmeinletmein",
];

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

/// Makes sure that a password is not guessed soon.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check_password(password: &Secret, name: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::Request(why.to_owned()));
    let text = password.expose();
    if text.chars().count() < SHORTEST {
        return refuse("the password is too short: it has at least 12 characters");
    }
    if text.len() > LONGEST {
        return refuse("the password is too long: it has at most 1024 bytes");
    }
    let plain: String = text.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
    let is_name = text.trim().to_lowercase() == name.to_lowercase();
    let first = plain.chars().next();
    let is_one_letter = plain.chars().all(|letter| Some(letter) == first);
    if is_name || is_one_letter || COMMON.contains(&plain.as_str()) {
        return refuse("the password is among the first that somebody would guess: choose another one");
    }
    Ok(())
}

fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY, 1, 1, None)?))
}

/// What is stored of a password, as a PHC text.
///
/// # Errors
/// When the context has no randomness to give, or the machine has no memory.
pub(crate) async fn hash(cx: &Context, password: Secret) -> Result<String> {
    let mut salt = [0_u8; 16];
    cx.fill_random(&mut salt)?;
    in_turn(move || {
        let hash: Result<PasswordHash, _> =
            argon2().map_err(failed)?.hash_password_with_params(password.expose().as_bytes(), &salt, parameters()?);
        hash.map(|hash| hash.to_string()).map_err(failed)
    })
    .await?
}

fn parameters() -> Result<Params> {
    Params::new(MEMORY, 1, 1, None).map_err(failed)
}

/// Whether a password is the one that was hashed.
///
/// # Errors
/// When what is stored is no hash, or the machine has no memory.
pub(super) async fn matches(password: Secret, stored: String) -> Result<bool> {
    if password.expose().len() > LONGEST {
        return Ok(false);
    }
    in_turn(move || {
        let stored = PasswordHash::new(&stored).map_err(failed)?;
        match argon2().map_err(failed)?.verify_password(password.expose().as_bytes(), &stored) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    })
    .await?
}

/// Does it on a thread where waiting harms nobody. Its turn is over when it is done, also if nobody waits for it any more.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let turn = Arc::clone(&TURNS).acquire_owned().await.map_err(failed)?;
    let work = move || {
        let done = work();
        drop(turn);
        done
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| failed("it ended before it was done"))
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::Machine(format!("a password could not be hashed: {why}"))
}

#[cfg(test)]
mod tests {
    use connector_core::testing::FakeTransport;

    use super::*;

    #[test]
    fn what_is_guessed_first_is_refused_in_words() {
        let sentence = |text: &str| check_password(&Secret::from(text), "Ada.Lovelace.1815").unwrap_err().to_string();
        for short in ["", "elevenchars", "ä".repeat(11).as_str()] {
            assert!(sentence(short).contains("at least 12"), "{short}");
        }
        assert!(sentence(&"x1".repeat(513)).contains("at most 1024"));
        for common in [
            "ada.lovelace.1815",
            "ADA.lovelace.1815 ",
            "aaaaaaaaaaaa",
            "Password-1234",
            "1234 5678 9012",
            "            ",
        ] {
            assert!(sentence(common).contains("guess"), "{common}");
        }
        for fine in ["correct horse", "äöüäöüäöüäöß", "ada.lovelace.1816", "x1".repeat(512).as_str()] {
            assert!(check_password(&Secret::from(fine), "Ada.Lovelace.1815").is_ok(), "{fine}");
        }
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let cx = FakeTransport::default().context();
        let (one, other) = (hash(&cx, "correct horse".into()).await.unwrap(), hash(&cx, "correct horse".into()).await);
        assert!(one.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{one}");
        assert_ne!(one, other.unwrap(), "each has a salt of its own");
        assert!(matches("correct horse".into(), one.clone()).await.unwrap());
        for wrong in ["", "correct horsf", "Correct horse", "correct horse "] {
            assert!(!matches(wrong.into(), one.clone()).await.unwrap(), "{wrong}");
        }
        assert!(matches("correct horse".into(), "no hash".to_owned()).await.is_err());
    }
}

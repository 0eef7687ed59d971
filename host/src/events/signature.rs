//! Signatures as Standard Webhooks has them: `v1,` and base64 of an HMAC-SHA256 over the id, the time and the body, with a dot between.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector_core::{Context, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every signing secret begins with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret may have.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// How many bytes a fresh one has.
const FRESH: usize = 32;
/// What a signature of this kind begins with.
const VERSION: &str = "v1,";
/// How far the clocks of a sender and a receiver may be apart.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Why a message is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// The secret is no `whsec_` and base64 of 24 to 64 bytes.
    #[error("the secret is not `whsec_` and base64 of 24 to 64 bytes")]
    Secret,
    /// The time is no number of seconds, or more than five minutes away.
    #[error("the message is too old, or from the future: it may be a replay, or a clock is wrong")]
    Time,
    /// No signature is that of the secret over this message.
    #[error("no signature of the message was made with this secret")]
    Signature,
}

/// A secret that nobody can guess.
///
/// # Errors
/// When the context has no randomness to give.
pub(crate) fn fresh(cx: &Context) -> connector_core::Result<Secret> {
    let mut bytes = Zeroizing::new([0; FRESH]);
    cx.fill_random(bytes.as_mut_slice())?;
    Ok(Secret::new(format!("{PREFIX}{}", Zeroizing::new(STANDARD.encode(bytes.as_slice())).as_str())))
}

/// The text of the header `webhook-signature`: one signature with each secret. `at` is the time in `webhook-timestamp`.
///
/// # Errors
/// A text that is no signing secret.
pub fn sign(secrets: &[Secret], id: &str, at: Timestamp, body: &str) -> Result<String, Unverified> {
    let sign = |secret: &Secret| {
        let mac = mac(secret, id, &at.as_second().to_string(), body)?;
        Ok(format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    Ok(secrets.iter().map(sign).collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// Makes sure that a message is what the sender has sent, now, by the texts of its three headers. The body is that which came, byte for byte.
/// The id is for the receiver to remember for four days: an event that comes again has the same.
///
/// # Errors
/// Why it is not to be believed.
pub fn verify(
    secret: &Secret,
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), Unverified> {
    let sent_at = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let apart = sent_at.ok_or(Unverified::Time)?.duration_since(now).abs();
    if apart > TOLERANCE {
        return Err(Unverified::Time);
    }
    let mac = mac(secret, id, timestamp, body)?;
    let given = signatures.split(' ').filter_map(|text| STANDARD.decode(text.strip_prefix(VERSION)?).ok());
    // Compares in a time that does not depend on where they differ.
    let fits = given.map(|signature| mac.clone().verify_slice(&signature)).any(|checked| checked.is_ok());
    if fits { Ok(()) } else { Err(Unverified::Signature) }
}

fn mac(secret: &Secret, id: &str, timestamp: &str, body: &str) -> Result<Hmac<Sha256>, Unverified> {
    let text = secret.expose().strip_prefix(PREFIX).ok_or(Unverified::Secret)?;
    let key = Zeroizing::new(STANDARD.decode(text).map_err(|_| Unverified::Secret)?);
    if !LENGTHS.contains(&key.len()) {
        return Err(Unverified::Secret);
    }
    let mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| Unverified::Secret)?;
    Ok(mac.chain_update(format!("{id}.{timestamp}.{body}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use connector_core::testing::FakeTransport;

    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: &str = "1614265330";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_614_265_330 + seconds).unwrap()
    }

    fn check(secret: &str, id: &str, time: &str, signatures: &str, body: &str, now: i64) -> Result<(), Unverified> {
        verify(&Secret::from(secret), id, time, signatures, body, at(now))
    }

    #[test]
    fn the_example_of_the_specification_is_signed_as_it_says() {
        assert_eq!(sign(&[Secret::from(SECRET)], ID, at(0), BODY).as_deref(), Ok(SIGNATURE));
        assert_eq!(check(SECRET, ID, TIME, SIGNATURE, BODY, 0), Ok(()));
    }

    #[test]
    fn what_was_changed_on_the_way_is_not_believed() {
        let wrong = Err(Unverified::Signature);
        assert_eq!(check(SECRET, "msg_other", TIME, SIGNATURE, BODY, 0), wrong);
        assert_eq!(check(SECRET, ID, "1614265331", SIGNATURE, BODY, 0), wrong);
        assert_eq!(check(SECRET, ID, TIME, SIGNATURE, r#"{"test":2432232314}"#, 0), wrong, "written anew");
        for signature in
            ["", "v1,", "v1,AAAA", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v1a,AAAA", &SIGNATURE[..40]]
        {
            assert_eq!(check(SECRET, ID, TIME, signature, BODY, 0), wrong, "{signature}");
        }
        let other = SIGNATURE.replacen("g0h", "h0h", 1);
        assert_eq!(check(SECRET, ID, TIME, &other, BODY, 0), wrong);
    }

    #[test]
    fn five_minutes_either_way_are_taken_and_no_more() {
        for (now, taken) in [(-301, false), (-300, true), (300, true), (301, false)] {
            assert_eq!(check(SECRET, ID, TIME, SIGNATURE, BODY, now).is_ok(), taken, "{now}");
        }
        for time in ["", "soon", "1614265330.5", "99999999999999999999"] {
            assert_eq!(check(SECRET, ID, time, SIGNATURE, BODY, 0), Err(Unverified::Time), "{time}");
        }
    }

    #[test]
    fn while_a_secret_is_replaced_either_of_the_two_fits() {
        let cx = FakeTransport::default().context();
        let (old, new) = (fresh(&cx).unwrap(), fresh(&cx).unwrap());
        let both = sign(&[new.clone(), old.clone()], ID, at(0), BODY).unwrap();
        for secret in [&old, &new] {
            assert_eq!(verify(secret, ID, TIME, &both, BODY, at(0)), Ok(()));
        }
        assert_eq!(check(SECRET, ID, TIME, &both, BODY, 0), Err(Unverified::Signature));
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        let (short, long) = (STANDARD.encode([7; 23]), STANDARD.encode([7; 65]));
        for text in
            ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &format!("{PREFIX}{short}"), &format!("{PREFIX}{long}")]
        {
            assert_eq!(sign(&[Secret::from(text)], ID, at(0), BODY), Err(Unverified::Secret), "{text}");
        }
    }

    #[test]
    fn a_replay_is_known_by_its_id() {
        let mut seen = BTreeSet::new();
        let mut fits = |_: &i32| check(SECRET, ID, TIME, SIGNATURE, BODY, 0).is_ok() && seen.insert(ID);
        assert_eq!((0..1_000).filter(&mut fits).count(), 1);
    }
}

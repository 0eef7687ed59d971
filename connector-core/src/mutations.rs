//! Texts that are nearly those that platforms send.

use fastrand::Rng;

/// What is put in: the letters that readers trip over.
const PIECES: [&[u8]; 22] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0061",
    b"null",
    b"-1e999",
    b"9223372036854775808",
    b"\xEF\xBB\xBF",
    b"\"error\":\"x\",",
    b"\"id\":[],",
    b"\"refresh_token\":\"rft.canary\",",
    b"\"access_token\":\"\",",
    b"&refresh_token=",
    b"&state=",
];

/// The text after one to four changes.
pub(crate) fn mutated(text: &str, random: &mut Rng) -> Vec<u8> {
    let mut body = text.as_bytes().to_vec();
    for _ in 0..random.usize(1..=4) {
        mutate(&mut body, random);
    }
    body
}

fn mutate(body: &mut Vec<u8>, random: &mut Rng) {
    let at = random.usize(0..=body.len());
    let upto = (at + random.usize(0..12)).min(body.len());
    match random.u8(0..5) {
        0 => body.truncate(at),
        1 => drop(body.drain(at..upto)),
        2 => body.extend_from_within(at..upto),
        3 if at < body.len() => body[at] ^= 1 << random.u8(0..8),
        _ => drop(body.splice(at..at, PIECES[random.usize(0..PIECES.len())].iter().copied())),
    }
}

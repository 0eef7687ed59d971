//! Answers that never end: each is an error at the cap, whoever sends it was not heard for much longer, and little memory was needed. The
//! memory of the whole process is measured, so this has a program to itself, with one test.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use connector_core::http::{HttpTransport as _, Policy, Request, ReqwestTransport, TransportError};
use http::Method;
use url::Url;

const MIB: usize = 1024 * 1024;

/// What a server would send if anybody listened for so long.
const ENDLESS: usize = 10 * 1024 * MIB;

/// What the buffers of the system hold between two ends of a connection, and more.
const ON_THE_WAY: usize = 24 * MIB;

/// So much more memory an exchange may need.
const MEMORY: usize = 16 * MIB;

/// An answer: how it begins, and what it goes on with again and again.
struct Endless {
    name: &'static str,
    /// Whether it is the body that has no end.
    is_body: bool,
    head: Vec<u8>,
    more: Vec<u8>,
}

/// A server for one request, and how many bytes it got rid of.
fn serve(endless: Endless) -> (Url, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let sent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        // A client that hangs is a failure, and no reason to wait for ever.
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&endless.head).map_or(0, |()| send_on(&mut stream, &endless.more))
    });
    (url, sent)
}

fn send_on(stream: &mut TcpStream, more: &[u8]) -> usize {
    let mut sent = 0;
    while sent < ENDLESS {
        match stream.write(&more[sent % more.len()..]) {
            Ok(bytes) => sent += bytes,
            Err(_) => break,
        }
    }
    sent
}

fn chunked(size: usize) -> Endless {
    let mut more = format!("{size:x}\r\n").into_bytes();
    more.resize(more.len() + size, b'x');
    more.extend(b"\r\n");
    Endless {
        name: "chunks",
        is_body: true,
        head: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        more,
    }
}

/// Zeros, compressed by a factor of more than a hundred (RFC 1951): one literal, then copies of the byte before it. Eight copies are thirteen
/// bytes, so they can be repeated.
fn bomb() -> Endless {
    let mut bits = Bits::default();
    bits.push(&[false, true, false]); // Not the last block; the codes that RFC 1951 fixes.
    bits.push(&[false, false, true, true, false, false, false, false]);
    let first = bits.0.len();
    // 258 bytes, from one byte back.
    let copy = [true, true, false, false, false, true, false, true, false, false, false, false, false];
    while bits.0.len() < first + 16 * copy.len() {
        bits.push(&copy);
    }
    let bytes = bits.bytes();
    let (start, period) = bytes[..26].split_at(13);
    let mut head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
    head.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    head.extend(start);
    Endless { name: "a gzip bomb", is_body: true, head, more: period.repeat(1024) }
}

/// Bits in the order in which they are sent.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn push(&mut self, bits: &[bool]) {
        self.0.extend(bits);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks_exact(8).map(byte).collect()
    }
}

fn headers() -> Endless {
    let more = (0..1000).flat_map(|number| format!("X-Header-{number}: a value\r\n").into_bytes()).collect();
    Endless { name: "headers", is_body: false, head: b"HTTP/1.1 200 OK\r\n".to_vec(), more }
}

fn one_header() -> Endless {
    Endless {
        name: "one header",
        is_body: false,
        head: b"HTTP/1.1 200 OK\r\nX-Header: ".to_vec(),
        more: vec![b'x'; 64 * 1024],
    }
}

async fn send(url: Url, policy: Policy) -> TransportError {
    ReqwestTransport::new().send(Request::new(Method::GET, url, policy)).await.unwrap_err()
}

/// A line of what the system knows of this process, in bytes.
fn memory(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn an_answer_without_an_end_is_an_error_at_the_cap_and_costs_little() {
    for (policy, cap) in [(Policy::TOKEN, 64 * 1024), (Policy::READ, 8 * MIB)] {
        assert_eq!(policy.body_cap, cap);
        for endless in [chunked(64 * 1024), chunked(16 * MIB), bomb(), headers(), one_header()] {
            let (name, is_body) = (endless.name, endless.is_body);
            let before = memory("VmRSS:");
            // From here on the highest use is counted anew.
            std::fs::write("/proc/self/clear_refs", "5").unwrap();
            let (url, sent) = serve(endless);
            let error = send(url, policy).await;
            let grown = memory("VmHWM:").saturating_sub(before);
            // The connection is closed by the runtime, which has to run meanwhile.
            let sent = tokio::task::spawn_blocking(move || sent.join()).await.unwrap().unwrap();
            assert!(sent <= cap + ON_THE_WAY, "{name}: {sent} bytes were sent");
            assert!(grown < MEMORY, "{name}: {} KiB more memory", grown / 1024);
            if is_body {
                assert!(error.message.ends_with(&format!("more than the {cap} bytes allowed here")), "{name}: {error}");
            }
        }
    }
}

//! What a product sends again, and what it leaves to its caller.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::guide::Guide;
use crate::support::came::Came;

/// So long that only a product that hangs is cut off.
const PATIENCE: Duration = Duration::from_mins(1);

const MADE: (&str, &str) = ("201 Created", r#"{"id":"made"}"#);
const IN_A_MOMENT: (&str, &str) = ("429 Too Many Requests\r\nRetry-After: 0", "{}");
const LONG_AGO: (&str, &str) = ("409 Conflict\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT", "{}");
const IN_AN_HOUR: (&str, &str) =
    ("429 Too Many Requests\r\nRetry-After: 3600", r#"{"type":"urn:connector-host:problem:too_many_requests"}"#);
const REFUSED: (&str, &str) = ("422 Unprocessable Content", r#"{"type":"urn:connector-host:problem:bad_value"}"#);

/// Has a product change something at hosts that answer so and so.
pub(crate) fn sent(program: &str, args: &[&str], guide: &Guide) {
    let dir = tempfile::tempdir().unwrap();
    guide.write(dir.path());
    let run = |answers: &[(&'static str, &'static str)]| {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(dir.path())
            .env("CONNECTOR_KEY", "key")
            .env("CONNECTOR_WEBHOOK_SECRET", "whsec_");
        said(command, answers)
    };
    assert_eq!(run(&[IN_A_MOMENT, LONG_AGO, MADE]), "made", "the same is sent again");
    assert_eq!(run(&[IN_AN_HOUR]), "too_many_requests 3600", "an hour is the caller's");
    assert!(run(&[REFUSED]).starts_with("bad_value"), "it would be refused again");
}

/// What a command says at a host that answers so, whose requests are all the same under one key.
fn said(mut command: Command, answers: &[(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    command.env("CONNECTOR_HOST_URL", format!("http://{}", listener.local_addr().unwrap()));
    let (tell, came) = mpsc::channel();
    let answering = answers.to_vec();
    std::thread::spawn(move || {
        for (head, body) in answering {
            // Nobody listens any more if the test has failed.
            let _ = tell.send(Came::answered(&listener, head, body));
        }
    });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it waits longer than anybody at a browser would");
        }
        std::thread::yield_now();
    }
    let done = child.wait_with_output().unwrap();
    let all: Vec<_> = answers.iter().map(|_| came.recv_timeout(PATIENCE).unwrap()).collect();
    for again in &all {
        assert!(again.header("idempotency-key").len() >= 16);
        assert_eq!(again.header("idempotency-key"), all[0].header("idempotency-key"));
        assert_eq!(again.body, all[0].body);
    }
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

//! Events: what a product is told while it runs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use connector_core::Secret;
use connector_host::events::verify;
use jiff::Timestamp;
use serde_json::Value;

use crate::support::{MIRA, Stage, person};

/// A request that came.
struct Came {
    head: Vec<String>,
    body: String,
}

impl Came {
    /// Takes the next request and answers that it was received.
    fn next(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let came = Self::read(&stream);
        (&stream).write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        came
    }

    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let mut came = Self { head, body: String::new() };
        let mut body = vec![0; came.header("content-length").parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        came.body = String::from_utf8(body).unwrap();
        came
    }

    fn header(&self, name: &str) -> &str {
        let lines = self.head.iter().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap()
    }

    fn is_signed_with(&self, secret: &str) -> bool {
        let (id, time, signature) = ("webhook-id", "webhook-timestamp", "webhook-signature");
        let now = Timestamp::from_second(self.header(time).parse().unwrap()).unwrap();
        let (id, time, signature) = (self.header(id), self.header(time), self.header(signature));
        verify(&Secret::from(secret), id, time, signature, &self.body, now).is_ok()
    }
}

fn listed(stage: &Stage, args: &str) -> Vec<Value> {
    stage.cli("events list --json").args(args).run().ok().json().as_array().unwrap().clone()
}

#[test]
fn a_receiver_is_told_of_what_happens_and_can_be_told_again() {
    let (stage, listener) = (Stage::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let added = stage.cli("events receivers add").arg(&url).run().ends(0, &["not shown again"]);
    let secret = added.out.trim().to_owned();
    assert!(secret.starts_with("whsec_") && !added.err.contains(&secret));
    stage.connect(&person(MIRA));
    let mut running = stage.cli("serve --listen 127.0.0.1:0 --json --every 1h").start();
    running.document();
    let came = Came::next(&listener);
    let body: Value = serde_json::from_str(&came.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["connection"]["state"]), (&"connection.created".into(), &"active".into()));
    assert!(came.is_signed_with(&secret) && came.head[0].starts_with("POST /hooks "));
    let id = came.header("webhook-id").to_owned();
    let deadline = Instant::now() + Duration::from_mins(1);
    while listed(&stage, "")[0]["deliveries"][0]["state"] != "delivered" {
        assert!(Instant::now() < deadline, "{:?}", listed(&stage, ""));
        std::thread::yield_now();
    }
    stage.cli("events resend").arg(&id).run().ok();
    assert_eq!(Came::next(&listener).header("webhook-id"), id);
    running.terminate();
    running.done().ends(0, &[]);
    assert!(listed(&stage, "--dead").is_empty());
    stage.cli("events receivers").run().ends(0, &[&url, "all", "active"]);
}

#[test]
fn without_leave_no_receiver_is_inside() {
    let stage = Stage::new();
    let refused = stage.live("events receivers add https://10.0.0.1/hooks").run();
    refused.ends(2, &["no event can be sent to this URL", "10.0.0.1"]);
    stage.cli("events resend").run().ends(2, &["--dead"]);
    stage.cli("events resend evt_nothing").run().ends(1, &["evt_nothing"]);
    stage.cli("events receivers").run().ends(0, &["Nobody is told of events"]);
}

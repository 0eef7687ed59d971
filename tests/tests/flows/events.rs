//! Events: what a product is told while it runs.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use connector_core::Secret;
use connector_host::events::verify;
use jiff::Timestamp;
use serde_json::Value;

use crate::support::came::Came;
use crate::support::{MIRA, Stage, person};

fn is_signed_with(came: &Came, secret: &str) -> bool {
    let (id, time, signature) = ("webhook-id", "webhook-timestamp", "webhook-signature");
    let now = Timestamp::from_second(came.header(time).parse().unwrap()).unwrap();
    let (id, time, signature) = (came.header(id), came.header(time), came.header(signature));
    verify(&Secret::from(secret), id, time, signature, &came.body, now).is_ok()
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
    assert!(is_signed_with(&came, &secret) && came.head[0].starts_with("POST /hooks "));
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

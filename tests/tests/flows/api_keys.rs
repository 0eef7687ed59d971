//! API keys, as whoever runs the program makes, sees and revokes them.

use serde_json::{Value, json};

use crate::support::{Leaks, Stage};

fn listed(stage: &Stage) -> Vec<Value> {
    stage.cli("api-keys list --json").run().ok().json().as_array().unwrap().clone()
}

fn create(stage: &Stage, args: &str) -> Value {
    stage.cli("api-keys create --json").args(args).run().ok().json()
}

#[test]
fn a_key_is_made_shown_and_revoked() {
    let stage = Stage::new();
    stage.cli("api-keys").run().ends(0, &["There is no API key", "connector-host api-keys create"]);
    let made = stage.cli("api-keys create shop --rights tokens:read,connections:read --expires-in 90d").run();
    let made = made.ends(0, &["`shop`", "the tenant `default`", "connections:read, tokens:read", "not shown again"]);
    let secret = made.out.trim_end();
    assert!(secret.starts_with("chk_") && secret.len() == 47, "the secret is alone on standard output: {}", made.out);
    assert!(!made.err.contains(secret));

    let keys = listed(&stage);
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let shown = json!([key["name"], key["tenant"], key["rights"], key["state"], key["revoked_at"]]);
    assert_eq!(shown, json!(["shop", "default", ["connections:read", "tokens:read"], "active", null]));
    let at = |field: &str| key[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(at("expires_at").duration_since(at("created_at")), jiff::SignedDuration::from_hours(90 * 24));
    let id = key["id"].as_str().unwrap();
    stage.cli("api-keys list").run().ends(0, &[id, "shop", "default", "connections:read, tokens:read", "active"]);

    stage.cli("api-keys revoke shop").run().ends(0, &["`shop`", id, "not let in any more"]);
    stage.cli("api-keys revoke").arg(id).run().ends(0, &["had been revoked already"]);
    stage.cli("api-keys list").run().ends(0, &[id, "revoked"]);
    assert!(listed(&stage)[0]["revoked_at"].is_string());
    let nobody = stage.cli("api-keys revoke nobody").run();
    nobody.ends(2, &["no API key is called `nobody`", "connector-host api-keys list"]);
}

#[test]
fn a_server_has_a_key_for_every_tenant() {
    let stage = Stage::new();
    let server = create(&stage, "server --rights all --any-tenant");
    assert_eq!((&server["tenant"], server["rights"].as_array().unwrap().len()), (&Value::Null, 8));
    assert_eq!(create(&stage, "acme --rights tokens:read --tenant acme")["tenant"], "acme");
    stage.cli("api-keys list").run().ends(0, &["server", "any", "acme", "never"]);
    let both = stage.cli("api-keys create both --rights all --tenant acme --any-tenant").run();
    both.ends(2, &["--tenant or --any-tenant"]);
    let events = |args: &str| {
        let records = stage.cli("audit --json").args(args).run().ok().json();
        let records = records.as_array().unwrap().iter().map(|record| record["event"].clone());
        records.filter(|event| event == "api_key_created").count()
    };
    assert_eq!((events("--tenant acme"), events("--tenant other")), (2, 1), "a server's key is everybody's affair");
}

#[test]
fn what_would_be_no_key_is_refused_with_what_there_is() {
    let stage = Stage::new();
    let rights = ["connections:read", "connections:write", "tokens:read", "metrics:read", "config:read", "audit:read"];
    for args in ["", "--rights tokens:write", "--rights tokens:read,"] {
        let done = stage.cli("api-keys create shop").args(args).run();
        done.ends(2, &rights).ends(2, &["--rights", "all"]);
    }
    stage.cli("api-keys create shop --rights all --expires-in 0").run().ends(2, &["in the future"]);
    stage.cli("api-keys create shop --rights all --expires-in soon").run().ends(2, &["30s, 15m, 6h or 2d"]);
    assert_eq!(listed(&stage), Vec::<Value>::new());

    create(&stage, "shop --rights all");
    for args in ["", "--tenant acme", "--any-tenant"] {
        let again = stage.cli("api-keys create shop --rights all").args(args).run();
        again.ends(2, &["active API key of the name `shop`", "revoke that one first"]);
    }
    assert_eq!(listed(&stage).len(), 1);
}

#[test]
fn a_name_is_free_once_its_key_has_expired_or_is_revoked() {
    let stage = Stage::new();
    create(&stage, "shop --rights all --expires-in 1h");
    stage.by_others("UPDATE api_keys SET expires_at = created_at + 1");
    stage.cli("api-keys list").run().ends(0, &["shop", "expired"]);
    let second = create(&stage, "shop --rights all");
    assert_eq!(
        stage.cli("api-keys revoke shop --json").run().ok().json()["id"],
        second["id"],
        "the active one is meant"
    );
    create(&stage, "shop --rights all");
    let states: Vec<Value> = listed(&stage).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["expired", "revoked", "active"]);
}

#[test]
fn the_secret_of_a_key_is_said_once_and_its_digest_never() {
    let stage = Stage::new();
    let made = stage.cli("api-keys create shop --rights all -vv").env("RUST_LOG", "trace").run().ok();
    let secret = made.out.trim_end().to_owned();
    let digest = connector_core::Secret::from(secret.as_str()).digest();
    let secrets = [("secret", secret.clone()), ("random part", secret[4..].to_owned()), ("digest", digest)];
    let secrets = secrets.map(|(name, value)| (name.to_owned(), value));
    let (leaks, stored) = (Leaks::of(&secrets), Leaks::of(&secrets[..2]));
    assert_eq!(leaks.within(made.err.as_bytes()), Vec::<&str>::new());
    for command in ["api-keys list", "api-keys list --json", "audit", "audit --json", "api-keys revoke shop", "audit"] {
        let done = stage.cli(command).arg("-vv").env("RUST_LOG", "trace").run().ok();
        assert_eq!(leaks.within(format!("{}{}", done.out, done.err).as_bytes()), Vec::<&str>::new(), "{command}");
    }
    let (found, files) = stored.under(&stage.path("."));
    assert_eq!(found, Vec::<String>::new());
    assert!(files >= 4, "only {files} files were searched");
}

#[test]
fn no_platform_and_no_running_host_is_needed() {
    let stage = Stage::new();
    let made = stage.live("api-keys create shop --rights tokens:read --quiet").run().ok();
    assert!(made.err.is_empty() && made.out.lines().count() == 1, "{}", made.err);
    let keys = stage.live("api-keys list --json").run().ok().json();
    assert_eq!(keys[0]["name"], "shop");
    assert_eq!(listed(&stage), Vec::<Value>::new(), "the emulators' data is another realm's");
}

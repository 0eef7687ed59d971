//! API keys, from their making to their end.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::collections::BTreeSet;
use std::sync::Arc;

use connector_core::testing::{CountingRandom, FakeClock, FakeTransport};
use connector_core::{Context, Secret};
use connector_host::store::{ApiKeyId, ApiKeyState, AuditFilter, AuditRecord, WHOLE_STORE};
use connector_host::testing::{Example, Installation, TENANT};
use connector_host::{Host, NewApiKey, Right};
use jiff::{SignedDuration, Timestamp};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

async fn host() -> (Installation, Host, FakeClock) {
    let clock = FakeClock::at(NOW);
    let cx =
        Context::new(Arc::new(FakeTransport::default()), Arc::new(clock.clone()), Arc::new(CountingRandom::default()));
    let installation = Installation::new(Example::default(), cx).unwrap();
    let host = installation.host().await.unwrap();
    (installation, host, clock)
}

fn new(name: &str) -> NewApiKey {
    let rights = [Right::TokensRead, Right::ConnectionsRead].into();
    NewApiKey { name: name.to_owned(), tenant: Some(TENANT.to_owned()), rights, life: None }
}

async fn about_keys(host: &Host, tenant: &str) -> Vec<AuditRecord> {
    let mut records = host.store().audit(tenant, &AuditFilter::default()).await.unwrap();
    records.retain(|record| record.event.starts_with("api_key_"));
    records.reverse();
    records
}

#[tokio::test]
async fn a_key_is_good_until_it_is_revoked() {
    let (_installation, host, clock) = host().await;
    let (key, secret) = host.create_api_key(new("shop")).await.unwrap();
    assert!(secret.expose().starts_with("chk_") && secret.expose().len() == 47);
    assert_eq!((key.tenant.as_deref(), key.created_at, key.state(NOW)), (Some(TENANT), NOW, ApiKeyState::Active));
    assert_eq!(host.api_key(&secret).await.unwrap(), Some(key.clone()));
    assert_eq!(host.api_keys().await.unwrap(), std::slice::from_ref(&key));

    clock.advance(SignedDuration::from_hours(1));
    assert!(host.revoke_api_key(&key.id).await.unwrap());
    assert_eq!(host.api_key(&secret).await.unwrap(), None);
    assert!(!host.revoke_api_key(&key.id).await.unwrap(), "once is enough");
    let revoked_at = host.api_keys().await.unwrap()[0].revoked_at;
    assert_eq!(revoked_at, Some(NOW + SignedDuration::from_hours(1)));
}

#[tokio::test]
async fn a_key_is_good_until_it_expires_and_its_name_is_free_then() {
    let (_installation, host, clock) = host().await;
    let hour = SignedDuration::from_hours(1);
    let (key, secret) = host.create_api_key(NewApiKey { life: Some(hour), ..new("shop") }).await.unwrap();
    let again = host.create_api_key(NewApiKey { tenant: None, ..new("shop") }).await.unwrap_err().to_string();
    assert!(again.contains("`shop`") && again.contains("revoke"), "{again}");
    clock.advance(hour - SignedDuration::from_millis(1));
    assert_eq!(host.api_key(&secret).await.unwrap(), Some(key));
    clock.advance(SignedDuration::from_millis(1));
    assert_eq!(host.api_key(&secret).await.unwrap(), None);
    let (other, other_secret) = host.create_api_key(new("shop")).await.unwrap();
    assert_eq!(host.api_key(&other_secret).await.unwrap(), Some(other));
}

#[tokio::test]
async fn what_happened_to_keys_is_on_record_without_what_they_are() {
    let (installation, host, _) = host().await;
    let (of_tenant, secret) = host.create_api_key(new("shop")).await.unwrap();
    let (of_server, _) = host.create_api_key(NewApiKey { tenant: None, ..new("server") }).await.unwrap();
    for key in [&of_tenant, &of_server] {
        host.revoke_api_key(&key.id).await.unwrap();
    }
    for (tenant, key) in [(TENANT, &of_tenant), (WHOLE_STORE, &of_server)] {
        let records = about_keys(&host, tenant).await;
        let events: Vec<&str> = records.iter().map(|record| record.event.as_str()).collect();
        assert_eq!(events, ["api_key_created", "api_key_revoked"]);
        for record in records {
            assert!(record.detail.contains(key.id.as_str()) && record.detail.contains("tokens:read"), "{record:?}");
            assert!(!record.detail.contains(&key.digest) && !record.detail.contains(&key.name), "{record:?}");
        }
    }
    host.store().shred().await.unwrap();
    let file = std::fs::read(installation.dir().join("store.db")).unwrap();
    let holds = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    let random = secret.expose().trim_start_matches("chk_");
    assert!(holds(&of_tenant.digest) && !holds(random));
}

#[tokio::test]
async fn what_is_no_key_is_refused_without_a_look_at_the_store() {
    let (installation, host, _) = host().await;
    let (_, secret) = host.create_api_key(new("shop")).await.unwrap();
    let unknown = Secret::new(format!("chk_{}", "x".repeat(43)));
    assert_eq!(host.api_key(&unknown).await.unwrap(), None);
    installation.file().run("DROP TABLE api_keys").unwrap();
    for text in ["", "chk_", "secret", &secret.expose()[4..], &secret.expose()[..46]] {
        assert_eq!(host.api_key(&Secret::from(text)).await.unwrap(), None);
    }
    host.api_key(&secret).await.unwrap_err();
}

#[tokio::test]
async fn what_makes_no_sense_is_not_made() {
    let (_installation, host, _) = host().await;
    let id = ApiKeyId::new(host.context()).unwrap();
    let named = |name: &str| NewApiKey { name: name.to_owned(), ..new("") };
    let nonsense = [
        (named(""), "1 to 100 characters"),
        (named(" shop"), "1 to 100 characters"),
        (named("sh\nop"), "1 to 100 characters"),
        (named(&"x".repeat(101)), "1 to 100 characters"),
        (named(id.as_str()), "reads as an id"),
        (NewApiKey { tenant: Some(String::new()), ..new("shop") }, "no tenant"),
        (NewApiKey { rights: BTreeSet::new(), ..new("shop") }, "at least one thing"),
        (NewApiKey { life: Some(SignedDuration::ZERO), ..new("shop") }, "in the future"),
    ];
    for (new, why) in nonsense {
        let error = host.create_api_key(new).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(host.api_keys().await.unwrap().is_empty() && about_keys(&host, TENANT).await.is_empty());
    let error = host.revoke_api_key(&id).await.unwrap_err().to_string();
    assert!(error.contains("there is no API key") && error.contains(id.as_str()), "{error}");
}

#[tokio::test]
async fn whose_store_it_is_not_makes_no_key_and_lets_its_keys_in() {
    let (installation, host, _) = host().await;
    let (key, secret) = host.create_api_key(new("shop")).await.unwrap();
    installation.adopted_elsewhere().await.unwrap();
    for error in [host.create_api_key(new("other")).await.unwrap_err(), host.revoke_api_key(&key.id).await.unwrap_err()]
    {
        assert!(error.to_string().contains("`elsewhere`"), "{error}");
    }
    assert_eq!(host.api_key(&secret).await.unwrap(), Some(key));
}

//! A store that comes to belong to another instance.

use connector_core::ErrorKind;
use connector_core::metrics::Missing;
use connector_host::Shown;
use connector_host::testing::TENANT;
use jiff::SignedDuration;

use crate::support::{Bench, kind, me, tokens};

#[tokio::test]
async fn a_host_that_runs_while_its_store_is_adopted_elsewhere_sends_nothing_more() {
    let bench = Bench::expired().await;
    bench.installation.adopted_elsewhere().await.unwrap();
    let error = bench.session().await.unwrap_err();
    assert_eq!(kind(&error), "config");
    assert!(error.to_string().contains("belongs to the instance `elsewhere`"), "{error}");

    let connected = bench.connected().await;
    let metrics = bench.host.metrics(&connected, SignedDuration::ZERO).await.unwrap();
    let followers = metrics.cells.into_values().next().unwrap();
    assert!(
        matches!(followers, Shown::Stale(_, Missing::Failed(ErrorKind::Config)) | Shown::Missing(_)),
        "{followers:?}"
    );
    assert_eq!(kind(&metrics.error.unwrap()), "config");
    assert_eq!(kind(&bench.host.disconnect(TENANT, &connected.connection.id).await.unwrap_err()), "config");
    bench.host.revoke_due().await.unwrap();
    assert!(bench.host.finish_all(TENANT).await.unwrap().is_empty());
    bench.host.drain().await;
    assert_eq!(bench.server.token_requests(), 0);
    assert_eq!(bench.connected().await, connected, "nothing has changed");
}

#[tokio::test]
async fn a_token_that_still_lives_is_not_used_in_another_instances_store() {
    let bench = Bench::new().await;
    bench.server.set("/token", [tokens(1)]);
    bench.server.set("/me", [me(7)]);
    bench.connect().await;
    assert_eq!(bench.session().await.unwrap(), "access-1");
    bench.installation.adopted_elsewhere().await.unwrap();
    assert_eq!(kind(&bench.session().await.unwrap_err()), "config");
}

#[tokio::test]
async fn an_answer_that_comes_after_the_store_was_adopted_elsewhere_is_stored() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [tokens(2)]);
    bench.server.shut();
    let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
    let caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    bench.installation.adopted_elsewhere().await.unwrap();
    bench.server.open();
    caller.await.unwrap().unwrap();
    assert_eq!(bench.connected().await.grant.generation, 2);
}

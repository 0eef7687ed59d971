//! Rows that were swapped, changed or put back, and keys that are gone: found out, one connection at a time.

use std::fs;

use connector_host::Opened;
use connector_host::store::{AuditFilter, GrantId, GrantState, Refreshes as _};
use connector_host::testing::TENANT;
use connector_host::vault::{Binding, Sealed, field};

use crate::bench::{Bench, expect_lost, expect_open, reason};

/// Does this to the first of some grants, and expects that this one is lost and nothing else.
async fn one_is_lost(statement: &str, others: usize) {
    let bench = Bench::new();
    let ids = bench.grants(4).await;
    let host = bench.host().await;
    let named: Vec<&str> = ids.iter().take(1 + others).map(GrantId::as_str).collect();
    bench.file().run_with(statement, &named).unwrap();
    expect_lost(&host, &ids[0]).await;
    let again = host.session(TENANT, &ids[0]).await.map(drop).unwrap_err();
    assert_eq!(reason(&again), Some("key_lost"), "it stays so");
    for id in &ids[1..] {
        expect_open(&host, id).await;
    }
    host.rotation().add_key().await.unwrap();
    assert!(host.rotation().reseal(|_| ()).await.unwrap().unopened > 0, "it is not sealed anew as if it were good");
    for id in &ids[1..] {
        expect_open(&host, id).await;
    }
}

#[tokio::test]
async fn another_rows_tokens_do_not_open() {
    one_is_lost("UPDATE grants SET access = (SELECT access FROM grants WHERE id = ?2) WHERE id = ?1", 1).await;
    one_is_lost("UPDATE grants SET refresh = (SELECT refresh FROM grants WHERE id = ?2) WHERE id = ?1", 1).await;
}

#[tokio::test]
async fn the_other_column_of_the_row_does_not_open() {
    one_is_lost("UPDATE grants SET access = refresh WHERE id = ?1", 0).await;
    one_is_lost("UPDATE grants SET access = refresh, refresh = access WHERE id = ?1", 0).await;
}

#[tokio::test]
async fn a_changed_byte_is_found_wherever_it_is() {
    // In the format, the key id, the nonce, the text, and the end.
    one_is_lost("UPDATE grants SET access = CAST(x'02' || substr(access, 2) AS BLOB) WHERE id = ?1", 0).await;
    one_is_lost("UPDATE grants SET access = CAST(substr(access, 1, 1) || x'00ff00ff' || substr(access, 6) AS BLOB) WHERE id = ?1", 0)
        .await;
    one_is_lost(
        "UPDATE grants SET access = CAST(substr(access, 1, 9) || x'0000' || substr(access, 12) AS BLOB) WHERE id = ?1",
        0,
    )
    .await;
    one_is_lost(
        "UPDATE grants SET access = CAST(substr(access, 1, 40) || x'0000' || substr(access, 43) AS BLOB) WHERE id = ?1",
        0,
    )
    .await;
    one_is_lost("UPDATE grants SET access = substr(access, 1, length(access) - 1) WHERE id = ?1", 0).await;
    one_is_lost("UPDATE grants SET refresh = x'' WHERE id = ?1", 0).await;
}

#[tokio::test]
async fn a_row_of_another_generation_does_not_open() {
    one_is_lost("UPDATE grants SET generation = generation + 1 WHERE id = ?1", 0).await;
}

#[tokio::test]
async fn tokens_of_before_a_refresh_do_not_come_back() {
    let bench = Bench::new();
    let ids = bench.grants(2).await;
    let (host, store, vault) = (bench.host().await, bench.store().await.unwrap(), bench.vault().await.unwrap());
    let place = Binding { tenant: TENANT, owner: ids[0].as_str(), field: field::ACCESS, generation: 2 };
    let access = vault.seal(&bench.cx, &place, &"newer".into()).unwrap();
    let refreshed = bench.refreshed(&ids[0], access);
    bench.file().run("CREATE TABLE kept (id TEXT, access BLOB)").unwrap();
    let (keep, put_back) = (
        "INSERT INTO kept SELECT id, access FROM grants WHERE id = ?1",
        "UPDATE grants SET access = (SELECT access FROM kept WHERE id = ?1) WHERE id = ?1",
    );
    bench.file().run_with(keep, &[ids[0].as_str()]).unwrap();
    assert!(store.settle_refresh(&refreshed).await.unwrap());
    assert!(host.session(TENANT, &ids[0]).await.unwrap().grant.tokens.access.matches("newer"));
    bench.file().run_with(put_back, &[ids[0].as_str()]).unwrap();
    expect_lost(&host, &ids[0]).await;
    expect_open(&host, &ids[1]).await;
}

/// Somebody took the line of an older key out of the file, and puts it back.
#[tokio::test]
async fn what_was_lost_with_a_key_comes_back_with_it() {
    let bench = Bench::new();
    let ids = bench.grants(3).await;
    bench.host().await.rotation().add_key().await.unwrap();
    let both = fs::read_to_string(bench.key_file()).unwrap();
    let changed = bench.refreshed(&ids[2], Sealed::from_stored(vec![1, 2, 3]));
    assert!(bench.store().await.unwrap().settle_refresh(&changed).await.unwrap());
    fs::write(bench.key_file(), both.lines().next().unwrap()).unwrap();
    let host = bench.host().await;
    for id in &ids {
        expect_lost(&host, id).await;
    }
    assert_eq!(host.recover_lost().await.unwrap(), 0);

    fs::write(bench.key_file(), both).unwrap();
    let Opened { host, recovered, .. } = bench.host_with(bench.keys()).await.unwrap();
    assert_eq!(recovered, 2);
    for id in &ids[..2] {
        expect_open(&host, id).await;
        let grant = host.store().grant(TENANT, id).await.unwrap().unwrap();
        assert_eq!((grant.state, grant.last_error), (GrantState::Active, None));
    }
    expect_lost(&host, &ids[2]).await;
    let found = AuditFilter { event: Some("key_found".to_owned()), ..AuditFilter::default() };
    assert_eq!(host.store().audit(TENANT, &found).await.unwrap().len(), 2);
    assert_eq!(host.recover_lost().await.unwrap(), 0);
}

/// The file is gone or another's while a host runs: whatever is at hand goes on, and no grant is called lost.
#[tokio::test]
async fn keys_that_go_away_under_a_host_lose_nobody() {
    let bench = Bench::new();
    let ids = bench.grants(2).await;
    let (running, ahead) = (bench.host().await, bench.host().await);
    let theirs = Bench::new();
    theirs.grants(1).await;
    let good = fs::read(bench.key_file()).unwrap();

    fs::remove_file(bench.key_file()).unwrap();
    expect_open(&running, &ids[0]).await;
    fs::write(bench.key_file(), &good).unwrap();
    private(&bench);
    ahead.rotation().add_key().await.unwrap();
    ahead.rotation().reseal(|_| ()).await.unwrap();
    let good = fs::read(bench.key_file()).unwrap();
    for wrong in [fs::read(theirs.key_file()).unwrap(), b"nonsense".to_vec()] {
        fs::write(bench.key_file(), wrong).unwrap();
        private(&bench);
        let error = running.session(TENANT, &ids[0]).await.map(drop).unwrap_err();
        assert_eq!(reason(&error), None, "{error}");
        expect_open(&ahead, &ids[0]).await;
        assert!(ahead.rotation().add_key().await.is_err());
    }
    fs::write(bench.key_file(), good).unwrap();
    private(&bench);
    for id in &ids {
        expect_open(&running, id).await;
    }
}

#[cfg(unix)]
fn private(bench: &Bench) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(bench.key_file(), fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &Bench) {}

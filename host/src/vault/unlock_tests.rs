//! Hosts that start at the same moment.

use std::sync::Arc;

use connector_core::testing::FakeTransport;
use connector_core::{Context, SystemRandom};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::unlock::take;
use super::{IfMissing, KeySource, Vault, key_file, unlock};
use crate::store::{AuditRecord, SqliteStore, Store};

fn cx() -> Context {
    let clock = Arc::new(connector_core::testing::FakeClock::default());
    Context::new(Arc::new(FakeTransport::default()), clock, Arc::new(SystemRandom))
}

async fn store(cx: &Context, dir: &TempDir) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(cx, &dir.path().join("data")).await.unwrap())
}

/// Machines of one database, each with a key file of its own, which none of them has yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_make_the_first_key_one_does_and_the_others_are_told() {
    let (cx, dir) = (cx(), TempDir::new().unwrap());
    let store = store(&cx, &dir).await;
    let file = |number: u32| dir.path().join(format!("{number}.key"));
    let mut starting = JoinSet::new();
    for number in 0..8 {
        let (cx, store, source) = (cx.clone(), Arc::clone(&store), KeySource::File(file(number)));
        starting.spawn(async move { (number, unlock(&cx, &source, &store).await) });
    }
    let mut winners = Vec::new();
    for (number, outcome) in starting.join_all().await {
        match outcome {
            Ok(unlocked) => winners.push((number, unlocked.vault)),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("was first to make the key") || error.contains("is missing"), "{error}");
                assert!(!file(number).exists(), "a key that opens nothing does not stay");
            }
        }
    }
    let [(number, vault)] = winners.as_slice() else { panic!("{} have a key", winners.len()) };
    assert!(file(*number).exists());
    vault.verify(&store.vault_check().await.unwrap().unwrap()).unwrap();
}

#[tokio::test]
async fn whoever_loses_the_race_takes_its_key_away_and_names_the_other() {
    let (cx, dir) = (cx(), TempDir::new().unwrap());
    let store = store(&cx, &dir).await;
    let theirs = unlock(&cx, &KeySource::File(dir.path().join("theirs.key")), &store).await.unwrap().vault;
    let source = KeySource::File(dir.path().join("ours.key"));
    let loaded = source.load(&cx, IfMissing::Create).unwrap();
    let made = loaded.made.clone().unwrap();
    let ours = Vault::following(source, loaded);
    let error = take(&cx, &ours, store.as_ref(), Some(&made)).await.unwrap_err().to_string();
    assert!(error.contains(&theirs.key_ids()[0].to_string()) && error.contains("ours.key"), "{error}");
    assert!(error.contains("copy that machine's key file"), "{error}");
    assert!(!made.exists());
    theirs.verify(&store.vault_check().await.unwrap().unwrap()).unwrap();
    // On the same machine both read the same file.
    take(&cx, &theirs, store.as_ref(), None).await.unwrap();
}

/// Nothing is sealed yet, and still it is not the store's key: a mistyped path, most likely.
#[tokio::test]
async fn a_store_that_had_a_key_gets_no_other_by_mistake() {
    let (cx, dir) = (cx(), TempDir::new().unwrap());
    let store = store(&cx, &dir).await;
    unlock(&cx, &KeySource::File(dir.path().join("right.key")), &store).await.unwrap();
    let check = store.vault_check().await.unwrap();
    let mistyped = dir.path().join("wrong.key");
    let error = unlock(&cx, &KeySource::File(mistyped.clone()), &store).await.unwrap_err().to_string();
    assert!(error.contains("wrong.key` is missing"), "{error}");
    assert!(!mistyped.exists());
    assert_eq!(store.vault_check().await.unwrap(), check);
}

#[tokio::test]
async fn another_instances_store_is_given_no_key_and_no_check() {
    let (cx, dir) = (cx(), TempDir::new().unwrap());
    let store = store(&cx, &dir).await;
    let adopt = async |name: &str| {
        let record = AuditRecord::new(&cx, "default", "adopted").unwrap();
        store.adopt(&name.parse().unwrap(), &record).await.unwrap();
    };
    adopt("elsewhere").await;
    let file = dir.path().join("first.key");
    let error = unlock(&cx, &KeySource::File(file.clone()), &store).await.unwrap_err().to_string();
    assert!(error.contains("elsewhere") && !file.exists(), "{error}");
    assert_eq!(store.vault_check().await.unwrap(), None);

    let theirs: Arc<dyn Store> = Arc::new(
        SqliteStore::open(&cx, &dir.path().join("data")).await.unwrap().under(Some("elsewhere".parse().unwrap())),
    );
    let vault = unlock(&cx, &KeySource::File(file.clone()), &theirs).await.unwrap().vault;
    let check = store.vault_check().await.unwrap();
    let ring = vault.keys().ring.with_fresh_key(&cx).unwrap();
    key_file::replace(&file, &ring).unwrap();
    unlock(&cx, &KeySource::File(file.clone()), &store).await.unwrap();
    assert_eq!(store.vault_check().await.unwrap(), check, "it is only looked at");
    unlock(&cx, &KeySource::File(file), &theirs).await.unwrap();
    assert_ne!(store.vault_check().await.unwrap(), check);
}

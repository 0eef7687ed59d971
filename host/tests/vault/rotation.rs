//! Keys are replaced while hosts run, and a rotation is cut off anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use connector_core::{ErrorKind, Secret};
use connector_host::store::{AuditRecord, Grants as _, Meta as _, Refreshes as _, Reseal as _, SealedCount};
use connector_host::testing::{TENANT, allowed};
use connector_host::vault::{Binding, KeyId, KeySource, Progress, Standing, field};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::bench::{Bench, expect_open, keys_in, reason};

/// The keys a store's values are sealed with.
async fn used(bench: &Bench) -> Vec<SealedCount> {
    bench.store().await.unwrap().count_sealed().await.unwrap()
}

async fn only_key_in_use(bench: &Bench) -> KeyId {
    match used(bench).await.as_slice() {
        [SealedCount { key: Some(key), .. }] => *key,
        counts => panic!("{counts:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_rotations_under_load_fail_no_read() {
    let bench = Bench::new();
    let ids = Arc::new(bench.grants(300).await);
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = bench.host().await;
    let mut readers = JoinSet::new();
    for first in 0..4 {
        let (host, ids, stop, reads) = (reader.clone(), Arc::clone(&ids), Arc::clone(&stop), Arc::clone(&reads));
        readers.spawn(async move {
            for id in ids.iter().cycle().skip(first * 75) {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                expect_open(&host, id).await;
                reads.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let rotating = bench.host().await;
    for round in 1..=5 {
        let before = reads.load(Ordering::SeqCst);
        let old = only_key_in_use(&bench).await;
        let added = rotating.rotation().add_key().await.unwrap();
        assert_eq!(rotating.rotation().reseal(|_| ()).await.unwrap(), Progress { rows: 300, unopened: 0 });
        assert_eq!(only_key_in_use(&bench).await, added);
        // The last one is taken away while the readers are at it; the others stay until the end.
        if round == 5 {
            rotating.rotation().retire(old).await.unwrap();
        }
        while reads.load(Ordering::SeqCst) < before + 600 {
            // A read that failed has panicked.
            assert!(readers.try_join_next().is_none_or(|ended| ended.is_ok()), "a read failed");
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    readers.join_all().await;
    for key in rotating.rotation().keys().await.unwrap().into_iter().skip(1) {
        assert_eq!((key.standing, key.values), (Standing::Older, 0));
        rotating.rotation().retire(key.key.unwrap()).await.unwrap();
    }
    assert_eq!(keys_in(&bench.key_file()).len(), 1);
    for id in ids.iter() {
        expect_open(&reader, id).await;
        expect_open(&bench.host().await, id).await;
    }
    bench.expect_refresh_tokens(&ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_cut_off_anywhere_goes_on() {
    let bench = Bench::new();
    let ids = bench.grants(1_050).await;
    let mut cuts = 0;
    for cut in 0..11_u32 {
        let host = bench.host().await;
        if cut == 0 {
            host.rotation().add_key().await.unwrap();
        }
        // It is dropped in the middle of whatever comes after the n-th batch of this run.
        let (reached, mut batches) = (Notify::new(), 0);
        let tell = |_| {
            batches += 1;
            if batches > cut % 2 {
                reached.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = reached.notified() => cuts += 1,
            done = host.rotation().reseal(tell) => { done.unwrap(); }
        }
        let fresh = bench.host().await;
        for id in ids.iter().step_by(50) {
            expect_open(&host, id).await;
            expect_open(&fresh, id).await;
        }
        if let [old, ..] = keys_in(&bench.key_file()).split_off(1).as_slice()
            && used(&bench).await.len() > 1
        {
            let refused = fresh.rotation().retire(old.parse().unwrap()).await.unwrap_err().to_string();
            assert!(refused.contains("still use it"), "{refused}");
        }
    }
    assert!(cuts > 5, "it was cut off {cuts} times only");
    let host = bench.host().await;
    host.rotation().reseal(|_| ()).await.unwrap();
    let old = keys_in(&bench.key_file())[1].parse().unwrap();
    assert_eq!(only_key_in_use(&bench).await.to_string(), keys_in(&bench.key_file())[0]);
    host.rotation().retire(old).await.unwrap();
    for id in &ids {
        expect_open(&host, id).await;
    }
    bench.expect_refresh_tokens(&ids).await;
}

/// Killed between the two, a rotation has put the new key into the file and told nobody.
#[tokio::test]
async fn a_new_key_in_the_file_alone_is_taken_over_by_the_next_start() {
    let bench = Bench::new();
    let ids = bench.grants(3).await;
    let running = bench.host().await;
    let check = bench.store().await.unwrap().vault_check().await.unwrap().unwrap();
    running.rotation().add_key().await.unwrap();
    let added = bench.store().await.unwrap().vault_check().await.unwrap();
    assert!(bench.store().await.unwrap().set_vault_check(added.as_ref(), &check, None).await.unwrap());
    let next = bench.host().await;
    let active = keys_in(&bench.key_file())[0].clone();
    let check = bench.store().await.unwrap().vault_check().await.unwrap().unwrap();
    assert_eq!(check.key_id().unwrap().to_string(), active);
    for id in &ids {
        expect_open(&running, id).await;
        expect_open(&next, id).await;
    }
}

#[tokio::test]
async fn a_host_that_runs_seals_with_a_key_that_another_process_has_added() {
    let bench = Bench::new();
    let vault = bench.vault().await.unwrap();
    let place = Binding { tenant: TENANT, owner: "grant-1", field: field::ACCESS, generation: 1 };
    let seal = || vault.seal(&bench.cx, &place, &Secret::from("act")).unwrap().key_id().unwrap();
    let old = seal();
    let added = bench.host().await.rotation().add_key().await.unwrap();
    assert_eq!(seal(), added, "it looks at the file before it seals");
    bench.host().await.rotation().retire(old).await.unwrap();
    assert_eq!(seal(), added);
    assert_eq!(vault.key_ids(), [added]);
}

/// It slept from before the rotation until after the old key was gone, and shares no key with the file any more.
#[tokio::test]
async fn a_host_that_missed_a_whole_rotation_goes_on() {
    let bench = Bench::new();
    let ids = bench.grants(2).await;
    let (slept, other) = (bench.host().await, bench.host().await);
    let old = only_key_in_use(&bench).await;
    let record = slept.store().grant(TENANT, &ids[0]).await.unwrap().unwrap();
    other.rotation().add_key().await.unwrap();
    other.rotation().reseal(|_| ()).await.unwrap();
    other.rotation().retire(old).await.unwrap();
    for id in &ids {
        expect_open(&slept, id).await;
    }
    assert_ne!(slept.store().grant(TENANT, &ids[0]).await.unwrap().unwrap().access, record.access);
}

#[tokio::test]
async fn a_key_that_anything_uses_stays() {
    let bench = Bench::new();
    let ids = bench.grants(3).await;
    let (store, stale) = (bench.store().await.unwrap(), bench.vault().await.unwrap());
    let late = bench.grant(&stale);
    let host = bench.host().await;
    let old = only_key_in_use(&bench).await;
    let active = host.rotation().add_key().await.unwrap();
    let refused = host.rotation().retire(old).await.unwrap_err().to_string();
    assert!(refused.contains("6 sealed values still use it") && refused.contains("rotate --resume"), "{refused}");
    host.rotation().reseal(|_| ()).await.unwrap();
    // Sealed before the rotation, and written only now.
    store.put_grant(&late, &allowed(&bench.cx).unwrap()).await.unwrap();
    let refused = host.rotation().retire(old).await.unwrap_err().to_string();
    assert!(refused.contains("2 sealed values still use it"), "{refused}");
    for (key, why) in [(active, "is the active one"), ("00ff00ff".parse().unwrap(), "is not at hand")] {
        let refused = host.rotation().retire(key).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    host.rotation().reseal(|_| ()).await.unwrap();
    host.rotation().retire(old).await.unwrap();
    for id in ids.iter().chain([&late.id]) {
        expect_open(&bench.host().await, id).await;
    }
    let added = format!("{{\"key\":\"{active}\"}}");
    let retired = format!("{{\"key\":\"{old}\"}}");
    let events = [("vault_key_added".to_owned(), added), ("vault_key_retired".to_owned(), retired)];
    assert_eq!(bench.events().await, events);
}

#[tokio::test]
async fn a_refresh_or_a_disconnect_during_the_rotation_wins() {
    let bench = Bench::new();
    let ids = bench.grants(250).await;
    let host = bench.host().await;
    host.rotation().add_key().await.unwrap();
    let (store, vault) = (bench.store().await.unwrap(), bench.vault().await.unwrap());
    let place = |id| Binding { tenant: TENANT, owner: id, field: field::ACCESS, generation: 2 };
    let seal = |id| vault.seal(&bench.cx, &place(id), &Secret::from("newer")).unwrap();
    let refreshed = bench.refreshed(&ids[249], seal(ids[249].as_str()));
    let after_first_batch = Notify::new();
    let others = async {
        after_first_batch.notified().await;
        assert!(store.settle_refresh(&refreshed).await.unwrap());
        let audit = AuditRecord::new(&bench.cx, TENANT, "access_given_up").unwrap();
        assert!(store.give_up_grant(TENANT, &ids[248], None, &audit).await.unwrap());
    };
    let rotation = host.rotation();
    let (done, ()) = tokio::join!(rotation.reseal(|_| after_first_batch.notify_one()), others);
    assert_eq!(done.unwrap().unopened, 0);
    assert!(host.session(TENANT, &ids[249]).await.unwrap().grant.tokens.access.matches("newer"));
    assert!(store.grant(TENANT, &ids[248]).await.unwrap().is_none());
    expect_open(&host, &ids[247]).await;
}

#[tokio::test]
async fn two_rotations_at_the_same_time_lose_no_key() {
    let bench = Bench::new();
    let ids = bench.grants(3).await;
    let mut rotating = JoinSet::new();
    for _ in 0..8 {
        let host = bench.host().await;
        rotating.spawn(async move { host.rotation().add_key().await.is_ok() });
    }
    let added = rotating.join_all().await.into_iter().filter(|added| *added).count();
    assert!(added > 0);
    assert_eq!(keys_in(&bench.key_file()).len(), added + 1, "each that was told of a key has it in the file");
    for id in &ids {
        expect_open(&bench.host().await, id).await;
    }
    bench.expect_refresh_tokens(&ids).await;
}

/// A host whose keys are in its environment cannot take over what others were given. That is no loss.
#[tokio::test]
async fn a_host_left_behind_says_so_and_loses_nobody() {
    let bench = Bench::new();
    let ids = bench.grants(2).await;
    let text = || Secret::from(std::fs::read_to_string(bench.key_file()).unwrap().replace('\n', ";"));
    let source = |text| KeySource::Text { name: "KEYS".to_owned(), text };
    let behind = bench.host_with(source(text())).await.unwrap().host;
    let old = text();
    bench.host().await.rotation().add_key().await.unwrap();
    let ahead = bench.host_with(source(text())).await.unwrap().host;
    ahead.rotation().reseal(|_| ()).await.unwrap();
    for id in &ids {
        expect_open(&ahead, id).await;
        let error = behind.session(TENANT, id).await.map(drop).unwrap_err();
        assert_eq!(reason(&error), None, "{error}");
        expect_open(&ahead, id).await;
    }
    // A disconnect would wipe what others can still revoke.
    let connection = bench.connection(&ids[0], "acct-1").await;
    let error = behind.disconnect(TENANT, &connection).await.unwrap_err();
    assert_eq!(error.kind(), Some(&ErrorKind::Config), "{error}");
    assert!(error.to_string().contains("this host's keys are not those of its store"), "{error}");
    expect_open(&ahead, &ids[0]).await;
    ahead.disconnect(TENANT, &connection).await.unwrap();
    let refused = bench.host_with(source(old)).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("the database was sealed with the key"), "{refused}");
    let refused = ahead.rotation().add_key().await.unwrap_err().to_string();
    assert!(refused.contains("come from KEYS"), "{refused}");
}

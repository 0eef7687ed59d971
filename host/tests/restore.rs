//! Backups of a store in a file, and what a restore refuses and does.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connector_core::testing::FakeTransport;
use connector_core::{Context, Registry};
use connector_host::store::{
    ApiKeyId, ApiKeyRecord, ApiKeys as _, Audit as _, AuditFilter, AuditRecord, GrantId, GrantRecord, GrantState,
    Grants as _, InstanceName, Inventory as _, Meta as _, Ownership as _, ReceiverId, ReceiverRecord, Receivers as _,
    SqliteStore, Store,
};
use connector_host::testing::{DatabaseFile, Example, TENANT, allowed, sealed};
use connector_host::vault::{KeyFile, KeySource, Sealed, Vault, unlock};
use connector_host::{Doubt, Restore, Restored, Right, doubt_after_restore, restore};
use tempfile::TempDir;

fn cx() -> Context {
    FakeTransport::default().context()
}

/// The tokens of one platform are used once, those of the other again and again.
fn registry() -> Registry {
    let registration = |id, refresh| Example { id, refresh, ..Example::default() }.registration();
    Registry::new([registration("once", "rotating_strict"), registration("again", "non_rotating")]).unwrap()
}

/// A place with data directories and backups in it.
struct Place {
    parent: TempDir,
    cx: Context,
}

impl Place {
    fn new() -> Self {
        Self { parent: TempDir::new().unwrap(), cx: cx() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    /// The store of the data directory, with its key.
    async fn store(&self, name: &str) -> Arc<SqliteStore> {
        let store = Arc::new(SqliteStore::open(&self.cx, &self.path(name)).await.unwrap());
        unlock(&self.cx, &KeySource::in_dir(self.path(name)), &(Arc::clone(&store) as Arc<dyn Store>)).await.unwrap();
        store
    }

    /// What the store of `data` is sealed with.
    async fn vault(&self, store: &Arc<SqliteStore>) -> Vault {
        let store = Arc::clone(store) as Arc<dyn Store>;
        unlock(&self.cx, &KeySource::in_dir(self.path("data")), &store).await.unwrap().vault
    }

    /// A store with a grant of each platform, closed, and its backup.
    async fn backed_up(&self) -> [GrantRecord; 2] {
        let store = self.store("data").await;
        let grants = [grant(&self.cx, "once"), grant(&self.cx, "again")];
        for grant in &grants {
            store.put_grant(grant, &allowed(&self.cx).unwrap()).await.unwrap();
        }
        store.back_up(&self.path("backup")).await.unwrap();
        store.close().await;
        grants
    }

    async fn restore(&self, name: Option<&str>) -> Result<Restored, connector_host::Error> {
        self.restore_from("data", "backup", name, false).await
    }

    async fn restore_from(
        &self,
        dir: &str,
        file: &str,
        name: Option<&str>,
        other_instance: bool,
    ) -> Result<Restored, connector_host::Error> {
        let (dir, file) = (self.path(dir), self.path(file));
        let name = name.map(|name| name.parse::<InstanceName>().unwrap());
        let keys = KeySource::in_dir(&dir);
        let order = Restore { dir: &dir, file: &file, keys: &keys, name, tenant: TENANT, other_instance };
        restore(&self.cx, &registry(), &order).await
    }

    async fn refused(&self, words: &str) {
        self.refused_from("data", "backup", words).await;
    }

    /// Nothing is restored, and nothing has changed.
    async fn refused_from(&self, dir: &str, file: &str, words: &str) {
        let before = fs::read(self.path("data/store.db")).unwrap();
        let error = self.restore_from(dir, file, None, false).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(fs::read(self.path("data/store.db")).unwrap(), before);
        let names = fs::read_dir(self.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("restor")).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// Does what only another program would do to a database.
    fn by_others(&self, file: &str, statement: &str) {
        DatabaseFile::at(self.path(file)).run(statement).unwrap();
    }
}

fn grant(cx: &Context, platform: &'static str) -> GrantRecord {
    GrantRecord {
        access: Some(Sealed::from_stored(b"access".to_vec())),
        refresh: Some(Sealed::from_stored(b"refresh".to_vec())),
        ..Example { id: platform, ..Example::default() }.grant(cx).unwrap()
    }
}

fn doubts(restored: &Restored) -> Vec<(&GrantId, Doubt)> {
    restored.in_doubt.iter().map(|doubted| (&doubted.grant.id, doubted.doubt)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_under_load_is_complete_as_of_one_moment() {
    let place = Place::new();
    let store = place.store("data").await;
    let (done, cx) = (Arc::new(AtomicBool::new(false)), place.cx.clone());
    let writer = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let mut written = Vec::new();
            while !done.load(Ordering::SeqCst) {
                let next = grant(&cx, "once");
                store.put_grant(&next, &allowed(&cx).unwrap()).await.unwrap();
                written.push(next.id);
            }
            written
        }
    });
    while store.every_grant().await.unwrap().len() < 20 {
        tokio::task::yield_now().await;
    }
    let mut seen = Vec::new();
    for name in ["first", "second", "third"] {
        let before = store.every_grant().await.unwrap().len();
        store.back_up(&place.path(name)).await.unwrap();
        seen.push((name, before));
    }
    done.store(true, Ordering::SeqCst);
    let written = writer.await.unwrap();
    store.close().await;
    drop(store);
    for (name, before) in seen {
        place.restore_from("data", name, None, false).await.unwrap();
        let store = place.store("data").await;
        let mut kept: Vec<_> = store.every_grant().await.unwrap().into_iter().map(|grant| grant.id).collect();
        kept.sort_by_key(|id| written.iter().position(|other| other == id));
        assert!(kept.len() >= before && kept == written[..kept.len()], "{} of {}", kept.len(), written.len());
        store.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_for_its_owner_alone_and_takes_nobodys_place() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.backed_up().await;
    assert_eq!(fs::metadata(place.path("backup")).unwrap().permissions().mode() & 0o777, 0o600);
    let store = place.store("data").await;
    let cases = [
        ("backup", "is there already"),
        ("data/store.db", "a name of the store itself"),
        ("data/store.db-wal", "a name of the store itself"),
        ("data/store.db-journal", "a name of the store itself"),
        ("nowhere/backup", "cannot find the directory of"),
    ];
    for (name, words) in cases {
        let error = store.back_up(&place.path(name)).await.unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    store.back_up(&place.path("data/inside")).await.unwrap();
}

#[tokio::test]
async fn what_was_refreshed_since_the_backup_is_in_doubt() {
    let place = Place::new();
    let [once, again] = place.backed_up().await;
    place.by_others("data/store.db", "UPDATE grants SET generation = 2");
    let restored = place.restore(None).await.unwrap();
    assert!(restored.compared && restored.forgotten.is_empty());
    assert_eq!(doubts(&restored), [(&once.id, Doubt::Rotated)]);

    let store = place.store("data").await;
    let found = store.grant(TENANT, &once.id).await.unwrap().unwrap();
    assert_eq!((found.generation, found.refresh_mark.unwrap().unanswered), (1, 1));
    assert_eq!(store.grant(TENANT, &again.id).await.unwrap(), Some(again));
    for event in ["restored", "refresh_in_doubt"] {
        let filter = AuditFilter { event: Some(event.to_owned()), ..AuditFilter::default() };
        assert_eq!(store.audit(TENANT, &filter).await.unwrap().len(), 1, "{event}");
    }
    let kept = restored.kept_aside.unwrap();
    assert!(kept.file_name().unwrap().to_str().unwrap().starts_with("store.db.before-restore-"), "{kept:?}");
    let generation = DatabaseFile::at(kept).number("SELECT max(generation) FROM grants").unwrap();
    assert_eq!(generation, 2, "what was there is kept");
}

#[tokio::test]
async fn a_backup_that_is_newer_than_what_is_there_leaves_every_token_in_doubt() {
    let place = Place::new();
    let [once, _] = place.backed_up().await;
    let store = place.store("data").await;
    let other = grant(&place.cx, "once");
    store.put_grant(&other, &allowed(&place.cx).unwrap()).await.unwrap();
    store.close().await;
    drop(store);
    fs::copy(place.path("data/store.db"), place.path("later")).unwrap();
    place
        .by_others("later", "UPDATE grants SET generation = 2 WHERE created_at = (SELECT min(created_at) FROM grants)");
    let restored = place.restore_from("data", "later", None, false).await.unwrap();
    assert_eq!(doubts(&restored), [(&once.id, Doubt::Unknown), (&other.id, Doubt::Unknown)]);
    assert!(restored.carried_over.is_empty());
}

/// A grant whose tokens are those of a vault.
fn tokens(cx: &Context, vault: &Vault, grant: &GrantRecord, generation: i64) -> GrantRecord {
    let grant = GrantRecord { generation, ..grant.clone() };
    sealed(cx, vault, grant, "an access token", Some("a refresh token")).unwrap()
}

#[tokio::test]
async fn newer_tokens_and_how_a_grant_stands_are_carried_over() {
    let place = Place::new();
    let store = place.store("data").await;
    let vault = place.vault(&store).await;
    let held = || GrantState::Held { reason: "imported".to_owned() };
    let given = || GrantState::Held { reason: "exported".to_owned() };
    let needed = || GrantState::ReauthRequired { reason: "user_revoked".to_owned() };
    let before_and_after = [
        (GrantState::Active, GrantState::Active, 2),
        (GrantState::Active, given(), 1),
        (GrantState::Active, needed(), 1),
        (held(), GrantState::Active, 2),
        (held(), GrantState::Active, 1),
    ];
    let mut expected = Vec::new();
    for (before, after, generation) in before_and_after {
        let sealed = tokens(&place.cx, &vault, &grant(&place.cx, "once"), 1);
        let grant = GrantRecord { state: before, ..sealed };
        store.put_grant(&grant, &allowed(&place.cx).unwrap()).await.unwrap();
        expected.push(GrantRecord { state: after, ..tokens(&place.cx, &vault, &grant, generation) });
    }
    let unchanged = tokens(&place.cx, &vault, &grant(&place.cx, "once"), 1);
    store.put_grant(&unchanged, &allowed(&place.cx).unwrap()).await.unwrap();
    store.back_up(&place.path("backup")).await.unwrap();
    for later in &expected {
        assert!(store.carry_over(later, &allowed(&place.cx).unwrap()).await.unwrap());
    }
    store.close().await;
    drop(store);

    let restored = place.restore(None).await.unwrap();
    assert_eq!(doubts(&restored), [], "nothing is lost, so nothing is in doubt");
    let carried: Vec<_> = restored.carried_over.iter().map(|one| (&one.grant.state, one.newer_tokens)).collect();
    let all = expected.iter().map(|grant| (&grant.state, grant.generation == 2)).collect::<Vec<_>>();
    assert_eq!(carried, all);
    let store = place.store("data").await;
    for later in expected.iter().filter(|grant| grant.generation == 2) {
        assert_eq!(store.grant(TENANT, &later.id).await.unwrap().as_ref(), Some(later));
    }
    for (later, found) in expected.iter().zip(store.every_grant().await.unwrap()) {
        assert_eq!((&found.id, &found.state, found.generation), (&later.id, &later.state, later.generation));
    }
    let filter = AuditFilter { event: Some("grant_carried_over".to_owned()), ..AuditFilter::default() };
    assert_eq!(store.audit(TENANT, &filter).await.unwrap().len(), expected.len());
}

#[tokio::test]
async fn a_held_grant_that_was_adopted_and_refreshed_since_is_in_doubt_where_its_tokens_do_not_open() {
    let place = Place::new();
    let [once, _] = place.backed_up().await;
    place.by_others("backup", "UPDATE grants SET state = 'held', reason = 'imported'");
    place.by_others("data/store.db", "UPDATE grants SET generation = 3");
    assert_eq!(doubts(&place.restore(None).await.unwrap()), [(&once.id, Doubt::Rotated)]);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_just_now_is_not_taken_for_none() {
    let place = Place::new();
    place.backed_up().await;
    fs::remove_file(place.path("data/store.db-wal")).ok();
    fs::create_dir(place.path("data/store.db-wal")).unwrap();
    place.refused("to compare it with the backup").await;
    fs::remove_dir(place.path("data/store.db-wal")).unwrap();
    assert!(place.restore(None).await.unwrap().compared);
}

#[tokio::test]
async fn what_was_stopped_on_the_way_is_removed_by_the_next() {
    let place = Place::new();
    place.backed_up().await;
    let (copy, draft) = (place.path("data/restoring-x"), place.path(".connector-host-backup-x1"));
    fs::create_dir_all(copy.join("store")).unwrap();
    fs::write(&draft, b"half a copy").unwrap();
    let (held, other) = (place.path(".connector-host-backup-x2"), place.path(".connector-host-backup-x1-journal"));
    let holder = fs::File::create(&held).unwrap();
    holder.lock().unwrap();
    fs::write(&other, b"").unwrap();
    let store = place.store("data").await;
    store.back_up(&place.path("second")).await.unwrap();
    store.close().await;
    drop(store);
    place.restore(None).await.unwrap();
    assert!(!copy.exists() && !draft.exists());
    assert!(held.exists() && other.exists(), "what is somebody's is left alone");
}

#[tokio::test]
async fn what_was_sent_or_replaced_since_the_backup_is_in_doubt() {
    let place = Place::new();
    let [once, _] = place.backed_up().await;
    place.by_others("data/store.db", "UPDATE grants SET refresh_sent_at = 1, refresh_unanswered = 1");
    assert_eq!(doubts(&place.restore(None).await.unwrap()), [(&once.id, Doubt::Sent)]);
    place.by_others("data/store.db", "DELETE FROM grants");
    assert_eq!(doubts(&place.restore(None).await.unwrap()), [(&once.id, Doubt::Replaced)]);
}

#[tokio::test]
async fn an_api_key_that_was_revoked_since_the_backup_stays_revoked() {
    let place = Place::new();
    let store = place.store("data").await;
    let mut keys = Vec::new();
    for name in ["revoked", "kept"] {
        let key = ApiKeyRecord {
            id: ApiKeyId::new(&place.cx).unwrap(),
            name: name.to_owned(),
            tenant: Some(TENANT.to_owned()),
            rights: [Right::TokensRead].into(),
            digest: name.to_owned(),
            created_at: place.cx.now(),
            expires_at: None,
            revoked_at: None,
        };
        assert!(store.put_api_key(&key, &AuditRecord::new(&place.cx, TENANT, "made").unwrap()).await.unwrap());
        keys.push(key);
    }
    store.back_up(&place.path("backup")).await.unwrap();
    keys[0].revoked_at = Some(place.cx.now());
    let record = AuditRecord::new(&place.cx, TENANT, "revoked").unwrap();
    assert!(store.revoke_api_key(&keys[0].id, place.cx.now(), &record).await.unwrap());
    store.close().await;
    drop(store);

    place.restore(None).await.unwrap();
    let restored = place.store("data").await;
    assert_eq!(restored.api_keys().await.unwrap(), keys);
    let filter = AuditFilter { event: Some("api_key_revoked".to_owned()), ..AuditFilter::default() };
    let records = restored.audit(TENANT, &filter).await.unwrap();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert!(record.detail.contains("restored") && record.detail.contains(keys[0].id.as_str()), "{record:?}");
}

#[tokio::test]
async fn events_are_told_to_nobody_who_was_not_told_them_in_the_end() {
    let place = Place::new();
    let store = place.store("data").await;
    let note = || AuditRecord::new(&place.cx, TENANT, "noted").unwrap();
    let mut receivers = Vec::new();
    for name in ["kept", "rotated", "disabled", "removed"] {
        let receiver = ReceiverRecord {
            id: ReceiverId::new(&place.cx).unwrap(),
            tenant: TENANT.to_owned(),
            url: format!("https://{name}.example/"),
            kinds: BTreeSet::new(),
            secret: Sealed::from_stored(name.as_bytes().to_vec()),
            previous_secret: None,
            previous_until: None,
            created_at: place.cx.now(),
            disabled_at: None,
            disabled_reason: None,
        };
        store.put_receiver(&receiver, &note()).await.unwrap();
        receivers.push(receiver);
    }
    store.back_up(&place.path("backup")).await.unwrap();
    let newer = ReceiverRecord { secret: Sealed::from_stored(b"newer".to_vec()), ..receivers[1].clone() };
    assert!(store.rotate_receiver(&receivers[1].secret, &newer, &note()).await.unwrap());
    assert!(store.disable_receiver(&receivers[2].id, "gone", place.cx.now(), &note()).await.unwrap());
    assert!(store.remove_receiver(TENANT, &receivers[3].id, &note()).await.unwrap());
    store.close().await;
    drop(store);

    place.restore(None).await.unwrap();
    let restored = place.store("data").await.receivers(TENANT).await.unwrap();
    let standing: Vec<_> = restored.iter().map(|one| (one.secret.clone(), one.disabled_at.is_some())).collect();
    let secret = |at: usize| receivers[at].secret.clone();
    assert_eq!(standing, [(secret(0), false), (newer.secret, false), (secret(2), true), (secret(3), true)]);
}

#[tokio::test]
async fn without_a_readable_store_every_token_that_is_used_once_is_in_doubt() {
    let place = Place::new();
    let [once, _] = place.backed_up().await;
    for damage in [&b"SQLite format 3\0 and then nothing"[..], b"", b"no database"] {
        fs::write(place.path("data/store.db"), damage).unwrap();
        let restored = place.restore(None).await.unwrap();
        assert!(!restored.compared);
        assert_eq!(doubts(&restored), [(&once.id, Doubt::Unknown)], "{damage:?}");
        assert_eq!(fs::read(restored.kept_aside.unwrap()).unwrap(), damage, "what was there is kept");
    }
    fs::remove_file(place.path("data/store.db")).unwrap();
    let restored = place.restore(None).await.unwrap();
    assert_eq!(doubts(&restored), [(&once.id, Doubt::Unknown)]);
    assert_eq!(restored.kept_aside, None);
}

#[tokio::test]
async fn a_store_in_use_is_not_replaced() {
    let place = Place::new();
    place.backed_up().await;
    let store = place.store("data").await;
    place.refused("is in use by another process").await;
    drop(store);
    place.restore(None).await.unwrap();
}

#[tokio::test]
async fn what_is_no_sound_backup_is_not_restored() {
    let place = Place::new();
    place.backed_up().await;
    let good = fs::read(place.path("backup")).unwrap();
    fs::write(place.path("empty"), b"").unwrap();
    place.refused_from("data", "empty", "is no backup of a store").await;
    place.by_others("backup", "PRAGMA application_id = 7");
    place.refused("is no backup of a store").await;
    fs::write(place.path("backup"), &good).unwrap();
    place.by_others("backup", "PRAGMA user_version = 999");
    place.refused("made by a newer version").await;
    fs::write(place.path("backup"), &good[..good.len() / 2]).unwrap();
    place.refused("is damaged").await;
    fs::write(place.path("backup"), &good).unwrap();
    fs::write(place.path("backup-wal"), b"something").unwrap();
    place.refused("is a database in use").await;
    place.refused_from("data", "missing", "cannot read").await;
}

#[tokio::test]
async fn a_backup_whose_key_is_not_there_is_not_restored() {
    let place = Place::new();
    place.backed_up().await;
    let key = place.path("data").join(KeyFile::NAME);
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    place.refused("is missing").await;
    let other = place.store("other").await;
    fs::copy(place.path("other").join(KeyFile::NAME), &key).unwrap();
    other.close().await;
    place.refused("put the key file of this database back").await;
    fs::write(&key, kept).unwrap();
    place.restore(None).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_another_store_is_restored_only_on_demand() {
    let place = Place::new();
    let [once, _] = place.backed_up().await;
    let other = place.store("other").await;
    let before = other.instance_id().await.unwrap();
    other.close().await;
    drop(other);
    fs::copy(place.path("data").join(KeyFile::NAME), place.path("other").join(KeyFile::NAME)).unwrap();
    place.refused_from("other", "backup", "is a backup of another store").await;
    let restored = place.restore_from("other", "backup", None, true).await.unwrap();
    assert!(!restored.compared);
    assert_eq!(doubts(&restored), [(&once.id, Doubt::Unknown)]);
    assert_ne!(place.store("other").await.instance_id().await.unwrap(), before);
}

#[tokio::test]
async fn a_restore_gives_the_store_to_nobody_else() {
    let place = Place::new();
    place.store("data").await.close().await;
    let store = SqliteStore::open(&place.cx, &place.path("data")).await.unwrap();
    let store = store.under(Some("first".parse().unwrap()));
    store.claim_ownership().await.unwrap();
    store.put_grant(&grant(&place.cx, "once"), &allowed(&place.cx).unwrap()).await.unwrap();
    store.close().await;
    drop(store);
    let store = place.store("data").await;
    store.back_up(&place.path("backup")).await.unwrap();
    store.close().await;
    drop(store);
    place.by_others("data/store.db", "UPDATE meta SET value = CAST('second' AS BLOB) WHERE key = 'instance_name'");
    place.refused("belongs to the instance `second`").await;
    let restored = place.restore(Some("second")).await.unwrap();
    assert_eq!(restored.owner.unwrap().as_str(), "second", "it was adopted after the backup was made");
    assert_eq!(place.store("data").await.owner().await.unwrap().unwrap().as_str(), "second");
}

#[tokio::test]
async fn a_database_that_was_put_back_by_other_means_is_put_in_doubt_on_demand() {
    let place = Place::new();
    let [once, _] = place.backed_up().await;
    let store = place.store("data").await;
    let later = place.cx.now();
    let early = "2020-01-01T00:00:00Z".parse().unwrap();
    assert!(doubt_after_restore(&place.cx, &registry(), &*store, early).await.unwrap().is_empty());
    let doubted = doubt_after_restore(&place.cx, &registry(), &*store, later).await.unwrap();
    assert_eq!(doubted.iter().map(|doubted| &doubted.grant.id).collect::<Vec<_>>(), [&once.id]);
    assert!(store.grant(TENANT, &once.id).await.unwrap().unwrap().refresh_mark.is_some());
}

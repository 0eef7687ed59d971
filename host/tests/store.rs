//! What the `SQLite` store promises beyond the contract of every store: about its files, other processes, and restarts.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::Context;
use connector_core::scope::GrantScopes;
use connector_core::testing::FakeTransport;
use connector_host::store::{
    FlowFilter, FlowId, FlowRecord, Flows as _, GrantId, GrantRecord, Grants as _, Meta as _, Refreshed,
    Refreshes as _, Settle, Settlement, SqliteStore, Store, StoreError,
};
use connector_host::testing::{DatabaseFile, Example, TENANT, allowed};
use connector_host::vault::{Binding, KeyFile, KeySource, Sealed, field, unlock};
use tempfile::TempDir;
use tokio::task::JoinSet;

fn cx() -> Context {
    FakeTransport::default().context()
}

/// A data directory, which is gone after the test.
struct DataDir {
    _parent: TempDir,
    path: PathBuf,
}

impl DataDir {
    fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let path = parent.path().join("data");
        fs::create_dir(&path).unwrap();
        private(&path, 0o700);
        Self { _parent: parent, path }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

async fn open(cx: &Context, dir: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(cx, dir).await.unwrap())
}

/// Does what only another program would do to the file of a store, which need not exist.
fn by_others(dir: &Path, statement: &str) {
    let file = dir.join("store.db");
    fs::File::options().append(true).create(true).open(&file).unwrap();
    DatabaseFile::at(&file).run(statement).unwrap();
    private(&file, 0o600);
}

/// Makes a store, closes it, and has another program change its file.
async fn changed(dir: &Path, statement: &str) {
    open(&cx(), dir).await.close().await;
    by_others(dir, statement);
}

fn flow(cx: &Context, state_digest: &str) -> FlowRecord {
    FlowRecord {
        id: FlowId::new(cx).unwrap(),
        state_digest: state_digest.to_owned(),
        tenant: TENANT.to_owned(),
        platform: "lantern".parse().unwrap(),
        app: "default".to_owned(),
        reference: None,
        reconnects: None,
        initiator_digest: "00".repeat(32),
        sealed: Sealed::from_stored(b"verifier".to_vec()),
        created_at: cx.now(),
        expires_at: cx.now(),
    }
}

fn grant(cx: &Context) -> GrantRecord {
    GrantRecord { access: Some(Sealed::from_stored(b"access".to_vec())), ..Example::default().grant(cx).unwrap() }
}

fn settle(cx: &Context, grant: &GrantId, generation: i64, access: &str) -> Settle {
    let refreshed = Refreshed {
        access: Sealed::from_stored(access.as_bytes().to_vec()),
        access_expires_at: None,
        refresh: None,
        refresh_expires_at: None,
        issued_at: cx.now(),
        scopes: GrantScopes::default(),
    };
    Settle {
        tenant: TENANT.to_owned(),
        grant: grant.clone(),
        generation,
        attempt: access.to_owned(),
        settlement: Settlement::Refreshed(Box::new(refreshed)),
        error: None,
        audit: None,
        now: cx.now(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_give_a_flow_to_one_taker() {
    let (dir, cx) = (DataDir::new(), cx());
    let stores = [open(&cx, dir.path()).await, open(&cx, dir.path()).await];
    for round in 0..20 {
        let digest = round.to_string();
        stores[0].put_flow(&flow(&cx, &digest)).await.unwrap();
        let mut takers = JoinSet::new();
        for taker in 0..20 {
            let (store, digest) = (Arc::clone(&stores[taker % 2]), digest.clone());
            takers.spawn(async move { store.take_flow(&digest, &FlowFilter::default()).await.unwrap().is_some() });
        }
        assert_eq!(takers.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_commit_a_generation_once() {
    let (dir, cx) = (DataDir::new(), cx());
    let stores = [open(&cx, dir.path()).await, open(&cx, dir.path()).await];
    let grant = grant(&cx);
    stores[0].put_grant(&grant, &allowed(&cx).unwrap()).await.unwrap();
    for generation in 1..=20 {
        let mut racers = JoinSet::new();
        for racer in 0..10 {
            let store = Arc::clone(&stores[racer % 2]);
            let new = settle(&cx, &grant.id, generation, &racer.to_string());
            racers.spawn(async move { store.settle_refresh(&new).await.unwrap() });
        }
        assert_eq!(racers.join_all().await.into_iter().filter(|won| *won).count(), 1);
    }
    assert_eq!(stores[1].grant(TENANT, &grant.id).await.unwrap().unwrap().generation, 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_number_of_starts_at_the_same_time_make_one_store() {
    let (parent, cx) = (TempDir::new().unwrap(), cx());
    let dir = parent.path().join("data");
    let mut starts = JoinSet::new();
    for _ in 0..12 {
        let (cx, dir) = (cx.clone(), dir.clone());
        starts.spawn(async move {
            let store: Arc<dyn Store> = open(&cx, &dir).await;
            let unlocked = unlock(&cx, &KeySource::in_dir(&dir), &store).await.unwrap();
            (store.instance_id().await.unwrap(), unlocked.vault.key_ids(), unlocked.made.is_some())
        });
    }
    let started = starts.join_all().await;
    let (instance, keys, _) = &started[0];
    assert!(started.iter().all(|(other, others, _)| other == instance && others == keys));
    assert_eq!(started.iter().filter(|(_, _, made)| *made).count(), 1, "one of them tells about the key file");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let (dir, cx) = (DataDir::new(), cx());
    let binding = Binding { tenant: TENANT, owner: "grant-1", field: field::ACCESS, generation: 1 };
    let mut grant = grant(&cx);
    let first: Arc<dyn Store> = open(&cx, dir.path()).await;
    let unlocked = unlock(&cx, &KeySource::in_dir(dir.path()), &first).await.unwrap();
    assert_eq!(unlocked.made, Some(dir.path().join(KeyFile::NAME)));
    grant.access = Some(unlocked.vault.seal(&cx, &binding, &"act.live".into()).unwrap());
    first.put_grant(&grant, &allowed(&cx).unwrap()).await.unwrap();
    let instance = first.instance_id().await.unwrap();
    drop(first);

    let second: Arc<dyn Store> = open(&cx, dir.path()).await;
    let unlocked = unlock(&cx, &KeySource::in_dir(dir.path()), &second).await.unwrap();
    assert_eq!(unlocked.made, None);
    assert_eq!(second.instance_id().await.unwrap(), instance);
    let stored = second.grant(TENANT, &grant.id).await.unwrap().unwrap();
    assert_eq!(stored, grant);
    assert!(unlocked.vault.open(&binding, &stored.access.unwrap()).unwrap().matches("act.live"));
}

#[tokio::test]
async fn a_lost_or_wrong_key_is_refused_before_anything_changes() {
    let (dir, cx) = (DataDir::new(), cx());
    let store: Arc<dyn Store> = open(&cx, dir.path()).await;
    unlock(&cx, &KeySource::in_dir(dir.path()), &store).await.unwrap();
    store.put_grant(&grant(&cx), &allowed(&cx).unwrap()).await.unwrap();
    let (key, check) = (dir.path().join(KeyFile::NAME), store.vault_check().await.unwrap());

    fs::rename(&key, dir.path().join("copy")).unwrap();
    let error = unlock(&cx, &KeySource::in_dir(dir.path()), &store).await.unwrap_err().to_string();
    assert!(error.contains("is missing") && !key.exists(), "{error}");

    let other = DataDir::new();
    let others: Arc<dyn Store> = open(&cx, other.path()).await;
    unlock(&cx, &KeySource::in_dir(other.path()), &others).await.unwrap();
    fs::rename(other.path().join(KeyFile::NAME), &key).unwrap();
    let error = unlock(&cx, &KeySource::in_dir(dir.path()), &store).await.unwrap_err().to_string();
    assert!(error.contains("sealed with the key") && error.contains("nothing was changed"), "{error}");
    assert_eq!(store.vault_check().await.unwrap(), check);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_untouched() {
    type Refusal = fn(&StoreError) -> bool;
    let newer: Refusal = |error| matches!(error, StoreError::Newer { found: 9_999, .. });
    let not_ours: Refusal = |error| matches!(error, StoreError::Foreign { .. });
    let cases: [(&str, Refusal); 4] = [
        ("made by a newer version of connector-host", newer),
        ("is another program's database", not_ours),
        ("is another program's database", not_ours),
        ("is not a database", not_ours),
    ];
    for (case, (sentence, is_expected)) in cases.into_iter().enumerate() {
        let dir = DataDir::new();
        let file = dir.path().join("store.db");
        match case {
            0 => changed(dir.path(), "PRAGMA user_version = 9999").await,
            1 => by_others(dir.path(), "CREATE TABLE theirs (id INTEGER)"),
            2 => by_others(dir.path(), "PRAGMA application_id = 7"),
            _ => fs::write(&file, "not a database at all, but rather a letter").unwrap(),
        }
        private(&file, 0o600);
        let before = fs::read(&file).unwrap();
        let error = SqliteStore::open(&cx(), dir.path()).await.unwrap_err();
        assert!(is_expected(&error) && error.to_string().contains(sentence), "{error}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

#[tokio::test]
async fn what_was_left_half_made_is_completed() {
    let beginnings = ["PRAGMA application_id = 1131376238", "PRAGMA journal_mode = WAL", "PRAGMA user_version = 0"];
    for statement in beginnings {
        let dir = DataDir::new();
        by_others(dir.path(), statement);
        open(&cx(), dir.path()).await.put_grant(&grant(&cx()), &allowed(&cx()).unwrap()).await.unwrap();
    }
    let an_earlier_version =
        "DROP INDEX connect_links_in_order; DROP INDEX connect_links_open; PRAGMA user_version = 8";
    for statement in ["DELETE FROM meta", "PRAGMA journal_mode = DELETE", an_earlier_version] {
        let dir = DataDir::new();
        changed(dir.path(), statement).await;
        let store = open(&cx(), dir.path()).await;
        store.put_grant(&grant(&cx()), &allowed(&cx()).unwrap()).await.unwrap();
        assert!(!store.instance_id().await.unwrap().as_str().is_empty());
    }
}

#[tokio::test]
async fn the_file_itself_refuses_what_must_never_be() {
    let dir = DataDir::new();
    let store = open(&cx(), dir.path()).await;
    store.put_grant(&grant(&cx()), &allowed(&cx()).unwrap()).await.unwrap();
    let file = DatabaseFile::at(store.path());
    file.run("INSERT INTO audit VALUES ('id', 0, 'default', 'made', NULL, NULL, '{}')").unwrap();
    file.run("INSERT INTO api_keys VALUES ('id', 'name', NULL, '[]', 'aa', 0, NULL, 1)").unwrap();
    for (statement, why) in [
        ("UPDATE grants SET generation = 0", "never goes down"),
        ("UPDATE grants SET state = 'disconnected'", "CHECK constraint failed"),
        ("UPDATE audit SET event = 'never'", "audit records are never changed"),
        ("DELETE FROM audit", "audit records are never deleted"),
        ("UPDATE api_keys SET revoked_at = NULL", "a revoked API key stays revoked"),
    ] {
        let error = file.run(statement).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[cfg(unix)]
use unix::private;

#[cfg(not(unix))]
fn private(_: &Path, _: u32) {}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// The data directory, for a test that runs once more in a process of its own.
    const INSIDE: &str = "CONNECTOR_TEST_INSIDE";
    const NOBODY: u32 = 65_534;

    pub(super) fn private(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    /// The mask belongs to a whole process, so this runs in others.
    #[test]
    fn files_are_for_their_owner_alone_whatever_the_mask() {
        if let Some(dir) = std::env::var_os(INSIDE) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            return runtime.block_on(expect_modes(Path::new(&dir)));
        }
        for mask in ["000", "277"] {
            let parent = TempDir::new().unwrap();
            let test = "unix::files_are_for_their_owner_alone_whatever_the_mask";
            let script = format!("umask {mask} && exec \"$0\" --exact {test}");
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
            let output = shell.env(INSIDE, parent.path().join("data")).output().unwrap();
            assert!(output.status.success(), "umask {mask}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }

    async fn expect_modes(dir: &Path) {
        let store: Arc<dyn Store> = open(&cx(), dir).await;
        unlock(&cx(), &KeySource::in_dir(dir), &store).await.unwrap();
        store.put_grant(&grant(&cx()), &allowed(&cx()).unwrap()).await.unwrap();
        for name in ["store.db", "store.db-wal", "store.db-shm", "vault.key"] {
            assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
        }
        for lock in fs::read_dir(dir.join("locks")).unwrap() {
            assert_eq!(mode(&lock.unwrap().path()), 0o600);
        }
        assert_eq!((mode(dir), mode(&dir.join("locks"))), (0o700, 0o700));
    }

    /// The system knows the locks of a process, not of whoever holds them in it: only another process can tell.
    #[tokio::test]
    async fn a_second_store_leaves_the_locks_of_the_first_alone() {
        if let Some(dir) = std::env::var_os(INSIDE) {
            return expect_write(Path::new(&dir));
        }
        let dir = DataDir::new();
        let store = open(&cx(), dir.path()).await;
        store.put_grant(&grant(&cx()), &allowed(&cx()).unwrap()).await.unwrap();
        let writing = DatabaseFile::at(store.path()).lock(Duration::from_secs(5)).unwrap();
        assert!(!another_process_can_write(dir.path()));
        open(&cx(), dir.path()).await.close().await;
        assert!(!another_process_can_write(dir.path()), "the second store ended the lock of the first");
        drop(writing);
        assert!(another_process_can_write(dir.path()));
    }

    fn another_process_can_write(dir: &Path) -> bool {
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "unix::a_second_store_leaves_the_locks_of_the_first_alone"]).env(INSIDE, dir);
        let output = test.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() || said.contains("database is locked"), "{said}");
        output.status.success()
    }

    fn expect_write(dir: &Path) {
        DatabaseFile::in_dir(dir).lock(Duration::ZERO).unwrap();
    }

    #[tokio::test]
    async fn what_others_may_read_is_refused_with_the_remedy() {
        for (name, wanted) in [("", 0o700), ("locks", 0o700), ("store.db", 0o600)] {
            let dir = DataDir::new();
            open(&cx(), dir.path()).await.close().await;
            let path = if name.is_empty() { dir.path().to_owned() } else { dir.path().join(name) };
            private(&path, wanted | 0o050);
            let error = SqliteStore::open(&cx(), dir.path()).await.unwrap_err();
            let remedy = format!("(mode {:04o}): run `chmod {wanted:o} {}`", wanted | 0o050, path.display());
            assert!(matches!(error, StoreError::Exposed(_)) && error.to_string().contains(&remedy), "{error}");
        }
    }

    #[tokio::test]
    async fn a_link_is_no_database() {
        let (elsewhere, dir) = (DataDir::new(), DataDir::new());
        let store = open(&cx(), elsewhere.path()).await;
        symlink(store.path(), dir.path().join("store.db")).unwrap();
        let error = SqliteStore::open(&cx(), dir.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Exposed(_)), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_refused_by_name() {
        if let Some(dir) = std::env::var_os(INSIDE) {
            return expect_refusal(Path::new(&dir)).await;
        }
        for (dir_mode, file_mode) in [(0o500, 0o600), (0o700, 0o400)] {
            let dir = DataDir::new();
            open(&cx(), dir.path()).await.close().await;
            private(&dir.path().join("store.db"), file_mode);
            private(dir.path(), dir_mode);
            if give_away(dir.path()) {
                once_more_as_nobody(dir.path());
            } else {
                expect_refusal(dir.path()).await;
            }
            private(dir.path(), 0o700);
        }
    }

    async fn expect_refusal(dir: &Path) {
        let error = SqliteStore::open(&cx(), dir).await.unwrap_err();
        assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains(&*dir.to_string_lossy()), "{error}");
    }

    /// Nothing is read-only for the super-user: where the tests run as one, the files go to somebody else.
    fn give_away(dir: &Path) -> bool {
        let locks = fs::read_dir(dir.join("locks")).unwrap().map(|lock| lock.unwrap().path());
        let mut paths = [dir.to_owned(), dir.join("locks"), dir.join("store.db")].into_iter().chain(locks);
        paths.all(|path| chown(path, Some(NOBODY), None).is_ok())
    }

    /// From a copy, because the directory of the program may be closed to others.
    fn once_more_as_nobody(dir: &Path) {
        let place = TempDir::new().unwrap();
        let program = place.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        private(place.path(), 0o755);
        let mut test = Command::new(program);
        test.args(["--exact", "unix::what_cannot_be_written_is_refused_by_name"]).env(INSIDE, dir).current_dir("/");
        let output = test.uid(NOBODY).gid(NOBODY).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

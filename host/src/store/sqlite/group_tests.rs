//! What shares a commit is kept together, fails alone, and is done once.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use connector_core::testing::FakeTransport;
use tempfile::TempDir;
use tokio::task::{JoinSet, yield_now};

use super::{SqliteRow, SqliteStore};
use crate::store::sql::{Row, Transaction, Work, statement};
use crate::store::{Result, StoreError};

/// Writes so many bytes under a key, and fails afterwards if it is told to.
#[derive(Clone, Copy)]
struct Note {
    key: usize,
    bytes: usize,
    fails: bool,
}

impl Note {
    fn small(key: usize) -> Self {
        Self { key, bytes: 1, fails: false }
    }
}

#[async_trait]
impl Work for Note {
    type Output = usize;

    async fn run(&self, transaction: &mut Transaction) -> Result<usize> {
        let insert = statement("INSERT INTO meta (key, value) VALUES ($1, $2)");
        transaction.execute(insert.bind(format!("note-{}", self.key)).bind(vec![7; self.bytes])).await?;
        if self.fails { Err(StoreError::Conflict("told to fail".to_owned())) } else { Ok(self.key) }
    }
}

struct Bench {
    store: Arc<SqliteStore>,
    _dir: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (dir, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
        let store = Arc::new(SqliteStore::open(&cx, &dir.path().join("data")).await.unwrap());
        Self { store, _dir: dir }
    }

    async fn note(&self, note: Note) -> Result<usize> {
        self.store.share(note).await
    }

    /// All of them at once: they are in the queue before the first of them can be done.
    async fn all(&self, notes: Vec<Note>) -> Vec<(usize, Result<usize>)> {
        let (writer, mut tasks) = (self.store.write().await.unwrap(), JoinSet::new());
        for note in notes {
            let store = Arc::clone(&self.store);
            tasks.spawn(async move { (note.key, store.share(note).await) });
        }
        // On the one thread of a test each of them has its turn before this goes on.
        yield_now().await;
        drop(writer);
        let mut done = tasks.join_all().await;
        done.sort_by_key(|(key, _)| *key);
        done
    }

    /// A row that the one connection that writes sees.
    async fn row(&self, sql: &'static str) -> SqliteRow {
        let mut transaction = self.store.write().await.unwrap();
        let Some(Row::Sqlite(row)) = transaction.fetch(statement(sql)).await.unwrap() else { panic!("no row") };
        row
    }

    async fn kept(&self) -> i64 {
        self.row("SELECT count(*) AS notes FROM meta WHERE key LIKE 'note-%'").await.get("notes").unwrap()
    }

    /// How many transactions the log of the database holds: the last page that one writes says how large the database is then.
    fn commits(&self) -> usize {
        let log = std::fs::read(self.store.path().with_extension("db-wal")).unwrap();
        let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
        let current = |frame: &&[u8]| frame[8..16] == log[16..24];
        log[32..].chunks_exact(24 + page).filter(current).filter(|frame| frame[4..8] != [0; 4]).count()
    }
}

#[tokio::test]
async fn a_thousand_writers_share_a_few_commits() {
    let bench = Bench::new().await;
    bench.row("PRAGMA wal_autocheckpoint = 0").await;
    bench.note(Note::small(1_000)).await.unwrap();
    let before = bench.commits();
    let done = bench.all((0..1_000).map(Note::small).collect()).await;
    assert!(done.iter().all(|(key, kept)| matches!(kept, Ok(kept) if kept == key)));
    let commits = bench.commits() - before;
    assert!((8..=9).contains(&commits), "128 at a time, and who came first may have been alone: {commits}");
    assert_eq!(bench.kept().await, 1_001);
}

#[tokio::test]
async fn what_fails_in_a_batch_fails_alone() {
    let bench = Bench::new().await;
    bench.note(Note::small(7)).await.unwrap();
    let notes = (0..20).map(|key| Note { fails: key % 5 == 0, ..Note::small(key) });
    for (key, outcome) in bench.all(notes.collect()).await {
        match outcome {
            Ok(kept) => assert_eq!((kept, key % 5 != 0), (key, true)),
            Err(StoreError::Conflict(why)) if key == 7 => assert_eq!(why, "it is there already"),
            Err(error) => assert_eq!((error.to_string().as_str(), key % 5), ("told to fail", 0)),
        }
    }
    assert_eq!(bench.kept().await, 16, "those that did not fail, and nothing of those that did");
}

#[tokio::test]
async fn a_commit_that_fails_fails_all_of_its_batch() {
    let bench = Bench::new().await;
    let mut setup = bench.store.write().await.unwrap();
    for sql in [
        "CREATE TABLE promises (key REFERENCES meta (key) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER promise AFTER INSERT ON meta WHEN new.key = 'note-3' BEGIN INSERT INTO promises VALUES ('nothing'); END",
    ] {
        setup.execute(statement(sql)).await.unwrap();
    }
    setup.commit().await.unwrap();
    for (_, outcome) in bench.all((0..5).map(Note::small).collect()).await {
        assert!(outcome.unwrap_err().to_string().contains("FOREIGN KEY constraint failed"));
    }
    assert_eq!(bench.kept().await, 0);
    let others = (0..5).filter(|key| *key != 3).map(Note::small).collect();
    assert!(bench.all(others).await.iter().all(|(_, outcome)| outcome.is_ok()), "the next batch is none the worse");
    assert_eq!(bench.kept().await, 4);
}

/// `SQLite` gives up a whole transaction when the disk is full, and not only the statement.
#[tokio::test]
async fn a_disk_that_is_full_takes_what_fits_and_everything_once_there_is_room() {
    let bench = Bench::new().await;
    bench.row("PRAGMA max_page_count = 100").await;
    let large = Note { bytes: 1_000_000, ..Note::small(10) };
    let notes = (0..20).map(|key| if key == large.key { large } else { Note::small(key) });
    for (key, outcome) in bench.all(notes.collect()).await {
        assert_eq!(outcome.is_ok(), key != large.key, "{key}: {outcome:?}");
    }
    assert_eq!(bench.kept().await, 19);
    bench.row("PRAGMA max_page_count = 100000").await;
    bench.note(large).await.unwrap();
}

#[test]
fn whoever_comes_after_a_runtime_that_ended_is_answered() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let bench = first.block_on(async {
        let bench = Bench::new().await;
        // On the one thread of this runtime, whoever would do the work never gets a turn.
        let mut note = Box::pin(bench.note(Note::small(1)));
        assert!(poll_fn(|cx| Poll::Ready(note.as_mut().poll(cx).is_pending())).await);
        drop(note);
        bench
    });
    drop(first);
    runtime().block_on(bench.note(Note::small(2))).unwrap();
}

#[tokio::test]
async fn work_whose_caller_goes_away_is_done_once() {
    let bench = Bench::new().await;
    let writer = bench.store.write().await.unwrap();
    let mut callers = JoinSet::new();
    for key in 0..10 {
        let store = Arc::clone(&bench.store);
        callers.spawn(async move { store.share(Note::small(key)).await });
    }
    for _ in 0..100 {
        yield_now().await;
    }
    callers.shutdown().await;
    drop(writer);
    bench.note(Note::small(10)).await.unwrap();
    assert_eq!(bench.kept().await, 11);
}

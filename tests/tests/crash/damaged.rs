//! A log of the database that was cut off or overwritten, as a disk leaves it that lost what it had not written yet, or more than that.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use connector_core::Context;
use connector_core::testing::FakeTransport;
use connector_host::store::{GrantRecord, Grants as _, InstanceId, Meta as _, SqliteStore, StoreError};
use connector_host::testing::{DatabaseFile, Example, TENANT, allowed};

use crate::{say, size};

/// Grants that are in the database itself, and those that only its log has.
const IN_FILE: usize = 3;
const IN_LOG: usize = 4;

/// How many bytes of a log are before its first page.
const HEADER: usize = 32;

/// What happens to a log from a place on.
const DAMAGES: [(&str, Damage); 5] = [
    ("cut off", |log, place| log.truncate(place)),
    ("zeros", |log, place| log[place..].fill(0)),
    ("garbage", |log, place| fastrand::fill(&mut log[place..])),
    ("a sector of garbage", |log, place| {
        let end = log.len().min(place + 512);
        fastrand::fill(&mut log[place..end]);
    }),
    ("a bit", |log, place| {
        if let Some(byte) = log.get_mut(place) {
            *byte ^= 1 << (place % 8);
        }
    }),
];

type Damage = fn(&mut Vec<u8>, usize);

#[tokio::test]
async fn damaged_log_costs_what_came_after_the_damage_and_nothing_that_is_in_the_database() {
    let written = Written::new().await;
    let places = written.places(size("DAMAGES", 8));
    for (name, damage) in DAMAGES {
        let (mut kept, mut refused) = (0, 0);
        for (number, place) in places.iter().enumerate() {
            let mut log = written.log.clone();
            damage(&mut log, *place);
            let wanted = written.before(&log);
            match written.open(&log, number % 2 == 0).await {
                Ok(found) => assert_eq!(found, wanted, "{name} at {place} of {}", written.log.len()),
                Err(error) => {
                    assert!(error.to_string().contains("database"), "{name} at {place}: {error}");
                    refused += 1;
                    continue;
                }
            }
            kept += wanted;
        }
        let least = IN_FILE * (places.len() - refused);
        say(&format!(
            "damaged log, {name}: logs {}, grants kept {kept} of {least} at least, refused {refused}",
            places.len()
        ));
        assert!(kept >= least);
    }
}

/// A store whose process died without a word.
struct Written {
    cx: Context,
    name: InstanceId,
    database: Vec<u8>,
    log: Vec<u8>,
    index: Vec<u8>,
    grants: Vec<GrantRecord>,
    /// Where in the log each grant is durable.
    ends: Vec<usize>,
}

impl Written {
    async fn new() -> Self {
        let cx = FakeTransport::default().context();
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        let (mut grants, mut ends) = (Vec::new(), Vec::new());
        let store = SqliteStore::open(&cx, &dir).await.unwrap();
        for _ in 0..IN_FILE {
            grants.push(put(&cx, &store).await);
        }
        store.close().await;
        let store = SqliteStore::open(&cx, &dir).await.unwrap();
        let read = |end: &str| fs::read(dir.join(format!("store.db{end}"))).unwrap();
        for _ in 0..IN_LOG {
            grants.push(put(&cx, &store).await);
            ends.push(read("-wal").len());
        }
        let name = store.instance_id().await.unwrap();
        Self { cx, name, database: read(""), log: read("-wal"), index: read("-shm"), grants, ends }
    }

    /// So many places in the log, first of all those around which something ends.
    fn places(&self, number: usize) -> Vec<usize> {
        let ends = self.ends.iter().chain(&[HEADER]).flat_map(|end| [end - 1, *end, end + 1]);
        let mut places: Vec<_> = ends.chain([0, 1]).filter(|place| *place <= self.log.len()).collect();
        let more = number.saturating_sub(places.len());
        places.extend((0..more).map(|place| place * self.log.len() / more));
        places.sort_unstable();
        (0..number).map(|place| places[place * places.len() / number]).collect()
    }

    /// How many grants were durable before a log differs from what was written.
    fn before(&self, log: &[u8]) -> usize {
        let same = log.iter().zip(&self.log).take_while(|(now, then)| now == then).count();
        IN_FILE + self.ends.iter().filter(|end| **end <= same).count()
    }

    /// Opens the store with another log. Gives how many of its grants there are, the earliest first: then it works as ever.
    async fn open(&self, log: &[u8], with_index: bool) -> Result<usize, StoreError> {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        fs::DirBuilder::new().mode(0o700).create(&dir).unwrap();
        private(&dir.join("store.db"), &self.database);
        private(&dir.join("store.db-wal"), log);
        if with_index {
            private(&dir.join("store.db-shm"), &self.index);
        }
        let store = SqliteStore::open(&self.cx, &dir).await?;
        assert_eq!(store.instance_id().await?, self.name);
        let mut found = 0;
        for (index, grant) in self.grants.iter().enumerate() {
            if let Some(stored) = store.grant(TENANT, &grant.id).await? {
                assert_eq!((index, &stored), (found, grant), "one that came before is missing, or it is another");
                found += 1;
            }
        }
        put(&self.cx, &store).await;
        store.close().await;
        assert_eq!(DatabaseFile::in_dir(&dir).texts("PRAGMA integrity_check").unwrap(), ["ok"]);
        let rows = DatabaseFile::in_dir(&dir).number("SELECT count(*) FROM grants").unwrap();
        assert_eq!(usize::try_from(rows), Ok(found + 1));
        Ok(found)
    }
}

async fn put(cx: &Context, store: &SqliteStore) -> GrantRecord {
    let grant = Example::default().grant(cx).unwrap();
    store.put_grant(&grant, &allowed(cx).unwrap()).await.unwrap();
    store.grant(TENANT, &grant.id).await.unwrap().unwrap()
}

fn private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

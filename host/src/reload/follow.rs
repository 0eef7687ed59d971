//! Following the files: their directories are watched, because a file is mostly replaced and not written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use connector_core::config::read_text;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::places::Places;
use super::settling::{Settling, Step};
use super::{Reloader, Why};

/// For so long nothing may happen to a file before it counts as written. It is also the most often that anything is looked at.
const QUIET: Duration = Duration::from_millis(250);

/// What the files hold, or what is wrong with each.
type Held = Vec<Result<String, String>>;

impl Reloader {
    /// Takes up what the files say, whenever they say something else, until it is told to stop. Where the system does not tell of changes,
    /// or loses some, the files are looked at after this time.
    pub(crate) async fn follow(&self, at_least_every: Duration, stop: &CancellationToken) {
        let (mut eyes, mut settling) = (Eyes::open(), Settling::new());
        // What was written between the start's reading and now has stirred nobody.
        let mut next = Step::LookAgain;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = next_look(&eyes.stirred, next, at_least_every) => {}
            }
            let files = self.files();
            // A disk may let its reader wait.
            let looked = spawn_blocking(move || {
                let paths: Vec<PathBuf> = files.paths().map(PathBuf::from).collect();
                let held = eyes.look(&paths);
                (eyes, held)
            });
            let Ok((same, held)) = looked.await else {
                tracing::error!("the files of the configuration are not followed any more; please report it");
                return;
            };
            eyes = same;
            next = settling.look(held);
            if next == Step::Take {
                self.reload(Why::Files).await;
            }
        }
    }
}

/// A look follows when something happened, or in a while; in any case after a moment of quiet.
async fn next_look(stirred: &Notify, last: Step, at_least_every: Duration) {
    if last != Step::LookAgain {
        tokio::select! {
            () = stirred.notified() => {}
            () = tokio::time::sleep(at_least_every) => {}
        }
    }
    tokio::time::sleep(QUIET).await;
}

/// What looks at the files.
struct Eyes {
    watcher: Option<RecommendedWatcher>,
    stirred: Arc<Notify>,
    places: Places,
    watched: Vec<PathBuf>,
    /// What kept a directory from being watched, so that it is said once.
    trouble: Option<String>,
}

impl Eyes {
    fn open() -> Self {
        let stirred = Arc::new(Notify::new());
        let stir = Arc::clone(&stirred);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| is_change(event.kind)) {
                stir.notify_one();
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "the files of the configuration cannot be watched; they are looked at now and then");
        }
        Self { watcher: watcher.ok(), stirred, places: Places::default(), watched: Vec::new(), trouble: None }
    }

    /// Watches where the files are now, and reads them. In this order: what happens later stirs.
    fn look(&mut self, files: &[PathBuf]) -> Held {
        let places = Places::of(files.iter().map(PathBuf::as_path));
        for dir in places.gone.difference(&self.places.gone) {
            tracing::warn!(dir = %dir.display(), "a directory of the configuration is not there; it is waited for");
        }
        for dir in self.places.gone.difference(&places.gone) {
            tracing::info!(dir = %dir.display(), "a directory of the configuration is there again");
        }
        self.places = places;
        self.watch();
        files.iter().map(|file| read_text(file)).collect()
    }

    /// A directory that was removed and made again has the same name and is another one, so all are watched anew.
    fn watch(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for dir in self.watched.drain(..) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(&dir);
        }
        let mut trouble = None;
        for dir in &self.places.there {
            match watcher.watch(dir, RecursiveMode::NonRecursive) {
                Ok(()) => self.watched.push(dir.clone()),
                Err(error) => trouble = Some(error.to_string()),
            }
        }
        if let Some(error) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            tracing::warn!(error, "a directory of the configuration cannot be watched; it is looked at now and then");
        }
        self.trouble = trouble;
    }
}

/// Whether something may be different. Looking at a file is an event as well, and must not be followed by another look.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use notify::event::ModifyKind;

    use super::*;

    /// Looks whenever something stirs, until what is seen is this.
    async fn until(eyes: &mut Eyes, files: &[PathBuf], is_it: impl Fn(&Eyes, &Held) -> bool) {
        loop {
            let held = eyes.look(files);
            if is_it(eyes, &held) {
                return;
            }
            tokio::time::timeout(Duration::from_mins(1), eyes.stirred.notified()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn whatever_happens_to_a_file_or_its_directory_stirs() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("etc");
        fs::create_dir(&dir).unwrap();
        let (file, mut eyes) = (dir.join("x.toml"), Eyes::open());
        let files = [file.clone()];
        let holds = |text: &'static str| move |_: &Eyes, held: &Held| held[0].as_deref() == Ok(text);
        fs::write(&file, "1").unwrap();
        until(&mut eyes, &files, holds("1")).await;
        fs::write(&file, "2").unwrap();
        until(&mut eyes, &files, holds("2")).await;
        fs::write(dir.join("next"), "3").unwrap();
        fs::rename(dir.join("next"), &file).unwrap();
        until(&mut eyes, &files, holds("3")).await;

        fs::remove_dir_all(&dir).unwrap();
        until(&mut eyes, &files, |eyes, held| held[0].is_err() && !eyes.places.gone.is_empty()).await;
        fs::create_dir(&dir).unwrap();
        until(&mut eyes, &files, |eyes, _| eyes.places.gone.is_empty()).await;
        fs::write(&file, "4").unwrap();
        until(&mut eyes, &files, holds("4")).await;
    }

    #[test]
    fn to_read_a_file_is_no_change() {
        for read in [AccessKind::Read, AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Read)] {
            assert!(!is_change(EventKind::Access(read)), "{read:?}");
        }
        assert!(is_change(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(is_change(EventKind::Modify(ModifyKind::Any)) && is_change(EventKind::Any));
    }
}

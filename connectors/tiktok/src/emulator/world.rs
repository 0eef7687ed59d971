//! Everything an endpoint works on: the state that persists and what lasts for one run.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use connector_core::{Context, Result, Secret};
use jiff::Timestamp;

use super::apps::{self, RegisteredApp};
use super::authorize::Asked;
use super::fault::Faults;
use super::limit::Limiter;
use super::record::{Issued, Record};
use super::state::{State, StateFile};

/// How many requests may wait on consent pages at a time.
const PENDING: usize = 256;

/// The emulator, shared by its requests.
#[derive(Debug)]
pub(super) struct World {
    pub(super) admin_token: Secret,
    cx: Context,
    apps: Vec<RegisteredApp>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    file: Option<StateFile>,
    run: Run,
}

/// What lasts for one run.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Requests that wait on a consent page, oldest first.
    pub(super) pending: VecDeque<Asked>,
    pub(super) limiter: Limiter,
    pub(super) faults: Faults,
    pub(super) record: Record,
    /// Every code and token handed out, in the clear. Only the admin route shows them.
    pub(super) issued: Vec<Issued>,
    /// What the forms of the home page carry.
    pub(super) form_token: Option<Secret>,
}

impl World {
    pub(super) fn new(cx: Context, admin_token: Secret, state: State, file: Option<StateFile>) -> Self {
        let inner = Inner { state, file, run: Run::default() };
        Self { admin_token, cx, apps: apps::registered(), inner: Mutex::new(inner) }
    }

    /// Has the whole of it to oneself.
    pub(super) fn enter(&self) -> Scene<'_> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.cx.now().as_second().saturating_add(inner.state.clock_offset_seconds);
        Scene { apps: &self.apps, cx: &self.cx, now, inner, changed: false }
    }
}

/// The emulator in the hands of one request.
pub(super) struct Scene<'a> {
    pub(super) apps: &'a [RegisteredApp],
    /// Now by the emulator's clock, in seconds since 1970.
    pub(super) now: i64,
    cx: &'a Context,
    inner: MutexGuard<'a, Inner>,
    changed: bool,
}

impl Scene<'_> {
    pub(super) fn state(&self) -> &State {
        &self.inner.state
    }

    /// The state, to change it. It is saved before the answer leaves.
    pub(super) fn change(&mut self) -> &mut State {
        self.changed = true;
        &mut self.inner.state
    }

    pub(super) fn run(&mut self) -> &mut Run {
        &mut self.inner.run
    }

    pub(super) fn record(&self) -> &Record {
        &self.inner.run.record
    }

    pub(super) fn issued(&self) -> &[Issued] {
        &self.inner.run.issued
    }

    /// Saves the state if it was changed.
    pub(super) fn save(&mut self) -> Result<()> {
        let Inner { state, file, .. } = &mut *self.inner;
        match file {
            Some(file) if self.changed => file.save(state, self.now),
            _ => Ok(()),
        }
    }

    /// Puts a request aside until its consent page comes back.
    pub(super) fn put_aside(&mut self, asked: Asked) {
        let pending = &mut self.inner.run.pending;
        if pending.len() >= PENDING {
            pending.pop_front();
        }
        pending.push_back(asked);
    }

    /// The app with this key.
    pub(super) fn app(&self, client_key: &str) -> Option<&RegisteredApp> {
        self.apps.iter().find(|app| app.client_key == client_key)
    }

    /// A fresh text that nobody can guess.
    pub(super) fn random_text(&self) -> Result<Secret> {
        self.cx.random_token()
    }

    pub(super) fn random_bytes<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.cx.fill_random(&mut bytes)?;
        Ok(bytes)
    }

    /// A request id as TikTok writes it: the time in UTC+8 and 20 upper-case hex digits.
    pub(super) fn log_id(&self) -> Result<String> {
        const EAST: i64 = 8 * 3600;
        let time = Timestamp::from_second(self.now + EAST).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(format!("{}{}", time.strftime("%Y%m%d%H%M%S"), hex::encode_upper(self.random_bytes::<10>()?)))
    }
}

//! Everything an endpoint works on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connector_core::{Context, Result, Secret};

use super::state::{AccessToken, Grant, State, StateFile};

const ACCESS_SECONDS: i64 = 3600;

/// The emulator, shared by its requests.
pub(super) type Shared = Arc<World>;

#[derive(Debug)]
pub(super) struct World {
    cx: Context,
    file: Option<StateFile>,
    state: Mutex<State>,
    codes: Mutex<BTreeMap<String, Code>>,
}

/// A code on its way from the browser to the token endpoint. It does not survive a restart.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) expires_at: i64,
}

impl World {
    pub(super) fn new(cx: Context, state: State, file: Option<StateFile>) -> Self {
        Self { cx, file, state: Mutex::new(state), codes: Mutex::default() }
    }

    /// Now, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.cx.now().as_second()
    }

    /// A name for one request.
    pub(super) fn request_id(&self) -> String {
        self.cx.random_token().map(|token| format!("req_{}", &token.digest()[..12])).unwrap_or_default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and saves it before anybody is answered.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut state = self.state();
        let outcome = change(&mut state);
        self.file.as_ref().map_or(Ok(()), |file| file.save(&state))?;
        Ok(outcome)
    }

    /// Hands out a code.
    pub(super) fn issue_code(&self, code: Code) -> Result<Secret> {
        let fresh = self.cx.random_token()?;
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).insert(fresh.digest(), code);
        Ok(fresh)
    }

    /// Takes a code back, for good.
    pub(super) fn redeem_code(&self, code: &str) -> Option<Code> {
        let code = self.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(&Secret::from(code).digest())?;
        Some(code).filter(|code| code.expires_at > self.now())
    }

    /// Opens a grant and hands out its refresh token.
    pub(super) fn open(&self, grant: Grant) -> Result<Secret> {
        let refresh = self.cx.random_token()?;
        self.change(|state| state.grants.insert(refresh.digest(), grant))?;
        Ok(refresh)
    }

    /// Hands out an access token of a grant, with its life in seconds.
    pub(super) fn issue_access(&self, refresh: &Secret) -> Result<(Secret, i64)> {
        let access = self.cx.random_token()?;
        let token = AccessToken { grant: refresh.digest(), expires_at: self.now() + ACCESS_SECONDS };
        self.change(|state| state.access_tokens.insert(access.digest(), token))?;
        Ok((access, ACCESS_SECONDS))
    }

    /// The grant that a live access token belongs to.
    pub(super) fn grant_of(&self, access: &str) -> Option<Grant> {
        let state = self.state();
        let token =
            state.access_tokens.get(&Secret::from(access).digest()).filter(|token| token.expires_at > self.now())?;
        state.grants.get(&token.grant).cloned()
    }
}

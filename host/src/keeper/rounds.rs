//! Passes again and again, until somebody says stop.

use std::time::Duration;

use super::Keep;
use crate::host::Host;

/// When passes are made.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// How long after a pass the next one begins, give or take a tenth.
    pub every: Duration,
}

impl Host {
    /// Makes passes until it is stopped, and ends when the last one has. Another configuration lets the next one begin at once. The first one
    /// begins after a moment by chance, so that hosts that were started together do not ask together.
    pub async fn keep_on(&self, rounds: Rounds, keep: &Keep) {
        let mut wait = rounds.every.mul_f64(0.1 * self.chance());
        loop {
            tokio::select! {
                biased;
                () = keep.stop.cancelled() => return,
                () = self.reconfigured() => {}
                () = tokio::time::sleep(wait) => {}
            }
            if let Err(error) = self.keep(keep).await {
                tracing::error!(%error, "a pass over what is due could not go on");
            }
            wait = rounds.every.mul_f64(0.9 + 0.2 * self.chance());
        }
    }

    /// A number from 0 to 1.
    pub(crate) fn chance(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.context().fill_random(&mut bytes) {
            Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
            Err(_) => 0.5,
        }
    }
}

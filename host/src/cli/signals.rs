//! What the person at the terminal, or the system, tells the program to do.

/// Requests to stop, from the moment this is made.
pub(super) struct Signals {
    #[cfg(unix)]
    unix: Option<[tokio::signal::unix::Signal; 3]>,
}

impl Signals {
    pub(super) fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let all = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
            let [Ok(interrupt), Ok(terminate), Ok(hangup)] = all else { return Self { unix: None } };
            Self { unix: Some([interrupt, terminate, hangup]) }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Ends at the next one; where the system cannot say so, never.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some([interrupt, terminate, hangup]) = &mut self.unix {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = hangup.recv() => return,
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_ok() {
            return;
        }
        std::future::pending::<()>().await;
    }
}

//! What the person at the terminal, or the system, tells the program to do.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Requests to stop, from the moment this is made.
pub(super) struct Signals {
    #[cfg(unix)]
    unix: Option<Unix>,
}

#[cfg(unix)]
struct Unix {
    interrupt: Signal,
    terminate: Signal,
    /// None where the program was started so that it goes on when its terminal goes away.
    hangup: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> Self {
        #[cfg(unix)]
        return Self { unix: Unix::new().ok() };
        #[cfg(not(unix))]
        Self {}
    }

    /// Ends at the next one; where the system cannot say so, never.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(unix) = &mut self.unix {
            return unix.next().await;
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_ok() {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
impl Unix {
    fn new() -> std::io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        Ok(Self { interrupt: interrupt?, terminate: terminate?, hangup })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether the program was started with hangups ignored, as `nohup` does. Only Linux says so; elsewhere a hangup always stops.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| has_hangup_ignored(&status))
}

/// Reads the mask of ignored signals, of which the lowest bit is the hangup's.
#[cfg(unix)]
fn has_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_of_the_mask_is_the_hangups() {
        for (mask, ignored) in [("0000000000000001", true), ("0000000000001003", true), ("0000000000001000", false)] {
            let status = format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");
            assert_eq!(has_hangup_ignored(&status), ignored, "{mask}");
        }
        assert!(!has_hangup_ignored("") && !has_hangup_ignored("SigIgn:\tnone"));
    }
}

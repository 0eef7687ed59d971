//! What the person at the terminal, or the system, tells the program to do.

use std::sync::Arc;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// Who is told of a hangup, for a command to which it means something else than to stop.
pub(super) type OnHangup = Option<Arc<Notify>>;

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
    on_hangup: OnHangup,
    began_at_terminal: bool,
}

impl Signals {
    pub(super) fn new(on_hangup: OnHangup) -> Self {
        #[cfg(unix)]
        return Self { unix: Unix::new(on_hangup).ok() };
        #[cfg(not(unix))]
        {
            drop(on_hangup);
            Self {}
        }
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
    fn new(on_hangup: OnHangup) -> std::io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        Ok(Self {
            interrupt: interrupt?,
            terminate: terminate?,
            hangup,
            on_hangup,
            began_at_terminal: is_at_terminal(),
        })
    }

    async fn next(&mut self) {
        loop {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = hangup => {}
            }
            match &self.on_hangup {
                Some(whoever) if !went_away(self.began_at_terminal, is_at_terminal()) => whoever.notify_one(),
                _ => return,
            }
        }
    }
}

/// Whether a hangup came because the terminal went away, and not because somebody sent it.
#[cfg(unix)]
fn went_away(at_start: bool, now: bool) -> bool {
    at_start && !now
}

/// Whether the program runs at a terminal. The system takes it away before it says so.
#[cfg(unix)]
fn is_at_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
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
    fn a_hangup_that_somebody_sent_is_told_from_a_terminal_that_went_away() {
        assert!(went_away(true, false));
        for (at_start, now) in [(true, true), (false, false), (false, true)] {
            assert!(!went_away(at_start, now), "{at_start} {now}");
        }
    }

    #[test]
    fn the_lowest_bit_of_the_mask_is_the_hangups() {
        for (mask, ignored) in [("0000000000000001", true), ("0000000000001003", true), ("0000000000001000", false)] {
            let status = format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");
            assert_eq!(has_hangup_ignored(&status), ignored, "{mask}");
        }
        assert!(!has_hangup_ignored("") && !has_hangup_ignored("SigIgn:\tnone"));
    }
}

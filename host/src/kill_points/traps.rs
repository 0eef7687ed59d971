//! What the environment says happens at a point.

use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::KillPoint;

/// Does what the environment says of this point.
pub(super) fn spring(point: KillPoint) {
    static TRAPS: OnceLock<Vec<Trap>> = OnceLock::new();
    for trap in TRAPS.get_or_init(of_environment) {
        if trap.springs(point) {
            (trap.action)();
        }
    }
}

/// What happens at one point, once.
struct Trap {
    point: KillPoint,
    /// Counted from one.
    time: u32,
    reached: AtomicU32,
    action: fn(),
}

impl Trap {
    /// `<point>` or `<point>:<n>`.
    fn parse(text: &str, action: fn()) -> Option<Self> {
        let (word, time) = text.split_once(':').unwrap_or((text, "1"));
        let point = KillPoint::ALL.into_iter().find(|point| point.word() == word)?;
        let time = time.parse().ok().filter(|time| *time > 0)?;
        Some(Self { point, time, reached: AtomicU32::new(0), action })
    }

    fn springs(&self, point: KillPoint) -> bool {
        point == self.point && self.reached.fetch_add(1, Ordering::SeqCst) + 1 == self.time
    }
}

fn of_environment() -> Vec<Trap> {
    let variables: [(&str, fn()); 2] = [("CONNECTOR_KILL_AT", end), ("CONNECTOR_STOP_AT", stop)];
    let traps = variables.into_iter().filter_map(|(name, action)| {
        let text = env::var_os(name)?;
        let trap = text.to_str().and_then(|text| Trap::parse(text, action));
        if trap.is_none() {
            // A test that misspells a point must not pass.
            let words = KillPoint::ALL.map(KillPoint::word).join(", ");
            tracing::error!("{name} is not <point> or <point>:<n>, with one of these points: {words}");
            std::process::abort();
        }
        trap
    });
    traps.collect()
}

/// By the signal that cannot be handled: no core dump is left either.
#[cfg(unix)]
fn end() {
    signal(rustix::process::Signal::KILL);
}

/// Goes on when told to.
#[cfg(unix)]
fn stop() {
    signal(rustix::process::Signal::STOP);
}

#[cfg(unix)]
fn signal(signal: rustix::process::Signal) {
    if let Err(error) = rustix::process::kill_process(rustix::process::getpid(), signal) {
        tracing::error!(%error, "the process cannot signal itself");
        std::process::abort();
    }
}

#[cfg(not(unix))]
fn end() {
    std::process::abort();
}

/// No other system stops a process so that it can go on.
#[cfg(not(unix))]
fn stop() {
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_springs_the_nth_time_its_point_is_reached_and_never_again() {
        let trap = Trap::parse("after_mark:3", end).unwrap();
        let sprung = (1..=6).map(|_| (trap.springs(KillPoint::BeforeMark), trap.springs(KillPoint::AfterMark)));
        let sprung: Vec<_> = sprung.collect();
        assert_eq!(sprung.iter().position(|(_, sprung)| *sprung), Some(2));
        assert_eq!(sprung.iter().filter(|(other, sprung)| *other || *sprung).count(), 1);
        assert!(Trap::parse("after_mark", end).unwrap().springs(KillPoint::AfterMark));
    }

    #[test]
    fn what_names_no_point_is_no_trap() {
        for text in ["", "after", "After_mark", "after_mark:", "after_mark:0", "after_mark:-1", "after_mark:1:1"] {
            assert!(Trap::parse(text, end).is_none(), "{text}");
        }
    }
}

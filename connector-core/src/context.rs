//! What a call needs from its surroundings: a transport, a clock, randomness. Nothing else in the framework reads them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use crate::grant::BaseUrls;
use crate::http::{Confined, HttpTransport, RawAnswer, Request, Sent, TransportError};
use crate::{Error, Result, Secret};

/// Tells the time.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now, by the wall clock. Somebody may set it, forward or back.
    fn now(&self) -> Timestamp;

    /// The time since the machine started, which nobody can set. `None` where the system does not tell.
    fn since_boot(&self) -> Option<SinceBoot>;
}

/// How long the machine has been up, suspended time included, and since which start.
///
/// It is the same for all processes of a machine, and setting the wall clock does not move it. It can be stored: what another boot says
/// is known by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinceBoot {
    /// Which start of the machine: another one has another id.
    pub boot: String,
    /// How long ago that was.
    pub elapsed: SignedDuration,
}

impl SinceBoot {
    /// How much later this is than the other. `None` when the machine has started anew in between.
    pub fn duration_since(&self, earlier: &Self) -> Option<SignedDuration> {
        (self.boot == earlier.boot).then(|| self.elapsed.saturating_sub(earlier.elapsed))
    }
}

/// Gives bytes nobody can guess.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Random: Send + Sync {
    /// Fills the buffer.
    ///
    /// # Errors
    /// When the system has no randomness to give. Nothing may go on with a predictable value instead.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock of the `Context`")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        system::since_boot()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::sync::OnceLock;

    use jiff::SignedDuration;
    use rustix::time::{ClockId, clock_gettime};

    use super::SinceBoot;

    /// The kernel makes an id up at each start. It does not change while a process lives.
    fn boot() -> Option<&'static String> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let known = || read().map(|text| text.trim().to_owned()).filter(|id| !id.is_empty());
        BOOT.get_or_init(known).as_ref()
    }

    pub(super) fn since_boot() -> Option<SinceBoot> {
        let boot = boot()?.clone();
        let elapsed = clock_gettime(ClockId::Boottime);
        let nanos = i32::try_from(elapsed.tv_nsec).ok()?;
        Some(SinceBoot { boot, elapsed: SignedDuration::new(elapsed.tv_sec, nanos) })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn since_boot() -> Option<super::SinceBoot> {
        None
    }
}

/// The machine's own randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the randomness of the `Context`")]
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer).map_err(|error| Error::config(format!("the system gives no randomness: {error}")))
    }
}

/// Handed first to every call that does something. Cloning it is cheap.
#[derive(Clone)]
pub struct Context {
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Context {
    /// A context with the machine's own clock and randomness.
    pub fn system(transport: Arc<dyn HttpTransport>) -> Self {
        Self::new(transport, Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// A context of parts.
    pub fn new(transport: Arc<dyn HttpTransport>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { transport, clock, random }
    }

    /// The same surroundings with another transport.
    pub fn with_transport(&self, transport: Arc<dyn HttpTransport>) -> Self {
        Self { transport, ..self.clone() }
    }

    /// The same surroundings for calls to these origins alone. Whatever is handed a token gets such a context with it.
    pub fn confined_to(&self, base_urls: &BaseUrls) -> Self {
        self.with_transport(Arc::new(Confined::to(base_urls, Arc::clone(&self.transport))))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time since the machine started, which nobody can set. `None` where the system does not tell.
    pub fn since_boot(&self) -> Option<SinceBoot> {
        self.clock.since_boot()
    }

    /// Fills the buffer with bytes nobody can guess.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn fill_random(&self, buffer: &mut [u8]) -> Result<()> {
        self.random.fill(buffer)
    }

    /// A fresh text of 256 random bits in 43 base64url characters, fit for `state` and for a PKCE verifier (RFC 7636 section 4.1).
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random_token(&self) -> Result<Secret> {
        let mut bytes = [0_u8; 32];
        self.random.fill(&mut bytes)?;
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Sends one request and notes the time before it left, from which lifetimes in the answer count.
    ///
    /// # Errors
    /// When no answer came. Any answer, whatever its status, is an answer.
    pub async fn send(&self, request: Request) -> Result<RawAnswer, TransportError> {
        let sent_at = self.now();
        match Sent::of(self.transport.send(request).await, sent_at) {
            Sent::Answered(answer) => Ok(answer),
            Sent::CutOff(_, error) | Sent::Failed(error) => Err(error),
        }
    }

    /// Like [`Context::send`], for a request whose answer exists only once: what came of a success that was cut off is handed over.
    pub async fn send_once(&self, request: Request) -> Sent {
        let sent_at = self.now();
        Sent::of(self.transport.send(request).await, sent_at)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeClock, MockClock, MockRandom};

    fn apart(later: &dyn Clock, earlier: &SinceBoot) -> Option<SignedDuration> {
        later.since_boot().unwrap().duration_since(earlier)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_says_how_long_it_is_up_and_since_which_start() {
        let first = SystemClock.since_boot().unwrap();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((first.elapsed.as_secs_f64() - uptime).abs() < 5.0, "{first:?} against {uptime}");
        assert_eq!(first.boot.len(), 36, "{first:?}");
        assert!(apart(&SystemClock, &first).unwrap() >= SignedDuration::ZERO);
    }

    #[test]
    fn time_that_passes_moves_both_clocks() {
        let (clock, hour) = (FakeClock::default(), SignedDuration::from_hours(1));
        let (wall, boot) = (clock.now(), clock.since_boot().unwrap());
        clock.advance(hour);
        assert_eq!((clock.now().duration_since(wall), apart(&clock, &boot)), (hour, Some(hour)));
    }

    #[test]
    fn setting_the_wall_clock_moves_no_other() {
        for hours in [26, -26] {
            let (clock, by) = (FakeClock::default(), SignedDuration::from_hours(hours));
            let (wall, boot) = (clock.now(), clock.since_boot().unwrap());
            clock.jump(by);
            assert_eq!((clock.now().duration_since(wall), apart(&clock, &boot)), (by, Some(SignedDuration::ZERO)));
        }
    }

    #[test]
    fn times_of_two_boots_are_not_compared() {
        let clock = FakeClock::default();
        clock.advance(SignedDuration::from_mins(5));
        let before = clock.since_boot().unwrap();
        clock.reboot();
        assert_eq!(apart(&clock, &before), None);
        assert_eq!(clock.since_boot().unwrap().elapsed, SignedDuration::ZERO);
    }

    #[test]
    fn without_randomness_there_is_no_token() {
        let mut random = MockRandom::new();
        random.expect_fill().once().returning(|_| Err(Error::config("the system gives no randomness")));
        let transport = Arc::new(crate::testing::FakeTransport::default());
        let cx = Context::new(transport, Arc::new(SystemClock), Arc::new(random));
        assert!(cx.random_token().is_err());
    }

    #[test]
    fn a_context_asks_its_clock() {
        let mut clock = MockClock::new();
        clock.expect_since_boot().once().return_const(None);
        let transport = Arc::new(crate::testing::FakeTransport::default());
        assert_eq!(Context::new(transport, Arc::new(clock), Arc::new(SystemRandom)).since_boot(), None);
    }
}

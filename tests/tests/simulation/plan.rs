//! What happens in a schedule, all of it from its seed.

use fastrand::Rng;

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

pub(crate) const NODES: usize = 2;

/// A schedule.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub seed: u64,
    pub grants: usize,
    /// Whether the store has a clock that nobody can set, as a file's has and a server's has not.
    pub boot_clock: bool,
    /// Whether the platform revokes by a live access token alone.
    pub revokes_live_tokens: bool,
    /// How long access tokens live, in seconds.
    pub life: i64,
    /// When the first access tokens end.
    pub first_expiry: i64,
    /// By how much the clock of each node is wrong.
    pub wrong_by: [i64; NODES],
    /// How often, in a thousand steps of a node, it dies there.
    pub crashes: u32,
    /// How often, in a thousand calls, the store fails.
    pub store_failures: u32,
    /// How often, in a thousand calls, the store is slow.
    pub store_delays: u32,
    /// How often, in a hundred requests, the network or the platform fails.
    pub bad_weather: u32,
    pub events: Vec<(i64, Event)>,
    /// When everything becomes well again.
    pub end: i64,
}

/// What happens at a time.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Somebody wants to use a grant, and goes away after a while, if at all.
    Call { node: usize, grant: usize, patience: Option<i64> },
    /// A node dies, and is started again after so long.
    Crash { node: usize, down: i64 },
    /// Somebody sets the clock of a node.
    Jump { node: usize, by: i64 },
    /// Somebody sets the clock of the store.
    StoreJump { by: i64 },
    /// A node does not reach the store for so long.
    Cut { node: usize, lasts: i64 },
    /// For so long the platform treats every token request the same.
    Phase { what: Phase, lasts: i64 },
    /// A connection is given up.
    Disconnect { node: usize, grant: usize },
}

/// How a platform treats everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Down,
    RefusesApp,
    AsksToWait,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let grants = rng.usize(1..=3);
        let end = rng.i64(5 * MINUTE..=20 * MINUTE);
        let boot_clock = rng.bool();
        let hot: Vec<i64> = (0..rng.usize(1..=4)).map(|_| rng.i64(0..end)).collect();
        let events = (0..rng.usize(5..=30)).map(|_| {
            let uniform = rng.i64(0..end);
            let at = match hot[rng.usize(0..hot.len())] {
                hot if rng.u8(0..10) < 7 => hot + rng.i64(0..3 * SECOND),
                _ => uniform,
            };
            (at, event(&mut rng, grants, boot_clock))
        });
        let mut events: Vec<_> = events.collect();
        events.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            grants,
            boot_clock,
            revokes_live_tokens: rng.bool(),
            life: [150, 600, 7_200][rng.usize(0..3)],
            first_expiry: rng.i64(0..5 * MINUTE),
            wrong_by: [(); NODES].map(|()| wrong_by(&mut rng)),
            crashes: [0, 0, 10, 50][rng.usize(0..4)],
            store_failures: [0, 0, 20, 100][rng.usize(0..4)],
            store_delays: [0, 10, 30][rng.usize(0..3)],
            bad_weather: [5, 30, 70][rng.usize(0..3)],
            events,
            end,
        }
    }
}

fn wrong_by(rng: &mut Rng) -> i64 {
    match rng.u8(0..4) {
        0 => rng.i64(-26 * HOUR..=26 * HOUR),
        1 => rng.i64(-2 * MINUTE..=2 * MINUTE),
        _ => 0,
    }
}

fn event(rng: &mut Rng, grants: usize, boot_clock: bool) -> Event {
    let (node, grant) = (rng.usize(0..NODES), rng.usize(0..grants));
    match rng.u8(0..100) {
        0..=63 => Event::Call { node, grant, patience: (rng.u8(0..4) == 0).then(|| rng.i64(1..5 * SECOND)) },
        64..=73 => Event::Crash { node, down: rng.i64(1..3 * MINUTE) },
        74..=79 => Event::Jump { node, by: rng.i64(-HOUR..=HOUR) },
        // A server's clock that is set forward ends a rest early: it has no other.
        80..=81 => Event::StoreJump { by: rng.i64(-HOUR..=if boot_clock { HOUR } else { 0 }) },
        82..=87 => Event::Cut { node, lasts: rng.i64(SECOND..4 * MINUTE) },
        88..=93 => Event::Phase {
            what: [Phase::Down, Phase::RefusesApp, Phase::AsksToWait][rng.usize(0..3)],
            lasts: rng.i64(SECOND..8 * MINUTE),
        },
        _ => Event::Disconnect { node, grant },
    }
}

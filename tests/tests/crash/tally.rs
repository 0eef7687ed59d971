//! What the platform counted against what is stored.

use std::collections::HashMap;
use std::fmt;

use connector_host::store::GrantState;
use http::Method;
use serde_json::Value;

use crate::arena::{Arena, Victim};
use crate::say;

/// What the platform knows.
pub(crate) struct Truth {
    /// The digest of the one refresh token of each grant that works.
    newest: HashMap<u64, String>,
    pub(crate) rotations: u64,
    pub(crate) alarms: u64,
    /// How many requests are under way.
    pub(crate) in_flight: u64,
    /// The most requests of one grant that were under way at the same time.
    pub(crate) most_in_flight: u64,
}

/// How a grant stands, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It works.
    Alive,
    /// It needs its person, because the platform has put a token in place that never arrived.
    Lost,
    /// It needs its person, and its token works: nobody's fault but ours.
    SelfInflicted,
    /// It looks as if it worked, and its token is dead.
    SilentlyDead,
    /// Nobody has settled yet whether it works.
    InDoubt,
}

/// Many grants.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) alive: usize,
    pub(crate) lost: usize,
    pub(crate) self_inflicted: usize,
    pub(crate) silently_dead: usize,
    pub(crate) in_doubt: usize,
}

impl Truth {
    pub(crate) fn of(arena: &Arena) -> Self {
        let record = arena.stage.tiktok.admin(Method::GET, "/admin/refreshes", None);
        let count = |value: &Value| value.as_u64().unwrap();
        let grants = record["grants"].as_object().unwrap();
        let newest = |asked: &Value| asked["newest"].as_str().unwrap().to_owned();
        Self {
            newest: grants.iter().map(|(grant, asked)| (grant.parse().unwrap(), newest(asked))).collect(),
            rotations: count(&record["refreshes"]),
            alarms: count(&record["reuses"]),
            in_flight: grants.values().map(|asked| count(&asked["in_flight"])).sum(),
            most_in_flight: grants.values().map(|asked| count(&asked["most_in_flight"])).max().unwrap_or(0),
        }
    }

    /// Compares one grant.
    pub(crate) fn fate(&self, arena: &Arena, victim: &Victim) -> Fate {
        let record = arena.row(victim);
        let stored = arena.rig.refresh_token(&record).unwrap();
        let works = stored.is_some_and(|token| token.digest() == self.newest[&victim.number]);
        match &record.state {
            GrantState::Active if record.refresh_mark.is_some() => Fate::InDoubt,
            GrantState::Active if works => Fate::Alive,
            GrantState::Active => Fate::SilentlyDead,
            GrantState::ReauthRequired { .. } if works => Fate::SelfInflicted,
            GrantState::ReauthRequired { reason } => {
                assert_eq!(reason, "refresh_result_lost", "{victim}");
                Fate::Lost
            }
            other => panic!("{victim} is {other:?}"),
        }
    }
}

impl Tally {
    /// Compares many grants.
    pub(crate) fn of<'a>(arena: &Arena, victims: impl IntoIterator<Item = &'a Victim>) -> Self {
        let truth = Truth::of(arena);
        let mut tally = Self::default();
        for victim in victims {
            tally.add(truth.fate(arena, victim));
        }
        tally
    }

    pub(crate) fn add(&mut self, fate: Fate) {
        *match fate {
            Fate::Alive => &mut self.alive,
            Fate::Lost => &mut self.lost,
            Fate::SelfInflicted => &mut self.self_inflicted,
            Fate::SilentlyDead => &mut self.silently_dead,
            Fate::InDoubt => &mut self.in_doubt,
        } += 1;
    }

    /// Nothing was lost that the platform had not lost, and everything is settled.
    pub(crate) fn assert(&self, alive: usize, lost: usize) {
        assert_eq!(*self, Self { alive, lost, ..Self::default() });
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alive, lost, self_inflicted, silently_dead, in_doubt } = self;
        let needs_reauth = lost + self_inflicted;
        write!(
            f,
            "alive {alive}, needs_reauth {needs_reauth}, really lost {lost}, self-inflicted {self_inflicted}, silently dead {silently_dead}, in doubt {in_doubt}"
        )
    }
}

/// Prints the numbers of a test in one line. Gives the alarms and the most requests of a grant at a time, which its test judges.
pub(crate) fn report(name: &str, arena: &Arena, tally: &Tally, more: &str) -> (u64, u64) {
    let Truth { rotations, alarms, most_in_flight, .. } = Truth::of(arena);
    say(&format!("{name}: {more}, rotations {rotations}, {tally}, max in flight {most_in_flight}, alarms {alarms}"));
    (alarms, most_in_flight)
}

//! Statuses of random catalogues, apps and grants, against the plainest way to find them.

use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;

use super::{GrantScopes, Granted, GrantedSource, Relations, Scope, ScopeSet, ScopeStatus, Wanted};

const CASES: usize = 20_000;
const SCOPES: usize = 7;

fn scope(index: usize) -> Scope {
    format!("s{index}").parse().unwrap()
}

/// Each scope has another name.
fn alias(index: usize) -> Scope {
    format!("https://auth.test/s{index}").parse().unwrap()
}

fn some(random: &mut Rng) -> Vec<usize> {
    let one_in = random.usize(1..5);
    (0..SCOPES).filter(|_| random.usize(0..one_in) == 0).collect()
}

/// Some scopes, by either name, and some that nobody knows.
fn given(random: &mut Rng) -> ScopeSet {
    let mut given: ScopeSet =
        some(random).into_iter().map(|index| if random.bool() { scope(index) } else { alias(index) }).collect();
    if random.bool() {
        given.insert("unheard.of".parse().unwrap());
    }
    given
}

/// Which scopes a person has given, walked from what was given to what that includes, until nothing is added.
fn closed(given: &ScopeSet, implied_by: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut held: BTreeSet<usize> =
        (0..SCOPES).filter(|index| given.contains(&scope(*index)) || given.contains(&alias(*index))).collect();
    loop {
        let before = held.len();
        for (index, includers) in implied_by.iter().enumerate() {
            if includers.iter().any(|includer| held.contains(includer)) {
                held.insert(index);
            }
        }
        if held.len() == before {
            return held;
        }
    }
}

#[test]
fn every_status_is_what_the_plainest_way_finds() {
    let mut random = Rng::with_seed(20_261_123);
    for case in 0..CASES {
        let implied_by: Vec<Vec<usize>> =
            (0..SCOPES).map(|_| if random.usize(0..3) == 0 { some(&mut random) } else { Vec::new() }).collect();
        let names: Vec<(Scope, Vec<Scope>, Vec<Scope>)> = (0..SCOPES)
            .map(|index| (scope(index), vec![alias(index)], implied_by[index].iter().copied().map(scope).collect()))
            .collect();
        let relations = Relations::of(names.iter().map(|(scope, names, by)| (scope, names.as_slice(), by.as_slice())));
        let (listed, pending) = (some(&mut random), some(&mut random));
        let wanted = Wanted {
            required: ScopeSet::new(),
            scopes: listed.iter().copied().map(scope).collect(),
            pending: pending.iter().filter(|index| listed.contains(index)).copied().map(scope).collect(),
            relations: Arc::new(relations),
        };
        let grant = GrantScopes {
            requested: given(&mut random),
            granted: match random.usize(0..5) {
                0 => Granted::Unknown,
                _ => Granted::Known { scopes: given(&mut random), source: GrantedSource::Token },
            },
            ever_granted: given(&mut random),
        };
        let drift = wanted.drift(&grant);
        let (asked, ever) = (closed(&grant.requested, &implied_by), closed(&grant.ever_granted, &implied_by));
        let granted = grant.granted.scopes().map(|scopes| closed(scopes, &implied_by));
        let expected = |index: usize| match &granted {
            _ if !listed.contains(&index) => ScopeStatus::NotWanted,
            _ if pending.contains(&index) => ScopeStatus::Pending,
            None => ScopeStatus::Unknown,
            Some(granted) if granted.contains(&index) => ScopeStatus::Granted,
            Some(_) if !asked.contains(&index) => ScopeStatus::NeverAsked,
            Some(_) if ever.contains(&index) => ScopeStatus::Withdrawn,
            Some(_) => ScopeStatus::NotGranted,
        };
        for index in 0..SCOPES {
            assert_eq!(wanted.status(&scope(index), &grant), expected(index), "case {case}, scope {index}");
        }
        let statuses: Vec<_> = listed.iter().map(|index| (scope(*index), expected(*index))).collect();
        let known = |extra: &&Scope| listed.iter().any(|index| **extra == scope(*index) || **extra == alias(*index));
        let extra: ScopeSet =
            grant.granted.scopes().into_iter().flatten().filter(|extra| !known(extra)).cloned().collect();
        assert_eq!((&drift.statuses, &drift.extra), (&statuses, &extra), "case {case}");
        let helps = statuses.iter().any(|(_, status)| *status == ScopeStatus::NeverAsked);
        assert_eq!(drift.reauthentication_helps(), helps, "case {case}");
    }
}

//! Statuses, fields and abilities of random catalogues, apps and grants, against the plainest way to find them.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::{GrantScopes, Granted, GrantedSource, Scope, ScopeSet, ScopeStatus, Wanted};
use crate::config::{Ability, Catalogue, ScopeEntry, Target};
use crate::testing::{FakeConnector, MockAccountMetrics};
use crate::{AbilityStatus, abilities, fields};

const CASES: usize = 20_000;
const SCOPES: usize = 7;
const ENDPOINTS: [&str; 2] = ["me", "content"];

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

/// What a platform has, an app wants and a person has said.
struct Case {
    implied_by: Vec<Vec<usize>>,
    /// The endpoints of which each scope unlocks a field.
    unlocks: Vec<Vec<&'static str>>,
    /// The scopes that name an ability.
    listing: Vec<usize>,
    listed: Vec<usize>,
    pending: Vec<usize>,
    required: Vec<usize>,
    grant: GrantScopes,
}

impl Case {
    fn new(random: &mut Rng) -> Self {
        let mut lists = |one_in| (0..SCOPES).map(|_| (random.usize(0..one_in) == 0).then(|| some(random))).collect();
        let implied_by: Vec<Option<Vec<usize>>> = lists(3);
        let endpoints = |random: &mut Rng| ENDPOINTS.into_iter().filter(|_| random.bool()).collect();
        Self {
            implied_by: implied_by.into_iter().map(Option::unwrap_or_default).collect(),
            unlocks: (0..SCOPES).map(|_| endpoints(random)).collect(),
            listing: some(random),
            listed: some(random),
            pending: some(random),
            required: some(random),
            grant: GrantScopes {
                requested: given(random),
                granted: match random.usize(0..5) {
                    0 => Granted::Unknown,
                    _ => Granted::Known { scopes: given(random), source: GrantedSource::Token },
                },
                ever_granted: given(random),
            },
        }
    }

    fn catalogue(&self) -> Catalogue {
        let entry = |index: usize| {
            let target: Target = format!("custom.test.f{index}").parse().unwrap();
            let fields = BTreeMap::from([(format!("f{index}"), target)]);
            let listing = self.listing.contains(&index).then(|| "content.list".parse().unwrap());
            ScopeEntry {
                fields: self.unlocks[index].iter().map(|endpoint| ((*endpoint).to_owned(), fields.clone())).collect(),
                aliases: vec![alias(index)],
                implied_by: self.implied_by[index].iter().copied().map(scope).collect(),
                abilities: listing.into_iter().collect(),
                ..ScopeEntry::default()
            }
        };
        Catalogue { scopes: (0..SCOPES).map(|index| (scope(index), entry(index))).collect() }
    }

    fn wanted(&self, catalogue: &Catalogue) -> Wanted {
        let of_listed =
            |some: &[usize]| some.iter().filter(|index| self.listed.contains(index)).copied().map(scope).collect();
        Wanted {
            scopes: self.listed.iter().copied().map(scope).collect(),
            pending: of_listed(&self.pending),
            required: of_listed(&self.required),
            relations: catalogue.relations().into(),
        }
    }

    /// Which scopes a person has given, walked from what was given to what that includes, until nothing is added.
    fn closed(&self, given: &ScopeSet) -> BTreeSet<usize> {
        let mut held: BTreeSet<usize> =
            (0..SCOPES).filter(|index| given.contains(&scope(*index)) || given.contains(&alias(*index))).collect();
        loop {
            let before = held.len();
            for (index, includers) in self.implied_by.iter().enumerate() {
                if includers.iter().any(|includer| held.contains(includer)) {
                    held.insert(index);
                }
            }
            if held.len() == before {
                return held;
            }
        }
    }

    fn status(&self, index: usize) -> ScopeStatus {
        let GrantScopes { requested, granted, ever_granted } = &self.grant;
        match granted.scopes() {
            _ if !self.listed.contains(&index) => ScopeStatus::NotWanted,
            _ if self.pending.contains(&index) => ScopeStatus::Pending,
            None => ScopeStatus::Unknown,
            Some(granted) if self.closed(granted).contains(&index) => ScopeStatus::Granted,
            Some(_) if !self.closed(requested).contains(&index) => ScopeStatus::NeverAsked,
            Some(_) if self.closed(ever_granted).contains(&index) => ScopeStatus::Withdrawn,
            Some(_) => ScopeStatus::NotGranted,
        }
    }

    /// Whether a call that needs a scope may be made: it is asked for, and the person gave it, or nobody knows.
    fn may_use(&self, index: usize) -> bool {
        let is_asked_for = self.listed.contains(&index) && !self.pending.contains(&index);
        is_asked_for && self.grant.granted.scopes().is_none_or(|granted| self.closed(granted).contains(&index))
    }
}

fn cases() -> impl Iterator<Item = (usize, Case)> {
    let mut random = Rng::with_seed(20_261_123);
    (0..CASES).map(move |number| (number, Case::new(&mut random)))
}

#[test]
fn every_status_is_what_the_plainest_way_finds() {
    for (number, case) in cases() {
        let (wanted, grant) = (case.wanted(&case.catalogue()), &case.grant);
        for index in 0..SCOPES {
            assert_eq!(wanted.status(&scope(index), grant), case.status(index), "case {number}, scope {index}");
        }
        let drift = wanted.drift(grant);
        let statuses: Vec<_> = case.listed.iter().map(|index| (scope(*index), case.status(*index))).collect();
        let known =
            |extra: &&Scope| case.listed.iter().any(|index| **extra == scope(*index) || **extra == alias(*index));
        let extra: ScopeSet =
            grant.granted.scopes().into_iter().flatten().filter(|extra| !known(extra)).cloned().collect();
        assert_eq!((&drift.statuses, &drift.extra), (&statuses, &extra), "case {number}");
        let helps = statuses.iter().any(|(_, status)| *status == ScopeStatus::NeverAsked);
        assert_eq!(drift.reauthentication_helps(), helps, "case {number}");
        let lacks =
            |index: &&usize| case.required.contains(index) && !case.pending.contains(index) && !case.may_use(**index);
        let lacking: Vec<Scope> = case.listed.iter().filter(lacks).copied().map(scope).collect();
        assert_eq!(
            (&drift.lacking, wanted.check_required(grant).is_ok()),
            (&lacking, lacking.is_empty()),
            "case {number}"
        );
    }
}

#[test]
fn a_call_asks_for_the_fields_that_may_be_used_and_for_no_other() {
    for (number, case) in cases() {
        let catalogue = case.catalogue();
        let wanted = case.wanted(&catalogue);
        for endpoint in ENDPOINTS {
            let asked: Vec<String> = fields(&catalogue, endpoint, &wanted, &case.grant)
                .filter(|field| field.status.is_usable())
                .map(|field| field.field.to_owned())
                .collect();
            let may = (0..SCOPES).filter(|index| case.unlocks[*index].contains(&endpoint) && case.may_use(*index));
            assert_eq!(asked, may.map(|index| format!("f{index}")).collect::<Vec<_>>(), "case {number}, {endpoint}");
        }
    }
}

#[test]
fn an_ability_is_there_where_any_scope_of_it_may_be_used() {
    let connector = FakeConnector { account_metrics: Some(MockAccountMetrics::new()), ..FakeConnector::default() };
    for (number, case) in cases() {
        let catalogue = case.catalogue();
        let found: BTreeMap<Ability, AbilityStatus> =
            abilities(&connector, &catalogue, &case.wanted(&catalogue), &case.grant).into_iter().collect();
        let counts: Vec<usize> = (0..SCOPES).filter(|index| !case.unlocks[*index].is_empty()).collect();
        let metrics = match counts.as_slice() {
            [] => None,
            any if any.iter().any(|index| case.may_use(*index)) => Some(AbilityStatus::Available),
            any => Some(AbilityStatus::NeedsScopes(any.iter().copied().map(scope).collect())),
        };
        assert_eq!(found.get(&Ability::account_metrics()), metrics.as_ref(), "case {number}");
        let listing = (!case.listing.is_empty()).then_some(AbilityStatus::NotOffered);
        assert_eq!(found.get(&"content.list".parse().unwrap()), listing.as_ref(), "the code has none: case {number}");
    }
}

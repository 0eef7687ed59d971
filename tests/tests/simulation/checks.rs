//! What must hold for every schedule, whatever went wrong in it. Each check reads what was written down and says where it does not hold.

use connector_host::store::{GrantRecord, GrantState};

use crate::ledger::{Death, Durable, Ledger, Said, Send, Verdict, Write};
use crate::plan::{MINUTE, SECOND};
use crate::world::SPACING;

/// How it ended.
pub(crate) struct Final {
    /// The rows of the grants.
    pub rows: Vec<Option<GrantRecord>>,
    /// What was not settled.
    pub unsettled: Vec<String>,
    /// How long settling took, in milliseconds.
    pub after: i64,
    /// Whether something kept requests from leaving meanwhile, such as a platform that had asked to wait.
    pub blocked: bool,
    /// Whether a token was found in what is stored.
    pub leaks: bool,
}

/// How long an attempt rests.
const REST: i64 = 2 * MINUTE;
/// A request with one token, and two more to ask what became of it.
const MOST_SENDS: usize = 3;
/// After the last fault: the requests under way, the rest, a sweep, and the request that settles it.
const SETTLED_WITHIN: i64 = 90 * SECOND + REST + 30 * SECOND + 60 * SECOND + 30 * SECOND;

/// Longer than the pause after which a host stores again what it could not.
const MOMENT: i64 = 5 * SECOND;

type Found = Vec<String>;

/// Everything that does not hold. P1, P2 and the alarms are about grants that are to live: where a platform revokes by a live access token
/// alone, a revocation may have to refresh first, and if that ends the family it has done what it was for.
pub(crate) fn violations(ledger: &Ledger, last: &Final) -> Found {
    let checks = [
        ("seen", ledger.wrong.clone()),
        ("P1", p1_one_request_in_flight(ledger)),
        ("P2", p2_a_token_is_sent_once_and_probed_twice(ledger)),
        ("P3", p3_no_token_before_it_is_durable(ledger)),
        ("P4", p4_generations_grow(ledger)),
        ("P5", p5_a_failure_moves_nothing_that_moved(ledger)),
        ("P6", p6_everything_is_settled(last)),
        ("P7", p7_nothing_outlives_a_disconnect(ledger, last)),
        ("P8", p8_what_is_called_lost_is_lost(ledger)),
        ("P9", p9_no_token_in_plain_text(last)),
        ("alive", nothing_looks_alive_and_is_dead(ledger, last)),
        ("own fault", no_access_is_lost_by_own_fault(ledger)),
        ("alarms", no_alarm_but_by_probes(ledger)),
    ];
    checks
        .into_iter()
        .flat_map(|(name, found)| found.into_iter().map(move |found| format!("{name}: {found}")))
        .collect()
}

/// P1: at most one request with one token is in flight. A grant can have two with different tokens in one case: a process that was cut off
/// from the store for longer than a token rests brings the newer one while another still probes with the older one.
pub(crate) fn p1_one_request_in_flight(ledger: &Ledger) -> Found {
    let overlap = |one: &Send, other: &Send| {
        !other.after_end
            && same_token(one, other)
            && one.over_at.is_none_or(|over| other.at < over)
            && one.at <= other.at
    };
    let pairs = ledger.sends.iter().enumerate().flat_map(|(index, one)| {
        ledger.sends.iter().skip(index + 1).filter(move |other| overlap(one, other)).map(move |other| (one, other))
    });
    pairs.map(|(one, other)| format!("{other:?} left while {one:?} was under way")).collect()
}

/// P2: a refresh token is sent once, and at most twice more to ask what became of it, each time after a rest. Requests that the platform
/// refused to look at, and said so, do not count. Nor do those that left or ended while nobody was answered: one at a time may ask whether
/// the platform is back.
pub(crate) fn p2_a_token_is_sent_once_and_probed_twice(ledger: &Ledger) -> Found {
    let mut found = Vec::new();
    for (index, send) in ledger.sends.iter().enumerate().filter(|(_, send)| !send.after_end) {
        let earlier = ledger.sends.iter().take(index).filter(|other| same_token(other, send) && may_be_spent(other));
        let earlier: Vec<_> = earlier.collect();
        if let Some(last) = earlier.last().filter(|last| send.at - last.at < SPACING) {
            found.push(format!("{send:?} left too soon after {last:?}"));
        }
        if earlier.iter().filter(|other| !other.while_down).count() >= MOST_SENDS && !send.while_down {
            found.push(format!("{send:?} is one too many"));
        }
    }
    found
}

/// P3: no access token reaches anybody before its refresh token is durable.
pub(crate) fn p3_no_token_before_it_is_durable(ledger: &Ledger) -> Found {
    ledger
        .handouts
        .iter()
        .filter(|handout| !handout.durable)
        .map(|handout| format!("access token {} of account {}", handout.token, handout.account))
        .collect()
}

/// P4: the generation only grows, and no write that was meant for another one succeeds.
pub(crate) fn p4_generations_grow(ledger: &Ledger) -> Found {
    let stale = ledger.writes.iter().filter(|write| {
        let meant_for = write.settled.map_or(write.before.generation, |(generation, _)| generation);
        let shrinks = write.after.generation < write.before.generation;
        let jumps = write.after.generation > write.before.generation + 1;
        shrinks || jumps || (write.changed && meant_for != write.before.generation)
    });
    stale.map(shown).collect()
}

/// P5: a failure never changes a row that has moved.
pub(crate) fn p5_a_failure_moves_nothing_that_moved(ledger: &Ledger) -> Found {
    let failures = ledger.writes.iter().filter(|write| {
        matches!(write.settled, Some((generation, Said::Failure)) if write.changed && generation != write.before.generation)
    });
    failures.map(shown).collect()
}

/// P6: every attempt is settled in time once nothing fails any more.
pub(crate) fn p6_everything_is_settled(last: &Final) -> Found {
    let mut found = last.unsettled.clone();
    if last.after > SETTLED_WITHIN && !last.blocked && found.is_empty() {
        found.push(format!("it took {} s", last.after / SECOND));
    }
    found
}

/// P7: after a disconnect no token is stored, and the platform was told.
pub(crate) fn p7_nothing_outlives_a_disconnect(ledger: &Ledger, last: &Final) -> Found {
    let over = |state: &GrantState| state.is_over();
    let holding = ledger.writes.iter().filter(|write| over(&write.after.state) && write.after.holds_tokens);
    let mut found: Found = holding.map(shown).collect();
    for (account, row) in last.rows.iter().enumerate() {
        let Some(row) = row.as_ref().filter(|row| over(&row.state)) else { continue };
        if row.access.is_some() || row.refresh.is_some() || row.kept_answer.is_some() {
            found.push(format!("account {account} holds tokens"));
        }
        let known = &ledger.accounts[account];
        let has_lost_an_answer = ledger.sends.iter().any(|send| send.account == account && is_lost(ledger, send));
        if known.dead.is_none() && !has_lost_an_answer {
            found.push(format!("account {account} lives on at the platform"));
        }
    }
    found
}

/// P8: what is called lost is lost: the platform has gone on to another token than ours. It may have ended the family since: an answer that
/// is stored too late, after others had to ask with the token before, brings tokens that are dead already.
///
/// The store gives a grant up without a verdict when three requests stay unanswered while others are answered. That has a word of its own,
/// which stands for nothing else.
pub(crate) fn p8_what_is_called_lost_is_lost(ledger: &Ledger) -> Found {
    let misnamed = ledger.reauths.iter().filter(|reauth| {
        let lost = reauth.reason == "refresh_result_lost";
        (lost && !reauth.rotated) || reauth.is_unanswered() != reauth.without_verdict
    });
    misnamed.map(|reauth| format!("token {}: {reauth:?}", reauth.token)).collect()
}

/// P9: no token is stored in plain text.
pub(crate) fn p9_no_token_in_plain_text(last: &Final) -> Found {
    last.leaks.then(|| "a token is stored in plain text".to_owned()).into_iter().collect()
}

/// An active grant that is not in doubt holds the token that the platform takes.
///
/// One is known to look alive until its next refresh: a node was kept from storing an answer for longer than a token rests, others asked with
/// the token before, which ended the family, and then the answer was stored all the same. Where a platform does not end families it works.
pub(crate) fn nothing_looks_alive_and_is_dead(ledger: &Ledger, last: &Final) -> Found {
    let mut found = Vec::new();
    for (account, row) in last.rows.iter().enumerate() {
        let certain = |row: &&GrantRecord| {
            row.state == GrantState::Active && row.refresh_mark.is_none() && row.kept_answer.is_none()
        };
        let Some(row) = row.as_ref().filter(certain) else { continue };
        let (ours, known) = (ledger.token_of(account, row.generation), &ledger.accounts[account]);
        let works = known.dead.is_none() && ours == Some(known.current);
        if !works && !was_stored_too_late(ledger, account, ours.unwrap_or_default()) {
            found.push(format!("account {account} holds {ours:?}, and the platform knows {known:?}"));
        }
    }
    found
}

/// No person has to come back but for an answer that was lost on its way, a node or a store that failed while it held one, or a platform
/// that leaves one grant alone unanswered.
pub(crate) fn no_access_is_lost_by_own_fault(ledger: &Ledger) -> Found {
    let mut found = Vec::new();
    for reauth in ledger.reauths.iter().filter(|reauth| !reauth.is_unanswered()) {
        let of_account = ledger.sends.iter().filter(|send| send.account == reauth.account && send.at <= reauth.at);
        if !of_account.clone().any(|send| is_lost(ledger, send)) {
            found.push(format!("{reauth:?} after {:?}", of_account.collect::<Vec<_>>()));
        }
    }
    found
}

/// A spent token is sent again only where nobody could know that it is spent.
pub(crate) fn no_alarm_but_by_probes(ledger: &Ledger) -> Found {
    let alarms = ledger.sends.iter().filter(|send| send.verdict == Some(Verdict::Alarm) && !send.after_end);
    let unexcused = alarms.filter(|alarm| {
        let earlier = |send: &&Send| send.at < alarm.over_at.unwrap_or(alarm.at);
        let mut earlier = ledger.sends.iter().filter(|send| same_token(send, alarm)).filter(earlier);
        !earlier.any(|send| send.after_end || is_lost(ledger, send))
    });
    let mut found: Found = unexcused.map(|alarm| format!("{alarm:?}")).collect();
    let killed = ledger.accounts.iter().filter(|account| account.dead == Some(Death::Reused)).count();
    let alarms = ledger.sends.iter().filter(|send| send.verdict == Some(Verdict::Alarm)).count();
    if killed > alarms {
        found.push("an account died of a reuse that nobody sent".to_owned());
    }
    found
}

fn shown(write: &Write) -> String {
    format!("account {} after {} ms: {write:?}", write.account, write.at)
}

fn same_token(one: &Send, other: &Send) -> bool {
    (one.account, one.token) == (other.account, other.token)
}

/// Whether the sender could not know that the token was left alone.
fn may_be_spent(send: &Send) -> bool {
    !(send.verdict == Some(Verdict::NotProcessed) && send.delivered.is_some())
}

/// Whether the platform gave the next token, and it was lost: on its way, with the node that held it, or because that node was kept from
/// storing it until others had to ask what became of it.
fn is_lost(ledger: &Ledger, send: &Send) -> bool {
    let until = send.at + SPACING;
    let next = |durable: &Durable| durable.token == send.token + 1 && durable.at <= until;
    if send.verdict != Some(Verdict::Rotated) || ledger.durable[send.account].iter().any(next) {
        return false;
    }
    let Some(delivered) = send.delivered.filter(|_| send.plain) else { return true };
    let died = ledger.crashes.iter().any(|(node, incarnation, at)| {
        (*node, *incarnation) == (send.node, send.incarnation) && *at >= delivered && *at <= until
    });
    died || was_kept_from_storing(ledger, send.node, delivered, until)
}

/// Whether a token was stored after others had asked with the one before it.
fn was_stored_too_late(ledger: &Ledger, account: usize, token: u32) -> bool {
    let stored = ledger.durable[account].iter().filter(|durable| durable.token == token);
    let asked =
        |send: &Send| send.account == account && send.token + 1 == token && send.verdict == Some(Verdict::Alarm);
    stored.into_iter().any(|durable| ledger.sends.iter().any(|send| asked(send) && send.at < durable.at))
}

/// Whether a node was kept from storing all this time, apart from moments.
fn was_kept_from_storing(ledger: &Ledger, node: usize, from: i64, until: i64) -> bool {
    let mut reached = from;
    for (_, begins, ends) in ledger.store_faults.iter().filter(|(of, _, _)| *of == node) {
        if *begins <= reached + MOMENT {
            reached = reached.max(*ends);
        }
    }
    reached + MOMENT >= until
}

/// What nothing shows that is broken on purpose.
mod tests {
    use super::*;
    use crate::ledger::{Handout, Reauth, Row};

    #[test]
    fn a_failure_that_changes_a_row_that_moved_is_noticed() {
        let row = |generation| Row { generation, state: GrantState::Active, holds_tokens: true };
        let write = Write {
            at: 0,
            account: 0,
            before: row(2),
            after: row(2),
            changed: true,
            settled: Some((1, Said::Failure)),
        };
        let ledger = Ledger { writes: vec![write], ..Ledger::default() };
        assert_eq!(p5_a_failure_moves_nothing_that_moved(&ledger).len(), 1);
    }

    #[test]
    fn a_token_that_is_not_durable_is_noticed() {
        let handouts = vec![Handout { account: 0, token: 2, durable: false }];
        assert_eq!(p3_no_token_before_it_is_durable(&Ledger { handouts, ..Ledger::default() }).len(), 1);
    }

    #[test]
    fn a_token_that_a_disconnect_left_is_noticed() {
        let row = |state| Row { generation: 2, state, holds_tokens: true };
        let (before, after) = (row(GrantState::Active), row(GrantState::Disconnected));
        let write = Write { at: 0, account: 0, before, after, changed: true, settled: None };
        let ledger = Ledger { writes: vec![write], ..Ledger::default() };
        let last = Final { rows: Vec::new(), unsettled: Vec::new(), after: 0, blocked: false, leaks: false };
        assert_eq!(p7_nothing_outlives_a_disconnect(&ledger, &last).len(), 1);
    }

    #[test]
    fn a_grant_that_is_called_lost_and_is_not_is_noticed() {
        let found = |reason: &str, rotated, without_verdict| {
            let reauth = Reauth { at: 0, account: 0, reason: reason.to_owned(), token: 1, rotated, without_verdict };
            p8_what_is_called_lost_is_lost(&Ledger { reauths: vec![reauth], ..Ledger::default() }).len()
        };
        assert_eq!(found("refresh_result_lost", true, false), 0);
        assert_eq!(found("refresh_result_lost", false, false), 1, "nothing was lost");
        assert_eq!(found("refresh_unanswered", false, true), 0);
        assert_eq!(found("refresh_unanswered", false, false), 1, "there was a verdict");
        assert_eq!(found("refresh_result_lost", true, true), 1, "there was no verdict");
    }

    #[test]
    fn what_is_not_settled_and_what_is_in_plain_text_is_noticed() {
        let late = SETTLED_WITHIN + 1;
        let last = Final { rows: Vec::new(), unsettled: Vec::new(), after: late, blocked: false, leaks: true };
        assert_eq!(p6_everything_is_settled(&last).len(), 1);
        assert_eq!(p9_no_token_in_plain_text(&last).len(), 1);
    }
}

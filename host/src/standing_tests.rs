use connector_core::account::Profile;
use connector_core::testing::FakeTransport;
use jiff::SignedDuration;

use super::*;
use crate::store::{ConnectionId, ConnectionRecord, GrantId, LastError, RefreshMark, RevocationId, RevocationTokens};
use crate::vault::Sealed;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn later() -> Timestamp {
    now() + SignedDuration::from_mins(2)
}

fn grant(state: GrantState) -> GrantRecord {
    GrantRecord {
        state,
        ..GrantRecord::new(
            "01a20320-a200-7000-8000-000000000001".parse::<GrantId>().unwrap(),
            "default",
            "example".parse().unwrap(),
            "default",
            "client",
            now(),
        )
    }
}

fn connected(grant: GrantRecord) -> Connected {
    let connection = ConnectionRecord {
        id: ConnectionId::new(&FakeTransport::default().context()).unwrap(),
        tenant: grant.tenant.clone(),
        reference: None,
        platform: grant.platform.clone(),
        app: grant.app.clone(),
        grant_id: grant.id.clone(),
        account_id: "-0007".to_owned(),
        profile: Profile::default(),
        created_at: now(),
        updated_at: now(),
        disconnected_at: None,
    };
    Connected { connection, grant }
}

fn health() -> AppHealth {
    AppHealth::new("example".parse().unwrap(), "default".to_owned(), "client".to_owned(), now())
}

fn revocation() -> RevocationRecord {
    let grant = grant(GrantState::Disconnecting);
    RevocationRecord {
        id: RevocationId::new(&FakeTransport::default().context()).unwrap(),
        grant_id: grant.id,
        grant_generation: 1,
        tenant: grant.tenant,
        platform: grant.platform,
        app: grant.app,
        client_id: grant.client_id,
        base_urls: grant.base_urls,
        subject: None,
        tokens: RevocationTokens { access: None, access_expires_at: None, refresh: None, refresh_expires_at: None },
        attempts: 1,
        next_try_at: later(),
        expires_at: later(),
        last_error: Some(LastError {
            at: now(),
            kind: "unavailable".to_owned(),
            message: "it is down".to_owned(),
            code: None,
            log_id: None,
        }),
        created_at: now(),
    }
}

fn needs_person(reason: &str) -> GrantRecord {
    grant(GrantState::ReauthRequired { reason: reason.to_owned() })
}

fn held(reason: &str) -> GrantRecord {
    grant(GrantState::Held { reason: reason.to_owned() })
}

#[test]
fn every_state_says_what_happened_and_what_to_do() {
    let again = "connector-host reconnect ";
    let cases = [
        (needs_person("refresh_token_rejected"), "removed the app there", again),
        (needs_person("refresh_result_lost"), "did nothing wrong", again),
        (needs_person("refresh_unanswered"), "nobody knows whether", again),
        (needs_person("refresh_token_expired"), "end of its life", again),
        (needs_person("user_revoked"), "most likely the person removed the app", again),
        (needs_person("identity_changed"), "another account", again),
        (needs_person("key_lost"), "sealed with a key that is not at hand", "put the key file back"),
        (needs_person("account_closed"), "(account_closed)", again),
        (held("imported"), "its old owner may still use", "connector-host connections adopt "),
        (held("exported"), "it was exported", "connector-host connections adopt "),
    ];
    for (grant, what, next) in cases {
        let connected = connected(grant);
        let told = told(&connected, &Around::default(), now()).unwrap();
        let shown_next = told.next.clone().unwrap();
        assert!(told.what.clone().unwrap().contains(what) && shown_next.contains(next), "{}", told.line());
        assert!(shown_next.contains(connected.connection.id.as_str()), "the command is complete: {shown_next}");
    }
}

#[test]
fn what_keeps_an_active_connection_waiting_is_said() {
    let mark = |attempt: Option<&str>| RefreshMark {
        attempt: attempt.map(str::to_owned),
        sent_at: now(),
        unanswered: u32::from(attempt.is_none()),
    };
    let with = |change: fn(&mut GrantRecord)| {
        let mut grant = grant(GrantState::Active);
        change(&mut grant);
        grant
    };
    let mut in_doubt = grant(GrantState::Active);
    in_doubt.refresh_mark = Some(mark(None));
    let mut under_way = grant(GrantState::Active);
    under_way.refresh_mark = Some(mark(Some("a")));
    let resting = || Around { rests_until: Some(later()), ..Around::default() };
    let rested = || Around { rests_until: Some(now()), ..Around::default() };
    let cases = [
        (
            in_doubt.clone(),
            resting(),
            "was not answered, so the token may be spent; the next try is at 2026-11-22T12:02:00Z",
        ),
        (in_doubt, rested(), "the next command that needs it tries again"),
        (under_way.clone(), resting(), "a refresh is under way"),
        (under_way, rested(), "an earlier refresh was not answered"),
        (with(|grant| grant.kept_answer = Some(Sealed::from_stored(vec![1]))), resting(), "is kept, sealed"),
        (with(|grant| grant.parked_until = Some(later())), rested(), "is not repeated before 2026-11-22T12:02:00Z"),
    ];
    for (grant, around, what) in cases {
        let line = told(&connected(grant), &around, now()).unwrap().line();
        assert!(line.contains(what), "{line}");
    }
    assert_eq!(told(&connected(with(|grant| grant.parked_until = Some(now()))), &rested(), now()), None);
    assert_eq!(told(&connected(grant(GrantState::Active)), &Around::default(), now()), None);
}

#[test]
fn an_app_that_the_platform_treats_badly_is_said() {
    let (refused, waiting) = (health().refused("old".to_owned(), now()), health().asked_to_wait(None, now()));
    let down = (0..3).fold(health(), |health, _| health.failed(now()));
    let cases = [
        (&refused, true, "refused", "refused the id and secret of the app `default`"),
        (&down, false, "no_answer", "answered no token request"),
        (&waiting, false, "asked_to_wait", "the next try is at 2026-11-22T12:00:30Z"),
    ];
    for (health, refused, word, what) in cases {
        let trouble = Trouble { health, refused };
        assert_eq!(trouble.as_str(), word);
        let around = Around { app: Some(trouble), ..Around::default() };
        let line = told(&connected(grant(GrantState::Active)), &around, now()).unwrap().line();
        assert!(line.contains(what), "{line}");
    }
    let failed_once = health().failed(now());
    assert_eq!(Trouble { health: &failed_once, refused: false }.told(), None, "it keeps nobody from anything");
}

#[test]
fn a_pending_revocation_says_when_it_is_tried_again() {
    let mut connected = connected(grant(GrantState::Disconnecting));
    connected.connection.disconnected_at = Some(now());
    let around = Around { revocation: Some(revocation()), ..Around::default() };
    let line = told(&connected, &around, now()).unwrap().line();
    assert!(line.contains("(it is down); the next try is at 2026-11-22T12:02:00Z"), "{line}");
    connected.grant.state = GrantState::Disconnected;
    assert_eq!(told(&connected, &around, now()), None);
}

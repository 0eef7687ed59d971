//! What is due is refreshed, nothing else is, and never too much at a time.
//!
//! `DUE=10000` makes the crowds that are due that large.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

mod bench;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connector_core::testing::size;
use connector_host::Host;
use connector_host::keeper::{Event, Keep, Kept, Rounds, Tally};
use connector_host::store::GrantState;
use connector_host::testing::{Example, TENANT};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use self::bench::{Bench, REFRESH_LIFE, Wrong, example};

fn fresh() -> Example {
    Example { keep_fresh: true, ..example() }
}

fn counts(tally: &Tally) -> Vec<(Kept, u64)> {
    Kept::ALL.into_iter().map(|kept| (kept, tally.count(kept))).filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn for_thirty_days_each_access_token_is_refreshed_once_and_no_call_has_an_expired_one() {
    let bench = Bench::new(fresh()).await;
    let grant = bench.grant().await;
    let began = bench.host.context().now();
    let step = SignedDuration::from_mins(15);
    for _ in 0..30 * 24 * 4 {
        bench.clock.advance(step);
        bench.pass().await;
        let before = bench.server.requests().len();
        let session = bench.host.session(TENANT, &grant).await.unwrap();
        assert!(bench.server.takes(session.grant.tokens.access.expose()), "the token of a call works");
        assert_eq!(bench.server.requests().len(), before, "no call has to wait for a refresh");
    }
    let requests = bench.server.requests();
    assert_eq!(requests.len(), 30 * 16, "a token of 120 minutes is refreshed after 90");
    let times = std::iter::once(began).chain(requests).collect::<Vec<_>>();
    for pair in times.windows(2) {
        assert_eq!(pair[1].duration_since(pair[0]), SignedDuration::from_mins(90));
    }
    assert_eq!(bench.server.reuses(), 0);
}

#[tokio::test]
async fn access_nobody_uses_is_kept_alive_with_as_few_refreshes_as_that_takes() {
    let bench = Bench::new(example()).await;
    let grant = bench.grant().await;
    let began = bench.host.context().now();
    for _ in 0..400 * 4 {
        bench.clock.advance(SignedDuration::from_hours(6));
        bench.pass().await;
    }
    let days: Vec<i64> = bench.server.requests().iter().map(|at| at.duration_since(began).as_hours() / 24).collect();
    assert_eq!(days, [135, 270], "a token of 180 days is refreshed after 135");
    assert_eq!(bench.read(&grant).await.state, GrantState::Active);
}

#[tokio::test]
async fn what_is_fresh_is_never_rotated() {
    for example in [example(), fresh()] {
        let bench = Bench::new(example).await;
        bench.grant().await;
        for _ in 0..3 {
            assert_eq!(bench.pass().await, Tally::default());
        }
        assert!(bench.server.requests().is_empty());
    }
}

#[tokio::test]
async fn a_doubt_is_settled_by_the_first_pass_that_may_ask() {
    let bench = Bench::new(example()).await;
    bench.due(1).await;
    bench.server.next([Wrong::Unanswered]);
    assert_eq!(counts(&bench.pass().await), [(Kept::InDoubt, 1)]);
    bench.clock.advance(SignedDuration::from_secs(119));
    assert_eq!(bench.pass().await, Tally::default(), "the platform may still be at it");
    bench.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(counts(&bench.pass().await), [(Kept::Refreshed, 1)]);
    assert_eq!(bench.server.requests().len(), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_keeps_no_doubt_from_being_settled() {
    let bench = Bench::new(example()).await;
    bench.due(1).await;
    bench.server.next([Wrong::Unanswered]);
    assert_eq!(counts(&bench.pass().await), [(Kept::InDoubt, 1)]);
    bench.clock.jump(-SignedDuration::from_hours(26));
    assert_eq!(counts(&bench.pass().await), [(Kept::Resting, 1)], "no time has passed");
    bench.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(counts(&bench.pass().await), [(Kept::Refreshed, 1)]);
    assert_eq!((bench.server.requests().len(), bench.server.reuses()), (2, 0));
}

#[tokio::test]
async fn a_rest_that_begins_anew_because_the_clock_was_set_back_is_no_new_doubt() {
    let bench = Bench::new(example()).await;
    bench.due(1).await;
    bench.server.next([Wrong::Unanswered]);
    bench.pass().await;
    bench.clock.reboot();
    bench.clock.jump(-SignedDuration::from_hours(26));
    assert_eq!(counts(&bench.pass().await), [(Kept::Resting, 1)], "nothing was sent");
    bench.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(counts(&bench.pass().await), [(Kept::Refreshed, 1)]);
}

#[tokio::test]
async fn nothing_is_done_in_a_store_that_is_another_installations() {
    let bench = Bench::new(example()).await;
    let grants = bench.due(3).await;
    bench.installation.adopted_elsewhere().await.unwrap();
    let error = bench.host.keep(&Keep::default()).await.unwrap_err();
    assert!(error.to_string().contains("belongs to the instance `elsewhere`"), "{error}");
    assert!(bench.server.requests().is_empty());
    assert_eq!(bench.read(&grants[0]).await.state, GrantState::Active);
}

#[tokio::test]
async fn a_store_that_becomes_anothers_during_a_pass_is_said_to_be_and_no_app_is_blamed() {
    let bench = Bench::new(example()).await;
    bench.due(3).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let watch = move |event: &Event<'_>| {
        if let Event::Done { kept, .. } = event {
            heard.lock().unwrap().push(*kept);
        }
    };
    bench.server.shut();
    let keep = Keep { max_in_flight: NonZeroUsize::MIN, watch: Arc::new(watch), ..Keep::default() };
    let host = bench.host.clone();
    let pass = tokio::spawn(async move { host.keep(&keep).await });
    wait_for(|| bench.server.in_flight() == 1).await;
    bench.installation.adopted_elsewhere().await.unwrap();
    bench.server.open();
    let error = pass.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("belongs to the instance `elsewhere`"), "{error}");
    assert_eq!(*told.lock().unwrap(), [Kept::Refreshed, Kept::NotOurs, Kept::NotOurs]);
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn keys_that_are_missing_are_no_fault_of_the_app() {
    let bench = Bench::new(example()).await;
    bench.due(2).await;
    let host = bench.with_other_keys().await;
    assert_eq!(counts(&host.keep(&Keep::default()).await.unwrap()), [(Kept::KeyTrouble, 2)]);
    assert!(bench.server.requests().is_empty());
}

#[tokio::test]
async fn grants_of_an_app_that_is_gone_keep_nobody_waiting() {
    let bench = Bench::new(example()).await;
    for (app, client_id) in [("gone", "id-1"), ("default", "another")] {
        for _ in 0..20 {
            bench.grant_of(app, client_id).await;
        }
    }
    bench.clock.advance(SignedDuration::from_secs(1));
    let grants = bench.due(1).await;
    let said = Arc::new(AtomicUsize::new(0));
    let errors = Arc::clone(&said);
    let watch = move |event: &Event<'_>| {
        if let Event::Done { error: Some(_), .. } = event {
            errors.fetch_add(1, Ordering::SeqCst);
        }
    };
    let keep = Keep { max_per_second: NonZeroU32::new(1), watch: Arc::new(watch), ..Keep::default() };
    let began = std::time::Instant::now();
    assert_eq!(counts(&bench.host.keep(&keep).await.unwrap()), [(Kept::Refreshed, 1), (Kept::AppRefused, 40)]);
    assert!(began.elapsed() < Duration::from_secs(20), "none of them takes a turn of the pace: {:?}", began.elapsed());
    assert_eq!(said.load(Ordering::SeqCst), 2, "each app says once what is wrong with it");
    assert_eq!(bench.read(&grants[0]).await.generation, 2);
}

#[tokio::test]
async fn a_revocation_that_is_still_pending_is_counted() {
    let bench = Bench::new(example()).await;
    bench.revocation_of_an_app_that_is_gone().await;
    let tally = bench.pass().await;
    assert_eq!((tally.total(), tally.revocations, tally.revocations_left), (0, 1, 1));
}

#[tokio::test]
async fn every_outcome_is_counted_as_what_it_is() {
    let bench = Bench::new(example()).await;
    let grants = bench.due(1).await;
    bench.server.next([Wrong::NotSent, Wrong::TooMany]);
    assert_eq!(counts(&bench.pass().await), [(Kept::OutOfReach, 1)]);
    assert_eq!(counts(&bench.pass().await), [(Kept::Resting, 1)]);
    bench.clock.advance(REFRESH_LIFE);
    bench.server.next([Wrong::Unanswered]);
    assert_eq!(counts(&bench.pass().await), [(Kept::InDoubt, 1)]);
    assert_eq!(bench.read(&grants[0]).await.state, GrantState::Active);
}

#[tokio::test]
async fn a_grant_whose_person_is_needed_is_asked_for_once() {
    let bench = Bench::new(example()).await;
    let grant = bench.grant().await;
    let other = bench.another(fresh()).await;
    bench.clock.advance(SignedDuration::from_mins(90));
    assert!(bench.host.keep(&Keep::default()).await.unwrap() == Tally::default());
    assert_eq!(counts(&other.keep(&Keep::default()).await.unwrap()), [(Kept::Refreshed, 1)]);
    bench.server.forget(&grant);
    bench.clock.advance(REFRESH_LIFE);
    assert_eq!(counts(&bench.pass().await), [(Kept::NeedsPerson, 1)]);
    assert!(matches!(bench.read(&grant).await.state, GrantState::ReauthRequired { .. }));
    assert_eq!(bench.pass().await, Tally::default());
}

#[tokio::test]
async fn a_refused_app_is_asked_for_once_and_no_grant_suffers() {
    let bench = Bench::new(example()).await;
    let grants = bench.due(60).await;
    bench.server.refuse_app(true);
    assert_eq!(counts(&bench.pass().await), [(Kept::AppRefused, 60)]);
    let asked = bench.server.requests().len();
    assert!(asked <= Keep::MAX_IN_FLIGHT.get(), "{asked} requests for an app that is refused");
    bench.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(counts(&bench.pass().await), [(Kept::AppRefused, 60)]);
    assert_eq!(bench.server.requests().len(), asked, "one request in a minute");
    for grant in &grants {
        assert_eq!(bench.read(grant).await.state, GrantState::Active);
    }
    bench.server.refuse_app(false);
    bench.clock.advance(SignedDuration::from_secs(1));
    // The first one shows that the app is well again.
    bench.pass().await;
    bench.clock.advance(SignedDuration::from_mins(2));
    bench.pass().await;
    for grant in &grants {
        assert_eq!(bench.read(grant).await.generation, 2, "all recover by themselves");
    }
    assert_eq!(bench.server.reuses(), 0);
}

#[tokio::test]
async fn where_a_refresh_brings_nothing_none_is_sent_and_no_grant_ends_before_its_time() {
    for (class, has_token, keep_fresh) in
        [("non_rotating", true, false), ("none", true, true), ("rotating_strict", false, true)]
    {
        let bench = Bench::new(Example { keep_fresh, refresh: class, ..example() }).await;
        let grant = bench.grant_with(has_token).await;
        bench.clock.advance(SignedDuration::from_mins(100));
        bench.pass().await;
        bench.clock.advance(SignedDuration::from_hours(24 * 170));
        bench.pass().await;
        assert_eq!(bench.server.requests().len(), 0, "{class}");
        assert_eq!(bench.read(&grant).await.state, GrantState::Active, "{class}");
    }
}

#[tokio::test]
async fn an_access_token_that_stays_fresh_by_a_token_that_stays_the_same_is_kept_so_if_asked_for() {
    let bench = Bench::new(Example { refresh: "non_rotating", ..fresh() }).await;
    bench.grant().await;
    bench.clock.advance(SignedDuration::from_mins(90));
    assert_eq!(counts(&bench.pass().await), [(Kept::Refreshed, 1)]);
}

#[tokio::test]
async fn an_answer_nobody_could_read_is_read_by_the_pass_of_a_host_that_can() {
    let bench = Bench::new(Example { access_token: "/somewhere/else", ..example() }).await;
    let grants = bench.due(1).await;
    assert_eq!(counts(&bench.pass().await), [(Kept::Failed, 1)]);
    assert!(bench.read(&grants[0]).await.kept_answer.is_some());
    assert_eq!(counts(&bench.pass().await), [(Kept::Failed, 1)], "the same version reads no more in it");
    let newer = bench.another(example()).await;
    assert_eq!(counts(&newer.keep(&Keep::default()).await.unwrap()), [(Kept::Refreshed, 1)]);
    assert_eq!(bench.read(&grants[0]).await.generation, 2);
    assert_eq!(bench.server.requests().len(), 1);
}

/// All of so many due grants are refreshed once, and never more at a time than allowed.
async fn a_crowd(count: usize) {
    let bench = Bench::new(example()).await;
    bench.due(count).await;
    bench.server.shut();
    let (host, keep) = (bench.host.clone(), Keep::default());
    let pass = tokio::spawn(async move { host.keep(&keep).await });
    wait_for(|| bench.server.in_flight() == Keep::MAX_IN_FLIGHT.get()).await;
    bench.server.open();
    assert_eq!(counts(&pass.await.unwrap().unwrap()), [(Kept::Refreshed, count as u64)]);
    assert_eq!((bench.server.requests().len(), bench.server.reuses()), (count, 0));
    assert_eq!(bench.server.most_in_flight.load(Ordering::SeqCst), Keep::MAX_IN_FLIGHT.get());
    assert_eq!(bench.pass().await, Tally::default(), "all are fresh");
}

#[tokio::test]
async fn a_thousand_due_grants_are_refreshed_a_few_at_a_time() {
    a_crowd(size("DUE", 1_000)).await;
}

#[tokio::test]
async fn two_hosts_at_the_same_time_send_once_for_each_grant() {
    let bench = Bench::new(example()).await;
    bench.due(100).await;
    let other = bench.another(example()).await;
    let keep = Keep::default();
    let (one, two) = tokio::join!(bench.host.keep(&keep), other.keep(&keep));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.count(Kept::Refreshed) + two.count(Kept::Refreshed), 100);
    assert_eq!((bench.server.requests().len(), bench.server.reuses()), (100, 0));
}

#[tokio::test]
async fn a_pass_that_is_stopped_begins_nothing_more_and_waits_for_what_it_began() {
    let bench = Bench::new(example()).await;
    let grants = bench.due(40).await;
    bench.server.shut();
    let stop = CancellationToken::new();
    let keep = Keep { max_in_flight: NonZeroUsize::new(3).unwrap(), stop: stop.clone(), ..Keep::default() };
    let pass = tokio::spawn(keep_on(bench.host.clone(), keep));
    wait_for(|| bench.server.in_flight() == 3).await;
    stop.cancel();
    bench.server.open();
    pass.await.unwrap();
    assert_eq!(bench.server.requests().len(), 3);
    let mut refreshed = 0;
    for grant in &grants {
        let grant = bench.read(grant).await;
        assert!(grant.refresh_mark.is_none(), "nothing is left in doubt");
        refreshed += grant.generation - 1;
    }
    assert_eq!(refreshed, 3);
}

async fn keep_on(host: Host, keep: Keep) {
    host.keep_on(Rounds { every: Duration::from_millis(1) }, &keep).await;
}

/// The time of the runtime stands still while there is work, so what is measured is the pace alone.
#[tokio::test(start_paused = true)]
async fn no_more_refreshes_begin_in_a_second_than_allowed_and_all_are_through_in_time() {
    const RATE: u32 = 50;
    let (bench, count) = (Bench::in_memory(example()), size("DUE", 1_000));
    bench.due(count).await;
    let keep = Keep { max_per_second: NonZeroU32::new(RATE), ..Keep::default() };
    let before = tokio::time::Instant::now();
    assert_eq!(counts(&bench.host.keep(&keep).await.unwrap()), [(Kept::Refreshed, count as u64)]);
    let took = before.elapsed();
    assert!(took <= Duration::from_secs(count as u64) * 11 / 10 / RATE, "{count} at {RATE} a second took {took:?}");
    let begun = bench.server.begun();
    assert_eq!(begun.len(), count);
    for second in begun.windows(RATE as usize + 1) {
        let took = second[RATE as usize] - second[0];
        assert!(took >= Duration::from_secs(1), "{} began within {took:?}", RATE + 1);
    }
    assert!(bench.server.most_in_flight.load(Ordering::SeqCst) <= Keep::MAX_IN_FLIGHT.get());
    assert_eq!((bench.pass().await, bench.server.reuses()), (Tally::default(), 0), "all are fresh");
}

#[tokio::test]
async fn a_caller_and_a_pass_share_one_refresh() {
    let bench = Arc::new(Bench::new(example()).await);
    let grants = bench.due(1).await;
    bench.server.shut();
    let (host, grant) = (bench.host.clone(), grants[0].clone());
    let caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
    wait_for(|| bench.server.in_flight() == 1).await;
    let host = bench.host.clone();
    let pass = tokio::spawn(async move { host.keep(&Keep::default()).await });
    bench.server.open();
    caller.await.unwrap().unwrap();
    pass.await.unwrap().unwrap();
    assert_eq!(bench.server.requests().len(), 1);
}

/// Lets the others work until it is so.
async fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_configuration_is_followed_by_a_pass_at_once_and_ends_no_refresh() {
    let bench = Bench::new(example()).await;
    let grant = bench.grant().await;
    bench.clock.advance(SignedDuration::from_mins(91));
    assert_eq!(bench.pass().await, Tally::default(), "nobody wants it fresh");

    let stop = CancellationToken::new();
    let keep = Keep { stop: stop.clone(), ..Keep::default() };
    let elsewhere = tempfile::tempdir().unwrap();
    let (host, settings) = (bench.host.clone(), fresh().settings_in(elsewhere.path()).unwrap());
    let keeping = tokio::spawn(async move { host.keep_on(Rounds { every: Duration::from_hours(1) }, &keep).await });
    bench.server.shut();
    bench.host.reconfigure(settings);
    let began = std::time::Instant::now();
    while bench.server.in_flight() == 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "the pass begins at once");
        tokio::task::yield_now().await;
    }
    bench.host.reconfigure(connector_core::config::Settings::default());
    assert!(bench.host.platforms().is_empty());
    bench.server.open();
    while bench.read(&grant).await.generation == 1 {
        assert!(began.elapsed() < Duration::from_mins(1), "what had begun goes on");
    }
    stop.cancel();
    keeping.await.unwrap();
    assert_eq!(bench.server.reuses(), 0);
}

#[tokio::test]
async fn credentials_that_another_configuration_brings_are_tried_at_once() {
    let bench = Bench::new(example()).await;
    bench.due(1).await;
    bench.server.refuse_app(true);
    assert_eq!(counts(&bench.pass().await), [(Kept::AppRefused, 1)]);
    bench.server.refuse_app(false);
    assert_eq!(counts(&bench.pass().await), [(Kept::AppRefused, 1)], "those that were refused wait");
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = example().settings_in(elsewhere.path()).unwrap();
    std::fs::write(elsewhere.path().join("secret"), "another").unwrap();
    bench.host.reconfigure(settings);
    assert_eq!(counts(&bench.pass().await), [(Kept::Refreshed, 1)]);
}

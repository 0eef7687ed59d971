//! What an emulator says of itself.

use std::collections::BTreeSet;

use connector_core::http::{Policy, Request};
use connector_core::{AppKind, Scope};
use http::Method;

use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::{Check, Verdict, offered, wait};

pub(crate) const CHECKS: &[Check] = &[
    ("has_an_emulator_on_loopback_for_all_its_base_urls", |subject| wait(loopback(subject))),
    ("has_an_emulator_with_an_app_of_every_kind", |subject| wait(apps(subject))),
    ("has_an_emulator_that_says_what_it_is", |subject| wait(home(subject))),
    ("has_a_tour_that_can_be_played", |subject| wait(tour(subject))),
];

async fn loopback(subject: &Subject) -> Verdict {
    let info = Stage::open(subject).await?.running.info.clone();
    assert_eq!((info.origin.scheme(), info.origin.host_str()), ("http", Some("127.0.0.1")));
    let names = |urls: &connector_core::grant::BaseUrls| urls.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&info.base_urls), names(&subject.linked.protocol().base_urls), "each base URL has its stand-in");
    for (name, url) in &info.base_urls {
        assert_eq!((url.scheme(), url.host_str()), ("http", Some("127.0.0.1")), "{name}");
    }
    Ok(())
}

async fn apps(subject: &Subject) -> Verdict {
    let info = Stage::open(subject).await?.running.info.clone();
    for kind in [AppKind::Desktop, AppKind::Web].into_iter().filter(|kind| subject.redirect_rule(*kind).is_some()) {
        let app = info.apps.iter().find(|app| app.kind == kind).ok_or_else(|| format!("no app of the kind {kind}"))?;
        assert!(!app.client_id.is_empty() && !app.client_secret.is_empty(), "{}", app.name);
    }
    assert!(!info.people.is_empty(), "nobody has an account there");
    Ok(())
}

async fn home(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let answer = stage.cx.send(Request::new(Method::GET, stage.running.info.origin.clone(), Policy::READ)).await?;
    assert_eq!(answer.status, 200);
    let page = String::from_utf8_lossy(&answer.body).to_lowercase();
    assert!(page.contains("emulator") && page.contains(&subject.linked.name().to_lowercase()), "{page}");
    Ok(())
}

async fn tour(subject: &Subject) -> Verdict {
    let stage = Stage::open(subject).await?;
    let tour = offered(stage.emulator.tour(), "its emulator has no tour")?;
    let wanted: BTreeSet<Scope> = subject.app().wanted.requested().into_iter().collect();
    let narrow: BTreeSet<Scope> = tour.narrow_scopes.iter().cloned().collect();
    assert!(
        narrow.is_subset(&wanted) && narrow.len() < wanted.len(),
        "the tour begins with a part of what the app asks for"
    );
    let here: BTreeSet<&str> = stage.running.info.people.iter().map(|person| person.name.as_str()).collect();
    assert!(!tour.people.is_empty(), "the tour has nobody in it");
    for person in &tour.people {
        assert!(here.contains(person.name.as_str()), "{} has no account there", person.name);
        assert!(
            person.unticked.iter().all(|scope| wanted.contains(scope)),
            "{} unticks what is not asked for",
            person.name
        );
    }
    Ok(())
}

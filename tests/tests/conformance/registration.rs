//! What a connector says of itself, and what the configuration says of its platform.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use connector_core::config::Target;
use connector_core::{Clock, PlatformId, Registry, SystemClock};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use libtest_mimic::Failed;

use crate::subject::Subject;
use crate::verdict::{Check, Stop, Verdict};

pub(crate) const CHECKS: &[Check] = &[
    ("has_a_legal_id_and_a_name", identity),
    ("has_documentation_over_https", documentation),
    ("was_verified_on_a_day_that_has_been", verified),
    ("has_a_readme_in_its_folder", readme),
    ("is_configured_with_scopes_it_can_ask_for", configured),
    ("has_a_catalogue_of_endpoints_it_describes", catalogue),
    ("offers_the_metrics_of_its_catalogue", offers),
    ("has_a_checklist_for_the_portal", portal),
];

/// The folder of the connectors.
fn connectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors")
}

/// A crate that is not linked here would pass every check.
pub(crate) fn every_crate_is_linked() -> Result<(), Failed> {
    let linked: BTreeSet<&str> = Registry::linked()?.iter().map(connector_core::Linked::package).collect();
    for entry in std::fs::read_dir(connectors())? {
        let folder = entry?;
        let package = format!("connector-{}", folder.file_name().to_string_lossy());
        if folder.path().join("Cargo.toml").exists() && !linked.contains(package.as_str()) {
            return Err(format!(
                "{package} is not linked: name it in tests/Cargo.toml and in tests/tests/conformance/main.rs"
            )
            .into());
        }
    }
    if linked.is_empty() { Err("no connector is linked".into()) } else { Ok(()) }
}

fn identity(subject: &Subject) -> Verdict {
    let linked = &subject.linked;
    assert_eq!(linked.id().as_str().parse::<PlatformId>()?, *linked.id());
    assert!(!linked.name().trim().is_empty(), "the name is empty");
    assert!(!linked.package().is_empty(), "the package is empty");
    Ok(())
}

fn documentation(subject: &Subject) -> Verdict {
    let docs_url = subject.linked.protocol().docs_url.as_deref().ok_or("platform.toml has no docs_url")?;
    assert!(docs_url.starts_with("https://"), "docs_url = {docs_url:?}");
    Ok(())
}

fn verified(subject: &Subject) -> Verdict {
    let day: Date = subject.linked.protocol().verified_on.parse()?;
    let today = SystemClock.now().to_zoned(TimeZone::UTC).date();
    assert!(day <= today, "verified_on = {day} lies ahead of {today}");
    Ok(())
}

fn readme(subject: &Subject) -> Verdict {
    let folder = connectors().join(subject.linked.id().as_str());
    if subject.linked.package() == env!("CARGO_PKG_NAME") {
        return Err(Stop::Skipped("it has no package of its own: it lives in the tests"));
    }
    assert_eq!(
        subject.linked.package(),
        format!("connector-{}", subject.linked.id()),
        "the package is named after the platform"
    );
    for file in ["README.md", "platform.toml", "Cargo.toml"] {
        assert!(folder.join(file).exists(), "connectors/{}/{file} is missing", subject.linked.id());
    }
    Ok(())
}

fn configured(subject: &Subject) -> Verdict {
    let app = subject.app();
    assert!(!app.wanted.requested().is_empty(), "the app `default` asks for nothing");
    subject.redirect_uri(app.kind).map(drop)
}

fn catalogue(subject: &Subject) -> Verdict {
    for (scope, entry) in &subject.settings.catalogue.scopes {
        assert!(!entry.description.is_empty(), "{scope} has no description");
        for endpoint in entry.fields.keys() {
            subject.linked.protocol().endpoint(endpoint).map_err(|error| error.context(scope))?;
        }
    }
    Ok(())
}

fn offers(subject: &Subject) -> Verdict {
    let offered: BTreeSet<String> = subject.metrics()?.offered().iter().map(ToString::to_string).collect();
    assert!(!offered.is_empty(), "it has metrics and offers none");
    let targets =
        subject.settings.catalogue.fields(subject.metrics_endpoint()?).filter_map(|(.., target)| match target {
            Target::Metric(name) | Target::Custom(name) => Some(name.to_string()),
            Target::Profile(_) => None,
        });
    assert_eq!(offered, targets.collect());
    Ok(())
}

fn portal(subject: &Subject) -> Verdict {
    let portal = &subject.linked.protocol().portal;
    let url = portal.url.as_deref().ok_or("platform.toml names no portal")?;
    assert!(url.starts_with("https://"), "portal.url = {url:?}");
    let steps = portal.steps.concat();
    for what in ["{redirect_uri}", "{scopes}", "{client_id}"] {
        assert!(steps.contains(what), "no step of the portal names {what}");
    }
    Ok(())
}

//! Whether platforms are configured, and how old the facts about them are.

use connector_core::Linked;
use connector_core::config::Config;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Finding, Installation, Kind};

/// After so many days somebody should look whether the platform has changed.
const FACTS_LAST_DAYS: i32 = 180;

pub(super) fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    let today = TimeZone::UTC.to_datetime(installation.cx.now()).date();
    let is_used =
        |linked: &Linked| config.settings.platforms.get(linked.id()).is_some_and(|platform| !platform.apps.is_empty());
    let (used, unused): (Vec<&Linked>, Vec<&Linked>) = installation.registry.iter().partition(|linked| is_used(linked));
    let unused = unused.into_iter().map(|linked| not_configured(installation, linked));
    unused.chain(used.into_iter().filter_map(|linked| old(linked, today))).collect()
}

fn not_configured(installation: &Installation, linked: &Linked) -> Finding {
    let what = format!("{} has no app in the configuration", linked.name());
    let init = installation.command(&format!("init {}", linked.id()));
    let fix = format!("to use it, put what `{init}` prints into a configuration file");
    Finding::new(Kind::PlatformNotConfigured, what, fix).of_platform(linked.id())
}

fn old(linked: &Linked, today: Date) -> Option<Finding> {
    let facts = linked.protocol();
    let days = age(&facts.verified_on, today).filter(|days| *days > FACTS_LAST_DAYS)?;
    let what = format!(
        "what this program knows of {} was last compared with its documentation on {}, {days} days ago",
        linked.name(),
        facts.verified_on
    );
    let docs = facts.docs_url.as_deref().unwrap_or("the platform's documentation");
    let fix = format!(
        "update connector-host; or compare the platform file of {} with {docs}, and set `verified_on` in it",
        linked.package()
    );
    Some(Finding::new(Kind::FactsOld, what, fix).of_platform(linked.id()))
}

/// The days since a date; `None` where it is none.
fn age(verified_on: &str, today: Date) -> Option<i32> {
    let day: Date = verified_on.parse().ok()?;
    today.since(day).ok().map(|span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_facts_is_counted_in_days_across_months() {
        let today: Date = "2027-06-01".parse().unwrap();
        assert_eq!(age("2026-11-22", today), Some(191));
        assert_eq!(age("2027-06-01", today), Some(0));
        assert_eq!(age("soon", today), None);
    }
}

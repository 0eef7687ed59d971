//! The figures. Labels name platforms and apps, never a tenant, an account or a connection.

use jiff::{SignedDuration, Timestamp};

use super::openmetrics::{Kind, Text, seconds, unix};
use super::{Told, in_time};
use crate::host::Host;
use crate::reload::Counts;
use crate::store::{AppHealth, Result, StateCount};

/// What the store knows.
struct Stored {
    connections: Vec<StateCount>,
    doubts: u64,
    kept_answers: usize,
    health: Vec<AppHealth>,
}

/// All figures as text.
pub(super) async fn text(told: &Told) -> String {
    let now = told.host.context().now();
    let mut text = Text::default();
    process(&mut text, told);
    configuration(&mut text, &told.reloader.counts());
    refreshes(&mut text, told, now);
    let stored = in_time(Stored::read(&told.host)).await.and_then(|read| read.map_err(|error| error.to_string()));
    text.family("connector_host_store_up", Kind::Gauge, "Whether the store can be read").flag(&[], stored.is_ok());
    match stored {
        Ok(stored) => stored.write(&mut text, &told.host, now),
        Err(error) => tracing::warn!(%error, "the figures of the store cannot be told"),
    }
    text.end()
}

fn process(text: &mut Text, told: &Told) {
    text.family("connector_host_build", Kind::Info, "The version of the program")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("process_start_time_seconds", Kind::Gauge, "When the process started, since 1970")
        .sample(&[], unix(told.board.started));
    text.family("connector_host_unsaved_answers", Kind::Gauge, "Answers of platforms that the store has not taken yet")
        .sample(&[], told.host.unsaved());
}

fn configuration(text: &mut Text, counts: &Counts) {
    let help = "Readings of the configuration that brought news, by what came of them";
    let mut family = text.family("connector_host_config_reloads", Kind::Counter, help);
    for (outcome, count) in &counts.outcomes {
        family.sample(&[("outcome", outcome.as_str())], count);
    }
    let help = "When the configuration was found right last, since 1970";
    text.family("connector_host_config_last_success_time_seconds", Kind::Gauge, help)
        .sample(&[], unix(counts.last_success));
    let help = "Whether what is in the files now is refused, so that an earlier configuration is in use";
    text.family("connector_host_config_refused", Kind::Gauge, help).flag(&[], counts.is_refused);
}

fn refreshes(text: &mut Text, told: &Told, now: Timestamp) {
    let board = &told.board;
    let mut outcomes =
        text.family("connector_host_refreshes", Kind::Counter, "Grants that were due, by what came of them");
    for ((platform, app, kept), count) in board.outcomes() {
        let labels = [("platform", platform.as_str()), ("app", app.as_str()), ("outcome", kept.as_str())];
        outcomes.sample(&labels, count);
    }
    let lag = board.longest_due().map_or(SignedDuration::ZERO, |since| now.duration_since(since));
    text.family("connector_host_refresh_lag_seconds", Kind::Gauge, "For how long the longest due grant has been due")
        .sample(&[], seconds(lag));
    let (through, failed) = board.passes();
    text.family("connector_host_passes", Kind::Counter, "Passes over what is due, by whether they were through")
        .sample(&[("outcome", "through")], through)
        .sample(&[("outcome", "failed")], failed);
    if let Some(at) = board.last_pass() {
        text.family("connector_host_last_pass_time_seconds", Kind::Gauge, "When the last pass was through, since 1970")
            .sample(&[], unix(at));
    }
}

impl Stored {
    async fn read(host: &Host) -> Result<Self> {
        let store = host.store();
        Ok(Self {
            connections: store.count_by_state().await?,
            doubts: store.count_doubts().await?,
            kept_answers: store.kept_answers().await?.len(),
            health: store.app_health().await?,
        })
    }

    fn write(&self, text: &mut Text, host: &Host, now: Timestamp) {
        let mut family = text.family("connector_host_connections", Kind::Gauge, "Connections, by state");
        for row in &self.connections {
            let labels = [("platform", row.platform.as_str()), ("app", &row.app), ("state", row.state.as_str())];
            family.sample(&labels, row.count);
        }
        let help = "Grants of which nobody knows whether their refresh token is spent, or that are being refreshed";
        text.family("connector_host_doubts", Kind::Gauge, help).sample(&[], self.doubts);
        text.family("connector_host_kept_answers", Kind::Gauge, "Answers that no version could read yet")
            .sample(&[], self.kept_answers);
        self.write_health(text, host, now);
    }

    /// A line for each app that is configured, so that a rule can wait for a 1.
    fn write_health(&self, text: &mut Text, host: &Host, now: Timestamp) {
        let help = "Whether a platform refuses an app, answers none of its token requests, or asked it to wait";
        let mut family = text.family("connector_host_app_trouble", Kind::Gauge, help);
        for platform in host.platforms() {
            let id = platform.linked.id();
            for app in platform.settings.apps.keys() {
                let health = self.health.iter().find(|health| health.platform == *id && health.app == *app);
                for (trouble, is_so) in troubles(health, now) {
                    family.flag(&[("platform", id.as_str()), ("app", app), ("trouble", trouble)], is_so);
                }
            }
        }
    }
}

fn troubles(health: Option<&AppHealth>, now: Timestamp) -> [(&'static str, bool); 3] {
    let refused = health.is_some_and(|health| health.refused_credentials.is_some());
    let down = health.is_some_and(AppHealth::is_down);
    let waits = health.is_some_and(|health| health.next_try_at.is_some_and(|at| at > now));
    [("refused", refused), ("down", down), ("asked_to_wait", waits && !refused && !down)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_one_trouble_at_a_time_and_none_when_it_is_well() {
        let now = Timestamp::UNIX_EPOCH;
        let well = || AppHealth::new("example".parse().unwrap(), "default".to_owned(), "id".to_owned(), now);
        let down = (0..3).fold(well(), |health, _| health.failed(now));
        let cases = [
            (None, None),
            (Some(well()), None),
            (Some(well().refused("digest".to_owned(), now)), Some("refused")),
            (Some(well().asked_to_wait(None, now)), Some("asked_to_wait")),
            (Some(down), Some("down")),
        ];
        for (health, expected) in cases {
            let found: Vec<_> =
                troubles(health.as_ref(), now).into_iter().filter(|(_, is_so)| *is_so).map(|(word, _)| word).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{health:?}");
        }
    }
}

//! Whether the platforms can be reached, and what time it is there. Asked is for the head of an answer, once a host, with no token and no
//! credential.

use std::collections::BTreeMap;

use connector_core::config::Config;
use connector_core::http::{Cause, RawAnswer, Request};
use connector_core::{Linked, PlatformId};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{Finding, Installation, Kind};
use crate::apps::Realm;

/// By so much clocks may differ. Lives of tokens are counted with more room than this.
const CLOSE_ENOUGH: SignedDuration = SignedDuration::from_secs(30);

pub(super) async fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (url, platform) in hosts(installation, config) {
        let found = ask(installation, &url).await.map(|finding| finding.of_platform(&platform));
        let says_it_all = found.as_ref().is_some_and(|finding| finding.kind == Kind::TlsUnusable);
        let is_known =
            |finding: &Finding| finding.kind == Kind::ClockOff && findings.iter().any(|one| one.kind == finding.kind);
        findings.extend(found.filter(|finding| !is_known(finding)));
        if says_it_all {
            break;
        }
    }
    findings
}

/// Each host that apps of the configuration talk to.
fn hosts(installation: &Installation, config: &Config) -> BTreeMap<Url, PlatformId> {
    let used =
        |linked: &&Linked| config.settings.platforms.get(linked.id()).is_some_and(|platform| !platform.apps.is_empty());
    let mut hosts = BTreeMap::new();
    for linked in installation.registry.iter().filter(used) {
        let urls = match &installation.realm {
            Realm::Live => Some(&linked.protocol().base_urls),
            Realm::Emulated(emulators) => emulators.get(linked.id()).map(|info| &info.base_urls),
        };
        hosts.extend(urls.into_iter().flat_map(BTreeMap::values).map(|url| (url.clone(), linked.id().clone())));
    }
    hosts
}

async fn ask(installation: &Installation, url: &Url) -> Option<Finding> {
    let cx = &installation.cx;
    match cx.send(Request::probe(url.clone())).await {
        Ok(answer) => off(&answer, cx.now(), url),
        Err(error) if error.cause == Cause::Machine => {
            let fix = "install the certificates of your system (the package `ca-certificates`), or set SSL_CERT_FILE to a bundle";
            Some(Finding::new(Kind::TlsUnusable, error.message, fix))
        }
        Err(error) => {
            let fix = format!(
                "let this machine reach {} directly: see to its network, name server and firewall; no proxy is used",
                url.origin().ascii_serialization()
            );
            Some(Finding::new(Kind::PlatformUnreachable, error.message, fix))
        }
    }
}

fn off(answer: &RawAnswer, came: Timestamp, url: &Url) -> Option<Finding> {
    let theirs = answer.host_time()?;
    let offset = offset(answer.sent_at, theirs, came).filter(|offset| offset.abs() > CLOSE_ENOUGH)?;
    let (seconds, way) = (offset.abs().as_secs(), if offset.is_positive() { "behind" } else { "ahead of" });
    let host = url.host_str().unwrap_or_default();
    let what = format!(
        "the clock of this machine is {seconds} s {way} that of {host}, so tokens seem to live longer or shorter than they do"
    );
    let fix = "set the clock by the network: `timedatectl set-ntp true`, or your system's time service";
    Some(Finding::new(Kind::ClockOff, what, fix))
}

/// How far a host's clock is from ours at least: it showed this time at some moment between sending and the answer, and shows whole seconds.
fn offset(sent: Timestamp, theirs: Timestamp, came: Timestamp) -> Option<SignedDuration> {
    let (ahead, behind) = (theirs.duration_since(came), theirs.duration_since(sent) + SignedDuration::from_secs(1));
    if ahead.is_positive() {
        return Some(ahead);
    }
    behind.is_negative().then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_what_the_exchange_itself_cannot_explain() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (sent, came) = (at("2026-11-22T12:00:10.500Z"), at("2026-11-22T12:00:20.500Z"));
        let seconds = |theirs: &str| offset(sent, at(theirs), came).map(|offset| offset.as_secs_f64());
        assert_eq!(seconds("2026-11-22T12:00:10Z"), None);
        assert_eq!(seconds("2026-11-22T12:00:20Z"), None);
        assert_eq!(seconds("2026-11-22T12:01:00Z"), Some(39.5));
        assert_eq!(seconds("2026-11-22T11:59:00Z"), Some(-69.5));
    }
}

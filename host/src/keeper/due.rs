//! Which grants are due, and whether one still is when its turn comes.

use connector_core::PlatformId;
use connector_core::oauth::{OAuthProvider, RefreshClass};
use jiff::Timestamp;

use crate::configuration::ConfiguredPlatform;
use crate::error::Result;
use crate::host::Host;
use crate::refresh::QUARANTINE;
use crate::store::{DueRefresh, DueRefreshes, GrantRecord, GrantState};

/// What is to be done about a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// A refresh, which reads a kept answer again where there is one.
    Refresh,
    /// Nothing, because somebody else has seen to it or is at it.
    Nothing,
    /// Nothing, because a refresh would bring nothing.
    NothingToGain,
}

impl Host {
    /// The longest due grants, at most so many.
    pub(super) async fn due(&self, limit: u32) -> Result<Vec<DueRefresh>> {
        let due =
            DueRefreshes { now: self.context().now(), keep_fresh: self.kept_fresh(), unsettled_for: QUARANTINE, limit };
        Ok(self.store().due_refreshes(&due).await?)
    }

    /// The apps whose access tokens are refreshed by their own age. One that is prolonged has no other token that could be kept alive.
    fn kept_fresh(&self) -> Vec<(PlatformId, String)> {
        let platforms = self.platforms();
        let apps = platforms.iter().flat_map(|platform| platform.settings.apps.keys().map(move |app| (platform, app)));
        apps.filter(|(platform, app)| is_kept_fresh(platform, app))
            .map(|(platform, app)| (platform.linked.id().clone(), app.clone()))
            .collect()
    }

    /// Whether a grant that was found due still is: it may have been seen to since, and a fresh token is never rotated.
    pub(super) fn want(&self, due: &DueRefresh, grant: &GrantRecord) -> Want {
        if grant.state != GrantState::Active {
            return Want::Nothing;
        }
        // What is wrong with a platform or an app that is gone is said by the refresh itself.
        let Ok(platform) = self.platform(grant.platform.as_str()) else { return Want::Refresh };
        let oauth = platform.connector.oauth();
        if grant.kept_answer.is_some() {
            return Want::Refresh;
        }
        let kept_fresh = is_kept_fresh(&platform, &grant.app);
        match reason(due, grant, oauth.refresh_class(), kept_fresh, self.context().now()) {
            Want::Refresh if !self.can_ask(grant, oauth) => Want::NothingToGain,
            want => want,
        }
    }

    /// Whether there is anything to refresh with. A grant that has nothing lives as long as its access token, and is not ended before.
    fn can_ask(&self, grant: &GrantRecord, oauth: &dyn OAuthProvider) -> bool {
        self.open_session(grant).map_or(true, |session| oauth.refresh_request(&session.app, &session.grant).is_ok())
    }
}

fn is_kept_fresh(platform: &ConfiguredPlatform, app: &str) -> bool {
    let prolonged = matches!(platform.connector.oauth().refresh_class(), RefreshClass::Extension { .. });
    prolonged || platform.settings.apps.get(app).is_some_and(|app| app.keep_fresh)
}

fn reason(due: &DueRefresh, grant: &GrantRecord, class: RefreshClass, kept_fresh: bool, now: Timestamp) -> Want {
    if class == RefreshClass::None {
        return Want::NothingToGain;
    }
    if let Some(mark) = &grant.refresh_mark {
        // Whether it has rested is for the store to say, by its own clocks: this one's may be wrong.
        return if mark.sent_at == due.since { Want::Refresh } else { Want::Nothing };
    }
    if kept_fresh && is_old(grant.access_expires_at, grant.issued_at, now) {
        return Want::Refresh;
    }
    if grant.refresh.is_none() || !is_old(grant.refresh_expires_at, grant.issued_at, now) {
        return Want::Nothing;
    }
    match class {
        RefreshClass::RotatingStrict | RefreshClass::RotatingGrace { .. } => Want::Refresh,
        _ => Want::NothingToGain,
    }
}

/// Whether three quarters of a life have passed, to the millisecond as a store counts it.
fn is_old(expires_at: Option<Timestamp>, issued_at: Timestamp, now: Timestamp) -> bool {
    expires_at.map(Timestamp::as_millisecond).is_some_and(|expires_at| {
        let quarter = expires_at.saturating_sub(issued_at.as_millisecond()) / 4;
        expires_at.saturating_sub(quarter) <= now.as_millisecond()
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::RefreshMark;
    use crate::vault::Sealed;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn start() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    /// An access token for 2 hours, a refresh token for 100.
    fn grant() -> GrantRecord {
        GrantRecord {
            access: Some(Sealed::from_stored(vec![1])),
            access_expires_at: Some(start() + HOUR * 2),
            refresh: Some(Sealed::from_stored(vec![1])),
            refresh_expires_at: Some(start() + HOUR * 100),
            ..GrantRecord::new(
                "018f0000-0000-7000-8000-000000000000".parse().unwrap(),
                "default",
                "example".parse().unwrap(),
                "default",
                "id",
                start(),
            )
        }
    }

    fn due(since: Timestamp) -> DueRefresh {
        DueRefresh { tenant: "default".to_owned(), grant: grant().id, since }
    }

    #[test]
    fn a_refresh_token_is_renewed_in_the_last_quarter_of_its_life_where_that_helps() {
        let strict = RefreshClass::RotatingStrict;
        for (class, hours, expected) in [
            (strict, 74, Want::Nothing),
            (strict, 75, Want::Refresh),
            (strict, 101, Want::Refresh),
            (RefreshClass::NonRotating, 75, Want::NothingToGain),
            (RefreshClass::None, 75, Want::NothingToGain),
        ] {
            let found = reason(&due(start()), &grant(), class, false, start() + HOUR * hours);
            assert_eq!(found, expected, "{class:?} {hours}");
        }
    }

    #[test]
    fn an_access_token_is_renewed_in_the_last_quarter_of_its_life_where_that_is_asked_for() {
        for (class, kept_fresh, minutes, expected) in [
            (RefreshClass::RotatingStrict, true, 89, Want::Nothing),
            (RefreshClass::RotatingStrict, true, 90, Want::Refresh),
            (RefreshClass::RotatingStrict, false, 120, Want::Nothing),
            (RefreshClass::NonRotating, true, 90, Want::Refresh),
            (RefreshClass::None, true, 120, Want::NothingToGain),
        ] {
            let now = start() + SignedDuration::from_mins(minutes);
            let found = reason(&due(start()), &grant(), class, kept_fresh, now);
            assert_eq!(found, expected, "{class:?} {kept_fresh} {minutes}");
        }
    }

    #[test]
    fn a_doubt_that_the_store_found_due_is_settled_whatever_the_clock_here_says() {
        let sent_at = start();
        let mark = Some(RefreshMark { attempt: None, sent_at, unanswered: 1 });
        let grant = GrantRecord { refresh_mark: mark, ..grant() };
        for now in [start() - HOUR * 26, start(), start() + HOUR] {
            let want = |since| reason(&due(since), &grant, RefreshClass::RotatingStrict, true, now);
            assert_eq!(want(sent_at), Want::Refresh, "{now}");
            assert_eq!(want(sent_at - HOUR), Want::Nothing, "somebody has sent the token since: {now}");
        }
    }
}

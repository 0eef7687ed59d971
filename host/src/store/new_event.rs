//! Events on their way into a store: what a change tells of.

use jiff::Timestamp;

use super::{
    Connected, ConnectionId, ConnectionRecord, ConnectionStanding, EventDetail, EventFacts, EventKind, GrantRecord,
    GrantState, Linked, Reading,
};

/// An event that is to be stored with the change it tells of.
#[derive(Clone, Debug)]
pub(super) struct NewEvent {
    pub(super) tenant: String,
    pub(super) connection: ConnectionId,
    pub(super) kind: EventKind,
    pub(super) at: Timestamp,
    pub(super) facts: EventFacts,
}

impl NewEvent {
    fn of(connection: &ConnectionRecord, kind: EventKind, at: Timestamp, detail: EventDetail) -> Self {
        let ConnectionRecord { tenant, id, reference, platform, app, account_id, .. } = connection.clone();
        let facts = EventFacts { reference, platform, app, account_id, detail };
        Self { tenant, connection: id, kind, at, facts }
    }

    /// That a connection is new, or stands otherwise by a grant than before.
    pub(super) fn linked(
        grant: &GrantRecord,
        done: &Linked,
        before: Option<&Connected>,
        at: Timestamp,
    ) -> Option<Self> {
        let now = Connected { connection: done.connection.clone(), grant: grant.clone() };
        match before {
            Some(before) => Self::changed(before, &now, at),
            None => Some(Self::stands(EventKind::ConnectionCreated, None, &now, at)),
        }
    }

    /// That a connection stands otherwise than before, or holds other scopes. `None` where it does not.
    pub(super) fn changed(before: &Connected, now: &Connected, at: Timestamp) -> Option<Self> {
        let (old, new) = (ConnectionStanding::of(before), ConnectionStanding::of(now));
        let same = (old.state, &old.reason) == (new.state, &new.reason) && !new.holds_others(&old);
        (!same).then(|| Self::stands(EventKind::ConnectionStateChanged, Some(before), now, at))
    }

    /// That a connection was given up.
    pub(super) fn disconnected(before: &Connected, now: &Connected, at: Timestamp) -> Self {
        Self::stands(EventKind::ConnectionDisconnected, Some(before), now, at)
    }

    /// What a reading brought, if it brought anything.
    pub(super) fn counted(connection: &ConnectionRecord, reading: &Reading) -> Option<Self> {
        let (observed_at, values) = (reading.observed_at, reading.values.clone());
        let detail = EventDetail::Counted { observed_at, values };
        let event = || Self::of(connection, EventKind::MetricsRecorded, observed_at, detail);
        (!reading.values.is_empty()).then(event)
    }

    fn stands(kind: EventKind, before: Option<&Connected>, now: &Connected, at: Timestamp) -> Self {
        let standing = |connected| Box::new(ConnectionStanding::of(connected));
        let detail = EventDetail::Stands { now: standing(now), before: before.map(standing) };
        Self::of(&now.connection, kind, at, detail)
    }
}

impl ConnectionStanding {
    fn of(connected: &Connected) -> Self {
        let Connected { connection, grant } = connected;
        let reason = match &grant.state {
            GrantState::Held { reason } | GrantState::ReauthRequired { reason } => Some(reason.clone()),
            _ => None,
        };
        let state = connected.state();
        let is_live = connection.disconnected_at.is_none();
        Self {
            state,
            reason: reason.filter(|_| is_live),
            since: connection.disconnected_at.unwrap_or(grant.state_since),
            scopes: grant.scopes.clone(),
        }
    }

    /// Whether it holds other scopes than before, as far as the platform says: what is required may have come or gone with them.
    fn holds_others(&self, before: &Self) -> bool {
        self.scopes.granted.scopes() != before.scopes.granted.scopes()
    }
}

//! A connection as a page shows it.

use connector_core::scope::{Drift, ScopeStatus};
use connector_core::{AbilityStatus, Scope};
use jiff::Timestamp;

use super::avatar;
use super::chart::Chart;
use super::counts::{Counts, When, title};
use super::facts::Facts;
use super::viewer::Viewer;
use super::words::sentence;
use crate::configuration::ConfiguredPlatform;
use crate::format;
use crate::host::Host;
use crate::standing::{Around, told};
use crate::store::{Connected, ConnectionState};

/// How many colours there are for accounts without a picture.
const COLOURS: u32 = 6;

/// A connection with everything that is told about it at one look. It has no `Debug`: its forms carry the session's token.
pub(super) struct Card {
    pub(super) id: String,
    /// Its own page, and what is below it.
    pub(super) path: String,
    /// What its address carries behind the path.
    pub(super) query: String,
    pub(super) form_token: String,
    pub(super) platform: String,
    pub(super) app: String,
    pub(super) name: String,
    pub(super) handle: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) face: Face,
    pub(super) state: State,
    pub(super) scopes: Vec<ScopeRow>,
    pub(super) extra: Vec<String>,
    pub(super) abilities: Vec<AbilityRow>,
    pub(super) counts: Counts,
    pub(super) chart: Option<Chart>,
    pub(super) renewal: Option<Renewal>,
    /// Whether its counts can be asked for now.
    pub(super) may_update: bool,
    /// Whether there is something to give up.
    pub(super) may_disconnect: bool,
    /// What did not work just now.
    pub(super) failed: Option<String>,
    /// When the counts could not be had last, and of what kind the error was, if nothing was read since.
    pub(super) unread: Option<(When, String)>,
    /// Whether the page is about this connection alone: then all of it changes with it.
    pub(super) is_alone: bool,
}

/// What stands for an account.
#[derive(Debug)]
pub(super) struct Face {
    pub(super) initial: String,
    pub(super) colour: u32,
    /// Where its picture is, on this host.
    pub(super) picture: Option<String>,
}

/// How a connection stands, in words.
#[derive(Debug)]
pub(super) struct State {
    pub(super) word: &'static str,
    /// `well`, `ill`, `waits` or `over`.
    pub(super) look: &'static str,
    pub(super) since: When,
    /// What happened.
    pub(super) what: Option<String>,
    /// What the operator can do about it, where no button does.
    pub(super) next: Option<String>,
}

/// A scope that the app wants.
#[derive(Clone, Debug)]
pub(super) struct ScopeRow {
    pub(super) scope: String,
    pub(super) description: String,
    pub(super) status: &'static str,
    pub(super) words: &'static str,
}

/// What a product can do with a connection.
#[derive(Debug)]
pub(super) struct AbilityRow {
    pub(super) name: String,
    pub(super) is_available: bool,
    pub(super) words: String,
}

/// Why a person would allow access again, and what it brings.
#[derive(Debug)]
pub(super) struct Renewal {
    /// Whether nothing works without it.
    pub(super) is_needed: bool,
    /// What the person was never asked for, with what it allows.
    pub(super) brings: Vec<ScopeRow>,
    /// What they did not allow, which is respected.
    pub(super) refused: Vec<String>,
}

impl Card {
    /// A connection by what is stored and what is configured. No platform is asked.
    pub(super) fn of(host: &Host, viewer: &Viewer, connected: &Connected, facts: &Facts) -> Self {
        let Connected { connection, grant } = connected;
        let platform = host.platform(connection.platform.as_str()).ok();
        let around = Around::of(host, connected, &facts.apps, facts.revocations.get(&grant.id).cloned());
        let standing = connected.state_given(!around.lacking().is_empty());
        let is_live = !matches!(standing, ConnectionState::Disconnecting | ConnectionState::Disconnected);
        // What was allowed once is not allowed any more.
        let drift = around.drift.as_ref().filter(|_| is_live);
        let scopes = drift.map_or_else(Vec::new, |drift| rows(platform.as_deref(), drift));
        let counts = Counts::of(host, connected, facts);
        let path = format!("/connections/{}", connection.id);
        let query = viewer.query();
        Self {
            face: Face::of(host, connected, &path, &query),
            state: State::of(host, connected, standing, &around),
            renewal: Renewal::of(host, viewer, connected, standing, &scopes),
            extra: drift.map_or_else(Vec::new, |drift| crate::data::texts(&drift.extra)),
            scopes,
            abilities: host.abilities(connected).iter().map(AbilityRow::of).collect(),
            unread: unread(connected, &counts, facts.now),
            counts,
            chart: facts.trends.get(&connection.id).and_then(|samples| Chart::until(facts.now, samples)),
            may_update: standing == ConnectionState::Active && platform.is_some(),
            may_disconnect: is_live,
            platform: platform.map_or_else(|| connection.platform.to_string(), |known| known.linked.name().to_owned()),
            app: connection.app.clone(),
            name: name(connected),
            handle: connection.profile.text("handle").map(format::line).filter(|handle| !handle.is_empty()),
            reference: connection.reference.clone(),
            form_token: viewer.form_token.clone(),
            failed: None,
            is_alone: false,
            id: connection.id.to_string(),
            path,
            query,
        }
    }

    /// How many of the scopes are there.
    pub(super) fn granted(&self) -> usize {
        self.scopes.iter().filter(|row| row.status == ScopeStatus::Granted.as_str()).count()
    }
}

/// The last error, if nothing was read since.
fn unread(connected: &Connected, counts: &Counts, now: Timestamp) -> Option<(When, String)> {
    let error = connected.grant.last_error.as_ref().filter(|_| connected.state() == ConnectionState::Active)?;
    let is_newer = counts.read_at.is_none_or(|read_at| error.at > read_at);
    is_newer.then(|| (When::of(error.at, now), error.kind.replace('_', " ")))
}

/// What people call an account.
pub(super) fn name(connected: &Connected) -> String {
    let connection = &connected.connection;
    format::line(connection.profile.label().unwrap_or(&connection.account_id))
}

impl Face {
    fn of(host: &Host, connected: &Connected, path: &str, query: &str) -> Self {
        let connection = &connected.connection;
        let initial = name(connected).chars().find(|letter| letter.is_alphanumeric());
        let initial = initial.map_or_else(|| "?".to_owned(), |letter| letter.to_uppercase().collect());
        let colour =
            connection.account_id.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let picture = avatar::of(host, connected).map(|_| format!("{path}/avatar{query}"));
        Self { initial, colour: (colour >> 7) % COLOURS, picture }
    }
}

impl State {
    fn of(host: &Host, connected: &Connected, standing: ConnectionState, around: &Around<'_>) -> Self {
        let now = host.context().now();
        let (word, look) = match standing {
            ConnectionState::Active => ("Connected", "well"),
            ConnectionState::Held => ("Held", "waits"),
            ConnectionState::ReauthRequired => ("Needs re-authentication", "ill"),
            ConnectionState::Disconnecting => ("Disconnecting", "waits"),
            ConnectionState::Disconnected => ("Disconnected", "over"),
        };
        let told = told(connected, around, now);
        let (what, next) = told.map_or((None, None), |told| (told.what, told.next));
        // What only a command does is said as one; where there is a button, that says it.
        let next = next.filter(|_| standing == ConnectionState::Held);
        Self {
            word,
            look,
            since: When::of(connected.grant.state_since, now),
            what: what.as_deref().map(sentence),
            next,
        }
    }
}

impl Renewal {
    fn of(
        host: &Host,
        viewer: &Viewer,
        connected: &Connected,
        standing: ConnectionState,
        scopes: &[ScopeRow],
    ) -> Option<Self> {
        let connection = &connected.connection;
        let app = host.app_for(&viewer.tenant, connection.platform.as_str(), &connection.app);
        if app.is_err() || matches!(standing, ConnectionState::Held | ConnectionState::Disconnecting) {
            return None;
        }
        let with = |status: ScopeStatus| scopes.iter().filter(move |row| row.status == status.as_str());
        Some(Self {
            is_needed: standing == ConnectionState::ReauthRequired,
            brings: with(ScopeStatus::NeverAsked).cloned().collect(),
            refused: with(ScopeStatus::NotGranted).map(|row| row.scope.clone()).collect(),
        })
    }

    /// Whether the page asks for it by itself. What somebody did not allow is no reason.
    pub(super) fn is_urged(&self) -> bool {
        self.is_needed || !self.brings.is_empty()
    }
}

/// Each scope of the app's list, with what it is.
fn rows(platform: Option<&ConfiguredPlatform>, drift: &Drift) -> Vec<ScopeRow> {
    drift.statuses.iter().map(|(scope, status)| ScopeRow::of(platform, scope, *status)).collect()
}

impl ScopeRow {
    fn of(platform: Option<&ConfiguredPlatform>, scope: &Scope, status: ScopeStatus) -> Self {
        let entry = platform.and_then(|platform| platform.settings.catalogue.scopes.get(scope));
        Self {
            scope: scope.to_string(),
            description: entry.map(|entry| entry.description.clone()).unwrap_or_default(),
            status: status.as_str(),
            words: words(status),
        }
    }
}

/// How a scope stands, for people.
fn words(status: ScopeStatus) -> &'static str {
    match status {
        ScopeStatus::Granted => "allowed",
        ScopeStatus::NeverAsked => "not asked for yet",
        ScopeStatus::NotGranted => "not allowed",
        ScopeStatus::Withdrawn => "taken back",
        ScopeStatus::Unknown => "not known: the platform does not say",
        ScopeStatus::Pending => "waits for the platform's approval",
        ScopeStatus::NotWanted => "not wanted",
    }
}

impl AbilityRow {
    fn of((name, status): &(String, AbilityStatus)) -> Self {
        let words = match status {
            AbilityStatus::Available => "available".to_owned(),
            AbilityStatus::NeedsScopes(scopes) => format!("needs {}", crate::data::texts(scopes).join(" or ")),
            AbilityStatus::NotOffered => "not in this version".to_owned(),
        };
        Self { name: title(name), is_available: *status == AbilityStatus::Available, words }
    }
}

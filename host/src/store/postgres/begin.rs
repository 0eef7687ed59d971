//! How transactions begin: with all that they need of the server, in one round trip, and nothing that outlives them.

/// A transaction that writes.
///
/// - READ COMMITTED, whatever the default of the database: a row that is locked or set is the newest one.
/// - `synchronous_commit` is at least `on`: what is reported as done is on the disk of the server, and of a synchronous standby where
///   there is one. What the operator set higher stays.
/// - Who waits for a row gives up after as long as with the file of another store.
/// - A process that stops in the middle, and with it its locks, is ended by the server.
pub(super) const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SELECT set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// A transaction in which every read sees the same state. It can neither fail by what others write nor hold them up.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The transaction that brings the schema up to date. Other processes wait for it as long as it takes.
pub(super) const MIGRATE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = 0;
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = '30s';
    SET LOCAL synchronous_commit = on";

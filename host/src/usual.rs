//! What is meant where nobody says otherwise, on the command line and in the API.

use jiff::SignedDuration;

/// Whose connections.
pub(crate) const TENANT: &str = "default";

/// The app, by the operator's name.
pub(crate) const APP: &str = "default";

/// How old a stored count may be.
pub(crate) const AGE: SignedDuration = SignedDuration::from_mins(15);

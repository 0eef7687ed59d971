//! The admin whose password's hash the operator keeps in a file.

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::UserCondition;

/// The name of that admin.
const NAME: &str = "admin";

/// What hashing costs at least: memory in KiB, by how often it is gone through.
const COSTS: [(u32, u32); 3] = [(47_104, 1), (19_456, 2), (12_288, 3)];

/// What hashing may cost at most, in KiB gone through: whoever signs in waits for it.
const MOST: u64 = 1024 * 1024;

/// Makes sure that a text is the hash of a password that protects it.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check_hash(text: &str) -> Result<(), &'static str> {
    let what =
        "it is not a PHC text of argon2id, `$argon2id$v=19$m=..`; `connector-host users hash-password` makes one";
    let hash = PasswordHash::new(text).map_err(|_| what)?;
    if hash.algorithm != argon2::ARGON2ID_IDENT
        || hash.version != Some(19)
        || hash.salt.is_none()
        || hash.hash.is_none_or(|hash| hash.len() < 16)
    {
        return Err(what);
    }
    let cost = Params::try_from(&hash).map_err(|_| what)?;
    if !COSTS.iter().any(|(memory, times)| cost.m_cost() >= *memory && cost.t_cost() >= *times) {
        return Err(
            "it protects the password too little: use at least m=47104 with t=1, m=19456 with t=2, or m=12288 with t=3",
        );
    }
    if u64::from(cost.m_cost()) * u64::from(cost.t_cost()) > MOST || cost.p_cost() > 16 {
        return Err("it costs more than anybody would wait for: use at most 1 GiB in all");
    }
    Ok(())
}

impl Host {
    /// Makes the admin of the file, or gives him the password of the file if he has another. True where he had another: the file decides.
    ///
    /// # Errors
    /// When the name is a member's or was disabled; a store that is another instance's or cannot be written.
    pub(crate) async fn keep_admin(&self, hash: &str) -> Result<bool> {
        let Some(user) = self.store().user_by_name(NAME).await? else {
            // Another process that starts at the same moment has made it, with the same file.
            self.add_with_hash(NAME.to_owned(), None, hash.to_owned(), UserCondition::Any).await?;
            return Ok(false);
        };
        if !user.is_admin() || !user.is_active() {
            let how = if user.is_active() { "a member" } else { "disabled" };
            return Err(Error::Exposed(format!(
                "the user `{NAME}` of the password's file is {how}: leave --admin-password-hash-file out, and make an admin of another name with `connector-host admin create`"
            )));
        }
        if user.password_hash == hash {
            return Ok(false);
        }
        self.set_hash(&user, hash).await?;
        Ok(true)
    }
}

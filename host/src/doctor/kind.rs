//! Everything that can be found.

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something works by luck, or will stop working.
    Warning,
    /// Something to know; nothing has to be done now.
    Note,
}

impl Severity {
    /// The severity as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a finding is about, in the order in which findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The files that say what is wanted.
    Configuration,
    /// The registrations at the platforms.
    Apps,
    /// The way to the platforms.
    Network,
    /// Directories and files of this machine.
    Files,
    /// The keys that tokens are sealed with.
    Keys,
    /// Where connections are kept.
    Store,
    /// The connections themselves.
    Connections,
}

impl Area {
    /// All of them, in order.
    pub const ALL: [Self; 7] =
        [Self::Configuration, Self::Apps, Self::Network, Self::Files, Self::Keys, Self::Store, Self::Connections];

    /// The area as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Apps => "apps",
            Self::Network => "network",
            Self::Files => "files",
            Self::Keys => "keys",
            Self::Store => "store",
            Self::Connections => "connections",
        }
    }
}

/// Gives each kind its id, its severity, its area, and a sentence for the list of all.
macro_rules! kinds {
    ($($name:ident $id:literal $severity:ident $area:ident $says:literal;)*) => {
        /// What is found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $says] $name,)*
        }

        impl Kind {
            /// Every kind there is, by area.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its stable id.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What it is about.
            pub fn area(self) -> Area {
                match self { $(Self::$name => Area::$area,)* }
            }

            /// What it means, for the list of all.
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

kinds! {
    ConfigWrong "config_wrong" Error Configuration "A configuration file is wrong, or is not there.";
    ConfigWritable "config_writable" Warning Configuration "Anybody on this machine may change a configuration file.";
    ServeConfigRefused "serve_config_refused" Error Configuration "The `serve` that runs goes on with an older configuration, because its files are wrong.";
    PlatformNotLinked "platform_not_linked" Warning Configuration "A file describes a platform that this program has no connector for.";
    PlatformNotConfigured "platform_not_configured" Note Configuration "A linked platform has no app.";
    FactsOld "facts_old" Warning Configuration "Nobody has compared a platform's facts with its documentation for half a year.";
    ScopesPending "scopes_pending" Note Configuration "Scopes are wanted that nobody is asked for yet.";
    CredentialMissing "credential_missing" Error Apps "An id or secret is not where the configuration says.";
    CredentialEmpty "credential_empty" Error Apps "An id or secret is empty.";
    CredentialQuoted "credential_quoted" Error Apps "An id or secret has quotes around it, which are taken for a part of it.";
    CredentialBlanks "credential_blanks" Note Apps "An id or secret has blanks around it. They are left out here, and may not be elsewhere.";
    CredentialsSame "credentials_same" Error Apps "Id and secret of an app are the same.";
    CredentialsSwapped "credentials_swapped" Error Apps "Id and secret of an app look as if they were swapped.";
    CredentialStrange "credential_strange" Warning Apps "An id or secret does not look like one of this platform.";
    CredentialsTest "credentials_test" Note Apps "An app is one for tests alone.";
    CredentialExposed "credential_exposed" Warning Apps "Other users of this machine may read the file with a secret.";
    AppRefused "app_refused" Error Apps "The platform refuses the id and secret that an app has.";
    PlatformSilent "platform_silent" Warning Apps "The platform has not answered token requests of an app for a while.";
    RedirectWrong "redirect_wrong" Error Apps "The platform takes no redirect URI like the one of an app.";
    RedirectMissing "redirect_missing" Warning Apps "An app of the kind web has no redirect URI.";
    RedirectPortTaken "redirect_port_taken" Warning Apps "Another program listens at the port of an app's redirect URI.";
    PlatformUnreachable "platform_unreachable" Error Network "A host of a platform does not answer.";
    TlsUnusable "tls_unusable" Error Network "This machine cannot check whom it talks to.";
    CaBundleMissing "ca_bundle_missing" Error Network "The environment names certificates that are not there.";
    ProxyIgnored "proxy_ignored" Note Network "The environment names a proxy, which no call goes through.";
    ClockOff "clock_off" Warning Network "The clock of this machine is not that of a platform.";
    FileExposed "file_exposed" Error Files "Others may read or change a directory or file that has to be private.";
    FileUnusable "file_unusable" Error Files "A directory or file is somebody else's, or not what it should be.";
    ServeTlsUnusable "serve_tls_unusable" Error Files "The certificate that `serve` is to show is of no use.";
    DataInGit "data_in_git" Warning Files "The data directory lies where its files may be committed.";
    DataReplaceable "data_replaceable" Warning Files "Others may put another directory in place of the data directory.";
    DiskFull "disk_full" Error Files "The disk of the data directory has no room for an answer.";
    DiskLow "disk_low" Warning Files "The disk of the data directory is nearly full.";
    KeysNamedTwice "keys_named_twice" Error Keys "The keys are named in several places, or where they are makes no sense.";
    KeyMissing "key_missing" Error Keys "A key is not at hand that tokens are sealed with.";
    KeyOther "key_other" Error Keys "The keys are not those of the store.";
    KeyUnreadable "key_unreadable" Error Keys "The keys cannot be read.";
    KeyOlder "key_older" Note Keys "Something is still sealed with an older key.";
    StoreBehind "store_behind" Note Store "The store is not there yet, or of an earlier version; the next command sees to it.";
    StoreNotOurs "store_not_ours" Error Store "The store is another installation's.";
    StoreNewer "store_newer" Error Store "The store was made by a newer version of this program.";
    StoreForeign "store_foreign" Error Store "What is in place of the store is something else.";
    StoreUnusable "store_unusable" Error Store "The store cannot be read.";
    SpoolWaiting "spool_waiting" Warning Store "Answers of a platform wait for being stored.";
    SpoolDamaged "spool_damaged" Warning Store "Answers of a platform were cut off before they were stored.";
    ServeNotReady "serve_not_ready" Error Connections "The `serve` that runs does not answer, or does not do its work.";
    PeopleNeeded "people_needed" Warning Connections "Connections need their person.";
    ConnectionsHeld "connections_held" Note Connections "Connections are on hold until somebody says that they are ours.";
    RefreshesInDoubt "refreshes_in_doubt" Note Connections "Nobody knows yet whether the refresh tokens of some connections are spent.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_words_and_no_two_are_the_same() {
        let mut ids: Vec<_> = Kind::ALL.iter().map(|kind| kind.id()).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Kind::ALL.len());
    }

    #[test]
    fn kinds_are_listed_by_area() {
        assert!(Kind::ALL.is_sorted_by_key(|kind| kind.area()));
    }
}

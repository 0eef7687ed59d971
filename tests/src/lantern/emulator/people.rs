//! Who has accounts here, which apps are registered, and which scopes there are.

use connector_core::AppKind;

/// Somebody who can log in. Each has two accounts.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) accounts: [Account; 2],
}

/// An account. Its id is no word of a URL as it stands.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// Followers, following, posts, reach, views, glow. What is `None` the platform does not know.
    pub(super) counts: [Option<u64>; 6],
}

/// An app that is registered here.
#[derive(Debug)]
pub(super) struct RegisteredApp {
    pub(super) name: &'static str,
    pub(super) kind: AppKind,
    pub(super) client_id: &'static str,
    pub(super) client_secret: &'static str,
}

/// The scopes there are.
pub(super) const SCOPES: [&str; 5] = ["profile:read", "stats:read", "audience:read", "posts:write", "posts:read"];

/// The counts in the order of [`Account::counts`], with the scope each needs.
pub(super) const COUNTS: [(&str, &str); 6] = [
    ("stats:read", "followers"),
    ("stats:read", "following"),
    ("stats:read", "posts"),
    ("audience:read", "reach"),
    ("audience:read", "views"),
    ("audience:read", "glow"),
];

pub(super) const APPS: [RegisteredApp; 2] = [
    RegisteredApp {
        name: "hearth",
        kind: AppKind::Desktop,
        client_id: "10000000000000000001",
        client_secret: "lantern:desktop+secret",
    },
    RegisteredApp {
        name: "window",
        kind: AppKind::Web,
        client_id: "10000000000000000002",
        client_secret: "lantern:web+secret",
    },
];

pub(super) const MEMBERS: [Member; 3] = [
    Member {
        name: "ada",
        about: "two lively accounts",
        accounts: [
            Account {
                id: "lamp/ada#1",
                name: "Ada",
                kind: "person",
                counts: [Some(1204), Some(88), Some(312), Some(40_950), Some(981_200), Some(77)],
            },
            Account {
                id: "lamp/ada?50% more",
                name: "Ada & Daughters",
                kind: "business",
                counts: [Some(9_007_199_254_740_993), Some(0), Some(12), Some(7), Some(19), Some(1)],
            },
        ],
    },
    Member {
        name: "bo",
        about: "new here: every count is 0",
        accounts: [
            Account { id: "lamp/bo", name: "Bo", kind: "person", counts: [Some(0); 6] },
            Account { id: "lamp/bo+club", name: "", kind: "page", counts: [Some(0); 6] },
        ],
    },
    Member {
        name: "cleo",
        about: "an account too small to have its reach counted",
        accounts: [
            Account {
                id: "lamp/cléo",
                name: "Cleo",
                kind: "person",
                counts: [Some(3), Some(5), Some(1), None, Some(2), None],
            },
            Account {
                id: "lamp/cleo;w=2",
                name: "Cleo at work",
                kind: "page",
                counts: [Some(41), Some(2), Some(9), None, None, None],
            },
        ],
    },
];

/// The member of that name.
pub(super) fn member(name: &str) -> Option<&'static Member> {
    MEMBERS.iter().find(|member| member.name == name)
}
